use std::io::Cursor;

use png::{BitDepth, ColorType, Encoder};

use crate::{Colors, Error, Frame, Picture, Result, frame};

/// The picture as the bytes of a PNG file, 8-bit grey.
///
/// The same picture gives the same bytes.
///
/// # Errors
///
/// [`Error::Encode`] where the encoder refuses, which it has no reason to.
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>> {
    encode_png_in(picture, Colors::Grey)
}

/// The same in colors: each pixel an index into a palette of 256.
///
/// # Errors
///
/// As those of [`encode_png`].
pub fn encode_png_in(picture: &Picture, colors: Colors) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let write = |bytes| {
        let mut writer = encoder(bytes, picture, colors).write_header()?;
        writer.write_image_data(picture.pixels())?;
        writer.finish()
    };
    write(&mut bytes).map_err(|source| Error::encode("PNG", source))?;
    Ok(bytes)
}

/// The frames as the bytes of an animated PNG file that plays over and over. What cannot play it shows the first frame.
///
/// # Errors
///
/// Where there are no frames, or they differ in size.
pub fn encode_apng(frames: &[Frame], colors: Colors) -> Result<Vec<u8>> {
    let first = frame::check(frames)?;
    let failed = |source| Error::encode("animated PNG", source);
    let mut bytes = Vec::new();
    let mut encoder = encoder(&mut bytes, first, colors);
    let count = frames
        .len()
        .try_into()
        .map_err(|_| Error::TooManyFrames { found: frames.len(), most: u32::MAX as usize })?;
    encoder.set_animated(count, 0).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    for frame in frames {
        writer.set_frame_delay(frame.hundredths, 100).map_err(failed)?;
        writer.write_image_data(frame.picture.pixels()).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

fn encoder<'a>(
    bytes: &'a mut Vec<u8>,
    picture: &Picture,
    colors: Colors,
) -> Encoder<'static, &'a mut Vec<u8>> {
    let mut encoder = Encoder::new(bytes, picture.width(), picture.height());
    encoder.set_depth(BitDepth::Eight);
    match colors {
        Colors::Grey => encoder.set_color(ColorType::Grayscale),
        _ => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(colors.palette().as_flattened().to_vec());
        }
    }
    encoder
}

/// The picture in a PNG file of grey, such as [`encode_png`] makes, of up to 8 bits.
///
/// # Errors
///
/// [`Error::Decode`] where the bytes are no PNG file, [`Error::NotGrey`] where it is of another kind.
pub fn decode_png(bytes: &[u8]) -> Result<Picture> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // Fewer bits to eight.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(Error::Decode)?;
    let info = reader.info();
    let (color, depth) = reader.output_color_type();
    if (color, depth) != (ColorType::Grayscale, BitDepth::Eight) {
        return Err(Error::NotGrey { found: format!("{color:?}, {} bits", depth as u8) });
    }
    let (width, height) = (info.width, info.height);
    let size = u64::from(width) * u64::from(height);
    if size > Picture::MOST_PIXELS {
        return Err(Error::TooLargePicture { width: width.into(), height: height.into() });
    }
    let mut pixels = vec![0; size as usize];
    reader.next_frame(&mut pixels).map_err(Error::Decode)?;
    Picture::new(width, height, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture::new(31, 17, (0..=255).cycle().take(31 * 17).collect()).unwrap()
    }

    #[test]
    fn a_decoder_gives_the_pixels_back() {
        let bytes = encode_png(&picture()).unwrap();
        assert_eq!(decode_png(&bytes).unwrap(), picture());
        for length in 0..bytes.len() - 12 {
            assert!(decode_png(&bytes[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_png(&bytes);
        }
    }

    #[test]
    fn colors_are_those_of_the_palette() {
        let colored = encode_png_in(&picture(), Colors::Viridis).unwrap();
        assert!(matches!(decode_png(&colored), Err(Error::NotGrey { .. })));
        let mut decoder = png::Decoder::new(Cursor::new(&colored));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; 3 * 31 * 17];
        reader.next_frame(&mut rgb).unwrap();
        let palette = Colors::Viridis.palette();
        assert!(rgb.chunks(3).zip(picture().pixels()).all(|(rgb, &grey)| rgb == palette[usize::from(grey)]));
    }
}
