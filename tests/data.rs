//! `ganlet data`, end to end, without a network.

mod common;

use std::io::Read;
use std::process::Stdio;

use common::{Room, bars};

#[test]
fn info_describes_what_is_at_hand_and_says_how_to_get_the_rest() {
    let room = Room::new();
    let all = room.run("data info").expect_success();
    for name in ["mnist", "fashion-mnist", "kmnist"] {
        assert!(
            all.contains(&format!("{name}\n  not on this machine; to fetch it: ganlet data fetch {name}\n")),
            "{all}"
        );
    }
    assert!(
        all.contains("synthetic-digits\n  images   60,000 to train on, 10,000 held back, 28 x 28 pixels"),
        "{all}"
    );

    let dataset = bars(30, 12, 10);
    room.write_dataset("mine", &dataset);
    let mine = room.run("data info --data-dir mine").expect_success();
    assert!(mine.contains("custom\n  images   30 to train on, 30 held back, 12 x 10 pixels"), "{mine}");
    assert!(mine.contains(&dataset.digest()), "{mine}");
}

#[test]
fn verify_fails_where_a_file_is_not_the_published_one() {
    let room = Room::new();
    room.write_dataset("mnist", &bars(30, 12, 10));
    let outcome = room.run("data verify mnist --data-dir .");
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.matches("damaged").count(), 4, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("mnist: 4 of its files are not as published"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: ganlet data fetch mnist"), "{}", outcome.stderr);

    assert!(room.run("data verify synthetic-digits").expect_success().starts_with("ok "));
}

#[test]
fn whoever_closes_the_pipe_is_not_shouted_at() {
    let room = Room::new();
    let mut program = room
        .command("data info")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(program.stdout.take());
    let mut stderr = String::new();
    program.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
    assert_eq!(stderr, "");
    assert!(program.wait().expect("an end").success());
}
