//! How the step's cost grows with batch and width: measured, printed, and drawn.

use super::chart::{Panel, Series, svg};
use super::peers::{self, Peers};
use super::step::Size;
use crate::command::{Outcome, root};

const PICTURE: &str = "docs/images/scaling.svg";

/// Turns of some 40 ms: enough for a median.
const TURNS: usize = 15;

/// Compute-bound is a step that reaches this share of the most floating-point operations per second that the bare products
/// reach at any size.
const SHARE: f64 = 0.7;

/// What one size costs, in ms per step.
struct Point {
    size: Size,
    gflop: f64,
    step: f64,
    products: f64,
    jax: Option<f64>,
}

impl Point {
    fn measure(size: Size, peers: Option<&Peers>) -> Outcome<Self> {
        let figures = size.beside_products(TURNS)?;
        let jax = match peers {
            Some(peers) => Some(peers.step(peers::SCAN, size, size.as_long_as(300, 20))?.1),
            None => None,
        };
        Ok(Self {
            size,
            gflop: figures.median("GFLOP in a step")?,
            step: figures.median("step")? / 1e3,
            products: figures.median("products")? / 1e3,
            jax,
        })
    }

    /// GFLOP/s of the step.
    fn rate(&self) -> f64 {
        self.gflop / self.step * 1e3
    }
}

pub(super) fn run(peers: Option<&Peers>) -> Outcome {
    let measure = |size| Point::measure(size, peers);
    let batches = [25, 50, 100, 200, 400, 800, 1600].map(|batch| Size { batch, ..Size::CLASSIC });
    let widths = [64, 128, 256, 512, 1024, 2048].map(|hidden| Size { hidden, ..Size::CLASSIC });
    let batches = batches.into_iter().map(measure).collect::<Outcome<Vec<_>>>()?;
    let widths = widths.into_iter().map(measure).collect::<Outcome<Vec<_>>>()?;

    let best = batches.iter().chain(&widths).map(|p| p.gflop / p.products * 1e3).fold(0., f64::max);
    let batch = |point: &Point| point.size.batch;
    let width = |point: &Point| point.size.hidden;
    print("batch", &batches, batch, best);
    print("width", &widths, width, best);

    let panels = [
        panel("hidden layers of 256, batch", &batches, batch, best),
        panel("batch 100, width of the hidden layers", &widths, width, best),
    ];
    let path = root().join(PICTURE);
    let label = "Milliseconds per training step against batch and width";
    std::fs::write(&path, svg(label, "ms per step", &panels))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    println!("\n{PICTURE} is drawn.");
    Ok(())
}

fn print(what: &str, points: &[Point], value: impl Fn(&Point) -> usize, best: f64) {
    println!(
        "\n| {what} | step, ms | its products, ms | step / products | GFLOP/s of the step | JAX, ms | step / JAX |"
    );
    println!("|---|---|---|---|---|---|---|");
    for point in points {
        let Point { step, products, jax, .. } = point;
        let (jax, beside) = match jax {
            Some(jax) => (format!("{jax:.3}"), format!("{:.2}", step / jax)),
            None => Default::default(),
        };
        println!(
            "| {} | {step:.3} | {products:.3} | {:.2} | {:.0} | {jax} | {beside} |",
            value(point),
            step / products,
            point.rate()
        );
    }
    let bound: Vec<usize> = points.iter().filter(|point| point.rate() >= SHARE * best).map(&value).collect();
    let (percent, list) = (SHARE * 100., bound.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
    println!(
        "\nCompute-bound, at {percent:.0} % of {best:.0} GFLOP/s or more: {what} {}",
        if list.is_empty() { "none" } else { &list }
    );
}

fn panel(label: &str, points: &[Point], value: impl Fn(&Point) -> usize, best: f64) -> Panel {
    let series = |name: &str, colour, dashed, y: &dyn Fn(&Point) -> Option<f64>| Series {
        name: name.into(),
        colour,
        dashed,
        points: points.iter().filter_map(|point| Some((value(point) as f64, y(point)?))).collect(),
    };
    let all = [
        series("JAX", "#c2410c", false, &|point| point.jax),
        series("Ganlet", "#1d4ed8", false, &|point| Some(point.step)),
        series("its products alone", "#0891b2", false, &|point| Some(point.products)),
        series(&format!("at {best:.0} GFLOP/s"), "#6b7280", true, &|point| Some(point.gflop / best * 1e3)),
    ];
    Panel {
        label: label.into(),
        series: all.into_iter().filter(|series| !series.points.is_empty()).collect(),
    }
}
