use candle_core::{Result, Tensor};

use crate::cpu::{applies, vectorized, with_slice_mut, with_slices};
use crate::parallel::for_each_chunk;
use crate::reference;
use crate::updates::{Update, adam_steps};

const NAME: &str = "adam_step";

/// What one step of Adam depends on beside its tensors.
///
/// Kingma and Ba, *Adam: a method for stochastic optimization* (ICLR 2015), algorithm 1, with the corrections of both
/// moments folded in as PyTorch does: `theta -= rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The step size, positive.
    pub learning_rate: f64,
    /// The decay of the first moment, in `[0, 1)`.
    pub beta1: f64,
    /// The decay of the second moment, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The number of this step, counted from 1.
    pub step: u64,
}

impl AdamStep {
    /// Refuses what would divide by 0. With `clocked` numbers the step's own does not matter.
    pub(crate) fn check(&self, op: &str, clocked: bool) -> Result<()> {
        let decays = [self.beta1, self.beta2];
        if !decays.iter().all(|beta| (0. ..1.).contains(beta)) {
            candle_core::bail!("{op}: expected decays of the moments from 0 to below 1, found {decays:?}");
        }
        if self.step == 0 && !clocked {
            candle_core::bail!("{op}: expected the number of the step, from 1 on, found 0");
        }
        Ok(())
    }

    /// `rate / (1 - beta1^t)` and `1 / sqrt(1 - beta2^t)`.
    pub(crate) fn corrections(&self) -> (f64, f64) {
        // Beyond 2^31 steps the corrections are 1 to the last bit.
        let t = i32::try_from(self.step).unwrap_or(i32::MAX);
        (self.learning_rate / (1. - self.beta1.powi(t)), 1. / (1. - self.beta2.powi(t)).sqrt())
    }

    /// What changes from step to step, in f32: `rate / (1 - beta1^t)` and `1 / sqrt(1 - beta2^t)`. It is what a row of a
    /// [`Clock`](crate::Clock) must hold.
    pub fn numbers(&self) -> [f32; 2] {
        let (rate, correction) = self.corrections();
        [rate as f32, correction as f32]
    }
}

/// Moves `parameter` by one step of Adam along its `gradient`, and updates the moments `m` and `v`, all in place.
///
/// All four have one shape. On a CPU in f32 this is one pass over memory and allocates nothing.
///
/// # Errors
/// When shapes, dtypes or devices differ, two of the tensors share their memory, or `step` is out of its ranges.
pub fn adam_step(
    parameter: &Tensor,
    gradient: &Tensor,
    m: &Tensor,
    v: &Tensor,
    step: &AdamStep,
) -> Result<()> {
    adam_steps(&[Update { parameter, gradient, state: &[m.clone(), v.clone()] }], step, None)
}

/// The same off a GPU, of what has been checked.
pub(crate) fn one(&Update { parameter, gradient, state }: &Update, step: &AdamStep) -> Result<()> {
    let [m, v] = state else { candle_core::bail!("{NAME}: expected both moments") };
    if !applies(&[parameter, gradient, m, v]) {
        return reference::adam_step(parameter, gradient, m, v, step);
    }
    with_slices(NAME, [&gradient.contiguous()?], |[gradient]| {
        with_slice_mut(NAME, parameter, |parameter| {
            with_slice_mut(NAME, m, |m| {
                with_slice_mut(NAME, v, |v| {
                    update(parameter, gradient, m, v, step);
                    Ok(())
                })
            })
        })
    })
}

/// Elementary operations per element, a root and two divisions among them.
const COST: usize = 16;

fn update(parameter: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], step: &AdamStep) {
    let ([rate, v_correction], epsilon) = (step.numbers(), step.epsilon as f32);
    let (beta1, beta2) = (step.beta1 as f32, step.beta2 as f32);
    let (new1, new2) = ((1. - step.beta1) as f32, (1. - step.beta2) as f32);
    for_each_chunk(1, [parameter, m, v], COST, |offset, [p, m, v]| {
        let g = &gradient[offset..offset + p.len()];
        vectorized(
            #[inline(always)]
            || {
                for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
                    *m = beta1 * *m + new1 * g;
                    *v = beta2 * *v + new2 * g * g;
                    *p -= rate * *m / (v.sqrt() * v_correction + epsilon);
                }
            },
        );
    });
}
