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

    /// The parameters with their names, always in the same order.
    fn parameters(&self) -> &[(String, Var)];
}
