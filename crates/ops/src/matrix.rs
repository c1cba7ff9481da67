//! Views of matrices: what a product reads, and the part of another that it makes.

use std::marker::PhantomData;

use crate::parallel::SharedMut;

/// A view of a matrix: element `(r, c)` stands at `r * row_stride + c * col_stride`. One of the strides is 1.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// How the elements of a [`Mat`] stand: the slices of the first kind or those of the second have no gaps.
pub(crate) enum Order<'a> {
    /// Row `r` begins at `r * stride`.
    Rows { data: &'a [f32], stride: usize },
    /// Column `c` begins at `c * stride`.
    Columns { data: &'a [f32], stride: usize },
}

impl<'a> Mat<'a> {
    /// `data` as rows of `cols` elements; what does not fill a row is left out.
    pub(crate) fn new(data: &'a [f32], cols: usize) -> Self {
        Self { data, rows: data.len().checked_div(cols).unwrap_or(0), cols, row_stride: cols, col_stride: 1 }
    }

    /// `rows` by `cols` elements of `data`, each step down or right as far as its stride; `None` where they exceed it, or neither
    /// stride is 1.
    pub(crate) fn strided(
        data: &'a [f32],
        [rows, cols]: [usize; 2],
        [row_stride, col_stride]: [usize; 2],
    ) -> Option<Self> {
        if rows > 0 && cols > 0 {
            let last =
                (rows - 1).checked_mul(row_stride)?.checked_add((cols - 1).checked_mul(col_stride)?)?;
            data.get(last)?;
        }
        [row_stride, col_stride].contains(&1).then_some(Self { data, rows, cols, row_stride, col_stride })
    }

    pub(crate) fn order(self) -> Order<'a> {
        match self.col_stride {
            1 => Order::Rows { data: self.data, stride: self.row_stride },
            stride => Order::Columns { data: self.data, stride },
        }
    }

    /// The `rows` rows from row `first` on.
    pub(crate) fn rows_at(self, first: usize, rows: usize) -> Self {
        assert!(first + rows <= self.rows, "rows beyond the matrix");
        Self { data: self.data.get(first * self.row_stride..).unwrap_or(&[]), rows, ..self }
    }

    /// The `cols` columns from column `first` on.
    pub(crate) fn columns_at(self, first: usize, cols: usize) -> Self {
        self.transposed().rows_at(first, cols).transposed()
    }

    /// The elements of a matrix that stand column after column without a gap, as a transposed weight's do.
    pub(crate) fn straight_columns(self) -> Option<&'a [f32]> {
        let straight = self.row_stride == 1 && self.col_stride == self.rows && self.rows > 0;
        if straight { self.data.get(..self.rows * self.cols) } else { None }
    }

    /// The elements of the only column, where there is but one and they stand side by side.
    pub(crate) fn column(self) -> Option<&'a [f32]> {
        if self.cols == 1 && self.row_stride == 1 { self.data.get(..self.rows) } else { None }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// Rows and columns of a matrix that is being made, of which other threads may be making others.
pub(crate) struct PartMut<'a> {
    first: SharedMut<f32>,
    stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    lent: PhantomData<&'a mut f32>,
}

impl PartMut<'_> {
    /// The `rows` and `cols` from row `top` and column `left` on, of a `whole` whose rows stand `stride` apart.
    ///
    /// # Safety
    /// They lie within the whole. As long as a row is lent from here, nobody else accesses it; and it is initialised before it is read.
    pub(crate) unsafe fn new(
        whole: SharedMut<f32>,
        stride: usize,
        [top, rows]: [usize; 2],
        [left, cols]: [usize; 2],
    ) -> Self {
        // SAFETY: the caller's promise: it lies within the whole.
        let first = SharedMut(unsafe { whole.0.add(top * stride + left) });
        Self { first, stride, rows, cols, lent: PhantomData }
    }

    /// The `rows` rows from row `first` on.
    pub(crate) fn rows_at(&mut self, first: usize, rows: usize) -> PartMut<'_> {
        assert!(first + rows <= self.rows, "rows beyond the part");
        // SAFETY: as promised when this was made: they lie within it.
        let first = SharedMut(unsafe { self.first.0.add(first * self.stride) });
        PartMut { first, rows, lent: PhantomData, ..*self }
    }

    /// What there is of a row, counted from the first one here.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "a row beyond the part");
        // SAFETY: as promised when this was made.
        unsafe { self.first.slice(row * self.stride, self.cols) }
    }
}
