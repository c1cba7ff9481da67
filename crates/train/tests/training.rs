//! The loop: what comes out depends on the recipe and the images alone, and whoever watches is told on time.

use candle_core::{DType, Device, Tensor};
use ganlet_models::Network;
use ganlet_ops::testing::devices;
use ganlet_train::{Error, Gan, Observer, ObserverResult, Recipe, Report, train};

/// 50 images of 3 x 4 pixels.
fn images() -> Tensor {
    let pixels: Vec<u8> = (0..50 * 12).map(|i| (i * 37 % 251) as u8).collect();
    Tensor::from_vec(pixels, (50, 12), &Device::Cpu).unwrap()
}

/// 7 steps an epoch, with one image left over.
fn recipe() -> Recipe {
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

fn weights(gan: &Gan) -> Vec<Vec<f32>> {
    let all = gan.generator.parameters().iter().chain(gan.discriminator.parameters());
    all.map(|(_, var)| var.flatten_all().unwrap().to_vec1().unwrap()).collect()
}

#[derive(Default)]
struct Record {
    steps: u64,
    reports: Vec<Report>,
    epochs: Vec<(u64, u64)>,
    fail_at_epoch: Option<u64>,
}

impl Observer for Record {
    fn on_step(&mut self, steps: u64) {
        self.steps += 1;
        assert_eq!(self.steps, steps);
    }

    fn on_report(&mut self, report: &Report) -> ObserverResult {
        self.reports.push(*report);
        Ok(())
    }

    fn on_epoch(&mut self, epoch: u64, gan: &Gan) -> ObserverResult {
        self.epochs.push((epoch, gan.steps));
        if self.fail_at_epoch == Some(epoch) { Err("the disk is full".into()) } else { Ok(()) }
    }
}

fn run(recipe: &Recipe, observer: &mut Record) -> Result<Gan, Error> {
    let mut gan = Gan::new(recipe, [3, 4], &Device::Cpu)?;
    train(&mut gan, &images(), recipe, observer)?;
    Ok(gan)
}

#[test]
fn observers_are_told_on_time() {
    let mut record = Record::default();
    run(&recipe(), &mut record).unwrap();
    assert_eq!(record.epochs, [(1, 7), (2, 14), (3, 21)]);
    let at: Vec<_> = record.reports.iter().map(|r| (r.epoch, r.step, r.images)).collect();
    // Every fourth step, and the last.
    assert_eq!(at, [(1, 4, 28), (2, 8, 56), (2, 12, 84), (3, 16, 112), (3, 20, 140), (3, 21, 147)]);
    // Before it has learned much, D is undecided and its loss is about 2 ln 2.
    let first = &record.reports[0];
    assert!((first.d_loss - 2. * 2f32.ln()).abs() < 0.2 && (first.d_real - 0.5).abs() < 0.1, "{first:?}");
}

#[test]
fn the_same_recipe_gives_the_same_bits_and_another_seed_others() {
    let [a, b] = [(), ()].map(|()| weights(&run(&recipe(), &mut Record::default()).unwrap()));
    assert_eq!(a, b);
    let other = Recipe { seed: 1, ..recipe() };
    assert_ne!(a, weights(&run(&other, &mut Record::default()).unwrap()));
}

#[test]
fn going_on_after_any_epoch_gives_the_bits_of_an_unbroken_training() {
    for device in devices() {
        let images = images().to_device(&device).unwrap();
        let mut unbroken = Gan::new(&recipe(), [3, 4], &device).unwrap();
        train(&mut unbroken, &images, &recipe(), &mut ()).unwrap();

        let mut gan = Gan::new(&recipe(), [3, 4], &device).unwrap();
        train(&mut gan, &images, &Recipe { epochs: 1, ..recipe() }, &mut ()).unwrap();
        let mut record = Record { steps: gan.steps, ..Record::default() };
        train(&mut gan, &images, &recipe(), &mut record).unwrap();
        assert_eq!(weights(&gan), weights(&unbroken));
        assert_eq!(record.epochs, [(2, 14), (3, 21)]);
        // A finished training has nothing left to do.
        train(&mut gan, &images, &recipe(), &mut ()).unwrap();
        assert_eq!(weights(&gan), weights(&unbroken));
    }
}

#[test]
fn an_observer_that_fails_ends_the_training_with_its_reason() {
    let mut record = Record { fail_at_epoch: Some(2), ..Record::default() };
    match run(&recipe(), &mut record) {
        Err(Error::Observer { step: 14, source }) => assert_eq!(source.to_string(), "the disk is full"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_trained_on_is_an_error() {
    let fails = |recipe: &Recipe, images: &Tensor| {
        let mut gan = Gan::new(recipe, [3, 4], &Device::Cpu)?;
        train(&mut gan, images, recipe, &mut ())
    };
    let large = Recipe { batch_size: 51, ..recipe() };
    assert!(matches!(
        fails(&large, &images()),
        Err(Error::TooFewImages { images: 50, batch_size: 51, discriminator_steps: 1 })
    ));
    let floats = images().to_dtype(DType::F32).unwrap();
    assert!(matches!(fails(&recipe(), &floats), Err(Error::Images { .. })));
    let flat = images().flatten_all().unwrap();
    assert!(matches!(fails(&recipe(), &flat), Err(Error::Images { .. })));
    let other_size = images().reshape((60, 10)).unwrap();
    assert!(matches!(fails(&recipe(), &other_size), Err(Error::Tensor(_))));
    // Noticed at the end of an epoch, though the next report is far: nobody is shown the epoch.
    let divergent = Recipe { learning_rate: 1e30, epochs: 30, report_every: 1000, ..recipe() };
    let mut record = Record::default();
    assert!(matches!(run(&divergent, &mut record), Err(Error::Diverged { .. })));
    assert!(record.epochs.len() < 3, "{:?}", record.epochs);
}

/// The same networks as candle modules of a user's own, differentiated by candle.
#[test]
fn modules_of_ones_own_train_to_the_same_weights() {
    use candle_nn::{Activation, VarBuilder, VarMap, seq};
    use ganlet_models::Autograd;

    let mut by_hand = Gan::new(&recipe(), [3, 4], &Device::Cpu).unwrap();
    // A candle network with the initial weights of ours.
    let copy = |network: &dyn Fn() -> Vec<(String, candle_core::Var)>, widths: &[usize], tanh: bool| {
        let variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let mut module = seq();
        for (layer, w) in widths.windows(2).enumerate() {
            module = module.add(candle_nn::linear(w[0], w[1], builder.pp(2 * layer)).unwrap());
            if layer + 2 < widths.len() {
                module = module.add(Activation::LeakyRelu(0.2));
            } else if tanh {
                module = module.add_fn(|x| x.tanh());
            }
        }
        for (name, var) in network() {
            variables.data().lock().unwrap()[&name].set(&var).unwrap();
        }
        Autograd::new(module, &variables)
    };
    let generator = copy(&|| by_hand.generator.parameters().to_vec(), &[5, 9, 12], true);
    let discriminator = copy(&|| by_hand.discriminator.parameters().to_vec(), &[12, 8, 6, 1], false);
    let mut by_candle = Gan::from_networks(generator, discriminator, &recipe()).unwrap();

    train(&mut by_hand, &images(), &recipe(), &mut ()).unwrap();
    train(&mut by_candle, &images(), &recipe(), &mut ()).unwrap();
    for (ours, theirs) in [
        (by_hand.generator.parameters(), by_candle.generator.parameters()),
        (by_hand.discriminator.parameters(), by_candle.discriminator.parameters()),
    ] {
        for (name, var) in ours {
            let (_, other) = theirs.iter().find(|(other, _)| other == name).unwrap();
            let difference = (var.as_tensor() - other.as_tensor()).unwrap().abs().unwrap();
            let largest = difference.flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(largest < 1e-4, "{name}: {largest}");
        }
    }
}

/// Beside a generator that ends in a sigmoid, and a discriminator of pixels in [0, 1], written out and differentiated by candle.
#[test]
fn unit_pixels_are_as_if_they_were_in_0_to_1() {
    use candle_nn::{Activation, VarBuilder, VarMap, linear, seq};
    use ganlet_models::Autograd;
    use ganlet_train::Rule;

    let recipe = Recipe {
        generator_range: Some(0.5),
        discriminator_range: Some(0.3),
        unit_pixels: true,
        optimizer: Rule::Sgd,
        learning_rate: 0.1,
        momentum: 0.5,
        ..recipe()
    };
    let mut ours = Gan::new(&recipe, [3, 4], &Device::Cpu).unwrap();

    let variables = [VarMap::new(), VarMap::new()];
    let [for_g, for_d] =
        [0, 1].map(|network| VarBuilder::from_varmap(&variables[network], DType::F32, &Device::Cpu));
    let generator = seq()
        .add(linear(5, 9, for_g.pp(0)).unwrap())
        .add(Activation::LeakyRelu(0.2))
        .add(linear(9, 12, for_g.pp(2)).unwrap())
        .add(Activation::Sigmoid)
        .add_fn(|x| x.affine(2., -1.));
    let discriminator = seq()
        .add_fn(|x| x.affine(0.5, 0.5))
        .add(linear(12, 8, for_d.pp(0)).unwrap())
        .add(Activation::LeakyRelu(0.2))
        .add(linear(8, 6, for_d.pp(2)).unwrap())
        .add(Activation::LeakyRelu(0.2))
        .add(linear(6, 1, for_d.pp(4)).unwrap());
    // Beside pixels of half the size, weights are of twice the size.
    let twice: [&[&str]; 2] = [&["2.weight", "2.bias"], &["0.weight"]];
    let as_if = |gan: &Gan| -> Vec<(usize, String, Tensor)> {
        let networks = [gan.generator.parameters(), gan.discriminator.parameters()];
        let all = networks.into_iter().enumerate().flat_map(|(network, all)| {
            all.iter().map(move |(name, var)| {
                let factor = if twice[network].contains(&name.as_str()) { 2. } else { 1. };
                (network, name.clone(), (var.as_tensor() * factor).unwrap())
            })
        });
        all.collect()
    };
    for (network, name, initial) in as_if(&ours) {
        variables[network].data().lock().unwrap()[&name].set(&initial).unwrap();
    }
    let [generator, discriminator] = [(generator, 0), (discriminator, 1)]
        .map(|(module, network)| Autograd::new(module, &variables[network]));
    let mut theirs = Gan::from_networks(generator, discriminator, &recipe).unwrap();

    train(&mut ours, &images(), &recipe, &mut ()).unwrap();
    train(&mut theirs, &images(), &recipe, &mut ()).unwrap();
    for (network, name, ours) in as_if(&ours) {
        let theirs = variables[network].data().lock().unwrap()[&name].as_tensor().clone();
        let difference = (ours - theirs).unwrap().abs().unwrap();
        let largest = difference.flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
        assert!(largest < 1e-5, "{network} {name}: {largest}");
    }
}
