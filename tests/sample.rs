//! `ganlet sample`, end to end: each form of output, and that a sample is a function of its seed alone.

mod common;

use common::{Room, TRAIN_SMALL, png_size, read_npy, small_room};

fn trained_room() -> Room {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    room
}

#[test]
fn pictures_numbers_and_folders() {
    let room = trained_room();

    // By default, the grid that the training drew after its last epoch.
    assert_eq!(room.run("sample run").expect_success(), "run/samples/seeds-0-63.png\n");
    assert!(room.read("run/samples/seeds-0-63.png") == room.read("run/samples/fake_images-2.png"));
    assert_eq!(
        room.run("sample run/generator.safetensors --seeds 1,5-6").expect_success(),
        "run/generator-seeds-1_5-6.png\n"
    );
    assert_eq!(png_size(&room.read("run/generator-seeds-1_5-6.png")), (3 * 12 + 2, 16));
    room.run("sample run --seeds 0-9 --per-row 5 --out grid.png").expect_success();
    assert_eq!(png_size(&room.read("grid.png")), (5 * 12 + 2, 2 * 14 + 2));

    assert_eq!(room.run("sample run --seeds 0-99 --out x.npy").expect_success(), "x.npy\n");
    let (rows, columns, numbers) = read_npy(&room.path("x.npy"));
    assert_eq!((rows, columns), (100, 120));
    assert!(numbers.iter().all(|number| number.abs() <= 1.));
    assert!(numbers[..120] != numbers[120..240]);

    assert_eq!(room.run("sample run --seeds 7,100-101 --out pictures/").expect_success(), "pictures/\n");
    assert_eq!(room.files("pictures"), ["sample-100.png", "sample-101.png", "sample-7.png"]);
    assert_eq!(png_size(&room.read("pictures/sample-7.png")), (10, 12));
    // A folder need not say that it is one, and its files are replaced.
    room.run("sample run --seeds 7 --out pictures").expect_success();
}

#[test]
fn a_sample_is_the_same_bits_whichever_others_are_drawn_with_it() {
    let room = trained_room();
    let draw = |seeds: &str| {
        room.run(&format!("sample run --seeds {seeds} --out x.npy")).expect_success();
        let (_, columns, numbers) = read_npy(&room.path("x.npy"));
        numbers
            .chunks(columns)
            .map(|row| row.iter().map(|x| x.to_bits()).collect())
            .collect::<Vec<Vec<u32>>>()
    };
    let many = draw("0-129");
    for seed in [0, 7, 63, 64, 129] {
        assert!(draw(&seed.to_string()) == many[seed..=seed], "{seed} alone");
    }
    assert!(draw("100-129,7,7") == [&many[100..], &many[7..=7], &many[7..=7]].concat());

    room.run("sample run --seeds 7 --out alone.png").expect_success();
    room.run("sample run --seeds 0-63 --out folder/").expect_success();
    assert!(room.read("alone.png") == room.read("folder/sample-7.png"));
}

/// A `.npy` file of rows of four doubles, as `numpy.save` writes `numpy.random.randn(rows, 4)`.
fn latents(rows: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, 4), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend((0..rows * 4).flat_map(|i| ((i as f64).sin() * 2.).to_le_bytes()));
    bytes
}

#[test]
fn latents_of_ones_own() {
    let room = trained_room();
    room.write("z.npy", latents(70));
    assert_eq!(room.run("sample run --latents z.npy").expect_success(), "run/samples/z.png\n");
    assert_eq!(png_size(&room.read("run/samples/z.png")), (8 * 12 + 2, 9 * 14 + 2));
    room.run("sample run --latents z.npy --out x.npy").expect_success();
    let (rows, _, many) = read_npy(&room.path("x.npy"));
    assert_eq!(rows, 70);

    room.write("z.npy", latents(1));
    room.run("sample run --latents z.npy --out one.npy").expect_success();
    let (_, columns, one) = read_npy(&room.path("one.npy"));
    assert!(one == many[..columns]);
}

#[test]
fn digits_that_are_asked_for() {
    let room = small_room();
    room.run(&format!("{TRAIN_SMALL} --set classes=10 --set ema_decay=0.9")).expect_success();
    // The picture of a training: a row of each digit, by the averaged weights.
    assert_eq!(room.run("sample run --label 0-9").expect_success(), "run/samples/labels-0-9-seeds-0-7.png\n");
    assert!(room.read("run/samples/labels-0-9-seeds-0-7.png") == room.read("run/samples/fake_images-2.png"));
    assert_eq!(png_size(&room.read("run/samples/fake_images-2.png")), (8 * 12 + 2, 10 * 14 + 2));
    room.run("sample run/generator.safetensors --label 0-9 --out raw.png").expect_success();
    assert!(room.read("raw.png") != room.read("run/samples/fake_images-2.png"));

    let draw = |what: &str| {
        room.run(&format!("sample run {what} --out x.npy")).expect_success();
        let (_, columns, numbers) = read_npy(&room.path("x.npy"));
        numbers.chunks(columns).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let sevens = draw("--label 7 --seeds 0-19");
    assert_eq!(draw("--label 3,7 --seeds 17,5")[2..], [sevens[17].clone(), sevens[5].clone()]);
    // Without a label, sample N is of the kind N mod 10.
    assert_eq!(draw("--seeds 17")[0], sevens[17]);
    room.run("sample run --label 7,0 --seeds 5 --out digits/").expect_success();
    assert_eq!(room.files("digits"), ["sample-5-of-0.png", "sample-5-of-7.png"]);

    let refused = room.run("sample run --label 10");
    assert!(refused.code == Some(1) && refused.stderr.contains("below 10, found 10"), "{}", refused.stderr);
    room.run(&TRAIN_SMALL.replace("--out run", "--out plain")).expect_success();
    let refused = room.run("sample plain --label 1");
    assert!(refused.code == Some(1) && refused.stderr.contains("--recipe conditional"), "{}", refused.stderr);
}
