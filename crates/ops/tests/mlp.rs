//! The network as one operation against the chain of its layers, to the bit.

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, ParameterGradients, linear, mlp};
use proptest::prelude::*;

fn tensor(seed: usize, shape: (usize, usize)) -> Tensor {
    let values: Vec<f32> = (0..shape.0 * shape.1)
        .map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.)
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn layers(widths: &[usize]) -> Vec<Layer> {
    let activations = [
        Activation::LeakyRelu(0.2),
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Identity,
    ];
    widths
        .windows(2)
        .enumerate()
        .map(|(i, w)| Layer {
            weight: Var::from_tensor(&tensor(i, (w[1], w[0]))).unwrap().into_inner(),
            bias: Var::from_tensor(&tensor(i + 7, (1, w[1])).squeeze(0).unwrap())
                .unwrap()
                .into_inner(),
            activation: activations[i % 4],
        })
        .collect()
}

fn chain(x: &Tensor, layers: &[Layer]) -> Tensor {
    layers.iter().fold(x.clone(), |x, l| {
        linear(&x, &l.weight, &l.bias, l.activation).unwrap()
    })
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f32::to_bits)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn one_operation_gives_the_bits_of_the_chain(
        batch in 1usize..30, widths in prop::collection::vec(1usize..90, 2..6),
    ) {
        let layers = layers(&widths);
        let x = Var::from_tensor(&tensor(99, (batch, widths[0]))).unwrap();
        let weights = tensor(5, (batch, *widths.last().unwrap()));
        let left = ParameterGradients::default();

        let whole = mlp(&x, &layers, Some(&left)).unwrap();
        let parts = chain(&x, &layers);
        prop_assert_eq!(bits(&whole), bits(&parts));

        let mut whole = (whole * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        left.collect(&layers, &mut whole).unwrap();
        let parts = (parts * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let parameters = layers.iter().flat_map(|l| [&l.weight, &l.bias]);
        for tensor in parameters.chain([x.as_tensor()]) {
            // candle adds its gradients to zero, which makes 0 of -0.
            let [whole, parts] = [&whole, &parts].map(|store| bits(&(store.get(tensor).unwrap() + 0.).unwrap()));
            prop_assert_eq!(whole, parts);
        }
    }
}

#[test]
fn gradients_of_two_passes_add_up_and_frozen_ones_are_not_there() {
    let layers = layers(&[3, 5, 2]);
    let left = ParameterGradients::default();
    let (a, b) = (tensor(1, (4, 3)), tensor(2, (4, 3)));
    let loss = |x: &Tensor| mlp(x, &layers, Some(&left)).unwrap().sum_all().unwrap();
    let mut both = (loss(&a) + loss(&b)).unwrap().backward().unwrap();
    left.collect(&layers, &mut both).unwrap();
    let separate = (chain(&a, &layers).sum_all().unwrap() + chain(&b, &layers).sum_all().unwrap()).unwrap();
    let separate = separate.backward().unwrap();
    for layer in &layers {
        let [both, separate] = [&both, &separate].map(|g| g.get(&layer.weight).unwrap());
        let difference = (both - separate).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-5);
    }

    let x = Var::from_tensor(&a).unwrap();
    let frozen = mlp(&x, &layers, None)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert!(frozen.get(&x).is_some() && frozen.get(&layers[0].weight).is_none());
    assert!(
        !mlp(&a, &layers, None).unwrap().track_op(),
        "nothing to differentiate"
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = tensor(1, (4, 3));
    assert!(mlp(&x, &[], None).is_err());
    assert!(mlp(&x, &layers(&[2, 5]), None).is_err());
    let mut broken = layers(&[3, 5, 2]);
    broken.swap(0, 1);
    assert!(mlp(&x, &broken, None).is_err());

    let layers = layers(&[3, 5, 2]);
    let left = ParameterGradients::default();
    let mut store = mlp(&x, &layers, Some(&left))
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert!(left.collect(&layers[..1], &mut store).is_err());
}
