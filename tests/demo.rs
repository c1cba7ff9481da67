//! `ganlet demo`, in a real browser: the page draws what the program draws.
//!
//! Where there is no Chromium or Chrome on the path, only what needs none is tested, and the test says so.

mod common;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use candle_core::Device;
use common::{Room, TRAIN_SMALL, read_npy, small_room};
use ganlet_models::{Generator, GeneratorConfig, HiddenActivation, LatentDistribution};
use serde::Deserialize;

/// As far as two pictures may be apart: in [-1, 1], so a small part of a shade.
const NEAR: f32 = 1e-4;

const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// A browser that starts. (Some systems have a file of its name that only says how to get it.)
fn browser() -> Option<&'static str> {
    NAMES.into_iter().find(|name| {
        let quiet = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    })
}

/// The document that the browser makes of a page, when two seconds of the page's own time have passed.
fn dump(browser: &str, room: &Room, page: &Path) -> String {
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--virtual-time-budget=2000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", room.path("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdout(File::create(room.path("dom.html")).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser starts");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > Duration::from_secs(120) {
            child.kill().expect("killed");
            panic!("{browser} does not end");
        }
        sleep(Duration::from_millis(50));
    }
    room.text("dom.html")
}

/// What the page says of itself, asked by a script behind its own.
#[derive(Deserialize)]
struct Answer {
    /// The picture of each latent.
    latents: Vec<Vec<f32>>,
    /// The picture of each sample.
    samples: Vec<Vec<f32>>,
    /// A third of the way from sample 3 to sample 8.
    between: Vec<f32>,
    /// The grey of the picture that is shown when the eighth of the new pictures was chosen, and what stands below it.
    shown: Vec<f32>,
    caption: String,
    /// What is named beside the new pictures when there should be more of them.
    range: String,
    /// What is said of the picture when a slider was moved to 1.5, where it then is, and where the knob is after a key.
    moved: String,
    slider: String,
    knob: String,
    /// What went wrong in the page.
    errors: Vec<String>,
}

/// The page's own time has timers, and no frames that could be counted on.
const FRAMES: &str = "<script>requestAnimationFrame = draw => setTimeout(draw, 16);</script>";

const QUESTIONS: &str = "
<pre id=answer></pre>
<script>
  const errors = [], element = id => document.getElementById(id);
  addEventListener('error', event => errors.push(event.message));
  document.querySelector('#sheet button:nth-child(8)').click();
  setTimeout(() => {
    const picture = element('picture');
    const data = picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data;
    const answer = {
      errors,
      latents: LATENTS.map((latent, row) => [...ganlet.generate([...latent, ...ganlet.label(row)])]),
      samples: ['0', '7', '18446744073709551615'].map(seed => [...ganlet.generate(ganlet.sample(seed))]),
      between: [...ganlet.generate(ganlet.between(ganlet.sample(3), ganlet.sample(8), 1 / 3))],
      shown: [...data].filter((_, i) => i % 4 === 0).map(grey => 2 * grey / 255 - 1),
      caption: element('caption').textContent,
    };
    const slider = document.querySelector('#directions input');
    slider.value = 1.5;
    slider.dispatchEvent(new Event('input'));
    setTimeout(() => {
      answer.moved = element('caption').textContent;
      answer.slider = document.querySelector('#directions output').textContent;
      element('more').click();
      answer.range = element('range').textContent;
      element('knob').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
      answer.knob = element('knob').getAttribute('aria-valuetext');
      element('answer').textContent = JSON.stringify(answer);
    }, 300);
  }, 300);
</script>";

/// Holds the page of `model` to the program. `latents` are numbers for as many pictures as they are enough for.
fn compare(room: &Room, model: &str, latent: usize, classes: usize, latents: &[f32]) {
    let page = room.path("page.html");
    assert_eq!(room.run(&format!("demo {model} --out page.html")).expect_success(), "page.html\n");
    let html = room.text("page.html");
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert!(!html.contains("http://") && !html.contains("https://"), "it names another place");

    let Some(browser) = browser() else {
        eprintln!("skipped: none of {NAMES:?} is on the path, so the page was not looked at in a browser");
        return;
    };
    let rows: Vec<&[f32]> = latents.chunks_exact(latent).collect();
    let questions = QUESTIONS.replace("LATENTS", &serde_json::to_string(&rows).unwrap());
    room.write("page.html", html.replacen("<script", &format!("{FRAMES}<script"), 1) + &questions);
    let dom = dump(browser, room, &page);
    let answer = dom.split("<pre id=\"answer\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let answer: Answer =
        serde_json::from_str(answer.unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {dom:.1000}"));

    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {latent}), }}", rows.len());
    header = format!("{header:<117}\n");
    let numbers = latents.iter().flat_map(|x| x.to_le_bytes());
    room.write(
        "z.npy",
        [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &numbers.collect::<Vec<_>>()].concat(),
    );
    let near = |what: &str, page: &[Vec<f32>], arguments: &str, apart: f32| {
        room.run(&format!("{arguments} --out x.npy")).expect_success();
        let (count, columns, program) = read_npy(&room.path("x.npy"));
        let page = page.concat();
        assert_eq!(page.len(), count * columns, "{what}");
        let most = page.iter().zip(program).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
        assert!(most <= apart, "{what}: {most} apart");
    };
    near("latents", &answer.latents, &format!("sample {model} --latents z.npy"), NEAR);
    near("samples", &answer.samples, &format!("sample {model} --seeds 0,7,18446744073709551615"), NEAR);
    // Half a shade of rounding.
    near("what is shown", &[answer.shown], &format!("sample {model} --seeds 7"), 1. / 255. + NEAR);
    let caption =
        if classes == 0 { "Sample 7".to_owned() } else { format!("Sample 7, class {}", 7 % classes) };
    assert_eq!(answer.errors, [""; 0]);
    assert_eq!((&answer.caption, answer.moved), (&caption, format!("{caption}, changed")));
    let said = [&answer.range, &answer.slider, &answer.knob].map(String::as_str);
    assert_eq!(said, ["samples 24 to 47", "1.50", "52 % to the right, 50 % down"]);

    room.run(&format!("interpolate {model} --seeds 3,8 --steps 4 --out x.npy")).expect_success();
    let (_, columns, program) = read_npy(&room.path("x.npy"));
    let most = answer.between.iter().zip(&program[columns..]).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
    assert!(most <= NEAR, "between: {most} apart");
}

#[test]
fn the_page_draws_what_the_program_draws() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    compare(&room, "run", 4, 0, &[0.5, -1., 2., 0.1, 0., 0., 0., 0., -3., 3., 1e-3, 40.]);
    assert_eq!(room.run("demo run").expect_success(), "run/demo.html\n");

    // As large as `classic`, and nothing rounded.
    let config = GeneratorConfig::new(64, &[256, 256], [28, 28]);
    let generator = Generator::new(config, 3, &Device::Cpu).expect("a generator");
    room.write("g.safetensors", generator.to_bytes(&Default::default()).expect("bytes"));
    let latents: Vec<f32> = (0..64 * 20).map(|i| (i as f32 * 0.37).sin() * 2.).collect();
    compare(&room, "g.safetensors", 64, 0, &latents);
    assert_eq!(room.run("demo g.safetensors").expect_success(), "g-demo.html\n");
}

#[test]
fn so_does_that_of_a_conditional_generator_of_maxout_and_uniform_latents() {
    let room = Room::new();
    let config = GeneratorConfig {
        latent_distribution: LatentDistribution::Uniform,
        classes: 3,
        activation: HiddenActivation::Maxout(2),
        ..GeneratorConfig::new(70, &[20, 30], [6, 5])
    };
    let generator = Generator::new(config, 1, &Device::Cpu).expect("a generator");
    room.write("g.safetensors", generator.to_bytes(&Default::default()).expect("bytes"));
    let latents: Vec<f32> = (0..70 * 6).map(|i| (i as f32 * 0.37).sin()).collect();
    compare(&room, "g.safetensors", 70, 3, &latents);
}

#[test]
fn a_large_generator_is_rounded_and_one_that_is_too_large_is_not_made() {
    let room = Room::new();
    let config = GeneratorConfig::new(100, &[900, 900], [28, 28]);
    let generator = Generator::new(config, 0, &Device::Cpu).expect("a generator");
    room.write("g.safetensors", generator.to_bytes(&Default::default()).expect("bytes"));
    let outcome = room.run("demo g.safetensors");
    assert!(outcome.stderr.contains("rounded to 7 bits"), "{}", outcome.stderr);
    outcome.expect_success();
    assert!(room.read("g-demo.html").len() < 2_000_000);
    assert!(!room.run("demo g.safetensors --max-size 7").stderr.contains("rounded"));

    let outcome = room.run("demo g.safetensors --max-size 1");
    assert_eq!(outcome.code, Some(1));
    for expected in ["g.safetensors", "4 bits", "1608184", "--max-size 2"] {
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    }
}
