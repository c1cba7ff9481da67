use candle_core::{Result, Var};

use crate::cpu::{applies, vectorized, with_slice_mut};
use crate::dot::dot;
use crate::parallel::for_each_chunk;
use crate::reference;

const NAME: &str = "limit_norms";

/// Scales each row of `weight` `(out, in)` whose Euclidean norm exceeds `max` down to it, in place.
///
/// A row is what one unit weighs its inputs with (with [`Activation::Maxout`](crate::Activation::Maxout), one piece). Hinton et al.,
/// *Improving neural networks by preventing co-adaptation of feature detectors* (2012), constrain them so after each update.
///
/// # Errors
/// When `max` is not positive, or `weight` is not a matrix of floating-point numbers.
pub fn limit_norms(weight: &Var, max: f64) -> Result<()> {
    if max.is_nan() || max <= 0. {
        candle_core::bail!("{NAME}: expected a largest norm above 0, found {max}");
    }
    let (_, inputs) = weight.dims2()?;
    if !applies(&[weight]) {
        return reference::limit_norms(weight, max);
    }
    with_slice_mut(NAME, weight, |weight| {
        for_each_chunk(inputs, [weight], 4, |_, [rows]| {
            vectorized(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact_mut(inputs.max(1)) {
                        let norm = dot(row, row).sqrt();
                        if norm > max {
                            let scale = (max / norm) as f32;
                            row.iter_mut().for_each(|w| *w *= scale);
                        }
                    }
                },
            );
        });
        Ok(())
    })
}
