//! `report.html` and `ganlet report`: that the page holds what the run does, in every state of one, and works in a browser.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Outcome, Room, SMALL, TRAIN_SMALL, small_room};
use ganlet_data::synthetic;
use ganlet_viz::{Picture, encode_png};
use serde_json::Value;

/// The data in a page, which must be the only thing in it that comes from outside.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("data");
    let (json, rest) = rest.split_once("</script>").expect("its end");
    assert_eq!(rest.matches("</script>").count(), 1, "only the script follows");
    serde_json::from_str(json).expect("JSON")
}

fn page(room: &Room, file: &str) -> Value {
    data(&room.text(file))
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().map(|item| item[field].as_str().expect("text")).collect()
}

/// Two epochs on digits, each measured.
fn digits_room() -> Room {
    let room = Room::new();
    room.write_dataset("data", &synthetic::digits(400, 120));
    room.write("small.toml", SMALL);
    room.run("train --config small.toml --data-dir data --out run --eval-every 1").expect_success();
    room
}

#[test]
fn a_run_has_a_report_of_all_that_is_in_it() {
    let room = digits_room();
    let report = page(&room, "run/report.html");
    assert!(report["again"].is_null(), "it is finished");
    let run = &report["runs"][0];
    assert_eq!((&run["name"], &run["state"], &run["done"]), (&"run".into(), &"finished".into(), &1.0.into()));
    assert!(run["status"].as_str().unwrap().starts_with("Finished: 2 epochs, 40 steps"), "{}", run["status"]);
    let [losses, scores, frechet, score, digits, variety, speed] = &run["charts"].as_array().unwrap()[..]
    else {
        panic!("{:?}", texts(&run["charts"], "title"));
    };
    let lines: Vec<Value> =
        room.text("run/metrics.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // As numbers of single precision.
    let curve = |chart: &Value, place: usize, field: &str| {
        let of: Vec<&Value> = lines.iter().filter(|line| !line[field].is_null()).collect();
        let steps: Vec<_> = of.iter().map(|line| line["step"].clone()).collect();
        assert_eq!(chart["steps"], Value::from(steps), "{field}");
        for (line, value) in of.iter().zip(chart["curves"][place]["values"].as_array().unwrap()) {
            assert_eq!(line[field].as_f64().unwrap() as f32, value.as_f64().unwrap() as f32, "{field}");
        }
        assert!(!of.is_empty());
    };
    for (chart, place, field) in [
        (losses, 0, "d_loss"),
        (losses, 1, "g_loss"),
        (scores, 0, "d_real"),
        (scores, 1, "d_fake"),
        (frechet, 0, "frechet"),
        (score, 0, "score"),
        (digits, 0, "confidence"),
        (digits, 1, "imbalance"),
        (variety, 0, "variety"),
        (speed, 0, "steps_per_second"),
    ] {
        curve(chart, place, field);
    }
    assert_eq!(frechet["curves"][0]["errors"].as_array().unwrap().len(), 2);
    assert_eq!(texts(&run["tables"], "title"), ["Recipe", "Environment"]);
    let recipe = run["tables"][0]["rows"].to_string();
    assert!(recipe.contains(r#"["generator_hidden","[16]"]"#), "{recipe}");
    let epochs: Vec<_> = run["sheets"].as_array().unwrap().iter().map(|sheet| &sheet["epoch"]).collect();
    assert_eq!(epochs, [1, 2]);
    for picture in [&run["sheets"][0]["picture"], &run["real"]] {
        assert!(picture.as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    }

    // Made again, it is the same.
    fs::remove_file(room.path("run/report.html")).unwrap();
    assert_eq!(room.run("report run").expect_success(), "run/report.html\n");
    assert_eq!(page(&room, "run/report.html")["runs"], report["runs"]);
    assert_eq!(room.run("report run --out elsewhere.html").expect_success(), "elsewhere.html\n");
    assert_eq!(page(&room, "elsewhere.html")["runs"], report["runs"]);
}

#[test]
fn runs_are_compared_whatever_their_names() {
    let room = small_room();
    let names = ["run", "r</script><script>alert(1)</script>", "r'\"&lt;<!--"];
    room.run(TRAIN_SMALL).expect_success();
    for name in &names[1..] {
        let hostile = SMALL.replace("\"small\"", "\"</script><b>'&\"").replace("seed = 1", "seed = 2");
        room.write("hostile.toml", hostile);
        let mut train = room.command("train --config hostile.toml --data-dir data --epochs 1 --out");
        // The slash in the name makes a folder of its own.
        fs::create_dir_all(room.path(name)).unwrap();
        Outcome::of(train.arg(name)).expect_success();
    }
    let mut command = room.command("report");
    assert_eq!(Outcome::of(command.args(names)).expect_success(), "compare.html\n");
    let report = page(&room, "compare.html");
    assert_eq!(texts(&report["runs"], "name"), names);
    assert!(report["runs"][2]["tables"].to_string().contains("</script><b>'&"));
    assert_eq!(report["runs"][0]["sheets"].as_array().unwrap().len(), 2);
    assert_eq!(report["runs"][1]["sheets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_in_any_state_has_a_report() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    let remade = || {
        room.run("report run").expect_success();
        page(&room, "run/report.html")["runs"][0].clone()
    };
    let numbers = |run: &Value| -> usize {
        let charts = run["charts"].as_array().unwrap();
        charts.iter().map(|chart| chart["steps"].as_array().unwrap().len()).sum()
    };
    let run = remade();
    assert_eq!(run["steps_per_epoch"], 3);
    assert_eq!(run["warnings"], Value::Array(vec![]));

    // Stopped, half a line at the end and one that says nothing.
    let environment = room.text("run/environment.json");
    let (before, _) = environment.split_once("\"finished\"").unwrap();
    room.write("run/environment.json", format!("{before}\"finished\": null, \"seconds\": null}}"));
    let lines = room.text("run/metrics.jsonl");
    room.write("run/metrics.jsonl", format!("what?\n{}{{\"epo", lines.replace("d_loss", "other")));
    let run = remade();
    assert_eq!(run["state"], "stopped");
    assert_eq!(run["status"], "Stopped after 6 of 6 steps. To go on: ganlet train --resume run");
    assert_eq!(numbers(&run), 2, "{run:#}");

    room.write("run/metrics.jsonl", "");
    assert_eq!(numbers(&remade()), 0);
    room.write("run/environment.json", "{");
    room.write("run/samples/fake_images-2.png", "no picture");
    let run = remade();
    assert!(texts(&run["warnings"], "text")[0].contains("environment.json is damaged"), "{run:#}");
    assert_eq!(run["sheets"].as_array().unwrap().len(), 1);

    // The recipe is all that a run needs to be one.
    for name in room.files("run").iter().filter(|name| *name != "recipe.toml") {
        fs::remove_file(room.path(&format!("run/{name}"))).unwrap();
    }
    let run = remade();
    assert!(run["real"].is_null() && run["sheets"].as_array().unwrap().is_empty(), "{run:#}");
    room.write("run/recipe.toml", "epochs = -1");
    assert_eq!(remade()["epochs"], 0);

    fs::create_dir(room.path("folder.html")).unwrap();
    for (write, arguments, expected) in [
        (("run/recipe.toml", "x"), "report run", "run/recipe.toml: this is not a recipe"),
        (("file", ""), "report file", "there is no run in file"),
        (("file", ""), "report run nowhere", "there is no run in nowhere"),
        (("run/recipe.toml", ""), "report run --out folder.html", "cannot write folder.html"),
    ] {
        room.write(write.0, write.1);
        let outcome = room.run(arguments);
        assert_eq!(outcome.code, Some(1));
        assert!(
            outcome.stderr.contains(expected) && outcome.stderr.contains("\nhint: "),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn warnings_are_in_the_report() {
    let room = small_room();
    let unequal = SMALL
        .replace("0.001", "0.01")
        .replace("epochs = 2", "epochs = 20")
        .replace("r_hidden = [16]", "r_hidden = [1]");
    room.write("unequal.toml", unequal);
    let outcome = room.run("train --config unequal.toml --data-dir data --out run --quiet");
    let warnings = page(&room, "run/report.html")["runs"][0]["warnings"].clone();
    assert!(outcome.stderr.contains(&format!("warning: {}\n", texts(&warnings, "text")[0])), "{warnings:#}");
    assert!(outcome.stderr.contains(&format!("hint: {}\n", texts(&warnings, "remedy")[0])), "{warnings:#}");
}

#[test]
fn two_hundred_epochs_stay_below_five_megabytes() {
    let room = digits_room();
    // Noise is the largest that a picture can be.
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for epoch in 1..=200 {
        let picture = Picture::new(242, 242, (0..242 * 242).map(|_| noise()).collect()).unwrap();
        room.write(&format!("run/samples/fake_images-{epoch}.png"), encode_png(&picture).unwrap());
    }
    let line = room.text("run/metrics.jsonl").lines().next().unwrap().to_owned();
    let lines = (1..=120_000).map(|step| line.replace("\"step\":2,", &format!("\"step\":{step},")) + "\n");
    room.write("run/metrics.jsonl", lines.collect::<String>());
    room.run("report run").expect_success();
    assert!(room.read("run/report.html").len() < 5_000_000);
    let run = &page(&room, "run/report.html")["runs"][0];
    let sheets = run["sheets"].as_array().unwrap();
    assert!(sheets.len() > 50 && sheets[0]["epoch"] == 1 && sheets.last().unwrap()["epoch"] == 200);
    assert_eq!(run["charts"][0]["steps"].as_array().unwrap().last().unwrap(), 120_000);
    room.run("report run run run").expect_success();
    assert!(room.read("compare.html").len() < 5_000_000);
}

#[test]
fn the_report_of_a_training_follows_it_and_comes_to_rest_when_it_is_stopped() {
    let room = small_room();
    let mut command = room.command(&format!("{TRAIN_SMALL} --epochs 1000000 --quiet"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let begun = Instant::now();
    let mut report = Value::Null;
    // From the beginning, and then with the first pictures.
    while report["runs"][0]["sheets"].as_array().is_none_or(|sheets| sheets.len() < 2) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{report:#}");
        sleep(Duration::from_millis(5));
        if let Ok(page) = fs::read_to_string(room.path("run/report.html")) {
            report = data(&page);
            assert_eq!(report["runs"][0]["state"], "training");
            assert!(report["again"].as_f64().unwrap() >= 5.);
        }
    }
    let outcome = room.run("report run");
    assert!(outcome.stderr.contains("writes its report itself"), "{}", outcome.stderr);
    assert_eq!(outcome.expect_success(), "run/report.html\n");
    #[cfg(unix)]
    {
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        child.wait().expect("an end");
        let report = page(&room, "run/report.html");
        assert_eq!((&report["again"], &report["runs"][0]["state"]), (&Value::Null, &"stopped".into()));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A browser of this machine, if it has one.
fn browser() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let found = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    found.into_iter().find(|path| path.is_file())
}

/// Does what a reader does, and writes down what is to be seen then.
const READER: &str = r#"<pre id="seen"></pre><script>
  const seen = [];
  const charts = [...document.querySelectorAll(".chart")], canvas = charts[0].querySelector("svg[role=img]");
  const box = canvas.getBoundingClientRect();
  const legend = chart => chart.querySelector(".legend").textContent + "|" + chart.lastChild.textContent;
  seen.push(document.querySelectorAll(".chart").length, document.querySelectorAll("figure img").length);
  seen.push(legend(charts[0]));
  canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + 47, clientY: box.top + 50 }));
  seen.push(legend(charts[0]), legend(charts[1]));
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  seen.push(legend(charts[0]));
  canvas.dispatchEvent(new PointerEvent("pointerleave", { pointerType: "mouse" }));
  seen.push(legend(charts[0]));
  const slider = document.getElementById("slider"), image = document.querySelector("figure img");
  const last = image.src;
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  seen.push(document.querySelector("output").textContent, image.src !== last, image.naturalWidth);
  seen.push(document.documentElement.scrollWidth <= window.innerWidth);
  document.getElementById("seen").textContent = JSON.stringify({ seen, wrong });
</script></body>"#;

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: there is no chromium on the PATH");
        return;
    };
    let room = digits_room();
    let watched = "<body><script>const wrong = []; addEventListener('error', event => wrong.push(event.message)); \
        addEventListener('securitypolicyviolation', event => wrong.push(event.blockedURI));</script>";
    let page = room.text("run/report.html").replace("<body>", watched).replace("</body>", READER);
    room.write("watched.html", page);
    for size in ["390,800", "1400,900"] {
        let mut command = Command::new(&browser);
        command.args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '));
        command.args("--disable-background-networking --disable-component-update --disable-sync".split(' '));
        command.args(["--virtual-time-budget=3000", "--dump-dom"]).arg(format!("--window-size={size}"));
        command.arg(format!("--user-data-dir={}", room.path("profile").display()));
        command.arg(format!("file://{}", room.path("watched.html").display())).env("HOME", room.path("."));
        let dom = String::from_utf8(command.output().expect("the browser starts").stdout).expect("text");
        let seen = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let seen = seen.unwrap_or_else(|| panic!("{dom}")).0.replace("&gt;", ">").replace("&lt;", "<");
        let seen: Value = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"));
        assert_eq!(seen["wrong"], Value::Array(vec![]), "{size}");
        let seen = seen["seen"].as_array().unwrap();
        let at = |place: usize| seen[place].as_str().unwrap();
        assert_eq!((&seen[0], &seen[1]), (&7.into(), &2.into()));
        assert!(at(2).ends_with("|last, at step 40, epoch 2"), "{seen:?}");
        // All frames show the same step, and give its numbers.
        assert!(at(3).ends_with("|at step 2, epoch 1") && at(4).ends_with("|at step 2, epoch 1"), "{seen:?}");
        assert!(at(5).ends_with("|at step 4, epoch 1") && at(5) != at(3), "{seen:?}");
        assert_eq!(at(6), at(2));
        assert_eq!((at(7), &seen[8]), ("epoch 1 of 2", &true.into()));
        assert!(seen[9].as_u64().unwrap() > 100);
        assert_eq!(seen[10], true, "at a width of {size} one has to scroll sideways");
    }
}
