//! The step on a GPU: nobody looks between two steps there, for the host does not wait for them.
//!
//! What is timed is `train` from one report to the next. A report reads the losses, which waits for the GPU, so all steps of a turn are
//! done when the clock is read. The networks are the plain ones, which are recorded and replayed; one that reads the clock
//! around its calls would see the host's work alone, and could not be recorded.
//!
//! Beside it stands how long the host took to ask for a step: where that comes near the step itself, the GPU waits for the host.

use std::time::{Duration, Instant};

use candle_core::cuda::set_gemm_reduced_precision_f32;
use candle_core::{DType, Device, Result, Tensor};
use ganlet_train::{Error, Gan, Observer, ObserverResult, Report, train};

use super::{Options, Outcome, Plan, SIDE, print_operations, print_quartiles, products, spots, tensor};

pub(crate) fn measure(options: &Options, number: usize) -> Outcome<()> {
    let device = open(number)?;
    set_gemm_reduced_precision_f32(options.tf32);
    let Plan { recipe, steps, turn } = Plan::new(options)?;
    let images = spots()?.to_device(&device)?;
    let mut gan = Gan::new(&recipe, [SIDE, SIDE], &device)?;
    let square = options.square.map(|side| Square::new(side, &device)).transpose()?;
    let (since, asked) = (Instant::now(), Duration::ZERO);
    let mut clock = Clock { turn, steps, square, turns: Vec::new(), since, asked };
    match train(&mut gan, &images, &recipe, &mut clock) {
        // The clock has seen enough.
        Err(Error::Observer { step, .. }) if step >= steps => {}
        other => other?,
    }

    // The first turn warms up: it loads the kernels, and records the step.
    let turns = &clock.turns[1..];
    let show =
        |name: &str, value: &dyn Fn(&Turn) -> f64| print_quartiles(name, turns.iter().map(value).collect());
    println!("precision\t{}", if options.tf32 { "TF32" } else { "f32" });
    println!("turns\t{}\nsteps in a turn\t{turn}", turns.len());
    show("step", &|turn| turn.step * 1e6);
    show("host: asking for a step", &|turn| turn.host * 1e6);
    let operations = print_operations(&products(&recipe, shape)?);
    show("TFLOP/s", &|turn| operations / turn.step / 1e12);
    if options.square.is_some() {
        show("square products: TFLOP/s", &|turn| turn.rate / 1e12);
        show("share", &|turn| operations / turn.step / turn.rate);
    }
    Ok(())
}

fn open(number: usize) -> Outcome<Device> {
    let open = ganlet_ops::open_gpu(number);
    open.map_err(|error| format!("--device cuda:{number}: expected a GPU, found none: {error}").into())
}

/// Seconds per step, the mean of a turn, those in which the host asked for it, and what the square products after it did per second.
struct Turn {
    step: f64,
    host: f64,
    rate: f64,
}

/// Reads the clock at each report, and takes its turn with the square products.
struct Clock {
    turn: u64,
    steps: u64,
    square: Option<Square>,
    turns: Vec<Turn>,
    since: Instant,
    /// From then until the last step was asked for.
    asked: Duration,
}

impl<G, D> Observer<G, D> for Clock {
    fn on_step(&mut self, _steps: u64) {
        self.asked = self.since.elapsed();
    }

    /// Ends the training after the wanted steps, in the middle of an epoch if need be.
    fn on_report(&mut self, report: &Report) -> ObserverResult {
        let per_step = |time: Duration| time.as_secs_f64() / self.turn as f64;
        let (step, host) = (per_step(self.since.elapsed()), per_step(self.asked));
        let rate = self.square.as_ref().map_or(Ok(f64::NAN), Square::rate)?;
        self.turns.push(Turn { step, host, rate });
        if report.step >= self.steps {
            return Err("these were all the steps".into());
        }
        self.since = Instant::now();
        Ok(())
    }
}

/// Two square matrices, whose product is as fast as the GPU multiplies.
struct Square(Tensor, Tensor);

impl Square {
    /// Products in a measurement.
    const TIMES: usize = 10;

    fn new(side: usize, device: &Device) -> Result<Self> {
        let make = || tensor(side, side)?.to_device(device);
        let square = Self(make()?, make()?);
        // The first product loads the library.
        square.rate()?;
        Ok(square)
    }

    /// Floating-point operations per second.
    fn rate(&self) -> Result<f64> {
        let Self(a, b) = self;
        let start = Instant::now();
        for _ in 0..Self::TIMES {
            a.matmul(b)?;
        }
        a.device().synchronize()?;
        let operations = Self::TIMES * 2 * a.elem_count() * b.dim(1)?;
        Ok(operations as f64 / start.elapsed().as_secs_f64())
    }
}

/// A matrix that has a shape, and no memory for its elements: enough to count what its products take.
fn shape(rows: usize, columns: usize) -> Result<Tensor> {
    Tensor::zeros((1, 1), DType::F32, &Device::Cpu)?.broadcast_as((rows, columns))
}
