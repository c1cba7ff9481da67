//! `cargo xtask bench --peers`: our training step beside that of PyTorch and of JAX, in turns.

use crate::bench::{self, Columns, Options};
use crate::command::{self, Outcome, root, target_dir};
use crate::python;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: &[&str] = &["torch", "jax", "optax", "numpy"];

/// Script and mode.
const PEERS: &[(&str, &str)] = &[
    ("torch_step.py", "published"),
    ("torch_step.py", "best"),
    ("torch_step.py", "compile"),
    ("jax_step.py", "scan"),
    ("jax_step.py", "step"),
];

/// How often each program has its turn.
const ROUNDS: usize = 3;

pub(crate) fn run(options: &Options) -> Outcome {
    let python = match &options.python {
        Some(python) => python.clone(),
        None => install()?,
    };
    // Each program takes the median over intervals of 300 steps, the first of which warms up: six of ours, four of the others.
    for &threads in &options.threads {
        let mut programs: Vec<(String, Vec<f64>)> = vec![("Ganlet".into(), Vec::new())];
        for _ in 0..ROUNDS {
            let mut ours = bench::step(options, threads);
            let printed = Columns::parse(&command::read(ours.arg("--alone"), "")?)?;
            programs[0].1.push(number(printed.get("step"))? / 1e3);
            for (at, &(file, mode)) in PEERS.iter().enumerate() {
                let mut script = script(&python, file);
                script.arg(mode).args(["--threads", &threads.to_string()]);
                script.args(["--hidden", &options.hidden.to_string(), "--batch", &options.batch.to_string()]);
                let printed = command::read(&mut script, "")?;
                let (name, time) = printed.trim().rsplit_once('\t').unwrap_or_default();
                let time = number(Some(&[time.to_string()]))?;
                if programs.len() == at + 1 {
                    programs.push((name.into(), Vec::new()));
                }
                programs[at + 1].1.push(time);
            }
        }
        show(options, threads, &programs);
    }
    Ok(())
}

fn show(options: &Options, threads: usize, programs: &[(String, Vec<f64>)]) {
    println!(
        "\nrecipe classic, hidden {}, batch {}, threads {threads}: ms per step, median of {ROUNDS} processes in turns\n\
         All have the same shapes, u8 images in memory, and read their losses once in 300 steps. All but PyTorch's\n\
         `published` compute the same matrix products; that one also carries D's gradient into G, and G's into D's weights.\n",
        options.hidden, options.batch
    );
    println!("{:<30}{:>9}{:>21}{:>16}", "", "median", "least-most", "Ganlet / it");
    let ours = median(&programs[0].1);
    for (name, times) in programs {
        let [least, most] =
            [f64::min, f64::max].map(|pick| times.iter().copied().reduce(pick).unwrap_or(f64::NAN));
        let spread = format!("{least:.3}-{most:.3}");
        println!("{name:<30}{:>9.3}{spread:>21}{:>16.2}", median(times), ours / median(times));
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn number(values: Option<&[String]>) -> Outcome<f64> {
    let number = values.and_then(|values| values.first()?.parse().ok());
    Ok(number.ok_or_else(|| "a benchmark has not printed its time".to_string())?)
}

/// Brings PyTorch and JAX; gives the interpreter that has them.
fn install() -> Outcome<PathBuf> {
    let venv = target_dir().join("peers");
    let python = python::venv(&venv)?;
    python::install(&python, &venv, python::WITHOUT_CUDA, PACKAGES)?;
    Ok(python)
}

fn script(python: &Path, file: &str) -> Command {
    let mut command = Command::new(python);
    // -B: no compiled copies among the sources.
    command.arg("-B").arg(root().join("scripts/peers").join(file));
    command
}
