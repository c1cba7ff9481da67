//! Which sheets of pictures a page holds: all of them, or every second, fourth, ..., until they are small enough.

use std::path::Path;

use ganlet_viz::report::Sheet;
use ganlet_viz::{data_uri, decode_png};

use crate::error::Result;
use crate::{files, run_dir};

/// Bytes of all the sheets of a page: so that the whole stays below 5 MB.
const BUDGET: usize = 4_400_000;

/// Of more sheets than this, not every one is looked at.
const MOST: u64 = 500;

/// The sheets of a run, each read once.
pub(crate) struct Sheets {
    budget: usize,
    /// From one epoch to the next; 0 before any was looked at.
    stride: u64,
    kept: Vec<Sheet>,
    /// The newest, which is always shown.
    newest: Option<Sheet>,
}

impl Sheets {
    /// Of one run among `runs` on a page.
    pub(crate) fn new(runs: usize) -> Self {
        Self { budget: BUDGET / runs.max(1), stride: 0, kept: Vec::new(), newest: None }
    }

    /// Those that a page of the run in this directory has by now. What is no picture is passed over.
    pub(crate) fn look(&mut self, run: &Path) -> Result<Vec<Sheet>> {
        let there = run_dir::sheets(run)?;
        let Some(&(last, _)) = there.last() else { return Ok(Vec::new()) };
        if self.stride == 0 {
            self.stride = last.div_ceil(MOST).next_power_of_two();
        }
        let seen = self.newest.as_ref().map_or(0, |newest| newest.epoch);
        for (epoch, path) in there {
            if epoch <= seen || !(self.is_due(epoch) || epoch == last) {
                continue;
            }
            let Some(picture) = picture(&path) else { continue };
            let sheet = Sheet { epoch, picture };
            if self.is_due(epoch) {
                self.kept.push(sheet.clone());
            }
            self.newest = Some(sheet);
            while self.bytes() > self.budget && self.kept.len() > 1 {
                self.stride *= 2;
                let (stride, kept) = (self.stride, std::mem::take(&mut self.kept));
                self.kept = kept.into_iter().filter(|sheet| is_due(stride, sheet.epoch)).collect();
            }
        }
        let mut sheets = self.kept.clone();
        let newest =
            self.newest.iter().filter(|newest| sheets.last().is_none_or(|last| last.epoch < newest.epoch));
        sheets.extend(newest.cloned().collect::<Vec<_>>());
        Ok(sheets)
    }

    fn is_due(&self, epoch: u64) -> bool {
        is_due(self.stride, epoch)
    }

    fn bytes(&self) -> usize {
        self.kept.iter().chain(&self.newest).map(|sheet| sheet.picture.len()).sum()
    }
}

/// The first is the beginning of the story.
fn is_due(stride: u64, epoch: u64) -> bool {
    epoch == 1 || epoch.is_multiple_of(stride)
}

/// The picture in a file, for a page.
pub(crate) fn picture(path: &Path) -> Option<String> {
    let bytes = files::read(path).ok()?;
    data_uri(&decode_png(&bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganlet_viz::{Picture, encode_png};

    /// The epochs of the sheets of a run of `epochs`, each of noise, so that it is as large as can be.
    fn shown(epochs: u64, budget: usize, by: usize) -> (Vec<u64>, usize) {
        let scratch = tempfile::tempdir().unwrap();
        let noise =
            |seed: u64| (0..64 * 64).map(|at: u64| ((at * seed * 2_654_435_761) >> 13) as u8).collect();
        let mut sheets = Sheets { budget, ..Sheets::new(1) };
        let mut found = Vec::new();
        for epoch in 1..=epochs {
            let png = encode_png(&Picture::new(64, 64, noise(epoch)).unwrap()).unwrap();
            let path = scratch.path().join(format!("samples/fake_images-{epoch}.png"));
            files::make_folder(path.parent().unwrap()).unwrap();
            files::replace(&path, &png).unwrap();
            if (epoch as usize).is_multiple_of(by) || epoch == epochs {
                found = sheets.look(scratch.path()).unwrap();
            }
        }
        let bytes = found.iter().map(|sheet| sheet.picture.len()).sum();
        (found.iter().map(|sheet| sheet.epoch).collect(), bytes)
    }

    #[test]
    fn the_first_and_the_newest_are_shown_and_as_many_between_as_there_is_room_for() {
        assert_eq!(shown(5, BUDGET, 1).0, [1, 2, 3, 4, 5]);
        assert_eq!(shown(0, BUDGET, 1).0, [0; 0]);
        let (epochs, bytes) = shown(21, 20_000, 1);
        assert_eq!((epochs.first(), epochs.last()), (Some(&1), Some(&21)));
        assert!(epochs.len() > 3 && (5_000..=20_000).contains(&bytes), "{epochs:?}, {bytes}");
        // It does not matter how often one looks.
        assert_eq!(shown(21, 20_000, 50), (epochs, bytes));
        let (epochs, _) = shown(3, 1, 1);
        assert_eq!(epochs, [1, 3]);
    }

    #[test]
    fn what_is_no_picture_is_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        let samples = scratch.path().join("samples");
        files::make_folder(&samples).unwrap();
        for (name, bytes) in [("fake_images-1.png", "x"), ("fake_images-99999999999999999999.png", "")] {
            files::replace(&samples.join(name), bytes.as_bytes()).unwrap();
        }
        assert!(Sheets::new(1).look(scratch.path()).unwrap().is_empty());
    }
}
