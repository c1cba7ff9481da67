//! What a run directory says, for a page.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ganlet_train::{Loss, Recipe, Watch};
use ganlet_viz::report::{self, Figure, State, Table, Warning};

use super::charts::charts;
use super::sheets::{Sheets, picture};
use crate::console::{self, duration, grouped};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::metrics::{self, Entry};
use crate::{checkpoints, files, resume, run_dir};

/// A run directory, to be read again and again.
pub(crate) struct Run {
    path: PathBuf,
    /// How many are on the page.
    runs: usize,
    sheets: Sheets,
}

/// How far it has come.
struct Course {
    epochs: u64,
    /// 0 if that is not known.
    steps_per_epoch: u64,
    images_per_step: u64,
    step: u64,
    seconds: f64,
}

impl Run {
    /// One of so many runs on a page.
    pub(crate) fn new(path: &Path, runs: usize) -> Self {
        Self { path: path.into(), runs, sheets: Sheets::new(runs) }
    }

    /// Reads what is there by now. Without a `state`, the environment says whether it is finished or was stopped.
    pub(crate) fn read(&mut self, state: Option<State>) -> Result<report::Run> {
        let (fields, recipe) = recipe(&self.path.join(run_dir::RECIPE))?;
        let (loss, smoothing) =
            recipe.as_ref().map_or((Loss::default(), 0.), |recipe| (recipe.loss, recipe.label_smoothing));
        let (environment, mut warnings) = match environment(&self.path)? {
            Ok(environment) => {
                let warnings = environment.warnings();
                (Some(environment), warnings)
            }
            Err(reason) => (None, vec![reason]),
        };
        let entries = match files::read(&self.path.join(run_dir::METRICS)) {
            Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Vec::new(),
            bytes => metrics::entries(&bytes?),
        };
        let sheets = self.sheets.look(&self.path)?;
        let finished = environment.as_ref().is_some_and(Environment::is_finished);
        let state = state.unwrap_or(if finished { State::Finished } else { State::Stopped });
        let course = self.course(recipe.as_ref(), environment.as_ref(), &entries)?;

        let mut warnings: Vec<Warning> =
            warnings.drain(..).map(|text| Warning { text, remedy: String::new() }).collect();
        let said = metrics::warnings(&mut Watch::new(loss, smoothing), &entries);
        warnings.extend(
            said.iter().map(|warning| Warning { text: warning.to_string(), remedy: warning.remedy().into() }),
        );
        let mut tables = vec![Table { title: "Recipe".into(), rows: fields }];
        tables.extend(
            environment.map(|environment| Table { title: "Environment".into(), rows: environment.rows() }),
        );
        Ok(report::Run {
            name: self.path.display().to_string(),
            state,
            status: course.status(state, &self.path),
            done: course.done(),
            epochs: course.epochs.max(sheets.last().map_or(0, |sheet| sheet.epoch)),
            steps_per_epoch: course.steps_per_epoch,
            warnings,
            figures: figures(&course, &entries),
            charts: charts(&entries, loss, self.runs),
            sheets,
            real: picture(&run_dir::real_images(&self.path)),
            tables,
        })
    }

    fn course(
        &self,
        recipe: Option<&Recipe>,
        environment: Option<&Environment>,
        entries: &[Entry],
    ) -> Result<Course> {
        let epoch = recipe.zip(environment).and_then(|(recipe, environment)| {
            ganlet_train::steps_per_epoch(recipe, environment.images()).ok()
        });
        let (step, seconds) = entries.last().map_or((0, 0.), Entry::clock);
        let seconds = environment.and_then(Environment::seconds).unwrap_or(seconds);
        let saved = checkpoints::list(&self.path.join(run_dir::CHECKPOINTS))?;
        Ok(Course {
            epochs: recipe.map_or(0, |recipe| recipe.epochs),
            steps_per_epoch: epoch.unwrap_or(0),
            images_per_step: recipe.map_or(0, Recipe::images_per_step) as u64,
            step: saved.last().map_or(step, |&(saved, _)| saved.max(step)),
            seconds,
        })
    }
}

impl Course {
    fn steps(&self) -> u64 {
        self.epochs.saturating_mul(self.steps_per_epoch)
    }

    fn done(&self) -> f64 {
        match self.steps() {
            0 => 0.,
            steps => (self.step as f64 / steps as f64).min(1.),
        }
    }

    /// Whole epochs.
    fn epoch(&self) -> u64 {
        self.step.checked_div(self.steps_per_epoch).unwrap_or(0)
    }

    fn rate(&self) -> Option<f64> {
        (self.seconds > 0.).then(|| self.step as f64 / self.seconds)
    }

    fn status(&self, state: State, run: &Path) -> String {
        let Self { seconds, step, .. } = self;
        let epochs = console::epochs(self.epochs);
        let so_far = grouped(*step);
        // How long an epoch is stands in the environment, which may be missing.
        let of_all = match self.steps() {
            0 => String::new(),
            all => format!(" of {}", grouped(all)),
        };
        match state {
            State::Finished => {
                format!("Finished: {epochs}, {so_far} steps, in {}.", duration(*seconds))
            }
            State::Stopped => format!(
                "Stopped after {so_far}{of_all} steps. To go on: ganlet train --resume {}",
                resume::quoted(run)
            ),
            State::Training if *step == 0 => format!("In training: {epochs} to go."),
            State::Training => {
                let left = self.steps().saturating_sub(*step) as f64 / self.rate().unwrap_or(f64::INFINITY);
                let left = if left.is_finite() && left > 0. {
                    format!(", about {} left", duration(left))
                } else {
                    String::new()
                };
                format!("In training: {} of {epochs}, {so_far}{of_all} steps{left}.", self.epoch())
            }
        }
    }
}

/// The numbers that it has come to.
fn figures(course: &Course, entries: &[Entry]) -> Vec<Figure> {
    let plain = |name: &str, value: String| Figure { name: name.into(), value, rank: None };
    let ranked = |name: &str, value: String, rank: f64| Figure { name: name.into(), value, rank: Some(rank) };
    let mut figures = vec![plain("epochs", format!("{} of {}", course.epoch(), course.epochs))];
    if let Some(rate) = course.rate() {
        figures.push(plain("time", duration(course.seconds)));
        let images = grouped((rate * course.images_per_step as f64) as u64);
        figures.push(plain("speed", format!("{rate:.0} steps/s, {images} images/s")));
    }
    let qualities = || entries.iter().filter_map(Entry::quality);
    if let Some(best) = qualities().min_by(|a, b| a.frechet.total_cmp(&b.frechet)) {
        let value = format!("{:.1} ± {:.1}", best.frechet, best.frechet_error);
        figures.push(ranked("least Fréchet distance", value, best.frechet));
        figures.push(plain("reached in epoch", grouped(best.epoch)));
    }
    if let Some(last) = qualities().next_back() {
        let value = format!("{:.1} ± {:.1}", last.frechet, last.frechet_error);
        figures.push(ranked("last Fréchet distance", value, last.frechet));
        figures.push(ranked("last score, of 10", format!("{:.2}", last.score), -last.score));
        figures.push(ranked("last confidence", format!("{:.3}", last.confidence), -last.confidence));
        figures.push(ranked("last imbalance, nats", format!("{:.3}", last.imbalance), last.imbalance));
    }
    let mut sheets = entries.iter().filter_map(Entry::sheet);
    figures.extend(
        sheets.next_back().map(|line| plain("last variety", format!("{:.0} % of real", line.variety * 100.))),
    );
    let mut reports = entries.iter().filter_map(Entry::report);
    if let Some(last) = reports.next_back() {
        figures.push(plain("last loss of D, of G", format!("{:.3}, {:.3}", last.d_loss, last.g_loss)));
        figures.push(plain("last D(x), D(G(z))", format!("{:.2}, {:.2}", last.d_real, last.d_fake)));
    }
    figures
}

/// The names and values of fields.
type Fields = Vec<(String, String)>;

/// The fields of the recipe as they stand in its file; and the recipe, unless another version of this program has written it, with other
/// fields.
fn recipe(path: &Path) -> Result<(Fields, Option<Recipe>)> {
    let bytes = files::read(path)?;
    let toml = String::from_utf8_lossy(&bytes);
    let fields: toml::Table =
        toml::from_str(&toml).map_err(|source| Error::NoRecipe { path: path.into(), source })?;
    let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let line = |name: &str| toml.lines().position(|line| line.split(['=', ' ']).next() == Some(name));
    fields.sort_by_key(|(name, _)| line(name));
    Ok((fields, Recipe::from_toml(&toml).ok()))
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// The environment, or why there is none.
fn environment(run: &Path) -> Result<Result<Environment, String>> {
    match files::read(&run.join(run_dir::ENVIRONMENT)) {
        Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(Err(format!("there is no {}", run_dir::ENVIRONMENT)))
        }
        bytes => Ok(serde_json::from_slice(&bytes?)
            .map_err(|error| format!("{} is damaged: {error}", run_dir::ENVIRONMENT))),
    }
}
