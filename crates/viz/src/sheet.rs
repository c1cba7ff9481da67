use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::{Error, Picture, Result};

/// No side of an embedded picture is longer than this.
const LONGEST: u32 = 800;

/// The picture as a `data:` address, to be put into a page: a PNG file of 16 shades of grey.
///
/// That is a third of the size of all 256, and hardly to be told from it. A picture with a side of more than 800 pixels is made smaller,
/// by the mean of squares.
///
/// # Errors
///
/// [`Error::Encode`] where the encoder refuses, which it has no reason to.
pub fn data_uri(picture: &Picture) -> Result<String> {
    let smaller = shrink(picture, picture.width().max(picture.height()).div_ceil(LONGEST))?;
    let png = encode(&smaller).map_err(|source| Error::encode("PNG", source))?;
    Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
}

/// The picture with each square of `factor` pixels a side as one; what is left over at the right and at the bottom is cut off.
fn shrink(picture: &Picture, factor: u32) -> Result<Picture> {
    if factor <= 1 {
        return Ok(picture.clone());
    }
    // A picture that is thinner than a square keeps a pixel.
    let [width, height] = [picture.width(), picture.height()].map(|side| (side / factor).max(1));
    let side = |length: u32| factor.min(length) as usize;
    let (columns, rows) = (side(picture.width()), side(picture.height()));
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    for row in 0..height as usize {
        for column in 0..width as usize {
            let lines = picture.pixels().chunks_exact(picture.width() as usize).skip(row * rows).take(rows);
            let sum: u64 = lines
                .flat_map(|line| line.iter().skip(column * columns).take(columns))
                .map(|&p| u64::from(p))
                .sum();
            pixels.push((sum / (rows * columns) as u64) as u8);
        }
    }
    Picture::new(width, height, pixels)
}

fn encode(picture: &Picture) -> io::Result<Vec<u8>> {
    let lines = picture.pixels().chunks_exact(picture.width() as usize);
    let packed: Vec<u8> = lines.flat_map(|line| line.chunks(2).map(two)).collect();

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_compression(png::Compression::Balanced);
    // Two pixels to a byte: differences between bytes mean nothing.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header()?.write_image_data(&packed)?;
    Ok(bytes)
}

/// Two pixels, or the last one, in a byte.
fn two(pixels: &[u8]) -> u8 {
    // The nearest of 16 shades, which are 17 apart.
    let shade = |pixel: u8| ((u16::from(pixel) + 8) / 17) as u8;
    match *pixels {
        [left, right] => shade(left) << 4 | shade(right),
        [last] => shade(last) << 4,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_png;

    fn seen(picture: &Picture) -> Picture {
        let uri = data_uri(picture).unwrap();
        let base64 = uri.strip_prefix("data:image/png;base64,").unwrap();
        decode_png(&BASE64_STANDARD.decode(base64).unwrap()).unwrap()
    }

    #[test]
    fn a_picture_looks_the_same_in_sixteen_shades() {
        let pixels: Vec<u8> = (0..=255).chain((0..=255).rev()).take(29 * 17).collect();
        let picture = Picture::new(29, 17, pixels.clone()).unwrap();
        let seen = seen(&picture);
        assert_eq!((seen.width(), seen.height()), (29, 17));
        for (seen, pixel) in seen.pixels().iter().zip(pixels) {
            assert!(seen.abs_diff(pixel) <= 8 && seen % 17 == 0, "{pixel} as {seen}");
        }
    }

    #[test]
    fn a_large_picture_is_made_smaller_by_its_mean() {
        // Columns of black and white, two wide, are grey from afar.
        let pixels = (0..1700 * 9).map(|at| if at % 1700 % 2 == 0 { 0 } else { 255 }).collect();
        let picture = Picture::new(1700, 9, pixels).unwrap();
        let small = shrink(&picture, 2).unwrap();
        assert_eq!((small.width(), small.height()), (850, 4));
        assert!(small.pixels().iter().all(|&pixel| pixel == 127));
        assert_eq!((seen(&picture).width(), seen(&picture).height()), (566, 3));
        let thread = Picture::new(1, 5000, vec![200; 5000]).unwrap();
        assert_eq!((seen(&thread).width(), seen(&thread).height()), (1, 714));
    }
}
