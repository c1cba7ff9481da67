//! `ganlet report`: run directories -> one page to look at. And the page of a training that goes on.

mod charts;
mod live;
mod run;
mod sheets;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ganlet_viz::Report;
use ganlet_viz::report::State;

use crate::args::ReportArgs;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::{console, files, run_dir};
pub(crate) use live::Live;
use run::Run;

/// The page of several runs that was given no name.
const COMPARISON: &str = "compare.html";

/// Seconds after which the page of a training that goes on looks for a newer one, at the earliest.
const AGAIN: f64 = 5.;

pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    files::check_ending("--out", args.out.as_deref(), "html")?;
    if let Some(path) = args.runs.iter().find(|path| !path.join(run_dir::RECIPE).is_file()) {
        return Err(Error::NoRun { path: path.clone() });
    }
    let out = match (&args.out, &args.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.join(run_dir::REPORT),
        (None, _) => PathBuf::from(COMPARISON),
    };
    let goes_on = |path: &PathBuf| Lock::check(path).is_err();
    // Only the training itself writes the page anew.
    let own = |path: &PathBuf| args.out.is_none() && args.runs.len() == 1 && goes_on(path);
    if args.runs.iter().any(own) && out.exists() {
        console::note("The training goes on, and writes its report itself.");
        return console::print(out.display());
    }
    let mut runs = Vec::new();
    for path in &args.runs {
        let state = goes_on(path).then_some(State::Training);
        runs.push(Run::new(path, args.runs.len()).read(state)?);
    }
    write(&out, runs, None)?;
    console::print(out.display())
}

/// Writes the page. It need not outlive a power failure: it can be made again.
fn write(path: &Path, runs: Vec<ganlet_viz::report::Run>, again: Option<Duration>) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let report = Report {
        runs,
        written: now.as_millis() as u64,
        again: again.map(|again| again.as_secs_f64().max(AGAIN)),
        maker: concat!("ganlet ", env!("CARGO_PKG_VERSION")).into(),
    };
    files::replace(path, report.to_html()?.as_bytes())
}
