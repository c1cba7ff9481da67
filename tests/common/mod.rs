//! What the end-to-end tests share: the real program in a room of its own, and data sets that take no time.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ganlet_data::idx::Array;
use ganlet_data::{Dataset, Split};
use tempfile::TempDir;

/// An empty folder that is the program's whole world: its working directory, its home, and no network.
pub(crate) struct Room(TempDir);

impl Room {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    /// Every file below a folder, by its path from there, in order.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files
                        .push(path.strip_prefix(&root).expect("below").to_str().expect("text").to_owned()),
                }
            }
        }
        files.sort();
        files
    }

    /// Writes the data set's four files into a folder.
    pub(crate) fn write_dataset(&self, folder: &str, dataset: &Dataset) {
        for (split, name) in [(dataset.train(), "train"), (dataset.test(), "t10k")] {
            let (images, labels) = split.to_idx();
            self.write(&format!("{folder}/{name}-images-idx3-ubyte"), images.to_bytes());
            self.write(&format!("{folder}/{name}-labels-idx1-ubyte.gz"), labels.to_gzip());
        }
    }

    /// The program with these arguments, separated by spaces.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ganlet"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        for name in ["HOME", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"] {
            command.env(name, self.path("home"));
        }
        for name in ["GANLET_DATA_DIR", "GANLET_MIRROR", "CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env_remove(name);
        }
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }
}

/// What the program said, and how it ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The lines on standard output of a program that ended well.
    pub(crate) fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// `count` images of `rows` x `columns` to train on and as many held back: bright bars where the label says.
pub(crate) fn bars(count: usize, rows: usize, columns: usize) -> Dataset {
    let split = |shift: usize| {
        let labels: Vec<u8> = (0..count).map(|i| ((i + shift) % 10) as u8).collect();
        let pixel = |label: u8, at: usize, noise: usize| match at % columns == usize::from(label) % columns {
            true => 200 + (noise % 56) as u8,
            false => (noise % 11) as u8,
        };
        let pixels = labels.iter().enumerate().flat_map(|(image, &label)| {
            (0..rows * columns).map(move |at| pixel(label, at, image * 31 + at * 17 + shift))
        });
        let images = Array::new(vec![count, rows, columns], pixels.collect()).expect("images");
        Split::new(images, Array::new(vec![count], labels.clone()).expect("labels")).expect("a split")
    };
    Dataset::new("custom", split(0), split(5)).expect("a data set")
}

/// A recipe that trains in no time: 2 epochs of 3 steps of 20 images, narrow networks, a report every 2 steps.
pub(crate) const SMALL: &str = "\
recipe = \"small\"
dataset = \"custom\"
seed = 1
epochs = 2
batch_size = 20
latent = 4
generator_hidden = [16]
discriminator_hidden = [16, 8]
learning_rate = 0.001
beta1 = 0.9
beta2 = 0.999
epsilon = 1e-8
report_every = 2
";

/// A room with 12 x 10 images in `data` and the recipe `small.toml`.
pub(crate) fn small_room() -> Room {
    let room = Room::new();
    room.write_dataset("data", &bars(70, 12, 10));
    room.write("small.toml", SMALL);
    room
}

/// Trains it into `run`.
pub(crate) const TRAIN_SMALL: &str = "train --config small.toml --data-dir data --out run";

/// `metrics.jsonl` without what depends on the clock.
pub(crate) fn metrics(room: &Room, run: &str) -> Vec<String> {
    let line = |line: &str| line.split(",\"seconds\":").next().expect("a part").to_owned();
    room.text(&format!("{run}/metrics.jsonl")).lines().map(line).collect()
}

/// Every file that a run makes but `environment.json` and `report.html`, which tell the time.
pub(crate) fn bits(room: &Room, run: &str) -> Vec<(String, Vec<u8>)> {
    let untimed =
        |name: &String| !["environment.json", "report.html", "metrics.jsonl"].contains(&name.as_str());
    let names = room.files(run).into_iter().filter(untimed);
    let mut files: Vec<_> = names.map(|name| (name.clone(), room.read(&format!("{run}/{name}")))).collect();
    files.push(("metrics".into(), metrics(room, run).join("\n").into()));
    files
}

/// Width and height of a PNG file, and that it is one of 8-bit grey.
pub(crate) fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "not a PNG file");
    assert_eq!(&bytes[12..16], b"IHDR");
    assert_eq!(bytes[24..26], [8, 0], "8-bit grey");
    let number = |at| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    (number(16), number(20))
}

/// Rows, columns and numbers of a `.npy` file of float32.
pub(crate) fn read_npy(path: &Path) -> (usize, usize, Vec<f32>) {
    let bytes = fs::read(path).expect("read");
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "not a .npy file");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(start % 64, 0);
    let header = str::from_utf8(&bytes[10..start]).expect("text");
    let shape = header
        .strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (")
        .and_then(|rest| rest.trim_end().strip_suffix("), }"))
        .expect("the header that NumPy writes");
    let (rows, columns) = shape.split_once(", ").expect("two dimensions");
    let numbers: Vec<f32> =
        bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let (rows, columns) = (rows.parse().expect("rows"), columns.parse().expect("columns"));
    assert_eq!(numbers.len(), rows * columns);
    (rows, columns, numbers)
}
