use candle_core::{CpuStorage, CustomOp2, DType, Device, Error, Layout, Result, Shape, Tensor};

use crate::cpu::{floating, slice, vectorized};
use crate::parallel::in_chunks;
use crate::{cuda, prefetch, reference};

const NAME: &str = "gather_normalize";

/// Pixels to what the networks see: u8 in `0..=255`, any shape -> f32 in `[-1, 1]`, `2p / 255 - 1`.
///
/// # Errors
/// When the dtype is not u8.
pub fn normalize(pixels: &Tensor) -> Result<Tensor> {
    if pixels.dtype() != DType::U8 {
        return Err(
            Error::UnexpectedDType { msg: "normalize", expected: DType::U8, got: pixels.dtype() }.bt()
        );
    }
    reference::normalize(pixels)
}

/// The inverse of [`normalize`]: f32, any shape -> u8, the nearest to `(x + 1) / 2 * 255`; what lies outside `[-1, 1]` is limited
/// to it first, and NaN becomes 0.
///
/// # Errors
/// When `images` is not a floating-point tensor.
pub fn denormalize(images: &Tensor) -> Result<Tensor> {
    floating("denormalize", images)?;
    reference::denormalize(images)
}

/// A batch out of a data set that stays u8: the rows `indices` of `pixels`, normalised.
///
/// `pixels` is `(N, D)` u8, `indices` `(B,)` u32, the result `(B, D)` f32 in `[-1, 1]`: the same values as
/// `normalize(pixels.index_select(indices, 0))`, in one pass.
///
/// # Errors
/// When shapes or dtypes are not as above, or an index is not below `N`. (On a GPU, which cannot say so without being waited for, such a row
/// is NaN.)
pub fn gather_normalize(pixels: &Tensor, indices: &Tensor) -> Result<Tensor> {
    pixels.dims2()?;
    indices.dims1()?;
    for (tensor, expected) in [(pixels, DType::U8), (indices, DType::U32)] {
        if tensor.dtype() != expected {
            return Err(Error::UnexpectedDType { msg: NAME, expected, got: tensor.dtype() }.bt());
        }
    }
    let (pixels, indices) = (pixels.contiguous()?, indices.contiguous()?);
    match (pixels.device(), indices.device()) {
        (Device::Cpu, Device::Cpu) => pixels.apply_op2_no_bwd(&indices, &GatherNormalize),
        (Device::Cuda(_), Device::Cuda(_)) => {
            cuda::gather_normalize(&pixels, &indices, None, indices.dim(0)?)
        }
        _ => reference::gather_normalize(&pixels, &indices),
    }
}

struct GatherNormalize;

impl CustomOp2 for GatherNormalize {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        pixels: &CpuStorage,
        pixels_layout: &Layout,
        indices: &CpuStorage,
        indices_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = pixels_layout.shape().dims2()?;
        let pixels: &[u8] = slice(NAME, pixels, pixels_layout)?;
        let indices: &[u32] = slice(NAME, indices, indices_layout)?;
        if let Some(&index) = indices.iter().find(|&&i| i as usize >= rows) {
            return Err(Error::InvalidIndex { op: NAME, index: index as usize, size: rows }.bt());
        }
        let row = |&index: &u32| &pixels[index as usize * width..][..width];
        let out = in_chunks(indices.len() * width, width, 2, |start, out: &mut [f32]| {
            let indices = &indices[start / width..][..out.len() / width];
            // They stand anywhere in a large data set.
            indices.iter().map(row).for_each(prefetch::all);
            vectorized(
                #[inline(always)]
                || {
                    for (out, index) in out.chunks_exact_mut(width).zip(indices) {
                        for (x, &p) in out.iter_mut().zip(row(index)) {
                            *x = f32::from(p) * (2. / 255.) - 1.;
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((indices.len(), width))))
    }
}
