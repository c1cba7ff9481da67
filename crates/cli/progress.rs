//! How far things have come: a bar on a terminal, plain lines elsewhere.

use std::fmt::Display;
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

/// A bar for a few long stages.
pub(crate) fn stages(total: usize) -> ProgressBar {
    styled(total as u64, "{wide_bar} {pos}/{len}  {msg}")
}

/// A bar on standard error, hidden where nothing is to move.
fn styled(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .map(|style| style.progress_chars("━╸ "))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = match console::is_live() {
        true => ProgressDrawTarget::stderr_with_hz(10),
        false => ProgressDrawTarget::hidden(),
    };
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

/// The course of a training: a line after some of the epochs, some twenty in all; on a terminal, under them a bar with the latest
/// numbers. In a log there is also a line when there was none for a minute.
pub(crate) struct Training {
    voice: Voice,
    epochs: u64,
    steps_per_epoch: u64,
    /// Epochs from one line to the next.
    every: u64,
    /// When the first step was made, and how many were made before it.
    started: (Instant, u64),
    shown: Instant,
    said: Instant,
    latest: Option<Report>,
}

enum Voice {
    Silent,
    Lines,
    Bar(ProgressBar),
}

/// The bar moves no more often than this.
const REFRESH: Duration = Duration::from_millis(100);

/// A log is silent for no longer than this and a report.
const SILENCE: Duration = Duration::from_secs(60);

/// About as many lines as this.
const LINES: u64 = 20;

impl Training {
    pub(crate) fn new(quiet: bool, epochs: u64, steps_per_epoch: u64, steps: u64) -> Self {
        let voice = match quiet {
            true => Voice::Silent,
            false if console::is_live() => {
                let template = "{prefix} {wide_bar} {percent} %, {msg}";
                Voice::Bar(styled(epochs.saturating_mul(steps_per_epoch), template))
            }
            false => Voice::Lines,
        };
        let now = Instant::now();
        let every = round_up(epochs.div_ceil(LINES));
        Self {
            voice,
            epochs,
            steps_per_epoch,
            every,
            started: (now, steps),
            shown: now,
            said: now,
            latest: None,
        }
    }

    /// After every step.
    pub(crate) fn step(&mut self, step: u64) {
        if self.shown.elapsed() >= REFRESH {
            self.show(step);
        }
    }

    /// After every report.
    pub(crate) fn report(&mut self, report: &Report) {
        self.latest = Some(*report);
        if matches!(self.voice, Voice::Lines) && self.said.elapsed() >= SILENCE {
            self.say(report.epoch);
        }
        self.show(report.step);
    }

    /// After every epoch.
    pub(crate) fn epoch(&mut self, epoch: u64) {
        if epoch == 1 || epoch.is_multiple_of(self.every) || epoch == self.epochs {
            self.say(epoch);
        }
    }

    /// After every measurement of quality.
    pub(crate) fn evaluated(&self, epoch: u64, numbers: impl Display) {
        if !matches!(self.voice, Voice::Silent) {
            self.aside(|| console::note(format_args!("{}  {numbers}", self.place(epoch))));
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

    /// The latest numbers, on a line of their own.
    fn say(&mut self, epoch: u64) {
        let Some(report) = self.latest.filter(|_| !matches!(self.voice, Voice::Silent)) else { return };
        self.said = Instant::now();
        let rate = self.rate(report.step);
        let line = format!("{}  {}  {rate:.0} steps/s", self.place(epoch), numbers(&report));
        self.aside(|| console::note(line));
    }

    /// `epoch  7/200`.
    fn place(&self, epoch: u64) -> String {
        let width = self.epochs.to_string().len();
        format!("epoch {epoch:width$}/{}", self.epochs)
    }

    /// Steps per second.
    fn rate(&self, step: u64) -> f64 {
        let (started, before) = self.started;
        step.saturating_sub(before) as f64 / started.elapsed().as_secs_f64()
    }

    fn show(&mut self, step: u64) {
        let Voice::Bar(bar) = &self.voice else { return };
        self.shown = Instant::now();
        let rate = self.rate(step);
        let total = self.epochs.saturating_mul(self.steps_per_epoch);
        let left = console::duration(total.saturating_sub(step) as f64 / rate);
        bar.set_position(step);
        bar.set_prefix(self.place((step / self.steps_per_epoch + 1).min(self.epochs)));
        let numbers = self.latest.as_ref().map_or_else(String::new, numbers);
        bar.set_message(format!("{rate:.0} steps/s, {left} left\n{numbers}"));
    }
}

/// The four numbers of a report: what the two lose, and what the discriminator makes of real and generated images.
fn numbers(report: &Report) -> String {
    let Report { d_loss, g_loss, d_real, d_fake, .. } = report;
    format!("d_loss {d_loss:.3}  g_loss {g_loss:.2}  D(x) {d_real:.2}  D(G(z)) {d_fake:.2}")
}

/// The next of 1, 2, 5, 10, 20, 50, ...
fn round_up(number: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        if let Some(round) =
            [1, 2, 5].map(|digit| power.saturating_mul(digit)).into_iter().find(|&round| round >= number)
        {
            return round;
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_after_a_round_number_of_epochs() {
        let every = [0, 1, 2, 3, 5, 6, 10, 11, 50, 51, 1000, u64::MAX].map(round_up);
        assert_eq!(every, [1, 1, 2, 5, 5, 10, 10, 20, 50, 100, 1000, u64::MAX]);
    }

    #[test]
    fn a_line_fits_into_80_columns() {
        let report = Report {
            epoch: 200,
            step: 1,
            images: 0,
            d_loss: 1.2345,
            g_loss: 12.345,
            d_real: 1.,
            d_fake: 0.2,
        };
        let training = Training::new(true, 200, 600, 0);
        let line = format!("{}  {}  1234 steps/s", training.place(7), numbers(&report));
        assert_eq!(line, "epoch   7/200  d_loss 1.235  g_loss 12.35  D(x) 1.00  D(G(z)) 0.20  1234 steps/s");
        assert!(line.len() <= 80, "{}", line.len());
    }
}
