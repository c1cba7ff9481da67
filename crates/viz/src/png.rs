use std::io::Cursor;

use image::codecs::png::{PngDecoder, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, Limits};

use crate::{Error, Picture, Result};

/// The picture as the bytes of a PNG file, 8-bit grey.
///
/// The same picture gives the same bytes.
///
/// # Errors
///
/// [`Error::Png`] where the encoder refuses, which it has no reason to.
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(picture.pixels(), picture.width(), picture.height(), ExtendedColorType::L8)
        .map_err(Error::Png)?;
    Ok(bytes)
}

/// The picture in the bytes of a PNG file; one of colours is made grey.
///
/// # Errors
///
/// [`Error::Decode`] where they are no PNG file, or one of a size that no picture of ours has.
pub fn decode_png(bytes: &[u8]) -> Result<Picture> {
    // What the file says of its size does not decide how much memory is taken.
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), Limits::default()).map_err(Error::Decode)?;
    let grey = DynamicImage::from_decoder(decoder).map_err(Error::Decode)?.into_luma8();
    Picture::new(grey.width(), grey.height(), grey.into_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_gives_the_pixels_back() {
        let pixels: Vec<u8> = (0..=255).cycle().take(31 * 17).collect();
        let png = encode_png(&Picture::new(31, 17, pixels.clone()).unwrap()).unwrap();
        let decoded = image::load_from_memory(&png).unwrap();
        assert_eq!(decoded.color(), image::ColorType::L8);
        assert_eq!((decoded.width(), decoded.height()), (31, 17));
        assert_eq!(decoded.into_bytes(), pixels);
        assert_eq!(decode_png(&png).unwrap(), Picture::new(31, 17, pixels).unwrap());
    }

    #[test]
    fn no_cut_and_no_flipped_bit_is_more_than_an_error_or_another_picture() {
        let png = encode_png(&Picture::new(7, 3, (0..21).collect()).unwrap()).unwrap();
        for length in 0..png.len() {
            let _ = decode_png(&png[..length]);
        }
        for bit in 0..png.len() * 8 {
            let mut bytes = png.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_png(&bytes);
        }
        assert!(matches!(decode_png(b"no picture"), Err(Error::Decode(_))));
    }
}
