//! The whole table: every figure that has an aim, beside it.

use super::peers::{self, Peers};
use super::program::Program;
use super::row::{Row, Unit};
use super::step::{self, Size};
use crate::command::Outcome;

const ONE_THREAD: Size = Size { threads: 1, ..Size::CLASSIC };
const LARGE: Size = Size { hidden: 1024, batch: 256, threads: 2 };

/// Measures and prints all of it.
pub(super) fn run(peers: Option<&Peers>) -> Outcome {
    // First of all: what it misses is said now, and not after a quarter of an hour.
    let program = Program::new()?;
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
                    .map(|&(whose, peers, aim)| {
                        let ratio = steps.against(peers);
                        Row::new(format!("step / {whose}; {size}"), ratio, Unit::Ratio, aim)
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
    rows.extend(program.measure(peers)?);

    println!("\n{}\n", machine());
    println!("{:<70}{:>12}{:>12}", "", "measured", "at most");
    for row in &rows {
        println!("{row}");
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
