use candle_core::{Result, Tensor};

use crate::cpu::{applies, vectorized, with_slice_mut, with_slices};
use crate::parallel::for_each_chunk;
use crate::reference;
use crate::updates::{Update, average_steps};

const NAME: &str = "average_step";

/// One step of an exponential moving average, in place: `average = decay * average + (1 - decay) * parameter`.
///
/// Both have one shape; `decay` is in `[0, 1]`. Where the parameter stays, the average stays, to the bit. On a CPU in f32 this is one pass
/// over memory and allocates nothing.
///
/// # Errors
/// When `decay` is out of range, shapes, dtypes or devices differ, or both share their memory.
pub fn average_step(average: &Tensor, parameter: &Tensor, decay: f64) -> Result<()> {
    average_steps(&[Update { parameter: average, gradient: parameter, state: &[] }], decay, None)
}

/// The same off a GPU, of what has been checked.
pub(crate) fn one(update: &Update, decay: f64) -> Result<()> {
    let &Update { parameter: average, gradient: parameter, .. } = update;
    if !applies(&[average, parameter]) {
        return reference::average_step(average, parameter, decay);
    }
    let new = (1. - decay) as f32;
    with_slices(NAME, [&parameter.contiguous()?], |[parameter]| {
        with_slice_mut(NAME, average, |average| {
            for_each_chunk(1, [average], 4, |offset, [average]| {
                let parameter = &parameter[offset..offset + average.len()];
                vectorized(
                    #[inline(always)]
                    || {
                        for (average, &parameter) in average.iter_mut().zip(parameter) {
                            // As a difference: two equal numbers must not drift apart by rounding.
                            *average += new * (parameter - *average);
                        }
                    },
                );
            });
            Ok(())
        })
    })
}
