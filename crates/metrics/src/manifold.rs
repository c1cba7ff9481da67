use candle_core::Tensor;

use crate::estimate::Estimate;
use crate::input::{rows, same_width};
use crate::matrix::{Rows, inner_products};
use crate::{Error, Result};

/// A set of features, and around each a ball that reaches to its k-th nearest neighbour: an estimate of where the set lives.
#[derive(Clone, Debug)]
pub struct Manifold {
    features: Rows<f64>,
    /// Squared lengths of the features.
    squares: Vec<f64>,
    /// Squared radii of the balls.
    radii: Vec<f64>,
    k: usize,
}

/// How well samples lie among the reference and the reference among samples, each with its standard error.
///
/// Precision and density say how good samples are, recall and coverage how varied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// The share of samples within a ball of the reference.
    pub precision: Estimate,
    /// The share of the reference within a ball of the samples.
    pub recall: Estimate,
    /// Balls of the reference that a sample is in, in units of k; about 1 for real images.
    pub density: Estimate,
    /// The share of the balls of the reference with a sample in them.
    pub coverage: Estimate,
}

impl Manifold {
    /// Of `features`, `(N, D)`, with balls up to the `k`-th neighbour.
    ///
    /// # Errors
    /// When `k` is 0, there are not more than `k` rows, or one is not of finite numbers.
    pub fn of(features: &Tensor, k: usize) -> Result<Self> {
        Self::new("reference features", features, k)
    }

    fn new(what: &'static str, features: &Tensor, k: usize) -> Result<Self> {
        if k == 0 {
            return Err(Error::NoNeighbours);
        }
        let features = rows(what, features, k.saturating_add(1))?;
        let squares = features.squares();
        // The k smallest distances to others, the largest of them last.
        let nearest = inner_products(
            &features,
            &features,
            |_| vec![f64::INFINITY; k],
            |nearest: &mut Vec<f64>, row, first, products| {
                for (column, (product, square)) in (first..).zip(products.iter().zip(&squares[first..])) {
                    let distance = squares[row] + square - 2. * product;
                    if distance < nearest[k - 1] && column != row {
                        let at = nearest.partition_point(|&other| other <= distance);
                        nearest[at..].rotate_right(1);
                        nearest[at] = distance;
                    }
                }
            },
        );
        let radii = nearest.into_iter().map(|nearest| nearest[k - 1].max(0.)).collect();
        Ok(Self { features, squares, radii, k })
    }

    /// Compares samples, `(M, D)`, with this set.
    ///
    /// Precision and recall are those of Kynkäänniemi et al., *Improved precision and recall metric for assessing generative models*
    /// (NeurIPS 2019), equation 1; density and coverage those of Naeem et al., *Reliable fidelity and diversity metrics for generative
    /// models* (ICML 2020), equations 4 and 5. A point on the surface of a ball is outside, as in the `prdc` package of
    /// the latter. Standard errors are those of a mean over the samples (precision, density) or over the reference
    /// (recall, coverage), the balls being taken for what they are.
    ///
    /// # Errors
    /// When there are not more than k rows, or they are of another length or not of finite numbers.
    pub fn compare(&self, samples: &Tensor) -> Result<Overlap> {
        let samples = Self::new("features", samples, self.k)?;
        same_width("features", self.features.width(), &samples.features)?;

        // For each sample: the balls of the reference that it is in.
        let within = samples.distances_to(self, 0, |balls, distance, _, ball| {
            *balls += usize::from(distance < ball);
        });
        // For each of the reference: whether it is in a ball of the samples, and whether one is in its own.
        let around =
            self.distances_to(&samples, (false, false), |(recalled, covered), distance, own, ball| {
                *recalled |= distance < ball;
                *covered |= distance < own;
            });
        let share = |yes: bool| f64::from(u8::from(yes));
        Ok(Overlap {
            precision: Estimate::mean(within.iter().map(|&balls| share(balls > 0))),
            recall: Estimate::mean(around.iter().map(|around| share(around.0))),
            density: Estimate::mean(within.iter().map(|&balls| balls as f64 / self.k as f64)),
            coverage: Estimate::mean(around.iter().map(|around| share(around.1))),
        })
    }

    /// For each of this set, what `fold` makes of its squared distances to `others`, its own radius and theirs.
    fn distances_to<S: Copy + Send + Sync>(
        &self,
        others: &Self,
        start: S,
        fold: impl Fn(&mut S, f64, f64, f64) + Sync,
    ) -> Vec<S> {
        inner_products(
            &self.features,
            &others.features,
            |_| start,
            |state, row, first, products| {
                let others = others.squares[first..].iter().zip(&others.radii[first..]);
                for (product, (square, &radius)) in products.iter().zip(others) {
                    fold(state, self.squares[row] + square - 2. * product, self.radii[row], radius);
                }
            },
        )
    }
}
