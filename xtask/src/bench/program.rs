//! The program outside the training step: its start, its memory, its samples; each in processes of their own.

use super::peers::Peers;
use super::row::{Row, Unit};
use super::{median, process};
use crate::command::{self, Outcome, cargo, root, target_dir};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How often each is measured.
const TIMES: usize = 15;

pub(super) struct Program {
    /// For what it writes.
    dir: PathBuf,
}

impl Program {
    /// Builds it, and sees to it that MNIST is there.
    pub(super) fn new() -> Outcome<Self> {
        let mut build = cargo();
        command::run(build.args(["build", "--release", "--bin", "ganlet"]), "")?;
        let dir = target_dir().join("bench");
        fs::create_dir_all(&dir).map_err(|e| format!("could not make {}: {e}", dir.display()))?;
        let program = Self { dir };
        let mut fetch = program.ganlet(&["data", "fetch", "mnist"]);
        command::run(
            &mut fetch,
            "some rows are measured on MNIST: put it into the folder that GANLET_DATA_DIR names",
        )?;
        Ok(program)
    }

    /// Measures all of it. On the way there is a run of one epoch, whose generator is then drawn from.
    pub(super) fn measure(&self, peers: Option<&Peers>) -> Outcome<Vec<Row>> {
        let mut rows = self.training(peers)?;
        rows.extend(self.samples(peers)?);
        Ok(rows)
    }

    fn ganlet(&self, args: &[&str]) -> Command {
        let mut command = Command::new(target_dir().join("release/ganlet"));
        command.args(args).env("CANDLE_NUM_THREADS", "2");
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn training(&self, peers: Option<&Peers>) -> Outcome<Vec<Row>> {
        let train = ["train", "--dataset", "mnist", "--offline", "--quiet", "--overwrite"];
        let mut whole = self.ganlet(&train);
        command::announce(whole.args(["--epochs", "1", "--out"]).arg(self.file("run")));
        let mut rows = vec![Row::new(
            "train, peak memory of the process",
            process::peak(&mut whole)?,
            Unit::Megabytes,
            160.,
        )];
        if let Some(peers) = peers {
            let mut script = peers.script("torch_step.py");
            script.args(["published", "--threads", "2", "--intervals", "1", "--images"]).arg(self.images()?);
            command::announce(&script);
            rows.push(Row::without_aim(
                "PyTorch, published: peak memory",
                process::peak(&mut script)?,
                Unit::Megabytes,
            ));
        }

        // The first step is seen by its report, so the recipe reports after each.
        let recipe = self.file("reports-each-step.toml");
        let classic = root().join("crates/train/recipes/classic.toml");
        let text = fs::read_to_string(&classic).map_err(|e| format!("{}: {e}", classic.display()))?;
        let text = text.replace("report_every = 300", "report_every = 1");
        fs::write(&recipe, text).map_err(|e| format!("{}: {e}", recipe.display()))?;
        let mut first = self.ganlet(&train);
        let (run, report) = (self.file("first"), self.file("first/metrics.jsonl"));
        command::announce(first.arg("--config").arg(recipe).arg("--out").arg(&run));
        let mut times = Vec::new();
        for _ in 0..TIMES {
            // The report of the run before would be taken for this one's.
            let _ = fs::remove_dir_all(&run);
            times.push(process::until_written(&mut first, &report)?);
        }
        rows.push(Row::new(
            "train, from its start to the end of the first step",
            Some(median(&times)),
            Unit::Milliseconds,
            250.,
        ));
        Ok(rows)
    }

    /// MNIST's training images, wherever they are.
    fn images(&self) -> Outcome<PathBuf> {
        let listed = command::read(&mut self.ganlet(&["data", "fetch", "mnist"]), "")?;
        let paths = listed.lines().filter_map(|line| line.rsplit_once("  "));
        let path = paths.map(|(_, path)| PathBuf::from(path)).find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("train-images"))
        });
        Ok(path.ok_or_else(|| format!("could not tell where MNIST is from:\n{listed}"))?)
    }

    fn samples(&self, peers: Option<&Peers>) -> Outcome<Vec<Row>> {
        let mut few = self.ganlet(&["sample"]);
        command::announce(few.arg(self.file("run")));
        let few = (0..TIMES).map(|_| process::wall(&mut few)).collect::<Outcome<Vec<_>>>()?;

        let mut many = self.ganlet(&["sample", "--seeds", "0-9999"]);
        command::announce(many.arg(self.file("run")).arg("--out").arg(self.file("samples.npy")));
        let mut theirs = peers.map(|peers| {
            let mut script = peers.script("torch_sample.py");
            script.args([self.file("run/generator.safetensors"), self.file("torch-samples.npy")]);
            command::announce(script.args(["--threads", "2"]));
            script
        });
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            our_times.push(process::wall(&mut many)?);
            if let Some(script) = &mut theirs {
                their_times.push(process::wall(script)?);
            }
        }
        let mut rows = vec![
            Row::new("sample of 64 pictures, cold process", Some(median(&few)), Unit::Milliseconds, 30.),
            Row::without_aim("sample of 10,000 to .npy", Some(median(&our_times)), Unit::Milliseconds),
        ];
        if theirs.is_some() {
            let (ours, theirs) = (median(&our_times), median(&their_times));
            rows.push(Row::without_aim(
                "PyTorch, the same in a fresh process",
                Some(theirs),
                Unit::Milliseconds,
            ));
            rows.push(Row::new("sample of 10,000 to .npy / PyTorch", Some(ours / theirs), Unit::Ratio, 0.20));
        }
        Ok(rows)
    }
}
