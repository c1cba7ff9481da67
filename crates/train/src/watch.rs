//! The two ways in which a GAN goes wrong with finite numbers: one side wins, or the pictures become all alike.
//!
//! Both happen to every training for a while, so each rule waits. The constants were set where trainings that end well are
//! quiet and those that do not are not; `docs/reliability.md` has what was observed.

use std::fmt;

use candle_core::{Result, Tensor};

use crate::{Loss, Report};

/// D's loss in nats below which it wins: where it gives both kinds the right answer with probability 0.95, `-2 ln 0.95`. One that
/// guesses loses `2 ln 2`, 1.39.
const WON: f32 = 0.1;

/// Reports in a row that make it a win: each is of one batch, and chance makes one or two.
const REPORTS: u32 = 10;

/// Pictures have lost their variety below this share of the real images'.
const ALIKE: f64 = 0.2;

/// They had some to lose above this.
const VARIED: f64 = 0.4;

/// Sheets in a row that make it a loss.
const SHEETS: u32 = 3;

/// Steps after which pictures that never had any variety are late. Recipe `classic` on MNIST gets there after some 9,000.
const LATE: u64 = 30_000;

/// A training that goes on, and is not likely to come to anything.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// D is sure of everything, so that G learns little.
    DiscriminatorWins {
        /// The step of the last of these reports.
        step: u64,
        /// How many in a row.
        reports: u32,
        /// D's loss in the last, in nats.
        d_loss: f32,
    },
    /// The pictures have become alike.
    Collapsed {
        /// The step of the pictures.
        step: u64,
        /// Their variety, as a share of the real images'.
        variety: f64,
    },
    /// The pictures have never been anything but alike.
    NeverVaried {
        /// The step of the pictures.
        step: u64,
        /// Their variety, as a share of the real images'.
        variety: f64,
    },
}

impl Warning {
    /// What to try, as a sentence for the user.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::DiscriminatorWins { .. } => {
                "narrower discriminator_hidden, wider generator_hidden, or beta1 = 0.5 (Radford et al., 2016) in the recipe may \
                 keep them level"
            }
            Self::Collapsed { .. } | Self::NeverVaried { .. } => {
                "another seed, a smaller learning_rate, or beta1 = 0.5 (Radford et al., 2016) in the recipe may help"
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiscriminatorWins { step, reports, d_loss } => write!(
                f,
                "at step {step} the discriminator is winning: its loss was less than {WON} above the least there is in the \
                 last {reports} reports, now {d_loss:.3}; the generator learns little from one that is always sure"
            ),
            Self::Collapsed { step, variety } => write!(
                f,
                "at step {step} the generator has collapsed: its pictures are alike, with {:.0} % of the variety of real ones",
                variety * 100.
            ),
            Self::NeverVaried { step, variety } => write!(
                f,
                "after {step} steps the generator still draws the same picture over and over, with {:.0} % of the variety \
                 of real ones",
                variety * 100.
            ),
        }
    }
}

/// Watches for both, and says each once, and again when it comes back.
///
/// It is told the reports of a training, and from time to time the variety of a sheet of pictures, of the same latents each time. The same
/// numbers in the same order give the same warnings, so they need not be kept beside the numbers.
#[derive(Clone, Debug)]
pub struct Watch {
    won: u32,
    alike: u32,
    varied: bool,
    late: bool,
    /// Below it D has won; none for losses that are not logistic.
    won_below: Option<f32>,
}

impl Watch {
    /// One that has seen nothing yet of a training that lowers this loss, D's target for real images being 1 less `label_smoothing`.
    pub fn new(loss: Loss, label_smoothing: f64) -> Self {
        // The cross-entropy with a smoothed target is at least the target's entropy.
        let plogp = |p: f64| if p > 0. { p * p.ln() } else { 0. };
        let least = -plogp(label_smoothing) - plogp(1. - label_smoothing);
        let won_below = loss.is_logistic().then_some(least as f32 + WON);
        Self { won: 0, alike: 0, varied: false, late: false, won_below }
    }

    /// A report: ten in a row with a loss of D less than 0.1 nats above the least there is are a win of the discriminator. (Of losses that
    /// are not logistic, no number says so.)
    pub fn report(&mut self, report: &Report) -> Option<Warning> {
        let &Report { step, d_loss, .. } = report;
        self.won =
            if self.won_below.is_some_and(|most| d_loss < most) { self.won.saturating_add(1) } else { 0 };
        let warning = Warning::DiscriminatorWins { step, reports: self.won, d_loss };
        (self.won == REPORTS).then_some(warning)
    }

    /// A sheet of pictures that was drawn after `step` steps, with this share of the [`variety`] of as many real images: those with less
    /// than a fifth of it are alike. Three such sheets in a row, after one with more than two fifths, are a collapse; one after 30,000
    /// steps without any other is late.
    pub fn sheet(&mut self, step: u64, variety: f64) -> Option<Warning> {
        self.alike = if variety < ALIKE { self.alike.saturating_add(1) } else { 0 };
        self.varied |= variety > VARIED;
        if self.varied {
            return (self.alike == SHEETS).then_some(Warning::Collapsed { step, variety });
        }
        let late = self.alike > 0 && step >= LATE;
        let first = late && !self.late;
        self.late |= late;
        first.then_some(Warning::NeverVaried { step, variety })
    }
}

/// How much images `(N, D)` vary: the median distance from each to the nearest other one.
///
/// It is near 0 not only where all are the same but also where there are a few kinds of them, which the variance of the pixels would
/// not show.
///
/// # Errors
/// When it is no matrix of f32.
pub fn variety(images: &Tensor) -> Result<f64> {
    let images = images.to_vec2::<f32>()?;
    let squared = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let mut nearest = vec![f32::INFINITY; images.len()];
    for (i, image) in images.iter().enumerate() {
        for (j, other) in images.iter().enumerate().skip(i + 1) {
            let distance = squared(image, other);
            nearest[i] = nearest[i].min(distance);
            nearest[j] = nearest[j].min(distance);
        }
    }
    nearest.sort_by(f32::total_cmp);
    // Fewer than two images have no variety.
    let median = nearest.get(nearest.len() / 2).filter(|distance| distance.is_finite());
    Ok(median.map_or(0., |&distance| f64::from(distance).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn report(step: u64, d_loss: f32) -> Report {
        Report { epoch: 1, step, images: 0, d_loss, g_loss: 5., d_real: 1., d_fake: 0. }
    }

    #[test]
    fn a_discriminator_that_wins_is_pointed_out_once_and_again_when_it_comes_back() {
        let mut watch = Watch::new(Loss::NonSaturating, 0.);
        let mut losses = vec![0.09; 9];
        losses.push(0.1);
        losses.extend([0.05; 25]);
        losses.push(f32::NAN);
        losses.extend([0.05; 10]);
        let said: Vec<_> = (1..).zip(losses).filter_map(|(step, d)| watch.report(&report(step, d))).collect();
        let at = |step| Warning::DiscriminatorWins { step, reports: 10, d_loss: 0.05 };
        assert_eq!(said, [at(20), at(46)]);
        // With targets of 0.9 and 0 the loss is at least 0.325.
        let smoothed = |d_loss| {
            let mut watch = Watch::new(Loss::NonSaturating, 0.1);
            (1..20).find_map(|step| watch.report(&report(step, d_loss)))
        };
        assert!(smoothed(0.33).is_some() && smoothed(0.44).is_none());
    }

    #[test]
    fn pictures_that_become_alike_are_pointed_out() {
        let mut watch = Watch::new(Loss::NonSaturating, 0.);
        let mut show = |step, variety| watch.sheet(step, variety);
        // Every training begins with pictures that are alike.
        for step in 1..20 {
            assert_eq!(show(step, 0.05), None);
        }
        assert_eq!(show(20, 0.9), None);
        // Not at once.
        assert_eq!([21, 22].map(|step| show(step, 0.)), [None, None]);
        assert_eq!(show(23, 0.), Some(Warning::Collapsed { step: 23, variety: 0. }));
        assert_eq!(show(24, 0.), None);
        // It recovers, and collapses again.
        assert_eq!(show(25, 0.9), None);
        let again = [26, 27, 28].map(|step| show(step, 0.1));
        assert_eq!(again, [None, None, Some(Warning::Collapsed { step: 28, variety: 0.1 })]);
    }

    #[test]
    fn pictures_that_never_varied_are_pointed_out_once_it_is_late() {
        let mut watch = Watch::new(Loss::NonSaturating, 0.);
        assert_eq!(watch.sheet(29_999, 0.), None);
        assert_eq!(watch.sheet(30_000, 0.), Some(Warning::NeverVaried { step: 30_000, variety: 0. }));
        assert_eq!(watch.sheet(30_600, 0.), None);
    }

    #[test]
    fn a_few_kinds_of_pictures_have_no_variety_however_far_apart() {
        // 12 images of one pixel.
        let sheet = |kinds: usize, distance: f32| {
            let pixels: Vec<f32> = (0..12).map(|i| (i % kinds) as f32 * distance).collect();
            variety(&Tensor::from_vec(pixels, (12, 1), &Device::Cpu).unwrap()).unwrap()
        };
        assert_eq!([sheet(12, 1.), sheet(12, 0.25), sheet(3, 50.), sheet(1, 1.)], [1., 0.25, 0., 0.]);
        for count in [0, 1] {
            let few = Tensor::zeros((count, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
            assert_eq!(variety(&few).unwrap(), 0.);
        }
    }
}
