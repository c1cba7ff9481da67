use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{DType, Tensor, Var};
use ganlet_models::{Network, one_hot};
use ganlet_ops::{first_not_finite, gather_normalize, matmul};

use crate::draw::{self, Noise};
use crate::resident::Resident;
use crate::{Batch, Error, Gan, Observer, ObserverResult, Recipe, Report, Result, StepLosses, step};

/// Whole steps in an epoch; what remains of the images waits for another epoch's order.
///
/// # Errors
/// When there are fewer images than one step takes.
pub fn steps_per_epoch(recipe: &Recipe, images: usize) -> Result<u64> {
    recipe.validate()?;
    match (images / recipe.images_per_step()) as u64 {
        0 => {
            let &Recipe { batch_size, discriminator_steps, .. } = recipe;
            Err(Error::TooFewImages { images, batch_size, discriminator_steps })
        }
        steps => Ok(steps),
    }
}

/// What is trained on: on the networks' device, as tensors of bytes.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    /// `(N, D)` u8. It stays u8: each batch is normalised to `[-1, 1]` as it is taken.
    pub images: Tensor,
    /// `(N,)` u8, for recipes with labels.
    pub labels: Option<Tensor>,
}

impl From<&Tensor> for TrainingSet {
    /// Images without labels.
    fn from(images: &Tensor) -> Self {
        Self { images: images.clone(), labels: None }
    }
}

impl From<&TrainingSet> for TrainingSet {
    fn from(set: &TrainingSet) -> Self {
        set.clone()
    }
}

impl TrainingSet {
    /// How many images there are, if they and their labels are what the recipe takes. [`train`] asks too.
    ///
    /// # Errors
    /// When they are not.
    pub fn check(&self, recipe: &Recipe) -> Result<u32> {
        let Self { images, labels } = self;
        let not_images = || Error::Images { dtype: images.dtype(), shape: images.shape().clone() };
        let &[count, _] = images.dims() else { return Err(not_images()) };
        let (DType::U8, Ok(number)) = (images.dtype(), u32::try_from(count)) else {
            return Err(not_images());
        };
        if recipe.classes == 0 {
            return Ok(number);
        }
        let not_labels = |found| Error::Labels { classes: recipe.classes, images: count, found };
        let labels = labels.as_ref().ok_or_else(|| not_labels("none".into()))?;
        if labels.dtype() != DType::U8 || labels.dims() != [count] {
            return Err(not_labels(format!("{:?} {:?}", labels.dtype(), labels.shape())));
        }
        match labels.max(0)?.to_scalar::<u8>()? {
            largest if usize::from(largest) < recipe.classes => Ok(number),
            largest => Err(not_labels(format!("label {largest}"))),
        }
    }

    /// The mean image, `(D,)` f32 in `[-1, 1]`.
    fn mean(&self) -> Result<Tensor> {
        let (count, pixels) = self.images.dims2()?;
        // A few at a time: the sums of so many bytes are exact in f32, and all of them as floats would be four times as large.
        const ROWS: usize = 1 << 12;
        let mut sums = vec![0f64; pixels];
        for first in (0..count).step_by(ROWS) {
            let rows = self.images.narrow(0, first, ROWS.min(count - first))?.to_dtype(DType::F32)?;
            let ones = Tensor::ones((1, rows.dim(0)?), DType::F32, rows.device())?;
            let of_rows = matmul(&ones, &rows)?.squeeze(0)?.to_vec1::<f32>()?;
            for (sum, of_rows) in sums.iter_mut().zip(of_rows) {
                *sum += f64::from(of_rows);
            }
        }
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / count as f64 / 127.5 - 1.) as f32).collect();
        Ok(Tensor::from_vec(mean, pixels, self.images.device())?)
    }

    /// The images of these indices.
    fn batch(&self, indices: &[u32], recipe: &Recipe) -> Result<Batch> {
        let indices = Tensor::new(indices, self.images.device())?;
        let labels = match (&self.labels, recipe.classes) {
            (Some(labels), classes @ 1..) => Some(one_hot(&labels.index_select(&indices, 0)?, classes)?),
            _ => None,
        };
        Ok(Batch { images: gather_normalize(&self.images, &indices)?, labels })
    }
}

/// Trains from where `gan` stands to the end of the recipe's last epoch.
///
/// `set` is a [`TrainingSet`], or its images alone, `(N, D)` u8. What comes out is a function of where `gan` stood, the images and
/// the recipe: to the bit on one machine's CPU, with any number of threads. Nothing waits for the device but the reports and the end
/// of an epoch.
///
/// What `gan` was made with stays, whatever the recipe says by now: its networks, the rule and the decays of its optimizers, and whether it
/// keeps an average.
///
/// # Errors
/// When the recipe is out of its range or does not fit the images or the networks, losses or weights stop being numbers, or the observer fails.
pub fn train<G: Network, D: Network>(
    gan: &mut Gan<G, D>,
    set: impl Into<TrainingSet>,
    recipe: &Recipe,
    observer: &mut dyn Observer<G, D>,
) -> Result<()> {
    train_until(&AtomicBool::new(false), gan, set, recipe, observer)
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
    set: impl Into<TrainingSet>,
    recipe: &Recipe,
    observer: &mut dyn Observer<G, D>,
) -> Result<()> {
    let set = set.into();
    let count = set.check(recipe)?;
    let pixels = set.images.dim(1)?;
    let steps_per_epoch = steps_per_epoch(recipe, count as usize)?;
    let total = recipe.epochs.saturating_mul(steps_per_epoch);

    if gan.steps == 0 && recipe.center {
        gan.discriminator.center_on(&set.mean()?)?;
    }
    let mut resident = Resident::new(gan, &set, recipe)?;
    while gan.steps < total {
        let epoch = gan.steps / steps_per_epoch;
        let order = draw::order(recipe.seed, epoch, count);
        let first = (gan.steps % steps_per_epoch) as usize;

        if let Some(resident) = &mut resident {
            resident.begin(gan, recipe, &order, first)?;
        }

        let mut unseen = None;
        for indices in order.chunks_exact(recipe.images_per_step()).skip(first) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }

            let losses = match &mut resident {
                // On a GPU what follows goes on without the host.
                Some(resident) => resident.step(gan, recipe)?,
                None => {
                    // The batch: real images by the epoch's order, noise by the step.
                    let progress = gan.steps as f64 / total as f64;
                    let batch = set.batch(indices, recipe)?;
                    let noise = Noise::new(recipe, gan.steps, progress, pixels, set.images.device())?;

                    // The step: D, then G.
                    step(gan, recipe, progress, &batch, &noise)?
                }
            };

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
    let mean_score =
        |logits: &Tensor| -> candle_core::Result<f32> { recipe.loss.score(logits)?.mean_all()?.to_scalar() };
    let step = gan.steps;
    let report = Report {
        epoch,
        step,
        images: step.saturating_mul(recipe.images_per_step() as u64),
        d_loss: losses.d_loss.to_scalar()?,
        g_loss: losses.g_loss.to_scalar()?,
        d_real: mean_score(&losses.real_logits)?,
        d_fake: mean_score(&losses.fake_logits)?,
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
    let tensors: Vec<&Tensor> = parameters.iter().map(|(_, parameter)| parameter.as_tensor()).collect();
    match first_not_finite(&tensors)? {
        None => Ok(()),
        Some(at) => Err(Error::NotFinite { step, network, tensor: parameters[at].0.clone() }),
    }
}

fn told(step: u64, result: ObserverResult) -> Result<()> {
    result.map_err(|source| Error::Observer { step, source })
}
