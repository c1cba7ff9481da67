use crate::{Error, Picture, Result};

/// A picture of an animation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is shown.
    pub picture: Picture,
    /// For how long, in hundredths of a second. (Browsers show a GIF's frames of less than two for ten.)
    pub hundredths: u16,
}

/// The first picture of an animation: there is one, and the others are of its size.
pub(crate) fn check(frames: &[Frame]) -> Result<&Picture> {
    let first = &frames.first().ok_or(Error::NoFrames)?.picture;
    let size = |picture: &Picture| [picture.width(), picture.height()];
    match frames.iter().position(|frame| size(&frame.picture) != size(first)) {
        None => Ok(first),
        Some(frame) => {
            Err(Error::FrameSize { frame, expected: size(first), found: size(&frames[frame].picture) })
        }
    }
}
