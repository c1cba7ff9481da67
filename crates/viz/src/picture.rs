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
    /// The most pixels that are enlarged to or read: 16,384 in a square.
    pub const MOST_PIXELS: u64 = 1 << 28;

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

    /// Each pixel as a square of `scale` by `scale` pixels: larger, and not smoother.
    ///
    /// # Errors
    ///
    /// [`Error::TooLargePicture`] where that is more than [`Picture::MOST_PIXELS`], and where `scale` is 0 there is nothing
    /// to show.
    pub fn enlarge(&self, scale: u32) -> Result<Self> {
        let [width, height] = [self.width, self.height].map(|side| u64::from(side) * u64::from(scale));
        let too_large = || Error::TooLargePicture { width, height };
        let size =
            width.checked_mul(height).filter(|&size| size <= Self::MOST_PIXELS).ok_or_else(too_large)?;

        let scale = scale as usize;
        let mut pixels = Vec::with_capacity(size as usize);
        for row in self.pixels.chunks_exact(self.width as usize) {
            let start = pixels.len();
            pixels.extend(row.iter().flat_map(|&pixel| std::iter::repeat_n(pixel, scale)));
            let end = pixels.len();
            for _ in 1..scale {
                pixels.extend_from_within(start..end);
            }
        }
        let side = |side: u64| u32::try_from(side).map_err(|_| too_large());
        Self::new(side(width)?, side(height)?, pixels)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlarging_makes_squares_of_pixels() {
        let picture = Picture::new(2, 2, vec![1, 2, 3, 4]).unwrap();
        assert_eq!(picture.enlarge(1).unwrap(), picture);
        let expected = vec![1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4];
        assert_eq!(picture.enlarge(2).unwrap(), Picture::new(4, 4, expected).unwrap());
        assert!(matches!(picture.enlarge(0), Err(Error::PixelCount { .. })));
        for scale in [1 << 14, u32::MAX] {
            assert!(matches!(picture.enlarge(scale), Err(Error::TooLargePicture { .. })));
        }
    }
}
