//! The run directory: which files a run makes, and that another run's are not lost to it.
//!
//! | file | what it is |
//! |---|---|
//! | `recipe.toml` | what was trained, complete: training it again gives the same bits |
//! | `environment.json` | what it was trained with: version, device, threads, data, time |
//! | `metrics.jsonl` | one JSON object per report, one per sheet of pictures, and one per measurement of quality |
//! | `report.html` | all of it to look at: curves, pictures, recipe, environment; written while the training goes on |
//! | `samples/real_images.png` | what the generator is to learn: the first training images |
//! | `samples/fake_images-N.png` | what it drew after epoch N, from the same latents each time: those of seeds 0 to 63 or, of each label, 0 to 7 |
//! | `generator.safetensors`, `discriminator.safetensors` | the weights after the last whole epoch |
//! | `generator-ema.safetensors` | the running average of the generator's weights, where the recipe keeps one |
//! | `generator-best.safetensors` | the weights of the least Fréchet distance, where quality was measured |
//! | `events.out.tfevents.ganlet` | the same as `metrics.jsonl` and `samples/` for TensorBoard, where that was asked for |
//! | `checkpoints/step-N.safetensors` | where the training stood after step N, all of it: what `--resume` goes on from |

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::{checkpoints, files};

pub(crate) const RECIPE: &str = "recipe.toml";
pub(crate) const ENVIRONMENT: &str = "environment.json";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const REPORT: &str = "report.html";
pub(crate) const GENERATOR: &str = "generator.safetensors";
pub(crate) const AVERAGED: &str = "generator-ema.safetensors";
pub(crate) const BEST: &str = "generator-best.safetensors";
pub(crate) const DISCRIMINATOR: &str = "discriminator.safetensors";
pub(crate) const EVENTS: &str = "events.out.tfevents.ganlet";
pub(crate) const SAMPLES: &str = "samples";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
const REAL_IMAGES: &str = "real_images.png";
const FAKE_IMAGES: (&str, &str) = ("fake_images-", ".png");

/// A run directory that is this run's own, and no other process's.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    _lock: Lock,
}

impl RunDir {
    /// Makes the directory, or takes one that is there and holds no run; with `overwrite`, removes the files of that run.
    ///
    /// Files that no run makes are left alone.
    pub(crate) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        files::make_folder(path)?;
        let lock = Lock::take(path)?;
        let before = files_of_a_run(path)?;
        if !before.is_empty() && !overwrite {
            return Err(Error::RunExists { path: path.into() });
        }
        // The recipe goes first: what is left if this is interrupted is not taken for a run.
        for file in before.into_iter().chain(partial_files(path)?) {
            files::remove(&file)?;
        }
        Self { path: path.into(), _lock: lock }.with_folders()
    }

    /// Takes a directory that holds a run.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.join(RECIPE).exists() {
            return Err(Error::NoRun { path: path.into() });
        }
        let run = Self { path: path.into(), _lock: Lock::take(path)? };
        // What was being written when the run was interrupted.
        for file in partial_files(path)? {
            files::remove(&file)?;
        }
        run.with_folders()
    }

    fn with_folders(self) -> Result<Self> {
        files::make_folder(&self.path.join(SAMPLES))?;
        files::make_folder(&self.checkpoints())?;
        Ok(self)
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of one of its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of its checkpoints.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    pub(crate) fn real_images(&self) -> PathBuf {
        real_images(&self.path)
    }

    pub(crate) fn fake_images(&self, epoch: u64) -> PathBuf {
        let (before, after) = FAKE_IMAGES;
        self.path.join(SAMPLES).join(format!("{before}{epoch}{after}"))
    }
}

/// The picture of the first training images of the run at `path`.
pub(crate) fn real_images(path: &Path) -> PathBuf {
    path.join(SAMPLES).join(REAL_IMAGES)
}

/// The sheets of the run at `path`, each with its epoch, in order.
pub(crate) fn sheets(path: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let sheet = |entry: DirEntry| Some((epoch_of(entry.file_name().to_str()?)?, entry.path()));
    let mut sheets: Vec<_> = files::entries(&path.join(SAMPLES))?.into_iter().filter_map(sheet).collect();
    sheets.sort();
    Ok(sheets)
}

/// Whether a run may be put there: an error where there is a run already and `overwrite` is not set, or a file.
pub(crate) fn check_free(path: &Path, overwrite: bool) -> Result<()> {
    if path.is_file() {
        return Err(Error::write(path, io::ErrorKind::NotADirectory.into()));
    }
    match files_of_a_run(path)?.is_empty() || overwrite {
        true => Ok(()),
        false => Lock::check(path).and(Err(Error::RunExists { path: path.into() })),
    }
}

/// In the directory itself.
const FILES: [&str; 9] =
    [RECIPE, ENVIRONMENT, METRICS, REPORT, GENERATOR, AVERAGED, BEST, DISCRIMINATOR, EVENTS];

/// The files in this folder that a run makes.
fn files_of_a_run(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<_> = FILES.iter().map(|name| path.join(name)).filter(|path| path.exists()).collect();

    found.extend(checkpoints::list(&path.join(CHECKPOINTS))?.into_iter().map(|(_, file)| file));

    for entry in files::entries(&path.join(SAMPLES))? {
        if entry.file_name().to_str().is_some_and(is_picture_of_a_run) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// What was to become one of these files, and did not.
fn partial_files(path: &Path) -> Result<Vec<PathBuf>> {
    let is_of_a_run = |name: &str| {
        FILES.contains(&name) || is_picture_of_a_run(name) || checkpoints::steps_of(name).is_some()
    };
    let mut found = Vec::new();
    for folder in [path.into(), path.join(SAMPLES), path.join(CHECKPOINTS)] {
        for entry in files::entries(&folder)? {
            if entry.file_name().to_str().and_then(files::of_partial).is_some_and(is_of_a_run) {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

fn is_picture_of_a_run(name: &str) -> bool {
    name == REAL_IMAGES || epoch_of(name).is_some()
}

/// The epoch of a sheet of this name.
fn epoch_of(name: &str) -> Option<u64> {
    let (before, after) = FAKE_IMAGES;
    let number = name.strip_prefix(before)?.strip_suffix(after)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

/// `runs/RECIPE-DATASET-seedN`, the directory of a run that was given none.
pub(crate) fn default_path(recipe: &str, dataset: &str, seed: u64) -> PathBuf {
    let name: String = format!("{recipe}-{dataset}-seed{seed}")
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    Path::new("runs").join(name.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwriting_a_run_spares_what_is_not_of_it() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("run");
        let run = RunDir::create(&path, false)?;
        assert!(matches!(RunDir::create(&path, true), Err(Error::Held { .. })));
        drop(run);
        // Nothing was written yet, so nothing is lost.
        let run = RunDir::create(&path, false)?;

        let of_a_run = [
            run.file(RECIPE),
            run.file(GENERATOR),
            run.real_images(),
            run.fake_images(1),
            run.fake_images(10),
            run.checkpoints().join("step-600.safetensors"),
        ];
        let partial = [".recipe.toml.partial", "checkpoints/.step-7.safetensors.partial"];
        let of_others = [
            "notes.txt",
            ".notes.txt.partial",
            "samples/seeds-0-63.png",
            "samples/fake_images-x.png",
            "samples/fake_images-.png",
        ];
        for file in of_a_run.iter().cloned().chain(of_others.map(|name| run.file(name))) {
            files::replace(&file, b"x")?;
        }
        let cut_off = || partial.iter().try_for_each(|name| files::replace(&path.join(name), b"x"));
        cut_off()?;
        assert!(matches!(RunDir::create(&path, false), Err(Error::Held { .. })));
        drop(run);
        assert!(matches!(RunDir::create(&path, false), Err(Error::RunExists { .. })));
        let run = RunDir::open(&path)?;
        assert!(partial.iter().all(|name| !run.file(name).exists()));
        cut_off()?;
        drop(run);
        let run = RunDir::create(&path, true)?;
        assert!(partial.iter().all(|name| !run.file(name).exists()));
        assert!(of_a_run.iter().all(|file| !file.exists()));
        assert!(of_others.iter().all(|name| run.file(name).exists()));
        Ok(())
    }

    #[test]
    fn the_default_path_stays_within_runs() {
        let path = |recipe, dataset| default_path(recipe, dataset, 7).to_str().unwrap().to_owned();
        assert_eq!(path("classic", "mnist"), "runs/classic-mnist-seed7");
        assert_eq!(path("../../etc/x", "my data"), "runs/-..-etc-x-my-data-seed7");
        assert_eq!(path("", "..\\"), "runs/-..--seed7");
    }
}
