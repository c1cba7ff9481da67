//! `ganlet export`: a run or its weights -> the files of other programs.

use std::path::Path;

use candle_core::Device;
use ganlet_formats::onnx::{self, Network};
use ganlet_models::{Discriminator, DiscriminatorConfig, Error as Models, Generator, GeneratorConfig};

use crate::args::ExportArgs;
use crate::error::{Error, Result};
use crate::{console, events, files, model, run_dir};

pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    files::check_ending("--onnx", args.onnx.as_deref(), "onnx")?;
    if let Some(folder) = &args.tensorboard {
        if !args.model.join(run_dir::RECIPE).exists() {
            return Err(Error::NoRun { path: args.model.clone() });
        }
        let bytes = events::of_run(&args.model)?;
        files::make_folder(folder)?;
        let path = folder.join(run_dir::EVENTS);
        files::replace(&path, &bytes)?;
        console::print(path.display())?;
    }
    if let Some(path) = &args.onnx {
        files::replace(path, &model(&model::weights_file(&args.model)?)?)?;
        console::print(path.display())?;
    }
    Ok(())
}

/// The ONNX model of a generator's weights, or of a discriminator's.
fn model(weights: &Path) -> Result<Vec<u8>> {
    let bytes = files::read(weights)?;
    let failed = |kind, source| Error::Weights { kind, path: weights.into(), source };
    let assumed = |assumed: Option<String>| {
        if let Some(assumed) = assumed {
            console::warning(format_args!("{}: {assumed}", weights.display()));
        }
    };
    let (classes, image, layers, names) = match Generator::from_bytes(&bytes, &Device::Cpu) {
        Ok(loaded) => {
            assumed(loaded.assumed);
            let GeneratorConfig { classes, image, .. } = *loaded.network.config();
            (classes, image, loaded.network.mlp().layers().to_vec(), ["generator", "latents", "images"])
        }
        Err(Models::OtherNetwork { .. }) => {
            let loaded = Discriminator::from_bytes(&bytes, &Device::Cpu)
                .map_err(|source| failed("discriminator", source))?;
            assumed(loaded.assumed);
            let DiscriminatorConfig { classes, image, .. } = *loaded.network.config();
            (classes, image, loaded.network.mlp().layers().to_vec(), ["discriminator", "images", "logits"])
        }
        Err(source) => return Err(failed("generator", source)),
    };
    let [name, input, output] = names;
    let [rows, columns, labels] = [image[0], image[1], classes].map(|number| number.to_string());
    let about = [("rows", &rows[..]), ("columns", &columns), ("classes", &labels)];
    let network = Network { name, input, classes, output, layers: &layers, about: &about };
    onnx::to_bytes(&network).map_err(|source| Error::Onnx { path: weights.into(), source })
}
