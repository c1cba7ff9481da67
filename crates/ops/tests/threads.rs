//! The same bits for any number of threads. The pool's size is fixed once per process, so each count is a process.

use std::process::Command;

use candle_core::{DType, Device, Result, Tensor, Var};
use ganlet_ops::{
    Activation, AdamStep, Layer, SgdStep, adam_step, average_step, linear, mlp_with_dropout, sgd_step,
    spectral_norm,
};

/// Set for the processes that compute; they print a digest of every bit.
const CHILD: &str = "GANLET_TEST_CHILD";

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    if std::env::var_os(CHILD).is_some() {
        println!("digest {:016x}", compute().unwrap());
        return;
    }
    let digests: Vec<String> = ["1", "2", "3", "7"]
        .map(|threads| {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "bits_do_not_depend_on_the_number_of_threads", "--nocapture"])
                .env(CHILD, "1")
                .env("CANDLE_NUM_THREADS", threads)
                .output()
                .unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let start = output.find("digest").unwrap_or_else(|| panic!("no digest in {output}"));
            output[start..start + 23].to_owned()
        })
        .into();
    assert!(digests.iter().all(|d| *d == digests[0]), "{digests:?}");
}

/// A digest of what all operations compute, large enough to be shared among threads, with sizes that divide unevenly.
fn compute() -> Result<u64> {
    let mut digest = 0u64;
    for tensor in fitted_layer()?.into_iter().chain(penalised_critic()?) {
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            digest = digest.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(value.to_bits());
        }
    }
    Ok(digest)
}

fn values(n: usize, scale: f32) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 1013) as f32 * scale - 0.3).collect()
}

/// Ten steps of fitting one layer: its weight, both moments, and a sum of gradients.
fn fitted_layer() -> Result<Vec<Tensor>> {
    let x = Var::from_vec(values(100 * 301, 1e-3), (100, 301), &Device::Cpu)?;
    let w = Var::from_vec(values(785 * 301, 1e-4), (785, 301), &Device::Cpu)?;
    let b = Var::from_vec(values(785, 1e-3), 785, &Device::Cpu)?;
    let moments = [w.zeros_like()?, w.zeros_like()?];
    let mut input_gradient = x.zeros_like()?;
    for step in 1..=10 {
        let loss = linear(&x, &w, &b, Activation::Tanh)?.sqr()?.mean_all()?;
        let grads = loss.backward()?;
        let step = AdamStep { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
        input_gradient = (input_gradient + grads.get(&x).unwrap())?;
        adam_step(&w, grads.get(&w).unwrap(), &moments[0], &moments[1], &step)?;
    }
    let [m, v] = moments;
    Ok(vec![w.as_detached_tensor(), m, v, input_gradient])
}

/// Three steps of a maxout critic with dropout and a penalty on its slope: its weights, velocities and averages.
fn penalised_critic() -> Result<Vec<Tensor>> {
    let matrix = |rows: usize, cols: usize, scale| {
        Tensor::from_vec(values(rows * cols, scale), (rows, cols), &Device::Cpu)
    };
    let (batch, pixels, units, pieces) = (90, 785, 131, 3);
    let x = matrix(batch, pixels, 1e-3)?;
    let mask = (x.gt(0.)?.to_dtype(DType::F32)? * 2.)?;
    let weights = [
        Var::from_tensor(&matrix(units * pieces, pixels, 5e-4)?)?,
        Var::from_tensor(&matrix(1, units, 1e-3)?)?,
    ];
    let [velocities, averages] = [0, 1].map(|_| weights.each_ref().map(|w| w.copy().unwrap()));
    let mut u = matrix(1, units * pieces, 1e-3)?.squeeze(0)?;
    for _ in 0..3 {
        let norm = spectral_norm(&weights[0], &u)?;
        let layers = [
            Layer {
                weight: norm.weight.clone(),
                bias: matrix(1, units * pieces, 1e-3)?.squeeze(0)?,
                activation: Activation::Maxout(pieces),
            },
            Layer {
                weight: weights[1].as_tensor().clone(),
                bias: Tensor::zeros(1, DType::F32, &Device::Cpu)?,
                activation: Activation::Identity,
            },
        ];
        let pass = mlp_with_dropout(&x, &layers, &[Some(mask.clone()), None])?;
        let mut gradients = pass.parameter_gradients(pass.output())?;
        let slope = pass.input_gradient_pass(&pass.output().ones_like()?)?;
        slope.add_parameter_gradients(slope.gradient(), &mut gradients)?;
        gradients[0].weight = norm.weight_gradient(&gradients[0].weight)?;
        for (i, weight) in weights.iter().enumerate() {
            let step = SgdStep { learning_rate: 1e-4, momentum: 0.5 };
            sgd_step(weight, &gradients[i].weight, &velocities[i], &step)?;
            average_step(&averages[i], weight, 0.9)?;
        }
        u = norm.u;
    }
    let weights = weights.iter().map(|w| w.as_detached_tensor());
    Ok(weights.chain(velocities).chain(averages).chain([u]).collect())
}
