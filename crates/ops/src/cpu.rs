//! What every operation's CPU form needs of candle: slices out of tensors, and the question whether it applies.

use std::cell::Cell;

use candle_core::{CpuStorage, DType, Device, Error, InplaceOp1, Layout, Result, Storage, Tensor, WithDType};

/// Whether the fused f32 form applies to all of these; where it does not, the caller takes the reference.
pub(crate) fn applies(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|t| matches!(t.device(), Device::Cpu) && t.dtype() == DType::F32)
}

/// The elements of a contiguous tensor, in order.
pub(crate) fn slice<'a, T: WithDType>(
    op: &'static str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [T]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op })?;
    let elements = storage.as_slice::<T>()?;
    elements.get(start..end).ok_or_else(|| Error::msg(format!("{op}: the layout exceeds its storage")))
}

/// Calls `f` with the elements of contiguous f32 tensors on the CPU.
pub(crate) fn with_slices<const N: usize, R>(
    op: &'static str,
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<R>,
) -> Result<R> {
    let storages = tensors.map(|t| t.storage_and_layout());
    let mut slices = [&[] as &[f32]; N];
    for (to, (storage, layout)) in slices.iter_mut().zip(&storages) {
        match &**storage {
            Storage::Cpu(storage) => *to = slice(op, storage, layout)?,
            _ => return Err(Error::msg(format!("{op}: expected a tensor on the CPU"))),
        }
    }
    f(slices)
}

/// Calls `f` with the elements of a contiguous f32 tensor on the CPU, to be changed in place.
///
/// candle lends one tensor at a time for writing, and to an in-place operation only. A call within `f` lends another;
/// it must not share the memory of the first, whose lock is held: see [`distinct_memory`].
pub(crate) fn with_slice_mut(
    op: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    struct Lend<F>(&'static str, Cell<Option<F>>);

    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Lend<F> {
        fn name(&self) -> &'static str {
            self.0
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: self.0 })?;
            match (storage, self.1.take()) {
                (CpuStorage::F32(elements), Some(f)) if end <= elements.len() => f(&mut elements[start..end]),
                _ => Err(Error::msg(format!("{}: expected a whole f32 tensor", self.0))),
            }
        }
    }

    tensor.inplace_op1(&Lend(op, Cell::new(Some(f))))
}

/// Whether no two of these share their memory.
pub(crate) fn distinct_memory(tensors: &[&Tensor]) -> bool {
    let mut memory: Vec<*const Storage> =
        tensors.iter().map(|t| std::ptr::from_ref(&*t.storage_and_layout().0)).collect();
    memory.sort_unstable();
    memory.windows(2).all(|pair| pair[0] != pair[1])
}

/// Runs `f` compiled for the widest vectors that this processor has, chosen at run time.
///
/// No multiplication and addition are contracted into one, so the bits do not depend on the choice.
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Fails unless the tensor is of a floating-point type.
pub(crate) fn floating(op: &str, tensor: &Tensor) -> Result<()> {
    match tensor.dtype() {
        dtype if dtype.is_float() => Ok(()),
        dtype => candle_core::bail!("{op}: expected a floating-point tensor, found {dtype:?}"),
    }
}

/// Fails with candle's own error unless the shapes agree.
pub(crate) fn same_shape(op: &'static str, lhs: &Tensor, rhs: &Tensor) -> Result<()> {
    if lhs.shape() == rhs.shape() {
        return Ok(());
    }
    Err(Error::ShapeMismatchBinaryOp { lhs: lhs.shape().clone(), rhs: rhs.shape().clone(), op }.bt())
}
