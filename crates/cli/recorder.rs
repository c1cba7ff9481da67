//! What a run writes while it goes on: an observer of the training.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use ganlet_models::Generator;
use ganlet_train::{Gan, Observer, ObserverResult, Report, Warning, Watch, variety};
use ganlet_viz::{Layout, Picture, encode_png, grid};

use crate::checkpoints::Checkpoints;
use crate::error::Result;
use crate::evaluation::{self, Evaluation};
use crate::events::Events;
use crate::metrics::{Kind, Line, Metrics, SheetLine};
use crate::plan::Plan;
use crate::progress::Training;
use crate::report::Live;
use crate::run_dir::{self, RunDir};
use crate::writer::Writer;
use crate::{console, files};

/// Pictures in each grid, where there are no labels, and in a row of it.
const PICTURES: usize = 64;
const PER_ROW: usize = 8;

/// Pictures in a grid: where there are labels, a row of each.
fn pictures(classes: usize) -> usize {
    if classes > 0 { classes * PER_ROW } else { PICTURES }
}

/// Writes metrics, pictures, weights and checkpoints into the run directory, shows the progress, and warns.
pub(crate) struct Recorder<'a> {
    run: &'a RunDir,
    image: [usize; 2],
    metrics: Metrics,
    /// For TensorBoard, where that was asked for.
    events: Option<Events>,
    evaluation: Option<Evaluation>,
    checkpoints: Arc<Checkpoints>,
    writer: Writer,
    /// The step of the last checkpoint, which may still be waiting to be written.
    saved: u64,
    progress: Training,
    watch: Watch,
    /// The variety of as many real images as a sheet has.
    real: f64,
    page: Live,
    started: Instant,
    /// Seconds that the run took before it was interrupted.
    before: f64,
    /// When the last report was, and its step.
    last: (Instant, u64),
}

impl<'a> Recorder<'a> {
    /// Begins with the picture of the first of `images`, `(N, rows * columns)` u8, and with the metrics of the first `steps`.
    pub(crate) fn new(
        run: &'a RunDir,
        images: &Tensor,
        plan: &Plan,
        mut evaluation: Option<Evaluation>,
        checkpoints: Checkpoints,
        steps: u64,
        quiet: bool,
    ) -> Result<Self> {
        let count = pictures(plan.classes()).min(images.dim(0)?);
        let first = ganlet_ops::normalize(&images.narrow(0, 0, count)?)?;
        write_picture(&run.real_images(), &grid(&first, plan.image(), Layout::default())?)?;

        let every = evaluation.as_ref().map_or(0, Evaluation::every);
        // Measured at the end of a shorter training it would else have no line any more, and a worse one could take its place.
        let best = evaluation::steps_of_best(run);
        let (metrics, past) =
            Metrics::open(&run.file(run_dir::METRICS), steps, plan.watch(), |place| match place.kind() {
                Kind::Report => plan.reports_at(place.step),
                Kind::Sheet => place.step.is_multiple_of(plan.steps_per_epoch()),
                Kind::Quality => plan.evaluates_at(place.step, every) || best == Some(place.step),
            })?;
        if let Some(evaluation) = &mut evaluation {
            evaluation.go_on(past.best);
        }
        let now = Instant::now();
        let mut recorder = Self {
            run,
            image: plan.image(),
            metrics,
            events: None,
            evaluation,
            checkpoints: Arc::new(checkpoints),
            writer: Writer::new(),
            saved: steps,
            progress: Training::new(quiet, plan.epochs(), plan.steps_per_epoch(), steps),
            watch: past.watch,
            real: variety(&first)?,
            page: Live::new(run.path()),
            started: now,
            before: past.seconds,
            last: (now, steps),
        };
        recorder.refresh();
        Ok(recorder)
    }

    /// From now on, after `steps` steps, writes TensorBoard's event file too.
    pub(crate) fn write_events(&mut self, steps: u64) -> Result<()> {
        self.events = Some(Events::open(self.run.path(), steps)?);
        Ok(())
    }

    pub(crate) fn finish(&mut self) {
        self.progress.finish();
    }

    /// Writes the report of a training that no longer goes on.
    pub(crate) fn close(&mut self) {
        // Where that fails, the training has failed and says so.
        let _ = self.writer.flush();
        if let Err(error) = self.page.close() {
            Live::complain(&error);
        }
    }

    /// Writes the report anew, if that is worth it. A training does not end for want of it.
    fn refresh(&mut self) {
        if let Err(error) = self.page.refresh() {
            self.progress.aside(|| Live::complain(&error));
        }
    }

    /// Seconds that the run took, without the time that it was interrupted for.
    pub(crate) fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// A checkpoint of where the training stands, unless there is one. On return all that the run has to write is on the disk.
    pub(crate) fn save(&mut self, gan: &Gan) -> Result<()> {
        self.checkpoint(gan)?;
        self.writer.flush()
    }

    fn checkpoint(&mut self, gan: &Gan) -> Result<()> {
        if self.saved != gan.steps {
            // All that a training without an interruption has written by now is there before the checkpoint is.
            self.writer.queue(self.metrics.sync()?)?;
            self.writer.queue(self.checkpoints.clone().save(gan)?)?;
            self.saved = gan.steps;
        }
        Ok(())
    }

    fn record(&mut self, report: &Report) -> Result<()> {
        let now = Instant::now();
        let (then, step) = std::mem::replace(&mut self.last, (now, report.step));
        let rate = (report.step - step) as f64 / (now - then).as_secs_f64();
        let line = Line::new(report, self.seconds(), rate);
        self.metrics.append(&line)?;
        self.tell(|events| events.line(&line))?;
        self.progress.report(report);
        let warning = self.watch.report(report);
        self.warn(warning);
        self.refresh();
        Ok(())
    }

    fn keep(&mut self, epoch: u64, gan: &Gan) -> Result<()> {
        let generator = gan.averaged()?;
        let pictures = sheet(&generator)?;
        let (path, picture) = (self.run.fake_images(epoch), grid(&pictures, self.image, Layout::default())?);
        let to = path.clone();
        self.writer.queue(move || write_picture(&to, &picture))?;
        if let Some(events) = &mut self.events {
            // They take it from the file.
            self.writer.flush()?;
            events.sheet(epoch, &path)?;
        }
        self.progress.epoch(epoch);
        self.look_at(epoch, gan.steps, &pictures)?;

        let about = BTreeMap::from([(evaluation::STEPS.into(), gan.steps.to_string())]);
        self.persist(run_dir::GENERATOR, gan.generator.to_bytes(&about)?)?;
        if gan.average.is_some() {
            self.persist(run_dir::AVERAGED, generator.to_bytes(&about)?)?;
        }
        self.persist(run_dir::DISCRIMINATOR, gan.discriminator.to_bytes(&about)?)?;
        self.evaluate(epoch, gan)?;
        if self.checkpoints.is_due(epoch) {
            self.checkpoint(gan)?;
        }
        self.refresh();
        Ok(())
    }

    /// Has a file of the run written.
    fn persist(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.run.file(name);
        self.writer.queue(move || files::persist(&path, &bytes))
    }

    /// Measures how much the pictures vary, unless the real ones are alike: then what draws them is right.
    fn look_at(&mut self, epoch: u64, step: u64, pictures: &Tensor) -> Result<()> {
        if self.real > 0. {
            let line = SheetLine::new(epoch, step, variety(pictures)? / self.real, self.seconds());
            self.metrics.append(&line)?;
            self.tell(|events| events.line(&line))?;
            let warning = self.watch.sheet(step, line.variety);
            self.warn(warning);
        }
        Ok(())
    }

    /// Measures quality, if it is time to.
    fn evaluate(&mut self, epoch: u64, gan: &Gan) -> Result<()> {
        let seconds = self.seconds();
        let Some(evaluation) = &mut self.evaluation else { return Ok(()) };
        if let Some(line) = evaluation.after(epoch, gan, self.run, seconds)? {
            self.metrics.append(&line)?;
            self.tell(|events| events.line(&line))?;
            self.progress.evaluated(epoch, &line);
        }
        Ok(())
    }

    fn tell(&mut self, what: impl FnOnce(&mut Events) -> Result<()>) -> Result<()> {
        self.events.as_mut().map_or(Ok(()), what)
    }

    fn warn(&self, warning: Option<Warning>) {
        if let Some(warning) = warning {
            self.progress.aside(|| {
                console::warning(warning);
                console::hint(warning.remedy());
            });
        }
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

/// The same pictures each time: samples 0 to 63 or, where there are labels, samples 0 to 7 of each, row by row.
fn sheet(generator: &Generator) -> ganlet_models::Result<Tensor> {
    let seeds = |count: usize| (0..count as u64).collect::<Vec<_>>();
    let classes = generator.config().classes;
    if classes == 0 {
        return generator.sample(&seeds(pictures(classes)));
    }
    let rows = (0..classes).map(|label| generator.sample_labelled(&seeds(PER_ROW), label));
    Ok(Tensor::cat(&rows.collect::<ganlet_models::Result<Vec<_>>>()?, 0)?)
}

fn write_picture(path: &Path, picture: &Picture) -> Result<()> {
    files::persist(path, &encode_png(picture)?)
}
