//! Optimizers and averages: all parameters of a network in one launch.

use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::{DType, Result, Tensor};

use super::launch::{Spread, THREADS, address, count, device, launch};
use crate::Row;
use crate::updates::{Rule, Update};

const NAME: &str = "update";

/// How many tensors one launch takes.
const MAX_TENSORS: usize = 16;

/// How many elements a thread takes.
const EACH: u32 = 2;

/// As in `updates.cu`.
#[repr(C)]
#[derive(Default)]
struct Updates {
    parameter: [u64; MAX_TENSORS],
    gradient: [u64; MAX_TENSORS],
    first: [u64; MAX_TENSORS],
    second: [u64; MAX_TENSORS],
    count: [u32; MAX_TENSORS],
    blocks: [u32; MAX_TENSORS + 1],
    /// Where the compiler would leave bytes that nobody has written.
    padding: u32,
}

/// As in `updates.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Numbers {
    table: u64,
    clock: u64,
    columns: u32,
    column: u32,
}

// SAFETY: addresses and numbers, laid out as the kernels' struct.
unsafe impl DeviceRepr for Updates {}
// SAFETY: the same.
unsafe impl DeviceRepr for Numbers {}

/// Updates all of these by one rule, whose numbers are those of the `row`, or else are copied from the host: that alone cannot be part of
/// a graph.
pub(crate) fn update(updates: &[Update], rule: &Rule, row: Option<&Row>) -> Result<()> {
    let Some(first) = updates.first() else { return Ok(()) };
    let gpu = &device(first.parameter)?;
    // Held until the launch is queued.
    let copied;
    let numbers = match row {
        Some(row) => {
            let (table, clock) = (address::<f32>(NAME, &row.table)?, address::<i64>(NAME, &row.position)?);
            let columns = row.table.dim(1)?;
            if columns.saturating_sub(row.column) < rule.changing() {
                candle_core::bail!(
                    "{NAME}: expected {} numbers from column {} of the clock's table on, found {columns} columns",
                    rule.changing(),
                    row.column
                );
            }
            Numbers { table, clock, columns: count(NAME, columns)?, column: count(NAME, row.column)? }
        }
        None => {
            copied = Tensor::from_slice(&rule.numbers(), 2, first.parameter.device())?;
            Numbers { table: address::<f32>(NAME, &copied)?, clock: 0, columns: 0, column: 0 }
        }
    };
    for updates in updates.chunks(MAX_TENSORS) {
        let mut lot = Updates::default();
        let mut blocks = 0;
        for (at, update) in updates.iter().enumerate() {
            let elements: u32 = count(NAME, update.parameter.elem_count())?;
            lot.parameter[at] = address::<f32>(NAME, update.parameter)?;
            lot.gradient[at] = address::<f32>(NAME, update.gradient)?;
            let mut state = update.state.iter().map(|state| address::<f32>(NAME, state));
            lot.first[at] = state.next().transpose()?.unwrap_or(0);
            lot.second[at] = state.next().transpose()?.unwrap_or(0);
            lot.count[at] = elements;
            lot.blocks[at] = blocks;
            blocks += elements.div_ceil(THREADS * EACH);
        }
        lot.blocks[updates.len()] = blocks;
        let spread = Spread { blocks: (blocks, 1), threads: (THREADS, 1) };
        match *rule {
            Rule::Adam(step) => launch!(
                gpu,
                Updates,
                "adam",
                spread,
                [
                    lot,
                    numbers,
                    step.beta1 as f32,
                    (1. - step.beta1) as f32,
                    step.beta2 as f32,
                    (1. - step.beta2) as f32,
                    step.epsilon as f32,
                ]
            ),
            Rule::Sgd(step) => launch!(gpu, Updates, "sgd", spread, [lot, numbers, step.momentum as f32]),
            Rule::Average { .. } => launch!(gpu, Updates, "average", spread, [lot, numbers]),
        }
    }
    Ok(())
}

/// See [`crate::first_not_finite`].
pub(crate) fn first_not_finite(tensors: &[&Tensor]) -> Result<Option<usize>> {
    let Some(first) = tensors.first() else { return Ok(None) };
    let gpu = &device(first)?;
    let lots = tensors.len().div_ceil(MAX_TENSORS);
    let flags = Tensor::zeros((lots, MAX_TENSORS), DType::U32, first.device())?;
    for (number, tensors) in tensors.chunks(MAX_TENSORS).enumerate() {
        let mut lot = Updates::default();
        let mut blocks = 0;
        for (at, tensor) in tensors.iter().enumerate() {
            let elements: u32 = count(NAME, tensor.elem_count())?;
            lot.parameter[at] = address::<f32>(NAME, tensor)?;
            lot.count[at] = elements;
            lot.blocks[at] = blocks;
            blocks += elements.div_ceil(THREADS * EACH);
        }
        lot.blocks[tensors.len()] = blocks;
        let spread = Spread { blocks: (blocks, 1), threads: (THREADS, 1) };
        let flags = address::<u32>(NAME, &flags.get(number)?)?;
        launch!(gpu, Updates, "find_not_finite", spread, [lot, flags]);
    }
    Ok(flags.flatten_all()?.to_vec1::<u32>()?.iter().position(|&flag| flag != 0))
}
