use candle_core::Tensor;

use crate::Result;
use crate::estimate::{Estimate, groups};
use crate::input::{rows, same_width};
use crate::matrix::{Rows, inner_products};

/// A pair needs two rows, and one may be left out.
const LEAST: usize = 3;

/// A set of features, and the mean kernel between its members.
#[derive(Clone, Debug)]
pub struct KernelMean {
    features: Rows<f64>,
    within: f64,
}

impl KernelMean {
    /// Of the reference `features`, `(N, D)`.
    ///
    /// # Errors
    /// When there are fewer than three rows, or one is not of finite numbers.
    pub fn of(features: &Tensor) -> Result<Self> {
        let features = rows("reference features", features, LEAST)?;
        let sums = Sums::of(&features, &features, true);
        let count = features.len() as f64;
        let within = sums.total(None) / (count * (count - 1.));
        Ok(Self { features, within })
    }

    /// The kernel distance (KID) to another set of features, `(M, D)`: the unbiased estimate of the squared maximum mean
    /// discrepancy for the kernel `k(x, y) = (x·y / D + 1)³`.
    ///
    /// Bińkowski et al., *Demystifying MMD GANs* (ICLR 2018), section 4; Gretton et al. (2012), equation 3. It is taken over
    /// all pairs at once, which is the mean of what subsets of them would give. Being unbiased, it does not depend on the number of samples,
    /// and is as often negative as positive where both sets are of one distribution.
    ///
    /// The standard error is that over the samples (a jackknife over 20 groups of them).
    ///
    /// # Errors
    /// When there are fewer than three rows, of another length or not of finite numbers.
    pub fn distance(&self, features: &Tensor) -> Result<Estimate> {
        let features = rows("features", features, LEAST)?;
        same_width("features", self.features.width(), &features)?;
        let within = Sums::of(&features, &features, true);
        let across = Sums::of(&features, &self.features, false);
        let groups = groups(features.len());
        let references = self.features.len() as f64;
        Estimate::jackknife(groups.len(), |group| {
            let count = (features.len() - group.map_or(0, |group| groups[group].len())) as f64;
            Ok(self.within + within.total(group) / (count * (count - 1.))
                - 2. * across.total(group) / (count * references))
        })
    }
}

/// The kernel distance of two sets of features, `(N, D)` and `(M, D)`: see [`KernelMean::distance`].
///
/// # Errors
/// When one has fewer than three rows, they differ in length, or one is not of finite numbers.
pub fn kernel_distance(reference: &Tensor, samples: &Tensor) -> Result<Estimate> {
    KernelMean::of(reference)?.distance(samples)
}

/// Sums of the kernel, by the groups of the rows and those of the columns.
struct Sums {
    /// For each group of rows, the sums over each group of columns.
    sums: Vec<Vec<f64>>,
    /// Whether rows and columns are the same set, of which pairs of a row with itself are left out.
    within: bool,
}

impl Sums {
    fn of(a: &Rows<f64>, b: &Rows<f64>, within: bool) -> Self {
        let columns = groups(b.len());
        let scale = 1. / a.width() as f64;
        let kernel = |product: f64| (product * scale + 1.).powi(3);
        let by_row = inner_products(
            a,
            b,
            |_| vec![0.; columns.len()],
            |sums: &mut Vec<f64>, row, first, products| {
                for (sum, group) in sums.iter_mut().zip(&columns) {
                    let (start, end) = (group.start.max(first), group.end.min(first + products.len()));
                    if start >= end {
                        continue;
                    }
                    *sum += products[start - first..end - first].iter().map(|&p| kernel(p)).sum::<f64>();
                    if within && (start..end).contains(&row) {
                        *sum -= kernel(products[row - first]);
                    }
                }
            },
        );
        let add = |mut total: Vec<f64>, row: &Vec<f64>| {
            total.iter_mut().zip(row).for_each(|(total, x)| *total += x);
            total
        };
        let sums =
            groups(a.len()).into_iter().map(|rows| by_row[rows].iter().fold(vec![0.; columns.len()], add));
        Self { sums: sums.collect(), within }
    }

    /// The sum over all pairs, but for those with a row of the group.
    fn total(&self, without: Option<usize>) -> f64 {
        let left_out =
            |row: usize, column: usize| Some(row) == without || self.within && Some(column) == without;
        let pairs = self
            .sums
            .iter()
            .enumerate()
            .flat_map(|(row, sums)| sums.iter().enumerate().map(move |at| (row, at)));
        pairs.filter(|(row, (column, _))| !left_out(*row, *column)).map(|(_, (_, sum))| sum).sum()
    }
}
