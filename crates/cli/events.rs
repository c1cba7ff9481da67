//! TensorBoard's event file of a run: a function of its metrics, its sheets, and when it began.
//!
//! So the file that grows while a run is trained is the one that `ganlet export` makes of the run afterwards, and a run that goes on
//! after an interruption goes on with its file as it does with its metrics: each step is there once.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ganlet_formats::tensorboard::{self, Moment};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::{environment, files, recipe, run_dir};

/// Fields of a line that say where it belongs; all other numbers are curves.
const PLACE: [&str; 4] = ["epoch", "step", "images_seen", "seconds"];

/// The tags of the sheets.
const REAL: &str = "samples/real";
const FAKE: &str = "samples/fake";

/// What of `environment.json` matters here.
#[derive(Deserialize)]
struct Begun {
    started: String,
    dataset: Images,
}

#[derive(Deserialize)]
struct Images {
    images: usize,
}

/// Makes the records of a run, in the order in which it comes to them.
struct Records {
    /// When the run began, in seconds since 1970.
    began: f64,
    /// How long it took up to the last line.
    seconds: f64,
    steps_per_epoch: u64,
}

impl Records {
    fn of(run: &Path) -> Result<Self> {
        let path = run.join(run_dir::ENVIRONMENT);
        let begun: Begun = serde_json::from_slice(&files::read(&path)?)
            .map_err(|source| Error::Environment { path: path.clone(), source })?;
        let recipe = recipe::read(&run.join(run_dir::RECIPE))?;
        let steps_per_epoch = ganlet_train::steps_per_epoch(&recipe, begun.dataset.images)?;
        // A time that cannot be read is no reason to withhold the curves.
        let began = environment::seconds_since_1970(&begun.started).unwrap_or(0) as f64;
        Ok(Self { began, seconds: 0., steps_per_epoch })
    }

    fn moment(&self, step: u64) -> Moment {
        Moment { step, wall_time: self.began + self.seconds }
    }

    /// The record of a line of the metrics.
    fn line(&mut self, line: &Map<String, Value>) -> Vec<u8> {
        self.seconds = line.get("seconds").and_then(Value::as_f64).unwrap_or(self.seconds);
        let group = if is_measurement(line) { "quality" } else { "training" };
        let curves: Vec<(String, f32)> = line
            .iter()
            .filter(|(name, _)| !PLACE.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((format!("{group}/{name}"), value.as_f64()? as f32)))
            .collect();
        let moment = self.moment(whole(line, "step"));
        tensorboard::scalars(moment, curves.iter().map(|(tag, value)| (tag.as_str(), *value)))
    }

    /// The record of the sheet after an epoch.
    fn sheet(&self, epoch: u64, path: &Path) -> Result<Vec<u8>> {
        self.picture(epoch.saturating_mul(self.steps_per_epoch), FAKE, path)
    }

    fn picture(&self, step: u64, tag: &str, path: &Path) -> Result<Vec<u8>> {
        let png = files::read(path)?;
        let size = png_size(&png).ok_or_else(|| Error::NotPng { path: path.into() })?;
        Ok(tensorboard::picture(self.moment(step), tag, &png, size))
    }
}

/// The event file of a run as far as `steps`, and what goes on with it.
fn records(run: &Path, steps: u64) -> Result<(Vec<u8>, Records)> {
    let mut records = Records::of(run)?;
    let mut file = tensorboard::header(records.began);
    let real = run_dir::real_images(run);
    if real.exists() {
        file.extend(records.picture(0, REAL, &real)?);
    }
    let per_epoch = records.steps_per_epoch;
    let mut sheets = run_dir::sheets(run)?
        .into_iter()
        .filter(|(epoch, _)| epoch.saturating_mul(per_epoch) <= steps)
        .peekable();
    let metrics = files::read(&run.join(run_dir::METRICS))?;
    // Half a line is one that is being written.
    let lines = metrics.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    for line in lines.filter(|line| whole(line, "step") <= steps) {
        // An epoch's sheet is drawn after its reports and before its samples are judged.
        let epoch = whole(&line, "epoch");
        let drawn = if is_measurement(&line) { epoch } else { epoch.saturating_sub(1) };
        while let Some((epoch, path)) = sheets.next_if(|(epoch, _)| *epoch <= drawn) {
            file.extend(records.sheet(epoch, &path)?);
        }
        file.extend(records.line(&line));
    }
    for (epoch, path) in sheets {
        file.extend(records.sheet(epoch, &path)?);
    }
    Ok((file, records))
}

/// The event file of a run.
pub(crate) fn of_run(run: &Path) -> Result<Vec<u8>> {
    records(run, u64::MAX).map(|(file, _)| file)
}

/// The event file of a run that is being trained.
pub(crate) struct Events {
    path: PathBuf,
    file: File,
    records: Records,
}

impl Events {
    /// Begins the file, or goes on with it after `steps` steps; the run's recipe, environment and metrics are there, the latter as far as
    /// that.
    pub(crate) fn open(run: &Path, steps: u64) -> Result<Self> {
        let path = run.join(run_dir::EVENTS);
        let failed = |source| Error::write(&path, source);
        let (records, now) = records(run, steps)?;
        let goes_on = files::read(&path).is_ok_and(|before| before.starts_with(&records));
        if !goes_on {
            files::replace(&path, &records)?;
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        // A TensorBoard that watches it stays with a file that is cut off, not with one that was replaced.
        file.set_len(records.len() as u64).map_err(failed)?;
        Ok(Self { path, file, records: now })
    }

    pub(crate) fn line(&mut self, line: &impl Serialize) -> Result<()> {
        // By way of the text, so that the numbers are those which are read out of the metrics.
        let record = self.records.line(&serde_json::from_str(&serde_json::to_string(line)?)?);
        self.append(&record)
    }

    pub(crate) fn sheet(&mut self, epoch: u64, path: &Path) -> Result<()> {
        let record = self.records.sheet(epoch, path)?;
        self.append(&record)
    }

    fn append(&mut self, record: &[u8]) -> Result<()> {
        self.file.write_all(record).map_err(|source| Error::write(&self.path, source))
    }
}

/// Whether a line tells of samples and not of a step: it comes after their sheet.
fn is_measurement(line: &Map<String, Value>) -> bool {
    ["frechet", "variety"].iter().any(|field| line.contains_key(*field))
}

fn whole(line: &Map<String, Value>, field: &str) -> u64 {
    line.get(field).and_then(Value::as_u64).unwrap_or(0)
}

/// Rows and columns of a PNG file.
fn png_size(png: &[u8]) -> Option<[u32; 2]> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    match png.starts_with(b"\x89PNG\r\n\x1a\n") {
        true => Some([number(20)?, number(16)?]),
        false => None,
    }
}
