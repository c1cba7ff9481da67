//! PyTorch and JAX, and our training step beside theirs, in turns.

use super::median;
use super::step::Size;
use crate::command::{self, Outcome, root, target_dir};
use crate::python;
use std::path::PathBuf;
use std::process::Command;

/// Beside PyTorch.
const PACKAGES: &[&str] = &["jax", "optax", "safetensors", "numpy"];

/// A program of somebody else: script and mode.
pub(super) type Peer = (&'static str, &'static str);

pub(super) const PUBLISHED: Peer = ("torch_step.py", "published");
pub(super) const BEST: Peer = ("torch_step.py", "best");
pub(super) const COMPILE: Peer = ("torch_step.py", "compile");
pub(super) const SCAN: Peer = ("jax_step.py", "scan");
pub(super) const STEP: Peer = ("jax_step.py", "step");

pub(super) const ALL: &[Peer] = &[PUBLISHED, BEST, COMPILE, SCAN, STEP];

/// How often each program has its turn.
const ROUNDS: usize = 3;

/// An interpreter that has PyTorch and JAX.
pub(super) struct Peers {
    python: PathBuf,
}

impl Peers {
    /// With this interpreter, or one in `target/peers`, where what is missing is installed.
    pub(super) fn new(python: Option<PathBuf>) -> Outcome<Self> {
        let python = match python {
            Some(python) => python,
            None => {
                let venv = target_dir().join("peers");
                let python = python::venv(&venv)?;
                python::install_with_torch(&python, &venv, PACKAGES)?;
                python
            }
        };
        Ok(Self { python })
    }

    /// `python scripts/peers/FILE`.
    pub(super) fn script(&self, file: &str) -> Command {
        let mut command = Command::new(&self.python);
        // -B: no compiled copies among the sources.
        command.arg("-B").arg(root().join("scripts/peers").join(file));
        command
    }

    /// A step of `peer`: its name, with the version, and milliseconds, the median over three intervals of so many steps
    /// after one that warms up.
    pub(super) fn step(&self, (file, mode): Peer, size: Size, interval: usize) -> Outcome<(String, f64)> {
        let mut script = self.script(file);
        script.arg(mode).args(["--threads", &size.threads.to_string(), "--interval", &interval.to_string()]);
        script.args(["--hidden", &size.hidden.to_string(), "--batch", &size.batch.to_string()]);
        let printed = command::read(&mut script, "")?;
        let of_line = |line: &str| {
            let (name, time) = line.rsplit_once('\t')?;
            Some((name.to_string(), time.parse().ok()?))
        };
        let found = printed.lines().rev().find_map(of_line);
        Ok(found.ok_or_else(|| format!("{file} has not printed its time:\n{printed}"))?)
    }

    /// Ours and each of `peers` in turns, three times over; prints the medians.
    pub(super) fn steps(&self, size: Size, peers: &[Peer]) -> Outcome<Steps> {
        let interval = size.as_long_as(300, 20);
        let mut ours = Vec::new();
        let mut theirs: Vec<(Peer, String, Vec<f64>)> =
            peers.iter().map(|&peer| (peer, String::new(), Vec::new())).collect();
        for _ in 0..ROUNDS {
            ours.push(size.alone(interval)?);
            for (peer, name, times) in &mut theirs {
                let (printed, time) = self.step(*peer, size, interval)?;
                *name = printed;
                times.push(time);
            }
        }
        println!(
            "\nRecipe classic, {size}: ms per step, median of {ROUNDS} processes in turns. All have the same shapes, u8\n\
             images in memory, and read their losses once in {interval} steps. All but PyTorch's `published` compute the same\n\
             matrix products; that one also carries D's gradient into G, and G's into D's weights.\n"
        );
        println!("{:<30}{:>9}{:>21}{:>16}", "", "median", "least-most", "Ganlet / it");
        let show = |name: &str, times: &[f64]| {
            let ends =
                [f64::min, f64::max].map(|pick| times.iter().copied().reduce(pick).unwrap_or(f64::NAN));
            let spread = format!("{:.3}-{:.3}", ends[0], ends[1]);
            println!("{name:<30}{:>9.3}{spread:>21}{:>16.2}", median(times), median(&ours) / median(times));
        };
        show("Ganlet", &ours);
        for (_, name, times) in &theirs {
            show(name, times);
        }
        let theirs = theirs.into_iter().map(|(peer, _, times)| (peer, median(&times))).collect();
        Ok(Steps { ours: median(&ours), theirs })
    }
}

/// Milliseconds per step.
pub(super) struct Steps {
    ours: f64,
    theirs: Vec<(Peer, f64)>,
}

impl Steps {
    /// Our time divided by that of the fastest of these.
    pub(super) fn against(&self, peers: &[Peer]) -> Option<f64> {
        let times = self.theirs.iter().filter(|(peer, _)| peers.contains(peer)).map(|&(_, time)| time);
        times.reduce(f64::min).map(|fastest| self.ours / fastest)
    }
}
