//! `ganlet eval`, end to end, and what a training measures of itself.

mod common;

use common::{Outcome, Room, SMALL, TRAIN_SMALL, png_size, small_room};
use ganlet_data::synthetic;
use serde_json::Value;

/// A room with digits in `data` and a training on them in `run` that measures itself after each of its two epochs.
fn digits_room() -> Room {
    let room = Room::new();
    room.write_dataset("data", &synthetic::digits(400, 120));
    room.write("small.toml", SMALL);
    room.run("train --config small.toml --data-dir data --out run --eval-every 1").expect_success();
    room
}

fn json(room: &Room, arguments: &str) -> Value {
    serde_json::from_str(&room.run(arguments).expect_success()).expect("JSON")
}

#[test]
fn a_table_of_generators_between_training_images_and_noise() {
    let room = digits_room();
    let outcome = room.run("eval run run/generator-best.safetensors --samples 150 --data-dir data");
    assert!(outcome.stderr.contains("custom may not be of digits"), "{}", outcome.stderr);
    let table = outcome.expect_success();
    let lines: Vec<&str> = table.lines().collect();
    // Four columns do not fit beside each other: they come in two blocks.
    let blocks: Vec<&[&str]> = lines.split(|line| line.is_empty()).collect();
    assert_eq!(blocks.iter().map(|block| block.len()).collect::<Vec<_>>(), [13, 13, 5], "{table}");
    for (block, headings) in [
        (0, ["measure", "run", "run/generator-best.safetensors"]),
        (1, ["measure", "training images", "noise"]),
    ] {
        assert!(headings.iter().all(|heading| blocks[block][0].contains(heading)), "{table}");
    }
    assert!(blocks[1][0].ends_with("noise") && blocks[0][1].starts_with("Fréchet "), "{table}");
    assert!(blocks[0][1..].iter().all(|line| line.matches('±').count() == 2), "{table}");
    assert!(blocks[2][1].starts_with("run ") && blocks[2][4].starts_with("noise "), "{table}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{table}");

    let report = json(&room, "eval run --samples 150 --data-dir data --json --neighbours n.png");
    assert_eq!((&report["dataset"], &report["features"]), (&"custom".into(), &"digits-v1".into()));
    let rows = report["rows"].as_array().unwrap();
    let number = |row: usize, name: &str| rows[row][name]["value"].as_f64().unwrap();
    assert_eq!(rows.len(), 3);
    // After six steps a generator draws noise of a kind, and the anchors are where they should be.
    for better in ["frechet", "kernel", "nearest"] {
        assert!(number(1, better) < number(0, better) && number(1, better) < number(2, better), "{report:#}");
    }
    for better in ["coverage", "recall", "parzen", "score"] {
        assert!(number(1, better) > number(0, better) && number(1, better) > number(2, better), "{report:#}");
    }
    assert_eq!(number(1, "nearest"), 0.);
    assert!(!rows[2]["dropped"].as_array().unwrap().is_empty());
    let shares = rows[0]["digits"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap());
    assert!((shares.sum::<f64>() - 1.).abs() < 1e-9);
    assert_eq!(png_size(&room.read("n.png")), (10 * 30 + 2, 8 * 30 + 2));
}

#[test]
fn a_training_measures_what_eval_measures_and_keeps_the_best() {
    let room = digits_room();
    let metrics = room.text("run/metrics.jsonl");
    let measured: Vec<Value> = metrics
        .lines()
        .filter(|line| line.contains("frechet"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let epochs: Vec<_> = measured.iter().map(|line| line["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [1, 2]);
    let best =
        measured.iter().min_by(|a, b| a["frechet"].as_f64().partial_cmp(&b["frechet"].as_f64()).unwrap());
    let report = json(&room, "eval run run/generator-best.safetensors --data-dir data --json");
    assert_eq!(report["rows"][0]["frechet"]["value"], measured[1]["frechet"]);
    assert_eq!(report["rows"][0]["frechet"]["error"], measured[1]["frechet_error"]);
    assert_eq!(report["rows"][0]["imbalance"]["value"], measured[1]["imbalance"]);
    assert_eq!(report["rows"][1]["frechet"]["value"], best.unwrap()["frechet"]);

    // Whoever measures does not disturb.
    room.run("train --config small.toml --data-dir data --out other --eval-every 0").expect_success();
    assert!(!room.path("other/generator-best.safetensors").exists());
    assert!(!room.text("other/metrics.jsonl").contains("frechet"));
    assert!(room.read("other/generator.safetensors") == room.read("run/generator.safetensors"));
}

#[test]
fn an_interrupted_training_measures_what_a_whole_one_does() {
    let room = digits_room();
    room.run("train --config small.toml --data-dir data --out half --eval-every 1 --epochs 1")
        .expect_success();
    room.run("train --resume half --data-dir data --eval-every 1 --epochs 2").expect_success();
    let metrics = |run: &str| -> Vec<String> {
        let untimed = |line: &str| line.split(",\"seconds\":").next().expect("a part").to_owned();
        room.text(&format!("{run}/metrics.jsonl")).lines().map(untimed).collect()
    };
    assert_eq!(metrics("half"), metrics("run"));
    assert!(metrics("run").iter().filter(|line| line.contains("frechet")).count() == 2);
    assert!(room.read("half/generator-best.safetensors") == room.read("run/generator-best.safetensors"));
}

#[test]
fn the_best_generator_keeps_its_measurement_when_a_training_grows() {
    let room = digits_room();
    // So large a rate that the first epoch's generator stays the best.
    let grown = "train --config small.toml --data-dir data --out grown --set learning_rate=0.03";
    room.run(&format!("{grown} --eval-every 1 --epochs 1")).expect_success();
    // The first of three epochs is not one after which is measured.
    room.run("train --resume grown --data-dir data --eval-every 2 --epochs 3").expect_success();
    let distances: Vec<f64> = (room.text("grown/metrics.jsonl").lines())
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter_map(|line| line["frechet"].as_f64())
        .collect();
    let &[least, ..] = &distances[..] else { panic!("no quality was measured") };
    assert!(distances.len() == 3 && distances.iter().all(|&other| least <= other), "{distances:?}");
    let best = room.read("grown/generator-best.safetensors");
    // The last digit may be lost on the way through JSON.
    assert!(String::from_utf8_lossy(&best).contains(&least.to_string()[..10]), "{distances:?}");
}

#[test]
fn images_of_another_size_have_what_needs_no_features() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    assert!(!room.path("run/generator-best.safetensors").exists());
    let outcome = room.run("eval run --samples 50 --data-dir data");
    assert!(outcome.stderr.contains("there are Parzen and nearest only"), "{}", outcome.stderr);
    let table = outcome.expect_success();
    assert_eq!(table.lines().filter(|line| line.ends_with(" -")).count(), 9, "{table}");
    assert!(!table.contains("digits"), "{table}");

    let report = json(&room, "eval run --samples 50 --data-dir data --json");
    assert!(report["features"].is_null() && report["rows"][0]["frechet"].is_null());
    assert!(report["rows"][0]["parzen"]["value"].is_number(), "{report:#}");
}

#[test]
fn mistakes_are_named() {
    let room = digits_room();
    let fails = |arguments: &str, expected: &[&str]| {
        let Outcome { code, stderr, .. } = room.run(arguments);
        assert_eq!(code, Some(1), "{arguments}: {stderr}");
        for expected in expected {
            assert!(stderr.contains(expected), "{arguments}: {stderr}");
        }
        assert!(stderr.contains("hint: "), "{arguments}: {stderr}");
    };
    fails("eval nowhere", &["nowhere: there is no such file", "ganlet train"]);
    fails("eval run", &["which are they?", "--data-dir"]);
    fails("eval run --samples 5 --data-dir data", &["run", "at least 6 rows, found 5", "--samples"]);
    fails("eval run run --data-dir data --neighbours n.png", &["for one generator, found 2"]);
    fails("eval run --dataset mnist --offline", &["mnist", "ganlet data fetch mnist"]);
    room.write_dataset("bars", &common::bars(40, 12, 10));
    fails("eval run --data-dir bars", &["of 28 x 28 pixels, those of custom of 12 x 10", "--data-dir"]);
    fails(
        "train --config small.toml --data-dir bars --out other --eval-every 1",
        &["--eval-every", "28 x 28"],
    );
    let other = room.text("run/recipe.toml").replace("custom", "mnist");
    room.write("copy/recipe.toml", other);
    room.write("copy/generator.safetensors", room.read("run/generator.safetensors"));
    fails("eval run copy", &["custom and mnist", "--dataset"]);
}

#[test]
fn digits_that_were_asked_for_are_counted() {
    let room = digits_room();
    room.run("train --config small.toml --data-dir data --set classes=10 --eval-every 0 --out asked")
        .expect_success();
    let table = room.run("eval asked run --data-dir data --samples 200").expect_success();
    assert!(table.contains("as asked"), "{table}");
    let json = room.run("eval asked run --data-dir data --samples 200 --json").expect_success();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    // Two epochs do not teach which digit is which: some tenth of them is right.
    let share = report["rows"][0]["asked"]["value"].as_f64().unwrap();
    assert!((0. ..0.5).contains(&share), "{share}");
    assert!(report["rows"][1].get("asked").is_none());
}
