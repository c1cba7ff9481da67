//! What PyTorch computes of it (`scripts/golden_ops.py` made the files).

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor, Var};
use ganlet_ops::testing::devices;
use ganlet_ops::{
    Activation, InputGradientPass, Layer, LayerGradients, SgdStep, average_step, mlp_with_dropout, sgd_step,
    spectral_norm,
};

const CRITIC: &[u8] = include_bytes!("golden/critic.safetensors");
const SPECTRAL: &[u8] = include_bytes!("golden/spectral.safetensors");
const OPTIMIZERS: &[u8] = include_bytes!("golden/optimizers.safetensors");

/// The constants of `scripts/golden_ops.py`.
const GAMMA: f64 = 0.7;
const LAMBDA: f64 = 10.;
const SGD: SgdStep = SgdStep { learning_rate: 0.1, momentum: 0.7 };
const DECAY: f64 = 0.9;

type File = HashMap<String, Tensor>;

fn load(bytes: &[u8], device: &Device) -> Result<File> {
    candle_core::safetensors::load_buffer(bytes, device)
}

fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f32) {
    let difference = (got - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let difference = difference.to_scalar::<f32>().unwrap();
    assert!(difference <= tolerance, "{what} differs from PyTorch's by {difference}");
}

#[test]
fn gradients_of_penalties_are_those_of_double_backward() -> Result<()> {
    for device in devices() {
        let file = load(CRITIC, &device)?;
        for (name, activation) in [
            ("leaky", Activation::LeakyRelu(0.2)),
            ("relu", Activation::LeakyRelu(0.)),
            ("maxout", Activation::Maxout(3)),
            ("dropout", Activation::Maxout(3)),
        ] {
            penalties(&file, name, activation)?;
        }
    }
    Ok(())
}

fn penalties(file: &File, name: &str, activation: Activation) -> Result<()> {
    let tensor = |what: String| &file[&format!("{name}.{what}")];
    let layers = [activation, activation, Activation::Identity];
    let layers: Vec<_> = layers
        .into_iter()
        .enumerate()
        .map(|(k, activation)| Layer {
            weight: tensor(format!("{k}.weight")).clone(),
            bias: tensor(format!("{k}.bias")).clone(),
            activation,
        })
        .collect();
    let masks: Vec<_> = (0..3).map(|k| file.get(&format!("{name}.{k}.mask")).cloned()).collect();
    assert_eq!(masks.iter().flatten().count(), if name == "dropout" { 3 } else { 0 });

    let pass = mlp_with_dropout(tensor("x".into()), &layers, &masks)?;
    let batch = pass.output().dim(0)? as f64;
    let slope = pass.input_gradient_pass(&pass.output().ones_like()?)?;
    let g = slope.gradient();
    assert_close(name, g, tensor("gradient".into()), 1e-6);

    let norms = g.sqr()?.sum_keepdim(1)?.sqrt()?;
    let pull = (g * (2. * LAMBDA / batch))?.broadcast_mul(&((&norms - 1.)? / &norms)?)?;
    // R1 twice: the second with its factor in the seed, as the documentation says.
    let scaled = pass.input_gradient_pass(&(pass.output().ones_like()? * (GAMMA / batch).sqrt())?)?;
    let cases: [(&str, &InputGradientPass, Tensor); 3] = [
        ("r1", &slope, (g * (GAMMA / batch))?),
        ("r1", &scaled, scaled.gradient().clone()),
        ("wgan_gp", &slope, pull),
    ];
    for (penalty, slope, tangent) in cases {
        let zeros =
            |l: &Layer| Ok(LayerGradients { weight: l.weight.zeros_like()?, bias: l.bias.zeros_like()? });
        let mut gradients = layers.iter().map(zeros).collect::<Result<Vec<_>>>()?;
        slope.add_parameter_gradients(&tangent, &mut gradients)?;
        for (k, gradients) in gradients.iter().enumerate() {
            let expected = tensor(format!("{penalty}.{k}"));
            assert_close(&format!("{name}.{penalty}.{k}"), &gradients.weight, expected, 1e-5);
        }
    }
    Ok(())
}

#[test]
fn spectral_norm_and_its_gradient_are_pytorchs() -> Result<()> {
    for device in devices() {
        let file = load(SPECTRAL, &device)?;
        let norm = spectral_norm(&file["weight"], &file["u"])?;
        for (name, got) in [
            ("normalized", &norm.weight),
            ("u_after", &norm.u),
            ("v_after", &norm.v),
            ("sigma", &norm.sigma),
            ("weight_gradient", &norm.weight_gradient(&file["gradient"])?),
            ("normalized_again", &spectral_norm(&file["weight"], &norm.u)?.weight),
        ] {
            assert_close(name, got, &file[name], 1e-6);
        }
    }
    Ok(())
}

#[test]
fn momentum_and_the_moving_average_are_pytorchs() -> Result<()> {
    for device in devices() {
        let file = load(OPTIMIZERS, &device)?;
        let parameter = Var::from_tensor(&file["initial"])?;
        let (velocity, average) = (parameter.zeros_like()?, parameter.copy()?);
        for k in 0..5 {
            sgd_step(&parameter, &file[&format!("gradient.{k}")], &velocity, &SGD)?;
            average_step(&average, &parameter, DECAY)?;
            assert_close("parameter", &parameter, &file[&format!("parameter.{k}")], 1e-6);
            assert_close("average", &average, &file[&format!("average.{k}")], 1e-6);
        }
    }
    Ok(())
}
