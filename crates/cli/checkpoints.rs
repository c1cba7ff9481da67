//! The checkpoints of a run: written now and then, the newest kept, the newest whole one found again.
//!
//! Those at the end of an epoch are a run's own; one of an interruption is removed with the next of these, so that a training
//! that was interrupted leaves the files of one that was not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ganlet_train::checkpoint::{Checkpoint, Snapshot};
use ganlet_train::{Gan, Recipe};

use crate::error::{Error, Result, chain};
use crate::{console, files};

const NAME: (&str, &str) = ("step-", ".safetensors");

/// Writes checkpoints.
pub(crate) struct Checkpoints {
    pub(crate) folder: PathBuf,
    /// What is being trained, and the digest of what it is trained on.
    pub(crate) recipe: Recipe,
    pub(crate) data: String,
    /// Epochs from one to the next.
    pub(crate) every: u64,
    /// How many are kept.
    pub(crate) keep: usize,
    pub(crate) steps_per_epoch: u64,
}

impl Checkpoints {
    /// Whether there should be one at the end of this epoch.
    pub(crate) fn is_due(&self, epoch: u64) -> bool {
        epoch.is_multiple_of(self.every) || epoch == self.recipe.epochs
    }

    /// What is left to do of writing one, then removing those that are no longer to be kept: the training may go on meanwhile. Then it is on the
    /// disk.
    pub(crate) fn save(self: Arc<Self>, gan: &Gan) -> Result<impl FnOnce() -> Result<()> + Send + use<>> {
        let (path, steps) = (self.folder.join(name(gan.steps)), gan.steps);
        let failed = {
            let path = path.clone();
            move |source| Error::Checkpoint { path, source }
        };
        let snapshot = Snapshot::new(gan, &self.recipe, &self.data).map_err(failed.clone())?;
        Ok(move || {
            files::persist(&path, &snapshot.to_bytes().map_err(failed)?)?;
            self.prune(steps)
        })
    }

    /// Removes those that are no longer to be kept when the one of `newest` steps is there: also what a training left that was killed
    /// before it came to that.
    pub(crate) fn prune(&self, newest: u64) -> Result<()> {
        // Those of a later step were passed over as damaged.
        let stays = |steps: u64| steps <= newest && self.is_end_of_due_epoch(steps);
        let mut others = list(&self.folder)?;
        others.retain(|&(steps, _)| steps != newest);
        let (due, passing): (Vec<_>, Vec<_>) = others.into_iter().partition(|&(steps, _)| stays(steps));
        let room = self.keep - usize::from(stays(newest));
        for (_, old) in due.iter().rev().skip(room).chain(&passing) {
            files::remove(old)?;
        }
        Ok(())
    }

    fn is_end_of_due_epoch(&self, steps: u64) -> bool {
        steps.is_multiple_of(self.steps_per_epoch) && self.is_due(steps / self.steps_per_epoch)
    }
}

/// The newest checkpoint in the folder that is whole, of those that there are. A damaged one is passed over with a warning.
///
/// `None` where there is none yet.
pub(crate) fn newest_whole(folder: &Path) -> Result<Option<Checkpoint>> {
    let all = list(folder)?;
    for (_, path) in all.iter().rev() {
        match Checkpoint::from_bytes(&files::read(path)?) {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            Err(error) => {
                let why = chain(&error).join(": ");
                console::warning(format_args!("{} is passed over: {why}", path.display()));
            }
        }
    }
    match all.len() {
        0 => Ok(None),
        count => Err(Error::NoWholeCheckpoint { folder: folder.into(), count }),
    }
}

/// The checkpoints in a folder, which may not be there, by their steps.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in files::entries(folder)? {
        if let Some(steps) = entry.file_name().to_str().and_then(steps_of) {
            found.push((steps, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn name(steps: u64) -> String {
    let (before, after) = NAME;
    format!("{before}{steps}{after}")
}

/// The steps in a checkpoint's name: only the name that they are given, so that none is counted twice.
pub(crate) fn steps_of(file: &str) -> Option<u64> {
    let (before, after) = NAME;
    let steps = file.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
    (name(steps) == file).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::fs;

    #[test]
    fn the_last_epochs_are_kept_and_an_interruption_until_the_next() -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        let recipe = Recipe {
            epochs: 7,
            latent: 2,
            generator_hidden: vec![2],
            discriminator_hidden: vec![2],
            ..Recipe::named("classic")?
        };
        let mut gan = Gan::new(&recipe, [2, 2], &Device::Cpu)?;
        let checkpoints = Arc::new(Checkpoints {
            folder: folder.into(),
            recipe,
            data: "d".into(),
            every: 2,
            keep: 2,
            steps_per_epoch: 10,
        });
        let mut after = |steps, expected: &[u64]| {
            gan.steps = steps;
            checkpoints.clone().save(&gan)?()?;
            let found: Vec<_> = list(folder)?.into_iter().map(|(steps, _)| steps).collect();
            assert_eq!(found, expected);
            Ok::<_, Error>(())
        };
        fs::write(folder.join("step-020.safetensors"), "not ours").unwrap();
        after(7, &[7])?;
        after(20, &[20])?;
        after(24, &[20, 24])?;
        after(30, &[20, 30])?;
        after(40, &[20, 40])?;
        after(41, &[20, 40, 41])?;
        after(60, &[40, 60])?;
        // The last epoch is due whatever its number.
        after(70, &[60, 70])?;
        // As it is left by a training that is killed before it removes the oldest.
        fs::copy(folder.join(name(60)), folder.join(name(40))).unwrap();
        checkpoints.prune(70)?;
        assert_eq!(list(folder)?.len(), 2);
        assert_eq!([1, 2, 6, 7].map(|epoch| checkpoints.is_due(epoch)), [false, true, true, true]);
        assert_eq!(newest_whole(folder)?.unwrap().steps(), 70);

        // As a disk leaves it that lost the end of the newest; then of all.
        let cut = |steps: u64| fs::write(folder.join(name(steps)), [0; 100]).unwrap();
        cut(70);
        assert_eq!(newest_whole(folder)?.unwrap().steps(), 60);
        cut(60);
        assert!(matches!(newest_whole(folder), Err(Error::NoWholeCheckpoint { count: 2, .. })));
        assert!(newest_whole(&folder.join("nowhere"))?.is_none());
        Ok(())
    }
}
