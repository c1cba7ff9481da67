//! Ten steps of `classic`, a few of recipes that choose otherwise, and the losses, as PyTorch computes them (`scripts/golden.py` and
//! `scripts/golden_choices.py` made the files).

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_models::{Discriminator, Generator, Network, one_hot};
use ganlet_ops::testing::devices;
use ganlet_ops::{bce_with_logits, gather_normalize};
use ganlet_train::draw::{Noise, PassNoise};
use ganlet_train::{Average, Batch, Gan, Optimizer, Recipe, step};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

const CLASSIC: &[u8] = include_bytes!("golden/classic.safetensors");
const CHOICES: &[u8] = include_bytes!("golden/choices.safetensors");
const LOSSES: &[u8] = include_bytes!("golden/losses.safetensors");

/// Relative, for losses and scores.
const LOSS_TOLERANCE: f32 = 1e-4;
/// Absolute, for weights and moments after ten steps.
const WEIGHT_TOLERANCE: f32 = 1e-5;

fn values(file: &SafeTensors, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap_or_else(|_| panic!("no tensor {name}"));
    data.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn tensor(file: &SafeTensors, name: &str, device: &Device) -> Tensor {
    Tensor::from_vec(values(file, name), file.tensor(name).unwrap().shape(), device).unwrap()
}

/// The tensors under `prefix` as a file of their own: what PyTorch's `save_file(model.state_dict())` writes.
fn state_dict(file: &SafeTensors, prefix: &str) -> Vec<u8> {
    let tensors: BTreeMap<String, TensorView> = file
        .tensors()
        .into_iter()
        .filter_map(|(name, view)| Some((name.strip_prefix(prefix)?.to_owned(), view)))
        .collect();
    safetensors::serialize(tensors, None).unwrap()
}

fn assert_close(what: &str, got: &[f32], expected: &[f32], allowed: impl Fn(f32) -> f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= allowed(e), "{what}, element {i}: {g}, PyTorch has {e}");
    }
}

#[test]
fn ten_steps_are_pytorchs() {
    devices().iter().for_each(ten_steps_on);
}

fn ten_steps_on(device: &Device) {
    let file = SafeTensors::deserialize(CLASSIC).unwrap();
    let metadata = SafeTensors::read_metadata(CLASSIC).unwrap().1.metadata().clone().unwrap();
    let mut recipe = Recipe::named("classic").unwrap();
    recipe.learning_rate = metadata["learning_rate"].parse().unwrap();

    let generator = Generator::from_bytes(&state_dict(&file, "initial.generator."), device).unwrap().network;
    let discriminator =
        Discriminator::from_bytes(&state_dict(&file, "initial.discriminator."), device).unwrap().network;
    let mut gan = Gan::from_networks(generator, discriminator, &recipe).unwrap();

    let mut numbers: [Vec<f32>; 4] = Default::default();
    for k in 0..10 {
        // The batch by our own way from bytes, which must be PyTorch's.
        let pixels = file.tensor(&format!("pixels.{k}")).unwrap();
        let pixels = Tensor::from_slice(pixels.data(), pixels.shape(), device).unwrap();
        let all: Vec<u32> = (0..pixels.dim(0).unwrap() as u32).collect();
        let real = gather_normalize(&pixels, &Tensor::new(all, device).unwrap()).unwrap();
        let images = values(&file, &format!("images.{k}"));
        assert_close("images", &real.flatten_all().unwrap().to_vec1::<f32>().unwrap(), &images, |_| 1e-6);

        let latents = ["noise_d", "noise_g"].map(|name| tensor(&file, &format!("{name}.{k}"), device));
        let noise = Noise::from_latents(Tensor::cat(&latents, 0).unwrap());
        let losses = step(&mut gan, &recipe, 0., &Batch { images: real, labels: None }, &noise).unwrap();
        let mean_probability = |logits: &Tensor| {
            let logits = logits.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            logits.iter().map(|l| 1. / (1. + (-l).exp())).sum::<f32>() / logits.len() as f32
        };
        numbers[0].push(losses.d_loss.to_scalar().unwrap());
        numbers[1].push(losses.g_loss.to_scalar().unwrap());
        numbers[2].push(mean_probability(&losses.real_logits));
        numbers[3].push(mean_probability(&losses.fake_logits));
    }
    for (got, name) in numbers.iter().zip(["d_loss", "g_loss", "d_real", "d_fake"]) {
        assert_close(name, got, &values(&file, name), |e| LOSS_TOLERANCE * e.abs());
    }

    let check = |network: &str, parameters: &[(String, Var)], optimizer: &Optimizer| {
        for (name, var) in parameters {
            let [m, v] = &optimizer.moments[name][..] else { panic!("{name}") };
            for (what, got) in [
                (format!("final.{network}.{name}"), var.as_tensor()),
                (format!("final.{network}_adam.exp_avg.{name}"), m),
                (format!("final.{network}_adam.exp_avg_sq.{name}"), v),
            ] {
                let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert_close(&what, &got, &values(&file, &what), |_| WEIGHT_TOLERANCE);
            }
        }
    };
    check("generator", gan.generator.parameters(), &gan.generator_optimizer);
    check("discriminator", gan.discriminator.parameters(), &gan.discriminator_optimizer);
}

/// Every loss, penalty, regulariser, optimizer and schedule, the penalties on slopes by PyTorch's double backward.
#[test]
fn other_choices_are_pytorchs() {
    let metadata = SafeTensors::read_metadata(CHOICES).unwrap().1.metadata().clone().unwrap();
    let recipes = metadata.iter().filter_map(|(key, toml)| Some((key.strip_prefix("recipe.")?, toml)));
    let mut seen = 0;
    for (name, toml) in recipes {
        let recipe = Recipe::from_toml(toml).unwrap();
        devices().iter().for_each(|device| choice_on(name, &recipe, device));
        seen += 1;
    }
    assert_eq!(seen, 5);
}

fn choice_on(name: &str, recipe: &Recipe, device: &Device) {
    let file = SafeTensors::deserialize(CHOICES).unwrap();
    let of_case = |name_in_case: &str| format!("{name}.{name_in_case}");
    let there = |name_in_case: &str| {
        let full = of_case(name_in_case);
        file.tensor(&full).is_ok().then(|| tensor(&file, &full, device))
    };
    let bytes = |name_in_case: &str| {
        let view = file.tensor(&of_case(name_in_case)).ok()?;
        Some(Tensor::from_slice(view.data(), view.shape(), device).unwrap())
    };
    let mut gan = Gan::new(recipe, [4, 4], device).unwrap();
    let named = |gan: &Gan, when: &str| {
        let of = |network: &str, vars: &[(String, Var)]| {
            let name = |(name, var): &(String, Var)| (format!("{when}.{network}.{name}"), var.clone());
            vars.iter().map(name).collect::<Vec<_>>()
        };
        let Gan { generator, discriminator, .. } = gan;
        let mut all = of("generator", generator.parameters());
        all.extend(of("discriminator", discriminator.parameters()));
        all.extend(of("discriminator", &discriminator.buffers()));
        all
    };
    for (name, var) in named(&gan, "initial") {
        var.set(&there(&name).unwrap()).unwrap();
    }
    if recipe.ema_decay > 0. {
        gan.average = Some(Average::new(gan.generator.parameters()).unwrap());
    }

    let mut losses = [vec![], vec![]];
    let steps = values(&file, &of_case("d_loss")).len();
    for k in 0..steps {
        let pixels = bytes(&format!("pixels.{k}")).unwrap();
        let all: Vec<u32> = (0..pixels.dim(0).unwrap() as u32).collect();
        let batch = Batch {
            images: gather_normalize(&pixels, &Tensor::new(all, device).unwrap()).unwrap(),
            labels: bytes(&format!("labels.{k}")).map(|labels| one_hot(&labels, recipe.classes).unwrap()),
        };
        let pass = |update: &str| PassNoise {
            images: there(&format!("noise.{k}.{update}")),
            masks: (0..3).map(|layer| there(&format!("mask.{k}.{update}.{layer}"))).collect(),
            mixtures: there(&format!("shares.{k}.{update}")),
        };
        let noise = Noise {
            latents: there(&format!("latents.{k}")).unwrap(),
            discriminator: (0..recipe.discriminator_steps).map(|update| pass(&update.to_string())).collect(),
            generator: pass("g"),
        };
        let done = step(&mut gan, recipe, k as f64 / steps as f64, &batch, &noise).unwrap();
        losses[0].push(done.d_loss.to_scalar().unwrap());
        losses[1].push(done.g_loss.to_scalar().unwrap());
    }
    for (which, got) in ["d_loss", "g_loss"].iter().zip(&losses) {
        let allowed = |e: f32| LOSS_TOLERANCE * e.abs().max(0.1);
        assert_close(&of_case(which), got, &values(&file, &of_case(which)), allowed);
    }
    let mut all = named(&gan, "final");
    let averages = gan.average.iter().flat_map(|average| &average.parameters);
    all.extend(averages.map(|(name, var)| (format!("average.{name}"), var.clone())));
    for (what, var) in all {
        let got = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_close(&of_case(&what), &got, &values(&file, &of_case(&what)), |_| WEIGHT_TOLERANCE);
    }
}

#[test]
fn losses_and_their_gradients_are_pytorchs_at_any_magnitude() {
    let file = SafeTensors::deserialize(LOSSES).unwrap();
    for (name, target) in [("real", 1.), ("fake", 0.)] {
        for (i, &logit) in values(&file, "logits").iter().enumerate() {
            let logit = Var::new(&[logit], &Device::Cpu).unwrap();
            let loss = bce_with_logits(&logit, target).unwrap();
            let gradient = loss.backward().unwrap().get(&logit).unwrap().to_vec1::<f32>().unwrap();
            for (what, got) in [("loss", loss.to_scalar::<f32>().unwrap()), ("gradient", gradient[0])] {
                let expected = values(&file, &format!("{name}.{what}"))[i];
                // Far out PyTorch loses the tail: it takes differences from 1, and drops terms below an ulp of it.
                let allowed = |e: f32| 1e-6 * e.abs() + 1e-14;
                assert_close(&format!("{name}.{what} at {logit}"), &[got], &[expected], allowed);
            }
        }
    }
}
