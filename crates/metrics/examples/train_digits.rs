//! Trains the feature network on MNIST and writes its weights, f16.
//!
//! ```sh
//! cargo run --release -p ganlet-metrics --example train_digits -- digits.safetensors
//! ```
//!
//! MNIST is looked for as `ganlet train` looks for it. The same machine makes the same bytes each time; another one's may round
//! differently, which is why the weights of record are kept in `crates/metrics/weights` and not made anew.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var, safetensors};
use candle_nn::loss::cross_entropy;
use ganlet_data::{Name, Request, Split};
use ganlet_metrics::{DigitNetwork, PARAMETERS, SIDE};
use ganlet_ops::{AdamStep, adam_step, normalize};
use ganlet_random::Stream;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EPOCHS: u64 = 20;
const BATCH: usize = 100;
const LEARNING_RATE: f64 = 2e-3;
/// Images are shifted by up to so many pixels in each direction, so that the network does not learn where they stand.
const SHIFT: u32 = 2;

/// What the random numbers are for.
const WEIGHTS: u32 = 1;
const ORDER: u32 = 2;
const SHIFTS: u32 = 3;
const SEED: u64 = 0;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: train_digits FILE.safetensors")?;
    let mnist = ganlet_data::load(&Request { name: Some(Name::Mnist), ..Request::from_env() }, &mut |_| {})?;
    let (train, test) = (mnist.dataset.train(), mnist.dataset.test());

    let variables = initial()?;
    let moments = variables
        .iter()
        .map(|(_, var)| Ok([var.zeros_like()?, var.zeros_like()?]))
        .collect::<Result<Vec<_>>>()?;
    let steps = EPOCHS * (train.len() / BATCH) as u64;
    let mut step = 0;
    for epoch in 0..EPOCHS {
        let started = Instant::now();
        let order = Stream::new(SEED, ORDER, epoch).permutation(train.len() as u32);
        let mut sum = 0.;
        for batch in order.chunks_exact(BATCH) {
            let network = DigitNetwork::from_tensors(tensors(&variables))?;
            let (images, labels) = shifted(train, batch, step)?;
            let loss = cross_entropy(&network.logits(&network.features(&images)?)?, &labels)?;
            let gradients = loss.backward()?;
            step += 1;
            // Half a cosine, from the learning rate down to nothing.
            let learning_rate =
                LEARNING_RATE * 0.5 * (1. + (std::f64::consts::PI * step as f64 / steps as f64).cos());
            let adam = AdamStep { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
            for ((_, var), [m, v]) in variables.iter().zip(&moments) {
                adam_step(var, gradients.get(var).ok_or("no gradient")?, m, v, &adam)?;
            }
            sum += loss.to_scalar::<f32>()?;
        }
        let mean = sum / (train.len() / BATCH) as f32;
        let accuracy = accuracy(&DigitNetwork::from_tensors(tensors(&variables))?, test)?;
        println!("epoch {}: loss {mean:.4}, test {accuracy:.4}, {:.0?}", epoch + 1, started.elapsed());
    }

    let halves: HashMap<&str, Tensor> = variables
        .iter()
        .map(|(name, var)| Ok((*name, var.to_dtype(DType::F16)?)))
        .collect::<candle_core::Result<_>>()?;
    safetensors::save(&halves, &path)?;
    let network = DigitNetwork::from_tensors(safetensors::load(&path, &Device::Cpu)?)?;
    println!("{}: test {:.4} in f16", path.display(), accuracy(&network, test)?);
    Ok(())
}

/// Uniform weights of variance 2 / inputs (He et al., 2015, equation 10), and biases of zero.
fn initial() -> Result<Vec<(&'static str, Var)>> {
    let draw = |(index, &(name, shape)): (usize, &(&'static str, &[usize]))| {
        let values: Vec<f32> = match *shape {
            [outputs, inputs] => {
                let bound = (6. / inputs as f32).sqrt();
                let mut stream = Stream::new(SEED, WEIGHTS, index as u64);
                (0..outputs * inputs).map(|_| stream.uniform_in(-bound, bound)).collect()
            }
            _ => vec![0.; shape.iter().product()],
        };
        Ok((name, Var::from_vec(values, shape, &Device::Cpu)?))
    };
    PARAMETERS.iter().enumerate().map(draw).collect()
}

fn tensors(variables: &[(&'static str, Var)]) -> HashMap<String, Tensor> {
    variables.iter().map(|(name, var)| (name.to_string(), var.as_tensor().clone())).collect()
}

/// The images of a batch, each moved a little, `(B, 784)` in [-1, 1], and their labels.
fn shifted(split: &Split, batch: &[u32], step: u64) -> Result<(Tensor, Tensor)> {
    let mut stream = Stream::new(SEED, SHIFTS, step);
    let mut pixels = vec![0u8; batch.len() * SIDE * SIDE];
    for (to, &index) in pixels.chunks_exact_mut(SIDE * SIDE).zip(batch) {
        let from = &split.image_bytes()[index as usize * SIDE * SIDE..][..SIDE * SIDE];
        let [down, right] =
            [(); 2].map(|()| (stream.below(2 * SHIFT + 1) as usize).wrapping_sub(SHIFT as usize));
        for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
            let (source_row, source_column) = (row.wrapping_add(down), column.wrapping_add(right));
            if source_row < SIDE && source_column < SIDE {
                to[row * SIDE + column] = from[source_row * SIDE + source_column];
            }
        }
    }
    let images = normalize(&Tensor::from_vec(pixels, (batch.len(), SIDE * SIDE), &Device::Cpu)?)?;
    let labels: Vec<u32> =
        batch.iter().map(|&index| u32::from(split.label_bytes()[index as usize])).collect();
    Ok((images, Tensor::new(labels, &Device::Cpu)?))
}

/// The share of images whose digit is recognised.
fn accuracy(network: &DigitNetwork, split: &Split) -> Result<f64> {
    let features = network.features(&normalize(&split.images(&Device::Cpu)?)?)?;
    let found = network.logits(&features)?.argmax(1)?.to_vec1::<u32>()?;
    let right = found.iter().zip(split.label_bytes()).filter(|(found, label)| **found == u32::from(**label));
    Ok(right.count() as f64 / split.len() as f64)
}
