//! Each operation against its plain-candle reference, in value and gradient, and against finite differences.

use candle_core::{DType, Device, Error, Result, Tensor, Var};
use ganlet_ops::{
    Activation, AdamStep, adam_step, adam_steps, bce_with_logits, center, denormalize, gather_normalize,
    join, linear, normalize, reference,
};
use proptest::prelude::*;

const CPU: Device = Device::Cpu;
const ACTIVATIONS: [Activation; 7] = [
    Activation::Identity,
    Activation::LeakyRelu(0.2),
    Activation::LeakyRelu(0.),
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Maxout(1),
    Activation::Maxout(5),
];

/// Values in `[-1, 1)` that depend on `seed`, without a pattern that could hide a transposed index.
fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.
        })
        .collect()
}

fn tensor(seed: u64, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values(seed, shape.iter().product()), shape, &CPU).unwrap()
}

fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(got.shape(), expected.shape());
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (i, (g, e)) in flat(got).into_iter().zip(flat(expected)).enumerate() {
        assert!((g - e).abs() <= tolerance * e.abs().max(1.), "element {i}: {g}, expected {e}");
    }
}

fn pieces(activation: Activation) -> usize {
    if let Activation::Maxout(pieces) = activation { pieces } else { 1 }
}

type Layer = fn(&Tensor, &Tensor, &Tensor, Activation) -> Result<Tensor>;

/// Multiples of 1/16: sums of their products are exact, so that two ways to compute them are on the same side of a kink.
fn coarse(seed: u64, shape: &[usize]) -> Tensor {
    ((tensor(seed, shape) * 16.).unwrap().round().unwrap() / 16.).unwrap()
}

/// The output of a layer and the gradients of a weighted sum of it: `[y, dx, dw, db]`.
fn forward_backward(layer: Layer, activation: Activation, sizes: [usize; 3]) -> [Tensor; 4] {
    let [batch, inputs, outputs] = sizes;
    let rows = outputs * pieces(activation);
    let x = Var::from_tensor(&coarse(1, &[batch, inputs])).unwrap();
    let w = Var::from_tensor(&coarse(2, &[rows, inputs])).unwrap();
    let b = Var::from_tensor(&coarse(3, &[rows])).unwrap();
    let y = layer(&x, &w, &b, activation).unwrap();
    let grads = (&y * tensor(4, &[batch, outputs])).unwrap().sum_all().unwrap().backward().unwrap();
    [y, grads.get(&x).unwrap().clone(), grads.get(&w).unwrap().clone(), grads.get(&b).unwrap().clone()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn linear_is_its_reference(
        batch in 1usize..40, inputs in 1usize..150, outputs in 1usize..150, which in 0..ACTIVATIONS.len(),
    ) {
        let sizes = [batch, inputs, outputs];
        let fused = forward_backward(linear, ACTIVATIONS[which], sizes);
        let plain = forward_backward(reference::linear, ACTIVATIONS[which], sizes);
        for (fused, plain) in fused.iter().zip(&plain) {
            assert_close(fused, plain, 2e-5);
        }
    }

    /// Wide enough that sums are cut in two and tiles are padded, which narrow layers do not need.
    #[test]
    fn wide_layers_are_their_reference(
        batch in 1usize..30, inputs in prop::sample::select(vec![1usize, 63, 200, 1024]), outputs in 190usize..420,
    ) {
        let sizes = [batch, inputs, outputs];
        let fused = forward_backward(linear, Activation::LeakyRelu(0.2), sizes);
        let plain = forward_backward(reference::linear, Activation::LeakyRelu(0.2), sizes);
        for (fused, plain) in fused.iter().zip(&plain) {
            assert_close(fused, plain, 1e-4);
        }
    }

    #[test]
    fn bce_is_its_reference(n in 1usize..200, scale in 0.1f64..15., target in 0f64..=1.) {
        let logits = Var::from_tensor(&(tensor(n as u64, &[n, 1]) * scale).unwrap()).unwrap();
        let [fused, plain] = [bce_with_logits, reference::bce_with_logits].map(|loss| {
            let loss = loss(&logits, target).unwrap();
            let gradient = (&loss * 3.).unwrap().backward().unwrap().get(&logits).unwrap().clone();
            (loss, gradient)
        });
        assert_close(&fused.0, &plain.0, 1e-6);
        assert_close(&fused.1, &plain.1, 1e-6);
    }

    #[test]
    fn adam_is_its_reference(n in 1usize..20_000, step in 1u64..1000) {
        let step = AdamStep { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
        let [fused, plain] = [adam_step, reference::adam_step].map(|adam| {
            let p = Var::from_tensor(&tensor(1, &[n])).unwrap();
            let (m, v) = (tensor(2, &[n]), tensor(3, &[n]).abs().unwrap());
            adam(&p, &tensor(4, &[n]), &m, &v, &step).unwrap();
            [p.as_detached_tensor(), m, v]
        });
        for (fused, plain) in fused.iter().zip(&plain) {
            assert_close(fused, plain, 1e-6);
        }
    }

    #[test]
    fn a_gathered_batch_is_its_reference(rows in 1usize..50, width in 1usize..900, batch in 1usize..40) {
        let pixels: Vec<u8> = (0..rows * width).map(|i| (i * 31 % 256) as u8).collect();
        let pixels = Tensor::from_vec(pixels, (rows, width), &CPU).unwrap();
        let indices: Vec<u32> = (0..batch).map(|i| (i * 7 % rows) as u32).collect();
        let indices = Tensor::new(indices, &CPU).unwrap();
        let got = gather_normalize(&pixels, &indices).unwrap();
        assert_close(&got, &reference::gather_normalize(&pixels, &indices).unwrap(), 1e-7);
    }

    #[test]
    fn centered_rows_are_their_reference(rows in 1usize..300, width in 1usize..900) {
        let x = Tensor::randn(0f32, 1., (rows, width), &CPU).unwrap();
        let mean = Tensor::randn(0f32, 1., width, &CPU).unwrap();
        assert_close(&center(&x, &mean).unwrap(), &reference::center(&x, &mean).unwrap(), 0.);
    }

    /// Of more elements than a thread copies at a time, and where a matrix ends in the middle of that.
    #[test]
    fn joined_matrices_are_candles(above in 0usize..300, below in 0usize..300, width in 1usize..300) {
        let (a, b) = (tensor(1, &[above, width]), tensor(2, &[width, below]).t().unwrap());
        let expected = Tensor::cat(&[&a, &b], 0).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(join(&[&a, &b]).unwrap().to_vec2::<f32>().unwrap(), expected);
    }
}

#[test]
fn linear_has_the_gradient_of_finite_differences() {
    // Five points apart enough from the kink of the leaky ReLU; central differences in f64 would need an f64 form,
    // so the step is large and the function nearly linear over it.
    for activation in ACTIVATIONS {
        let rows = 4 * pieces(activation);
        let (x, w, b) = (tensor(5, &[3, 7]), tensor(6, &[rows, 7]), tensor(7, &[rows]));
        let weights = tensor(8, &[3, 4]);
        let loss = |x: &Tensor, w: &Tensor, b: &Tensor| -> f32 {
            let y = linear(x, w, b, activation).unwrap();
            (y * &weights).unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        let vars = [&x, &w, &b].map(|t| Var::from_tensor(t).unwrap());
        let y = linear(&vars[0], &vars[1], &vars[2], activation).unwrap();
        let grads = (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        for (which, var) in vars.iter().enumerate() {
            let gradient = grads.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (i, &expected) in gradient.iter().enumerate() {
                const H: f32 = 1e-2;
                let at = |h: f32| {
                    let mut moved = vars[which].flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    moved[i] += h;
                    let moved = Tensor::from_vec(moved, vars[which].shape(), &CPU).unwrap();
                    let mut args = [&x, &w, &b];
                    args[which] = &moved;
                    loss(args[0], args[1], args[2])
                };
                let difference = (at(H) - at(-H)) / (2. * H);
                assert!(
                    (difference - expected).abs() < 2e-3,
                    "{activation:?} {which} {i}: {difference} {expected}"
                );
            }
        }
    }
}

/// Four rows whose products are the inputs themselves.
fn derivative_of(activation: Activation, inputs: [f32; 4]) -> (Vec<f32>, Vec<f32>) {
    let z = Var::new(&inputs, &CPU).unwrap();
    let x = Tensor::ones((1, 1), DType::F32, &CPU).unwrap();
    let y = linear(&x, &z.reshape((4, 1)).unwrap(), &Tensor::zeros(4, DType::F32, &CPU).unwrap(), activation);
    let y = y.unwrap();
    let gradient = y.sum_all().unwrap().backward().unwrap().get(&z).unwrap().to_vec1().unwrap();
    (y.flatten_all().unwrap().to_vec1().unwrap(), gradient)
}

#[test]
fn relu_has_pytorchs_derivative_at_and_below_zero() {
    let (y, gradient) = derivative_of(Activation::LeakyRelu(0.), [-3., -0., 0., 2.]);
    assert_eq!((y, gradient), (vec![0., 0., 0., 2.], vec![0., 0., 0., 1.]));
}

#[test]
fn of_equal_pieces_the_first_has_the_gradient_and_nan_is_the_largest() {
    let (y, gradient) = derivative_of(Activation::Maxout(2), [1., 1., -3., -2.]);
    assert_eq!((y, gradient), (vec![1., -2.], vec![1., 0., 0., 1.]));
    let (y, gradient) = derivative_of(Activation::Maxout(4), [-1., 7., 7., f32::NEG_INFINITY]);
    assert_eq!((y, gradient), (vec![7.], vec![0., 1., 0., 0.]));

    let z = [1., f32::NAN, f32::INFINITY, f32::NAN, f32::NEG_INFINITY, f32::NEG_INFINITY, 0., -0.];
    let z = Tensor::new(&z, &CPU).unwrap().reshape((2, 4)).unwrap();
    let winners = reference::winners(&z, 2).unwrap();
    assert_eq!(winners.to_vec2::<u8>().unwrap(), [[1, 1], [0, 0]]);
    let (y, _) = derivative_of(Activation::Maxout(4), [1., f32::NAN, 2., f32::NAN]);
    assert!(y[0].is_nan());
}

#[test]
fn bce_is_finite_and_exact_at_any_logit() {
    for logit in [0f32, 17., -17., 88., -88., 1e4, -1e4, f32::MAX, f32::MIN] {
        for target in [0., 1.] {
            let var = Var::new(&[logit], &CPU).unwrap();
            let loss = bce_with_logits(&var, target).unwrap();
            let gradient = loss.backward().unwrap().get(&var).unwrap().to_vec1::<f32>().unwrap()[0];
            let l = f64::from(logit);
            let wrong = if target == 1. { -l } else { l };
            let expected = (wrong.max(0.) + (-l.abs()).exp().ln_1p()) as f32;
            let got = loss.to_scalar::<f32>().unwrap();
            assert!((got - expected).abs() <= 1e-6 * expected.abs(), "{logit} {target}: {got} {expected}");
            assert!((f64::from(gradient) - (1. / (1. + (-l).exp()) - target)).abs() < 1e-6);
        }
    }
    let nan = Tensor::new(&[f32::NAN, 1.], &CPU).unwrap();
    assert!(bce_with_logits(&nan, 1.).unwrap().to_scalar::<f32>().unwrap().is_nan());
    assert!(bce_with_logits(&Tensor::zeros(0, DType::F32, &CPU).unwrap(), 1.).is_err());
}

#[test]
fn pixels_survive_the_way_there_and_back() {
    let pixels = Tensor::arange(0u32, 256, &CPU).unwrap().to_dtype(DType::U8).unwrap();
    let images = normalize(&pixels).unwrap();
    let values = images.to_vec1::<f32>().unwrap();
    assert_eq!([values[0], values[255]], [-1., 1.]);
    assert_eq!(denormalize(&images).unwrap().to_vec1::<u8>().unwrap(), pixels.to_vec1::<u8>().unwrap());
    let outside = Tensor::new(&[-7f32, 9., f32::NAN], &CPU).unwrap();
    assert_eq!(denormalize(&outside).unwrap().to_vec1::<u8>().unwrap(), [0, 255, 0]);
    assert!(normalize(&images).is_err());
}

#[test]
fn strided_arguments_give_what_contiguous_ones_give() {
    let (x, w, b) = (tensor(1, &[20, 9]).t().unwrap(), tensor(2, &[20, 5]).t().unwrap(), tensor(3, &[10, 2]));
    let b = b.narrow(1, 1, 1).unwrap().squeeze(1).unwrap().narrow(0, 2, 5).unwrap();
    let [xc, wc, bc] = [&x, &w, &b].map(|t| t.force_contiguous().unwrap());
    let strided = linear(&x, &w, &b, Activation::Tanh).unwrap();
    let contiguous = linear(&xc, &wc, &bc, Activation::Tanh).unwrap();
    assert_eq!(strided.to_vec2::<f32>().unwrap(), contiguous.to_vec2::<f32>().unwrap());
}

#[test]
fn joined_matrices_have_gradients() {
    let (a, b) = (Var::from_tensor(&tensor(1, &[3, 2])).unwrap(), tensor(2, &[4, 2]));
    let gradients = join(&[&b, &a]).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
    assert_close(gradients.get(&a).unwrap(), &(a.as_tensor() * 2.).unwrap(), 1e-6);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (x, w, b) = (tensor(1, &[2, 3]), tensor(2, &[4, 3]), tensor(3, &[4]));
    assert!(linear(&x, &w, &tensor(3, &[5]), Activation::Identity).is_err());
    assert!(linear(&x, &tensor(2, &[4, 2]), &b, Activation::Identity).is_err());
    assert!(linear(&x.flatten_all().unwrap(), &w, &b, Activation::Identity).is_err());
    assert!(linear(&x.to_dtype(DType::F64).unwrap(), &w, &b, Activation::Identity).is_err());

    assert!(linear(&x, &w, &b, Activation::LeakyRelu(-0.1)).is_err());
    let refused = |pieces| linear(&x, &w, &b, Activation::Maxout(pieces)).unwrap_err().to_string();
    assert!(refused(0).contains("found 0") && refused(257).contains("found 257"));
    assert!(refused(3).contains("a multiple of 3, found [4, 3]"), "{}", refused(3));
    let nothing = Tensor::zeros((2, 0), DType::F32, &CPU).unwrap();
    assert!(
        linear(&nothing, &Tensor::zeros((4, 0), DType::F32, &CPU).unwrap(), &b, Activation::Tanh).is_err()
    );

    assert!(join(&[]).is_err());
    assert!(join(&[&x, &w, &tensor(1, &[2, 4])]).is_err() && join(&[&x, &tensor(1, &[2, 4])]).is_err());

    assert!(center(&x, &Tensor::zeros(4, DType::F32, &CPU).unwrap()).is_err());
    assert!(center(&nothing, &Tensor::zeros(0, DType::F32, &CPU).unwrap()).is_err());

    let pixels = Tensor::zeros((3, 4), DType::U8, &CPU).unwrap();
    assert!(gather_normalize(&pixels, &Tensor::new(&[0u32, 3], &CPU).unwrap()).is_err());
    assert!(gather_normalize(&x, &Tensor::new(&[0u32], &CPU).unwrap()).is_err());

    let step = AdamStep { learning_rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1 };
    let p = Var::from_tensor(&b).unwrap();
    let m = Tensor::zeros(4, DType::F32, &CPU).unwrap();
    assert!(adam_step(&p, &b, &m, &m, &step).is_err(), "two moments in one memory");
    assert!(adam_step(&p, &tensor(1, &[5]), &m, &b, &step).is_err());
    let v = m.zeros_like().unwrap();
    assert!(adam_step(&p, &b, &m, &v, &AdamStep { step: 0, ..step }).is_err());
    assert!(adam_step(&p, &b, &m, &v, &AdamStep { beta2: 1., ..step }).is_err());
    assert!(reference::winners(&x, 0).is_err());
    adam_steps(&[], &step, None).unwrap();

    let whole = x.to_dtype(DType::I64).unwrap();
    let of_floats = |error: Error| error.to_string().contains("floating-point tensor, found I64");
    assert!(
        of_floats(bce_with_logits(&whole, 1.).unwrap_err()) && of_floats(denormalize(&whole).unwrap_err())
    );
}

#[test]
fn empty_batches_pass_through() {
    let x = Tensor::zeros((0, 3), DType::F32, &CPU).unwrap();
    let y = linear(&x, &tensor(2, &[4, 3]), &tensor(3, &[4]), Activation::Tanh).unwrap();
    assert_eq!(y.dims(), [0, 4]);
}
