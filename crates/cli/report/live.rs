//! The report of a training that goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ganlet_viz::report::State;

use super::run::Run;
use super::write;
use crate::error::{Error, Result};
use crate::{console, run_dir};

/// The page is written anew when this many times as long as the last writing took has gone by since: it costs no more than 0.2 % of
/// the time.
const REST: u32 = 500;

/// Writes `report.html` now and then, from what is in the run directory.
pub(crate) struct Live {
    path: PathBuf,
    run: Run,
    /// When it was written last, and how long that took.
    last: Option<(Instant, Duration)>,
    /// From the time before until then.
    pause: Duration,
    failed: bool,
}

impl Live {
    pub(crate) fn new(run: &Path) -> Self {
        let path = run.join(run_dir::REPORT);
        Self { path, run: Run::new(run, 1), last: None, pause: Duration::ZERO, failed: false }
    }

    /// Writes it, unless that was done a short while ago. The first failure is returned, and there is no further attempt.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let begun = Instant::now();
        if let Some((last, took)) = self.last {
            if self.failed || begun - last < took * REST {
                return Ok(());
            }
            self.pause = begun - last;
        }
        let again = self.pause.max(self.last.map_or(Duration::ZERO, |(_, took)| took * REST));
        let outcome = self.write(Some(State::Training), Some(again));
        self.failed = outcome.is_err();
        self.last = Some((begun, begun.elapsed()));
        outcome
    }

    /// Writes it a last time, for a training that is over or was stopped.
    pub(crate) fn close(&mut self) -> Result<()> {
        match self.failed {
            true => Ok(()),
            false => self.write(None, None),
        }
    }

    fn write(&mut self, state: Option<State>, again: Option<Duration>) -> Result<()> {
        write(&self.path, vec![self.run.read(state)?], again)
    }

    /// Says that there is no report, and that it does not matter much.
    pub(crate) fn complain(error: &Error) {
        console::warning(format_args!(
            "there is no new report, and there will be none of this training: {}",
            crate::error::chain(error).join(": ")
        ));
        console::hint("ganlet report RUN makes it once the training is over");
    }
}
