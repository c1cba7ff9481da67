//! The whole table: every figure that has an aim, beside it.

use super::peers::{self, Peers};
use super::program;
use super::step::{self, Size};
use crate::command::Outcome;

const ONE_THREAD: Size = Size { threads: 1, ..Size::CLASSIC };
const LARGE: Size = Size { hidden: 1024, batch: 256, threads: 2 };

/// What stands for one figure.
pub(super) struct Row {
    what: String,
    /// None where this machine cannot tell.
    measured: Option<f64>,
    unit: Unit,
    /// At most this.
    aim: Option<f64>,
}

#[derive(Clone, Copy)]
pub(super) enum Unit {
    Ratio,
    Milliseconds,
    Megabytes,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, measured: Option<f64>, unit: Unit, aim: f64) -> Self {
        Self { what: what.into(), measured, unit, aim: Some(aim) }
    }

    /// A figure that stands there for comparison.
    pub(super) fn without_aim(what: impl Into<String>, measured: Option<f64>, unit: Unit) -> Self {
        Self { what: what.into(), measured, unit, aim: None }
    }

    fn verdict(&self) -> &'static str {
        match (self.measured, self.aim) {
            (None, _) => "not measured here",
            (_, None) => "",
            (Some(measured), Some(aim)) if measured <= aim => "reached",
            _ => "not reached",
        }
    }
}

impl Unit {
    fn show(self, value: Option<f64>) -> String {
        match (value, self) {
            (None, _) => String::new(),
            (Some(value), Self::Ratio) => format!("{value:.3}"),
            (Some(value), Self::Milliseconds) => format!("{value:.1} ms"),
            (Some(value), Self::Megabytes) => format!("{value:.0} MB"),
        }
    }
}

/// Measures and prints all of it.
pub(super) fn run(peers: Option<&Peers>) -> Outcome {
    let sizes = [Size::CLASSIC, ONE_THREAD, LARGE];
    let figures = step::measure(&sizes)?;
    let mut rows = Vec::new();
    for ((size, figures), aim) in sizes.iter().zip(&figures).zip([1.20, 1.15, 1.10]) {
        let ratio = figures.median("ratio")?;
        rows.push(Row::new(format!("step / its bare products; {size}"), Some(ratio), Unit::Ratio, aim));
    }
    if let Some(peers) = peers {
        let beside = |size, all: &[peers::Peer], aims: &[(&str, &[peers::Peer], Option<f64>)]| {
            let steps = peers.steps(size, all)?;
            Outcome::Ok(
                aims.iter()
                    .map(|&(whose, peers, aim)| Row {
                        what: format!("step / {whose}; {size}"),
                        measured: steps.against(peers),
                        unit: Unit::Ratio,
                        aim,
                    })
                    .collect::<Vec<_>>(),
            )
        };
        let jax = [peers::SCAN, peers::STEP];
        let torch = [peers::BEST, peers::COMPILE];
        let published = [peers::PUBLISHED];
        let aims = |jax_aim, torch_aim, published_aim| {
            [
                ("JAX's better", jax.as_slice(), jax_aim),
                ("PyTorch's best", torch.as_slice(), torch_aim),
                ("PyTorch's published", published.as_slice(), published_aim),
            ]
        };
        rows.extend(beside(Size::CLASSIC, peers::ALL, &aims(Some(0.75), Some(0.40), Some(0.28)))?);
        rows.extend(beside(ONE_THREAD, peers::ALL, &aims(None, None, None))?);
        rows.extend(beside(LARGE, &jax, &[("JAX's better", &jax, Some(0.85))])?);
    }
    rows.extend(program::measure(peers)?);

    println!("\n{}\n", machine());
    println!("{:<70}{:>12}{:>12}", "", "measured", "at most");
    for row in &rows {
        let (measured, aim) = (row.unit.show(row.measured), row.unit.show(row.aim));
        println!("{:<70}{measured:>12}{aim:>12}  {}", row.what, row.verdict());
    }
    Ok(())
}

/// The processor, as far as the system tells, and how many cores there are.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{}, {cores} cores", name.map_or(std::env::consts::ARCH, |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_reached_or_not_or_unknown() {
        let row = |measured| Row::new("", measured, Unit::Ratio, 0.2);
        assert_eq!([row(Some(0.2)).verdict(), row(Some(0.21)).verdict()], ["reached", "not reached"]);
        assert_eq!(
            [row(Some(f64::NAN)).verdict(), row(None).verdict()],
            ["not reached", "not measured here"]
        );
        assert_eq!(Row::without_aim("", Some(1.), Unit::Megabytes).verdict(), "");
    }
}
