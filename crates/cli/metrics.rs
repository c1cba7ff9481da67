//! `metrics.jsonl`: a line per report, and of each step one.

mod kept;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ganlet_train::Report;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::{console, files};
use kept::Kept;

/// The file, to be appended to.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
}

/// A line. What depends on the clock comes last.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    epoch: u64,
    step: u64,
    images_seen: u64,
    d_loss: f32,
    g_loss: f32,
    d_real: f32,
    d_fake: f32,
    /// Since the training began, without the time that it was interrupted for.
    seconds: f64,
    /// Since the report before.
    steps_per_second: f64,
}

impl Line {
    pub(crate) fn new(report: &Report, seconds: f64, steps_per_second: f64) -> Self {
        let &Report { epoch, step, images, d_loss, g_loss, d_real, d_fake } = report;
        // To the thousandth: the clock is no better.
        let [seconds, steps_per_second] = [seconds, steps_per_second].map(|n| (n * 1e3).round() / 1e3);
        Self { epoch, step, images_seen: images, d_loss, g_loss, d_real, d_fake, seconds, steps_per_second }
    }
}

impl Metrics {
    /// Begins the file, or goes on with one: keeps its lines up to `steps`, those that `is_due` says a training without an
    /// interruption has. Gives the seconds that the last of them tells.
    pub(crate) fn open(path: &Path, steps: u64, is_due: impl Fn(u64) -> bool) -> Result<(Self, f64)> {
        let failed = |source| Error::write(path, source);
        let before = match files::read(path) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                files::persist(path, b"")?;
                Vec::new()
            }
            before => before?,
        };
        let Kept { lines, last, unreadable } = Kept::of(&before, steps, is_due);
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
        Ok((Self { path: path.into(), file }, last.map_or(0., |last| last.seconds)))
    }

    pub(crate) fn append(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|source| Error::write(&self.path, source))
    }

    /// Returns when every line is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|source| Error::write(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_appends_to_what_was_kept() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("metrics.jsonl");
        let report =
            |step| Report { epoch: 1, step, images: 0, d_loss: 0., g_loss: 0., d_real: 0., d_fake: 0. };
        let read = || std::fs::read_to_string(&path).unwrap();
        let (mut metrics, seconds) = Metrics::open(&path, 0, |_| true)?;
        assert_eq!(seconds, 0.);
        for step in [2, 4, 5] {
            metrics.append(&Line::new(&report(step), step as f64, 1.))?;
        }
        metrics.sync()?;
        let before = read();
        // Cut off where it is, then, without step 4, made anew.
        for (steps, left) in [(4, vec![2, 4]), (5, vec![2])] {
            let (mut metrics, seconds) = Metrics::open(&path, steps, |step| steps == 4 || step != 4)?;
            assert_eq!(seconds, *left.last().unwrap() as f64);
            metrics.append(&Line::new(&report(6), 6., 1.))?;
            let of = |step: &u64| before.lines().find(|l| l.contains(&format!("\"step\":{step},"))).unwrap();
            let expected: Vec<_> = left.iter().map(of).collect();
            let now = read();
            assert_eq!(now.lines().take(left.len()).collect::<Vec<_>>(), expected);
            assert_eq!(now.lines().count(), left.len() + 1);
        }
        Ok(())
    }
}
