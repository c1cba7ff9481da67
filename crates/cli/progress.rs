//! How far things have come: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ganlet_train::Report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console;

/// Fewer pictures than these are drawn before a bar could be seen.
const WORTH_COUNTING: u64 = 4096;

/// A bar that counts up to `total`; hidden where that is soon done, or standard error is no terminal.
pub(crate) fn counting(total: u64) -> ProgressBar {
    match total < WORTH_COUNTING {
        true => ProgressBar::hidden(),
        false => styled(total, "{wide_bar} {human_pos}/{human_len}  {eta} left"),
    }
}

/// A bar on standard error, which indicatif hides where that is no terminal.
fn styled(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .map(|style| style.progress_chars("━╸ "))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr_with_hz(10);
    ProgressBar::with_draw_target(Some(total), target).with_style(style)
}

/// The download of a data set's files, one after the other.
pub(crate) struct Download {
    quiet: bool,
    file: String,
    bar: ProgressBar,
}

impl Download {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, file: String::new(), bar: ProgressBar::hidden() }
    }

    pub(crate) fn show(&mut self, progress: &ganlet_data::Progress<'_>) {
        if self.quiet {
            return;
        }
        if self.file != progress.file {
            self.finish();
            self.file = progress.file.into();
            console::note(format_args!("Downloading {}", progress.url));
            self.bar = styled(0, "{wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}");
        }
        self.bar.set_length(progress.total.unwrap_or(progress.bytes));
        self.bar.set_position(progress.bytes);
    }

    pub(crate) fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The course of a training.
///
/// A line per report; on a terminal, under them a bar with the latest numbers.
pub(crate) struct Training {
    voice: Voice,
    epochs: u64,
    steps_per_epoch: u64,
    /// When the first step was made, and how many were made before it.
    started: (Instant, u64),
    shown: Instant,
    numbers: String,
}

enum Voice {
    Silent,
    Lines,
    Bar(ProgressBar),
}

/// The bar moves no more often than this.
const REFRESH: Duration = Duration::from_millis(100);

impl Training {
    pub(crate) fn new(quiet: bool, epochs: u64, steps_per_epoch: u64, steps: u64) -> Self {
        let voice = match quiet {
            true => Voice::Silent,
            false if io::stderr().is_terminal() => {
                let template = "{prefix} {wide_bar} {human_pos}/{human_len} {msg}";
                Voice::Bar(styled(epochs.saturating_mul(steps_per_epoch), template))
            }
            false => Voice::Lines,
        };
        let now = Instant::now();
        let started = (now, steps);
        Self { voice, epochs, steps_per_epoch, started, shown: now, numbers: String::new() }
    }

    /// After every step.
    pub(crate) fn step(&mut self, step: u64) {
        if self.shown.elapsed() >= REFRESH {
            self.show(step);
        }
    }

    /// After every report; `rate` is in steps per second.
    pub(crate) fn report(&mut self, report: &Report, rate: f64) {
        let numbers = numbers(report);
        let line = format!(
            "Epoch [{}/{}], Step [{}/{}], {numbers}",
            report.epoch,
            self.epochs,
            (report.step - 1) % self.steps_per_epoch + 1,
            self.steps_per_epoch,
        );
        match &self.voice {
            Voice::Silent => {}
            Voice::Lines => console::note(format_args!("{line}, {rate:.0} steps/s")),
            Voice::Bar(bar) => {
                bar.println(line);
                self.numbers = numbers;
                self.show(report.step);
            }
        }
    }

    /// Says something else, with the bar out of the way.
    pub(crate) fn aside(&self, say: impl FnOnce()) {
        match &self.voice {
            Voice::Bar(bar) => bar.suspend(say),
            _ => say(),
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Voice::Bar(bar) = &self.voice {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self, step: u64) {
        let Voice::Bar(bar) = &self.voice else { return };
        self.shown = Instant::now();
        let (started, before) = self.started;
        let rate = (step - before) as f64 / started.elapsed().as_secs_f64();
        let total = self.epochs.saturating_mul(self.steps_per_epoch);
        let left = console::duration(total.saturating_sub(step) as f64 / rate);
        let epoch = (step / self.steps_per_epoch + 1).min(self.epochs);
        bar.set_position(step);
        bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
        bar.set_message(format!("{rate:.0} steps/s, {left} left\n{}", self.numbers));
    }
}

/// The four numbers of a report: what the two lose, and what the discriminator makes of real and generated images.
fn numbers(report: &Report) -> String {
    let Report { d_loss, g_loss, d_real, d_fake, .. } = report;
    format!("d_loss: {d_loss:.4}, g_loss: {g_loss:.4}, D(x): {d_real:.2}, D(G(z)): {d_fake:.2}")
}
