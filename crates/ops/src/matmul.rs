//! Matrix products in tiles.
//!
//! The tiles of a product depend on its sizes alone and not on the number of threads, and so do its bits.

use crate::cpu::vectorized;
use crate::parallel::{self, SharedMut};

/// A view of a matrix: element `(r, c)` stands at `r * row_stride + c * col_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// `data` as rows of `cols` elements; what does not fill a row is left out.
    pub(crate) fn new(data: &'a [f32], cols: usize) -> Self {
        Self { data, rows: data.len().checked_div(cols).unwrap_or(0), cols, row_stride: cols, col_stride: 1 }
    }

    /// `rows` by `cols` elements of `data`, each step down or right as far as its stride; `None` where they exceed it.
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
        Some(Self { data, rows, cols, row_stride, col_stride })
    }

    /// The `rows` rows from row `first` on.
    fn rows_at(self, first: usize, rows: usize) -> Self {
        assert!(first + rows <= self.rows, "rows beyond the matrix");
        Self { data: self.data.get(first * self.row_stride..).unwrap_or(&[]), rows, ..self }
    }

    /// The `cols` columns from column `first` on.
    fn columns_at(self, first: usize, cols: usize) -> Self {
        self.transposed().rows_at(first, cols).transposed()
    }

    /// Whether neighbours in a row stand a whole number of 4 KiB apart, as in a transposed weight of 1024 columns.
    ///
    /// Elements so far apart share few places in a cache, and push each other out before the line that they stand on is used up.
    fn far_apart(self) -> bool {
        self.row_stride == 1 && self.col_stride > 0 && self.col_stride.is_multiple_of(1024)
    }

    /// The elements of a matrix that is [`Mat::far_apart`], column after column, [`PADDING`] between them.
    fn padded(self) -> Vec<f32> {
        let mut elements = Vec::with_capacity((self.rows + PADDING) * self.cols);
        for column in self.data.chunks(self.col_stride).take(self.cols) {
            elements.extend_from_slice(&column[..self.rows]);
            elements.extend_from_slice(&[0.; PADDING]);
        }
        elements
    }

    /// The matrix whose [`Mat::padded`] elements these are.
    fn of_padded(self, elements: &[f32]) -> Mat<'_> {
        Mat { data: elements, col_stride: self.rows + PADDING, ..self }
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

/// A cache line of f32.
const PADDING: usize = 16;

/// Columns in a tile: a whole number of the widest vectors, wide enough for `gemm` to run at full speed, and narrow enough that
/// a layer's width makes several.
const COLUMNS: usize = 64;

/// Fewer tiles than this cannot be shared out well: then the product is cut into rows instead.
const FEW_TILES: usize = 4;

/// Rows in a tile: a whole number of those that `gemm`'s kernel does at a time (6 with AVX-512, 4 with AVX2), and few enough
/// that it does not copy the other operand for each tile.
const ROWS: usize = 24;

/// `a` times `b`, `(m, k) (k, n) -> (m, n)` row after row.
///
/// `finish(row, column, values)` is applied to each row of each tile while it is in the cache, `column` being that of
/// `values[0]`. (It is `Copy` since a call through a reference would not be compiled into the vectorised loop.)
pub(crate) fn matmul(a: Mat, b: Mat, finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync) -> Vec<f32> {
    // The callers have checked their shapes; what follows reads out of bounds otherwise.
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    let (m, n) = (a.rows, b.cols);
    if a.cols == 0 {
        // A sum of nothing; there is nothing to point to either.
        let mut out = vec![0.; m * n];
        out.chunks_exact_mut(n.max(1)).enumerate().for_each(|(row, values)| finish(row, 0, values));
        return out;
    }
    let mut out = Vec::<f32>::with_capacity(m * n);
    // SAFETY: `out` has room for m * n elements, and nobody else knows of it.
    unsafe { tiles(a, b, SharedMut(out.as_mut_ptr()), false, finish) };
    // SAFETY: the tiles cover all m * n elements, and each was written.
    unsafe { out.set_len(m * n) };
    out
}

/// Adds `a` times `b` to `out`, `(m, k) (k, n) -> (m, n)` row after row, in the tiles of [`matmul`].
pub(crate) fn matmul_add(a: Mat, b: Mat, out: &mut [f32]) {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    assert_eq!(out.len(), a.rows * b.cols, "the sum does not have the size of the product");
    if a.cols > 0 {
        // SAFETY: `out` is of that size, initialised, and borrowed for the whole call.
        unsafe { tiles(a, b, SharedMut(out.as_mut_ptr()), true, |_, _, _| {}) };
    }
}

/// Makes `out`, or adds to it, tile by tile, and applies `finish` as [`matmul`] says.
///
/// # Safety
/// `a` has as many columns as `b` rows, and at least one. `out` is valid for writes of `a.rows * b.cols` elements that nobody else
/// accesses; where they are added to, they are initialised.
unsafe fn tiles(
    a: Mat,
    b: Mat,
    out: SharedMut<f32>,
    add: bool,
    finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let (height, width) = match n.div_ceil(COLUMNS) < FEW_TILES {
        true => (ROWS, n.max(1)),
        false => (m.max(1), COLUMNS),
    };
    let tiles_across = n.div_ceil(width);
    parallel::for_each(tiles_across * m.div_ceil(height), m * n * k, |tile| {
        let (top, left) = (tile / tiles_across * height, tile % tiles_across * width);
        let (height, width) = (height.min(m - top), width.min(n - left));
        let b = b.columns_at(left, width);
        let padded = b.far_apart().then(|| b.padded());
        let b = padded.as_ref().map_or(b, |elements| b.of_padded(elements));
        // SAFETY: the tile lies within `out`, and no two tiles overlap.
        unsafe { gemm(a.rows_at(top, height), b, out.0.add(top * n + left), n, add) };
        vectorized(
            #[inline(always)]
            || {
                for row in top..top + height {
                    // SAFETY: a row of this tile: written above, touched by nobody else.
                    finish(row, left, unsafe { out.slice(row * n + left, width) });
                }
            },
        );
    });
}

/// [`matmul`], its sums cut in two: `a`'s left half times `b`'s upper half, plus the rest.
///
/// `b` is a weight, and its rows are the layer's outputs. What a thread does of the layer's forward pass, of this product and of
/// the optimizer then concerns the same rows, where two threads share the work: a core that changes a weight need not first take it
/// from the cache of another, which is slow where cores are far apart. Where the cut is depends on the sizes alone.
pub(crate) fn matmul_in_halves(
    a: Mat,
    b: Mat,
    finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync,
) -> Vec<f32> {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    let (m, k, n) = (a.rows, a.cols, b.cols);
    // As a layer's columns are shared out in its forward pass.
    let half = k.div_ceil(COLUMNS) / 2 * COLUMNS;
    if k.div_ceil(COLUMNS) < FEW_TILES || n == 0 {
        return matmul(a, b, finish);
    }
    let halves = [(0, half), (half, k - half)];
    let tiles = n.div_ceil(COLUMNS);
    let width = |left: usize| COLUMNS.min(n - left);

    let mut sums = halves.map(|_| Vec::<f32>::with_capacity(m * n));
    let shared = sums.each_mut().map(|sum| SharedMut(sum.as_mut_ptr()));
    parallel::for_each(halves.len() * tiles, m * n * k, |i| {
        let (part, left) = (i / tiles, i % tiles * COLUMNS);
        let (first, inner) = halves[part];
        let (a, b) = (a.columns_at(first, inner), b.rows_at(first, inner).columns_at(left, width(left)));
        // SAFETY: the columns lie within the capacity of this half's sum, and no two pieces share them.
        unsafe { gemm(a, b, shared[part].0.add(left), n, false) };
    });
    // SAFETY: the tiles cover all m * n elements of each, and each was written.
    sums.iter_mut().for_each(|sum| unsafe { sum.set_len(m * n) });

    let [mut out, rest] = sums;
    let shared = SharedMut(out.as_mut_ptr());
    parallel::for_each(tiles, 4 * m * n, |tile| {
        let left = tile * COLUMNS;
        vectorized(
            #[inline(always)]
            || {
                for row in 0..m {
                    let at = row * n + left;
                    // SAFETY: a row of this tile, touched by nobody else.
                    let values = unsafe { shared.slice(at, width(left)) };
                    for (value, rest) in values.iter_mut().zip(&rest[at..]) {
                        *value += rest;
                    }
                    finish(row, left, values);
                }
            },
        );
    });
    out
}

/// `a` times `b` on one thread, to rows of `out` that stand `stride` apart, or added to them.
///
/// # Safety
/// `out` is valid for writes of such rows, and nobody else accesses them; where they are added to, they are initialised.
unsafe fn gemm(a: Mat, b: Mat, out: *mut f32, stride: usize, add: bool) {
    assert!(a.cols == b.rows && a.cols > 0, "the inner sizes of a product differ, or are 0");
    // SAFETY: each element of a `Mat` lies in its `data`, so both operands are readable; the caller answers for `out`, which
    // is read only to be added to.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out,
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            if add { 1. } else { 0. },
            1.,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
