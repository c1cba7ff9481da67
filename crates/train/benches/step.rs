//! What a training step costs, phase by phase, and what its matrix products cost alone: `cargo xtask bench`.
//!
//! What is timed is [`train`] itself, on images in memory: an [`Observer`] reads the clock after each step, and networks
//! that read it around each call of theirs divide the step into phases. Every so many steps the observer takes its turn and
//! runs the bare products of as many steps, in the same process and on the same threads. So whatever slows the machine down
//! for a while slows both.
//!
//! On a GPU (`--device cuda`) only `train` as a whole is timed, from one report to the next: see `step/gpu.rs`.
//!
//! Prints one line per number, separated by tabs: name, then median, lower and upper quartile, and least over the turns.
//! Times are in microseconds per step.

#[path = "step/gpu.rs"]
mod gpu;

use std::cell::RefCell;
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use candle_core::{Device, Result, Tensor, Var};
use ganlet_models::{Network, Pass};
use ganlet_ops::matmul;
use ganlet_train::{Error, Gan, Observer, ObserverResult, Recipe, Report, steps_per_epoch, train};

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: step [--hidden N] [--batch N] [--steps N] [--turn N] [--alone]
       step --device cuda[:N] [--hidden N] [--batch N] [--steps N] [--turn N] [--tf32] [--square N]
--hidden N   width of the hidden layers, default 256
--batch N    images per step, default 100
--steps N    how many, default 1800; a turn that is begun is ended
--turn N     steps in a turn; default 20, or 300 with --alone and on a GPU
--alone      no bare products between the steps; a turn is then from one report to the next
--device D   cpu, cuda or cuda:N; default cpu. On a GPU a turn is always from one report to the next
--tf32       on a GPU: let large products of f32 round their factors to TF32
--square N   on a GPU: between the turns, products of N x N matrices, and which share of their rate the step reaches";

const IMAGES: usize = 60_000;
const SIDE: usize = 28;

/// Steps in a turn, and repetitions of the products: some 40 ms, short against what disturbs a machine, and long against
/// what the first step after a turn of the products finds no longer in the caches.
const TURN: u64 = 20;

/// From one report to the next, as the recipe has it.
const REPORT: u64 = 300;

/// A step is divided where a network is called and where it is done.
const PHASES: [&str; 13] = [
    "batch: gather and noise",
    "G forward, for both",
    "real and fake as one batch",
    "D forward, real and fake",
    "D's loss and its gradient",
    "D backward, to its weights",
    "D's Adam",
    "D forward, fake",
    "G's loss and its gradient",
    "D backward, to the images",
    "between D and G",
    "G backward, to its weights",
    "G's Adam",
];

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    hidden: usize,
    batch: usize,
    steps: u64,
    turn: Option<u64>,
    alone: bool,
    /// None is the CPU.
    gpu: Option<usize>,
    tf32: bool,
    square: Option<usize>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            hidden: 256,
            batch: 100,
            steps: 1800,
            turn: None,
            alone: false,
            gpu: None,
            tf32: false,
            square: None,
        };
        while let Some(flag) = args.next() {
            if flag == "--device" {
                options.gpu = match args.next().as_deref() {
                    Some("cpu") => None,
                    Some("cuda") => Some(0),
                    Some(name) => Some(name.strip_prefix("cuda:").and_then(|n| n.parse().ok()).ok_or(USAGE)?),
                    None => return Err(USAGE.into()),
                };
                continue;
            }
            let mut number = || args.next().and_then(|n| n.parse().ok()).ok_or(USAGE);
            match flag.as_str() {
                "--hidden" => options.hidden = number()?,
                "--batch" => options.batch = number()?,
                "--steps" => options.steps = number()? as u64,
                "--turn" => options.turn = Some(number()? as u64).filter(|&turn| turn > 0),
                "--alone" => options.alone = true,
                "--tf32" => options.tf32 = true,
                "--square" => options.square = Some(number()?).filter(|&side| side > 0),
                "--bench" => {} // `cargo bench` says so to every benchmark
                _ => return Err(USAGE.into()),
            }
        }
        if options.gpu.is_none() && (options.tf32 || options.square.is_some()) {
            return Err(format!("--tf32 and --square are for a GPU: add --device cuda\n{USAGE}").into());
        }
        options.alone |= options.gpu.is_some();
        Ok(options)
    }
}

/// What is trained, for how many steps, and how many of them are a turn.
struct Plan {
    recipe: Recipe,
    steps: u64,
    turn: u64,
}

impl Plan {
    fn new(options: &Options) -> Outcome<Self> {
        let mut recipe = Recipe::named("classic")?;
        recipe.generator_hidden.fill(options.hidden);
        recipe.discriminator_hidden.fill(options.hidden);
        recipe.batch_size = options.batch;
        let turn = options.turn.unwrap_or(if options.alone { REPORT } else { TURN });
        let steps = options.steps.next_multiple_of(turn);
        if steps < 2 * turn {
            return Err(format!("{steps} steps are less than two turns of {turn}: ask for more").into());
        }
        recipe.epochs = steps.div_ceil(steps_per_epoch(&recipe, IMAGES)?);
        recipe.report_every = if options.alone { turn } else { REPORT.min(steps) };
        Ok(Self { recipe, steps, turn })
    }
}

fn measure(options: &Options) -> Outcome<()> {
    if let Some(number) = options.gpu {
        return gpu::measure(options, number);
    }
    let Plan { recipe, steps, turn } = Plan::new(options)?;
    let images = spots()?;
    let products = if options.alone { Vec::new() } else { products(&recipe, tensor)? };
    for Product(a, b) in &products {
        matmul(a, b)?;
    }
    let stamps = Stamps::default();
    let Gan { generator, discriminator, .. } = Gan::new(&recipe, [SIDE, SIDE], &Device::Cpu)?;
    let timed = (
        Timed { network: generator, stamps: stamps.clone() },
        Timed { network: discriminator, stamps: stamps.clone() },
    );
    let mut gan = Gan::from_networks(timed.0, timed.1, &recipe)?;
    let mut clock = Clock { stamps, turn, steps, products, current: [0.; PHASES.len()], turns: Vec::new() };
    clock.stamps.now();
    match train(&mut gan, &images, &recipe, &mut clock) {
        // The clock has seen enough.
        Err(Error::Observer { step, .. }) if step >= steps => {}
        other => other?,
    }

    // The first turn warms up.
    let turns = &clock.turns[1..];
    let show =
        |name: &str, value: &dyn Fn(&Turn) -> f64| print_quartiles(name, turns.iter().map(value).collect());
    println!("threads\t{}", ganlet_ops::threads());
    println!("turns\t{}\nsteps in a turn\t{turn}", turns.len());
    show("step", &Turn::step);
    if !options.alone {
        print_operations(&clock.products);
        show("products", &|turn| turn.products);
        show("ratio", &|turn| turn.step() / turn.products);
    }
    for (at, name) in PHASES.iter().enumerate() {
        show(&format!("phase: {name}"), &|turn| turn.phases[at]);
    }
    Ok(())
}

/// Median, lower and upper quartile, and least.
fn print_quartiles(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
    println!("{name}\t{:.4}\t{:.4}\t{:.4}\t{:.4}", at(2), at(1), at(3), at(0));
}

/// Prints how many these are and what they come to, and gives that: floating-point operations.
fn print_operations(products: &[Product]) -> f64 {
    let operations = products.iter().map(Product::operations).sum::<usize>() as f64;
    println!("products in a step\t{}\nGFLOP in a step\t{:.4}", products.len(), operations / 1e9);
    operations
}

/// Moments within a step.
#[derive(Clone, Default)]
struct Stamps(Rc<RefCell<Vec<Instant>>>);

impl Stamps {
    fn now(&self) {
        self.0.borrow_mut().push(Instant::now());
    }
}

/// A network that leaves a stamp before and after each of its calls.
struct Timed<N> {
    network: N,
    stamps: Stamps,
}

impl<N: Network> Network for Timed<N> {
    type Pass = Timed<N::Pass>;

    fn forward(&self, input: &Tensor) -> Result<Self::Pass> {
        self.stamps.now();
        let pass = self.network.forward(input);
        self.stamps.now();
        Ok(Timed { network: pass?, stamps: self.stamps.clone() })
    }

    fn parameters(&self) -> &[(String, Var)] {
        self.network.parameters()
    }
}

impl<P: Pass> Pass for Timed<P> {
    fn output(&self) -> &Tensor {
        self.network.output()
    }

    fn rows(&self, first: usize, count: usize) -> Result<Self> {
        Ok(Timed { network: self.network.rows(first, count)?, stamps: self.stamps.clone() })
    }

    fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<Tensor>> {
        self.stamps.now();
        let gradients = self.network.parameter_gradients(gradient);
        self.stamps.now();
        gradients
    }

    fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        self.stamps.now();
        let gradient = self.network.input_gradient(gradient);
        self.stamps.now();
        gradient
    }
}

/// Microseconds per step, the means of a turn.
struct Turn {
    phases: [f64; PHASES.len()],
    products: f64,
}

impl Turn {
    fn step(&self) -> f64 {
        self.phases.iter().sum()
    }
}

/// Reads the clock after each step, and takes its turn with the products.
struct Clock {
    stamps: Stamps,
    turn: u64,
    steps: u64,
    products: Vec<Product>,
    /// The phases of this turn's steps so far, summed up.
    current: [f64; PHASES.len()],
    turns: Vec<Turn>,
}

impl<G, D> Observer<G, D> for Clock {
    fn on_step(&mut self, step: u64) {
        self.stamps.now();
        {
            let mut stamps = self.stamps.0.borrow_mut();
            assert_eq!(
                stamps.len(),
                PHASES.len() + 1,
                "a step calls its networks otherwise than PHASES says"
            );
            for (sum, pair) in self.current.iter_mut().zip(stamps.windows(2)) {
                *sum += (pair[1] - pair[0]).as_secs_f64() * 1e6;
            }
            stamps.clear();
        }
        if step.is_multiple_of(self.turn) {
            let mean = |sum: f64| sum / self.turn as f64;
            let start = Instant::now();
            for _ in 0..self.turn {
                for product in &self.products {
                    black_box(product.run());
                }
            }
            let products = mean(start.elapsed().as_secs_f64() * 1e6);
            self.turns.push(Turn { phases: std::mem::take(&mut self.current).map(mean), products });
        }
        // The next step begins.
        self.stamps.now();
    }

    /// Ends the training after the wanted steps, in the middle of an epoch if need be.
    fn on_report(&mut self, report: &Report) -> ObserverResult {
        match report.step >= self.steps {
            true => Err("these were all the steps".into()),
            false => Ok(()),
        }
    }
}

/// A product of a step, its factors as the step sees them: the weights as they lie, or a view of them.
struct Product(Tensor, Tensor);

impl Product {
    fn run(&self) -> Tensor {
        matmul(&self.0, &self.1).expect("the factors fit, as the first run has shown")
    }

    /// Multiplications and additions.
    fn operations(&self) -> usize {
        2 * self.0.elem_count() * self.1.dims()[1]
    }
}

/// Every product of one step, in the step's order, of factors that `make` makes.
fn products(recipe: &Recipe, make: Make) -> Result<Vec<Product>> {
    let widths = |ends: [usize; 2], hidden: &[usize]| [&ends[..1], hidden, &ends[1..]].concat();
    let generator = Layers::new(&widths([recipe.latent, SIDE * SIDE], &recipe.generator_hidden), make)?;
    let discriminator = Layers::new(&widths([SIDE * SIDE, 1], &recipe.discriminator_hidden), make)?;
    let batch = recipe.batch_size;
    let mut products = Vec::new();

    // G draws the fakes of both halves.
    generator.forward(&generator.values(2 * batch)?, &mut products)?;

    // D learns: real and fake images are one batch.
    let judged = discriminator.values(2 * batch)?;
    discriminator.forward(&judged, &mut products)?;
    discriminator.backward(&judged, Wanted::Parameters, &mut products)?;

    // G learns.
    let judged = discriminator.values(batch)?;
    discriminator.forward(&judged, &mut products)?;
    discriminator.backward(&judged, Wanted::Input, &mut products)?;
    generator.backward(&generator.values(batch)?, Wanted::Parameters, &mut products)?;
    Ok(products)
}

/// A matrix of so many rows and columns.
type Make = fn(usize, usize) -> Result<Tensor>;

/// The weights of a network, `(out, in)` each.
struct Layers {
    weights: Vec<Tensor>,
    make: Make,
}

/// What a pass holds for each layer: its input `(B, in)` and the gradient for its output `(B, out)`.
type Values = Vec<(Tensor, Tensor)>;

#[derive(PartialEq)]
enum Wanted {
    Parameters,
    Input,
}

impl Layers {
    fn new(widths: &[usize], make: Make) -> Result<Self> {
        let weights = widths.windows(2).map(|pair| make(pair[1], pair[0])).collect::<Result<_>>()?;
        Ok(Self { weights, make })
    }

    fn values(&self, batch: usize) -> Result<Values> {
        let make = self.make;
        self.weights.iter().map(|w| Ok((make(batch, w.dim(1)?)?, make(batch, w.dim(0)?)?))).collect()
    }

    fn forward(&self, values: &Values, products: &mut Vec<Product>) -> Result<()> {
        for (weight, (x, _)) in self.weights.iter().zip(values) {
            products.push(Product(x.clone(), weight.t()?));
        }
        Ok(())
    }

    /// From the last layer to the first, whose input's gradient is wanted only where no parameter's is.
    fn backward(&self, values: &Values, wanted: Wanted, products: &mut Vec<Product>) -> Result<()> {
        for (at, (weight, (x, gradient))) in self.weights.iter().zip(values).enumerate().rev() {
            if at > 0 || wanted == Wanted::Input {
                products.push(Product(gradient.clone(), weight.clone()));
            }
            if wanted == Wanted::Parameters {
                products.push(Product(gradient.t()?, x.clone()));
            }
        }
        Ok(())
    }
}

/// `(rows, cols)` in `[-1, 1)`.
fn tensor(rows: usize, cols: usize) -> Result<Tensor> {
    let value = |i: usize| (i * 7919 % 2003) as f32 / 1001.5 - 1.;
    Tensor::from_vec((0..rows * cols).map(value).collect(), (rows, cols), &Device::Cpu)
}

/// Images to train on, `(60,000, 784)` u8: on each a bright spot of radius 7 in another place, black around it. (On noise D would win at once, and
/// train on with vanishing gradients.)
fn spots() -> Result<Tensor> {
    let mut pixels = Vec::with_capacity(IMAGES * SIDE * SIDE);
    for image in 0..IMAGES {
        // Between 8 and 19: the spot lies on the image.
        let (x, y) = (8 + image * 7919 % 12, 8 + image * 104_729 / 12 % 12);
        for at in 0..SIDE * SIDE {
            let distance = (at % SIDE).abs_diff(x).pow(2) + (at / SIDE).abs_diff(y).pow(2);
            pixels.push(255usize.saturating_sub(5 * distance) as u8);
        }
    }
    Tensor::from_vec(pixels, (IMAGES, SIDE * SIDE), &Device::Cpu)
}
