//! `metrics.jsonl`: a line per report, one per sheet of pictures and one per measurement of quality, and of each step no more than these.

mod kept;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ganlet_train::{Report, Warning, Watch};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{console, evaluation, files};
use kept::Kept;
pub(crate) use kept::{Kind, Place};

/// The file, to be appended to.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
}

/// What the lines of an interrupted training tell.
#[derive(Debug)]
pub(crate) struct Past {
    /// Since the training began.
    pub(crate) seconds: f64,
    /// The least Fréchet distance.
    pub(crate) best: Option<f64>,
    /// Has seen all of them.
    pub(crate) watch: Watch,
}

/// The line of a report. What depends on the clock comes last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    images_seen: u64,
    pub(crate) d_loss: f32,
    pub(crate) g_loss: f32,
    pub(crate) d_real: f32,
    pub(crate) d_fake: f32,
    /// Since the training began, without the time that it was interrupted for.
    pub(crate) seconds: f64,
    /// Since the report before.
    pub(crate) steps_per_second: f64,
}

/// The line of a sheet of pictures.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SheetLine {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    /// As a share of the real images' variety.
    pub(crate) variety: f64,
    pub(crate) seconds: f64,
}

/// Any of the lines.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    Quality(evaluation::Line),
    Sheet(SheetLine),
    Report(Line),
}

impl Entry {
    /// The step, and the seconds since the training began.
    pub(crate) fn clock(&self) -> (u64, f64) {
        match self {
            Self::Quality(line) => (line.step, line.seconds),
            Self::Sheet(line) => (line.step, line.seconds),
            Self::Report(line) => (line.step, line.seconds),
        }
    }

    pub(crate) fn quality(&self) -> Option<&evaluation::Line> {
        if let Self::Quality(line) = self { Some(line) } else { None }
    }

    pub(crate) fn sheet(&self) -> Option<&SheetLine> {
        if let Self::Sheet(line) = self { Some(line) } else { None }
    }

    pub(crate) fn report(&self) -> Option<&Line> {
        if let Self::Report(line) = self { Some(line) } else { None }
    }
}

/// The lines of a file; those that cannot be read are left out.
pub(crate) fn entries(bytes: &[u8]) -> Vec<Entry> {
    bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// What a watch says to these lines, in order.
pub(crate) fn warnings<'a>(watch: &mut Watch, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Warning> {
    let said = entries.into_iter().filter_map(|entry| match entry {
        Entry::Report(line) => watch.report(&line.report()),
        Entry::Sheet(line) => watch.sheet(line.step, line.variety),
        Entry::Quality(_) => None,
    });
    said.collect()
}

impl Line {
    pub(crate) fn new(report: &Report, seconds: f64, steps_per_second: f64) -> Self {
        let &Report { epoch, step, images, d_loss, g_loss, d_real, d_fake } = report;
        // To the thousandth: the clock is no better.
        let [seconds, steps_per_second] = [seconds, steps_per_second].map(|n| (n * 1e3).round() / 1e3);
        Self { epoch, step, images_seen: images, d_loss, g_loss, d_real, d_fake, seconds, steps_per_second }
    }

    fn report(&self) -> Report {
        let &Self { epoch, step, images_seen: images, d_loss, g_loss, d_real, d_fake, .. } = self;
        Report { epoch, step, images, d_loss, g_loss, d_real, d_fake }
    }
}

impl SheetLine {
    /// The number that is written is the one that is watched, so that those who read it come to the same warnings.
    pub(crate) fn new(epoch: u64, step: u64, variety: f64, seconds: f64) -> Self {
        Self { epoch, step, variety: (variety * 1e4).round() / 1e4, seconds: (seconds * 1e3).round() / 1e3 }
    }
}

impl Metrics {
    /// Begins the file, or goes on with one: keeps its lines up to `steps`, those that `is_due` says a training without an
    /// interruption has. Gives what they tell, and shows them to `watch`.
    pub(crate) fn open(
        path: &Path,
        steps: u64,
        mut watch: Watch,
        is_due: impl Fn(&Place) -> bool,
    ) -> Result<(Self, Past)> {
        let failed = |source| Error::write(path, source);
        let before = match files::read(path) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                files::persist(path, b"")?;
                Vec::new()
            }
            before => before?,
        };
        let Kept { lines, last, best, unreadable } = Kept::of(&before, steps, is_due);
        if unreadable > 0 {
            console::warning(format_args!(
                "{}: {unreadable} of its lines cannot be read, and were dropped",
                path.display()
            ));
        }
        // To cut a file off needs no room on the disk, and is done or not.
        let is_start = before.starts_with(&lines);
        if !is_start {
            files::persist(path, &lines)?;
        }
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        if is_start {
            file.set_len(lines.len() as u64).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        warnings(&mut watch, &entries(&lines));
        Ok((
            Self { path: path.into(), file },
            Past { seconds: last.map_or(0., |last| last.seconds), best, watch },
        ))
    }

    pub(crate) fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|source| Error::write(&self.path, source))
    }

    /// What is left to do until every line is on the disk.
    pub(crate) fn sync(&self) -> Result<impl FnOnce() -> Result<()> + Send + use<>> {
        let path = self.path.clone();
        let file = self.file.try_clone().map_err(|source| Error::write(&path, source))?;
        Ok(move || file.sync_all().map_err(|source| Error::write(&path, source)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganlet_train::Loss;

    fn watch() -> Watch {
        Watch::new(Loss::NonSaturating, 0.)
    }

    #[test]
    fn going_on_appends_to_what_was_kept() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.jsonl");
        let report =
            |step| Report { epoch: 1, step, images: 0, d_loss: 0., g_loss: 0., d_real: 0., d_fake: 0. };
        let read = || std::fs::read_to_string(&path).unwrap();
        let (mut metrics, past) = Metrics::open(&path, 0, watch(), |_| true)?;
        assert_eq!((past.seconds, past.best), (0., None));
        for step in [2, 4, 5] {
            metrics.append(&Line::new(&report(step), step as f64, 1.))?;
        }
        metrics.sync()?()?;
        let before = read();
        // Cut off where it is, then, without step 4, made anew.
        for (steps, left) in [(4, vec![2, 4]), (5, vec![2])] {
            let (mut metrics, past) =
                Metrics::open(&path, steps, watch(), |place| steps == 4 || place.step != 4)?;
            assert_eq!(past.seconds, *left.last().unwrap() as f64);
            metrics.append(&Line::new(&report(6), 6., 1.))?;
            let of = |step: &u64| before.lines().find(|l| l.contains(&format!("\"step\":{step},"))).unwrap();
            let expected: Vec<_> = left.iter().map(of).collect();
            let now = read();
            assert_eq!(now.lines().take(left.len()).collect::<Vec<_>>(), expected);
            assert_eq!(now.lines().count(), left.len() + 1);
        }
        Ok(())
    }

    #[test]
    fn whoever_reads_the_lines_comes_to_the_warnings_of_the_training() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.jsonl");
        let d_loss = |step: u64| if step > 3 { 0.01 + 0.1 / step as f32 } else { 0.1 };
        let report = |step: u64| Report {
            epoch: step,
            step,
            images: 0,
            d_loss: d_loss(step),
            g_loss: 0.,
            d_real: 0.,
            d_fake: 0.,
        };
        let variety = |step: u64| if step < 15 { 0.5 + 1. / 3. } else { 0.2 / 3. };
        // It goes on wherever it was cut off as if it had not been.
        for cut in 0..20 {
            files::remove(&path)?;
            let mut said = Vec::new();
            for steps in [1..=cut, cut + 1..=20] {
                let (mut metrics, past) = Metrics::open(&path, steps.start() - 1, watch(), |_| true)?;
                let mut watch = past.watch;
                for step in steps {
                    metrics.append(&Line::new(&report(step), 1., 1.))?;
                    said.extend(watch.report(&report(step)));
                    let line = SheetLine::new(step, step, variety(step), 1.);
                    metrics.append(&line)?;
                    said.extend(watch.sheet(step, line.variety));
                }
            }
            let [Warning::DiscriminatorWins { step: 13, .. }, Warning::Collapsed { step: 17, .. }] = said[..]
            else {
                panic!("cut off after {cut}: {said:?}");
            };
            assert_eq!(warnings(&mut watch(), &entries(&files::read(&path)?)), said);
        }
        Ok(())
    }
}
