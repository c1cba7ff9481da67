//! From a run directory or a file of weights to the generator, and to where what is made of it goes.

use std::path::{Path, PathBuf};

use candle_core::Device;
use ganlet_models::Generator;

use crate::error::{Error, Result};
use crate::{console, files, run_dir};

/// The generator of this file; says what had to be assumed about it.
pub(crate) fn generator(weights: &Path, device: &Device) -> Result<Generator> {
    let loaded = Generator::from_bytes(&files::read(weights)?, device).map_err(|source| Error::Weights {
        kind: "generator",
        path: weights.into(),
        source,
    })?;
    if let Some(assumed) = &loaded.assumed {
        console::warning(format_args!("{}: {assumed}", weights.display()));
    }
    Ok(loaded.network)
}

/// The weights in a run directory, the averaged ones where there are any, or the file itself.
pub(crate) fn weights_file(model: &Path) -> Result<PathBuf> {
    if !model.exists() {
        return Err(Error::NoModel { path: model.into() });
    }
    if !model.is_dir() {
        return Ok(model.into());
    }
    let mut files = [run_dir::AVERAGED, run_dir::GENERATOR].iter().map(|name| model.join(name));
    files.find(|file| file.exists()).ok_or_else(|| Error::NoWeights { path: model.into() })
}

/// Where a file goes that was given no place: to the samples of the run, or beside the weights and under their name.
pub(crate) fn default_out(model: &Path, weights: &Path, what: &str, ending: &str) -> Result<PathBuf> {
    if !model.is_dir() {
        let stem = weights.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(weights.with_file_name(format!("{stem}-{what}.{ending}")));
    }
    let folder = model.join(run_dir::SAMPLES);
    files::make_folder(&folder)?;
    Ok(folder.join(format!("{what}.{ending}")))
}
