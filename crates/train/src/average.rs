use candle_core::Var;
use ganlet_ops::{Row, Update, average_steps};

use crate::Result;

/// The exponential moving average of a network's parameters: what it comes to when the noise of its last steps is taken out.
///
/// (Yazıcı et al., *The unusual effectiveness of averaging in GAN training*, ICLR 2019, equation 1.) In the first steps it forgets
/// faster, with `(1 + step) / (10 + step)` where that is less than the decay, so that it does not remember the initial weights.
#[derive(Debug)]
pub struct Average {
    /// The averages, named and ordered as the parameters.
    pub parameters: Vec<(String, Var)>,
}

impl Average {
    /// Begins at the parameters as they are.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(parameters: &[(String, Var)]) -> Result<Self> {
        let copy = |var: &Var| Var::from_tensor(&var.as_detached_tensor());
        let copies = parameters.iter().map(|(name, var)| Ok((name.clone(), copy(var)?)));
        Ok(Self { parameters: copies.collect::<Result<_>>()? })
    }

    /// Takes in the parameters after `step` steps, which counts from 1. With a `row`, where a GPU finds the decay by its clock.
    ///
    /// # Errors
    /// When they are not those that it began with.
    pub fn update(
        &self,
        parameters: &[(String, Var)],
        decay: f64,
        step: u64,
        row: Option<&Row>,
    ) -> Result<()> {
        let pairs = self.parameters.iter().zip(parameters);
        let updates: Vec<Update> = pairs
            .map(|((_, average), (_, parameter))| Update {
                parameter: average,
                gradient: parameter,
                state: &[],
            })
            .collect();
        Ok(average_steps(&updates, decay_at(decay, step), row)?)
    }
}

/// The decay in step `step`.
pub(crate) fn decay_at(decay: f64, step: u64) -> f64 {
    decay.min((1. + step as f64) / (10. + step as f64))
}
