//! Numbers that are known without computing them, and input of which there are none.

use candle_core::{DType, Device, Tensor};
use ganlet_metrics::{
    Classes, DigitJudge, DigitNetwork, Error, Evaluator, Gaussian, Manifold, Parzen, Result, agreement,
    frechet_distance, kernel_distance, nearest,
};
use ganlet_random::Stream;

const CPU: &Device = &Device::Cpu;

/// `(rows, columns)` standard normal values.
fn normal(seed: u64, rows: usize, columns: usize) -> Tensor {
    let mut values = vec![0.; rows * columns];
    Stream::new(seed, 1, 0).fill_normal(&mut values);
    Tensor::from_vec(values, (rows, columns), CPU).unwrap()
}

/// Within a few standard errors.
fn assert_near(what: &str, found: ganlet_metrics::Estimate, expected: f64) {
    assert!((found.value - expected).abs() < 4. * found.error, "{what}: {found:?}, expected {expected}");
}

#[test]
fn a_set_is_at_no_distance_from_itself() -> Result<()> {
    let set = normal(0, 300, 8);
    assert!(frechet_distance(&set, &set)?.value < 1e-9);
    // Unbiased estimates leave out the pairs of a member with itself on one side only: they are below 0 here.
    let kernel = kernel_distance(&set, &set)?;
    assert!(kernel.value < 0. && kernel.value > -0.2, "{kernel:?}");
    let overlap = Manifold::of(&set, 5)?.compare(&set)?;
    assert_eq!((overlap.precision.value, overlap.recall.value, overlap.coverage.value), (1., 1., 1.));
    Ok(())
}

#[test]
fn distances_of_known_gaussians() -> Result<()> {
    // N(0, 1) and N(2, 9) in each of 4 dimensions: 4 (2² + (3 - 1)²).
    let far = (normal(1, 20_000, 4).affine(3., 2.))?;
    let found = frechet_distance(&normal(2, 20_000, 4), &far)?;
    assert!((found.value / 32. - 1.).abs() < 0.03, "{found:?}");
    assert!(found.error > 0.05 && found.error < 1., "{found:?}");
    // Two samples of one distribution: nothing, give or take the error.
    assert_near("kernel", kernel_distance(&normal(3, 1000, 8), &normal(4, 1000, 8))?, 0.);
    Ok(())
}

#[test]
fn standard_errors_are_the_spread_of_repetitions() -> Result<()> {
    let reference = Gaussian::of(&normal(100, 4000, 4))?;
    let found: Vec<_> =
        (0..100).map(|seed| reference.distance(&(normal(seed, 400, 4) + 1.)?)).collect::<Result<_>>()?;
    let mean = found.iter().map(|estimate| estimate.value).sum::<f64>() / 100.;
    let spread = (found.iter().map(|estimate| (estimate.value - mean).powi(2)).sum::<f64>() / 99.).sqrt();
    let error = found.iter().map(|estimate| estimate.error).sum::<f64>() / 100.;
    assert!((error / spread - 1.).abs() < 0.25, "estimated {error}, true {spread}");
    Ok(())
}

#[test]
fn singular_covariances_and_constant_features_have_a_distance() -> Result<()> {
    // Fewer samples than features, moved as a whole.
    let few = normal(5, 10, 40);
    assert!((frechet_distance(&few, &(&few + 0.5)?)?.value - 40. * 0.25).abs() < 1e-4);
    // One point and another: only the means differ; and a point from a set: its mean and variance.
    let ones = Tensor::ones((20, 3), DType::F32, CPU)?;
    assert!((frechet_distance(&ones, &(&ones * 3.)?)?.value - 12.).abs() < 1e-9);
    let spread = Tensor::new(&[[-1f32], [0.], [1.]], CPU)?;
    let point = Tensor::zeros((4, 1), DType::F32, CPU)?;
    assert!((frechet_distance(&spread, &point)?.value - 1.).abs() < 1e-9);
    // All balls of equal samples are empty, so nothing real is in one.
    let overlap = Manifold::of(&normal(6, 100, 3), 5)?.compare(&ones)?;
    assert_eq!(overlap.recall.value, 0.);
    Ok(())
}

#[test]
fn classes_of_known_distributions() -> Result<()> {
    let certain = |classes: &[usize]| {
        let row = |&class: &usize| (0..4).map(move |at| if at == class { 1f64 } else { 0. });
        Tensor::from_iter(classes.iter().flat_map(row), CPU).unwrap().reshape((classes.len(), 4)).unwrap()
    };
    let all = Classes::of(&certain(&[0, 1, 2, 3, 3, 2, 1, 0]))?;
    assert!((all.score.value - 4.).abs() < 1e-9 && all.divergence.value.abs() < 1e-9);
    assert_eq!((all.confidence.value, all.dropped()), (1., vec![]));
    let one = Classes::of(&certain(&[2; 5]))?;
    assert!((one.score.value - 1.).abs() < 1e-9 && (one.divergence.value - 4f64.ln()).abs() < 1e-9);
    assert_eq!((one.histogram.as_slice(), one.dropped()), (&[0., 0., 1., 0.][..], vec![0, 1, 3]));
    let vague = Classes::of(&Tensor::full(0.25f32, (10, 4), CPU)?)?;
    assert!((vague.score.value - 1.).abs() < 1e-6 && vague.confidence.value == 0.25);
    Ok(())
}

#[test]
fn samples_agree_with_the_label_that_is_likeliest() -> Result<()> {
    let probabilities = Tensor::new(&[[0.6, 0.4], [0.3, 0.7], [0.5, 0.5], [0., 1.]], CPU)?;
    // Of two that are equally likely, the first.
    let found = agreement(&probabilities, &[0, 1, 0, 0])?;
    assert_eq!(found.value, 0.75);
    assert!((found.error - (0.75f64 * 0.25 / 4.).sqrt()).abs() < 1e-12, "{}", found.error);
    assert!(matches!(agreement(&probabilities, &[0]), Err(Error::Labels { samples: 4, labels: 1 })));
    Ok(())
}

#[test]
fn a_window_around_one_sample_is_a_normal_distribution() -> Result<()> {
    // One sample at 0, one image at distance 0.5 in each of two pixels of [0, 1].
    let (sample, image) = (Tensor::full(-1f32, (1, 2), CPU)?, Tensor::zeros((1, 2), DType::F32, CPU)?);
    let found = Parzen::fit(&sample, &image, &image, &[0.5])?;
    let expected = -0.5 * 2. - 2. * (0.5 * (2. * std::f64::consts::PI).sqrt()).ln();
    assert!((found.log_likelihood.value - expected).abs() < 1e-6, "{found:?}");
    // Of 0.1 and 0.5, the image is likelier under the wider one.
    assert_eq!(Parzen::fit(&sample, &image, &image, &[0.1, 0.5])?.sigma, 0.5);
    // So far away that no exponential is left.
    assert!(Parzen::fit(&sample, &image, &image, &[1e-3])?.log_likelihood.value < -2.4e5);
    Ok(())
}

#[test]
fn the_nearest_image_of_a_training_image_is_itself() -> Result<()> {
    let training = normal(7, 700, 30).tanh()?;
    for (row, found) in nearest(&training, &training)?.into_iter().enumerate() {
        assert_eq!((found.index, found.distance), (row, 0.));
    }
    let opposite = (Tensor::ones((1, 9), DType::F32, CPU)?, Tensor::full(-1f32, (1, 9), CPU)?);
    assert_eq!(nearest(&opposite.0, &opposite.1)?[0].distance, 3.);
    Ok(())
}

#[test]
fn what_has_no_number_is_refused_by_name() {
    let set = normal(8, 20, 4);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, CPU).unwrap();
    let with = |value: f32| {
        let mut values = vec![0f32; 40];
        values[9] = value;
        Tensor::from_vec(values, (10, 4), CPU).unwrap()
    };
    let two = zeros(&[2, 4]);
    for metric in [frechet_distance, kernel_distance] {
        assert!(matches!(metric(&set, &two), Err(Error::TooFew { what: "features", least: 3, found: 2 })));
        assert!(matches!(metric(&two, &set), Err(Error::TooFew { what: "reference features", .. })));
        assert!(matches!(metric(&set, &zeros(&[20, 5])), Err(Error::Width { expected: 4, found: 5, .. })));
        assert!(matches!(metric(&set, &zeros(&[20])), Err(Error::NotRows { .. })));
        assert!(matches!(metric(&set, &zeros(&[20, 0])), Err(Error::NotRows { .. })));
        for value in [f32::NAN, f32::INFINITY] {
            assert!(matches!(metric(&set, &with(value)), Err(Error::NotFinite { row: 2, .. })));
        }
    }
    // Finite, and their squares are not.
    let huge = (Tensor::rand(0f64, 1., (20, 4), CPU).unwrap() * 1e300).unwrap();
    assert!(matches!(frechet_distance(&set, &huge), Err(Error::Eigenvalues { size: 4 })));

    assert!(matches!(Manifold::of(&set, 0), Err(Error::NoNeighbours)));
    assert!(matches!(Manifold::of(&zeros(&[5, 4]), 5), Err(Error::TooFew { least: 6, .. })));
    let manifold = Manifold::of(&set, 5).unwrap();
    assert!(matches!(manifold.compare(&zeros(&[5, 4])), Err(Error::TooFew { least: 6, .. })));

    assert!(matches!(Classes::of(&zeros(&[3, 4])), Err(Error::NotProbabilities { row: 0, .. })));
    assert!(matches!(Parzen::fit(&set, &two, &two, &[0.1]), Err(Error::Range { what: "samples", .. })));
    assert!(matches!(Parzen::fit(&two, &two, &two, &[]), Err(Error::Sigmas { .. })));
    assert!(matches!(Parzen::fit(&two, &two, &two, &[0.]), Err(Error::Sigmas { .. })));
    assert!(matches!(nearest(&two, &zeros(&[0, 4])), Err(Error::TooFew { .. })));
    assert!(matches!(DigitNetwork::v1().unwrap().features(&two), Err(Error::ImageSize { found: 4 })));
    assert!(matches!(DigitJudge::new(&zeros(&[9, 784])), Err(Error::Tensor(_))));
    let bytes = |n: usize, pixels: usize| Tensor::zeros((n, pixels), DType::U8, CPU).unwrap();
    assert!(matches!(Evaluator::new(&bytes(9, 784), &bytes(9, 30)), Err(Error::Width { .. })));
}

#[test]
fn images_of_another_size_have_pixels_all_the_same() -> Result<()> {
    let digits = |seed| normal(seed, 60, 12).tanh()?.affine(127., 127.)?.to_dtype(DType::U8);
    let evaluator = Evaluator::new(&digits(9)?, &digits(10)?)?;
    let quality = evaluator.evaluate(&normal(11, 30, 12).tanh()?)?;
    assert!(quality.digits.is_none());
    assert!(quality.parzen.log_likelihood.value.is_finite() && quality.nearest.value > 0.);
    assert_eq!(evaluator.training_images(1000)?.samples, 50);
    Ok(())
}
