use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};

use crate::cpu::{applies, slice, vectorized};
use crate::parallel::in_chunks;
use crate::{cuda, reference};

const NAME: &str = "center";

/// Takes `center` `(D,)` from each row of `x` `(B, D)`, in one pass. Not differentiated: candle takes the result for a constant.
///
/// # Errors
/// When shapes or dtypes do not fit, or devices differ.
pub fn center(x: &Tensor, center: &Tensor) -> Result<Tensor> {
    let ((_, width), length) = (x.dims2()?, center.dims1()?);
    if width != length {
        candle_core::bail!(
            "{NAME}: expected a center of {width} numbers, one for each column, found {length}"
        );
    }
    let (x, center) = (x.contiguous()?, center.contiguous()?);
    if cuda::applies(&[&x, &center]) {
        return cuda::center(&x, &center);
    }
    if !applies(&[&x, &center]) {
        return reference::center(&x, &center);
    }
    x.apply_op2_no_bwd(&center, &Center)
}

struct Center;

impl CustomOp2 for Center {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        center: &CpuStorage,
        center_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = x_layout.shape().clone();
        let x: &[f32] = slice(NAME, x, x_layout)?;
        let center: &[f32] = slice(NAME, center, center_layout)?;
        if center.is_empty() {
            return Err(Error::msg(format!("{NAME}: expected at least one column, found none")));
        }
        let out = in_chunks(x.len(), center.len(), 1, |start, out: &mut [f32]| {
            vectorized(
                #[inline(always)]
                || {
                    let rows = out.chunks_exact_mut(center.len()).zip(x[start..].chunks_exact(center.len()));
                    for (out, x) in rows {
                        for ((out, x), center) in out.iter_mut().zip(x).zip(center) {
                            *out = x - center;
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), shape))
    }
}
