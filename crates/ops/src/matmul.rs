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

/// Columns in a tile, and rows where there are few columns: a whole number of the widest vectors, wide enough for `gemm`
/// to run at full speed, and narrow enough that a layer's width makes several.
const TILE: usize = 64;

/// Fewer tiles than this cannot be shared out well: then the rows are split as well.
const FEW_TILES: usize = 4;

/// `a` times `b`, `(m, k) (k, n) -> (m, n)` row after row, into memory that nobody has initialised yet.
pub(crate) struct Product<'a> {
    a: Mat<'a>,
    b: Mat<'a>,
    out: SharedMut<f32>,
    rows_per_tile: usize,
}

impl<'a> Product<'a> {
    /// The product that will stand in `out`; its memory is reserved here, and its length is set by [`Product::finish`].
    pub(crate) fn new(a: Mat<'a>, b: Mat<'a>, out: &mut Vec<f32>) -> Self {
        assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
        out.clear();
        out.reserve_exact(a.rows * b.cols);
        let rows_per_tile = if b.cols.div_ceil(TILE) < FEW_TILES { TILE } else { a.rows.max(1) };
        Self { a, b, out: SharedMut(out.as_mut_ptr()), rows_per_tile }
    }

    pub(crate) fn tiles(&self) -> usize {
        self.b.cols.div_ceil(TILE) * self.a.rows.div_ceil(self.rows_per_tile)
    }

    /// Multiplications.
    pub(crate) fn work(&self) -> usize {
        self.a.rows * self.a.cols * self.b.cols
    }

    /// Computes one tile, and applies `finish(row, column, values)` to each of its rows while it is in the cache, `column` being that of
    /// `values[0]`.
    ///
    /// # Safety
    /// `out` has not been touched since [`Product::new`], and nobody else computes this tile.
    #[inline(always)]
    pub(crate) unsafe fn tile(&self, tile: usize, finish: impl Fn(usize, usize, &mut [f32])) {
        let Self { a, b, out, rows_per_tile } = self;
        let columns = b.cols.div_ceil(TILE);
        let (top, left) = (tile / columns * rows_per_tile, tile % columns * TILE);
        let (height, width) = ((a.rows - top).min(*rows_per_tile), (b.cols - left).min(TILE));
        // SAFETY: each element of a `Mat` lies in its `data`, so both operands are readable; the tile lies within
        // the capacity of `out`, no two tiles overlap, and with `read_dst` false memory is written without being read.
        unsafe {
            gemm::gemm(
                height,
                width,
                a.cols,
                out.0.add(top * b.cols + left),
                1,
                b.cols as isize,
                false,
                a.data.as_ptr().add(top * a.row_stride),
                a.col_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr().add(left * b.col_stride),
                b.col_stride as isize,
                b.row_stride as isize,
                0.,
                1.,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        vectorized(
            #[inline(always)]
            || {
                for row in top..top + height {
                    // SAFETY: a row of this tile: written above, touched by nobody else.
                    finish(row, left, unsafe { out.slice(row * b.cols + left, width) });
                }
            },
        );
    }

    /// Sets the length of `out`, which is that of [`Product::new`].
    ///
    /// # Safety
    /// Every tile was computed.
    pub(crate) unsafe fn finish(&self, out: &mut Vec<f32>) {
        debug_assert_eq!(out.as_ptr(), self.out.0.cast_const());
        // SAFETY: the tiles cover the m * n elements that were reserved.
        unsafe { out.set_len(self.a.rows * self.b.cols) }
    }
}

/// `a` times `b`, each tile's rows passed through `finish`: see [`Product::tile`]. (`Copy`, since a call through a reference would
/// not be compiled into the vectorised loop.)
pub(crate) fn matmul(a: Mat, b: Mat, finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync) -> Vec<f32> {
    let mut out = Vec::new();
    let product = Product::new(a, b, &mut out);
    // SAFETY: each tile is computed once, and nobody else has `out`.
    parallel::for_each(product.tiles(), product.work(), |i| unsafe { product.tile(i, finish) });
    // SAFETY: all tiles were computed.
    unsafe { product.finish(&mut out) };
    out
}
