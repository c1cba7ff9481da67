//! The network with its backward pass by hand, against candle's through the chain of its layers: to the bit.

use candle_core::{DType, Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, linear, mlp, reference};
use proptest::prelude::*;

const ACTIVATIONS: [Activation; 4] =
    [Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Sigmoid, Activation::Identity];

fn tensor(seed: usize, shape: (usize, usize)) -> Tensor {
    let values: Vec<f32> =
        (0..shape.0 * shape.1).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn layers(widths: &[usize]) -> Vec<Layer> {
    let variable = |tensor: Tensor| Var::from_tensor(&tensor).unwrap().into_inner();
    let layer = |(i, w): (usize, &[usize])| Layer {
        weight: variable(tensor(i, (w[1], w[0]))),
        bias: variable(tensor(i + 7, (1, w[1])).squeeze(0).unwrap()),
        activation: ACTIVATIONS[i % 4],
    };
    widths.windows(2).enumerate().map(layer).collect()
}

fn bits(t: &Tensor) -> Vec<u32> {
    // candle adds its gradients to zero, which makes 0 of -0.
    (t + 0.).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn by_hand_and_by_candle_the_bits_are_the_same(
        batch in 1usize..30, widths in prop::collection::vec(1usize..90, 2..6),
    ) {
        let layers = layers(&widths);
        let x = Var::from_tensor(&tensor(99, (batch, widths[0]))).unwrap();
        let weights = tensor(5, (batch, *widths.last().unwrap()));

        let pass = mlp(&x, &layers).unwrap();
        let chain = layers.iter().fold(x.as_tensor().clone(), |x, l| {
            linear(&x, &l.weight, &l.bias, l.activation).unwrap()
        });
        prop_assert_eq!(bits(pass.output()), bits(&chain));

        let by_candle = (chain * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let by_hand = pass.parameter_gradients(&weights).unwrap();
        for (layer, gradients) in layers.iter().zip(&by_hand) {
            prop_assert_eq!(bits(&gradients.weight), bits(by_candle.get(&layer.weight).unwrap()));
            prop_assert_eq!(bits(&gradients.bias), bits(by_candle.get(&layer.bias).unwrap()));
        }
        prop_assert_eq!(bits(&pass.input_gradient(&weights).unwrap()), bits(by_candle.get(&x).unwrap()));
    }
}

/// What runs where there is no fused form: f64 takes that way on the CPU.
#[test]
fn the_plain_form_agrees() {
    let layers = layers(&[9, 8, 7, 6, 5]);
    let wide = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
    let wide_layers: Vec<_> = layers
        .iter()
        .map(|l| Layer { weight: wide(&l.weight), bias: wide(&l.bias), activation: l.activation })
        .collect();
    let (x, gradient) = (tensor(1, (4, 9)), tensor(2, (4, 5)));
    let (fused, plain) = (mlp(&x, &layers).unwrap(), mlp(&wide(&x), &wide_layers).unwrap());
    let close = |fused: &Tensor, plain: &Tensor| {
        let difference = (wide(fused) - plain).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f64>().unwrap() < 1e-5);
    };
    close(fused.output(), plain.output());
    let wide_gradient = wide(&gradient);
    close(&fused.input_gradient(&gradient).unwrap(), &plain.input_gradient(&wide_gradient).unwrap());
    let plain = plain.parameter_gradients(&wide_gradient).unwrap();
    for (fused, plain) in fused.parameter_gradients(&gradient).unwrap().iter().zip(&plain) {
        close(&fused.weight, &plain.weight);
        close(&fused.bias, &plain.bias);
    }
    for activation in ACTIVATIONS {
        let y = wide(&x);
        assert_eq!(reference::pre_activation(activation, &y, &y).unwrap().dims(), y.dims());
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = tensor(1, (4, 3));
    assert!(mlp(&x, &[]).is_err());
    assert!(mlp(&x, &layers(&[2, 5])).is_err());
    let mut swapped = layers(&[3, 5, 2]);
    swapped.swap(0, 1);
    assert!(mlp(&x, &swapped).is_err());
    let pass = mlp(&x, &layers(&[3, 5, 2])).unwrap();
    assert!(pass.input_gradient(&tensor(2, (4, 3))).is_err());
}
