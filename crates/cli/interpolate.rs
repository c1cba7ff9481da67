//! `ganlet interpolate`: the pictures on the way from sample to sample.

use std::path::Path;

use candle_core::{Device, Tensor};
use ganlet_models::{Generator, GeneratorConfig, LatentDistribution};
use ganlet_viz::{Layout, grid};

use crate::args::InterpolateArgs;
use crate::error::{Error, Result};
use crate::style::Format;
use crate::{console, files, model, npy, sample};

const FORMATS: &[Format] = &[Format::Png, Format::Gif, Format::Apng, Format::Npy];

/// Pictures from one sample to the next where nothing else is said: a row of a grid, and a second and a bit of an animation.
const STEPS_IN_GRID: usize = 10;
const STEPS_IN_ANIMATION: usize = 24;
const FPS: u16 = 20;

/// An image of MNIST's size is this much enlarged in an animation where nothing else is said, to be seen.
const SCALE_OF_ANIMATION: u32 = 8;

pub(crate) fn run(args: &InterpolateArgs) -> Result<()> {
    let weights = model::weights_file(&args.model)?;
    let out = match &args.out {
        Some(path) => path.clone(),
        None => model::default_out(
            &args.model,
            &weights,
            &format!("between-{}", sample::named_after(&args.seeds, None)),
            "png",
        )?,
    };
    let format = Format::of(&out, FORMATS)?;
    let moves = matches!(format, Format::Gif | Format::Apng);
    let steps = args.steps.unwrap_or(if moves { STEPS_IN_ANIMATION } else { STEPS_IN_GRID });

    let count = args.seeds.count();
    if count < 2 {
        return Err(Error::OneSeed { seeds: args.seeds.to_string() });
    }
    let pictures = count.saturating_mul(steps as u128).try_into().unwrap_or(u64::MAX);
    if pictures > sample::MOST_IN_GRID {
        return Err(Error::TooManyBetween { count: pictures, most: sample::MOST_IN_GRID });
    }

    let device = args.device.open()?;
    let generator = model::generator(&weights, &device)?;
    let way = Way { generator: &generator, label: args.label, steps, device: &device };
    let seeds: Vec<u64> = args.seeds.iter().collect();
    match format {
        Format::Npy => {
            args.style.check_numbers(&out)?;
            write_numbers(&out, &generator, &rows(&way, &seeds)?)?;
        }
        Format::Gif | Format::Apng => write_loop(args, &out, format, &way, &seeds)?,
        Format::Png | Format::Folder => {
            let pictures = rows(&way, &seeds)?;
            let layout = Layout { per_row: steps, ..Layout::default() };
            files::replace(&out, &args.style.png(&grid(&pictures, generator.config().image, layout)?)?)?;
        }
    }
    console::print(out.display())
}

/// How to go from sample to sample.
struct Way<'a> {
    generator: &'a Generator,
    /// The class of all pictures; without it, samples are of their own, and there are mixtures in between.
    label: Option<usize>,
    steps: usize,
    device: &'a Device,
}

/// For each seed and the next a row of `steps` pictures, from the one to the other.
fn rows(way: &Way, seeds: &[u64]) -> Result<Tensor> {
    let times: Vec<f32> = (0..way.steps).map(|step| step as f32 / (way.steps - 1) as f32).collect();
    between(way, seeds, &times)
}

/// The pictures at these times on the way from each seed to the next, `(N, rows * columns)` on the CPU.
fn between(way: &Way, seeds: &[u64], times: &[f32]) -> Result<Tensor> {
    let GeneratorConfig { latent, latent_distribution, .. } = *way.generator.config();
    let ends = way.generator.inputs(seeds, way.label)?.to_vec2::<f32>()?;
    let inputs: Vec<Vec<f32>> = ends
        .windows(2)
        .flat_map(|pair| {
            let [(from, label), (to, next)] = [&pair[0], &pair[1]].map(|end| end.split_at(latent));
            times.iter().map(move |&time| {
                let labels = LatentDistribution::Uniform.between(label, next, time);
                [latent_distribution.between(from, to, time), labels].concat()
            })
        })
        .collect();
    let pictures = way.generator.generate_mixed(&Tensor::new(inputs, way.device)?)?;
    Ok(pictures.to_device(&Device::Cpu)?)
}

/// An animation that begins with the first seed, passes all of them, and comes back to it.
fn write_loop(args: &InterpolateArgs, path: &Path, format: Format, way: &Way, seeds: &[u64]) -> Result<()> {
    let closed = [seeds, &seeds[..1]].concat();
    let times: Vec<f32> = (0..way.steps).map(|step| step as f32 / way.steps as f32).collect();
    let pictures = between(way, &closed, &times)?;
    let hundredths = args.pace.hundredths(FPS);
    let frames = (0..pictures.dim(0)?).map(|row| {
        let picture = grid(&pictures.narrow(0, row, 1)?, way.generator.config().image, Layout::default())?;
        Ok((picture, hundredths))
    });
    args.style.write_animation(path, format, frames, SCALE_OF_ANIMATION)
}

fn write_numbers(path: &Path, generator: &Generator, pictures: &Tensor) -> Result<()> {
    let failed = |source| Error::write(path, source);
    files::replace_with(path, |out| {
        npy::write_header(out, pictures.dim(0)? as u64, generator.config().pixels()).map_err(failed)?;
        npy::write_numbers(out, &pictures.flatten_all()?.to_vec1()?).map_err(failed)
    })
}
