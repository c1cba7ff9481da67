//! The training step, its phases, and its bare matrix products: `crates/train/benches/step.rs`, which is run for it.

use crate::command::{self, Outcome, cargo};
use std::fmt;
use std::process::Command;

/// What is measured: recipe `classic` with hidden layers of another width, other batches.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) hidden: usize,
    pub(super) batch: usize,
    pub(super) threads: usize,
}

impl Size {
    pub(super) const CLASSIC: Self = Self { hidden: 256, batch: 100, threads: 2 };

    /// How much work a step is, the classic one being 1: its products take 24 B H (H + 670) floating-point operations.
    pub(super) fn work(self) -> f64 {
        let products = |Self { hidden, batch, .. }: Self| (batch * hidden * (hidden + 670)) as f64;
        products(self) / products(Self::CLASSIC)
    }

    /// `most` steps of the classic size, or as many as are the same work, but at least `least`.
    pub(super) fn as_long_as(self, most: usize, least: usize) -> usize {
        (most as f64 / self.work()).clamp(least as f64, most as f64) as usize
    }

    /// The benchmark with so many turns. A process has one number of threads.
    fn command(self, turns: usize) -> Command {
        let turn = self.as_long_as(20, 4);
        let mut command = self.command_with(&["--steps", &(turn * turns).to_string()]);
        command.args(["--turn", &turn.to_string()]);
        command
    }

    fn command_with(self, args: &[&str]) -> Command {
        let mut command = cargo();
        command.args(["bench", "--quiet", "--package", "ganlet-train", "--bench", "step", "--"]);
        command.args(["--hidden", &self.hidden.to_string(), "--batch", &self.batch.to_string()]);
        command.args(args).env("CANDLE_NUM_THREADS", self.threads.to_string());
        command
    }

    /// Step and products in turns, so many of them.
    pub(super) fn beside_products(self, turns: usize) -> Outcome<Figures> {
        Figures::parse(&command::read(&mut self.command(turns), "")?)
    }

    /// The step alone, milliseconds: the median over six intervals of so many steps, after one that warms up.
    pub(super) fn alone(self, interval: usize) -> Outcome<f64> {
        let steps = (interval * 7).to_string();
        let mut command = self.command_with(&["--alone", "--turn", &interval.to_string(), "--steps", &steps]);
        Ok(Figures::parse(&command::read(&mut command, "")?)?.median("step")? / 1e3)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hidden, batch, threads } = self;
        let s = if *threads == 1 { "" } else { "s" };
        write!(f, "hidden {hidden}, batch {batch}, {threads} thread{s}")
    }
}

/// Measures each size, and prints what it costs in phases.
pub(super) fn measure(sizes: &[Size]) -> Outcome<Vec<Figures>> {
    let mut all = Vec::new();
    for size in sizes {
        all.push(size.beside_products(if size.work() < 4. { 90 } else { 60 })?);
    }
    println!(
        "\nThe step of recipe classic, in ms: median [quartiles] over turns of some steps, the bare products' turns between.\n"
    );
    row("hidden", sizes.iter().map(|size| size.hidden.to_string()));
    row("batch", sizes.iter().map(|size| size.batch.to_string()));
    row("threads", sizes.iter().map(|size| size.threads.to_string()));
    for name in ["turns", "steps in a turn", "products in a step", "GFLOP in a step"] {
        row(name, all.iter().map(|figures| figures.fact(name).into()));
    }
    for (label, name) in [("fastest turn: the step", "step"), ("fastest turn: products", "products")] {
        row(label, all.iter().map(|figures| format!("{:.3}", figures.least(name) / 1e3)));
    }
    let ratio = |figures: &Figures| format!("{:.3}", figures.least("step") / figures.least("products"));
    row("the ratio of these", all.iter().map(ratio));
    for (name, _) in all.first().map(|figures| &figures.0).into_iter().flatten() {
        let (label, divisor) = match name.as_str() {
            "step" => ("the step".into(), 1e3),
            "products" => ("its matrix products alone".into(), 1e3),
            "ratio" => ("step / products".into(), 1.),
            phase => match phase.strip_prefix("phase: ") {
                Some(phase) => (format!("  {phase}"), 1e3),
                None => continue,
            },
        };
        row(&label, all.iter().map(|figures| figures.cell(name, divisor)));
    }
    Ok(all)
}

fn row(label: &str, cells: impl Iterator<Item = String>) {
    let cells: String = cells.map(|cell| format!("{cell:>24}")).collect();
    println!("{label:<30}{cells}");
}

/// What the benchmark prints: a name, and one number or four: median, lower and upper quartile, least.
pub(super) struct Figures(Vec<(String, Vec<String>)>);

impl Figures {
    fn parse(text: &str) -> Outcome<Self> {
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

    fn get(&self, name: &str) -> &[String] {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    fn fact(&self, name: &str) -> &str {
        self.get(name).first().map_or("?", String::as_str)
    }

    /// The first of four numbers, or the only one.
    pub(super) fn median(&self, name: &str) -> Outcome<f64> {
        let number = self.get(name).first().and_then(|text| text.parse().ok());
        Ok(number.ok_or_else(|| format!("the benchmark has not printed `{name}`"))?)
    }

    /// The last of four numbers.
    fn least(&self, name: &str) -> f64 {
        self.get(name).get(3).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }

    /// `median [lower-upper]`.
    fn cell(&self, name: &str, divisor: f64) -> String {
        let number = |text: &String| text.parse::<f64>().map(|n| n / divisor);
        let numbers: Result<Vec<_>, _> = self.get(name).iter().map(number).collect();
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
        let figures = Figures::parse("noise\nturns\t35\nstep\t1973.25\t1950\t2011.75\t1930\n")
            .unwrap_or_else(|_| panic!());
        assert_eq!(figures.fact("turns"), "35");
        assert_eq!(figures.median("step").ok(), Some(1973.25));
        assert_eq!(figures.cell("step", 1e3), "1.973 [1.950-2.012]");
        assert_eq!(figures.least("step"), 1930.);
        assert_eq!(figures.cell("other", 1.), "?");
        assert!(figures.median("other").is_err());
        assert!(Figures::parse("noise\n").is_err());
    }

    #[test]
    fn larger_sizes_have_fewer_steps() {
        let large = Size { hidden: 1024, batch: 256, threads: 2 };
        assert!((large.work() - 18.73).abs() < 0.01);
        assert_eq!((large.as_long_as(300, 4), large.as_long_as(300, 20)), (16, 20));
        assert_eq!(Size { batch: 25, ..Size::CLASSIC }.as_long_as(300, 20), 300);
    }
}
