use candle_core::{DType, Result, Tensor};

/// Labels `(N,)` u8 or u32, each below `classes`, as what networks take: `(N, classes)` f32, 1 at the label and 0 elsewhere.
///
/// # Errors
/// When the labels are no such tensor, or one is not below `classes`.
pub fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    labels.dims1()?;
    Tensor::eye(classes, DType::F32, labels.device())?.index_select(labels, 0)
}
