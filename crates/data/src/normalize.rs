//! Bytes to the numbers that networks see, and back.

use crate::Result;
use candle_core::{DType, Tensor};

/// Pixels as networks see them: `2p/255 - 1`, u8 of any shape to f32 in `[-1, 1]` of the same shape.
///
/// [`denormalize`] takes each of the 256 values back to the same byte.
///
/// # Errors
/// Those of candle.
pub fn normalize(pixels: &Tensor) -> Result<Tensor> {
    Ok(pixels.to_dtype(DType::F32)?.affine(2. / 255., -1.)?)
}

/// The inverse of [`normalize`]: f32 of any shape to the nearest byte, `round((x + 1)/2 * 255)`, halves up.
///
/// Values outside `[-1, 1]` are taken as its ends.
///
/// # Errors
/// Those of candle.
pub fn denormalize(values: &Tensor) -> Result<Tensor> {
    // The conversion to u8 drops the fraction, so the half that rounds is in the 128.
    Ok(values.affine(127.5, 128.)?.clamp(0f32, 255f32)?.to_dtype(DType::U8)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_byte_comes_back() -> Result<()> {
        let bytes: Vec<u8> = (0..=255).collect();
        let values = normalize(&Tensor::from_vec(bytes.clone(), (16, 16), &Device::Cpu)?)?;
        let row = values.flatten_all()?.to_vec1::<f32>()?;
        for (p, &x) in row.iter().enumerate() {
            assert!((x - (2. * p as f32 / 255. - 1.)).abs() < 1e-6, "{p}: {x}");
        }
        assert_eq!((row[0], row[255]), (-1., 1.));
        assert_eq!(denormalize(&values)?.flatten_all()?.to_vec1::<u8>()?, bytes);
        Ok(())
    }

    #[test]
    fn values_are_rounded_and_clamped() -> Result<()> {
        let step = 2. / 255.;
        let values = [-7., -1. + 0.49 * step, -1. + 0.51 * step, 0., 1. - 0.49 * step, 1.01, f32::INFINITY];
        let bytes = denormalize(&Tensor::new(&values, &Device::Cpu)?)?.to_vec1::<u8>()?;
        assert_eq!(bytes, [0, 0, 1, 128, 255, 255, 255]);
        Ok(())
    }
}
