//! Matrix products on slices: what the convolutions and all distances are made of.

use std::ops::Range;

use rayon::prelude::*;

/// A number that there are products of.
pub(crate) trait Real: Copy + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
}

impl Real for f32 {
    const ZERO: Self = 0.;
    const ONE: Self = 1.;
}

impl Real for f64 {
    const ZERO: Self = 0.;
    const ONE: Self = 1.;
}

/// A matrix, or its transpose: `rows` times `cols` numbers of a slice.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    strides: [usize; 2],
}

impl<'a, T> View<'a, T> {
    /// `data` as rows of `cols` numbers.
    pub(crate) fn new(data: &'a [T], cols: usize) -> Self {
        assert!(cols > 0 && data.len().is_multiple_of(cols), "a matrix has whole rows");
        Self { data, rows: data.len() / cols, cols, strides: [cols, 1] }
    }

    pub(crate) fn transposed(self) -> Self {
        let [down, right] = self.strides;
        Self { rows: self.cols, cols: self.rows, strides: [right, down], ..self }
    }
}

/// `out = a b`, or `out += a b` with `add`, on the calling thread; `out` is row after row.
pub(crate) fn product<T: Real>(a: View<T>, b: View<T>, out: &mut [T], add: bool) {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    assert_eq!(out.len(), a.rows * b.cols, "a product has the rows of one and the columns of the other");
    // SAFETY: a view's strides reach the numbers of its slice and no others, as `View::new` has checked; `out` has the
    // `a.rows * b.cols` numbers that are written, and those that are read where `add` is set.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.as_mut_ptr(),
            1,
            b.cols as isize,
            add,
            a.data.as_ptr(),
            a.strides[1] as isize,
            a.strides[0] as isize,
            b.data.as_ptr(),
            b.strides[1] as isize,
            b.strides[0] as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows of numbers, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T> {
    data: Vec<T>,
    width: usize,
}

impl<T: Real> Rows<T> {
    pub(crate) fn new(data: Vec<T>, width: usize) -> Self {
        assert!(width > 0 && data.len().is_multiple_of(width), "rows are whole");
        Self { data, width }
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len() / self.width
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn data(&self) -> &[T] {
        &self.data
    }

    pub(crate) fn row(&self, index: usize) -> &[T] {
        &self.data[index * self.width..][..self.width]
    }

    pub(crate) fn map(mut self, f: impl Fn(T) -> T) -> Self {
        self.data.iter_mut().for_each(|value| *value = f(*value));
        self
    }

    /// The squared length of each row, summed in f64.
    pub(crate) fn squares(&self) -> Vec<f64>
    where
        f64: From<T>,
    {
        self.iter().map(|row| row.iter().map(|&x| f64::from(x).powi(2)).sum()).collect()
    }

    pub(crate) fn iter(&self) -> std::slice::ChunksExact<'_, T> {
        self.data.chunks_exact(self.width)
    }

    pub(crate) fn view(&self, rows: Range<usize>) -> View<'_, T> {
        View::new(&self.data[rows.start * self.width..rows.end * self.width], self.width)
    }
}

/// Rows and columns of a block of products: few enough to stay in a core's cache, and enough rows that bringing the columns
/// into the order which the product wants is a small part of it.
const BLOCK: [usize; 2] = [384, 512];

/// The inner products of each row of `a` with all rows of `b`, a stretch of them at a time.
///
/// `fold(state, row, first, products)` is called for each row with the products with the rows `first..` of `b`, from the first
/// to the last, and starts from `start(row)`. The states come back in the order of the rows. Rows are shared among
/// threads, and a row's stretches do not depend on how many there are: neither do its bits.
pub(crate) fn inner_products<T: Real, S: Send>(
    a: &Rows<T>,
    b: &Rows<T>,
    start: impl Fn(usize) -> S + Sync,
    fold: impl Fn(&mut S, usize, usize, &[T]) + Sync,
) -> Vec<S> {
    let [height, width] = BLOCK;
    let blocks = (0..a.len()).into_par_iter().step_by(height).map(|top| {
        let rows = top..a.len().min(top + height);
        let mut states: Vec<S> = rows.clone().map(&start).collect();
        let mut products = vec![T::ZERO; rows.len() * width.min(b.len())];
        for left in (0..b.len()).step_by(width) {
            let columns = left..b.len().min(left + width);
            let products = &mut products[..rows.len() * columns.len()];
            product(a.view(rows.clone()), b.view(columns.clone()).transposed(), products, false);
            for ((state, row), products) in
                states.iter_mut().zip(rows.clone()).zip(products.chunks_exact(columns.len()))
            {
                fold(state, row, left, products);
            }
        }
        states
    });
    blocks.collect::<Vec<_>>().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_sums_and_every_pair_is_met_once() {
        let value = |i: usize| (i * 7919 % 31) as f64 - 15.;
        let a = Rows::new((0..400 * 3).map(value).collect(), 3);
        let b = Rows::new((0..1100 * 3).map(|i| value(i + 5)).collect(), 3);
        let seen = inner_products(
            &a,
            &b,
            |_| Vec::new(),
            |seen: &mut Vec<f64>, _, first, products| {
                assert_eq!(seen.len(), first);
                seen.extend_from_slice(products);
            },
        );
        assert_eq!(seen.len(), 400);
        for (row, products) in a.iter().zip(seen) {
            let expected: Vec<f64> =
                b.iter().map(|other| row.iter().zip(other).map(|(x, y)| x * y).sum()).collect();
            assert_eq!(products, expected);
        }
    }
}
