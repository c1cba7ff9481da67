use candle_core::{Result, Tensor};

use crate::cpu::{applies, vectorized, with_slice_mut, with_slices};
use crate::parallel::for_each_chunk;
use crate::reference;
use crate::updates::{Update, sgd_steps};

const NAME: &str = "sgd_step";

/// What one step of gradient descent with momentum depends on beside its tensors: `v = momentum * v + g`, then `theta -= rate * v`.
///
/// The form is that of `torch.optim.SGD`. With the older `v = momentum * v - rate * g`, `theta += v` it is the same as long as the rate
/// stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// The step size, positive.
    pub learning_rate: f64,
    /// The decay of the velocity, in `[0, 1)`.
    pub momentum: f64,
}

/// Moves `parameter` by one step of gradient descent along its `gradient`, and updates the `velocity`, both in place.
///
/// All three have one shape; the velocity is zeros before the first step. On a CPU in f32 this is one pass over memory and allocates nothing.
///
/// # Errors
/// When shapes, dtypes or devices differ, or two of the tensors share their memory.
pub fn sgd_step(parameter: &Tensor, gradient: &Tensor, velocity: &Tensor, step: &SgdStep) -> Result<()> {
    sgd_steps(&[Update { parameter, gradient, state: std::slice::from_ref(velocity) }], step, None)
}

/// The same off a GPU, of what has been checked.
pub(crate) fn one(&Update { parameter, gradient, state }: &Update, step: &SgdStep) -> Result<()> {
    let [velocity] = state else { candle_core::bail!("{NAME}: expected a velocity") };
    if !applies(&[parameter, gradient, velocity]) {
        return reference::sgd_step(parameter, gradient, velocity, step);
    }
    with_slices(NAME, [&gradient.contiguous()?], |[gradient]| {
        with_slice_mut(NAME, parameter, |parameter| {
            with_slice_mut(NAME, velocity, |velocity| {
                update(parameter, gradient, velocity, step);
                Ok(())
            })
        })
    })
}

fn update(parameter: &mut [f32], gradient: &[f32], velocity: &mut [f32], step: &SgdStep) {
    let (rate, momentum) = (step.learning_rate as f32, step.momentum as f32);
    for_each_chunk(1, [parameter, velocity], 4, |offset, [p, v]| {
        let g = &gradient[offset..offset + p.len()];
        vectorized(
            #[inline(always)]
            || {
                for ((p, v), &g) in p.iter_mut().zip(v).zip(g) {
                    *v = momentum * *v + g;
                    *p -= rate * *v;
                }
            },
        );
    });
}
