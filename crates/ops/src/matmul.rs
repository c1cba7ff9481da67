//! Matrix products in tiles.

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
    /// `data` as `(rows, cols)`, row after row; `None` where the lengths differ.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Option<Self> {
        (rows.checked_mul(cols) == Some(data.len())).then_some(Self {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        })
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

/// Columns in a tile: a whole number of the widest vectors, wide enough for `gemm` to run at full speed, and
/// narrow enough that a layer's width makes several.
const TILE: usize = 64;

/// `a` times `b`, `(m, k) (k, n) -> (m, n)` row after row; `finish(row, from, values)` is applied to each row of each
/// tile while it is in the cache, `from` being the column of `values[0]`.
///
/// The tiles are the same for any number of threads, and so are the bits.
pub(crate) fn matmul(a: Mat, b: Mat, finish: impl Fn(usize, usize, &mut [f32]) + Sync) -> Vec<f32> {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let mut out = Vec::<f32>::with_capacity(m * n);
    let shared = SharedMut(out.as_mut_ptr());
    parallel::for_each(n.div_ceil(TILE), m * n * k, |tile| {
        let from = tile * TILE;
        let width = TILE.min(n - from);
        // SAFETY: `Mat` holds only views whose every element lies in `data`, so both operands are readable; the tile
        // (rows 0..m, columns from..from+width) lies within the capacity of `out`, no two tiles overlap, and with
        // `read_dst` false the uninitialised memory is written without being read.
        unsafe {
            gemm::gemm(
                m,
                width,
                k,
                shared.0.add(from),
                1,
                n as isize,
                false,
                a.data.as_ptr(),
                a.col_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr().add(from * b.col_stride),
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
                for row in 0..m {
                    // SAFETY: a row of this tile: written above, touched by nobody else.
                    finish(row, from, unsafe { shared.slice(row * n + from, width) });
                }
            },
        );
    });
    // SAFETY: the tiles cover all m * n elements, and each was written.
    unsafe { out.set_len(m * n) };
    out
}
