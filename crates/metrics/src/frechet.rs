use candle_core::Tensor;
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;

use crate::estimate::{Estimate, groups};
use crate::input::{rows, same_width};
use crate::matrix::{Rows, product};
use crate::{Error, Result};

/// The fewest rows that have a covariance, also when one of them is left out.
const LEAST: usize = 3;

/// What of a set of features the Fréchet distance sees: their mean and covariance.
#[derive(Clone, Debug)]
pub struct Gaussian {
    mean: DVector<f64>,
    trace: f64,
    /// The symmetric square root of the covariance.
    root: DMatrix<f64>,
}

impl Gaussian {
    /// The mean and the covariance of `features`, `(N, D)`.
    ///
    /// # Errors
    /// When there are fewer than three rows, or one is not of finite numbers.
    pub fn of(features: &Tensor) -> Result<Self> {
        let moments = Moments::of(&rows("reference features", features, LEAST)?);
        let (mean, covariance) = moments.without(None);
        let trace = covariance.trace();
        let eigen = eigen(covariance)?;
        let roots = DMatrix::from_diagonal(&eigen.eigenvalues.map(|x| x.max(0.).sqrt()));
        let root = &eigen.eigenvectors * roots * eigen.eigenvectors.transpose();
        Ok(Self { mean, trace, root })
    }

    /// The Fréchet distance to another set of features, `(M, D)`:
    /// `‖m - m'‖² + Tr(C + C' - 2 (C C')^½)`, with means m and unbiased covariances C.
    ///
    /// Dowson and Landau, *The Fréchet distance between multivariate normal distributions* (1982); as a measure of generators
    /// (there in Inception's features), Heusel et al. (NeurIPS 2017), equation 6. The trace of the root is that of
    /// `(C^½ C' C^½)^½`, which is symmetric: so it is right for singular covariances too, those of fewer samples than features
    /// among them. It is biased upwards for few samples: compare numbers for equally many.
    ///
    /// The standard error is that over the samples (a jackknife over 20 groups of them); the reference is taken for what it is.
    ///
    /// # Errors
    /// When there are fewer than three rows, of another length or not of finite numbers.
    pub fn distance(&self, features: &Tensor) -> Result<Estimate> {
        let features = rows("features", features, LEAST)?;
        same_width("features", self.mean.len(), &features)?;
        let moments = Moments::of(&features);
        let all = (0..=moments.groups.len()).into_par_iter().map(|at| {
            let (mean, covariance) = moments.without(at.checked_sub(1));
            self.distance_to(mean, covariance)
        });
        let all = all.collect::<Result<Vec<_>>>()?;
        Estimate::jackknife(moments.groups.len(), |group| Ok(all[group.map_or(0, |group| group + 1)]))
    }

    fn distance_to(&self, mean: DVector<f64>, covariance: DMatrix<f64>) -> Result<f64> {
        let trace = covariance.trace();
        let between = &self.root * covariance * &self.root;
        let roots: f64 = eigen(between)?.eigenvalues.iter().map(|x| x.max(0.).sqrt()).sum();
        let distance = (&self.mean - mean).norm_squared() + self.trace + trace - 2. * roots;
        // Rounding may leave a little less than nothing.
        Ok(distance.max(0.))
    }
}

/// The Fréchet distance of two sets of features, `(N, D)` and `(M, D)`: see [`Gaussian::distance`].
///
/// # Errors
/// When one has fewer than three rows, they differ in length, or one is not of finite numbers.
pub fn frechet_distance(reference: &Tensor, samples: &Tensor) -> Result<Estimate> {
    Gaussian::of(reference)?.distance(samples)
}

/// Sums of deviations from the mean and of their products, by groups.
struct Moments {
    count: usize,
    mean: DVector<f64>,
    groups: Vec<Sums>,
}

struct Sums {
    count: usize,
    deviations: DVector<f64>,
    products: DMatrix<f64>,
}

impl Moments {
    fn of(features: &Rows<f64>) -> Self {
        let (count, width) = (features.len(), features.width());
        let mean = features.iter().fold(DVector::zeros(width), |sum, row| sum + DVector::from_row_slice(row));
        let mean: DVector<f64> = mean / count as f64;
        let groups = groups(count).into_par_iter().map(|rows| {
            let deviations: Vec<f64> = rows
                .clone()
                .flat_map(|row| features.row(row).iter().zip(&mean).map(|(x, m)| x - m))
                .collect();
            let deviations = Rows::new(deviations, width);
            let mut products = vec![0.; width * width];
            let view = deviations.view(0..deviations.len());
            product(view.transposed(), view, &mut products, false);
            Sums {
                count: rows.len(),
                deviations: deviations
                    .iter()
                    .fold(DVector::zeros(width), |sum, row| sum + DVector::from_row_slice(row)),
                products: DMatrix::from_vec(width, width, products),
            }
        });
        let groups = groups.collect();
        Self { count, mean, groups }
    }

    /// The mean and the unbiased covariance of all rows but those of one group.
    fn without(&self, group: Option<usize>) -> (DVector<f64>, DMatrix<f64>) {
        let kept =
            || self.groups.iter().enumerate().filter(|(at, _)| Some(*at) != group).map(|(_, sums)| sums);
        let count = self.count - group.map_or(0, |group| self.groups[group].count);
        let width = self.mean.len();
        let shift = kept().fold(DVector::zeros(width), |sum, group| sum + &group.deviations) / count as f64;
        let products = kept().fold(DMatrix::zeros(width, width), |sum, group| sum + &group.products);
        let covariance = (products - &shift * shift.transpose() * count as f64) / (count as f64 - 1.);
        (&self.mean + shift, covariance)
    }
}

/// The eigenvalues and eigenvectors of a symmetric matrix.
fn eigen(matrix: DMatrix<f64>) -> Result<SymmetricEigen<f64, nalgebra::Dyn>> {
    /// More steps than any matrix needs.
    const STEPS: usize = 100_000;
    let failed = Error::Eigenvalues { size: matrix.nrows() };
    match matrix.iter().all(|x| x.is_finite()) {
        true => SymmetricEigen::try_new(matrix, f64::EPSILON, STEPS).ok_or(failed),
        false => Err(failed),
    }
}
