//! `ganlet animate`: how a training went, as an animation of the pictures that it drew after its epochs.

use std::path::{Path, PathBuf};

use ganlet_viz::{Picture, decode_png, with_epoch};

use crate::args::AnimateArgs;
use crate::error::{Error, Result};
use crate::style::Format;
use crate::{console, files, run_dir};

const FORMATS: &[Format] = &[Format::Gif, Format::Apng];

const FPS: u16 = 10;

/// How long the last picture stays, in hundredths of a second.
const LAST: u16 = 200;

pub(crate) fn run(args: &AnimateArgs) -> Result<()> {
    if !args.run.is_dir() {
        return Err(Error::NoSheets { path: args.run.clone() });
    }
    let out = args.out.clone().unwrap_or_else(|| args.run.join("training.gif"));
    let format = Format::of(&out, FORMATS)?;
    let sheets = run_dir::sheets(&args.run)?;
    if sheets.is_empty() {
        return Err(Error::NoSheets { path: args.run.clone() });
    }

    let shown = spread(sheets.len(), args.frames);
    let last = shown.len() - 1;
    let mut size = None;
    let frames = shown.iter().enumerate().map(|(number, &at)| {
        let (epoch, path) = &sheets[at];
        let picture = with_epoch(&read(path, &mut size)?, *epoch)?;
        Ok((picture, if number == last { LAST } else { args.pace.hundredths(FPS) }))
    });
    args.style.write_animation(&out, format, frames, 1)?;
    console::print(out.display())
}

/// The picture in this file, which is of the same size as those before it.
fn read(path: &Path, size: &mut Option<[u32; 2]>) -> Result<Picture> {
    let picture =
        decode_png(&files::read(path)?).map_err(|source| Error::Sheet { path: path.into(), source })?;
    let found = [picture.width(), picture.height()];
    match *size.get_or_insert(found) {
        expected if expected == found => Ok(picture),
        expected => Err(Error::SheetSize { path: PathBuf::from(path), expected, found }),
    }
}

/// At most `frames` of `count`, the first and the last among them: all of the first ones, and then fewer and fewer, as a
/// training changes most at its beginning. The gaps grow like the number itself.
fn spread(count: usize, frames: usize) -> Vec<usize> {
    if count <= frames || frames < 2 {
        return (count.saturating_sub(frames)..count).collect();
    }
    let mut chosen = vec![0];
    for left in (1..frames).rev() {
        // From here to the end in as many equal factors as there are frames left; but never less than one step.
        let here = (chosen[chosen.len() - 1] + 1) as f64;
        let factor = (count as f64 / here).powf(1. / left as f64);
        chosen.push(((here * factor).round() as usize - 1).max(here as usize));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn early_epochs_are_shown_more_often() {
        assert_eq!(spread(5, 9), [0, 1, 2, 3, 4]);
        assert_eq!(spread(7, 1), [6]);
        assert_eq!(spread(200, 2), [0, 199]);
        for (count, frames) in [(200, 60), (10, 9), (1000, 3), (61, 60)] {
            let chosen = spread(count, frames);
            assert_eq!((chosen.len(), chosen[0], chosen[frames - 1]), (frames, 0, count - 1), "{chosen:?}");
            assert!(chosen.windows(2).all(|w| w[0] < w[1]), "{chosen:?}");
            let gap = |at: usize| chosen[at + 1] - chosen[at];
            assert!(gap(0) <= gap(frames - 2), "{chosen:?}");
        }
    }
}
