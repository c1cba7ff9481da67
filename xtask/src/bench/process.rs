//! What a whole process costs, seen from outside.

use crate::command::{self, Outcome};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the process takes, in ms.
pub(super) fn wall(command: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    let mut process = start(command)?;
    let status = process.wait().map_err(|e| format!("lost a process: {e}"))?;
    let elapsed = milliseconds(started);
    ended_well(command, status.success())?;
    Ok(elapsed)
}

/// The most memory that the process has at once, in MB of 10^6 bytes, as Linux counts it (`VmHWM`); none elsewhere.
///
/// The count only grows, so it is enough to have read it shortly before the process ends.
pub(super) fn peak(command: &mut Command) -> Outcome<Option<f64>> {
    let mut process = start(command)?;
    let status_file = format!("/proc/{}/status", process.id());
    let mut most = None;
    let status = loop {
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        most = kilobytes.and_then(|number| number.trim().parse::<f64>().ok()).or(most);
        match process.try_wait().map_err(|e| format!("lost a process: {e}"))? {
            Some(status) => break status,
            None => sleep(Duration::from_millis(1)),
        }
    };
    ended_well(command, status.success())?;
    Ok(most.map(|kilobytes| kilobytes * 1024. / 1e6))
}

/// How long it takes until there is something in the file at `path`, in ms. Then the process is ended.
pub(super) fn until_written(command: &mut Command, path: &Path) -> Outcome<f64> {
    let started = Instant::now();
    let mut process = start(command)?;
    let written = || fs::metadata(path).is_ok_and(|file| file.len() > 0);
    while !written() {
        if let Some(status) = process.try_wait().map_err(|e| format!("lost a process: {e}"))? {
            ended_well(command, status.success() && written())?;
            break;
        }
        sleep(Duration::from_micros(100));
    }
    let elapsed = milliseconds(started);
    // It may have ended by itself.
    let _ = process.kill();
    process.wait().map_err(|e| format!("lost a process: {e}"))?;
    Ok(elapsed)
}

fn start(command: &mut Command) -> Outcome<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command.spawn().map_err(|e| format!("could not start `{}`: {e}", command::show(command)))?)
}

fn ended_well(command: &Command, well: bool) -> Outcome {
    match well {
        true => Ok(()),
        false => Err(format!("`{}` failed", command::show(command)).into()),
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
