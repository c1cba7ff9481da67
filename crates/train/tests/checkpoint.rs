//! Checkpoints: a training cut anywhere and gone on with from the file comes to the same bits, and no file is believed that is not whole.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use ganlet_models::{HiddenActivation, LatentDistribution, Network};
use ganlet_ops::testing::devices;
use ganlet_train::checkpoint::{self, Checkpoint, Error};
use ganlet_train::{
    Gan, Loss, Observer, ObserverResult, Recipe, Report, Rule, Schedule, TrainingSet, train, train_until,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// 20 images of 2 x 3 pixels.
fn images(device: &Device) -> Tensor {
    let pixels: Vec<u8> = (0..20 * 6).map(|i| (i * 37 % 251) as u8).collect();
    Tensor::from_vec(pixels, (20, 6), device).unwrap()
}

/// 4 steps an epoch, a report every third step.
fn recipe() -> Recipe {
    Recipe {
        epochs: 3,
        batch_size: 5,
        latent: 2,
        generator_hidden: vec![4],
        discriminator_hidden: vec![3],
        learning_rate: 0.01,
        report_every: 3,
        ..Recipe::named("classic").unwrap()
    }
}

fn gan(device: &Device) -> Gan {
    Gan::new(&recipe(), [2, 3], device).unwrap()
}

fn bytes(gan: &Gan) -> Vec<u8> {
    checkpoint::to_bytes(gan, &recipe(), "digest").unwrap()
}

/// Notes what it is told, and asks to stop at a step, as a signal would.
struct StopAt<'a> {
    step: u64,
    stop: &'a AtomicBool,
    told: Vec<(u64, bool)>,
}

impl Observer for StopAt<'_> {
    fn on_step(&mut self, steps: u64) {
        self.stop.store(steps == self.step, Ordering::Relaxed);
    }

    fn on_report(&mut self, report: &Report) -> ObserverResult {
        self.told.push((report.step, false));
        Ok(())
    }

    fn on_epoch(&mut self, _epoch: u64, gan: &Gan) -> ObserverResult {
        self.told.push((gan.steps, true));
        Ok(())
    }
}

/// Recipes that between them choose everything that has a state, or is drawn.
fn choices() -> [Recipe; 3] {
    let smooth = Recipe {
        latent_distribution: LatentDistribution::Uniform,
        classes: 3,
        loss: Loss::Hinge,
        spectral_norm: true,
        center: true,
        r1: 1.,
        r1_every: 2,
        instance_noise: 0.5,
        schedule: Schedule::Linear,
        ema_decay: 0.9,
        ..recipe()
    };
    let rough = Recipe {
        epochs: 6,
        discriminator_steps: 2,
        discriminator_activation: HiddenActivation::Maxout(2),
        generator_range: Some(0.1),
        unit_pixels: true,
        loss: Loss::Wasserstein,
        gradient_penalty: 1.,
        input_dropout: 0.2,
        dropout: 0.5,
        optimizer: Rule::Sgd,
        momentum: 0.5,
        ..recipe()
    };
    [recipe(), smooth, rough]
}

#[test]
fn a_training_cut_at_any_step_comes_to_the_same_bits_and_the_same_news() {
    for device in devices() {
        choices().iter().for_each(|recipe| cut_at_any_step(recipe, &device));
    }
}

fn cut_at_any_step(recipe: &Recipe, device: &Device) {
    let labels: Vec<u8> = (0..20).map(|i| i % 3).collect();
    let labels = Some(Tensor::new(labels, device).unwrap());
    let set = TrainingSet { images: images(device), labels };
    let gan = || Gan::new(recipe, [2, 3], device).unwrap();
    let bytes = |gan: &Gan| checkpoint::to_bytes(gan, recipe, "digest").unwrap();
    let run = |gan: &mut Gan, step: u64| {
        let stop = AtomicBool::new(false);
        let mut observer = StopAt { step, stop: &stop, told: Vec::new() };
        train_until(&stop, gan, &set, recipe, &mut observer).unwrap();
        observer.told
    };
    let mut unbroken = gan();
    let news = run(&mut unbroken, u64::MAX);
    let steps = unbroken.steps;
    assert_eq!(news.len() as u64, 4 + steps / (20 / recipe.images_per_step() as u64));
    for cut in 1..steps {
        let mut first = gan();
        let mut told = run(&mut first, cut);
        assert_eq!(first.steps, cut);

        let checkpoint = Checkpoint::from_bytes(&bytes(&first)).unwrap();
        let mut second = gan();
        checkpoint.restore(&mut second).unwrap();
        assert_eq!(bytes(&second), bytes(&first));
        told.extend(run(&mut second, u64::MAX));
        assert!(bytes(&second) == bytes(&unbroken), "cut after step {cut} of {recipe:?}");
        assert_eq!(told, news, "cut after step {cut}");
    }
}

/// On another device a training comes to other bits, but it is the same one.
#[test]
fn a_checkpoint_goes_on_on_any_device() {
    for (from, to) in devices().iter().flat_map(|from| devices().into_iter().map(move |to| (from, to))) {
        let mut first = gan(from);
        train(&mut first, &images(from), &Recipe { epochs: 1, ..recipe() }, &mut ()).unwrap();
        let mut second = gan(&to);
        Checkpoint::from_bytes(&bytes(&first)).unwrap().restore(&mut second).unwrap();
        assert_eq!(bytes(&second), bytes(&first));
        train(&mut first, &images(from), &recipe(), &mut ()).unwrap();
        train(&mut second, &images(&to), &recipe(), &mut ()).unwrap();
        assert_eq!(second.steps, first.steps);
        for ((name, got), (_, expected)) in
            second.generator.parameters().iter().zip(first.generator.parameters())
        {
            let [got, expected] = [got, expected].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-4, "{name}: {got}, on the first device {expected}");
            }
        }
    }
}

#[test]
fn a_checkpoint_says_what_was_trained_on_what_and_how_far() {
    let mut gan = gan(&Device::Cpu);
    let new = Checkpoint::from_bytes(&bytes(&gan)).unwrap();
    assert_eq!((new.steps(), new.version()), (0, env!("CARGO_PKG_VERSION")));
    train(&mut gan, &images(&Device::Cpu), &recipe(), &mut ()).unwrap();
    let checkpoint = Checkpoint::from_bytes(&bytes(&gan)).unwrap();
    assert_eq!((checkpoint.steps(), checkpoint.data()), (12, "digest"));
    assert_eq!(*checkpoint.recipe(), recipe());
    // One before the first step takes the moments away again.
    new.restore(&mut gan).unwrap();
    assert_eq!((gan.steps, gan.generator_optimizer.steps, gan.generator_optimizer.moments.len()), (0, 0, 0));
}

#[test]
fn no_file_that_was_cut_off_and_none_with_a_flipped_bit_is_believed() {
    let mut gan = gan(&Device::Cpu);
    train(&mut gan, &images(&Device::Cpu), &Recipe { epochs: 1, ..recipe() }, &mut ()).unwrap();
    let whole = bytes(&gan);
    for length in 0..whole.len() {
        assert!(Checkpoint::from_bytes(&whole[..length]).is_err(), "cut at {length}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Checkpoint::from_bytes(&flipped).is_err(), "bit {bit}");
    }
}

/// The tensors of a checkpoint, changed and put together again, with the metadata of `like`.
fn changed(like: &[u8], change: impl Fn(&str) -> Option<(Dtype, Vec<usize>, Vec<u8>)>) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(like).unwrap();
    let file = SafeTensors::deserialize(like).unwrap();
    let data: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| match change(&name) {
            Some((dtype, shape, data)) => (name, dtype, shape, data),
            None => (name, view.dtype(), view.shape().to_vec(), view.data().to_vec()),
        })
        .collect();
    let views = data.iter().map(|(n, t, s, d)| (n, TensorView::new(*t, s.clone(), d).unwrap()));
    safetensors::serialize(views, header.metadata().clone()).unwrap()
}

#[test]
fn each_way_to_be_wrong_has_its_error() {
    let mut gan = gan(&Device::Cpu);
    train(&mut gan, &images(&Device::Cpu), &recipe(), &mut ()).unwrap();
    let whole = bytes(&gan);
    let read = |bytes: &[u8]| Checkpoint::from_bytes(bytes).unwrap_err();
    assert!(matches!(read(b""), Error::NotSafetensors { length: 0, .. }));
    let weights = gan.generator.to_bytes(&Default::default()).unwrap();
    assert!(matches!(read(&weights), Error::Metadata(_)));
    assert!(matches!(read(&safetensors::serialize([("a", &view())], None).unwrap()), Error::NotACheckpoint));

    let bias = |dtype, data: f32| {
        let data = data.to_le_bytes().repeat(4);
        move |name: &str| (name == "generator_adam.m.0.bias").then(|| (dtype, vec![4], data.clone()))
    };
    let expected = "generator_adam.m.0.bias";
    assert!(matches!(read(&changed(&whole, bias(Dtype::I32, 0.))),
        Error::TensorDType { tensor, found: Dtype::I32 } if tensor == expected));
    assert!(matches!(read(&changed(&whole, bias(Dtype::F32, f32::NAN))),
        Error::NotFinite { tensor, position: 0, .. } if tensor == expected));
    assert!(matches!(read(&changed(&whole, bias(Dtype::F32, 1.))), Error::Digest { .. }));
    assert_eq!(changed(&whole, |_| None), whole);

    // Whole, and of other networks.
    let restore = |other: &Recipe| {
        let mut other = Gan::new(other, [2, 3], &Device::Cpu).unwrap();
        let before = bytes(&other);
        let error = Checkpoint::from_bytes(&whole).unwrap().restore(&mut other).unwrap_err();
        assert_eq!(bytes(&other), before, "nothing is changed");
        error
    };
    assert!(matches!(restore(&Recipe { latent: 3, ..recipe() }),
        Error::TensorShape { tensor, .. } if tensor == "generator.0.weight"));
    assert!(matches!(restore(&Recipe { discriminator_hidden: vec![3, 1], ..recipe() }),
        Error::MissingTensor { tensor } if tensor == "discriminator.4.weight"));
    assert!(matches!(restore(&Recipe { discriminator_hidden: vec![], ..recipe() }),
        Error::TensorShape { tensor, .. } if tensor == "discriminator.0.weight"));
    assert!(matches!(restore(&Recipe { generator_hidden: vec![4, 6], ..recipe() }),
        Error::MissingTensor { tensor } if tensor == "generator.4.weight"));

    // What is not a number is not kept.
    let nan = Tensor::full(f32::NAN, 4, &Device::Cpu).unwrap();
    gan.generator.parameters()[1].1.set(&nan).unwrap();
    assert!(matches!(checkpoint::to_bytes(&gan, &recipe(), "digest"),
        Err(Error::NotFinite { tensor, .. }) if tensor == "generator.0.bias"));
}

fn view() -> TensorView<'static> {
    TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap()
}

#[test]
fn weights_that_are_no_longer_numbers_are_noticed_before_the_losses_show_it() {
    use ganlet_train::Error;

    // At the next report, or at the end of the epoch if that is sooner.
    for (report_every, noticed) in [(1, 1), (1000, 4)] {
        let mut recipe = Recipe { report_every, ..recipe() };
        let of_d = Some(recipe.learning_rate);
        let too_fast = Recipe { learning_rate: 1e39, discriminator_learning_rate: of_d, ..recipe.clone() };
        let mut gan = gan(&Device::Cpu);
        let mut observer = StopAt { step: 0, stop: &AtomicBool::new(false), told: Vec::new() };
        if noticed == 1 {
            // The generator's first update is beyond what f32 holds. Both losses of the step are taken before it.
            recipe = too_fast;
        } else {
            let last = Recipe { epochs: 1, report_every: 4, ..recipe.clone() };
            let stop = AtomicBool::new(false);
            let mut at = StopAt { step: 3, stop: &stop, told: Vec::new() };
            train_until(&stop, &mut gan, &images(&Device::Cpu), &last, &mut at).unwrap();
            recipe = too_fast;
        }
        match train(&mut gan, &images(&Device::Cpu), &recipe, &mut observer) {
            Err(Error::NotFinite { step, network: "generator", tensor }) => {
                assert_eq!((step, tensor.as_str()), (noticed, "0.weight"));
            }
            other => panic!("{other:?}"),
        }
        // Nobody is told of it as if it were news.
        assert_eq!(observer.told, []);
    }
}
