//! The ways in which a training is interrupted.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::{Chance, failed};
use crate::command::Outcome;

/// A training that is interrupted ends within this, or hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a training is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Kill,
    Term,
    Int,
    IntTwice,
    FullDisk,
    /// `kill -9`, of one that went on after the newest checkpoint had lost its end, as on a disk that lies about what it has written.
    Torn,
}

impl Kind {
    /// Any of them, as far as it can be done.
    pub(super) fn any(run: &Path, disk: &Disk, chance: &mut Chance) -> Outcome<Self> {
        Ok(match chance.below(6) {
            0 => Self::Term,
            1 => Self::Int,
            2 => Self::IntTwice,
            3 if disk.is_small => Self::FullDisk,
            4 if tear(run, chance).map_err(failed("tear a checkpoint"))? => Self::Torn,
            _ => Self::Kill,
        })
    }

    /// Lets the process run until `moment`, and then interrupts it; says how it ended, or nothing if it had finished before that.
    pub(super) fn interrupt(
        self,
        process: &mut Command,
        moment: Duration,
        disk: &Disk,
        chance: &mut Chance,
    ) -> Outcome<Option<&'static str>> {
        let mut process = process.stderr(Stdio::piped()).spawn().map_err(failed("ganlet"))?;
        sleep(moment);
        match self {
            Self::Kill | Self::Torn => signal(&process, "KILL")?,
            Self::Term => signal(&process, "TERM")?,
            Self::Int => signal(&process, "INT")?,
            Self::IntTwice => {
                signal(&process, "INT")?;
                sleep(Duration::from_micros(chance.below(20_000)));
                signal(&process, "INT")?;
            }
            Self::FullDisk => disk.fill(chance)?,
        }
        let status = wait(&mut process)?;
        let mut said = String::new();
        if let Some(mut stderr) = process.stderr.take() {
            stderr.read_to_string(&mut said).map_err(failed("ganlet"))?;
        }
        disk.clear()?;

        Ok(Some(match (self, end(status)) {
            (_, End::Status(0)) => return Ok(None),
            (Self::Kill, End::Signal(9)) => "kill -9",
            (Self::Torn, End::Signal(9)) => "kill -9, after the newest checkpoint had lost its end",
            (Self::Term, End::Status(143)) => "SIGTERM",
            (Self::Int, End::Status(130)) => "SIGINT",
            (Self::IntTwice, End::Status(130)) => "SIGINT twice",
            // Nobody watches for them yet.
            (Self::Term, End::Signal(15)) | (Self::Int | Self::IntTwice, End::Signal(2)) => {
                "SIGTERM or SIGINT before the first step"
            }
            (Self::FullDisk, End::Status(1)) if said.contains("No space left on device") => "full disk",
            (kind, end) => return Err(format!("{kind:?} led to {end:?}:\n{said}").into()),
        }))
    }
}

/// Cuts the newest checkpoint off somewhere, if there is another to fall back on.
fn tear(run: &Path, chance: &mut Chance) -> io::Result<bool> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Ok(false) };
    let steps = |path: &PathBuf| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
    };
    let mut checkpoints: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    checkpoints.retain(|path| steps(path).is_some());
    checkpoints.sort_by_key(steps);
    let [.., _, newest] = &checkpoints[..] else { return Ok(false) };
    let file = fs::OpenOptions::new().write(true).open(newest)?;
    file.set_len(chance.below(file.metadata()?.len()))?;
    Ok(true)
}

/// Sends a signal; a process that has ended does not mind.
fn signal(process: &Child, name: &str) -> Outcome {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg(process.id().to_string()).stderr(Stdio::null());
    kill.status().map(drop).map_err(failed("kill"))
}

/// Waits for the end, which must come.
fn wait(process: &mut Child) -> Outcome<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = process.try_wait().map_err(failed("ganlet"))? {
            return Ok(status);
        }
        if begun.elapsed() > PATIENCE {
            let _ = process.kill();
            return Err("an interrupted training hangs".to_string().into());
        }
        sleep(Duration::from_millis(1));
    }
}

#[derive(Debug)]
enum End {
    Status(i32),
    Signal(i32),
}

#[cfg(unix)]
fn end(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    status.code().map_or_else(|| End::Signal(status.signal().unwrap_or(0)), End::Status)
}

#[cfg(not(unix))]
fn end(status: ExitStatus) -> End {
    // There, what is killed leaves 1.
    status.code().filter(|&code| code != 1).map_or(End::Signal(9), End::Status)
}
