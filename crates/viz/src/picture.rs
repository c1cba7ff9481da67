use crate::{Error, Result};

/// A grey picture: `width * height` pixels of one byte, 0 black, 255 white; row by row from the top left.
///
/// It has at least one pixel, and exactly as many as its size says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture of these pixels.
    ///
    /// # Errors
    ///
    /// [`Error::PixelCount`] where there are not `width * height` of them, or none.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        let expected = u64::from(width) * u64::from(height);
        if pixels.is_empty() || pixels.len() as u64 != expected {
            let found = pixels.len();
            return Err(Error::PixelCount { width, height, found });
        }
        Ok(Self { width, height, pixels })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
