use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

/// What training asks of a generator or a discriminator.
///
/// Implement it to train a module of your own: the generator maps latents `(B, latent)` to images `(B, D)` in `[-1, 1]`, the
/// discriminator maps images `(B, D)` to logits `(B, 1)`.
pub trait Network {
    /// The output, through which gradients reach the input and the parameters.
    ///
    /// # Errors
    /// When the input does not fit.
    fn forward(&self, input: &Tensor) -> Result<Tensor>;

    /// The same output, through which gradients reach the input alone: no time is spent on the parameters'.
    ///
    /// # Errors
    /// When the input does not fit.
    fn forward_frozen(&self, input: &Tensor) -> Result<Tensor>;

    /// The gradients of `loss`, a scalar that came out of [`Network::forward`], for the parameters.
    ///
    /// As it stands for every module of candle's own operations; for networks whose gradients take a shorter way.
    ///
    /// # Errors
    /// When an operation in between has no gradient.
    fn backward(&self, loss: &Tensor) -> Result<GradStore> {
        loss.backward()
    }

    /// The parameters with their names, always in the same order.
    fn parameters(&self) -> &[(String, Var)];
}
