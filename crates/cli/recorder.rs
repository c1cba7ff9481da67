//! What a run writes while it goes on: an observer of the training.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use candle_core::Tensor;
use ganlet_train::{Gan, Observer, ObserverResult, Report};
use ganlet_viz::{Layout, encode_png, grid};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::files;
use crate::progress::Training;
use crate::run_dir::{self, RunDir};
use crate::train::Plan;

/// Pictures in each grid. Those after an epoch are the samples 0 to 63, as `ganlet sample` draws them.
const PICTURES: usize = 64;

/// Writes metrics, pictures and weights into the run directory, and shows the progress.
pub(crate) struct Recorder<'a> {
    run: &'a RunDir,
    image: [usize; 2],
    metrics: File,
    evaluation: Option<Evaluation>,
    progress: Training,
    started: Instant,
    /// When the last report was, and its step.
    last: (Instant, u64),
}

/// A line of `metrics.jsonl`. What depends on the clock comes last.
#[derive(Serialize)]
struct Line {
    epoch: u64,
    step: u64,
    images_seen: u64,
    d_loss: f32,
    g_loss: f32,
    d_real: f32,
    d_fake: f32,
    /// Since the training began.
    seconds: f64,
    /// Since the report before.
    steps_per_second: f64,
}

impl<'a> Recorder<'a> {
    /// Makes `metrics.jsonl`, and the picture of the first of `images`, `(N, rows * columns)` u8.
    pub(crate) fn new(
        run: &'a RunDir,
        images: &Tensor,
        plan: &Plan,
        evaluation: Option<Evaluation>,
        quiet: bool,
    ) -> Result<Self> {
        let first = images.narrow(0, 0, PICTURES.min(images.dim(0)?))?;
        write_grid(&run.real_images(), &ganlet_ops::normalize(&first)?, plan.image())?;

        let path = run.file(run_dir::METRICS);
        let metrics = File::create(&path).map_err(|source| Error::write(&path, source))?;
        let now = Instant::now();
        Ok(Self {
            run,
            image: plan.image(),
            metrics,
            evaluation,
            progress: Training::new(quiet, plan.epochs(), plan.steps_per_epoch()),
            started: now,
            last: (now, 0),
        })
    }

    pub(crate) fn finish(&mut self) {
        self.progress.finish();
    }

    fn record(&mut self, report: &Report) -> Result<()> {
        let now = Instant::now();
        let (then, step) = std::mem::replace(&mut self.last, (now, report.step));
        let rate = (report.step - step) as f64 / (now - then).as_secs_f64();
        let &Report { epoch, step, images, d_loss, g_loss, d_real, d_fake } = report;
        let line = serde_json::to_string(&Line {
            epoch,
            step,
            images_seen: images,
            d_loss,
            g_loss,
            d_real,
            d_fake,
            seconds: rounded((now - self.started).as_secs_f64()),
            steps_per_second: rounded(rate),
        })?;
        self.write(&line)?;
        self.progress.report(report, rate);
        Ok(())
    }

    /// Adds a line to `metrics.jsonl`.
    fn write(&mut self, line: &str) -> Result<()> {
        let path = self.run.file(run_dir::METRICS);
        writeln!(self.metrics, "{line}").map_err(|source| Error::write(&path, source))
    }

    fn keep(&mut self, epoch: u64, gan: &Gan) -> Result<()> {
        let seeds: Vec<u64> = (0..PICTURES as u64).collect();
        let pictures = gan.generator.sample(&seeds)?;
        write_grid(&self.run.fake_images(epoch), &pictures, self.image)?;

        let about = BTreeMap::from([("ganlet.steps".into(), gan.steps.to_string())]);
        files::replace(&self.run.file(run_dir::GENERATOR), &gan.generator.to_bytes(&about)?)?;
        files::replace(&self.run.file(run_dir::DISCRIMINATOR), &gan.discriminator.to_bytes(&about)?)?;

        let Some(evaluation) = &mut self.evaluation else { return Ok(()) };
        if let Some(line) = evaluation.after(epoch, gan, self.run)? {
            self.write(&serde_json::to_string(&line)?)?;
            self.progress.evaluated(epoch, &line);
        }
        Ok(())
    }
}

impl Observer for Recorder<'_> {
    fn on_step(&mut self, step: u64) {
        self.progress.step(step);
    }

    fn on_report(&mut self, report: &Report) -> ObserverResult {
        Ok(self.record(report)?)
    }

    fn on_epoch(&mut self, epoch: u64, gan: &Gan) -> ObserverResult {
        Ok(self.keep(epoch, gan)?)
    }
}

/// To the thousandth: the clock is no better.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

fn write_grid(path: &Path, images: &Tensor, image: [usize; 2]) -> Result<()> {
    files::replace(path, &encode_png(&grid(images, image, Layout::default())?)?)
}
