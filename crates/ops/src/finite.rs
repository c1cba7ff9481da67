use candle_core::{Result, Tensor};

use crate::cuda;

/// Which of these floating-point tensors is the first that holds anything but finite numbers, if one does.
///
/// On a GPU in f32 all of them are looked at in one launch, which is waited for once.
///
/// # Errors
/// When they cannot be read.
pub fn first_not_finite(tensors: &[&Tensor]) -> Result<Option<usize>> {
    if cuda::applies(tensors) && tensors.iter().all(|t| t.is_contiguous()) {
        return cuda::first_not_finite(tensors);
    }
    for (at, tensor) in tensors.iter().enumerate() {
        // 0 x is 0 where x is a finite number, and not a number elsewhere.
        let zero = (*tensor * 0.)?.sum_all()?.to_dtype(candle_core::DType::F32)?.to_scalar::<f32>()?;
        if zero.is_nan() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
