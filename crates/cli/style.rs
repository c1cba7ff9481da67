//! How pictures are shown: in which colors, and how large. And what they are written as, which the ending of a path says.

use std::path::Path;

use ganlet_viz::{Colors, Frame, Picture, encode_apng, encode_gif, encode_png_in};

use crate::error::{Error, Result};
use crate::files;

/// Fast enough for any eye, and the fastest that all browsers show.
const FASTEST: u16 = 50;

/// The flags of all that draws.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct StyleArgs {
    /// Colors of the pictures: grey, inverted (ink on paper), viridis or magma [default: grey]
    #[arg(long, value_name = "COLORS", value_parser = colors)]
    pub(crate) colors: Option<Colors>,

    /// Draw each pixel as a square of N by N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) scale: Option<u32>,
}

/// The flag of all that moves.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct PaceArgs {
    /// Pictures in a second of an animation, from 1 to 50
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(FASTEST)))]
    pub(crate) fps: Option<u16>,
}

fn colors(text: &str) -> Result<Colors, String> {
    match text {
        "grey" | "gray" => Ok(Colors::Grey),
        "inverted" => Ok(Colors::Inverted),
        "viridis" => Ok(Colors::Viridis),
        "magma" => Ok(Colors::Magma),
        _ => Err("expected grey, inverted, viridis or magma".into()),
    }
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Gif,
    Apng,
    Npy,
    Folder,
}

impl Format {
    /// Told by the path's ending, which must be one of `known`. Without one, it is a folder.
    pub(crate) fn of(path: &Path, known: &'static [Self]) -> Result<Self> {
        let is_folder = path.is_dir() || path.to_string_lossy().ends_with(std::path::is_separator);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let format = match ending.as_deref() {
            _ if is_folder => Some(Self::Folder),
            None => Some(Self::Folder),
            Some("png") => Some(Self::Png),
            Some("gif") => Some(Self::Gif),
            Some("apng") => Some(Self::Apng),
            Some("npy") => Some(Self::Npy),
            Some(_) => None,
        };
        let found = format.filter(|format| known.contains(format));
        found.ok_or_else(|| Error::OutFormat { path: path.into(), known })
    }

    /// What to end a path with, and what comes of it.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Png => ".png for a grid",
            Self::Gif => ".gif for an animation",
            Self::Apng => ".apng for an animated PNG",
            Self::Npy => ".npy for numbers",
            Self::Folder => "/ for a folder of PNG files",
        }
    }
}

impl StyleArgs {
    /// A PNG file of the picture, enlarged where that was asked for.
    pub(crate) fn png(self, picture: &Picture) -> Result<Vec<u8>> {
        Ok(encode_png_in(&self.enlarged(picture, 1)?, self.colors.unwrap_or_default())?)
    }

    /// Numbers have neither.
    pub(crate) fn check_numbers(self, path: &Path) -> Result<()> {
        match self.colors.is_none() && self.scale.is_none() {
            true => Ok(()),
            false => Err(Error::StyledNumbers { path: path.into() }),
        }
    }

    fn enlarged(self, picture: &Picture, scale: u32) -> Result<Picture> {
        Ok(picture.enlarge(self.scale.unwrap_or(scale))?)
    }

    /// Writes the pictures as an animation, each for its number of hundredths of a second.
    pub(crate) fn write_animation(
        self,
        path: &Path,
        format: Format,
        pictures: impl ExactSizeIterator<Item = Result<(Picture, u16)>>,
        scale: u32,
    ) -> Result<()> {
        let count = pictures.len();
        let mut frames = Vec::with_capacity(count);
        for picture in pictures {
            let (picture, hundredths) = picture?;
            let picture = self.enlarged(&picture, scale)?;
            if (picture.pixels().len() as u64).saturating_mul(count as u64) > Picture::MOST_PIXELS {
                let size = [picture.width(), picture.height()];
                return Err(Error::LongAnimation {
                    path: path.into(),
                    count,
                    size,
                    most: Picture::MOST_PIXELS,
                });
            }
            frames.push(Frame { picture, hundredths });
        }
        let encode = if format == Format::Apng { encode_apng } else { encode_gif };
        files::replace(path, &encode(&frames, self.colors.unwrap_or_default())?)
    }
}

impl PaceArgs {
    /// How long a picture is shown, in hundredths of a second.
    pub(crate) fn hundredths(self, fps: u16) -> u16 {
        100 / self.fps.unwrap_or(fps).max(1)
    }
}
