//! What stands for [`crate::cuda`] in a build without the feature `cuda`, where no tensor is on a GPU.

use candle_core::{Device, Result, Tensor};

use crate::joint::Below;
use crate::updates::{Rule, Update};
use crate::{Activation, Draw, DrawFrom, LayerGradients, LossTerm, Row};

/// Where GPUs are built in, the GPU of this number, set up for training.
///
/// # Errors
/// Always: this was built without the feature `cuda`.
pub fn open(_number: usize) -> Result<Device> {
    candle_core::bail!("this was built without the feature `cuda`")
}

/// Whether there is a CUDA form for all of these: never.
pub(crate) fn applies(_: &[&Tensor]) -> bool {
    false
}

macro_rules! absent {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        pub(crate) fn $name($(_: $argument),*) -> Result<$result> {
            candle_core::bail!("{}: this was built without the feature `cuda`", stringify!($name))
        }
    )*};
}

absent! {
    linear(&Tensor, &Tensor, &Tensor, Activation) -> Tensor;
    input_gradient(&Tensor, &Tensor, Below) -> Tensor;
    tangent(&Tensor, &Tensor, Below) -> Tensor;
    times_slope(&Tensor, Below) -> Tensor;
    parameter_gradients(&[(&Tensor, &Tensor)]) -> Vec<LayerGradients>;
    add_product(&Tensor, &Tensor, &Tensor) -> ();
    multiply(&Tensor, &Tensor) -> Tensor;
    winners(&Tensor, usize) -> Tensor;
    select(&Tensor, &Tensor) -> Tensor;
    spread(&Tensor, &Tensor, usize) -> Tensor;
    center(&Tensor, &Tensor) -> Tensor;
    join(&[Tensor]) -> Tensor;
    gather_normalize(&Tensor, &Tensor, Option<&Tensor>, usize) -> Tensor;
    gather_one_hot(&Tensor, &Tensor, &Tensor, [usize; 2]) -> Tensor;
    tick(&Tensor, usize) -> ();
    draw(&Tensor, u64, &[(DrawFrom, usize)], usize, Draw) -> Tensor;
    mean_loss(&Tensor, &[LossTerm]) -> (Tensor, Tensor);
    first_not_finite(&[&Tensor]) -> Option<usize>;
    update(&[Update], &Rule, Option<&Row>) -> ();
}
