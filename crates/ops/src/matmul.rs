//! Matrix products in tiles.
//!
//! The tiles of a product depend on its sizes alone, and not on the number of threads or the width of vectors. Within a tile a sum goes from its
//! first product to its last, with whatever is done in between: its bits do not show how it was cut.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cpu::vectorized;
use crate::dot::dot;
use crate::matrix::{Mat, Order, PartMut};
use crate::microkernel;
use crate::pack::{self, Panel};
use crate::parallel::{self, SharedMut};
use crate::prefetch::{LINE, Next};

/// Columns in a tile.
const COLUMNS: usize = pack::WIDTH;

/// Columns by which a tile may be narrower: a vector of AVX-512.
const VECTOR: usize = 16;

/// Fewer tiles than this cannot be shared out well: then the product is cut into rows as well.
const FEW_TILES: usize = 4;

/// Rows of a tile in that case, a few of the micro-kernel's blocks.
const TILE_ROWS: usize = 48;

/// Rows of a panel: longer sums are cut into these. Copied, such a panel is 256 KiB, which a core's second cache has room for.
const DEPTH: usize = 1 << 10;

/// Rows of a panel that are multiplied before the next ones: 32 KiB, of the first cache's 48. From the second, a core cannot read them as fast as it
/// multiplies.
const NEAR: usize = 128;

/// Rows of a tile that all parts of a panel are multiplied with before the next ones: what they have come to stays near as well. A few of
/// the micro-kernel's blocks.
const STRIP: usize = 96;

/// Elements of a weight that stays near, in the cores' second caches: 2 MiB. To ask for its next tile meanwhile costs more than it gives.
const STAY_NEAR: usize = 1 << 19;

/// `a` times `b`, `(m, k) (k, n) -> (m, n)` row after row.
///
/// `finish(row, column, values)` is applied to each row of each tile while it is in the cache, `column` being that of
/// `values[0]`. (It is `Copy` since a call through a reference would not be compiled into the vectorised loop.)
pub(crate) fn matmul(a: Mat, b: Mat, finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync) -> Vec<f32> {
    // The callers have checked their shapes; with others some elements would not be written.
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    let (m, n) = (a.rows, b.cols);
    if a.cols == 0 {
        // A sum of nothing; there is nothing to point to either.
        let mut out = vec![0.; m * n];
        out.chunks_exact_mut(n.max(1)).enumerate().for_each(|(row, values)| finish(row, 0, values));
        return out;
    }
    if let (1, Order::Rows { data: row, .. }) = (b.rows, b.order()) {
        return outer(a, &row[..n], finish);
    }
    let mut out = Vec::<f32>::with_capacity(m * n);
    // SAFETY: `out` has room for m * n elements, and nobody else knows of it.
    unsafe { tiles(a, b, SharedMut(out.as_mut_ptr()), false, finish) };
    // SAFETY: the tiles cover all m * n elements, and each was written.
    unsafe { out.set_len(m * n) };
    out
}

/// A column times a row, made in the order of memory: it takes the time of writing it.
fn outer(column: Mat, row: &[f32], finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync) -> Vec<f32> {
    let (data, stride) = match column.order() {
        Order::Rows { data, stride } => (data, stride),
        Order::Columns { data, .. } => (data, 1),
    };
    let width = row.len();
    parallel::in_chunks(column.rows * width, width, 4, |start, rows: &mut [f32]| {
        vectorized(
            #[inline(always)]
            || {
                for (at, values) in (start / width..).zip(rows.chunks_exact_mut(width)) {
                    let x = data[at * stride];
                    for (value, y) in values.iter_mut().zip(row) {
                        *value = x * y;
                    }
                    finish(at, 0, values);
                }
            },
        );
    })
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
    let height = if tiles_across < FEW_TILES { TILE_ROWS } else { m.max(1) };
    parallel::for_each(tiles_across * m.div_ceil(height), m * n * k, |tile| {
        let top = tile / tiles_across * height;
        let height = height.min(m - top);
        let (left, width) = columns(n, tile % tiles_across);
        let mut next = Next::default();
        if n * k > STAY_NEAR {
            let following = b.columns_at(left + width, COLUMNS.min(n - left - width));
            let blocks = height.div_ceil(microkernel::ROWS) * k.div_ceil(NEAR);
            next = Next::new(following.straight_columns().unwrap_or(&[]), blocks);
        }
        // SAFETY: the tile lies within `out`, and no two tiles overlap.
        let mut tile = unsafe { PartMut::new(out, n, [top, height], [left, width]) };
        multiply(a.rows_at(top, height), b.columns_at(left, width), &mut tile, add, &mut next);
        vectorized(
            #[inline(always)]
            || {
                for row in 0..height {
                    finish(top + row, left, tile.row(row));
                }
            },
        );
    });
}

/// Where a tile of a product with `n` columns begins, and how wide it is.
///
/// What is missing to whole tiles the last ones share: one that is left with a single vector would take longer than its share.
fn columns(n: usize, tile: usize) -> (usize, usize) {
    let tiles = n.div_ceil(COLUMNS);
    let missing = ((tiles * COLUMNS - n) / VECTOR).min(tiles);
    let left = |tile: usize| (tile * COLUMNS - (tile + missing).saturating_sub(tiles) * VECTOR).min(n);
    (left(tile), left(tile + 1) - left(tile))
}

/// [`matmul`], its sums cut in two: `a`'s left half times `b`'s upper half, plus the rest.
///
/// `b` is a weight, and its rows are the layer's outputs. What a thread does of the layer's forward pass, of this product and of
/// the optimizer then concerns the same rows, where two threads share the work: a core that changes a weight need not first take it
/// from the cache of another, which is slow where cores are far apart. (A weight that does not stay near it need not.) Where the cut is
/// depends on the sizes alone.
pub(crate) fn matmul_in_halves(
    a: Mat,
    b: Mat,
    finish: impl Fn(usize, usize, &mut [f32]) + Copy + Sync,
) -> Vec<f32> {
    assert_eq!(a.cols, b.rows, "the inner sizes of a product differ");
    let (m, k, n) = (a.rows, a.cols, b.cols);
    // As a layer's columns are shared out in its forward pass.
    let half = k.div_ceil(COLUMNS) / 2 * COLUMNS;
    if k.div_ceil(COLUMNS) < FEW_TILES || n * k > STAY_NEAR || m == 0 || n == 0 {
        return matmul(a, b, finish);
    }
    let halves = [(0, half), (half, k - half)];
    let tiles = n.div_ceil(COLUMNS);
    let mut sums = halves.map(|_| Vec::<f32>::with_capacity(m * n));
    let shared = sums.each_mut().map(|sum| SharedMut(sum.as_mut_ptr()));
    let half_done: Vec<AtomicBool> = (0..tiles).map(|_| AtomicBool::new(false)).collect();
    parallel::for_each(halves.len() * tiles, m * n * k, |i| {
        // The lower half's tiles from the last to the first: two threads meet in the middle, and each comes second as often.
        let (part, tile) = if i < tiles { (0, i) } else { (1, 2 * tiles - 1 - i) };
        let (first, inner) = halves[part];
        let (left, width) = columns(n, tile);
        let (a, b) = (a.columns_at(first, inner), b.rows_at(first, inner).columns_at(left, width));
        // SAFETY: the columns lie within the capacity of this half's sum, and no other piece makes them.
        let mut sum = unsafe { PartMut::new(shared[part], n, [0, m], [left, width]) };
        multiply(a, b, &mut sum, false, &mut Next::default());
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

/// Makes `out`, or adds to it, `a` times `b`, which has at most [`COLUMNS`] columns, on one thread; asks for `next` meanwhile.
fn multiply(a: Mat, b: Mat, out: &mut PartMut, add: bool, next: &mut Next) {
    if let (Some(column), Order::Rows { data, stride }) = (b.column(), a.order()) {
        // A vector's width of columns would be made for one.
        vectorized(
            #[inline(always)]
            || {
                for at in 0..a.rows {
                    let sum = dot(&data[at * stride..][..a.cols], column) as f32;
                    let value = &mut out.row(at)[0];
                    *value = if add { *value + sum } else { sum };
                }
            },
        );
        return;
    }
    for first in (0..b.rows).step_by(DEPTH) {
        let depth = DEPTH.min(b.rows - first);
        let (a, b) = (a.columns_at(first, depth), b.rows_at(first, depth));
        let mut product = |panel: Panel| in_strips(a, panel, out, add || first > 0, next);
        // Where one factor is read in strides, the other is not to be read so as well.
        match (a.order(), Panel::in_place(b)) {
            (Order::Rows { .. }, Some(panel)) => product(panel),
            _ => pack::with_copy(b, product),
        }
    }
}

/// Makes `out`, or adds to it, `a` times the first columns of `panel`, a few rows and a part of each sum at a time.
fn in_strips(a: Mat, panel: Panel, out: &mut PartMut, add: bool, next: &mut Next) {
    let parts = a.cols.div_ceil(NEAR);
    let most = a.cols.div_ceil(parts).next_multiple_of(LINE);
    for top in (0..a.rows).step_by(STRIP) {
        let rows = STRIP.min(a.rows - top);
        let a = a.rows_at(top, rows);
        for first in (0..a.cols).step_by(most) {
            let depth = most.min(a.cols - first);
            let (a, panel) = (a.columns_at(first, depth), panel.rows_at(first, depth));
            microkernel::multiply(a, panel, out.rows_at(top, rows), add || first > 0, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{numbers, sums, transposed};

    #[test]
    fn tiles_cover_all_columns_once() {
        for n in 1..1000_usize {
            let tiles = n.div_ceil(COLUMNS);
            let mut end = 0;
            for tile in 0..tiles {
                let (left, width) = columns(n, tile);
                assert_eq!(left, end, "{n} columns, tile {tile}");
                assert!((1..=COLUMNS).contains(&width), "{n} columns, tile {tile}: {width}");
                end = left + width;
            }
            assert_eq!(end, n);
        }
        assert_eq!([9, 10, 12].map(|tile| columns(784, tile)), [(576, 64), (640, 48), (736, 48)]);
    }

    #[test]
    fn bits_do_not_show_how_a_sum_was_cut() {
        // Beyond a strip, a panel and a tile.
        let (m, k, n) = (100, 1100, 70);
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let by_columns = transposed(&a, m);
        let fused = !matches!(pulp::Arch::new(), pulp::Arch::Scalar);
        let expected = sums(&vec![0.; m * n], &a, &b, [m, k, n], fused);
        for a in [Mat::new(&a, k), Mat::new(&by_columns, m).transposed()] {
            assert_eq!(matmul(a, Mat::new(&b, n), |_, _, _| {}), expected);
        }
    }
}
