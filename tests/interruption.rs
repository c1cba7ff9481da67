//! A training that is interrupted, in every way there is, and goes on: it ends with the bytes of one that was not.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Outcome, Room, SMALL, TRAIN_SMALL, bars, bits, metrics, small_room};

/// A room with a training of some seconds in `data` and `long.toml`: 40 epochs of 20 steps.
fn long_room() -> Room {
    let room = Room::new();
    room.write_dataset("data", &bars(1000, 12, 10));
    let recipe =
        SMALL.replace("epochs = 2", "epochs = 40").replace("= 20", "= 50").replace("every = 2", "every = 7");
    room.write("long.toml", recipe);
    room
}

fn start(room: &Room, arguments: &str) -> Child {
    let mut command = room.command(arguments);
    command.env("CANDLE_NUM_THREADS", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

fn finish(room: &Room, arguments: &str) -> Outcome {
    Outcome::of(room.command(arguments).env("CANDLE_NUM_THREADS", "1"))
}

/// What it said on standard error, and its exit status.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("an end");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Waits until the run has this file.
fn wait_for(room: &Room, file: &str) {
    let begun = Instant::now();
    while !room.path(file).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{file} does not come");
        sleep(Duration::from_millis(1));
    }
}

fn checkpoints(room: &Room, run: &str) -> Vec<String> {
    room.files(&format!("{run}/checkpoints"))
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    // Gone already is fine.
    let _ = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .stderr(Stdio::null())
        .status();
}

/// The short form of `cargo xtask soak`.
#[cfg(unix)]
#[test]
fn a_training_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let room = long_room();
    let train = "train --config long.toml --data-dir data --quiet --out";
    finish(&room, &format!("{train} whole")).expect_success();

    let mut kills = 0;
    for (round, kind) in (0..).zip(["KILL", "TERM", "INT"].into_iter().cycle()) {
        // A fast machine may finish a training before its first signal: then there are more trainings.
        if round >= 5 && kills > 5 || round >= 30 {
            break;
        }
        let run = format!("run{round}");
        let mut child = start(&room, &format!("{train} {run}"));
        loop {
            // Moments that no clock ticks with: into the start, the training, and its writing.
            sleep(Duration::from_millis(40 + 37 * (kills * 7 + round) % 160));
            signal(&child, kind);
            let (status, said) = end(child);
            match (status, kind) {
                (Some(0), _) => break,
                (None, _) => {}
                (Some(143), "TERM") | (Some(130), "INT") => {
                    let hint = format!("hint: to go on: ganlet train --resume {run}");
                    assert!(said.contains(&hint), "{said}");
                }
                other => panic!("{other:?}: {said}"),
            }
            kills += 1;
            let begun = room.path(&format!("{run}/recipe.toml")).exists();
            child = match begun {
                true => start(&room, &format!("train --resume {run} --data-dir data --quiet")),
                false => start(&room, &format!("{train} {run}")),
            };
        }
        assert!(bits(&room, &run) == bits(&room, "whole"), "{run}, after {kills} kills");
    }
    assert!(kills > 5, "{kills}");
}

#[cfg(unix)]
#[test]
fn a_signal_finishes_the_step_saves_and_says_how_to_go_on_and_a_second_leaves_at_once() {
    let room = long_room();
    let child = start(&room, "train --config long.toml --epochs 10000 --data-dir data --out run");
    wait_for(&room, "run/samples/fake_images-2.png");
    signal(&child, "INT");
    let (status, said) = end(child);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("warning: Ctrl-C: stopped and saved after step "), "{said}");
    assert!(said.contains("hint: to go on: ganlet train --resume run --data-dir data\n"), "{said}");

    // So large that a step, and its saving, leave time for another signal.
    let slow = SMALL.replace("epochs = 2", "epochs = 200").replace("= 20\n", "= 1000\n");
    let slow = slow.replace("[16]", "[2048, 2048]").replace("[16, 8]", "[2048, 2048]");
    room.write("slow.toml", slow);
    let child = start(&room, "train --config slow.toml --data-dir data --out slow");
    wait_for(&room, "slow/samples/real_images.png");
    sleep(Duration::from_millis(100));
    signal(&child, "TERM");
    sleep(Duration::from_millis(20));
    signal(&child, "TERM");
    let (status, said) = end(child);
    assert_eq!(status, Some(143), "{said}");
    assert!(!said.contains("saved") && checkpoints(&room, "slow").is_empty(), "{said}");
}

#[test]
fn going_on_with_another_recipe_or_other_data_is_refused_and_epochs_may_grow() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    let before = bits(&room, "run");
    let refused = |arguments: &str, expected: &[&str]| {
        let outcome = room.run(&format!("train --resume {arguments}"));
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        for expected in expected.iter().chain(&["\nhint: "]) {
            assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
        }
        assert!(bits(&room, "run") == before, "{arguments}");
    };
    refused("run --data-dir data --seed 2", &["another recipe", "\n  seed: 1 in the run, 2 asked for\n"]);
    refused("run --data-dir data --epochs 1", &["epochs: 2 in the run, 1 asked for; they may grow"]);
    refused(
        "run --dataset synthetic-digits",
        &["dataset: \"custom\" in the run, \"synthetic-digits\" asked"],
    );
    refused("run", &["which are they?", "--data-dir"]);
    refused("nowhere --data-dir data", &["there is no run in nowhere"]);
    room.write("other.toml", SMALL.replace("0.001", "0.002").replace("[16]", "[8]"));
    refused(
        "run --data-dir data --config other.toml",
        &["generator_hidden: [16] in", "learning_rate: 0.001 in"],
    );
    room.write_dataset("others", &bars(71, 12, 10));
    refused("run --data-dir others", &["other data", &bars(70, 12, 10).digest(), &bars(71, 12, 10).digest()]);

    let outcome = room.run("train --resume run --data-dir data");
    assert!(outcome.stderr.contains("run is finished after 2 epochs"), "{}", outcome.stderr);
    assert_eq!(outcome.expect_success(), "run\n");
    assert!(bits(&room, "run") == before);

    // The third epoch's end is a report that a longer training does not make.
    for epochs in [3, 5] {
        room.run(&format!("train --resume run --data-dir data --epochs {epochs}")).expect_success();
    }
    room.run(&format!("{TRAIN_SMALL}-at-once --epochs 5")).expect_success();
    assert_eq!(metrics(&room, "run"), metrics(&room, "run-at-once"));
    let weights =
        |run: &str| ["generator", "discriminator"].map(|n| room.read(&format!("{run}/{n}.safetensors")));
    assert!(weights("run") == weights("run-at-once"));
    assert_eq!(checkpoints(&room, "run"), checkpoints(&room, "run-at-once"));
    let environment: serde_json::Value = serde_json::from_str(&room.text("run/environment.json")).unwrap();
    assert_eq!(environment["resumed"].as_array().unwrap().len(), 2);
}

/// As after a `kill -9`, or a power failure on a disk that keeps its promises: whole files, or none.
#[test]
fn whatever_is_left_behind_does_not_matter() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL} --epochs 4 --keep 4")).expect_success();
    let whole = bits(&room, "run");
    let lines = room.text("run/metrics.jsonl");
    let newest = room.read("run/checkpoints/step-12.safetensors");
    let again = |expected: &str| {
        let outcome = room.run("train --resume run --data-dir data --keep 4");
        assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
        outcome.expect_success();
        assert!(bits(&room, "run") == whole, "{expected}");
    };

    // The newest cut off anywhere, then damaged in a single bit of a weight: the one before it will do.
    for length in [0, 1, 8, 100, newest.len() / 2, newest.len() - 1] {
        room.write("run/checkpoints/step-12.safetensors", &newest[..length]);
        again("step-12.safetensors is passed over: ");
    }
    let mut flipped = newest.clone();
    flipped[newest.len() - 2] ^= 1;
    room.write("run/checkpoints/step-12.safetensors", &flipped);
    again("step-12.safetensors is passed over: the file is damaged");

    // Everything after step 6 gone, or half there.
    for length in [0, 60, lines.len() / 2 + 7, lines.len() - 1] {
        for step in [9, 12] {
            fs::remove_file(room.path(&format!("run/checkpoints/step-{step}.safetensors"))).unwrap();
        }
        // What is in the checkpoint was on the disk before it.
        let kept: usize = lines.split_inclusive('\n').take(5).map(str::len).sum();
        room.write("run/metrics.jsonl", &lines[..length.max(kept)]);
        room.write("run/checkpoints/.step-9.safetensors.partial", &newest[..newest.len() / 3]);
        room.write("run/.generator.safetensors.partial", "half");
        room.write("run/.lock", "1 2026-01-01T00:00:00Z\n");
        fs::remove_file(room.path("run/environment.json")).unwrap();
        fs::remove_file(room.path("run/samples/fake_images-4.png")).unwrap();
        again("Going on after step 6.");
    }

    // Before the first checkpoint there is only the recipe.
    for name in room.files("run").iter().filter(|name| *name != "recipe.toml") {
        fs::remove_file(room.path(&format!("run/{name}"))).unwrap();
    }
    let outcome = room.run("train --resume run --data-dir data --seed 9");
    assert!(outcome.stderr.contains("seed: 1 in the run, 9 asked for"), "{}", outcome.stderr);
    again("epoch 1/4  d_loss ");

    // Nothing is made up where no checkpoint is whole.
    for step in [3, 6, 9, 12] {
        room.write(&format!("run/checkpoints/step-{step}.safetensors"), "damaged");
    }
    let outcome = room.run("train --resume run --data-dir data");
    assert!(outcome.stderr.contains("none of the 4 checkpoints"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: remove run/checkpoints and resume"), "{}", outcome.stderr);
}

#[test]
fn a_second_process_is_told_who_holds_the_run() {
    let room = long_room();
    let mut child = start(&room, "train --config long.toml --epochs 100000 --data-dir data --out run");
    wait_for(&room, "run/samples/fake_images-1.png");
    let holder = format!("error: run is in use by process {}, since 20", child.id());
    for arguments in [
        "train --resume run --data-dir data",
        "train --config long.toml --data-dir data --out run",
        "train --config long.toml --data-dir data --out run --overwrite",
    ] {
        let outcome = room.run(arguments);
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.stderr.contains(&holder), "{arguments}: {}", outcome.stderr);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The dead do not hold it.
    let child = start(&room, "train --resume run --data-dir data --epochs 100001");
    wait_for(&room, "run/.lock");
    sleep(Duration::from_millis(300));
    stop(child);
    assert!(room.text("run/recipe.toml").contains("epochs = 100001"));
}

fn stop(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A limit on the size of files stands for a full disk: the write that crosses it fails in the middle.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_nothing_that_was_saved() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL}-whole --epochs 4")).expect_success();
    room.run(&format!("{TRAIN_SMALL} --epochs 2")).expect_success();
    let before = bits(&room, "run");
    let size = room.read("run/checkpoints/step-6.safetensors").len();
    // In units of 512 bytes; above the weights, below a checkpoint.
    let limited = |blocks: usize| {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {} train --resume run --data-dir data --epochs 4",
            env!("CARGO_BIN_EXE_ganlet")
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(room.path("."));
        Outcome::of(&mut shell)
    };
    let blocks = size / 512 - 8;
    let outcome = limited(blocks);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cannot write run/checkpoints/step-9.safetensors"), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("go on: ganlet train --resume run --data-dir data"),
        "{}",
        outcome.stderr
    );
    assert_eq!(checkpoints(&room, "run"), ["step-3.safetensors", "step-6.safetensors"]);
    for (name, bytes) in before.iter().filter(|(name, _)| name.starts_with("checkpoints")) {
        assert!(room.read(&format!("run/{name}")) == *bytes);
    }
    room.run("train --resume run --data-dir data").expect_success();
    assert!(bits(&room, "run") == bits(&room, "run-whole"));
}

#[test]
fn a_run_directory_that_is_taken_away_is_missed() {
    let room = long_room();
    let child = start(&room, "train --config long.toml --epochs 100000 --data-dir data --out run");
    wait_for(&room, "run/samples/fake_images-1.png");
    fs::rename(room.path("run"), room.path("elsewhere")).unwrap();
    let (status, said) = end(child);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("error: the run directory run is gone"), "{said}");
    assert!(said.contains("hint: if it was moved"), "{said}");
    let child = start(&room, "train --resume elsewhere --data-dir data");
    wait_for(&room, "elsewhere/samples/fake_images-3.png");
    stop(child);
}

#[test]
fn a_training_that_diverges_keeps_the_epoch_before() {
    let room = small_room();
    room.write("divergent.toml", SMALL.replace("0.001", "1e30").replace("epochs = 2", "epochs = 50"));
    let outcome = room.run("train --config divergent.toml --data-dir data --out run");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("error: ") && outcome.stderr.contains("step "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: a smaller learning_rate"), "{}", outcome.stderr);
    for name in checkpoints(&room, "run") {
        assert!(room.read(&format!("run/checkpoints/{name}")).len() > 1000);
    }
}

#[test]
fn a_discriminator_that_wins_is_pointed_out() {
    let room = small_room();
    let unequal = SMALL
        .replace("0.001", "0.01")
        .replace("epochs = 2", "epochs = 20")
        .replace("r_hidden = [16]", "r_hidden = [1]");
    room.write("unequal.toml", unequal);
    let outcome = room.run("train --config unequal.toml --data-dir data --out run --quiet");
    let warning = "the discriminator is winning: its loss was less than 0.1 above the least there is in the last 10 reports";
    assert_eq!(outcome.stderr.matches(warning).count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: narrower discriminator_hidden"), "{}", outcome.stderr);
    assert_eq!(outcome.expect_success(), "run\n");
}
