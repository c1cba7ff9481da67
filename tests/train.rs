//! `ganlet train`, end to end: what it leaves behind, that it does so again, and that it spares what is there.

mod common;

use common::{Room, SMALL, TRAIN_SMALL, bars, bits, png_size, small_room};

#[test]
fn a_run_leaves_what_it_promises() {
    let room = small_room();
    let outcome = room.run(TRAIN_SMALL);
    assert_eq!(outcome.stdout, "run\n", "{}", outcome.stderr);
    assert_eq!(
        room.files("run"),
        [
            "checkpoints/step-3.safetensors",
            "checkpoints/step-6.safetensors",
            "discriminator.safetensors",
            "environment.json",
            "generator.safetensors",
            "metrics.jsonl",
            "recipe.toml",
            "report.html",
            "samples/fake_images-1.png",
            "samples/fake_images-2.png",
            "samples/real_images.png",
        ]
    );
    for name in ["fake_images-1", "fake_images-2", "real_images"] {
        let png = room.read(&format!("run/samples/{name}.png"));
        assert_eq!(png_size(&png), (8 * (10 + 2) + 2, 8 * (12 + 2) + 2), "{name}");
    }

    // 70 images are three whole batches; a report at every second step, and a sheet after each epoch.
    let metrics = room.text("run/metrics.jsonl");
    let keys = [
        "epoch",
        "step",
        "images_seen",
        "d_loss",
        "g_loss",
        "d_real",
        "d_fake",
        "seconds",
        "steps_per_second",
    ];
    let (sheets, reports): (Vec<&str>, Vec<&str>) =
        metrics.lines().partition(|line| line.contains("variety"));
    for (line, [epoch, step]) in reports.iter().zip([[1, 2], [2, 4], [2, 6]]) {
        assert!(
            line.starts_with(&format!("{{\"epoch\":{epoch},\"step\":{step},\"images_seen\":{},", step * 20))
        );
        let found: Vec<_> = line.split('"').skip(1).step_by(2).collect();
        assert_eq!(found, keys);
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        for probability in ["d_real", "d_fake"] {
            assert!((0. ..=1.).contains(&report[probability].as_f64().unwrap()), "{line}");
        }
    }
    assert_eq!(reports.len(), 3);
    for (line, [epoch, step]) in sheets.iter().zip([[1, 3], [2, 6]]) {
        assert!(line.starts_with(&format!("{{\"epoch\":{epoch},\"step\":{step},\"variety\":")), "{line}");
        assert!(outcome.stderr.contains(&format!("epoch {epoch}/2  d_loss ")), "{}", outcome.stderr);
    }
    assert_eq!((sheets.len(), metrics.lines().nth(1)), (2, Some(sheets[0])));

    let environment: serde_json::Value = serde_json::from_str(&room.text("run/environment.json")).unwrap();
    assert_eq!(environment["ganlet"], env!("CARGO_PKG_VERSION"));
    assert_eq!(environment["dataset"]["name"], "custom");
    assert_eq!(environment["dataset"]["source"], "data");
    assert_eq!(environment["dataset"]["digest"], bars(70, 12, 10).digest());
    assert!(environment["dataset"]["warning"].is_null());
    assert!(environment["finished"].as_str() >= environment["started"].as_str());

    // No control characters, no line too wide, and where everything is.
    assert!(outcome.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", outcome.stderr);
    assert!(outcome.stderr.lines().all(|line| line.chars().count() <= 80), "{}", outcome.stderr);
    for expected in [
        "report.html",
        "generator.safetensors",
        "Next:",
        "ganlet sample run",
        "--resume run --data-dir data --epochs 4",
    ] {
        assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
    }
}

#[test]
fn the_same_recipe_gives_the_same_bits_for_any_number_of_threads() {
    let room = Room::new();
    room.write_dataset("data", &bars(200, 28, 28));
    // Wide enough to be worth several threads.
    let wide = SMALL.replace("= [16]", "= [128]").replace("= 20", "= 100").replace("= [16, 8]", "= [128]");
    room.write("wide.toml", wide);
    let train = |flags: &str, threads: &str| {
        let mut command = room.command(&format!("train --config wide.toml --data-dir data --quiet {flags}"));
        common::Outcome::of(command.env("CANDLE_NUM_THREADS", threads)).expect_success();
    };
    train("--out one", "1");
    train("--out two", "2");
    train("--out three", "3");
    train("--out other --seed 2", "2");
    assert!(bits(&room, "one") == bits(&room, "two"));
    assert!(bits(&room, "one") == bits(&room, "three"));

    let differing: Vec<String> = bits(&room, "one")
        .iter()
        .zip(bits(&room, "other"))
        .filter(|(a, b)| **a != *b)
        .map(|(a, _)| a.0.clone())
        .collect();
    assert_eq!(
        differing,
        [
            "checkpoints/step-2.safetensors",
            "checkpoints/step-4.safetensors",
            "discriminator.safetensors",
            "generator.safetensors",
            "recipe.toml",
            "samples/fake_images-1.png",
            "samples/fake_images-2.png",
            "metrics",
        ]
    );
}

/// Linux tells how many there are.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_threads_is_one_for_reading_the_data_too() {
    use std::process::Stdio;
    use std::{fs, thread, time};

    let room = small_room();
    let mut training = room.command(&format!("{TRAIN_SMALL} --epochs 20 --quiet"));
    let mut training = training.env("CANDLE_NUM_THREADS", "1").stdout(Stdio::null()).spawn().unwrap();
    let threads = format!("/proc/{}/task", training.id());
    let mut most = 0;
    while training.try_wait().unwrap().is_none() {
        most = most.max(fs::read_dir(&threads).map_or(0, Iterator::count));
        thread::sleep(time::Duration::from_millis(1));
    }
    // The program's first, which trains; the one of the pool that reads, which rests meanwhile; and the one that writes files.
    assert!((2..=3).contains(&most), "{most} threads");
}

#[test]
fn the_recipe_of_a_run_trains_it_again() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL} --epochs 3 --seed 5 --batch-size 10")).expect_success();
    room.run("train --config run/recipe.toml --data-dir data --out again").expect_success();
    assert!(bits(&room, "run") == bits(&room, "again"));
    assert!(room.files("again").contains(&"samples/fake_images-3.png".into()));

    // It cannot know where the images are.
    let outcome = room.run("train --config run/recipe.toml --out third");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("hint: name their folder with --data-dir"), "{}", outcome.stderr);
}

#[test]
fn a_run_is_overwritten_only_when_asked_to() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    room.write("run/notes.txt", "mine");
    let before = bits(&room, "run");

    let outcome = room.run(&format!("{TRAIN_SMALL} --epochs 1"));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("there is a run in run already"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint:") && outcome.stderr.contains("--overwrite"), "{}", outcome.stderr);
    assert!(bits(&room, "run") == before);

    // What goes wrong before the training costs nothing.
    let outcome = room.run(&format!("{TRAIN_SMALL} --overwrite --batch-size 71"));
    assert_eq!(outcome.code, Some(1));
    assert!(bits(&room, "run") == before);

    room.run(&format!("{TRAIN_SMALL} --overwrite --epochs 1")).expect_success();
    assert_eq!(room.text("run/notes.txt"), "mine");
    assert!(!room.path("run/samples/fake_images-2.png").exists());
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let room = small_room();
    let before = room.files("");
    let outcome = room.run("train --config small.toml --data-dir data --dry-run");
    for expected in [
        "custom, 70 images of 12 x 10",
        "4 -> 16 -> 120, leaky-relu, 2,120 parameters",
        "120 -> 16 -> 8 -> 1, leaky-relu, 2,081 parameters",
        "2 epochs of 3 steps of 20 images",
        "runs/small-custom-seed1",
        "ms per step",
        "learning_rate = 0.001",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}: {}{}", outcome.stdout, outcome.stderr);
    }
    assert_eq!(outcome.code, Some(0));
    // MNIST is not there, would be downloaded, and is not.
    let plan = room.run("train --dry-run --batch-size 50").expect_success();
    assert!(plan.contains("would be downloaded"), "{plan}");
    assert!(plan.contains("200 epochs of 1,200 steps of 50 images"), "{plan}");
    assert_eq!(room.files(""), before);

    // Where there is a run already, that would be an error, and now is none.
    room.run("train --config small.toml --data-dir data --epochs 1").expect_success();
    let outcome = room.run("train --config small.toml --data-dir data --dry-run");
    assert!(outcome.stdout.contains("2 epochs of 3 steps of 20 images"), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("warning: there is a run in runs"), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
}

#[test]
fn quiet_is_quiet_and_the_default_directory_is_named_after_the_recipe() {
    let room = small_room();
    let outcome = room.run("train --config small.toml --data-dir data --quiet");
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout, "runs/small-custom-seed1\n");
    assert!(room.path("runs/small-custom-seed1/generator.safetensors").exists());
}
