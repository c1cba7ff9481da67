use ganlet_models::{Discriminator, Generator};

use crate::Gan;

/// What an observer returns: an error ends the training.
pub type ObserverResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Watches a training. It is told, and cannot steer: progress, logs and pictures are observers.
pub trait Observer<G = Generator, D = Discriminator> {
    /// A step was submitted to the device. Called at each step, so it should be cheap.
    fn on_step(&mut self, _steps: u64) {}

    /// The recipe's `report_every` steps were done, or the last one.
    ///
    /// # Errors
    /// When the observer cannot do its part; the training ends.
    fn on_report(&mut self, _report: &Report) -> ObserverResult {
        Ok(())
    }

    /// `epoch` epochs were done, so it counts from 1.
    ///
    /// # Errors
    /// When the observer cannot do its part; the training ends.
    fn on_epoch(&mut self, _epoch: u64, _gan: &Gan<G, D>) -> ObserverResult {
        Ok(())
    }
}

/// Observes nothing.
impl<G, D> Observer<G, D> for () {}

/// How a training stands: the numbers of one step, not means over several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The epoch that the step is in, from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// Training images seen.
    pub images: u64,
    /// D's loss without penalties; in nats where the loss is logistic.
    pub d_loss: f32,
    /// G's loss, likewise.
    pub g_loss: f32,
    /// The mean of D's output for real images: a probability where the loss is logistic.
    pub d_real: f32,
    /// The mean of D's output for fakes, likewise.
    pub d_fake: f32,
}
