//! The same bits for any number of threads. The pool's size is fixed once per process, so each count is a process.

use std::process::Command;

use candle_core::{Device, Var};
use ganlet_ops::{Activation, AdamStep, adam_step, linear};

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

/// Ten steps of fitting one layer, large enough to be shared among threads, with sizes that divide unevenly.
fn compute() -> candle_core::Result<u64> {
    let values =
        |n: usize, scale: f32| (0..n).map(|i| (i * 7919 % 1013) as f32 * scale - 0.3).collect::<Vec<_>>();
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
    let mut digest = 0u64;
    for tensor in [w.as_tensor(), &moments[0], &moments[1], &input_gradient] {
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            digest = digest.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(value.to_bits());
        }
    }
    Ok(digest)
}
