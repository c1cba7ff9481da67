use candle_core::Tensor;
use ganlet_models::Network;

use crate::draw::Noise;
use crate::{Gan, Result, losses};

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
/// `real` is `(B, D)` f32 in `[-1, 1]`. Goodfellow et al. (2014), algorithm 1 with k = 1, the fakes of both halves drawn anew.
///
/// # Errors
/// When shapes do not fit.
pub fn step<G: Network, D: Network>(gan: &mut Gan<G, D>, real: &Tensor, noise: &Noise) -> Result<StepLosses> {
    // D: a step down its loss on real and fake images. They pass through D as one batch; G only serves.
    let fake = gan.generator.forward_frozen(&noise.discriminator)?.detach();
    let logits = gan.discriminator.forward(&Tensor::cat(&[real, &fake], 0)?)?;
    let (reals, fakes) = (real.dim(0)?, fake.dim(0)?);
    let (real_logits, fake_logits) = (logits.narrow(0, 0, reals)?, logits.narrow(0, reals, fakes)?);
    let d_loss = losses::discriminator(&real_logits, &fake_logits)?;
    let gradients = gan.discriminator.backward(&d_loss)?;
    gan.discriminator_adam
        .step(gan.discriminator.parameters(), &gradients)?;

    // G: a step down its loss on fresh fakes, judged by the D that just learned. Now D only serves.
    let fake = gan.generator.forward(&noise.generator)?;
    let g_loss = losses::generator(&gan.discriminator.forward_frozen(&fake)?)?;
    let gradients = gan.generator.backward(&g_loss)?;
    gan.generator_adam.step(gan.generator.parameters(), &gradients)?;

    gan.steps += 1;
    // Without their history, what led to them can be freed.
    let [d_loss, g_loss] = [d_loss, g_loss].map(|loss| loss.detach());
    let [real_logits, fake_logits] = [real_logits, fake_logits].map(|logits| logits.detach());
    Ok(StepLosses {
        d_loss,
        g_loss,
        real_logits,
        fake_logits,
    })
}
