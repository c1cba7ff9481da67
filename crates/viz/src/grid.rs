use candle_core::{DType, Tensor};

use crate::{Error, Picture, Result};

/// How a [`grid`] is laid out. The default is torchvision's: 8 images per row, 2 pixels of padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Images in a row, at least 1. Fewer images than this make one shorter row.
    pub per_row: usize,
    /// Black pixels between two images, and around them all.
    pub padding: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self { per_row: 8, padding: 2 }
    }
}

/// Lays `images`, `(N, rows * columns)` or `(N, rows, columns)`, floats in `[-1, 1]`, out in one picture, row by row.
///
/// `image` is `[rows, columns]`. The picture is what torchvision's `save_image((images + 1) / 2, padding=2, nrow=8)`
/// writes, but for its three equal channels, which are one here: -1 is black and 1 is white, values beyond are clamped,
/// bytes are rounded half up, and *one* image stands alone, without padding. A pixel that is not a number is black.
///
/// # Errors
///
/// Where there are no pixels, the tensor is not of floats or not of images of this size, or the picture would be too
/// large.
pub fn grid(images: &Tensor, image: [usize; 2], layout: Layout) -> Result<Picture> {
    let [rows, columns] = image;
    let count = check(images, image)?;
    let pixels = images.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;

    // torchvision's make_grid returns a single image as it is.
    let Layout { per_row, padding } = match count {
        1 => Layout { per_row: 1, padding: 0 },
        _ => layout,
    };
    let across = per_row.min(count);
    if across == 0 {
        return Err(Error::NoColumns);
    }
    let down = count.div_ceil(across);

    let too_large = || Error::TooLarge { images: count, per_row };
    let extent = |images: usize, size: usize| -> Option<u32> {
        let step = size.checked_add(padding)?;
        let extent = images.checked_mul(step)?.checked_add(padding)?;
        extent.try_into().ok()
    };
    let width = extent(across, columns).ok_or_else(too_large)?;
    let height = extent(down, rows).ok_or_else(too_large)?;
    let total = (u64::from(width) * u64::from(height)).try_into().map_err(|_| too_large())?;

    let mut canvas = Vec::new();
    canvas.try_reserve_exact(total).map_err(|_| too_large())?;
    canvas.resize(total, 0);

    for (index, image) in pixels.chunks_exact(rows * columns).enumerate() {
        let top = padding + index / across * (rows + padding);
        let left = padding + index % across * (columns + padding);
        for (row, line) in image.chunks_exact(columns).enumerate() {
            let start = (top + row) * width as usize + left;
            for (byte, &pixel) in canvas[start..start + columns].iter_mut().zip(line) {
                *byte = brightness(pixel);
            }
        }
    }
    Picture::new(width, height, canvas)
}

/// How many images of this size the tensor holds: at least one.
fn check(images: &Tensor, [rows, columns]: [usize; 2]) -> Result<usize> {
    let shape = images.shape();
    let fits = match *shape.dims() {
        [_, pixels] => rows.checked_mul(columns) == Some(pixels),
        [_, r, c] => [r, c] == [rows, columns],
        _ => false,
    };
    if !fits {
        return Err(Error::Shape { rows, columns, found: shape.clone() });
    }
    if shape.elem_count() == 0 {
        return Err(Error::Empty { shape: shape.clone() });
    }
    if !images.dtype().is_float() {
        return Err(Error::NotFloat { found: images.dtype() });
    }
    Ok(shape.dims()[0])
}

/// The byte of a pixel in `[-1, 1]`.
fn brightness(pixel: f32) -> u8 {
    let unit = ((pixel + 1.) / 2.).clamp(0., 1.);
    (unit * 255. + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// `bytes`, each as the pixel that it is the brightness of.
    fn images(bytes: &[u8], shape: (usize, usize)) -> Tensor {
        let pixels = bytes.iter().map(|&p| 2. * f32::from(p) / 255. - 1.);
        Tensor::from_iter(pixels, &Device::Cpu).unwrap().reshape(shape).unwrap()
    }

    #[test]
    fn images_stand_row_by_row_with_padding_between_and_around() {
        // Three images of one row and two columns, two in a row.
        let images = images(&[1, 2, 3, 4, 5, 6], (3, 2));
        let layout = Layout { per_row: 2, padding: 1 };
        #[rustfmt::skip]
        let expected = vec![
            0, 0, 0, 0, 0, 0, 0,
            0, 1, 2, 0, 3, 4, 0,
            0, 0, 0, 0, 0, 0, 0,
            0, 5, 6, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0,
        ];
        let picture = grid(&images, [1, 2], layout).unwrap();
        assert_eq!(picture, Picture::new(7, 5, expected).unwrap());

        let shaped = images.reshape((3, 1, 2)).unwrap();
        assert_eq!(grid(&shaped, [1, 2], layout).unwrap(), picture);
    }

    #[test]
    fn sizes_are_those_of_torchvision() {
        let size = |count| {
            let images = Tensor::zeros((count, 784), DType::F32, &Device::Cpu).unwrap();
            let picture = grid(&images, [28, 28], Layout::default()).unwrap();
            (picture.width(), picture.height())
        };
        assert_eq!(size(1), (28, 28));
        assert_eq!(size(2), (62, 32));
        assert_eq!(size(8), (242, 32));
        assert_eq!(size(9), (242, 62));
        assert_eq!(size(64), (242, 242));
        assert_eq!(size(100), (242, 392));
    }

    #[test]
    fn every_byte_survives_the_way_to_a_pixel_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let picture = grid(&images(&bytes, (1, 256)), [16, 16], Layout::default()).unwrap();
        assert_eq!(picture.pixels(), bytes);
    }

    #[test]
    fn pixels_are_clamped_and_rounded_half_up() {
        let of = |pixel| brightness(pixel);
        assert_eq!([of(-1.), of(1.), of(0.)], [0, 255, 128]);
        assert_eq!([of(-7.), of(1.001), of(f32::INFINITY)], [0, 255, 255]);
        assert_eq!([of(f32::NEG_INFINITY), of(f32::NAN)], [0, 0]);
        // Half a step above 10 is 11, a little less is 10.
        let half = 2. * 10.5 / 255. - 1.;
        assert_eq!([of(half - 1e-5), of(half + 1e-5)], [10, 11]);
    }

    #[test]
    fn what_cannot_be_shown_is_an_error() {
        let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
        let of = |images: &Tensor, image| grid(images, image, Layout::default()).unwrap_err();
        let f32 = DType::F32;
        assert!(matches!(of(&zeros(&[0, 4], f32), [2, 2]), Error::Empty { .. }));
        assert!(matches!(of(&zeros(&[3, 0], f32), [0, 2]), Error::Empty { .. }));
        assert!(matches!(of(&zeros(&[3, 5], f32), [2, 2]), Error::Shape { .. }));
        assert!(matches!(of(&zeros(&[3, 4, 1], f32), [2, 2]), Error::Shape { .. }));
        assert!(matches!(of(&zeros(&[4], f32), [2, 2]), Error::Shape { .. }));
        assert!(matches!(of(&zeros(&[1, 0], f32), [usize::MAX, 2]), Error::Shape { .. }));
        assert!(matches!(of(&zeros(&[3, 4], DType::U8), [2, 2]), Error::NotFloat { .. }));

        let of = |per_row, padding| {
            let layout = Layout { per_row, padding };
            grid(&zeros(&[3, 4], f32), [2, 2], layout).unwrap_err()
        };
        assert!(matches!(of(0, 2), Error::NoColumns));
        for padding in [usize::MAX, usize::MAX / 4, 1 << 32, 1 << 29] {
            assert!(matches!(of(2, padding), Error::TooLarge { .. }));
        }
    }
}
