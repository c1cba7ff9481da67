//! What changes weights: against the plain forms, and at the edges. (`golden.rs` has PyTorch's numbers.)

use candle_core::{DType, Device, Tensor, Var};
use ganlet_ops::{SgdStep, average_step, reference, sgd_step, spectral_norm};
use proptest::prelude::*;

fn tensor(seed: usize, shape: (usize, usize)) -> Tensor {
    let values: Vec<f32> =
        (0..shape.0 * shape.1).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn vector(seed: usize, len: usize) -> Tensor {
    tensor(seed, (1, len)).squeeze(0).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(got.shape(), expected.shape());
    for (i, (g, e)) in values(got).into_iter().zip(values(expected)).enumerate() {
        assert!((g - e).abs() <= tolerance * e.abs().max(1.), "element {i}: {g}, expected {e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn updates_are_their_references(rows in 1usize..200, cols in prop::sample::select(vec![1usize, 15, 17, 301])) {
        let step = SgdStep { learning_rate: 0.1, momentum: 0.7 };
        let shape = (rows, cols);
        let [fused, plain] = [sgd_step, reference::sgd_step].map(|sgd| {
            let (p, v) = (Var::from_tensor(&tensor(1, shape)).unwrap(), tensor(2, shape));
            sgd(&p, &tensor(3, shape), &v, &step).unwrap();
            [p.as_detached_tensor(), v]
        });
        let [average, plain_average] = [average_step, reference::average_step].map(|average_step| {
            let average = tensor(4, shape);
            average_step(&average, &tensor(5, shape), 0.9).unwrap();
            average
        });
        for (fused, plain) in fused.iter().zip(&plain).chain([(&average, &plain_average)]) {
            assert_close(fused, plain, 1e-6);
        }
    }

    #[test]
    fn spectral_norms_are_their_references(
        outputs in prop::sample::select(vec![1usize, 3, 65, 256, 301]),
        inputs in prop::sample::select(vec![1usize, 2, 33, 784]),
    ) {
        let (weight, u, gradient) = (tensor(1, (outputs, inputs)), vector(2, outputs), tensor(3, (outputs, inputs)));
        let fused = spectral_norm(&weight, &u).unwrap();
        let plain = reference::spectral_norm(&weight, &u).unwrap();
        for (fused, plain) in
            [(&fused.weight, &plain.weight), (&fused.u, &plain.u), (&fused.v, &plain.v), (&fused.sigma, &plain.sigma)]
        {
            assert_close(fused, plain, 2e-5);
        }
        let for_weight = fused.weight_gradient(&gradient).unwrap();
        assert_close(&for_weight, &reference::spectral_norm_gradient(&plain, &gradient).unwrap(), 1e-4);
    }
}

#[test]
fn iterations_find_the_largest_singular_value() {
    // Diagonal but for a rotation of each side: its singular values are 3, 2 and 1.
    let rotation = |angle: f32| {
        let (sin, cos) = angle.sin_cos();
        Tensor::new(&[[cos, -sin, 0.], [sin, cos, 0.], [0., 0., 1.]], &Device::Cpu).unwrap()
    };
    let diagonal = Tensor::new(&[[1f32, 0., 0.], [0., 3., 0.], [0., 0., 2.]], &Device::Cpu).unwrap();
    let weight = rotation(0.4).matmul(&diagonal).unwrap().matmul(&rotation(1.1)).unwrap();
    let mut norm = spectral_norm(&weight, &vector(1, 3)).unwrap();
    for _ in 0..30 {
        norm = spectral_norm(&weight, &norm.u).unwrap();
    }
    assert_close(&norm.sigma, &Tensor::new(3f32, &Device::Cpu).unwrap(), 1e-6);
    assert_close(&(norm.weight * 3.).unwrap(), &weight, 1e-6);
}

/// A matrix of zeros gives no NaN, and does not take the direction along from which the next begins.
#[test]
fn a_weight_of_zeros_has_a_spectral_norm() {
    for dtype in [DType::F32, DType::F64] {
        let zeros = Tensor::zeros((4, 3), dtype, &Device::Cpu).unwrap();
        let u = vector(1, 4).to_dtype(dtype).unwrap();
        let norm = spectral_norm(&zeros, &u).unwrap();
        let narrow = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
        assert_eq!(values(&narrow(&norm.weight)), [0.; 12]);
        assert_eq!(values(&narrow(&norm.u)), values(&narrow(&u)));
        let gradient = narrow(&norm.weight_gradient(&tensor(2, (4, 3)).to_dtype(dtype).unwrap()).unwrap());
        assert!(values(&gradient).iter().all(|g| g.is_finite()));
    }
}

#[test]
fn an_average_of_what_stays_stays() {
    let (average, parameter) = (tensor(1, (30, 40)), tensor(1, (30, 40)));
    for _ in 0..100 {
        average_step(&average, &parameter, 0.999).unwrap();
    }
    assert_eq!(values(&average), values(&parameter));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let weight = Var::from_tensor(&tensor(1, (4, 3))).unwrap();
    let (other, narrow) = (tensor(2, (4, 3)), tensor(3, (4, 2)));
    let step = SgdStep { learning_rate: 0.1, momentum: 0.9 };
    assert!(sgd_step(&weight, &narrow, &other, &step).is_err());
    assert!(sgd_step(&weight, &other, &other, &step).is_err(), "gradient and velocity in one memory");
    assert!(average_step(&other, &narrow, 0.9).is_err());
    assert!(average_step(&other, &other, 0.9).is_err(), "both in one memory");
    for decay in [-0.1, 1.1, f64::NAN] {
        assert!(average_step(&other, &weight, decay).is_err());
    }
    let message = spectral_norm(&weight, &vector(1, 3)).unwrap_err().to_string();
    assert!(message.contains("(4,)") && message.contains("[3]"), "{message}");
    let norm = spectral_norm(&weight, &vector(1, 4)).unwrap();
    assert!(norm.weight_gradient(&narrow).is_err());
}
