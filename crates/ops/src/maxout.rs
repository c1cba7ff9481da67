//! The maximum of several pieces, in parts: which piece wins, taking what the winners are given, and giving it back to them.
//!
//! `units` groups of neighbouring columns are `pieces` wide. A winner is a u8, the number of a piece in its group.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::cpu::{applies, slice};
use crate::parallel::for_each_chunk;
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
        let mut winners = vec![0u8; z.len() / self.pieces];
        for_each_chunk(1, [&mut winners[..]], 2 * self.pieces, |start, [winners]| {
            for (winner, group) in winners.iter_mut().zip(z[start * self.pieces..].chunks(self.pieces)) {
                *winner = first_largest(group);
            }
        });
        Ok((CpuStorage::U8(winners), Shape::from((rows, columns / self.pieces))))
    }
}

/// Without branches: which piece wins is hard to foretell.
#[inline(always)]
fn first_largest(group: &[f32]) -> u8 {
    let (mut largest, mut winner) = (f32::NEG_INFINITY, 0);
    for (&value, piece) in group.iter().zip(0u8..=u8::MAX) {
        let wins = (value > largest) | (value.is_nan() & !largest.is_nan());
        largest = if wins { value } else { largest };
        winner = if wins { piece } else { winner };
    }
    winner
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
        let mut y = vec![0f32; winners.len()];
        for_each_chunk(1, [&mut y[..]], 2, |start, [y]| {
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
        let mut z = vec![0f32; y.len() * self.pieces];
        for_each_chunk(self.pieces, [&mut z[..]], 2, |start, [z]| {
            let first = start / self.pieces;
            for ((group, y), &winner) in z.chunks_mut(self.pieces).zip(&y[first..]).zip(&winners[first..]) {
                group[usize::from(winner)] = *y;
            }
        });
        Ok((CpuStorage::F32(z), Shape::from((rows, units * self.pieces))))
    }
}
