//! Several tensors updated by one rule: on a GPU in one launch.

use candle_core::{Result, Tensor};

use crate::clock::Row;
use crate::cpu::{distinct_memory, floating, same_shape};
use crate::{AdamStep, SgdStep, cuda};

/// A tensor to be updated in place, and what that takes, all of its shape.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// A parameter, or an average.
    pub parameter: &'a Tensor,
    /// The loss's gradient for it; or what is averaged.
    pub gradient: &'a Tensor,
    /// What is remembered from step to step and updated too: of Adam `[m, v]`, of SGD `[velocity]`, of an average nothing.
    pub state: &'a [Tensor],
}

/// How: one of the single steps.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only kernels read it"))]
pub(crate) enum Rule {
    Adam(AdamStep),
    Sgd(SgdStep),
    Average { decay: f64 },
}

impl Rule {
    /// What changes from step to step, as the kernels take it.
    #[cfg(feature = "cuda")]
    pub(crate) fn numbers(&self) -> [f32; 2] {
        match self {
            Self::Adam(step) => step.numbers(),
            Self::Sgd(step) => [step.learning_rate as f32, 0.],
            Self::Average { decay } => [(1. - decay) as f32, 0.],
        }
    }

    /// How many of these there are.
    #[cfg(feature = "cuda")]
    pub(crate) fn changing(&self) -> usize {
        match self {
            Self::Adam(_) => 2,
            Self::Sgd(_) | Self::Average { .. } => 1,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam_steps",
            Self::Sgd(_) => "sgd_steps",
            Self::Average { .. } => "average_steps",
        }
    }

    fn states(&self) -> usize {
        match self {
            Self::Adam(_) => 2,
            Self::Sgd(_) => 1,
            Self::Average { .. } => 0,
        }
    }
}

/// [`adam_step`](crate::adam_step) of several tensors. With a `row`, [`AdamStep::numbers`] are those that stand there, and
/// `learning_rate` and `step` do not matter.
///
/// # Errors
/// As for one; and with a row, when the tensors are not on its GPU.
pub fn adam_steps(updates: &[Update], step: &AdamStep, row: Option<&Row>) -> Result<()> {
    step.check("adam_steps", row.is_some())?;
    each(updates, Rule::Adam(*step), row, |update| crate::adam::one(update, step))
}

/// [`sgd_step`](crate::sgd_step) of several tensors. With a `row`, the rate is the number that stands there.
///
/// # Errors
/// As for one; and with a row, when the tensors are not on its GPU.
pub fn sgd_steps(updates: &[Update], step: &SgdStep, row: Option<&Row>) -> Result<()> {
    each(updates, Rule::Sgd(*step), row, |update| crate::sgd::one(update, step))
}

/// [`average_step`](crate::average_step) of several tensors. With a `row`, `1 - decay` is the number that stands there.
///
/// # Errors
/// As for one; and with a row, when the tensors are not on its GPU.
pub fn average_steps(updates: &[Update], decay: f64, row: Option<&Row>) -> Result<()> {
    if !(0. ..=1.).contains(&decay) {
        candle_core::bail!("average_steps: expected a decay from 0 to 1, found {decay}");
    }
    each(updates, Rule::Average { decay }, row, |update| crate::average::one(update, decay))
}

/// Checks all of them, then updates them: on a GPU together, elsewhere by `one`.
fn each(
    updates: &[Update],
    rule: Rule,
    row: Option<&Row>,
    one: impl Fn(&Update) -> Result<()>,
) -> Result<()> {
    let op = rule.name();
    if updates.is_empty() {
        return Ok(());
    }
    let mut on_gpu = true;
    for update in updates {
        let Update { parameter, gradient, state } = update;
        if state.len() != rule.states() {
            candle_core::bail!("{op}: expected {} tensors of state, found {}", rule.states(), state.len());
        }
        let tensors: Vec<&Tensor> = [*parameter, *gradient].into_iter().chain(state.iter()).collect();
        floating(op, parameter)?;
        for other in &tensors[1..] {
            same_shape(op, parameter, other)?;
        }
        if !distinct_memory(&tensors) {
            candle_core::bail!(
                "{op}: the parameter, its gradient and what is remembered of it must not share memory"
            );
        }
        on_gpu &= cuda::applies(&tensors) && tensors.iter().all(|t| t.is_contiguous());
    }
    if on_gpu {
        return cuda::update(updates, &rule, row);
    }
    if row.is_some() {
        candle_core::bail!("{op}: expected tensors on the GPU of the clock");
    }
    updates.iter().try_for_each(one)
}
