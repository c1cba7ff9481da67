use candle_core::Tensor;

use crate::estimate::{Estimate, groups};
use crate::input::rows;
use crate::matrix::Rows;
use crate::{Error, Result};

/// What a classifier makes of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// `exp(E KL(p(y|x) ‖ p(y)))`: from 1, where all samples look alike, to the number of classes.
    ///
    /// Salimans et al., *Improved techniques for training GANs* (NeurIPS 2016), section 4, there with Inception; taken over
    /// all samples at once.
    pub score: Estimate,
    /// The mean probability of the likeliest class.
    pub confidence: Estimate,
    /// The share of samples of each class, that of its largest probability; adds up to 1.
    pub histogram: Vec<f64>,
    /// `KL(histogram ‖ uniform)`, in nats: 0 where all classes are equally frequent, the logarithm of their number where there is one.
    pub divergence: Estimate,
}

/// A class is dropped where it has less than this share of what it would have among equals.
const DROPPED: f64 = 0.1;

/// Rows may add up to 1 so nearly.
const TOLERANCE: f64 = 1e-4;

impl Classes {
    /// Of the probabilities that a classifier gives to samples, `(N, C)`, each row adding up to 1.
    ///
    /// Standard errors are those over the samples (of a mean, or a jackknife over 20 groups of them).
    ///
    /// # Errors
    /// When there are fewer than two rows, or one is not a distribution.
    pub fn of(probabilities: &Tensor) -> Result<Self> {
        let probabilities = rows::<f64>("probabilities", probabilities, 2)?;
        for (row, values) in probabilities.iter().enumerate() {
            let sum: f64 = values.iter().sum();
            if (sum - 1.).abs() > TOLERANCE || values.iter().any(|&p| p < 0.) {
                return Err(Error::NotProbabilities { row, sum });
            }
        }
        let groups: Vec<Sums> =
            groups(probabilities.len()).into_iter().map(|rows| Sums::of(&probabilities, rows)).collect();
        let without = |group: Option<usize>| {
            let kept = groups.iter().enumerate().filter(|(at, _)| Some(*at) != group);
            kept.fold(Sums::zero(probabilities.width()), |sum, (_, group)| sum.plus(group))
        };
        Ok(Self {
            score: Estimate::jackknife(groups.len(), |group| Ok(without(group).score()))?,
            confidence: Estimate::mean(probabilities.iter().map(|row| row[likeliest(row)])),
            histogram: without(None).histogram(),
            divergence: Estimate::jackknife(groups.len(), |group| Ok(without(group).divergence()))?,
        })
    }

    /// The classes that are hardly there: each has less than a tenth of its share among equals.
    pub fn dropped(&self) -> Vec<usize> {
        let least = DROPPED / self.histogram.len() as f64;
        (0..self.histogram.len()).filter(|&class| self.histogram[class] < least).collect()
    }
}

/// The share of samples whose likeliest class is the one asked for: of the probabilities that a classifier gives to samples, `(N, C)`,
/// and a label for each. (With a label that is no class nothing agrees.)
///
/// It is bounded by what the classifier knows of real images. (As *classification accuracy* in Odena et al., *Conditional image synthesis
/// with auxiliary classifier GANs*, ICML 2017, section 4.2.)
///
/// # Errors
/// When there are fewer than two rows, or not as many labels.
pub fn agreement(probabilities: &Tensor, labels: &[u32]) -> Result<Estimate> {
    let probabilities = rows::<f64>("probabilities", probabilities, 2)?;
    if probabilities.len() != labels.len() {
        return Err(Error::Labels { samples: probabilities.len(), labels: labels.len() });
    }
    let agrees = |(row, &label): (&[f64], &u32)| if likeliest(row) == label as usize { 1. } else { 0. };
    let agrees: Vec<f64> = probabilities.iter().zip(labels).map(agrees).collect();
    Ok(Estimate::mean(agrees.into_iter()))
}

/// What the numbers are made of, and adds up over groups of samples.
struct Sums {
    count: f64,
    /// Of the probabilities of each class.
    probabilities: Vec<f64>,
    /// Of `p ln p`, over all classes.
    negative_entropy: f64,
    /// Samples of each class.
    classes: Vec<f64>,
}

impl Sums {
    fn zero(classes: usize) -> Self {
        Self { count: 0., probabilities: vec![0.; classes], negative_entropy: 0., classes: vec![0.; classes] }
    }

    fn of(probabilities: &Rows<f64>, rows: std::ops::Range<usize>) -> Self {
        let mut sums = Self::zero(probabilities.width());
        for row in rows.map(|row| probabilities.row(row)) {
            sums.count += 1.;
            sums.classes[likeliest(row)] += 1.;
            for (sum, &p) in sums.probabilities.iter_mut().zip(row) {
                *sum += p;
                sums.negative_entropy += if p > 0. { p * p.ln() } else { 0. };
            }
        }
        sums
    }

    fn plus(mut self, other: &Self) -> Self {
        self.count += other.count;
        self.negative_entropy += other.negative_entropy;
        for (sum, x) in self.probabilities.iter_mut().zip(&other.probabilities) {
            *sum += x;
        }
        for (sum, x) in self.classes.iter_mut().zip(&other.classes) {
            *sum += x;
        }
        self
    }

    fn score(&self) -> f64 {
        let marginal = self.probabilities.iter().map(|sum| sum / self.count);
        let entropy: f64 = marginal.map(|p| if p > 0. { -p * p.ln() } else { 0. }).sum();
        (self.negative_entropy / self.count + entropy).exp()
    }

    fn histogram(&self) -> Vec<f64> {
        self.classes.iter().map(|count| count / self.count).collect()
    }

    fn divergence(&self) -> f64 {
        let classes = self.classes.len() as f64;
        self.histogram().into_iter().map(|p| if p > 0. { p * (p * classes).ln() } else { 0. }).sum()
    }
}

/// The first class of the largest probability.
fn likeliest(row: &[f64]) -> usize {
    (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}
