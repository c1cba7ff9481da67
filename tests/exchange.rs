//! `ganlet import` and `ganlet export`, TensorBoard's event file while a run is trained, completions and manual pages.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Room, TRAIN_SMALL, read_npy, small_room};

const EVENTS: &str = "run/events.out.tfevents.ganlet";

/// A file of PyTorch's: a generator of 3 -> 4 -> 6.
fn pytorchs(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/formats/tests/golden").join(name)).unwrap()
}

/// How many records an event file has; that they are whole, and their lengths right.
fn records(mut file: &[u8]) -> usize {
    let mut count = 0;
    while let Some((length, _)) = file.split_first_chunk::<8>() {
        file = &file[16 + u64::from_le_bytes(*length) as usize..];
        count += 1;
    }
    count
}

#[test]
fn the_event_file_that_grows_with_a_run_is_the_one_that_is_exported() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL} --tensorboard")).expect_success();
    let grown = room.read(EVENTS);
    // The header, the real images, reports of the steps 2, 4 and 6, a sheet and its variety for each of two epochs.
    assert_eq!(records(&grown), 9);
    let exported = room.run("export run --tensorboard logs/a").expect_success();
    assert_eq!(exported, "logs/a/events.out.tfevents.ganlet\n");
    assert!(room.read(exported.trim_end()) == grown);
    for word in
        ["brain.Event:2", "training/d_loss", "training/steps_per_second", "samples/real", "samples/fake"]
    {
        assert!(grown.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    assert!(!grown.windows(4).any(|window| window == b"/epo"), "where a line belongs is no curve");
}

#[test]
fn a_run_that_goes_on_has_each_step_once_in_its_event_file() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL} --tensorboard --epochs 1")).expect_success();
    // As if it had been killed in the middle of a record.
    let mut torn = room.read(EVENTS);
    torn.extend_from_slice(&torn.clone()[..200]);
    room.write(EVENTS, torn);
    room.run("train --resume run --data-dir data --epochs 3").expect_success();
    let grown = room.read(EVENTS);
    // The report of step 3, the last of one epoch, is not one of three epochs'.
    assert_eq!(records(&grown), 2 + 5 + 2 * 3);
    room.run("export run --tensorboard again").expect_success();
    assert!(room.read("again/events.out.tfevents.ganlet") == grown);
    // A run without one gets none.
    room.run(&TRAIN_SMALL.replace("--out run", "--out other")).expect_success();
    assert!(!room.path("other/events.out.tfevents.ganlet").exists());
}

#[test]
fn weights_of_pytorchs_come_in_and_draw() {
    let room = Room::new();
    for name in ["zip.pt", "legacy.pt", "mixed.pt", "mixed-legacy.pt"] {
        room.write(name, pytorchs(name));
        let out = format!("{}.safetensors", name.trim_end_matches(".pt"));
        let outcome = room.run(&format!("import {name} --image 2x3"));
        assert!(
            outcome.stderr.contains("A generator: 3 -> 4 -> 6, 2 x 3 pixels; leaky-relu"),
            "{}",
            outcome.stderr
        );
        assert_eq!(outcome.expect_success(), format!("{out}\n"));
        // From now on the file says what it is: there is nothing to warn of.
        let outcome = room.run(&format!("sample {out} --seeds 0-9 --out {name}.npy"));
        assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
        assert!(room.read(&format!("{name}.npy")) == room.read("zip.pt.npy"));
    }
    let (rows, columns, _) = read_npy(&room.path("zip.pt.npy"));
    assert_eq!((rows, columns), (10, 6));
}

#[test]
fn both_networks_of_a_run_go_out_as_onnx() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    assert_eq!(room.run("export run --onnx g.onnx").expect_success(), "g.onnx\n");
    room.run("export run/discriminator.safetensors --onnx d.onnx").expect_success();
    // What is in them is compared in crates/formats; here, that it is this network: weights of 120 x 16 and names.
    for (name, words) in
        [("g.onnx", ["latents", "images", "Tanh"]), ("d.onnx", ["images", "logits", "LeakyRelu"])]
    {
        let model = room.read(name);
        assert!(model.len() > 4 * 120 * 16);
        for word in words {
            assert!(model.windows(word.len()).any(|window| window == word.as_bytes()), "{name}: {word}");
        }
    }
}

#[test]
fn completions_and_manual_pages_name_every_verb_and_flag() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = room.run(&format!("completions {shell}")).expect_success();
        for word in ["train", "sample", "eval", "import", "export", "data", "tensorboard", "onnx"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert!(room.run("man").expect_success().contains(".SH EXAMPLES\n.nf\nganlet train  "));
    room.run("man pages").expect_success();
    let pages = room.files("pages");
    for page in ["ganlet.1", "ganlet-train.1", "ganlet-data-fetch.1", "ganlet-export.1"] {
        assert!(pages.contains(&page.to_owned()), "{page}: {pages:?}");
    }
    assert!(room.text("pages/ganlet-train.1").contains("tensorboard"));
}

#[test]
fn the_help_of_every_verb_shows_a_line_to_copy() {
    let room = Room::new();
    let verbs = |help: &str| -> Vec<String> {
        let list = help.split("Commands:\n").nth(1).unwrap_or("");
        let lines = list.lines().take_while(|line| !line.is_empty());
        // A verb is indented by two, what is said of it by more.
        let verb =
            |line: &str| line.strip_prefix("  ").and_then(|line| line.split(' ').next()).map(str::to_owned);
        lines.filter_map(verb).filter(|verb| !verb.is_empty() && verb != "help").collect()
    };
    let mut open: Vec<String> = vec![String::new()];
    let mut count = 0;
    while let Some(verb) = open.pop() {
        let help = room.run(&format!("{verb} --help")).expect_success();
        let lead = format!("  ganlet {verb}").trim_end().to_owned();
        let example = help.split("EXAMPLE").nth(1).unwrap_or("");
        assert!(example.contains(&lead), "{verb}: no example\n{help}");
        open.extend(verbs(&help).into_iter().map(|below| format!("{verb} {below}").trim_start().to_owned()));
        count += 1;
    }
    assert!(count > 10, "{count}");
}

/// Python with these modules, if there is one; says that the test is skipped where there is none.
fn python(modules: &str) -> Option<Command> {
    let there = Command::new("python3").args(["-c", &format!("import {modules}")]).output();
    match there.is_ok_and(|output| output.status.success()) {
        true => Some(Command::new("python3")),
        false => {
            eprintln!("skipped: there is no python3 with {modules}");
            None
        }
    }
}

#[test]
fn a_folder_of_pictures_becomes_a_data_set() {
    let Some(mut python) = python("numpy, PIL") else { return };
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    room.run("sample run --seeds 0-20 --out pictures/a/").expect_success();
    room.run("sample run --seeds 21-41 --out pictures/b/").expect_success();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pictures_to_idx.py");
    let output = python
        .arg("-B")
        .arg(script)
        .args(["pictures", "own", "12"])
        .current_dir(room.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let info = room.run("data info --data-dir own").expect_success();
    assert!(info.contains("36 to train on, 6 held back, 12 x 12 pixels"), "{info}");
    room.run("train --config small.toml --data-dir own --out mine").expect_success();
}
