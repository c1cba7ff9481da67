//! The innermost part of a product: a few rows of the result stay in registers while a panel of the other factor goes by.

use pulp::{Arch, Simd, WithSimd};

use crate::matrix::{Mat, Order, PartMut};
use crate::pack::Panel;
use crate::prefetch::{self, LINE, Next};

/// Rows in a block. With four vectors in each their sums fill 24 of AVX-512's 32 registers, which leaves room for a row of the
/// panel; with two of AVX2's, 12 of 16.
pub(crate) const ROWS: usize = 6;

/// Makes `out`, or adds to it, `a` times the first columns of `panel`.
///
/// Each element is summed up from its first product to its last, beginning with what is there if it is added to, and each product added
/// without being rounded where the processor can do that. So its bits depend neither on the width of the vectors, nor on what is
/// made beside it, nor on how many calls the sum is made in.
///
/// Of `next`, something is asked for with each block of [`ROWS`].
pub(crate) fn multiply(a: Mat, panel: Panel, out: PartMut, add: bool, next: &mut Next) {
    Arch::new().dispatch(Multiply { a, panel, out, add, next });
}

struct Multiply<'a, 'n> {
    a: Mat<'a>,
    panel: Panel<'a>,
    out: PartMut<'a>,
    add: bool,
    next: &'a mut Next<'n>,
}

impl WithSimd for Multiply<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if S::REGISTER_COUNT < 32 { self.columns::<S, 2>(simd) } else { self.columns::<S, 4>(simd) }
    }
}

impl Multiply<'_, '_> {
    /// Blocks of `V` vectors across, then of what is left.
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&mut self, simd: S) {
        let mut left = 0;
        while left + V * S::F32_LANES <= self.out.cols {
            self.rows::<S, V>(simd, left);
            left += V * S::F32_LANES;
        }
        if V > 2 {
            match (self.out.cols - left) / S::F32_LANES {
                3 => {
                    self.rows::<S, 3>(simd, left);
                    left += 3 * S::F32_LANES;
                }
                2 => {
                    self.rows::<S, 2>(simd, left);
                    left += 2 * S::F32_LANES;
                }
                _ => {}
            }
        }
        while left < self.out.cols {
            self.rows::<S, 1>(simd, left);
            left += S::F32_LANES;
        }
    }

    /// Blocks one below the other.
    #[inline(always)]
    fn rows<S: Simd, const V: usize>(&mut self, simd: S, left: usize) {
        for top in (0..self.a.rows).step_by(ROWS) {
            self.next.ask();
            match self.a.rows - top {
                1 => self.block::<S, 1, V>(simd, top, left),
                2 => self.block::<S, 2, V>(simd, top, left),
                3 => self.block::<S, 3, V>(simd, top, left),
                4 => self.block::<S, 4, V>(simd, top, left),
                5 => self.block::<S, 5, V>(simd, top, left),
                _ => self.block::<S, ROWS, V>(simd, top, left),
            }
        }
    }

    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, top: usize, left: usize) {
        let mut sums = [[simd.splat_f32s(0.); V]; R];
        if self.add {
            for (at, sums) in sums.iter_mut().enumerate() {
                let row = &self.out.row(top + at)[left..];
                let (vectors, _) = S::as_simd_f32s(row);
                match vectors.first_chunk::<V>() {
                    Some(row) => *sums = *row,
                    // One vector, of which there is room for a part.
                    None => sums[0] = simd.partial_load_f32s(row),
                }
            }
        }
        let sums = match self.a.order() {
            Order::Rows { data, stride } => {
                let mut rows = [&[][..]; R];
                for (at, row) in rows.iter_mut().enumerate() {
                    *row = &data[(top + at) * stride..][..self.a.cols];
                }
                summed::<S, R, V>(
                    simd,
                    sums,
                    #[inline(always)]
                    |i| {
                        let mut column = [0.; R];
                        for (x, row) in column.iter_mut().zip(&rows) {
                            *x = row[i];
                        }
                        column
                    },
                    // Of the block below, which another core may have written.
                    #[inline(always)]
                    |i| {
                        for row in &rows {
                            prefetch::line(row.as_ptr().wrapping_add(ROWS * stride + i));
                        }
                    },
                    self.panel,
                    left,
                )
            }
            Order::Columns { data, stride } => summed::<S, R, V>(
                simd,
                sums,
                #[inline(always)]
                |i| {
                    // Of the rows below, which stand in the column's next line: a processor does not foresee such steps.
                    prefetch::line(data.as_ptr().wrapping_add(i * stride + top + LINE));
                    let mut column = [0.; R];
                    column.copy_from_slice(&data[i * stride + top..][..R]);
                    column
                },
                #[inline(always)]
                |_| {},
                self.panel,
                left,
            ),
        };
        for (at, sums) in sums.iter().enumerate() {
            let row = &mut self.out.row(top + at)[left..];
            let (vectors, _) = S::as_mut_simd_f32s(row);
            match vectors.first_chunk_mut::<V>() {
                Some(row) => *row = *sums,
                None => simd.partial_store_f32s(row, sums[0]),
            }
        }
    }
}

/// `sums` and what is added to them in the registers: for each of `R` rows, its elements times the panel's rows, from column `left` on.
///
/// `column(i)` has the rows' elements that go with the panel's row `i`; `ahead(i)` is called before it for each `i` that begins a cache line.
#[inline(always)]
fn summed<S: Simd, const R: usize, const V: usize>(
    simd: S,
    mut sums: [[S::f32s; V]; R],
    column: impl Fn(usize) -> [f32; R],
    ahead: impl Fn(usize),
    panel: Panel,
    left: usize,
) -> [[S::f32s; V]; R] {
    for (line, rows) in panel.rows.chunks(LINE * panel.stride).enumerate() {
        ahead(line * LINE);
        for (i, row) in rows.chunks(panel.stride).enumerate() {
            let (b, _) = S::as_simd_f32s(&row[left..]);
            let b = &b[..V];
            let column = column(line * LINE + i);
            for (sums, &x) in sums.iter_mut().zip(&column) {
                let x = simd.splat_f32s(x);
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(x, b, *sum);
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;
    use crate::pack;
    use crate::parallel::SharedMut;
    use crate::testing::{numbers, sums, transposed};

    type Way = Box<dyn Fn(Multiply)>;

    /// With which vectors, and whether they add a product without rounding it.
    fn ways() -> Vec<(&'static str, bool, Way)> {
        let fused = !matches!(Arch::new(), Arch::Scalar);
        let mut ways: Vec<(_, _, Way)> = vec![
            ("none", false, Box::new(|multiply| Scalar.vectorize(multiply))),
            ("the widest", fused, Box::new(|multiply| Arch::new().dispatch(multiply))),
        ];
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            ways.push(("AVX2", true, Box::new(move |multiply| Simd::vectorize(simd, multiply))));
        }
        ways
    }

    #[test]
    fn bits_depend_on_the_factors_alone() {
        for size @ [rows, depth, cols] in
            [[1, 1, 1], [5, 20, 64], [6, 9, 17], [13, 30, 40], [7, 18, 50], [48, 3, 7]]
        {
            // As a copy is, and as it may stand in a matrix.
            let stride = if cols == 64 { 80 } else { pack::WIDTH };
            let (a, panel, before) =
                (numbers(rows * depth, 1), numbers(depth * stride, 2), numbers(rows * cols, 3));
            let panel = Panel { rows: &panel, stride };
            let by_columns = transposed(&a, rows);
            let b: Vec<f32> = panel.rows.chunks(stride).flat_map(|row| &row[..cols]).copied().collect();
            for (name, fused, way) in ways() {
                for a_view in [Mat::new(&a, depth), Mat::new(&by_columns, rows).transposed()] {
                    for add in [false, true] {
                        let mut product = before.clone();
                        let whole = SharedMut(product.as_mut_ptr());
                        // SAFETY: it is all of `product`, which nobody else looks at.
                        let out = unsafe { PartMut::new(whole, cols, [0, rows], [0, cols]) };
                        way(Multiply { a: a_view, panel, out, add, next: &mut Next::default() });
                        let begin = if add { before.clone() } else { vec![0.; rows * cols] };
                        let expected = sums(&begin, &a, &b, size, fused);
                        assert_eq!(product, expected, "{size:?}, vectors: {name}, added: {add}");
                    }
                }
            }
        }
    }
}
