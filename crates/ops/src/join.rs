use candle_core::{Result, Tensor};

use crate::cpu::{applies, with_slices};
use crate::cuda;
use crate::parallel::in_chunks;

const NAME: &str = "join";

/// How many matrices one launch takes.
pub(crate) const AT_ONCE: usize = 4;

/// Matrices of one width, one below the other: `(B1, D), (B2, D), ... -> (B1 + B2 + ..., D)`.
///
/// It is `Tensor::cat` along the rows. In f32, where nothing asks for gradients, two matrices are copied by all threads of a CPU, and up to
/// four by one launch on a GPU.
///
/// # Errors
/// When there are none, or widths, dtypes or devices differ.
pub fn join(matrices: &[&Tensor]) -> Result<Tensor> {
    let plain = || {
        let width = matrices[0].dims().last();
        matrices.iter().all(|m| m.rank() == 2 && m.dims().last() == width && !m.track_op())
    };
    match matrices {
        [alone] => Ok((*alone).clone()),
        [_, ..] if matrices.len() <= AT_ONCE && cuda::applies(matrices) && plain() => {
            let matrices = matrices.iter().map(|m| m.contiguous()).collect::<Result<Vec<_>>>()?;
            cuda::join(&matrices)
        }
        [a, b] if applies(matrices) && plain() => {
            let (rows, width) = (a.dim(0)? + b.dim(0)?, a.dim(1)?);
            let joined =
                with_slices(NAME, [&a.contiguous()?, &b.contiguous()?], |[a, b]| Ok(below(a, b, width)))?;
            Tensor::from_vec(joined, (rows, width), a.device())
        }
        _ => Tensor::cat(matrices, 0),
    }
}

/// `b` after `a`, both rows of `width` elements.
fn below(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    in_chunks(a.len() + b.len(), width, 1, |start, chunk: &mut [f32]| {
        let (of_a, of_b) = chunk.split_at_mut(a.len().saturating_sub(start).min(chunk.len()));
        let after_a = start.saturating_sub(a.len());
        of_a.copy_from_slice(&a[start.min(a.len())..][..of_a.len()]);
        of_b.copy_from_slice(&b[after_a..][..of_b.len()]);
    })
}
