//! `ganlet eval`: generators -> samples -> numbers, beside those of training images and of noise.

mod rows;
mod table;

use std::path::Path;

use candle_core::{Device, Tensor};
use ganlet_data::{Loaded, Name, Request};
use ganlet_metrics::{CLASSES, DigitNetwork, Estimate, Evaluator, Quality, SIDE};
use ganlet_models::Generator;
use ganlet_viz::{Layout, encode_png, grid};

use crate::args::EvalArgs;
use crate::console::{self, grouped};
use crate::error::{Error, Result};
use crate::{data, files, model, progress, recipe, run_dir};
use rows::{Report, Row};

/// Samples in a row of the sheet of neighbours, and its rows: together the 64 of every other picture.
const SHEET: [usize; 2] = [8, 8];

pub(crate) fn run(args: &EvalArgs) -> Result<()> {
    if let (Some(path), [_, _, ..]) = (&args.neighbours, &args.models[..]) {
        return Err(Error::NeighboursOfSeveral { path: path.clone(), found: args.models.len() });
    }
    files::check_ending("--neighbours", args.neighbours.as_deref(), "png")?;
    let device = args.device.open()?;
    let generators = args.models.iter().map(|model| {
        let generator = model::generator(&model::weights_file(model)?, &device)?;
        Ok((model.as_path(), generator))
    });
    let generators = generators.collect::<Result<Vec<_>>>()?;
    let Loaded { dataset, .. } = data::load(&request(args)?, false)?;
    let image = [dataset.rows(), dataset.cols()];
    for (path, generator) in &generators {
        if generator.config().image != image {
            let (path, dataset, found) = (path.into(), dataset.name().into(), generator.config().image);
            return Err(Error::OtherImages { path, dataset, expected: image, found });
        }
    }
    warn(dataset.name(), image);

    let bar = progress::stages(generators.len() + 3);
    bar.set_message("the test images");
    let evaluator =
        Evaluator::new(&dataset.train().images(&Device::Cpu)?, &dataset.test().images(&Device::Cpu)?)
            .map_err(|source| Error::Evaluate { name: dataset.name().into(), source })?;
    bar.inc(1);
    let mut report = Report {
        dataset: dataset.name().into(),
        digest: dataset.digest(),
        features: (image == [SIDE, SIDE]).then_some(DigitNetwork::V1),
        test_nearest: evaluator.test_distance().into(),
        rows: Vec::new(),
    };
    type Measured = (Quality, Option<Estimate>);
    let mut add = |name: &str, anchor: bool, measure: &dyn Fn() -> Result<Measured>| -> Result<()> {
        bar.set_message(name.to_owned());
        let (quality, asked) = measure()?;
        report.rows.push(Row::new(name, anchor, &quality, asked));
        bar.inc(1);
        Ok(())
    };
    let seeds: Vec<u64> = (0..args.samples as u64).collect();
    for (path, generator) in &generators {
        let name = path.display().to_string();
        add(&name, false, &|| {
            let samples = generator.sample(&seeds)?.to_device(&Device::Cpu)?;
            let failed = |source| Error::Evaluate { name: name.clone(), source };
            let asked = match generator.config().classes {
                // The feature network knows ten digits: labels of other kinds are not theirs.
                CLASSES => {
                    let labels: Vec<u32> = seeds.iter().map(|seed| (seed % CLASSES as u64) as u32).collect();
                    evaluator.agreement(&samples, &labels).map_err(failed)?
                }
                _ => None,
            };
            Ok((evaluator.evaluate(&samples).map_err(failed)?, asked))
        })?;
    }
    add("training images", true, &|| Ok((evaluator.training_images(args.samples)?, None)))?;
    add("noise", true, &|| Ok((evaluator.noise(args.samples)?, None)))?;
    bar.finish_and_clear();

    if let (Some(path), [(_, generator)]) = (&args.neighbours, &generators[..]) {
        draw_neighbours(path, generator, &evaluator)?;
    }
    match args.json {
        true => console::print(serde_json::to_string_pretty(&report)?),
        false => {
            let test = dataset.test().len() as u64;
            let features = report.features.map_or_else(String::new, |name| format!(", features {name}"));
            console::note(format_args!(
                "{}, {} samples against {} test images{features}",
                report.dataset,
                grouped(args.samples as u64),
                grouped(test),
            ));
            console::print(report.table(console::columns()).trim_end())
        }
    }
}

/// Asks for the data set that the flag names, or else for that which the runs were trained on.
fn request(args: &EvalArgs) -> Result<Request> {
    let name = match &args.dataset {
        Some(name) => Some(name.clone()),
        None => trained_on(args)?,
    };
    let name: Option<Name> = match name.as_deref() {
        Some(name) => data::named(name, &args.data.data_dir)?,
        None if args.data.data_dir.is_some() => None,
        None => Some(Name::Mnist),
    };
    Ok(data::request(name, &args.data.data_dir, args.data.offline))
}

/// The data set that the runs among the models were trained on.
fn trained_on(args: &EvalArgs) -> Result<Option<String>> {
    let mut found: Option<String> = None;
    for path in args.models.iter().map(|model| model.join(run_dir::RECIPE)).filter(|path| path.exists()) {
        let recipe = recipe::read(&path)?;
        match found {
            Some(other) if other != recipe.dataset => {
                return Err(Error::DifferentData { of: [other, recipe.dataset] });
            }
            _ => found = Some(recipe.dataset),
        }
    }
    Ok(found)
}

/// Says where the feature network does not know what it sees.
fn warn(dataset: &str, image: [usize; 2]) {
    if image != [SIDE, SIDE] {
        console::warning(format_args!(
            "the feature network takes images of {SIDE} x {SIDE} pixels: for these there are Parzen and nearest only"
        ));
    } else if !data::is_of_digits(dataset) {
        console::warning(format_args!(
            "the feature network knows digits, and {dataset} may not be of digits: Fréchet, kernel, precision, recall, \
             density and coverage compare generators with each other at best, and what is said of digits means nothing"
        ));
    }
}

/// 64 samples, and in the last column the training image that is nearest to the sample at the end of the row.
fn draw_neighbours(path: &Path, generator: &Generator, evaluator: &Evaluator) -> Result<()> {
    let [columns, rows] = SHEET;
    let seeds: Vec<u64> = (0..(columns * rows) as u64).collect();
    let samples = generator.sample(&seeds)?.to_device(&Device::Cpu)?;
    let pixels = generator.config().pixels();
    let blank = Tensor::full(-1f32, (1, pixels), &Device::Cpu)?;
    let mut sheet = Vec::new();
    for row in 0..rows {
        let row = samples.narrow(0, row * columns, columns)?;
        let last = row.narrow(0, columns - 1, 1)?;
        sheet.extend([row, blank.clone(), evaluator.nearest_images(&last)?]);
    }
    let layout = Layout { per_row: columns + 2, ..Layout::default() };
    files::replace(path, &encode_png(&grid(&Tensor::cat(&sheet, 0)?, generator.config().image, layout)?)?)
}
