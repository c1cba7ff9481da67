//! See [`crate::maxout`], whose forms on a CPU these follow.

use candle_core::{DType, Result, Tensor};

use super::launch::{address, count, device, launch, one_each};
use super::workspace::{output, output_of};

const NAME: &str = "maxout";

pub(crate) fn winners(z: &Tensor, pieces: usize) -> Result<Tensor> {
    let (rows, columns) = z.dims2()?;
    let out = output_of(DType::U8, (rows, columns / pieces), z)?;
    let groups: u32 = count(NAME, out.elem_count())?;
    let (z, to) = (address::<f32>(NAME, z)?, address::<u8>(NAME, &out)?);
    launch!(&device(&out)?, Elements, "maxout_winners", one_each(groups), [z, to, groups, pieces as u32]);
    Ok(out)
}

pub(crate) fn select(z: &Tensor, winners: &Tensor) -> Result<Tensor> {
    let out = output(winners.shape(), z)?;
    let units: u32 = count(NAME, out.elem_count())?;
    let pieces = z.dim(1)? / winners.dim(1)?.max(1);
    let (z, winners) = (address::<f32>(NAME, z)?, address::<u8>(NAME, winners)?);
    let to = address::<f32>(NAME, &out)?;
    launch!(
        &device(&out)?,
        Elements,
        "maxout_select",
        one_each(units),
        [z, winners, to, units, pieces as u32]
    );
    Ok(out)
}

pub(crate) fn spread(y: &Tensor, winners: &Tensor, pieces: usize) -> Result<Tensor> {
    let (rows, units) = y.dims2()?;
    let out = output((rows, units * pieces), y)?;
    let elements: u32 = count(NAME, out.elem_count())?;
    let (y, winners) = (address::<f32>(NAME, y)?, address::<u8>(NAME, winners)?);
    let to = address::<f32>(NAME, &out)?;
    launch!(
        &device(&out)?,
        Elements,
        "maxout_spread",
        one_each(elements),
        [y, winners, to, elements, pieces as u32]
    );
    Ok(out)
}
