//! The maximum of several pieces, in parts: which piece wins, taking what the winners are given, and giving it back to them.
//!
//! `units` groups of neighbouring columns are `pieces` wide. A winner is a u8, the number of a piece in its group.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::cpu::{applies, slice, vectorized};
use crate::parallel::in_chunks;
use crate::{cuda, reference};

const NAME: &str = "maxout";

/// Which piece of each group is the largest: `(B, units * pieces) -> (B, units)` u8. The first of several; a NaN wins.
///
/// The callers have checked that the sizes fit, here and below.
pub(crate) fn winners(z: &Tensor, pieces: usize) -> Result<Tensor> {
    if cuda::applies(&[z]) {
        return cuda::winners(&z.contiguous()?, pieces);
    }
    match applies(&[z]) {
        true => z.contiguous()?.apply_op1_no_bwd(&Winners { pieces }),
        false => reference::winners(z, pieces),
    }
}

/// What stands where the winner does: `(B, units * pieces), (B, units) u8 -> (B, units)`. Its gradient is [`spread`].
pub(crate) fn select(z: &Tensor, winners: &Tensor) -> Result<Tensor> {
    if cuda::applies(&[z]) && !z.track_op() {
        return cuda::select(&z.contiguous()?, &winners.contiguous()?);
    }
    match applies(&[z]) {
        true => z.contiguous()?.apply_op2(&winners.contiguous()?, Select),
        false => reference::select(z, winners),
    }
}

/// `y` where the winner stands, and 0 elsewhere: `(B, units), (B, units) u8 -> (B, units * pieces)`.
pub(crate) fn spread(y: &Tensor, winners: &Tensor, pieces: usize) -> Result<Tensor> {
    if cuda::applies(&[y]) {
        return cuda::spread(&y.contiguous()?, &winners.contiguous()?, pieces);
    }
    match applies(&[y]) {
        true => y.contiguous()?.apply_op2_no_bwd(&winners.contiguous()?, &Spread { pieces }),
        false => reference::spread(y, winners, pieces),
    }
}

struct Winners {
    pieces: usize,
}

impl CustomOp1 for Winners {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, z: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let z: &[f32] = slice(NAME, z, layout)?;
        let winners = in_chunks(z.len() / self.pieces, 1, 2 * self.pieces, |start, winners: &mut [u8]| {
            let z = &z[start * self.pieces..];
            let whole = winners.len() / TOGETHER * TOGETHER;
            let (together, rest) = winners.split_at_mut(whole);
            vectorized(
                #[inline(always)]
                || {
                    let blocks = z.chunks_exact(TOGETHER * self.pieces);
                    for (winners, block) in together.chunks_exact_mut(TOGETHER).zip(blocks) {
                        winners.copy_from_slice(&first_largest::<TOGETHER>(block, self.pieces));
                    }
                },
            );
            for (winner, group) in rest.iter_mut().zip(z[whole * self.pieces..].chunks(self.pieces)) {
                [*winner] = first_largest(group, self.pieces);
            }
        });
        Ok((CpuStorage::U8(winners), Shape::from((rows, columns / self.pieces))))
    }
}

/// Units that are decided side by side: a vector of AVX-512.
const TOGETHER: usize = 16;

/// The first largest of the `pieces` of each of `N` units. Without branches: which piece wins is hard to foretell.
#[inline(always)]
fn first_largest<const N: usize>(units: &[f32], pieces: usize) -> [u8; N] {
    let (mut largest, mut winners) = ([f32::NEG_INFINITY; N], [0u32; N]);
    for piece in 0..pieces {
        let mut values = [0.; N];
        for (value, &of_unit) in values.iter_mut().zip(units[piece..].iter().step_by(pieces)) {
            *value = of_unit;
        }
        for ((largest, winner), value) in largest.iter_mut().zip(&mut winners).zip(values) {
            let wins = (value > *largest) | (value.is_nan() & !largest.is_nan());
            *largest = if wins { value } else { *largest };
            *winner = if wins { piece as u32 } else { *winner };
        }
    }
    // There are at most 256 pieces.
    winners.map(|winner| winner as u8)
}

struct Select;

impl CustomOp2 for Select {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        z_layout: &Layout,
        winners: &CpuStorage,
        winners_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, units) = winners_layout.shape().dims2()?;
        let pieces = z_layout.dims()[1] / units.max(1);
        let z: &[f32] = slice(NAME, z, z_layout)?;
        let winners: &[u8] = slice(NAME, winners, winners_layout)?;
        let y = in_chunks(winners.len(), 1, 2, |start, y: &mut [f32]| {
            for ((y, &winner), i) in y.iter_mut().zip(&winners[start..]).zip(start..) {
                *y = z[i * pieces + usize::from(winner)];
            }
        });
        Ok((CpuStorage::F32(y), Shape::from((rows, units))))
    }

    fn bwd(
        &self,
        z: &Tensor,
        winners: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let pieces = z.dims2()?.1 / winners.dims2()?.1.max(1);
        Ok((Some(spread(grad, winners, pieces)?), None))
    }
}

struct Spread {
    pieces: usize,
}

impl CustomOp2 for Spread {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        winners: &CpuStorage,
        winners_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, units) = y_layout.shape().dims2()?;
        let y: &[f32] = slice(NAME, y, y_layout)?;
        let winners: &[u8] = slice(NAME, winners, winners_layout)?;
        let z = in_chunks(y.len() * self.pieces, self.pieces, 2, |start, z: &mut [f32]| {
            let first = start / self.pieces;
            for ((group, y), &winner) in z.chunks_mut(self.pieces).zip(&y[first..]).zip(&winners[first..]) {
                group[usize::from(winner)] = *y;
            }
        });
        Ok((CpuStorage::F32(z), Shape::from((rows, units * self.pieces))))
    }
}
