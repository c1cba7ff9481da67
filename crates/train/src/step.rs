use candle_core::{Tensor, Var};
use ganlet_models::{Network, Pass};

use crate::draw::Noise;
use crate::{Error, Gan, Result, losses};

/// What a step leaves for whoever wants to look, still on the device: reading it waits for the device.
#[derive(Clone, Debug)]
pub struct StepLosses {
    /// D's loss before its update, a scalar.
    pub d_loss: Tensor,
    /// G's loss before its update (and after D's), a scalar.
    pub g_loss: Tensor,
    /// D's logits of the real images `(B, 1)`.
    pub real_logits: Tensor,
    /// D's logits of the fakes that it was shown `(B, 1)`.
    pub fake_logits: Tensor,
}

/// One step: D learns to tell `real` images from fakes, then G learns to pass.
///
/// `real` is `(B, D)` f32 in `[-1, 1]`. Goodfellow et al. (2014), algorithm 1 with k = 1, each half with fakes of its own.
///
/// # Errors
/// When shapes do not fit.
pub fn step<G: Network, D: Network>(gan: &mut Gan<G, D>, real: &Tensor, noise: &Noise) -> Result<StepLosses> {
    let Gan { generator, discriminator, generator_adam, discriminator_adam, steps } = gan;

    // G draws the fakes of both halves in one pass: it does not change before its own.
    let (reals, fakes) = (real.dim(0)?, noise.latents.dim(0)? / 2);
    let drawn = generator.forward(&noise.latents)?;

    // D: down its loss on real and fake images, which pass through it as one batch. G only serves.
    let fake = drawn.output().narrow(0, 0, fakes)?;
    let judged = discriminator.forward(&Tensor::cat(&[real, &fake], 0)?)?;
    let split = |logits: &Tensor| {
        candle_core::Result::Ok((logits.narrow(0, 0, reals)?, logits.narrow(0, reals, fakes)?))
    };
    let (d_loss, slope) = with_gradient(judged.output(), |logits| {
        let (real, fake) = split(logits)?;
        losses::discriminator(&real, &fake)
    })?;
    discriminator_adam.step(discriminator.parameters(), &judged.parameter_gradients(&slope)?)?;
    let (real_logits, fake_logits) = split(judged.output())?;

    // G: down its loss on the other fakes, as the D that has just learned sees them. Now D only serves: the gradient goes
    // through it to the images, and on to G.
    let fake = drawn.rows(fakes, fakes)?;
    let judged = discriminator.forward(fake.output())?;
    let (g_loss, slope) = with_gradient(judged.output(), losses::generator)?;
    let slope = judged.input_gradient(&slope)?;
    generator_adam.step(generator.parameters(), &fake.parameter_gradients(&slope)?)?;

    *steps += 1;
    Ok(StepLosses { d_loss, g_loss, real_logits, fake_logits })
}

/// A loss of logits, and its gradient for them.
fn with_gradient(
    logits: &Tensor,
    loss: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let logits = Var::from_tensor(&logits.detach())?;
    let loss = loss(&logits)?;
    let gradient = loss.backward()?.remove(&logits).ok_or(Error::LossIgnoresLogits)?;
    Ok((loss.detach(), gradient))
}
