//! What is written is what onnx's own helper and TensorBoard's own writer write, to the byte (`scripts/golden_formats.py`).

use candle_core::{Device, Tensor};
use ganlet_formats::onnx::{Error, Network, to_bytes};
use ganlet_formats::tensorboard::{self, Moment};
use ganlet_ops::{Activation, Layer};

/// Layers of these widths, their weights as the script counts them.
fn layers(widths: &[usize], activations: &[Activation]) -> Vec<Layer> {
    let mut numbers = (0..).map(|n| (n % 17 - 8) as f32 / 8.);
    let mut tensor = |shape: &[usize]| {
        let values: Vec<f32> = numbers.by_ref().take(shape.iter().product()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let pairs = widths.windows(2).zip(activations);
    let layer = |(pair, &activation): (&[usize], &Activation)| {
        let rows = if let Activation::Maxout(pieces) = activation { pair[1] * pieces } else { pair[1] };
        let (weight, bias) = (tensor(&[rows, pair[0]]), tensor(&[rows]));
        Layer { weight, bias, activation }
    };
    pairs.map(layer).collect()
}

fn network(layers: &[Layer], classes: usize) -> Network<'_> {
    Network { name: "generator", input: "latents", classes, output: "images", layers, about: &[] }
}

#[test]
fn an_onnx_model_is_that_of_onnxs_own_helper() {
    use Activation::{Identity, LeakyRelu, Maxout, Sigmoid, Tanh};
    let activations = [LeakyRelu(0.25), LeakyRelu(0.), Sigmoid, Identity, Maxout(2), Tanh];
    let layers = layers(&[5, 4, 3, 3, 3, 3, 2], &activations);
    let about = [("rows", "1"), ("columns", "2")];
    let model = to_bytes(&Network { about: &about, ..network(&layers, 2) }).unwrap();
    assert!(model == include_bytes!("golden/model.onnx"));
}

#[test]
fn what_is_no_network_is_an_error() {
    let layers = layers(&[3, 2], &[Activation::Tanh]);
    assert!(matches!(to_bytes(&network(&[], 0)), Err(Error::Inputs { inputs: None, .. })));
    assert!(matches!(to_bytes(&network(&layers, 3)), Err(Error::Inputs { inputs: Some(3), classes: 3 })));
    assert!(to_bytes(&network(&layers, 2)).is_ok());
}

#[test]
fn an_event_file_is_that_of_tensorboards_own_writer() {
    let mut file = tensorboard::header(1000.5);
    let moment = |step, wall_time| Moment { step, wall_time };
    file.extend(tensorboard::scalars(
        moment(300, 1001.5),
        [("training/d_loss", 0.5), ("training/d_fake", 0.)],
    ));
    let png = b"\x89PNG stands for a picture";
    file.extend(tensorboard::picture(moment(600, 1002.5), "samples", png, [242, 300]));
    assert!(file == include_bytes!("golden/events.tfevents"));
}
