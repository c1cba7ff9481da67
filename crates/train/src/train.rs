use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{DType, Tensor, Var};
use ganlet_models::Network;
use ganlet_ops::gather_normalize;

use crate::draw::{self, Noise};
use crate::{Error, Gan, Observer, ObserverResult, Recipe, Report, Result, StepLosses, step};

/// Whole batches in an epoch; what remains of the images waits for another epoch's order.
///
/// # Errors
/// When there are fewer images than one batch takes.
pub fn steps_per_epoch(recipe: &Recipe, images: usize) -> Result<u64> {
    recipe.validate()?;
    match (images / recipe.batch_size) as u64 {
        0 => Err(Error::TooFewImages { images, batch_size: recipe.batch_size }),
        steps => Ok(steps),
    }
}

/// Trains from where `gan` stands to the end of the recipe's last epoch.
///
/// `images` is `(N, D)` u8, on the networks' device, and stays u8: each batch is normalised to `[-1, 1]` as it is
/// taken. What comes out is a function of where `gan` stood, the images and the recipe: to the bit on one machine's CPU,
/// with any number of threads. Nothing waits for the device but the reports and the
/// end of an epoch.
///
/// # Errors
/// When the recipe is out of its range or does not fit the images, losses or weights stop being numbers, or the observer fails.
pub fn train<G: Network, D: Network>(
    gan: &mut Gan<G, D>,
    images: &Tensor,
    recipe: &Recipe,
    observer: &mut dyn Observer<G, D>,
) -> Result<()> {
    train_until(&AtomicBool::new(false), gan, images, recipe, observer)
}

/// The same, but begins no other step once `stop` is set, by a signal's handler or another thread.
///
/// Where it stops, `gan` is whole: trained on, now or from a checkpoint, it comes to the same bits as if it had not stopped.
///
/// # Errors
/// Those of [`train`].
pub fn train_until<G: Network, D: Network>(
    stop: &AtomicBool,
    gan: &mut Gan<G, D>,
    images: &Tensor,
    recipe: &Recipe,
    observer: &mut dyn Observer<G, D>,
) -> Result<()> {
    let &[count, _] = images.dims() else {
        return Err(not_images(images));
    };
    let (DType::U8, Ok(count)) = (images.dtype(), u32::try_from(count)) else {
        return Err(not_images(images));
    };
    let steps_per_epoch = steps_per_epoch(recipe, count as usize)?;
    let total = recipe.epochs.saturating_mul(steps_per_epoch);

    while gan.steps < total {
        let epoch = gan.steps / steps_per_epoch;
        let order = draw::order(recipe.seed, epoch, count);
        let first = (gan.steps % steps_per_epoch) as usize;

        let mut unseen = None;
        for batch in order.chunks_exact(recipe.batch_size).skip(first) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }

            // The batch: real images by the epoch's order, noise by the step.
            let device = images.device();
            let real = gather_normalize(images, &Tensor::new(batch, device)?)?;
            let noise = Noise::new(recipe.seed, gan.steps, recipe.batch_size, recipe.latent, device)?;

            // The step: D, then G.
            let losses = step(gan, &real, &noise)?;

            // Whoever watches.
            observer.on_step(gan.steps);
            if gan.steps.is_multiple_of(recipe.report_every) || gan.steps == total {
                let report = report(epoch + 1, gan, recipe, &losses)?;
                told(gan.steps, observer.on_report(&report))?;
                unseen = None;
            } else {
                unseen = Some(losses);
            }
        }
        // Nobody is shown an epoch that has gone wrong: what was kept of the one before is worth more.
        if let Some(losses) = unseen {
            report(epoch + 1, gan, recipe, &losses)?;
        }
        told(gan.steps, observer.on_epoch(epoch + 1, gan))?;
    }
    Ok(())
}

/// Reads the step's numbers off the device; they and the weights must be numbers.
fn report<G: Network, D: Network>(
    epoch: u64,
    gan: &Gan<G, D>,
    recipe: &Recipe,
    losses: &StepLosses,
) -> Result<Report> {
    // The mean of sigmoid(l) = (tanh(l / 2) + 1) / 2.
    let mean_probability = |logits: &Tensor| -> candle_core::Result<f32> {
        (logits * 0.5)?.tanh()?.affine(0.5, 0.5)?.mean_all()?.to_scalar()
    };
    let step = gan.steps;
    let report = Report {
        epoch,
        step,
        images: step.saturating_mul(recipe.batch_size as u64),
        d_loss: losses.d_loss.to_scalar()?,
        g_loss: losses.g_loss.to_scalar()?,
        d_real: mean_probability(&losses.real_logits)?,
        d_fake: mean_probability(&losses.fake_logits)?,
    };
    let Report { d_loss, g_loss, .. } = report;
    if !d_loss.is_finite() || !g_loss.is_finite() {
        return Err(Error::Diverged { step, d_loss, g_loss });
    }
    // The losses were taken before the step moved the weights.
    all_finite("generator", gan.generator.parameters(), step)?;
    all_finite("discriminator", gan.discriminator.parameters(), step)?;
    Ok(report)
}

/// Fails at the first parameter that holds anything but finite numbers.
fn all_finite(network: &'static str, parameters: &[(String, Var)], step: u64) -> Result<()> {
    for (name, parameter) in parameters {
        // 0 x is 0 where x is a finite number, and not a number elsewhere.
        let zero: f32 = (parameter.as_tensor() * 0.)?.sum_all()?.to_scalar()?;
        if zero.is_nan() {
            return Err(Error::NotFinite { step, network, tensor: name.clone() });
        }
    }
    Ok(())
}

fn told(step: u64, result: ObserverResult) -> Result<()> {
    result.map_err(|source| Error::Observer { step, source })
}

fn not_images(images: &Tensor) -> Error {
    Error::Images { dtype: images.dtype(), shape: images.shape().clone() }
}
