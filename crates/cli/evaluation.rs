//! What is measured while a training goes on, and the best generator so far.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ganlet_data::Loaded;
use ganlet_metrics::{DigitJudge, Estimate, Judgement};
use ganlet_models::Generator;
use ganlet_train::Gan;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::memory::SmallPages;
use crate::run_dir::{self, RunDir};

/// As many as `ganlet eval` takes, so that the numbers are the same.
const SAMPLES: u64 = 10_000;

/// Of these, so many are there at a time: a multiple of what the generator draws and of what the feature network takes in one pass.
const AT_ONCE: usize = 288;

/// The fewest images that say whether all can be judged.
const FEW: usize = 3;

/// Where a generator's file says after how many steps it is.
pub(crate) const STEPS: &str = "ganlet.steps";

/// Where the best generator's file says its Fréchet distance.
const FRECHET: &str = "ganlet.frechet";

/// Judges the generator after some of the epochs, and keeps the best.
pub(crate) struct Evaluation {
    /// `(N, D)` u8
    test: Tensor,
    /// Who has seen them: made when there is something to judge, which is later than a training begins.
    judge: Option<DigitJudge>,
    every: u64,
    last: u64,
    /// The Fréchet distance of the best so far.
    best: Option<f64>,
}

/// A line of `metrics.jsonl`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) frechet: f64,
    pub(crate) frechet_error: f64,
    pub(crate) score: f64,
    pub(crate) confidence: f64,
    pub(crate) imbalance: f64,
    best: bool,
    /// Since the training began, without the time that it was interrupted for.
    pub(crate) seconds: f64,
}

impl Evaluation {
    /// The test images, `(N, D)` u8, which samples are held against, if they can be.
    pub(crate) fn test_images(loaded: &Loaded) -> Result<Tensor> {
        let test = loaded.dataset.test().images(&Device::Cpu)?;
        // What does not fit is said before the training; a few of them tell.
        let few = test.narrow(0, 0, test.dim(0)?.min(FEW))?;
        match DigitJudge::new(&few) {
            Ok(_) => Ok(test),
            Err(source) => Err(Error::Evaluate { name: "--eval-every".into(), source }),
        }
    }

    /// Has the generator judged after each `every` epochs and the `last`.
    pub(crate) fn new(test: Tensor, every: u64, last: u64) -> Self {
        Self { test, judge: None, every, last, best: None }
    }

    pub(crate) fn every(&self) -> u64 {
        self.every
    }

    /// Goes on where the best so far has this Fréchet distance.
    pub(crate) fn go_on(&mut self, best: Option<f64>) {
        self.best = best;
    }

    /// Judges the generator, if it is time to, and keeps it, if it is the best.
    pub(crate) fn after(
        &mut self,
        epoch: u64,
        gan: &Gan,
        run: &RunDir,
        seconds: f64,
    ) -> Result<Option<Line>> {
        if !epoch.is_multiple_of(self.every) && epoch != self.last {
            return Ok(None);
        }
        let _small = SmallPages::from_now();
        let judge = match &mut self.judge {
            Some(judge) => judge,
            none => none.insert(DigitJudge::new(&self.test)?),
        };
        let generator = gan.averaged()?;
        let seeds: Vec<u64> = (0..SAMPLES).collect();
        let features = seeds
            .chunks(AT_ONCE)
            .map(|seeds| Ok(judge.features(&generator.sample(seeds)?)?))
            .collect::<Result<Vec<_>>>()?;
        let Judgement { frechet, classes } = judge.judge_features(&Tensor::cat(&features, 0)?)?;
        let Estimate { value, error } = frechet;
        let best = self.best.is_none_or(|best| value < best);
        if best {
            self.best = Some(value);
            let about = [(STEPS, gan.steps.to_string()), (FRECHET, value.to_string())];
            let about: BTreeMap<String, String> =
                about.into_iter().map(|(name, value)| (name.into(), value)).collect();
            files::persist(&run.file(run_dir::BEST), &generator.to_bytes(&about)?)?;
        }
        Ok(Some(Line {
            epoch,
            step: gan.steps,
            frechet: value,
            frechet_error: error,
            score: classes.score.value,
            confidence: classes.confidence.value,
            imbalance: classes.divergence.value,
            best,
            seconds: (seconds * 1e3).round() / 1e3,
        }))
    }
}

/// After how many steps the best generator is that the run holds, if it holds one.
pub(crate) fn steps_of_best(run: &RunDir) -> Option<u64> {
    let bytes = files::read(&run.file(run_dir::BEST)).ok()?;
    Generator::from_bytes(&bytes, &Device::Cpu).ok()?.metadata.get(STEPS)?.parse().ok()
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { frechet, frechet_error, confidence, best, .. } = self;
        let best = if *best { ", the best so far" } else { "" };
        write!(f, "Fréchet distance {frechet:.1} ± {frechet_error:.1}, confidence {confidence:.2}{best}")
    }
}
