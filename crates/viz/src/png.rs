use image::ExtendedColorType;
use image::ImageEncoder;
use image::codecs::png::PngEncoder;

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
    }
}
