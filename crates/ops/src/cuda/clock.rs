//! What follows a [`Clock`](crate::Clock).

use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::{Result, Tensor};

use super::launch::{Spread, address, count, device, launch, one_each};
use super::workspace::output;
use crate::{Draw, DrawFrom};

const NAME: &str = "clock";

/// As in `noise.cu`.
#[repr(C)]
struct Streams {
    clock: u64,
    seed_low: u32,
    seed_high: u32,
    domain: [u32; 2],
    first: [u32; 2],
    count: [u32; 2],
}

// SAFETY: an address and numbers, laid out as the kernels' struct.
unsafe impl DeviceRepr for Streams {}

pub(crate) fn tick(position: &Tensor, rows: usize) -> Result<()> {
    let spread = Spread { blocks: (1, 1), threads: (1, 1) };
    let rows: u32 = count(NAME, rows)?;
    launch!(&device(position)?, Elements, "tick", spread, [address::<i64>(NAME, position)?, rows]);
    Ok(())
}

pub(crate) fn gather_one_hot(
    labels: &Tensor,
    order: &Tensor,
    position: &Tensor,
    [batch, classes]: [usize; 2],
) -> Result<Tensor> {
    let out = output((batch, classes), labels)?;
    let elements = count(NAME, out.elem_count())?;
    let [rows, classes, batch]: [u32; 3] =
        [count(NAME, labels.elem_count())?, count(NAME, classes)?, count(NAME, batch)?];
    let [labels, order] = [address::<u8>(NAME, labels)?, address::<u32>(NAME, order)?];
    let [clock, to] = [address::<i64>(NAME, position)?, address::<f32>(NAME, &out)?];
    let spread = one_each(elements);
    launch!(
        &device(&out)?,
        Elements,
        "gather_one_hot",
        spread,
        [labels, order, clock, to, rows, classes, batch]
    );
    Ok(out)
}

pub(crate) fn draw(
    position: &Tensor,
    seed: u64,
    from: &[(DrawFrom, usize)],
    columns: usize,
    draw: Draw,
) -> Result<Tensor> {
    if !(1..=2).contains(&from.len()) {
        candle_core::bail!("{NAME}: expected one or two streams to draw from, found {}", from.len());
    }
    let rows: usize = from.iter().map(|(_, rows)| rows).sum();
    let out = output((rows, columns), position)?;
    let mut streams = Streams {
        clock: address::<i64>(NAME, position)?,
        seed_low: seed as u32,
        seed_high: (seed >> 32) as u32,
        domain: [0; 2],
        first: [0; 2],
        count: [0; 2],
    };
    for (at, (from, rows)) in from.iter().enumerate() {
        (streams.domain[at], streams.first[at]) = (from.domain, from.first);
        streams.count[at] = count(NAME, rows * columns)?;
    }
    let (gpu, to) = (&device(&out)?, address::<f32>(NAME, &out)?);
    let most = streams.count[0].max(streams.count[1]);
    let spread = |threads: u32| Spread {
        blocks: (one_each(threads).blocks.0, from.len() as u32),
        ..one_each(threads)
    };
    match draw {
        Draw::Normal { deviation } => {
            // A thread for each block of four numbers, of which sixteen are laid out side by side.
            let threads = most.div_ceil(64) * 16;
            launch!(gpu, Noise, "fill_normal", spread(threads), [to, streams, deviation as f32]);
        }
        Draw::Uniform { low, high } => {
            launch!(
                gpu,
                Noise,
                "fill_uniform",
                spread(most),
                [to, streams, low as f32, high as f32 - low as f32]
            );
        }
        Draw::Mask { rate } => {
            let kept = (1. / (1. - rate)) as f32;
            launch!(gpu, Noise, "fill_mask", spread(most), [to, streams, rate as f32, kept]);
        }
    }
    Ok(out)
}
