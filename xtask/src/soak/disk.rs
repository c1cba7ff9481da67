//! Where the runs of a soak are, and how it becomes full.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Chance, failed};
use crate::command::Outcome;

/// Room for a run of the classic recipe with its checkpoints, and as much again, in MB.
const MEGABYTES: u64 = 64;

/// Where the runs are: a small file system in memory, where one can be mounted.
pub(super) struct Disk {
    pub(super) folder: PathBuf,
    pub(super) is_small: bool,
}

impl Disk {
    pub(super) fn mount(folder: &Path) -> Outcome<Self> {
        let _ = Command::new("umount").arg(folder).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(failed("make the folder of the runs"))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={MEGABYTES}m"), "ganlet-soak"]).arg(folder);
        let is_small = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        Ok(Self { folder: folder.into(), is_small })
    }

    pub(super) fn describe(&self) -> String {
        let folder = self.folder.display();
        match self.is_small {
            true => format!("on a tmpfs of {MEGABYTES} MB, {folder}"),
            false => {
                format!("in {folder}, where no tmpfs can be mounted: without a full disk (superusers can)")
            }
        }
    }

    /// Leaves room for a part of what is written in an epoch, down to none.
    pub(super) fn fill(&self, chance: &mut Chance) -> Outcome {
        let room = chance.below(9_000_000) as usize;
        let zeros = [0; 1 << 16];
        let mut filler = fs::File::create(self.filler()).map_err(failed("fill the disk"))?;
        while filler.write_all(&zeros).is_ok() {}
        let length = filler.metadata().map_err(failed("fill the disk"))?.len();
        filler.set_len(length.saturating_sub(room as u64)).map_err(failed("fill the disk"))
    }

    pub(super) fn clear(&self) -> Outcome {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("clear the disk")(error)),
            _ => Ok(()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let _ = Command::new("umount").arg(&self.folder).status();
        }
    }
}
