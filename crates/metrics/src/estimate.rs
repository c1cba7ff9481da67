use std::ops::Range;

use crate::Result;

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// How far the number would typically be off for other samples of the same generator.
    pub error: f64,
}

impl Estimate {
    /// The mean of `values`, and their standard deviation over the root of their number (as NumPy's `std() / sqrt(n)`).
    pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let count = values.len() as f64;
        let value = values.clone().sum::<f64>() / count;
        let variance = values.map(|x| (x - value).powi(2)).sum::<f64>() / count;
        Self { value, error: (variance / count).sqrt() }
    }

    /// The quotient of two independent numbers, to the first order of their errors.
    pub(crate) fn over(self, other: Self) -> Self {
        let value = self.value / other.value;
        let error = (self.error.powi(2) + (value * other.error).powi(2)).sqrt() / other.value.abs();
        Self { value, error }
    }

    /// A number and, from what it is without each of some groups of the samples, its standard error.
    ///
    /// The delete-a-group jackknife: Quenouille (1956), and Shao and Wu, *A general theory for jackknife variance estimation*
    /// (Annals of Statistics, 1989). `of(None)` is the number, `of(Some(g))` is it without group g.
    pub(crate) fn jackknife(groups: usize, of: impl Fn(Option<usize>) -> Result<f64>) -> Result<Self> {
        let value = of(None)?;
        let without = (0..groups).map(|group| of(Some(group))).collect::<Result<Vec<_>>>()?;
        let groups = groups as f64;
        let mean = without.iter().sum::<f64>() / groups;
        let squares = without.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        Ok(Self { value, error: (squares * (groups - 1.) / groups).sqrt() })
    }
}

/// Groups that the samples are left out in.
const GROUPS: usize = 20;

/// Cuts `0..count` into groups of nearly one size: 20, or as many as there are samples.
pub(crate) fn groups(count: usize) -> Vec<Range<usize>> {
    let groups = GROUPS.min(count);
    (0..groups).map(|group| group * count / groups..(group + 1) * count / groups).collect()
}
