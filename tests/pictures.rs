//! `ganlet interpolate`, `ganlet animate`, colors and sizes, end to end: what was written is read again and held against samples.

mod common;

use common::{Room, TRAIN_SMALL, read_npy, small_room};
use ganlet_viz::{Picture, decode_png};

fn trained_room() -> Room {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    room
}

fn png(room: &Room, name: &str) -> Picture {
    decode_png(&room.read(name)).unwrap()
}

/// The frames of a GIF file, each with its delay.
fn gif(room: &Room, name: &str) -> Vec<(u16, Picture)> {
    let bytes = room.read(name);
    let mut decoder = gif::DecodeOptions::new().read_info(&bytes[..]).unwrap();
    assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        let picture = Picture::new(frame.width.into(), frame.height.into(), frame.buffer.to_vec());
        frames.push((frame.delay, picture.unwrap()));
    }
    frames
}

#[test]
fn a_way_begins_and_ends_with_samples() {
    let room = trained_room();
    assert_eq!(room.run("interpolate run").expect_success(), "run/samples/between-seeds-0-8.png\n");
    let grid = png(&room, "run/samples/between-seeds-0-8.png");
    assert_eq!((grid.width(), grid.height()), (10 * 12 + 2, 8 * 14 + 2));

    room.run("sample run --seeds 5,1,9 --out samples.npy").expect_success();
    room.run("interpolate run --seeds 5,1,9 --steps 4 --out between.npy").expect_success();
    let (_, columns, samples) = read_npy(&room.path("samples.npy"));
    let (count, _, between) = read_npy(&room.path("between.npy"));
    let sample = |at: usize| &samples[at * columns..][..columns];
    let step = |at: usize| &between[at * columns..][..columns];
    assert_eq!(count, 8);
    for (at, which) in [(0, 0), (3, 1), (4, 1), (7, 2)] {
        assert!(step(at) == sample(which), "picture {at} is sample {which}");
    }
    assert!(step(1) != step(0) && step(2) != step(3));

    assert_eq!(
        room.run("interpolate run --seeds 5,1,9 --steps 4 --out b.gif --fps 10").expect_success(),
        "b.gif\n"
    );
    let frames = gif(&room, "b.gif");
    assert_eq!(frames.len(), 12);
    for (at, seed) in [(0, 5), (4, 1), (8, 9)] {
        room.run(&format!("sample run --seeds {seed} --scale 8 --out one.png")).expect_success();
        assert!(frames[at].1 == png(&room, "one.png"), "frame {at} is sample {seed}");
    }
    assert!(
        frames.iter().all(|(delay, picture)| (*delay, picture.width(), picture.height()) == (10, 80, 96))
    );
    assert!(frames[11].1 != frames[0].1, "the last is on the way to the first");

    room.run("interpolate run --seeds 0,1 --out b.apng --scale 1").expect_success();
    assert_eq!(png(&room, "b.apng").width(), 10);
    assert!(room.read("b.apng").windows(4).any(|word| word == b"acTL"));
}

#[test]
fn a_training_is_told_epoch_by_epoch() {
    let room = trained_room();
    assert_eq!(room.run("animate run").expect_success(), "run/training.gif\n");
    let frames = gif(&room, "run/training.gif");
    assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [10, 200]);
    for (epoch, (_, frame)) in (1..).zip(&frames) {
        let sheet = png(&room, &format!("run/samples/fake_images-{epoch}.png"));
        assert!(frame.pixels().starts_with(sheet.pixels()), "epoch {epoch}");
        assert!(frame.height() > sheet.height(), "and its number");
    }
    assert_eq!(room.run("animate run --frames 1 --out a.gif --scale 2").expect_success(), "a.gif\n");
    assert_eq!(gif(&room, "a.gif")[0].1, frames[1].1.enlarge(2).unwrap());
    // A run may be resumed and replaced with it there.
    room.run(&format!("{TRAIN_SMALL} --overwrite")).expect_success();
    assert!(room.path("run/training.gif").exists());
}

#[test]
fn colors_and_sizes() {
    let room = trained_room();
    room.run("sample run --seeds 0-3 --out plain.png").expect_success();
    room.run("sample run --seeds 0-3 --scale 3 --out large.png").expect_success();
    assert_eq!(png(&room, "large.png"), png(&room, "plain.png").enlarge(3).unwrap());
    for colors in ["inverted", "viridis", "magma"] {
        room.run(&format!("sample run --seeds 0-3 --colors {colors} --out colored.png")).expect_success();
        let bytes = room.read("colored.png");
        assert_eq!(bytes[25], 3, "a palette");
        assert!(bytes.windows(4).any(|word| word == b"PLTE"));
    }
    room.run("sample run --seeds 0-1 --scale 2 --colors magma --out folder/").expect_success();
    assert_eq!(room.files("folder"), ["sample-0.png", "sample-1.png"]);
}
