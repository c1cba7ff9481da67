//! What `ganlet train` is going to do, before it does it.

use std::fmt;
use std::path::PathBuf;

use candle_core::Device;
use ganlet_data::{Loaded, Name};
use ganlet_models::MlpConfig;
use ganlet_train::{Recipe, Watch, steps_per_epoch};

use crate::args::TrainArgs;
use crate::console::{self, grouped};
use crate::error::Result;
use crate::{data, device, run_dir};

/// What is known of the data before the training.
pub(crate) struct Facts {
    pub(crate) name: String,
    place: String,
    images: usize,
    image: [usize; 2],
}

impl Facts {
    pub(crate) fn of(Loaded { dataset, source, .. }: &Loaded) -> Self {
        Self {
            name: dataset.name().into(),
            place: data::place(source),
            images: dataset.train().len(),
            image: [dataset.rows(), dataset.cols()],
        }
    }

    /// A published data set that is yet to be downloaded: all of them are of the size of MNIST.
    pub(crate) fn to_download(name: Name) -> Self {
        let place = "not on this machine yet, would be downloaded".into();
        Self { name: name.to_string(), place, images: 60_000, image: [28, 28] }
    }
}

/// What is going to be trained, for people to read.
pub(crate) struct Plan {
    recipe: Recipe,
    facts: Facts,
    steps_per_epoch: u64,
    device: String,
    pub(crate) out: PathBuf,
}

impl Plan {
    pub(crate) fn new(args: &TrainArgs, recipe: &Recipe, facts: Facts, device: &Device) -> Result<Self> {
        let steps_per_epoch = steps_per_epoch(recipe, facts.images)?;
        let default = || run_dir::default_path(&recipe.recipe, &facts.name, recipe.seed);
        let out = args.resume.clone().or(args.out.clone()).unwrap_or_else(default);
        let device = match device {
            Device::Cpu => format!("cpu, {} threads", ganlet_ops::threads()),
            _ => device::name(device),
        };
        Ok(Self { recipe: recipe.clone(), facts, steps_per_epoch, device, out })
    }

    pub(crate) fn image(&self) -> [usize; 2] {
        self.facts.image
    }

    /// Who watches such a training.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(self.recipe.loss, self.recipe.label_smoothing)
    }

    pub(crate) fn classes(&self) -> usize {
        self.recipe.classes
    }

    pub(crate) fn epochs(&self) -> u64 {
        self.recipe.epochs
    }

    pub(crate) fn steps(&self) -> u64 {
        self.recipe.epochs.saturating_mul(self.steps_per_epoch)
    }

    /// Whether there is a report of this step.
    pub(crate) fn reports_at(&self, step: u64) -> bool {
        step.is_multiple_of(self.recipe.report_every) || step == self.steps()
    }

    /// Whether quality is measured after this step, where it is measured after each `every` epochs and the last.
    pub(crate) fn evaluates_at(&self, step: u64, every: u64) -> bool {
        every > 0 && (step.is_multiple_of(every.saturating_mul(self.steps_per_epoch)) || step == self.steps())
    }

    pub(crate) fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recipe, facts, steps_per_epoch, device, out } = self;
        let Facts { name, place, images, image: [rows, columns] } = facts;
        let generator = network(&recipe.generator(facts.image).mlp());
        let discriminator = network(&recipe.discriminator(facts.image).mlp());
        let images = grouped(*images as u64);
        let steps = grouped(*steps_per_epoch);
        writeln!(f, "recipe         {}, seed {}", recipe.recipe, recipe.seed)?;
        writeln!(f, "data           {name}, {images} images of {rows} x {columns}")?;
        writeln!(f, "               {place}")?;
        writeln!(f, "generator      {generator}")?;
        writeln!(f, "discriminator  {discriminator}")?;
        writeln!(
            f,
            "length         {} of {steps} steps of {} images",
            console::epochs(recipe.epochs),
            grouped(recipe.images_per_step() as u64)
        )?;
        writeln!(f, "device         {device}")?;
        writeln!(f, "run            {}", out.display())?;
        write!(f, "to watch       {}", out.join(run_dir::REPORT).display())
    }
}

/// `64 -> 256 -> 784, leaky-relu, 217,104 parameters`: weights and biases of a multi-layer perceptron.
fn network(config: &MlpConfig) -> String {
    let widths: Vec<String> = config.widths.iter().map(usize::to_string).collect();
    let parameters = grouped(config.parameter_count() as u64);
    format!("{}, {}, {parameters} parameters", widths.join(" -> "), config.hidden)
}
