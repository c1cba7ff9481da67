use candle_core::Tensor;
use ganlet_models::{Network, Pass};
use ganlet_ops::{join, mean_loss};

use crate::draw::{Noise, PassNoise};
use crate::{Error, Gan, Pace, Recipe, Result, penalties};

/// The real images of a step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `(k B, D)` f32 in `[-1, 1]`, for `k` updates of D.
    pub images: Tensor,
    /// What they are, as [`one_hot`](ganlet_models::one_hot) has it, `(k B, classes)`, where the networks take labels.
    pub labels: Option<Tensor>,
}

/// What a step leaves for whoever wants to look, still on the device: reading it waits for the device.
#[derive(Clone, Debug)]
pub struct StepLosses {
    /// D's loss before its last update, without the penalties, a scalar.
    pub d_loss: Tensor,
    /// G's loss before its update (and after D's), a scalar.
    pub g_loss: Tensor,
    /// D's logits of the real images `(B, 1)`.
    pub real_logits: Tensor,
    /// D's logits of the fakes that it was shown `(B, 1)`.
    pub fake_logits: Tensor,
}

/// One step: D learns to tell real images from fakes, `discriminator_steps` times, then G learns to pass.
///
/// Goodfellow et al. (2014), algorithm 1, each update with fakes of its own. `pace` is the share of the training that is
/// done, from 0 to 1, on which learning rates may depend, or the clock of a GPU.
///
/// # Errors
/// When shapes do not fit, or the networks cannot do what the recipe asks for.
pub fn step<G: Network, D: Network>(
    gan: &mut Gan<G, D>,
    recipe: &Recipe,
    pace: impl Into<Pace>,
    batch: &Batch,
    noise: &Noise,
) -> Result<StepLosses> {
    let Gan { generator, discriminator, generator_optimizer, discriminator_optimizer, average, steps } = gan;
    let pace = pace.into();
    let updates = recipe.discriminator_steps;
    let size = batch.images.dim(0)?.checked_div(updates).ok_or(Error::NoUpdate)?;
    let pixels = batch.images.dim(1)?;

    // G draws the fakes of all updates in one pass: it does not change before its own, which is the last.
    generator.refresh()?;
    let labels = batch.labels(0, updates * size)?.zip(batch.labels((updates - 1) * size, size)?);
    let drawn = generator.forward(&match labels {
        None => noise.latents.clone(),
        Some((for_d, for_g)) => Tensor::cat(&[&noise.latents, &join(&[&for_d, &for_g])?], 1)?,
    })?;

    // D: down its loss on real and fake images, which pass through it as one batch. G only serves: what it drew is a tensor that nothing
    // is differentiated through, PyTorch's `fake.detach()`.
    let mut last_update = Err(Error::NoUpdate);
    for (update, first) in (0..updates).map(|update| (update, update * size)) {
        let [real, fake] = [&batch.images, drawn.output()].map(|all| all.narrow(0, first, size));
        let (real, fake) = (real?, fake?);
        let noise = noise.discriminator.get(update);
        let mut shown = vec![real.clone(), fake.clone()];
        if let Some(shares) = noise.and_then(|noise| noise.mixtures.as_ref()) {
            shown.push(penalties::mix(&real, &fake, shares)?);
        }
        discriminator.refresh()?;
        let judged = judge(discriminator, &shown, batch.labels(first, size)?, noise)?;
        let [real, fake] = [0, size].map(|first| judged.output().narrow(0, first, size));
        let (real_logits, fake_logits) = (real?, fake?);

        let pair = judged.rows(0, 2 * size)?;
        let terms = recipe.loss.discriminator_terms(1. - recipe.label_smoothing);
        let (d_loss, logit_gradient) = mean_loss(pair.output(), &terms)?;
        let mut gradients = pair.parameter_gradients(&logit_gradient)?;
        if recipe.r1 > 0. && steps.is_multiple_of(recipe.r1_every) {
            let gamma = recipe.r1 * recipe.r1_every as f64;
            let penalty = |image_gradient: &Tensor| penalties::r1(image_gradient, pixels, gamma);
            judged.rows(0, size)?.add_penalty(penalty, &mut gradients)?;
        }
        if shown.len() > 2 {
            let weight = recipe.gradient_penalty;
            let penalty = |image_gradient: &Tensor| penalties::unit_slope(image_gradient, pixels, weight);
            judged.rows(2 * size, size)?.add_penalty(penalty, &mut gradients)?;
        }
        let gradients = discriminator.for_parameters(gradients)?;
        let rate = pace.discriminator(recipe, update);
        discriminator_optimizer.step(rate, discriminator.parameters(), &gradients)?;
        last_update = Ok((d_loss, real_logits, fake_logits));
    }
    let (d_loss, real_logits, fake_logits) = last_update?;

    // G: down its loss on the other fakes, as the D that has just learned sees them. Now D only serves: the gradient goes
    // through it to the images, and on to G.
    let fake = drawn.rows(updates * size, size)?;
    let labels = batch.labels((updates - 1) * size, size)?;
    discriminator.refresh()?;
    let judged = judge(discriminator, &[fake.output().clone()], labels, Some(&noise.generator))?;
    let (g_loss, logit_gradient) = mean_loss(judged.output(), &recipe.loss.generator_terms())?;
    let image_gradient = judged.input_gradient(&logit_gradient)?.narrow(1, 0, pixels)?;
    let gradients = generator.for_parameters(fake.parameter_gradients(&image_gradient)?)?;
    generator_optimizer.step(pace.generator(recipe), generator.parameters(), &gradients)?;

    *steps += 1;
    if let Some(average) = average {
        let row = pace.average(recipe);
        average.update(generator.parameters(), recipe.ema_decay, *steps, row.as_ref())?;
    }
    Ok(StepLosses { d_loss, g_loss, real_logits, fake_logits })
}

impl Batch {
    /// `count` of the labels, from `first` on.
    fn labels(&self, first: usize, count: usize) -> candle_core::Result<Option<Tensor>> {
        self.labels.as_ref().map(|labels| labels.narrow(0, first, count)).transpose()
    }
}

/// Passes several lots of images through D as one batch, each with the same `labels`, and with what is drawn for the pass.
fn judge<D: Network>(
    discriminator: &D,
    shown: &[Tensor],
    labels: Option<Tensor>,
    noise: Option<&PassNoise>,
) -> candle_core::Result<D::Pass> {
    let mut images = join(&shown.iter().collect::<Vec<_>>())?;
    if let Some(noise) = noise.and_then(|noise| noise.images.as_ref()) {
        images = (images + noise)?;
    }
    if let Some(labels) = labels {
        images = Tensor::cat(&[&images, &labels.repeat((shown.len(), 1))?], 1)?;
    }
    discriminator.forward_with_dropout(&images, noise.map_or(&[], |noise| &noise.masks))
}
