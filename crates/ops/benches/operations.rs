//! The operations at the sizes of recipe `classic`: `cargo bench -p ganlet-ops`.
//!
//! `CANDLE_NUM_THREADS` sets the number of threads. Criterion keeps what it measured under `target/criterion`, and says
//! next time what has changed.

use std::hint::black_box;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use ganlet_ops::{
    Activation, AdamStep, Layer, SgdStep, adam_step, average_step, bce_with_logits, denormalize,
    gather_normalize, linear, matmul, mlp, normalize, sgd_step, spectral_norm,
};

/// The program's allocator: with the system's, large results are mapped anew each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 100;
const PIXELS: usize = 784;
const HIDDEN: usize = 256;
const IMAGES: usize = 60_000;
const LEAKY: Activation = Activation::LeakyRelu(0.2);

criterion_group!(benches, products, layers, networks, penalties, losses, adam, updates, batches);
criterion_main!(benches);

/// `(rows, cols)` in `[-1, 1)`.
fn tensor(rows: usize, cols: usize) -> Tensor {
    let value = |i: usize| (i * 7919 % 2003) as f32 / 1001.5 - 1.;
    Tensor::from_vec((0..rows * cols).map(value).collect(), (rows, cols), &Device::Cpu).unwrap()
}

/// As initial weights are: within `1 / sqrt(inputs)`, so that no activation is saturated.
fn weights(outputs: usize, inputs: usize) -> [Tensor; 2] {
    let scaled = |t: Tensor| (t / (inputs as f64).sqrt()).unwrap();
    [scaled(tensor(outputs, inputs)), scaled(tensor(1, outputs)).squeeze(0).unwrap()]
}

fn measure<T>(c: &mut Criterion, name: &str, mut operation: impl FnMut() -> Result<T>) {
    c.bench_function(name, |b| b.iter(|| black_box(operation().unwrap())));
}

fn products(c: &mut Criterion) {
    let (x, [weight, _], gradient) = (tensor(BATCH, PIXELS), weights(HIDDEN, PIXELS), tensor(BATCH, HIDDEN));
    measure(c, "product: forward, 784 to 256", || matmul(&x, &weight.t()?));
    measure(c, "product: input gradient, 256 to 784", || matmul(&gradient, &weight));
    measure(c, "product: weight gradient, 256 x 784", || matmul(&gradient.t()?, &x));
}

fn layers(c: &mut Criterion) {
    for (inputs, outputs, activation) in
        [(PIXELS, HIDDEN, LEAKY), (HIDDEN, HIDDEN, LEAKY), (HIDDEN, PIXELS, Activation::Tanh)]
    {
        let (x, [weight, bias]) = (tensor(BATCH, inputs), weights(outputs, inputs));
        measure(c, &format!("linear: forward, {inputs} to {outputs}"), || {
            linear(&x, &weight, &bias, activation)
        });
        let [x, weight, bias] = [x, weight, bias].map(|t| Var::from_tensor(&t).unwrap());
        measure(c, &format!("linear: forward and candle's backward, {inputs} to {outputs}"), || {
            linear(&x, &weight, &bias, activation)?.sum_all()?.backward()
        });
    }
}

fn networks(c: &mut Criterion) {
    let layer = |(inputs, outputs)| {
        let [weight, bias] = weights(outputs, inputs);
        Layer { weight, bias, activation: LEAKY }
    };
    let layers = [(PIXELS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)].map(layer);
    let (x, gradient) = (tensor(BATCH, PIXELS), tensor(BATCH, 1));
    measure(c, "mlp: forward, 784 to 256 to 256 to 1", || mlp(&x, &layers));
    measure(c, "mlp: forward and the parameters' gradients", || {
        mlp(&x, &layers)?.parameter_gradients(&gradient)
    });
    measure(c, "mlp: forward and the input's gradient", || mlp(&x, &layers)?.input_gradient(&gradient));
}

/// The gradient of R1 for the weights, and the products that it is made of.
fn penalties(c: &mut Criterion) {
    let widths = [(PIXELS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)];
    let layers = widths.map(|(inputs, outputs)| {
        let [weight, bias] = weights(outputs, inputs);
        Layer { weight, bias, activation: if outputs == 1 { Activation::Identity } else { LEAKY } }
    });
    let pass = mlp(&tensor(BATCH, PIXELS), &layers).unwrap();
    let mut gradients = pass.parameter_gradients(&tensor(BATCH, 1)).unwrap();
    let seed = tensor(BATCH, 1);
    measure(c, "penalty: R1 beside a pass", || {
        let slope = pass.input_gradient_pass(&seed)?;
        slope.add_parameter_gradients(slope.gradient(), &mut gradients)
    });

    let (below, above): (Vec<_>, Vec<_>) =
        widths.map(|(inputs, outputs)| (tensor(BATCH, inputs), tensor(BATCH, outputs))).into_iter().unzip();
    measure(c, "penalty: its products alone", || {
        for at in [2, 1, 0] {
            black_box(matmul(&above[at], &layers[at].weight)?);
        }
        for at in [0, 1, 2] {
            black_box(matmul(&above[at].t()?, &below[at])?);
            if at < 2 {
                black_box(matmul(&below[at], &layers[at].weight.t()?)?);
            }
        }
        Ok(())
    });
}

fn losses(c: &mut Criterion) {
    let logits = Var::from_tensor(&tensor(BATCH, 1)).unwrap();
    measure(c, "bce: forward, 100 logits", || bce_with_logits(&logits.detach(), 1.));
    measure(c, "bce: forward and backward, 100 logits", || bce_with_logits(&logits, 1.)?.backward());
}

fn adam(c: &mut Criterion) {
    for (rows, cols) in [(HIDDEN, PIXELS), (HIDDEN, HIDDEN)] {
        let parameter = Var::from_tensor(&tensor(rows, cols)).unwrap();
        let gradient = tensor(rows, cols);
        let [m, v] = [parameter.zeros_like().unwrap(), parameter.zeros_like().unwrap()];
        let mut step = AdamStep { learning_rate: 3e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 0 };
        measure(c, &format!("adam: {rows} x {cols} weights"), || {
            step.step += 1;
            adam_step(&parameter, &gradient, &m, &v, &step)
        });
    }
}

/// What else changes a weight.
fn updates(c: &mut Criterion) {
    let parameter = Var::from_tensor(&tensor(HIDDEN, PIXELS)).unwrap();
    let [gradient, velocity, average] = [(); 3].map(|()| tensor(HIDDEN, PIXELS));
    let step = SgdStep { learning_rate: 1e-6, momentum: 0.5 };
    measure(c, "sgd: 256 x 784 weights", || sgd_step(&parameter, &gradient, &velocity, &step));
    measure(c, "average: 256 x 784 weights", || average_step(&average, &parameter, 0.999));
    let u = tensor(1, HIDDEN).squeeze(0).unwrap();
    measure(c, "spectral norm: 256 x 784 weights", || spectral_norm(&parameter, &u));
    let norm = spectral_norm(&parameter, &u).unwrap();
    measure(c, "spectral norm: gradient, 256 x 784 weights", || norm.weight_gradient(&gradient));
}

fn batches(c: &mut Criterion) {
    let pixels: Vec<u8> = (0..IMAGES * PIXELS).map(|i| (i * 7919 % 251) as u8).collect();
    let pixels = Tensor::from_vec(pixels, (IMAGES, PIXELS), &Device::Cpu).unwrap();
    // Each call takes other images, as training does.
    let batches: Vec<Tensor> = (0..IMAGES / BATCH)
        .map(|batch| {
            let indices: Vec<u32> =
                (0..BATCH).map(|i| ((batch * BATCH + i) * 7919 % IMAGES) as u32).collect();
            Tensor::new(indices, &Device::Cpu).unwrap()
        })
        .collect();
    let mut turn = batches.iter().cycle();
    measure(c, "gather: 100 of 60,000 images", || gather_normalize(&pixels, turn.next().unwrap()));

    let few = pixels.narrow(0, 0, BATCH).unwrap();
    measure(c, "normalize: 100 images", || normalize(&few));
    let normalized = normalize(&few).unwrap();
    measure(c, "denormalize: 100 images", || denormalize(&normalized));
}
