//! The network with its backward pass by hand, against candle's through the chain of its layers: to the bit.

use candle_core::{DType, Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, linear, mlp, mlp_with_dropout, reference};
use proptest::prelude::*;

const ACTIVATIONS: [Activation; 6] = [
    Activation::LeakyRelu(0.2),
    Activation::Tanh,
    Activation::Maxout(3),
    Activation::Sigmoid,
    Activation::LeakyRelu(0.),
    Activation::Identity,
];

fn tensor(seed: usize, shape: (usize, usize)) -> Tensor {
    let values: Vec<f32> =
        (0..shape.0 * shape.1).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// With all activations in turn, from number `first` on.
fn layers(widths: &[usize], first: usize) -> Vec<Layer> {
    let variable = |tensor: Tensor| Var::from_tensor(&tensor).unwrap().into_inner();
    let layer = |(i, w): (usize, &[usize])| {
        let activation = ACTIVATIONS[(first + i) % ACTIVATIONS.len()];
        let rows = if let Activation::Maxout(pieces) = activation { w[1] * pieces } else { w[1] };
        Layer {
            weight: variable(tensor(i, (rows, w[0]))),
            bias: variable(tensor(i + 7, (1, rows)).squeeze(0).unwrap()),
            activation,
        }
    };
    widths.windows(2).enumerate().map(layer).collect()
}

/// Dropout masks with probability 1/2 for every second layer, from layer `first` on.
fn masks(batch: usize, widths: &[usize], first: usize) -> Vec<Option<Tensor>> {
    let mask = |(i, &width): (usize, &usize)| {
        let dropped = tensor(i + 31, (batch, width)).gt(0.).unwrap().to_dtype(DType::F32).unwrap();
        (i % 2 == first % 2).then(|| (dropped * 2.).unwrap())
    };
    widths[..widths.len() - 1].iter().enumerate().map(mask).collect()
}

fn bits(t: &Tensor) -> Vec<u32> {
    // candle adds its gradients to zero, which makes 0 of -0.
    (t + 0.).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn by_hand_and_by_candle_the_bits_are_the_same(
        batch in 1usize..30, widths in prop::collection::vec(1usize..90, 2..6), first in 0usize..6, dropout: bool,
    ) {
        let layers = layers(&widths, first);
        let masks = if dropout { masks(batch, &widths, first) } else { vec![None; layers.len()] };
        let x = Var::from_tensor(&tensor(99, (batch, widths[0]))).unwrap();
        let weights = tensor(5, (batch, *widths.last().unwrap()));

        let pass = mlp_with_dropout(&x, &layers, &masks).unwrap();
        let chain = layers.iter().zip(&masks).fold(x.as_tensor().clone(), |x, (l, mask)| {
            let x = mask.as_ref().map_or(Ok(x.clone()), |mask| x * mask).unwrap();
            linear(&x, &l.weight, &l.bias, l.activation).unwrap()
        });
        if !dropout {
            prop_assert_eq!(bits(mlp(&x, &layers).unwrap().output()), bits(pass.output()));
        }
        prop_assert_eq!(bits(pass.output()), bits(&chain));

        let by_candle = (chain * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let by_hand = pass.parameter_gradients(&weights).unwrap();
        for (layer, gradients) in layers.iter().zip(&by_hand) {
            prop_assert_eq!(bits(&gradients.weight), bits(by_candle.get(&layer.weight).unwrap()));
            prop_assert_eq!(bits(&gradients.bias), bits(by_candle.get(&layer.bias).unwrap()));
        }
        prop_assert_eq!(bits(&pass.input_gradient(&weights).unwrap()), bits(by_candle.get(&x).unwrap()));

        // Some rows of the pass have the gradients that all of them have for a loss of these rows, but for rounding.
        let (from, count) = (batch / 3, batch - batch / 2);
        let few = weights.narrow(0, from, count).unwrap();
        let others = few.pad_with_zeros(0, from, batch - from - count).unwrap();
        let part = pass.rows(from, count).unwrap().parameter_gradients(&few).unwrap();
        for (part, all) in part.iter().zip(pass.parameter_gradients(&others).unwrap()) {
            let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            let difference = largest(&(&part.weight - &all.weight).unwrap());
            prop_assert!(difference <= 1e-5 * largest(&all.weight).max(1.));
        }
    }
}

/// What runs where there is no fused form: f64 takes that way on the CPU.
#[test]
fn the_plain_form_agrees() {
    let widths = [9, 8, 7, 6, 5, 4, 3];
    let layers = layers(&widths, 0);
    let wide = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
    let wide_layers: Vec<_> = layers
        .iter()
        .map(|l| Layer { weight: wide(&l.weight), bias: wide(&l.bias), activation: l.activation })
        .collect();
    let (x, gradient) = (tensor(1, (4, 9)), tensor(2, (4, 3)));
    let masks = masks(4, &widths, 0);
    let wide_masks: Vec<_> = masks.iter().map(|mask| mask.as_ref().map(wide)).collect();
    let fused = mlp_with_dropout(&x, &layers, &masks).unwrap();
    let plain = mlp_with_dropout(&wide(&x), &wide_layers, &wide_masks).unwrap();
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
    assert!(mlp(&x, &layers(&[2, 5], 0)).is_err());
    let mut swapped = layers(&[3, 5, 2], 0);
    swapped.swap(0, 1);
    assert!(mlp(&x, &swapped).is_err());
    let pass = mlp(&x, &layers(&[3, 5, 2], 0)).unwrap();
    assert!(pass.input_gradient(&tensor(2, (4, 3))).is_err());

    let layers = layers(&[3, 5, 2], 0);
    let refused = |masks: &[Option<Tensor>]| mlp_with_dropout(&x, &layers, masks).unwrap_err().to_string();
    assert!(refused(&[None]).contains("each of 2 layers, found 1"));
    let message = refused(&[None, Some(tensor(1, (4, 3)))]);
    assert!(message.contains("[4, 5]") && message.contains("[4, 3]"), "{message}");
    assert!(refused(&[Some(x.to_dtype(DType::F64).unwrap()), None]).contains("F64"));
}
