//! From tensors to rows of numbers that are known to be numbers.

use candle_core::{Device, Tensor, WithDType};

use crate::matrix::{Real, Rows};
use crate::{Error, Result};

/// The rows of `(N, D)`, of any dtype and on any device; at least `least` of them, all finite.
pub(crate) fn rows<T: Real + WithDType>(
    what: &'static str,
    tensor: &Tensor,
    least: usize,
) -> Result<Rows<T>> {
    let &[found, width] = tensor.dims() else {
        return Err(Error::NotRows { what, found: tensor.shape().clone() });
    };
    if width == 0 {
        return Err(Error::NotRows { what, found: tensor.shape().clone() });
    }
    if found < least {
        return Err(Error::TooFew { what, least, found });
    }
    let values: Vec<T> = tensor.to_device(&Device::Cpu)?.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()?;
    match values.iter().position(|value| !value.to_f64().is_finite()) {
        Some(at) => Err(Error::NotFinite { what, row: at / width, found: values[at].to_f64() }),
        None => Ok(Rows::new(values, width)),
    }
}

/// The rows of images `(N, D)`, which must be in `[-1, 1]`.
pub(crate) fn images(what: &'static str, images: &Tensor, least: usize) -> Result<Rows<f32>> {
    let images = rows::<f32>(what, images, least)?;
    match images.data().iter().position(|x| x.abs() > 1.) {
        Some(at) => Err(Error::Range { what, row: at / images.width(), found: images.data()[at].into() }),
        None => Ok(images),
    }
}

/// The same as pixels in `[0, 1]`.
pub(crate) fn pixels(what: &'static str, images: &Tensor, least: usize) -> Result<Rows<f32>> {
    Ok(self::images(what, images, least)?.map(|x| (x + 1.) / 2.))
}

/// Refuses rows of another width than the others'.
pub(crate) fn same_width<T: Real>(what: &'static str, expected: usize, rows: &Rows<T>) -> Result<()> {
    match rows.width() == expected {
        true => Ok(()),
        false => Err(Error::Width { what, expected, found: rows.width() }),
    }
}
