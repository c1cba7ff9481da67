//! What the program says to each mistake: a sentence that names the argument or the file, what to do, and no panic.

mod common;

use common::{Room, TRAIN_SMALL, small_room};
use ganlet_viz::{Picture, encode_png};

/// The command fails with this exit code, names all of `expected`, and gives a hint.
fn check(room: &Room, arguments: &str, code: i32, expected: &[&str]) {
    let outcome = room.run(arguments);
    let said = format!("ganlet {arguments}\n{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, Some(code), "{said}");
    assert!(outcome.stderr.starts_with("error: "), "{said}");
    for expected in expected {
        assert!(outcome.stderr.contains(expected), "expected {expected}: {said}");
    }
    let hint = match code {
        2 => "For more information, try '--help'",
        _ => "\nhint: ",
    };
    assert!(outcome.stderr.contains(hint), "no hint: {said}");
    assert!(!outcome.stderr.contains("panicked"), "{said}");
    assert_eq!(outcome.stdout, "", "{said}");
}

#[test]
fn mistakes_on_the_command_line() {
    let room = Room::new();
    for (arguments, expected) in [
        ("train --epochs 0", "--epochs"),
        ("train --epochs many", "--epochs"),
        ("train --epochs -1", "-1"),
        ("train --batch-size 0", "--batch-size"),
        ("train --batch-size 99999999999999999999", "--batch-size"),
        ("train --seed -1", "-1"),
        ("train --seed 0x7", "--seed"),
        ("train --device gpu", "expected auto, cpu, cuda or cuda:N"),
        ("train --recipe classic --config recipe.toml", "--config"),
        ("train extra", "extra"),
        ("sample", "RUN|FILE.safetensors"),
        ("sample run --seeds 63-0", "did you mean 0-63?"),
        ("sample run --seeds 0..63", "not a seed"),
        ("sample run --seeds 1,,2", "not a seed"),
        ("sample run --seeds 99999999999999999999", "too large"),
        ("sample run --seeds 1 --latents z.npy", "--latents"),
        ("sample run --per-row 0", "--per-row"),
        ("sample run --label seven", "not a label"),
        ("eval run --samples 100001", "at most 100000"),
        ("import", "FILE"),
        ("import g.pt --image 28", "28x28"),
        ("import g.pt --image 0x28", "at least 1"),
        ("export run", "--onnx"),
        ("completions tcsh", "bash"),
        ("sample run --scale 0", "--scale"),
        ("sample run --scale 65", "--scale"),
        ("sample run --colors red", "grey, inverted, viridis or magma"),
        ("interpolate run --steps 1", "both ends"),
        ("interpolate run --fps 51", "--fps"),
        ("animate run --frames 0", "--frames"),
        ("demo run --max-size 0", "--max-size"),
        ("trian", "train"),
    ] {
        check(&room, arguments, 2, &[expected]);
    }
    for (arguments, expected) in [
        ("train --seed 18446744073709551615", "seed"),
        ("train --recipe clasic", "\"classic\", "),
        ("train --set r1", "expected FIELD=VALUE"),
        ("train --set r1=much", "r1"),
        ("train --set penalty=1", "unknown field `penalty`"),
        ("train --set loss=wasserstein", "it needs gradient_penalty or spectral_norm"),
        ("train --dataset emnist", "mnist, fashion-mnist, kmnist, synthetic-digits"),
        ("train --set dataset=emnist", "mnist, fashion-mnist, kmnist, synthetic-digits"),
        ("train --dataset custom", "which are they?"),
        ("train --dataset mnist --offline", "mnist is not on this machine"),
        ("train --data-dir nowhere", "nowhere"),
        ("train --config nothing.toml", "nothing.toml"),
        ("sample nothing", "nothing"),
        ("sample .", "there is no generator.safetensors"),
        ("import nothing.pt", "nothing.pt"),
        ("export nothing --onnx g.onnx", "nothing"),
        ("export . --onnx g.onnx", "there is no generator.safetensors"),
        ("export . --tensorboard logs", "there is no run"),
        ("export . --onnx g.safetensors", "--onnx g.safetensors: expected a .onnx file"),
        ("eval . --neighbours copies.jpg", "--neighbours copies.jpg: expected a .png file"),
        ("report . --out page", "--out page: expected a .html file"),
        ("interpolate nothing", "nothing"),
        ("animate nothing", "nothing"),
        ("animate .", "fake_images-N.png"),
        ("demo nothing", "nothing"),
        ("data info emnist", "emnist"),
        ("data verify kmnist", "kmnist"),
        ("data fetch mnist --offline", "mnist"),
    ] {
        check(&room, arguments, 1, &[expected]);
    }
    assert!(room.files("").is_empty(), "{:?}", room.files(""));
}

#[test]
fn mistakes_in_the_environment() {
    let room = Room::new();
    for (name, value, expected) in [
        ("GANLET_DATA_DIR", "nowhere", "no such folder: nowhere"),
        (
            "CANDLE_NUM_THREADS",
            "0",
            "CANDLE_NUM_THREADS: expected a number of threads from 1 to 256, found 0",
        ),
        ("CANDLE_NUM_THREADS", "many", "found many"),
        ("CANDLE_NUM_THREADS", "100000", "found 100000"),
    ] {
        let output = room.command("train --epochs 1").env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{name}={value}: {said}");
    }
    assert!(room.files("").is_empty(), "{:?}", room.files(""));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_is_asked_of_a_program_without_cuda() {
    let room = Room::new();
    check(&room, "train --device cuda", 1, &["--device cuda:0", "built without CUDA", "--features cuda"]);
}

#[test]
fn mistakes_in_recipes_and_data() {
    let room = small_room();
    let recipe = room.text("small.toml");
    for (from, to, expected) in [
        ("epochs = 2", "epochs = 0", "`epochs`"),
        ("epochs = 2", "epoch = 2", "epoch"),
        ("latent = 4", "latent = 0", "`latent`"),
        ("latent = 4", "", "latent"),
        ("latent = 4", "latent = 4\nmomentum = 0.5", "Adam's momentum is beta1"),
        ("seed = 1", "seed = \"one\"", "seed"),
        ("[16]", "[0]", "`generator_hidden`"),
        ("recipe", "\u{0}", "wrong.toml"),
    ] {
        room.write("wrong.toml", recipe.replacen(from, to, 1));
        check(
            &room,
            "train --config wrong.toml --data-dir data",
            1,
            &["wrong.toml: this recipe cannot be trained", expected],
        );
    }
    room.write("wrong.toml", b"\xff\xfe");
    check(&room, "train --config wrong.toml", 1, &["wrong.toml", "not text"]);
    for more in ["", " --dry-run"] {
        let train = format!("train --config small.toml --data-dir data{more}");
        check(&room, &format!("{train} --batch-size 71"), 1, &["batch_size", "70", "--batch-size"]);
        check(&room, &format!("{train} --set classes=2"), 1, &["labels of 2 kinds", "--set classes=0"]);
    }

    let images = room.read("data/train-images-idx3-ubyte");
    room.write("data/train-images-idx3-ubyte", &images[..images.len() - 1]);
    check(&room, "train --config small.toml --data-dir data", 1, &["train-images-idx3-ubyte"]);
    room.write("data/train-images-idx3-ubyte", images);
    let labels = room.read("data/train-labels-idx1-ubyte.gz");
    room.write("data/train-labels-idx1-ubyte.gz", &labels[..labels.len() / 2]);
    check(&room, "train --config small.toml --data-dir data", 1, &["train-labels-idx1-ubyte.gz"]);
    std::fs::remove_file(room.path("data/train-labels-idx1-ubyte.gz")).unwrap();
    check(&room, "train --config small.toml --data-dir data", 1, &["train-labels-idx1-ubyte"]);
    assert!(!room.path("runs").exists());
}

#[test]
fn places_that_cannot_be_written_to() {
    let room = small_room();
    // A file stands where a folder should; this stops even a superuser.
    room.write("file", "mine");
    check(&room, "train --config small.toml --data-dir data --out file", 1, &["file"]);
    check(&room, "train --config small.toml --data-dir data --out file/run", 1, &["file"]);
    room.run(TRAIN_SMALL).expect_success();
    check(&room, "sample run --out file/x.png", 1, &["file/x.png"]);
    check(&room, "sample run --out nowhere/x.npy", 1, &["nowhere/x.npy", "is its folder there?"]);
    check(&room, "sample run --out file/", 1, &["file"]);
    assert_eq!(room.text("file"), "mine");
}

#[test]
fn files_that_are_not_weights_or_latents() {
    let room = small_room();
    room.run(TRAIN_SMALL).expect_success();
    let weights = room.read("run/generator.safetensors");
    let half = weights.len() / 2;
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("text", b"not weights at all"),
        ("huge", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"),
        ("truncated", &weights[..half]),
        ("headless", &weights[8..]),
    ] {
        let name = format!("{name}.safetensors");
        room.write(&name, bytes);
        check(&room, &format!("sample {name}"), 1, &[&name, "expected a safetensors file"]);
    }
    let discriminator = "run/discriminator.safetensors";
    check(&room, &format!("sample {discriminator}"), 1, &[discriminator, "found those of a discriminator"]);

    check(&room, "sample run --seeds 0-99999999999", 1, &["100,000,000,000", "10,000"]);
    check(&room, "sample run --seeds 0-99999999999 --out x.npy", 1, &["10,000,000"]);
    check(&room, "sample run --seeds 0-18446744073709551615 --out x/", 1, &["100,000"]);
    check(&room, "sample run --out x.gif", 1, &["--out x.gif", ".png"]);
    check(&room, "sample run --out x.npy --scale 2", 1, &["--out x.npy", "--scale"]);
    check(&room, "sample run --seeds 0-9999 --out x.png --scale 64", 1, &["too large", "--scale"]);

    check(&room, "interpolate run --out x.jpg", 1, &["--out x.jpg", ".png", ".gif", ".apng", ".npy"]);
    check(&room, "interpolate run --out x/", 1, &["--out x/", ".png"]);
    check(&room, "interpolate run --seeds 7", 1, &["--seeds 7", "two or more"]);
    check(&room, "interpolate run --seeds 0-99999999999", 1, &["10,000", "--steps"]);
    check(&room, "interpolate run --steps 9999 --scale 64 --out x.gif --seeds 1", 1, &["--seeds 1"]);
    check(
        &room,
        "interpolate run --seeds 0,1 --steps 5000 --scale 64 --out x.gif",
        1,
        &["x.gif", "10,000", "--scale"],
    );
    check(&room, "animate run --out x.png", 1, &["--out x.png", ".gif", ".apng"]);
    check(&room, "animate run --out nowhere/x.gif", 1, &["nowhere/x.gif"]);
    room.write("run/samples/fake_images-3.png", "no picture");
    check(&room, "animate run", 1, &["run/samples/fake_images-3.png", "not a whole PNG file"]);
    let pixel = encode_png(&Picture::new(1, 1, vec![128]).unwrap()).unwrap();
    room.write("run/samples/fake_images-3.png", pixel);
    check(&room, "animate run", 1, &["run/samples/fake_images-3.png", "1 x 1", "98 x 114"]);
    check(&room, "demo run --out x.htm", 1, &["--out x.htm", ".html"]);

    room.write("z.npy", "no latents");
    check(&room, "sample run --latents z.npy", 1, &["--latents z.npy", "not a .npy file"]);
    room.run("sample run --seeds 0-9 --out z.npy").expect_success();
    check(&room, "sample run --latents z.npy", 1, &["--latents z.npy", "rows of 4 numbers", "120"]);
    check(&room, "sample run --latents nothing.npy", 1, &["nothing.npy"]);
    assert!(!room.path("x").exists() && !room.path("x.npy").exists());
}

#[test]
fn files_that_are_not_pytorchs_weights() {
    let room = Room::new();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/formats/tests/golden");
    let pytorchs = |name: &str| std::fs::read(golden.join(name)).unwrap();
    let whole = pytorchs("zip.pt");
    let system = b"\x80\x02cos\nsystem\n(X\x0d\x00\x00\x00touch stolen;\x85R.";
    for (bytes, expected) in [
        (&b""[..], "0 bytes"),
        (b"no weights", "neither a zip archive nor a pickle"),
        (&whole[..whole.len() / 2], "the zip archive is damaged"),
        (system, "`os.system`, which a state dict is not made of: nothing of it was run"),
        (&pytorchs("module.pt"), "a whole module, `torch.nn.modules.container.Sequential`"),
    ] {
        room.write("g.pt", bytes);
        check(&room, "import g.pt", 1, &["g.pt", expected, "torch.save(G.state_dict(), \"G.ckpt\")"]);
    }
    room.write("g.pt", &whole);
    room.write("g.safetensors", b"not read");
    check(&room, "import g.safetensors", 1, &["need no import: ganlet sample g.safetensors"]);
    std::fs::remove_file(room.path("g.safetensors")).unwrap();
    check(&room, "import g.pt --classes 3", 1, &["--classes 3: g.pt takes 3 inputs"]);
    check(&room, "import g.pt", 1, &["6 pixels", "--image"]);
    check(&room, "import g.pt --image 2x2", 1, &["6 pixels", "--image"]);
    check(&room, "import g.pt --image 2x3 --out g.npy", 1, &["--out g.npy", ".safetensors"]);
    check(&room, "import g.pt --image 2x3 --out nowhere/g.safetensors", 1, &["nowhere/g.safetensors"]);
    check(
        &room,
        "export g.pt --onnx g.onnx",
        1,
        &["g.pt", "expected a safetensors file", "ganlet import g.pt"],
    );
    assert_eq!(room.files(""), ["g.pt"]);
}
