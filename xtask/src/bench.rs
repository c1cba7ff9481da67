//! `cargo xtask bench`: what a training step costs, in phases and beside its bare matrix products; `--peers` sets it beside
//! PyTorch and JAX instead. `docs/performance.md` says how to read the numbers.

use crate::command::{self, Outcome, cargo};
use crate::peers;
use std::path::PathBuf;
use std::process::Command;

const USAGE: &str = "usage: cargo xtask bench [--hidden N] [--batch N] [--threads N]... [--peers [--python PYTHON]]
--hidden N       width of the hidden layers, default 256
--batch N        images per step, default 100
--threads N      how many threads, and once more for each other number; default: one per core, then 1
--peers          beside PyTorch and JAX, in turns
--python PYTHON  an interpreter that has torch, jax, optax and numpy; otherwise they are installed into target/peers";

/// What is measured.
pub(crate) struct Options {
    pub(crate) hidden: usize,
    pub(crate) batch: usize,
    pub(crate) threads: Vec<usize>,
    pub(crate) python: Option<PathBuf>,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let mut options = Options { hidden: 256, batch: 100, threads: Vec::new(), python: None };
    let mut with_peers = false;
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"));
        match flag.as_str() {
            "--hidden" => options.hidden = positive(value()?)?,
            "--batch" => options.batch = positive(value()?)?,
            "--threads" => options.threads.push(positive(value()?)?),
            "--python" => options.python = Some(value()?.into()),
            "--peers" => with_peers = true,
            _ => return Err(USAGE.to_string().into()),
        }
    }
    if options.python.is_some() && !with_peers {
        return Err(format!("--python goes with --peers\n{USAGE}").into());
    }
    if options.threads.is_empty() {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        options.threads = if cores > 1 { vec![cores, 1] } else { vec![1] };
    }
    if with_peers { peers::run(&options) } else { alone(&options) }
}

fn positive(text: &str) -> Outcome<usize> {
    let number = text.parse().ok().filter(|&n| n > 0);
    Ok(number.ok_or_else(|| format!("expected a positive number, found `{text}`\n{USAGE}"))?)
}

/// The benchmark of the training step. A process has one number of threads, so each takes a process of its own.
pub(crate) fn step(options: &Options, threads: usize) -> Command {
    let mut command = cargo();
    command.args(["bench", "--quiet", "--package", "ganlet-train", "--bench", "step", "--"]);
    command.args(["--hidden", &options.hidden.to_string(), "--batch", &options.batch.to_string()]);
    command.env("CANDLE_NUM_THREADS", threads.to_string());
    command
}

fn alone(options: &Options) -> Outcome {
    let mut columns = Vec::new();
    for &threads in &options.threads {
        columns.push(Columns::parse(&command::read(&mut step(options, threads), "")?)?);
    }
    let first = &columns[0];
    let fact = |name: &str| first.get(name).map_or("?", |values| values[0].as_str());
    println!(
        "recipe classic, hidden {}, batch {}: {} products, {} GFLOP in a step",
        options.hidden,
        options.batch,
        fact("products in a step"),
        fact("GFLOP in a step"),
    );
    println!(
        "ms per step: median [quartiles] over {} turns of {} steps, the products' turns between them\n",
        fact("turns"),
        fact("steps in a turn"),
    );
    row("", options.threads.iter().map(|&n| if n == 1 { "1 thread".into() } else { format!("{n} threads") }));
    for (label, name) in [("fastest turn: the step", "step"), ("fastest turn: products", "products")] {
        row(label, columns.iter().map(|column| format!("{:.3}", column.least(name) / 1e3)));
    }
    let ratio = |column: &Columns| format!("{:.3}", column.least("step") / column.least("products"));
    row("the ratio of these", columns.iter().map(ratio));
    for (name, _) in &first.0 {
        let (label, divisor) = match name.as_str() {
            "step" => ("the step".into(), 1e3),
            "products" => ("its matrix products alone".into(), 1e3),
            "ratio" => ("step / products".into(), 1.),
            phase => match phase.strip_prefix("phase: ") {
                Some(phase) => (format!("  {phase}"), 1e3),
                None => continue,
            },
        };
        row(&label, columns.iter().map(|column| column.cell(name, divisor)));
    }
    Ok(())
}

fn row(label: &str, cells: impl Iterator<Item = String>) {
    let cells: String = cells.map(|cell| format!("{cell:>24}")).collect();
    println!("{label:<30}{cells}");
}

/// What the benchmark prints: a name, and one number or four: median, lower and upper quartile, least.
pub(crate) struct Columns(Vec<(String, Vec<String>)>);

impl Columns {
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let line = |line: &str| {
            let mut words = line.split('\t').map(str::to_string);
            words.next().map(|name| (name, words.collect::<Vec<_>>()))
        };
        let lines: Vec<_> = text.lines().filter_map(line).filter(|(_, values)| !values.is_empty()).collect();
        match lines.is_empty() {
            true => Err(format!("the benchmark has printed no numbers:\n{text}").into()),
            false => Ok(Self(lines)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice())
    }

    /// The last of four numbers.
    fn least(&self, name: &str) -> f64 {
        let values = self.get(name).unwrap_or_default();
        values.get(3).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }

    /// `median [lower-upper]`.
    fn cell(&self, name: &str, divisor: f64) -> String {
        let number = |text: &String| text.parse::<f64>().map(|n| n / divisor);
        let numbers: Result<Vec<_>, _> = self.get(name).unwrap_or_default().iter().map(number).collect();
        match numbers.as_deref() {
            Ok([median, lower, upper, _]) => format!("{median:.3} [{lower:.3}-{upper:.3}]"),
            _ => "?".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_benchmark_prints_is_read() {
        let columns = Columns::parse("noise\nturns\t35\nstep\t1973.25\t1950\t2011.75\t1930\n")
            .unwrap_or_else(|_| panic!());
        assert_eq!(columns.get("turns"), Some(["35".to_string()].as_slice()));
        assert_eq!(columns.cell("step", 1e3), "1.973 [1.950-2.012]");
        assert_eq!(columns.least("step"), 1930.);
        assert_eq!(columns.cell("other", 1.), "?");
        assert!(Columns::parse("noise\n").is_err());
    }
}
