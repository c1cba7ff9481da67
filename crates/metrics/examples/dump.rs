//! Measures a generator, and writes what was measured and what came out to a file, for others to compute the same:
//!
//! ```sh
//! cargo run --release -p ganlet-metrics --example dump -- runs/classic/generator.safetensors dump.safetensors
//! python scripts/check_metrics.py dump.safetensors
//! ```
//!
//! It prints how long each metric took.

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use candle_core::{Device, Tensor, safetensors};
use ganlet_data::{Name, Request};
use ganlet_metrics::{
    Classes, DigitNetwork, Estimate, Gaussian, KernelMean, Manifold, NEIGHBOURS, Parzen, nearest, sigmas,
};
use ganlet_models::Generator;
use ganlet_ops::normalize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [generator, out] = &arguments[..] else {
        return Err("usage: dump GENERATOR.safetensors OUT.safetensors".into());
    };
    let cpu = &Device::Cpu;
    let mnist = ganlet_data::load(&Request { name: Some(Name::Mnist), ..Request::from_env() }, &mut |_| {})?;
    let [train, test] = [mnist.dataset.train(), mnist.dataset.test()].map(|split| split.images(cpu));
    let (train, test) = (normalize(&train?)?, normalize(&test?)?);
    let generator = Generator::from_bytes(&std::fs::read(generator)?, cpu)?.network;
    let mut numbers: Vec<(&str, Tensor)> = Vec::new();
    let mut add = |name, estimates: &[Estimate]| -> candle_core::Result<()> {
        let values: Vec<f64> = estimates.iter().flat_map(|e| [e.value, e.error]).collect();
        numbers.push((name, Tensor::new(values, cpu)?));
        Ok(())
    };

    let seeds: Vec<u64> = (0..10_000).collect();
    let samples = timed("samples", || generator.sample(&seeds))?;
    let network = DigitNetwork::v1()?;
    let features = timed("features", || network.features(&samples))?;
    let reference = network.features(&test)?;
    let probabilities = network.probabilities(&features)?;

    let gaussian = timed("Fréchet, reference", || Gaussian::of(&reference))?;
    add("frechet", &[timed("Fréchet", || gaussian.distance(&features))?])?;
    let kernel = timed("kernel, reference", || KernelMean::of(&reference))?;
    add("kernel", &[timed("kernel", || kernel.distance(&features))?])?;
    let manifold = timed("overlap, reference", || Manifold::of(&reference, NEIGHBOURS))?;
    let overlap = timed("overlap", || manifold.compare(&features))?;
    add("prdc", &[overlap.precision, overlap.recall, overlap.density, overlap.coverage])?;
    let classes = timed("classes", || Classes::of(&probabilities))?;
    add("classes", &[classes.score, classes.confidence, classes.divergence])?;

    let validation = train.narrow(0, 50_000, 1000)?;
    let parzen = timed("Parzen", || Parzen::fit(&samples, &validation, &test, &sigmas()))?;
    add("parzen", &[parzen.log_likelihood, Estimate { value: parzen.sigma, error: 0. }])?;
    let nearest = timed("nearest", || nearest(&samples, &train))?;
    let distances: Vec<f64> = nearest.iter().map(|nearest| nearest.distance).collect();

    let mut tensors: HashMap<&str, Tensor> = numbers.into_iter().collect();
    tensors.extend([("real", reference), ("fake", features), ("probabilities", probabilities)]);
    tensors.extend([("samples", samples), ("validation", validation), ("test", test), ("train", train)]);
    tensors.insert("nearest", Tensor::new(distances, cpu)?);
    Ok(safetensors::save(&tensors, out)?)
}

fn timed<T, E>(what: &str, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let started = Instant::now();
    let result = f();
    println!("{what}: {:.3} s", started.elapsed().as_secs_f64());
    result
}
