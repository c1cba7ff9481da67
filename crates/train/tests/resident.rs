//! A training is its steps: what [`train`] does on a device, where a GPU draws by itself and replays what it has recorded, is to the bit
//! what a loop on the host does that draws the noise, gathers the images and takes one step after the other.

use candle_core::{DType, Device, Tensor};
use ganlet_models::{HiddenActivation, LatentDistribution, Network, one_hot};
use ganlet_ops::gather_normalize;
use ganlet_ops::testing::devices;
use ganlet_train::draw::{Noise, order};
use ganlet_train::{Batch, Gan, Loss, Observer, ObserverResult, Recipe, Report, Rule, Schedule, TrainingSet};
use ganlet_train::{step, steps_per_epoch, train};

const IMAGE: [usize; 2] = [3, 4];
const IMAGES: usize = 50;

/// 7 steps an epoch, with one image left over; reports in the middle of the second and at odd places.
fn classic() -> Recipe {
    Recipe {
        epochs: 3,
        batch_size: 7,
        latent: 5,
        generator_hidden: vec![9],
        discriminator_hidden: vec![8, 6],
        report_every: 4,
        ..Recipe::named("classic").unwrap()
    }
}

/// Everything that a step may find by the clock, and what is recorded or not.
fn recipes() -> Vec<(&'static str, Recipe)> {
    vec![
        ("classic", classic()),
        (
            "a schedule, an average, a center, a penalty now and then",
            Recipe {
                schedule: Schedule::Cosine,
                ema_decay: 0.9,
                center: true,
                r1: 0.5,
                r1_every: 3,
                beta1: 0.,
                ..classic()
            },
        ),
        (
            "labels and two updates of D",
            Recipe { classes: 3, discriminator_steps: 2, batch_size: 3, loss: Loss::Hinge, ..classic() },
        ),
        (
            "gradient descent, maxout, dropout, uniform latents, as in [0, 1]",
            Recipe {
                unit_pixels: true,
                discriminator_activation: HiddenActivation::Maxout(3),
                optimizer: Rule::Sgd,
                momentum: 0.5,
                learning_rate: 0.05,
                input_dropout: 0.2,
                dropout: 0.5,
                latent_distribution: LatentDistribution::Uniform,
                label_smoothing: 0.1,
                ..classic()
            },
        ),
        (
            "a penalty on mixtures",
            Recipe {
                epochs: 1,
                loss: Loss::Wasserstein,
                gradient_penalty: 10.,
                discriminator_steps: 2,
                batch_size: 3,
                ..classic()
            },
        ),
        (
            "instance noise, normalised weights",
            Recipe {
                epochs: 1,
                instance_noise: 0.3,
                spectral_norm: true,
                loss: Loss::LeastSquares,
                ..classic()
            },
        ),
    ]
}

fn set(device: &Device) -> TrainingSet {
    let pixels: Vec<u8> = (0..IMAGES * 12).map(|i| (i * 37 % 251) as u8).collect();
    let labels: Vec<u8> = (0..IMAGES).map(|i| (i % 3) as u8).collect();
    TrainingSet {
        images: Tensor::from_vec(pixels, (IMAGES, 12), device).unwrap(),
        labels: Some(Tensor::from_vec(labels, IMAGES, device).unwrap()),
    }
}

/// Weights, moments, buffers and averages, with names.
fn state(gan: &Gan) -> Vec<(String, Vec<f32>)> {
    let networks = gan.generator.parameters().iter().chain(gan.discriminator.parameters());
    let buffers = gan.discriminator.buffers();
    let averages = gan.average.iter().flat_map(|average| &average.parameters);
    let moments = [&gan.generator_optimizer, &gan.discriminator_optimizer]
        .into_iter()
        .flat_map(|optimizer| &optimizer.moments)
        .flat_map(|(name, moments)| moments.iter().map(move |moment| (name, moment)));
    let variables = networks.chain(&buffers).chain(averages).map(|(name, var)| (name, var.as_tensor()));
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1().unwrap();
    variables.chain(moments).map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

#[derive(Default)]
struct Losses(Vec<[f32; 2]>);

impl Observer for Losses {
    fn on_report(&mut self, report: &Report) -> ObserverResult {
        self.0.push([report.d_loss, report.g_loss]);
        Ok(())
    }
}

fn by_hand(recipe: &Recipe, set: &TrainingSet) -> (Gan, Losses) {
    let device = set.images.device();
    let mut gan = Gan::new(recipe, IMAGE, device).unwrap();
    if recipe.center {
        let mean = set.images.to_dtype(DType::F64).unwrap().mean(0).unwrap();
        let mean: Vec<f32> = mean.to_vec1::<f64>().unwrap().iter().map(|m| (m / 127.5 - 1.) as f32).collect();
        gan.discriminator.center_on(&Tensor::from_vec(mean, 12, device).unwrap()).unwrap();
    }
    let steps = steps_per_epoch(recipe, IMAGES).unwrap();
    let total = recipe.epochs * steps;
    let mut seen = Losses::default();
    for epoch in 0..recipe.epochs {
        let order = order(recipe.seed, epoch, IMAGES as u32);
        for indices in order.chunks_exact(recipe.images_per_step()) {
            let indices = Tensor::new(indices, device).unwrap();
            let labels = set.labels.as_ref().unwrap().index_select(&indices, 0).unwrap();
            let batch = Batch {
                images: gather_normalize(&set.images, &indices).unwrap(),
                labels: (recipe.classes > 0).then(|| one_hot(&labels, recipe.classes).unwrap()),
            };
            let progress = gan.steps as f64 / total as f64;
            let noise = Noise::new(recipe, gan.steps, progress, 12, device).unwrap();
            let losses = step(&mut gan, recipe, progress, &batch, &noise).unwrap();
            if gan.steps.is_multiple_of(recipe.report_every) || gan.steps == total {
                seen.0.push([losses.d_loss, losses.g_loss].map(|loss| loss.to_scalar().unwrap()));
            }
        }
    }
    (gan, seen)
}

#[test]
fn a_training_is_its_steps_to_the_bit() {
    for device in &devices() {
        let set = set(device);
        for (name, recipe) in recipes() {
            let mut seen = Losses::default();
            let mut gan = Gan::new(&recipe, IMAGE, device).unwrap();
            train(&mut gan, &set, &recipe, &mut seen).unwrap();

            let (by_hand, expected) = by_hand(&recipe, &set);
            let place = format!("{name} on {:?}", device.location());
            assert_eq!(gan.steps, by_hand.steps, "{place}");
            assert_eq!(seen.0, expected.0, "{place}: losses");
            for ((what, got), (_, expected)) in state(&gan).into_iter().zip(state(&by_hand)) {
                let same =
                    got.iter().zip(&expected).all(|(got, expected)| got.to_bits() == expected.to_bits());
                assert!(same, "{place}: {what}: {got:?}, by hand {expected:?}");
            }
        }
    }
}
