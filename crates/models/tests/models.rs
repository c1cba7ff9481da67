//! Shapes, counts and initial weights are those of the PyTorch modules.

use candle_core::{DType, Device, Tensor};
use ganlet_models::{
    Autograd, Discriminator, DiscriminatorConfig, Error, Generator, GeneratorConfig, HiddenActivation,
    LatentDistribution, Network, Pass, sample_latents,
};
use ganlet_ops::testing::devices;

const CPU: Device = Device::Cpu;

fn generator(hidden: &[usize]) -> Generator {
    let config = GeneratorConfig::new(64, hidden, [28, 28]);
    Generator::new(config, 0, &CPU).unwrap()
}

fn discriminator(hidden: &[usize]) -> Discriminator {
    let config = DiscriminatorConfig::new(hidden, [28, 28]);
    Discriminator::new(config, 0, &CPU).unwrap()
}

#[test]
fn parameter_counts_and_names_are_pytorchs() {
    // (in + 1) * out, layer by layer.
    assert_eq!(generator(&[256, 256]).parameter_count(), 65 * 256 + 257 * 256 + 257 * 784);
    assert_eq!(discriminator(&[256, 256]).parameter_count(), 785 * 256 + 257 * 256 + 257);
    assert_eq!(generator(&[]).parameter_count(), 65 * 784);
    assert_eq!(discriminator(&[7, 6, 5, 4]).parameter_count(), 785 * 7 + 8 * 6 + 7 * 5 + 6 * 4 + 5);

    let generator = generator(&[256, 256]);
    let names: Vec<_> =
        generator.parameters().iter().map(|(name, var)| (name.as_str(), var.dims())).collect();
    assert_eq!(
        names,
        [
            ("0.weight", &[256, 64][..]),
            ("0.bias", &[256]),
            ("2.weight", &[256, 256]),
            ("2.bias", &[256]),
            ("4.weight", &[784, 256]),
            ("4.bias", &[784]),
        ]
    );
}

#[test]
fn initial_weights_are_uniform_in_pytorchs_range() {
    let mut inputs = 1;
    for (name, var) in discriminator(&[256, 256]).parameters() {
        inputs = var.dims().get(1).copied().unwrap_or(inputs);
        let bound = 1. / f64::from(inputs as u32).sqrt();
        let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let square = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        assert!(values.iter().all(|&v| f64::from(v).abs() <= bound), "{name}");
        if n > 100. {
            // Of U(-b, b): variance b²/3 of a value, 4b⁴/45 of its square; five standard errors.
            assert!(mean.abs() < 5. * bound / (3. * n).sqrt(), "{name}: mean {mean}");
            let error = 5. * bound * bound * (4. / 45. / n).sqrt();
            assert!((square - bound * bound / 3.).abs() < error, "{name}: mean square {square}");
        }
    }
    let first = |seed| {
        let config = GeneratorConfig::new(4, &[3], [2, 2]);
        let generator = Generator::new(config, seed, &CPU).unwrap();
        generator.parameters()[0].1.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn outputs_have_their_shapes_and_ranges() {
    let latents = (sample_latents(&[1, 2, 3], 64, LatentDistribution::Normal, &CPU).unwrap() * 100.).unwrap();
    let images = generator(&[256, 256]).generate(&latents).unwrap();
    assert_eq!(images.dims(), [3, 784]);
    assert!(images.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() <= 1.);

    let discriminator = discriminator(&[256, 256]);
    let logits = discriminator.logits(&images).unwrap();
    let probabilities = discriminator.probabilities(&images).unwrap();
    assert_eq!((logits.dims(), probabilities.dims()), (&[3, 1][..], &[3, 1][..]));
    for (l, p) in logits.to_vec2::<f32>().unwrap().iter().zip(probabilities.to_vec2::<f32>().unwrap()) {
        assert!((p[0] - 1. / (1. + (-l[0]).exp())).abs() < 1e-6);
    }
}

#[test]
fn a_sample_is_a_function_of_its_seed_alone() {
    let seeds: Vec<u64> = (0..150).collect();
    // Widths that are cut into tiles in each way, and leave each kind of rest.
    for hidden in [&[256, 256][..], &[16], &[5, 300], &[]] {
        let generator = generator(hidden);
        let all = generator.sample(&seeds).unwrap().to_vec2::<f32>().unwrap();
        for seeds in [&[7][..], &[149, 7], &[63], &[100, 3, 7, 71, 7]] {
            let some = generator.sample(seeds).unwrap().to_vec2::<f32>().unwrap();
            for (image, &seed) in some.iter().zip(seeds) {
                assert_eq!(*image, all[seed as usize], "{hidden:?}: sample {seed} among {seeds:?}");
            }
        }
        assert_eq!(generator.sample(&[]).unwrap().dims(), [0, 784]);
    }
}

#[test]
fn impossible_shapes_are_errors() {
    let new = |latent, hidden: &[usize], image| {
        Generator::new(GeneratorConfig::new(latent, hidden, image), 0, &CPU)
    };
    assert!(matches!(new(0, &[8], [2, 2]), Err(Error::ZeroWidth { .. })));
    assert!(matches!(new(4, &[8, 0], [2, 2]), Err(Error::ZeroWidth { .. })));
    assert!(matches!(new(4, &[8], [2, 0]), Err(Error::ZeroWidth { .. })));
    assert!(matches!(new(4, &[usize::MAX], [2, 2]), Err(Error::TooLarge { .. })));
    assert!(matches!(new(4, &[8], [usize::MAX, 2]), Err(Error::TooLarge { .. })));
    let latents = Tensor::zeros((1, 5), DType::F32, &CPU).unwrap();
    assert!(new(4, &[8], [2, 2]).unwrap().generate(&latents).is_err());
}

#[test]
fn networks_are_the_same_on_every_device() {
    let config = GeneratorConfig::new(8, &[40, 30], [5, 6]);
    let expected = Generator::new(config.clone(), 3, &CPU).unwrap().sample(&[1, 2, 3]).unwrap();
    for device in devices() {
        let generator = Generator::new(config.clone(), 3, &device).unwrap();
        let file = generator.to_bytes(&Default::default()).unwrap();
        let generator = Generator::from_bytes(&file, &device).unwrap().network;
        let images = generator.sample(&[1, 2, 3]).unwrap().to_device(&CPU).unwrap();
        let difference = (images - &expected).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-5, "{device:?}");
    }
}

#[test]
fn a_conditional_sample_is_a_function_of_its_seed_and_label() {
    let config = GeneratorConfig { classes: 3, ..GeneratorConfig::new(8, &[40, 30], [5, 6]) };
    let generator = Generator::new(config, 1, &CPU).unwrap();
    let bits = |images: Tensor| images.to_vec2::<f32>().unwrap();
    let of_2 = bits(generator.sample_labelled(&[5, 6, 7], 2).unwrap());
    assert_eq!(of_2[1..], bits(generator.sample_labelled(&[6, 7], 2).unwrap()));
    assert_ne!(of_2[0], bits(generator.sample_labelled(&[5], 1).unwrap())[0]);
    // Without a label, labels go round.
    assert_eq!(of_2[0], bits(generator.sample(&[9, 5]).unwrap())[1]);

    let again =
        Generator::from_bytes(&generator.to_bytes(&Default::default()).unwrap(), &CPU).unwrap().network;
    assert_eq!(bits(again.sample_labelled(&[5, 6, 7], 2).unwrap()), of_2);
    assert!(matches!(generator.sample_labelled(&[5], 3), Err(Error::Label { classes: 3, found: 3 })));
    let unconditional = Generator::new(GeneratorConfig::new(8, &[4], [5, 6]), 1, &CPU).unwrap();
    assert!(matches!(unconditional.sample_labelled(&[5], 0), Err(Error::NoLabels)));
}

#[test]
fn uniform_latents_and_maxout_survive_a_file() {
    let config = GeneratorConfig {
        latent_distribution: LatentDistribution::Uniform,
        activation: HiddenActivation::Maxout(3),
        ..GeneratorConfig::new(8, &[4, 5], [5, 6])
    };
    let generator = Generator::new(config.clone(), 1, &CPU).unwrap();
    assert_eq!(generator.parameter_count(), 9 * 12 + 5 * 15 + 6 * 30);
    let again =
        Generator::from_bytes(&generator.to_bytes(&Default::default()).unwrap(), &CPU).unwrap().network;
    assert_eq!(*again.config(), config);
    let latents = sample_latents(&[1, 2, 3], 64, LatentDistribution::Uniform, &CPU).unwrap();
    let latents = latents.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(latents.iter().all(|x| (-1.7321..1.7321).contains(x)) && latents.iter().any(|x| x.abs() > 1.6));
}

#[test]
fn a_range_bounds_the_weights_and_leaves_the_biases_at_0() {
    let config = DiscriminatorConfig {
        activation: HiddenActivation::Maxout(2),
        classes: 3,
        ..DiscriminatorConfig::new(&[20, 10], [5, 6])
    };
    let drawn = Discriminator::with_range(config, Some(0.005), 0, &CPU).unwrap();
    let values = |network: &Discriminator, number: usize| -> Vec<f32> {
        network.parameters()[number].1.flatten_all().unwrap().to_vec1().unwrap()
    };
    for (number, (name, _)) in drawn.parameters().iter().enumerate() {
        let largest = values(&drawn, number).into_iter().map(f32::abs).fold(0., f32::max);
        let expected = if name.ends_with("bias") { 0. ..=0. } else { 0.004..=0.005 };
        assert!(expected.contains(&largest), "{name}: {largest}");
    }
    // As for pixels of half the size: only what they are multiplied with changes, not what belongs to a label.
    let unit = drawn.clone();
    let before: Vec<_> = (0..6).map(|number| values(&drawn, number)).collect();
    let unit = unit.with_unit_pixels().unwrap();
    for (number, before) in before.into_iter().enumerate() {
        let factor = |at: usize| if number == 0 && at % 33 < 30 { 0.5 } else { 1. };
        let expected: Vec<_> = before.iter().enumerate().map(|(at, x)| x * factor(at)).collect();
        assert_eq!(values(&unit, number), expected, "{number}");
    }
}

/// What training works with, normalised and centered, and the file that is written are one function.
#[test]
fn a_discriminator_is_written_as_it_works() {
    let mut network = discriminator(&[20, 10]).with_spectral_norm(7).unwrap().with_center().unwrap();
    let images = (sample_latents(&[1, 2, 3], 784, LatentDistribution::Normal, &CPU).unwrap() * 0.5).unwrap();
    network.center_on(&images.get(0).unwrap()).unwrap();
    for _ in 0..100 {
        network.refresh().unwrap();
    }
    let logits = |network: &Discriminator| network.logits(&images).unwrap().flatten_all().unwrap();
    let read_again = |network: &Discriminator| {
        let written = network.to_bytes(&Default::default()).unwrap();
        let again = Discriminator::from_bytes(&written, &CPU).unwrap().network;
        let [one, other] = [logits(network), logits(&again)].map(|logits| logits.to_vec1::<f32>().unwrap());
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-5), "{one:?} {other:?}");
        again
    };
    let again = read_again(&network);
    // Also of weights that have just been set, as from a checkpoint.
    let weight = &network.parameters()[0].1;
    weight.set(&weight.flip(&[0]).unwrap()).unwrap();
    read_again(&network);
    // Normalised, no layer makes anything longer: nor do they all.
    let [a, b] = [1, 2].map(|row| logits(&again).get(row).unwrap().to_scalar::<f32>().unwrap());
    let apart = (images.get(1).unwrap() - images.get(2).unwrap()).unwrap().sqr().unwrap().sum_all().unwrap();
    assert!((a - b).abs() <= apart.to_scalar::<f32>().unwrap().sqrt() * 1.001);
}

#[test]
fn a_module_with_variables_of_another_is_refused() {
    use candle_nn::{VarBuilder, VarMap, linear};

    let [variables, others] = [VarMap::new(), VarMap::new()];
    let module = |variables| linear(3, 2, VarBuilder::from_varmap(variables, DType::F32, &CPU)).unwrap();
    let (here, _there) = (module(&variables), module(&others));
    let gradients = |variables| {
        let network = Autograd::new(here.clone(), variables);
        let pass = network.forward(&Tensor::ones((4, 3), DType::F32, &CPU).unwrap()).unwrap();
        pass.parameter_gradients(&pass.output().ones_like().unwrap())
    };
    assert_eq!(gradients(&variables).unwrap().len(), 2);
    let said = gradients(&others).unwrap_err().to_string();
    assert!(said.contains("none of the network's 2 variables"), "{said}");
}
