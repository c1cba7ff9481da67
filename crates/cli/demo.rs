//! `ganlet demo`: a page with the generator inside.

use std::path::Path;

use candle_core::{Device, Tensor};
use ganlet_models::{Generator, GeneratorConfig, LatentDistribution, SAMPLES};
use ganlet_ops::Activation;
use ganlet_viz::explorer::{self, Dense, DenseActivation, Latents, directions, explorer};

use crate::args::DemoArgs;
use crate::error::{Error, Result};
use crate::{console, files, model};

/// Latents to find the directions from.
const PROBES: u64 = 32;
/// Sliders.
const DIRECTIONS: usize = 8;
/// A change of a pixel, in [-1, 1], that is worth a word.
const EXACT: f32 = 1e-4;

pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    files::check_ending("--out", args.out.as_deref(), "html")?;
    let weights = model::weights_file(&args.model)?;
    let generator = model::generator(&weights, &Device::Cpu)?;
    let out = match &args.out {
        Some(path) => path.clone(),
        None if args.model.is_dir() => args.model.join("demo.html"),
        None => model::default_out(&args.model, &weights, "demo", "html")?,
    };

    let GeneratorConfig { latent, latent_distribution, classes, image, .. } = *generator.config();
    let probes = generator.inputs(&(0..PROBES).collect::<Vec<_>>(), None)?;
    let generate = |inputs: &Tensor| generator.generate_mixed(inputs).map_err(candle_core::Error::wrap);
    let directions = directions(&probes, latent, DIRECTIONS, generate)?;
    let page = explorer(
        &explorer::Generator {
            name: &name(&args.model, &weights),
            image,
            latent,
            latents: match latent_distribution {
                LatentDistribution::Normal => Latents::Normal,
                LatentDistribution::Uniform => Latents::Uniform,
            },
            domain: SAMPLES,
            classes,
            layers: &layers(&generator)?,
            directions: &directions,
        },
        &probes.flatten_all()?.to_vec1::<f32>()?,
        args.max_size.saturating_mul(1_000_000),
    )
    .map_err(|source| Error::Demo { path: weights.clone(), source })?;

    if page.cost > EXACT {
        console::warning(format_args!(
            "the weights were rounded to {} bits to keep the page below {} MB: pixels in [-1, 1] change by up to {:.1e}",
            page.bits, args.max_size, page.cost
        ));
        console::hint(format_args!(
            "--max-size {} makes a page with all of their bits",
            page.whole.div_ceil(1_000_000)
        ));
    }
    files::replace(&out, page.html.as_bytes())?;
    console::print(out.display())
}

/// The run's name, or the file's.
fn name(model: &Path, weights: &Path) -> String {
    let full = model.canonicalize().unwrap_or_else(|_| weights.into());
    let name = if full.is_dir() { full.file_name() } else { full.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// The generator's layers as numbers.
fn layers(generator: &Generator) -> Result<Vec<Dense>> {
    let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    generator
        .mlp()
        .layers()
        .iter()
        .map(|layer| {
            let activation = match layer.activation {
                Activation::Identity => DenseActivation::Identity,
                Activation::LeakyRelu(slope) => DenseActivation::LeakyRelu(slope),
                Activation::Tanh => DenseActivation::Tanh,
                Activation::Sigmoid => DenseActivation::Sigmoid,
                Activation::Maxout(pieces) => DenseActivation::Maxout(pieces),
            };
            Ok(Dense { weight: numbers(&layer.weight)?, bias: numbers(&layer.bias)?, activation })
        })
        .collect()
}
