use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::cpu::{applies, floating, slice};
use crate::{Term, reference};

const NAME: &str = "bce_with_logits";

/// The mean binary cross-entropy of `sigmoid(logits)` against one `target` in `[0, 1]` for all of them: a scalar.
///
/// Computed as `(1 - target) softplus(l) + target softplus(-l)` with `softplus(l) = max(l, 0) + ln(1 + exp(-|l|))`, which is
/// finite and without cancellation for every finite logit. (PyTorch's `BCELoss` on probabilities limits the logarithm to -100 instead; `log(1 - sigmoid(l))`
/// written out is infinite in f32 from a logit of about 17 on, `log(sigmoid(l))` from about -104 down.)
///
/// # Errors
/// When `logits` is empty or not a floating-point tensor.
pub fn bce_with_logits(logits: &Tensor, target: f64) -> Result<Tensor> {
    if logits.elem_count() == 0 {
        candle_core::bail!("{NAME}: the mean of no logits is undefined");
    }
    floating(NAME, logits)?;
    if !applies(&[logits]) {
        return reference::bce_with_logits(logits, target);
    }
    logits.contiguous()?.apply_op1(BceWithLogits { target })
}

struct BceWithLogits {
    target: f64,
}

impl CustomOp1 for BceWithLogits {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits: &[f32] = slice(NAME, logits, layout)?;
        let term = Term::CrossEntropy { target: self.target };
        let sum: f64 = logits.iter().map(|&l| term.of(f64::from(l)).0).sum();
        let mean = (sum / logits.len() as f64) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _mean: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        // `target` and the scale are known on the host, where this operation runs.
        let scale = f64::from(grad.to_scalar::<f32>()?) / logits.elem_count() as f64;
        Ok(Some(logits.apply_op1_no_bwd(&Gradient { target: self.target, scale })?))
    }
}

/// `((1 - target) sigmoid(l) - target sigmoid(-l)) * scale`: `sigmoid(l) - target` without cancellation.
struct Gradient {
    target: f64,
    scale: f64,
}

impl CustomOp1 for Gradient {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let term = Term::CrossEntropy { target: self.target };
        let slope = |&l: &f32| (term.of(f64::from(l)).1 * self.scale) as f32;
        let gradient = slice::<f32>(NAME, logits, layout)?.iter().map(slope).collect();
        Ok((CpuStorage::F32(gradient), layout.shape().clone()))
    }
}
