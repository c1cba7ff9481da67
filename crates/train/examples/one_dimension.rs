//! The figure of one dimension: Goodfellow et al., *Generative adversarial nets* (NeurIPS 2014), figure 1, from a training.
//!
//! ```sh
//! cargo run --release -p ganlet-train --example one_dimension -- docs/images/one-dimension.svg
//! ```
//!
//! The data (dotted) are numbers from a normal distribution. A generator makes numbers (solid) of uniform ones, along the arrows;
//! a discriminator (dashed) tells which are which. Four panels over the training: the generator moves to where the
//! discriminator takes numbers for data, until it has nothing to go by and says 1/2 everywhere.

use std::error::Error;
use std::fmt::Write;

use candle_core::{Device, Tensor};
use ganlet_models::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Network};
use ganlet_random::Stream;
use ganlet_train::draw::Noise;
use ganlet_train::{Batch, Gan, Recipe, step};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The data: mean and standard deviation, well within the generator's range of -1 to 1.
const DATA: (f32, f32) = (-0.3, 0.18);

/// Steps done at each panel.
const PANELS: [u64; 4] = [60, 1000, 4000, 50_000];

const BATCH: usize = 512;
const HIDDEN: [usize; 2] = [32, 32];

/// What the random numbers are for.
const REAL: u32 = 1;
const LATENTS: u32 = 2;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).ok_or("usage: one_dimension FILE.svg")?;
    let mut recipe = Recipe::named("classic")?;
    // Without the first moment: two players with momentum circle each other for long. And a generator that learns more slowly always
    // meets a discriminator that knows where it is (Heusel et al., NeurIPS 2017).
    (recipe.learning_rate, recipe.discriminator_learning_rate, recipe.beta1) = (5e-5, Some(1e-3), 0.);
    let image = [1, 1];
    let generator = GeneratorConfig::new(1, &HIDDEN, image);
    let generator = Generator::new(generator, recipe.seed, &Device::Cpu)?;
    let discriminator = DiscriminatorConfig::new(&HIDDEN, image);
    let discriminator = Discriminator::new(discriminator, recipe.seed, &Device::Cpu)?;
    let mut gan = Gan::from_networks(generator, discriminator, &recipe)?;

    let mut figure = Figure::new();
    for steps in PANELS {
        while gan.steps < steps {
            let mut real = vec![0.; BATCH];
            Stream::new(recipe.seed, REAL, gan.steps).fill_normal(&mut real);
            let real: Vec<f32> = real.into_iter().map(|x| DATA.0 + DATA.1 * x).collect();
            let mut stream = Stream::new(recipe.seed, LATENTS, gan.steps);
            let latents = column((0..2 * BATCH).map(|_| stream.uniform_in(-1., 1.)).collect())?;
            let batch = Batch { images: column(real)?, labels: None };
            step(&mut gan, &recipe, 0., &batch, &Noise::from_latents(latents))?;
        }
        figure.panel(&gan)?;
    }
    std::fs::write(path, figure.finish())?;
    Ok(())
}

fn column(values: Vec<f32>) -> candle_core::Result<Tensor> {
    let count = values.len();
    Tensor::from_vec(values, (count, 1), &Device::Cpu)
}

/// `count` numbers from -1 to 1, equally far apart.
fn grid(count: usize) -> Vec<f32> {
    (0..count).map(|i| 2. * i as f32 / (count - 1) as f32 - 1.).collect()
}

fn generated(gan: &Gan, latents: Vec<f32>) -> Result<Vec<f32>> {
    Ok(gan.generator.forward(&column(latents)?)?.output().flatten_all()?.to_vec1()?)
}

/// Sizes in a panel, in pixels: its width, the height of its curves, where z and x are under them.
const WIDTH: f32 = 230.;
const HEIGHT: f32 = 150.;
const X_LINE: f32 = HEIGHT + 14.;
const Z_LINE: f32 = HEIGHT + 62.;
const MARGIN: f32 = 14.;

/// An SVG file that grows by panels.
struct Figure {
    panels: usize,
    svg: String,
}

impl Figure {
    fn new() -> Self {
        Self { panels: 0, svg: String::new() }
    }

    /// Adds the state of a training.
    fn panel(&mut self, gan: &Gan) -> Result<()> {
        let x = grid(231);
        let left = MARGIN + self.panels as f32 * (WIDTH + 2. * MARGIN);
        let at = |x: f32| (x + 1.) / 2. * WIDTH;
        writeln!(self.svg, "<g transform=\"translate({left} {MARGIN})\">")?;

        // Densities on one scale, on which the data reach to 0.7 of the height; higher peaks are cut off.
        let peak = 1. / (DATA.1 * (2. * std::f32::consts::PI).sqrt());
        let data = x.iter().map(|x| peak * (-0.5 * ((x - DATA.0) / DATA.1).powi(2)).exp());
        let density = |density: f32| HEIGHT * (1. - (0.7 * density / peak).min(1.));
        self.curve(&x, data.map(density), "black", "1 4")?;
        let made = histogram(&generated(gan, grid(200_001))?, x.len());
        self.curve(&x, made.into_iter().map(density), "green", "none")?;

        // D from 0 at the bottom to 1 at the top.
        let logits =
            gan.discriminator.forward(&column(x.clone())?)?.output().flatten_all()?.to_vec1::<f32>()?;
        self.curve(&x, logits.iter().map(|l| HEIGHT * (1. - 1. / (1. + (-l).exp()))), "blue", "6 4")?;

        for (y, name) in [(HEIGHT, ""), (X_LINE, "x"), (Z_LINE, "z")] {
            writeln!(self.svg, "<path d=\"M0 {y}H{WIDTH}\" stroke=\"black\"/>")?;
            writeln!(self.svg, "<text x=\"-11\" y=\"{}\">{name}</text>", y + 4.)?;
        }
        let latents = grid(17);
        for (z, x) in latents.iter().zip(generated(gan, latents.clone())?) {
            let (from, to) = (at(*z), at(x));
            writeln!(
                self.svg,
                "<path d=\"M{from:.1} {Z_LINE}L{to:.1} {}\" stroke=\"grey\" marker-end=\"url(#tip)\"/>",
                X_LINE + 2.
            )?;
        }
        let middle = WIDTH / 2.;
        writeln!(
            self.svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">step {}</text>\n</g>",
            Z_LINE + 22.,
            gan.steps
        )?;
        self.panels += 1;
        Ok(())
    }

    fn curve(&mut self, x: &[f32], y: impl Iterator<Item = f32>, color: &str, dashes: &str) -> Result<()> {
        let points: String =
            x.iter().zip(y).map(|(x, y)| format!("{:.1},{y:.1} ", (x + 1.) / 2. * WIDTH)).collect();
        writeln!(
            self.svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\" stroke-dasharray=\"{dashes}\"/>",
            points.trim_end()
        )?;
        Ok(())
    }

    fn finish(self) -> String {
        let (width, height) = (self.panels as f32 * (WIDTH + 2. * MARGIN), Z_LINE + 40.);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
             <marker id=\"tip\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
             <path d=\"M0 0L6 3L0 6z\" fill=\"grey\"/></marker>\n{}</svg>\n",
            self.svg
        )
    }
}

/// The density of `values` in [-1, 1] at the points of a grid.
fn histogram(values: &[f32], points: usize) -> Vec<f32> {
    let cell = 2. / (points - 1) as f32;
    let mut counts = vec![0f32; points];
    for value in values {
        counts[((value + 1.) / cell).round() as usize] += 1.;
    }
    counts.iter().map(|count| count / (values.len() as f32 * cell)).collect()
}
