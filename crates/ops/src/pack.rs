//! Panels: a few columns of a matrix, as they stand or copied to where the micro-kernel reads them faster.

use std::cell::RefCell;

use pulp::Arch;
#[cfg(target_arch = "x86_64")]
use pulp::{cast, x86};

use crate::cpu::vectorized;
use crate::matrix::{Mat, Order};
use crate::prefetch;

/// The most columns of a panel, and the distance between the rows of a copy.
pub(crate) const WIDTH: usize = 64;

/// Rows and columns that are transposed at a time: a cache line of f32, and a vector of AVX-512.
const BLOCK: usize = 16;

/// f32s in a page of 4 KiB.
const PAGE: usize = 1024;

/// How far ahead in its rows the processor is asked for what will be transposed: four blocks.
const AHEAD: usize = 4 * BLOCK;

/// Elements from which on a matrix is hardly in a core's second cache as a whole: 1 MiB. Its rows are asked for before they are copied: a
/// processor does not foresee pieces of rows by itself.
const FAR: usize = 1 << 18;

/// How many rows before.
const ROWS_AHEAD: usize = 24;

thread_local! {
    /// Room for a panel, kept from one product to the next.
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// A few columns of a matrix: the first elements of `rows`, which begin `stride` apart. What stands right of them means nothing.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub(crate) rows: &'a [f32],
    pub(crate) stride: usize,
}

impl<'a> Panel<'a> {
    /// The matrix itself, where the micro-kernel can read it as it stands: in whole vectors, row after row.
    ///
    /// Rows that are whole pages apart share a few places in a cache, and would drive each other out.
    pub(crate) fn in_place(matrix: Mat<'a>) -> Option<Self> {
        match matrix.order() {
            Order::Rows { data, stride }
                if matrix.cols <= stride
                    && matrix.cols.is_multiple_of(BLOCK)
                    && !stride.is_multiple_of(PAGE) =>
            {
                let rows = data.get(..matrix.rows.checked_sub(1)? * stride + matrix.cols)?;
                Some(Self { rows, stride })
            }
            _ => None,
        }
    }

    /// The `rows` rows from row `first` on.
    pub(crate) fn rows_at(self, first: usize, rows: usize) -> Self {
        // The last row of a matrix as it stands may be shorter than a stride.
        let end = ((first + rows) * self.stride).min(self.rows.len());
        Self { rows: &self.rows[first * self.stride..end], ..self }
    }
}

/// Calls `f` with a copy of `matrix`, which has at most [`WIDTH`] columns.
pub(crate) fn with_copy<R>(matrix: Mat, f: impl FnOnce(Panel) -> R) -> R {
    ROOM.with_borrow_mut(|room| {
        let size = matrix.rows * WIDTH;
        if room.len() < size + BLOCK {
            *room = vec![0.; size + BLOCK];
        }
        // Where a cache line begins.
        let start = room.as_ptr().align_offset(BLOCK * size_of::<f32>()).min(BLOCK);
        let panel = &mut room[start..start + size];
        fill(panel, matrix);
        f(Panel { rows: panel, stride: WIDTH })
    })
}

/// Makes the panel. (Not inlined: compiled into each product it would be slower, since less is inlined into it.)
#[inline(never)]
fn fill(panel: &mut [f32], matrix: Mat) {
    match matrix.order() {
        Order::Rows { data, stride } => copy(data, stride, matrix.cols, panel),
        Order::Columns { data, stride } => transpose(data, stride, [matrix.cols, matrix.rows], panel),
    }
}

/// Copies rows of `width` elements that stand `stride` apart.
fn copy(rows: &[f32], stride: usize, width: usize, panel: &mut [f32]) {
    let far = panel.len() / WIDTH * stride >= FAR;
    vectorized(
        #[inline(always)]
        || {
            for (at, to) in panel.chunks_exact_mut(WIDTH).enumerate() {
                if far {
                    let ahead = rows.as_ptr().wrapping_add((at + ROWS_AHEAD) * stride);
                    (0..width).step_by(BLOCK).for_each(|line| prefetch::line(ahead.wrapping_add(line)));
                }
                let row = &rows[at * stride..][..width];
                // Few elements: a call to copy them would take longer.
                for (to, &x) in to.iter_mut().zip(row) {
                    *to = x;
                }
            }
        },
    );
}

/// Makes `panel`, `(columns, WIDTH)`, the transpose of `count` rows of `columns` elements that stand `stride` apart.
#[expect(clippy::redundant_closure, reason = "a function that is passed on by name is not inlined")]
fn transpose(rows: &[f32], stride: usize, [count, columns]: [usize; 2], panel: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || match Arch::new() {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(simd) => by_blocks(avx512(simd), rows, stride, [count, columns], panel),
            _ => by_blocks(
                #[inline(always)]
                |rows, panel| plain(rows, panel),
                rows,
                stride,
                [count, columns],
                panel,
            ),
        },
    );
}

/// A block's rows.
type Block<'a> = [&'a [f32; BLOCK]; BLOCK];

/// Has each whole block made by `block`, which is given where its first column goes, and the rest element by element.
///
/// Row after row, not column after column: a processor fetches what follows in a row, and would otherwise fetch rows below, which
/// another core may be about to change.
#[inline(always)]
fn by_blocks(
    block: impl Fn(Block, &mut [f32]),
    rows: &[f32],
    stride: usize,
    [count, columns]: [usize; 2],
    panel: &mut [f32],
) {
    for top in (0..count).step_by(BLOCK) {
        let rows = &rows[top * stride..];
        let count = BLOCK.min(count - top);
        let whole = if count == BLOCK { columns / BLOCK * BLOCK } else { 0 };
        for left in (0..whole).step_by(BLOCK) {
            // Each is there, which the compiler cannot know; a panic would only cost time.
            debug_assert!((BLOCK - 1) * stride + left + BLOCK <= rows.len());
            let mut whole_rows = [&[0.; BLOCK]; BLOCK];
            for (at, whole_row) in whole_rows.iter_mut().enumerate() {
                prefetch::line(rows.as_ptr().wrapping_add(at * stride + left + AHEAD));
                if let Some(row) = rows.get(at * stride + left..).and_then(<[f32]>::first_chunk) {
                    *whole_row = row;
                }
            }
            block(whole_rows, &mut panel[left * WIDTH + top..]);
        }
        for column in whole..columns {
            for row in 0..count {
                panel[column * WIDTH + top + row] = rows[row * stride + column];
            }
        }
    }
}

/// Column after column, gathered before it is written.
#[inline(always)]
fn plain(rows: Block, panel: &mut [f32]) {
    for column in 0..BLOCK {
        let mut values = [0.; BLOCK];
        for (value, row) in values.iter_mut().zip(rows) {
            *value = row[column];
        }
        panel[column * WIDTH..column * WIDTH + BLOCK].copy_from_slice(&values);
    }
}

/// Four squares of 4 by 4 at a time, one in each lane of 128 bits: vector i holds rows i, i + 4, i + 8 and i + 12.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx512(simd: x86::V4) -> impl Fn(Block, &mut [f32]) {
    use std::arch::x86_64::{__m128, __m512, __m512d};

    let simd = simd.avx512f;
    #[inline(always)]
    move |rows, panel| {
        for left in (0..BLOCK).step_by(4) {
            let mut lanes = [simd._mm512_setzero_ps(); 4];
            for (i, lanes) in lanes.iter_mut().enumerate() {
                let piece = |row: usize| {
                    let row = rows[row];
                    cast::<[f32; 4], __m128>([row[left], row[left + 1], row[left + 2], row[left + 3]])
                };
                *lanes = simd._mm512_castps128_ps512(piece(i));
                *lanes = simd._mm512_insertf32x4::<1>(*lanes, piece(i + 4));
                *lanes = simd._mm512_insertf32x4::<2>(*lanes, piece(i + 8));
                *lanes = simd._mm512_insertf32x4::<3>(*lanes, piece(i + 12));
            }
            let [a, b, c, d] = lanes;
            let low = |a, b| cast::<__m512, __m512d>(simd._mm512_unpacklo_ps(a, b));
            let high = |a, b| cast::<__m512, __m512d>(simd._mm512_unpackhi_ps(a, b));
            let columns = [
                simd._mm512_unpacklo_pd(low(a, b), low(c, d)),
                simd._mm512_unpackhi_pd(low(a, b), low(c, d)),
                simd._mm512_unpacklo_pd(high(a, b), high(c, d)),
                simd._mm512_unpackhi_pd(high(a, b), high(c, d)),
            ];
            for (column, values) in columns.into_iter().enumerate() {
                let at = (left + column) * WIDTH;
                panel[at..at + BLOCK].copy_from_slice(&cast::<__m512d, [f32; BLOCK]>(values));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_the_transpose() {
        for (count, columns) in [(64, 256), (64, 100), (40, 33), (16, 16), (7, 5), (1, 9)] {
            let rows: Vec<f32> = (0..count * columns).map(|i| i as f32).collect();
            let mut expected = vec![-1.; columns * WIDTH];
            for (at, value) in expected.iter_mut().enumerate() {
                let (column, row) = (at / WIDTH, at % WIDTH);
                *value = if row < count { rows[row * columns + column] } else { -1. };
            }
            let mut panel = vec![-1.; columns * WIDTH];
            transpose(&rows, columns, [count, columns], &mut panel);
            assert_eq!(panel, expected, "{count} rows of {columns}");
            // As where there are no vectors of 16.
            panel.fill(-1.);
            by_blocks(plain, &rows, columns, [count, columns], &mut panel);
            assert_eq!(panel, expected, "{count} rows of {columns}, plainly");
        }
    }
}
