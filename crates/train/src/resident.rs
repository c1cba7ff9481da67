//! Training on a GPU that needs no host: the images are there, the noise is drawn there, and a step is recorded once and replayed.
//!
//! It is the same [`step`](crate::step()), given a clock instead of numbers. The host prepares an epoch at a time: its order, its learning rates.

use candle_core::{DType, Device, Tensor};
use ganlet_models::Network;
use ganlet_ops::{Clock, Graph, Rehearsal};

use crate::draw::Noise;
use crate::{Batch, Gan, Pace, Recipe, Result, StepLosses, TrainingSet, pace, step, steps_per_epoch};

pub(crate) struct Resident {
    set: TrainingSet,
    clock: Clock,
    /// In what order the epoch visits the images: `(N,)` u32.
    order: Tensor,
    steps_per_epoch: usize,
    /// Steps of the whole training.
    total: u64,
    device: Device,
    /// Whether steps can be recorded; else each is queued as it is written.
    records: bool,
    /// A step without R1's penalty, and one with it.
    recorded: [Recorded; 2],
}

enum Recorded {
    Never,
    /// It ran once, and what it needs is on the GPU.
    Rehearsed(Rehearsal),
    /// And what it leaves, in memory that each replay writes anew.
    Yes(Graph, StepLosses),
}

impl Resident {
    /// Where the images are on a GPU.
    pub(crate) fn new<G: Network, D: Network>(
        gan: &Gan<G, D>,
        set: &TrainingSet,
        recipe: &Recipe,
    ) -> Result<Option<Self>> {
        let device = set.images.device().clone();
        if !device.is_cuda() {
            return Ok(None);
        }
        let images = set.images.dim(0)?;
        let steps_per_epoch = steps_per_epoch(recipe, images)?;
        let rows = steps_per_epoch as usize;
        Ok(Some(Self {
            set: TrainingSet {
                images: set.images.contiguous()?,
                labels: set.labels.as_ref().map(Tensor::contiguous).transpose()?,
            },
            clock: Clock::new(rows, pace::columns(recipe), &device)?,
            order: Tensor::zeros(images, DType::U32, &device)?,
            steps_per_epoch: rows,
            total: recipe.epochs.saturating_mul(steps_per_epoch),
            // Instance noise falls from step to step, and penalties on mixtures have no kernels of their own.
            records: gan.generator.can_be_recorded()
                && gan.discriminator.can_be_recorded()
                && recipe.instance_noise == 0.
                && recipe.gradient_penalty == 0.,
            device,
            recorded: [Recorded::Never, Recorded::Never],
        }))
    }

    /// Prepares what is left of an epoch: from step `first` of it on.
    pub(crate) fn begin<G, D>(
        &mut self,
        gan: &Gan<G, D>,
        recipe: &Recipe,
        order: &[u32],
        first: usize,
    ) -> Result<()> {
        self.order.slice_set(&Tensor::new(order, &self.device)?, 0, 0)?;
        let columns = pace::columns(recipe);
        let mut table = vec![0.; first * columns];
        for step in (gan.steps..).take(self.steps_per_epoch - first) {
            table.extend(pace::row(gan, recipe, step, step as f64 / self.total as f64));
        }
        self.clock.write(&table)?;
        self.clock.set(gan.steps, first)?;
        Ok(())
    }

    /// The next step. What it leaves to be looked at is there until the next step.
    pub(crate) fn step<G: Network, D: Network>(
        &mut self,
        gan: &mut Gan<G, D>,
        recipe: &Recipe,
    ) -> Result<StepLosses> {
        if !self.records {
            return self.work(gan, recipe);
        }
        let kind = usize::from(recipe.r1 > 0. && gan.steps.is_multiple_of(recipe.r1_every));
        let (graph, losses) = match std::mem::replace(&mut self.recorded[kind], Recorded::Never) {
            Recorded::Never => {
                let (losses, rehearsal) = Graph::rehearse(&self.device, || self.work(gan, recipe))?;
                self.recorded[kind] = Recorded::Rehearsed(rehearsal);
                return Ok(losses);
            }
            // This counts the step as well that is replayed next.
            Recorded::Rehearsed(rehearsal) => {
                Graph::record(&self.device, rehearsal, || self.work(gan, recipe))?
            }
            Recorded::Yes(graph, losses) => {
                gan.counted(recipe);
                (graph, losses)
            }
        };
        graph.replay()?;
        self.recorded[kind] = Recorded::Yes(graph, losses.clone());
        Ok(losses)
    }

    /// A step as it is written, from nothing but what is on the GPU.
    fn work<G: Network, D: Network>(&self, gan: &mut Gan<G, D>, recipe: &Recipe) -> Result<StepLosses> {
        let Self { set: TrainingSet { images, labels }, clock, order, total, .. } = self;
        let count = recipe.images_per_step();
        let labels = match (labels, recipe.classes) {
            (Some(labels), classes @ 1..) => Some(clock.gather_one_hot(labels, order, count, classes)?),
            _ => None,
        };
        let batch = Batch { images: clock.gather_normalize(images, order, count)?, labels };
        let progress = gan.steps as f64 / *total as f64;
        let noise = Noise::clocked(recipe, clock, progress, images.dim(1)?)?;
        let losses = step(gan, recipe, Pace::Clocked(clock.clone()), &batch, &noise)?;
        clock.tick()?;
        Ok(losses)
    }
}
