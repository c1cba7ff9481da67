//! The gradient of the input's gradient: against the plain form, and against finite differences. (`golden.rs` has PyTorch's.)

use candle_core::{DType, Device, Tensor};
use ganlet_ops::{Activation, Layer, LayerGradients, MlpPass, mlp_with_dropout};
use proptest::prelude::*;

const ACTIVATIONS: [Activation; 4] =
    [Activation::LeakyRelu(0.25), Activation::Maxout(3), Activation::LeakyRelu(0.), Activation::Identity];

fn tensor(seed: usize, shape: (usize, usize)) -> Tensor {
    let values: Vec<f32> =
        (0..shape.0 * shape.1).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// -1, 0 and 1, mostly 0. A pass of them and of a slope of 1/4 is exact, so that in f32 and in f64 it is on the same side of each kink.
fn coarse(seed: usize, shape: (usize, usize)) -> Tensor {
    (tensor(seed, shape) * 0.6).unwrap().round().unwrap()
}

fn wide(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F64).unwrap()
}

type Fill = fn(usize, (usize, usize)) -> Tensor;

/// A network with its input, masks, seed and tangent.
struct Case {
    x: Tensor,
    layers: Vec<Layer>,
    masks: Vec<Option<Tensor>>,
    seed: Tensor,
    tangent: Tensor,
}

impl Case {
    /// Layers of these widths, made by `fill`, with all activations in turn from number `first` on, and a mask for those whose bit is set.
    fn new(fill: Fill, batch: usize, widths: &[usize], first: usize, masked: usize) -> Self {
        let layer = |(i, w): (usize, &[usize])| {
            let activation = ACTIVATIONS[(first + i) % ACTIVATIONS.len()];
            let rows = if let Activation::Maxout(pieces) = activation { w[1] * pieces } else { w[1] };
            let bias = fill(i + 7, (1, rows)).squeeze(0).unwrap();
            Layer { weight: fill(i, (rows, w[0])), bias, activation }
        };
        let mask = |(i, w): (usize, &[usize])| {
            let kept = tensor(i + 31, (batch, w[0])).gt(0.).unwrap().to_dtype(DType::F32).unwrap();
            (masked >> i & 1 == 1).then(|| (kept * 2.).unwrap())
        };
        let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
        Self {
            x: fill(99, (batch, inputs)),
            layers: widths.windows(2).enumerate().map(layer).collect(),
            masks: widths.windows(2).enumerate().map(mask).collect(),
            seed: tensor(3, (batch, outputs)),
            tangent: tensor(5, (batch, inputs)),
        }
    }

    fn wide(&self) -> Self {
        let layer =
            |l: &Layer| Layer { weight: wide(&l.weight), bias: wide(&l.bias), activation: l.activation };
        Self {
            x: wide(&self.x),
            layers: self.layers.iter().map(layer).collect(),
            masks: self.masks.iter().map(|mask| mask.as_ref().map(wide)).collect(),
            seed: wide(&self.seed),
            tangent: wide(&self.tangent),
        }
    }

    fn pass(&self) -> MlpPass {
        mlp_with_dropout(&self.x, &self.layers, &self.masks).unwrap()
    }

    /// The second-order gradients alone: added to zeros.
    fn gradients(&self) -> Vec<LayerGradients> {
        let zeros = |l: &Layer| LayerGradients {
            weight: l.weight.zeros_like().unwrap(),
            bias: l.bias.zeros_like().unwrap(),
        };
        let mut gradients: Vec<_> = self.layers.iter().map(zeros).collect();
        let slope = self.pass().input_gradient_pass(&self.seed).unwrap();
        slope.add_parameter_gradients(&self.tangent, &mut gradients).unwrap();
        gradients
    }

    /// `sum(tangent * gradient for the input)`, whose gradients these are.
    fn along_tangent(&self) -> f64 {
        let gradient = self.pass().input_gradient(&self.seed).unwrap();
        (gradient * &self.tangent).unwrap().sum_all().unwrap().to_scalar().unwrap()
    }
}

/// The largest difference, beside the largest element.
fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64) {
    let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
    let difference = largest(&(wide(got) - expected).unwrap());
    assert!(difference <= tolerance * largest(expected).max(1.), "differs by {difference}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_plain_form_agrees(
        batch in 1usize..40,
        widths in prop::collection::vec(prop::sample::select(vec![1usize, 2, 7, 33, 64, 130, 301]), 2..6),
        first in 0usize..4,
        masked in 0usize..8,
    ) {
        let case = Case::new(coarse, batch, &widths, first, masked);
        let plain = case.wide();
        let slope = case.pass().input_gradient_pass(&case.seed).unwrap();
        let same = case.pass().input_gradient(&case.seed).unwrap();
        prop_assert_eq!(slope.gradient().to_vec2::<f32>().unwrap(), same.to_vec2::<f32>().unwrap());
        assert_close(slope.gradient(), &plain.pass().input_gradient(&plain.seed).unwrap(), 1e-5);
        for (fused, plain) in case.gradients().iter().zip(plain.gradients()) {
            assert_close(&fused.weight, &plain.weight, 1e-5);
            assert_close(&fused.bias, &plain.bias, 0.);
        }
    }
}

#[test]
fn the_gradients_are_those_of_finite_differences() {
    for first in 0..ACTIVATIONS.len() {
        let mut case = Case::new(tensor, 3, &[5, 6, 4, 2], first, 0b101).wide();
        for (at, gradients) in case.gradients().iter().enumerate() {
            let expected = gradients.weight.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let weight = case.layers[at].weight.clone();
            for (i, expected) in expected.into_iter().enumerate() {
                const H: f64 = 1e-6;
                let mut moved = |h| {
                    let mut values = weight.flatten_all().unwrap().to_vec1::<f64>().unwrap();
                    values[i] += h;
                    case.layers[at].weight = Tensor::from_vec(values, weight.shape(), &Device::Cpu).unwrap();
                    case.along_tangent()
                };
                let difference = (moved(H) - moved(-H)) / (2. * H);
                assert!((difference - expected).abs() < 1e-7, "{first} {at} {i}: {difference} {expected}");
            }
            case.layers[at].weight = weight;
        }
    }
}

#[test]
fn gradients_are_added_to_what_is_there() {
    let case = Case::new(tensor, 20, &[40, 130, 3], 0, 0);
    let mut gradients = case.pass().parameter_gradients(&case.seed).unwrap();
    let before: Vec<_> = gradients.iter().map(|g| wide(&g.weight)).collect();
    let slope = case.pass().input_gradient_pass(&case.seed).unwrap();
    slope.add_parameter_gradients(&case.tangent, &mut gradients).unwrap();
    for ((sum, before), added) in gradients.iter().zip(before).zip(case.gradients()) {
        assert_close(&sum.weight, &(before + wide(&added.weight)).unwrap(), 1e-6);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut case = Case::new(tensor, 4, &[3, 5, 2], 0, 0);
    let slope = case.pass().input_gradient_pass(&case.seed).unwrap();
    let mut gradients = case.gradients();
    let mut refused =
        |tangent: &Tensor| slope.add_parameter_gradients(tangent, &mut gradients).unwrap_err().to_string();
    let message = refused(&case.seed);
    assert!(message.contains("[4, 3]") && message.contains("[4, 2]"), "{message}");
    assert!(slope.add_parameter_gradients(&case.tangent, &mut gradients[..1]).is_err());
    gradients.swap(0, 1);
    assert!(slope.add_parameter_gradients(&case.tangent, &mut gradients).is_err());
    assert!(case.pass().input_gradient_pass(&case.x).is_err());

    case.layers[1] = Layer {
        weight: tensor(1, (2, 5)),
        bias: tensor(1, (1, 2)).squeeze(0).unwrap(),
        activation: Activation::Tanh,
    };
    let message = case.pass().input_gradient_pass(&case.seed).unwrap_err().to_string();
    assert!(message.contains("piecewise-linear") && message.contains("Tanh"), "{message}");
}
