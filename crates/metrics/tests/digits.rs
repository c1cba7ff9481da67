//! The feature network, and everything at once on digits; the same bits for any number of threads.

use std::process::Command;

use candle_core::Device;
use ganlet_data::{Name, Request, synthetic};
use ganlet_metrics::{DigitNetwork, Evaluator, Result};
use ganlet_ops::normalize;

/// Set for the processes that compute; they print all their numbers.
const CHILD: &str = "GANLET_TEST_CHILD";

#[test]
fn the_network_knows_digits() -> Result<()> {
    let network = DigitNetwork::v1()?;
    let accuracy = |dataset: &ganlet_data::Dataset| {
        let images = normalize(&dataset.test().images(&Device::Cpu).unwrap()).unwrap();
        let features = network.features(&images).unwrap();
        let found = network.logits(&features).unwrap().argmax(1).unwrap().to_vec1::<u32>().unwrap();
        let labels = dataset.test().label_bytes();
        let right = found.iter().zip(labels).filter(|(found, label)| **found == u32::from(**label));
        right.count() as f64 / labels.len() as f64
    };
    // It has never seen these, which another hand draws.
    let synthetic = accuracy(&synthetic::digits(1, 2000));
    assert!(synthetic > 0.6, "{synthetic}");
    // Where real MNIST is at hand.
    let request = Request { name: Some(Name::Mnist), offline: true, ..Request::from_env() };
    if std::env::var_os("GANLET_DATA_DIR").is_some()
        && let Ok(mnist) = ganlet_data::load(&request, &mut |_| {})
    {
        let real = accuracy(&mnist.dataset);
        assert!(real >= 0.992, "{real}");
    }
    Ok(())
}

#[test]
fn numbers_do_not_depend_on_the_number_of_threads() {
    if std::env::var_os(CHILD).is_some() {
        println!("numbers {:?} end", numbers().unwrap());
        return;
    }
    let numbers: Vec<String> = ["1", "2", "3", "7"]
        .map(|threads| {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "numbers_do_not_depend_on_the_number_of_threads", "--nocapture"])
                .env(CHILD, "1")
                .env("CANDLE_NUM_THREADS", threads)
                .env("RAYON_NUM_THREADS", threads)
                .output()
                .unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let (start, end) = (output.find("numbers Quality"), output.find(" end"));
            output[start.expect("numbers")..end.expect("an end")].to_owned()
        })
        .into();
    assert!(numbers.iter().all(|n| *n == numbers[0]), "{numbers:?}");
}

/// All numbers of some digits held against others; `Debug` shows every bit of a float.
fn numbers() -> Result<ganlet_metrics::Quality> {
    let digits = synthetic::digits(3000, 700);
    let [train, test] = [digits.train(), digits.test()].map(|split| split.images(&Device::Cpu).unwrap());
    let evaluator = Evaluator::new(&train.narrow(0, 0, 2000)?, &test)?;
    let quality = evaluator.evaluate(&normalize(&train.narrow(0, 2000, 1000)?)?)?;

    // Digits of the same hand are like digits: the anchors hold them between them.
    let (best, worst) = (evaluator.training_images(1000)?, evaluator.noise(1000)?);
    let [found, best, worst] = [&quality, &best, &worst].map(|quality| {
        let digits = quality.digits.as_ref().unwrap();
        (digits.judgement.frechet.value, digits.overlap.coverage.value, quality.parzen.log_likelihood.value)
    });
    assert!(found.0 < best.0 * 2. && found.0 < worst.0 / 10., "{found:?} {best:?} {worst:?}");
    assert!(found.1 > 0.8 && worst.1 < 0.1 && worst.2 < found.2, "{found:?} {best:?} {worst:?}");
    let nearest = quality.nearest_to_test;
    assert!((nearest.value - 1.).abs() < 5. * nearest.error, "{nearest:?}");
    Ok(quality)
}
