//! One process at a time in a run directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use crate::environment::timestamp;
use crate::error::{Error, Result};
use crate::{console, files};

/// The file that is locked; it says who holds it.
const FILE: &str = ".lock";

/// The longest that it has to say.
const LONGEST: u64 = 100;

/// A folder that no other process trains in while this is held.
///
/// The system holds the lock for as long as the process lives: what a dead one left is an unlocked file, and in nobody's way.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: Option<File>,
}

impl Lock {
    /// Takes the folder, or says who has it.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let failed = |source| Error::write(&path, source);
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    console::warning(format_args!(
                        "the file system of {} has no locks: take care that no other process trains there",
                        folder.display()
                    ));
                    return Ok(Self { path, _file: None });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            let holder = format!("{} {}\n", process::id(), timestamp(SystemTime::now()));
            file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).map_err(failed)?;
            // Whoever held it before may have removed the file between our opening and our locking it: then what we
            // hold is no longer the one that others find, and another is made.
            if files::read(&path).is_ok_and(|found| found == holder.as_bytes()) {
                return Ok(Self { path, _file: Some(file) });
            }
        }
    }

    /// Says who has the folder, if somebody has.
    pub(crate) fn check(folder: &Path) -> Result<()> {
        let Ok(mut file) = OpenOptions::new().read(true).open(folder.join(FILE)) else {
            return Ok(());
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(held(folder, &mut file)),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked, so it is ours. Where it cannot be removed it is not in the way.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn held(folder: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    // Whatever cannot be read is not known.
    let _ = file.take(LONGEST).read_to_string(&mut text);
    Error::Held { path: folder.into(), holder: holder(&text) }
}

/// `process 4711, since 2026-11-24T15:45:13Z`, as far as the file says so.
fn holder(text: &str) -> String {
    let known = text.trim_end().split_once(' ').filter(|(pid, since)| {
        let time = |c: char| c.is_ascii_digit() || "-:TZ".contains(c);
        pid.parse::<u32>().is_ok() && !since.is_empty() && since.chars().all(time)
    });
    match known {
        Some((pid, since)) => format!("process {pid}, since {since}"),
        None => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_what_a_dead_process_left_is_not_in_the_way() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        // As a process that was killed leaves it.
        std::fs::write(folder.join(FILE), "1 2026-01-01T00:00:00Z\n").unwrap();
        Lock::check(folder).unwrap();
        let lock = Lock::take(folder).unwrap();
        for second in [Lock::take(folder).map(drop), Lock::check(folder)] {
            match second {
                Err(Error::Held { holder, .. }) => {
                    assert!(holder.starts_with(&format!("process {}, since 20", process::id())), "{holder}");
                }
                other => panic!("{other:?}"),
            }
        }
        drop(lock);
        assert!(!folder.join(FILE).exists());
        drop(Lock::take(folder).unwrap());
    }

    #[test]
    fn a_lock_file_is_believed_only_where_it_makes_sense() {
        assert_eq!(holder("4711 2026-11-24T15:45:13Z\n"), "process 4711, since 2026-11-24T15:45:13Z");
        for text in ["", "4711", "x 2026", "4711 \x1b[31mnow", "-1 2026-11-24T15:45:13Z"] {
            assert_eq!(holder(text), "another process", "{text:?}");
        }
    }
}
