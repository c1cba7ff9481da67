//! The results of work that is recorded, in memory that is there before.
//!
//! A recording could take memory itself, by nodes that allocate and give back. Without them a graph is kernels alone, which a driver
//! starts with the least effort. (What candle's own operations and cuBLAS take, they still take by such nodes: penalties, labels, large
//! products.)

use std::cell::RefCell;

use candle_core::{DType, Device, Error, Result, Shape, Tensor};

thread_local! {
    /// That of the work that this thread is doing.
    static CURRENT: RefCell<Option<Workspace>> = const { RefCell::new(None) };
}

/// Tensors in the order in which work asks for them, which is the same each time.
#[derive(Default)]
pub(super) struct Workspace {
    tensors: Vec<Tensor>,
    /// Which is asked for next, while they are being used; else all that are asked for are new.
    next: Option<usize>,
}

impl Workspace {
    /// Does `work`, and keeps what it asks for.
    pub(super) fn filled_by<T>(self, work: impl FnOnce() -> T) -> (T, Self) {
        Self { next: None, ..self }.during(work)
    }

    /// Does `work` again, in what is kept.
    pub(super) fn used_by<T>(self, work: impl FnOnce() -> T) -> (T, Self) {
        Self { next: Some(0), ..self }.during(work)
    }

    fn during<T>(self, work: impl FnOnce() -> T) -> (T, Self) {
        CURRENT.replace(Some(self));
        let result = work();
        (result, CURRENT.take().unwrap_or_default())
    }

    fn take(&mut self, shape: &Shape, dtype: DType, device: &Device) -> Result<Tensor> {
        let Some(next) = &mut self.next else {
            let new = new(shape, dtype, device)?;
            self.tensors.push(new.clone());
            return Ok(new);
        };
        let kept = self.tensors.get(*next).filter(|kept| kept.shape() == shape && kept.dtype() == dtype);
        *next += 1;
        kept.cloned().ok_or_else(|| Error::msg("graph: the recorded work is not that of the rehearsal"))
    }
}

/// An f32 tensor for a kernel to fill.
pub(super) fn output(shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    output_of(DType::F32, shape, like)
}

/// The same of another dtype.
pub(super) fn output_of(dtype: DType, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    let shape = shape.into();
    CURRENT.with_borrow_mut(|current| match current {
        Some(workspace) => workspace.take(&shape, dtype, like.device()),
        None => new(&shape, dtype, like.device()),
    })
}

fn new(shape: &Shape, dtype: DType, device: &Device) -> Result<Tensor> {
    // SAFETY: nothing reads it before the kernel, which writes every element, has been queued.
    unsafe { Tensor::empty(shape, dtype, device) }
}
