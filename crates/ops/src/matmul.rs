//! Matrix products in tiles.
//!
//! The tiles of a product depend on its sizes alone and not on the number of threads. So do its bits, on one machine.

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cpu::vectorized;
use crate::pack;
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

    /// The elements of a matrix that stand column after column, as a transposed weight's do.
    fn straight_columns(self) -> Option<&'a [f32]> {
        let straight = self.row_stride == 1 && self.col_stride == self.rows && self.rows > 0;
        if straight { self.data.get(..self.rows * self.cols) } else { None }
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

/// Columns in a tile.
const COLUMNS: usize = pack::WIDTH;

/// Fewer tiles than this cannot be shared out well: then the product is cut into rows as well.
const FEW_TILES: usize = 4;

/// Rows that are multiplied at a time: eight times those that `gemm`'s kernel does at once. For more it copies the other operand first.
const ROWS: usize = 48;

/// Longer sums are left to `gemm`, which cuts them: a panel for them would not fit into a cache.
const LONGEST: usize = 1 << 12;

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
    let tiles_across = n.div_ceil(COLUMNS);
    let height = if tiles_across < FEW_TILES { ROWS } else { m.max(1) };
    parallel::for_each(tiles_across * m.div_ceil(height), m * n * k, |tile| {
        let (top, left) = (tile / tiles_across * height, tile % tiles_across * COLUMNS);
        let (height, width) = (height.min(m - top), COLUMNS.min(n - left));
        let next = b.columns_at(left + width, COLUMNS.min(n - left - width));
        let (a, b) = (a.rows_at(top, height), b.columns_at(left, width));
        // SAFETY: the tile lies within `out`, and no two tiles overlap.
        unsafe { multiply(a, b, next, out.0.add(top * n + left), n, add) };
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
    if k.div_ceil(COLUMNS) < FEW_TILES || m == 0 || n == 0 {
        return matmul(a, b, finish);
    }
    let halves = [(0, half), (half, k - half)];
    let tiles = n.div_ceil(COLUMNS);
    let mut sums = halves.map(|_| Vec::<f32>::with_capacity(m * n));
    let shared = sums.each_mut().map(|sum| SharedMut(sum.as_mut_ptr()));
    let half_done: Vec<AtomicBool> = (0..tiles).map(|_| AtomicBool::new(false)).collect();
    parallel::for_each(halves.len() * tiles, m * n * k, |i| {
        let (part, tile) = (i / tiles, i % tiles);
        let (first, inner) = halves[part];
        let left = tile * COLUMNS;
        let width = COLUMNS.min(n - left);
        let (a, b) = (a.columns_at(first, inner), b.rows_at(first, inner).columns_at(left, width));
        // SAFETY: the columns lie within the capacity of this half's sum, and no two pieces share them.
        unsafe { gemm(a, b, shared[part].0.add(left), n, false) };
        // Whoever comes second adds the other half.
        if !half_done[tile].swap(true, Ordering::AcqRel) {
            return;
        }
        vectorized(
            #[inline(always)]
            || {
                for row in 0..m {
                    // SAFETY: a row of this tile, in both halves: both were written, and whoever wrote the other is done with it.
                    let [values, rest] = shared.map(|sum| unsafe { sum.slice(row * n + left, width) });
                    for (value, rest) in values.iter_mut().zip(rest) {
                        *value += *rest;
                    }
                    finish(row, left, values);
                }
            },
        );
    });
    let [mut out, _] = sums;
    // SAFETY: the tiles cover all m * n elements, and each was written.
    unsafe { out.set_len(m * n) };
    out
}

/// `a` times `b`, which has at most [`COLUMNS`] columns, on one thread, to rows of `out` that stand `stride` apart, or added to them.
///
/// Meanwhile what is probably multiplied `next` may come nearer: the weights of a wide layer do not fit into a core's cache.
///
/// # Safety
/// `out` is valid for writes of such rows, and nobody else accesses them; where they are added to, they are initialised.
unsafe fn multiply(a: Mat, b: Mat, next: Mat, out: *mut f32, stride: usize, add: bool) {
    let worth_packing = a.rows > 1 && b.cols > 1 && b.rows <= LONGEST;
    let Some(columns) = b.straight_columns().filter(|_| worth_packing) else {
        // SAFETY: the caller's promise.
        return unsafe { gemm(a, b, out, stride, add) };
    };
    // `gemm` would copy these as well, but element by element.
    pack::with_transposed(columns, b.rows, |panel| {
        let b = Mat { data: panel, row_stride: pack::WIDTH, col_stride: 1, ..b };
        let next = next.straight_columns().unwrap_or(&[]);
        let nexts =
            next.chunks(next.len().div_ceil(a.rows.div_ceil(ROWS)).max(1)).chain(iter::repeat(&[][..]));
        // A row alone would be another kernel's, which adds up in another order: the last piece takes it in.
        for (top, next) in (0..a.rows - 1).step_by(ROWS).zip(nexts) {
            pack::fetch(next);
            let rest = a.rows - top;
            let a = a.rows_at(top, if rest == ROWS + 1 { rest } else { ROWS.min(rest) });
            // SAFETY: the caller's promise, of some of the rows.
            unsafe { gemm(a, b, out.add(top * stride), stride, add) };
        }
    });
}

/// The same as `gemm` does it.
///
/// # Safety
/// That of [`multiply`].
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
