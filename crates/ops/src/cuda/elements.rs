//! What is done element by element, and the losses.

use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::{Result, Tensor};

use super::launch::{Spread, address, count, device, launch, one_each, optional};
use super::workspace::output;
use crate::Activation;
use crate::join::AT_ONCE;
use crate::joint::Below;
use crate::loss::{LossTerm, Term};

/// An activation as the kernels number it, and its slope. (A maxout's derivative is 1, for the piece that won.)
pub(super) fn code(activation: Activation) -> (i32, f32) {
    match activation {
        Activation::Identity | Activation::Maxout(_) => (0, 0.),
        Activation::LeakyRelu(slope) => (1, slope),
        Activation::Tanh => (2, 0.),
        Activation::Sigmoid => (3, 0.),
    }
}

/// `gradient * mask * activation'(y)`
pub(crate) fn times_slope(gradient: &Tensor, below: Below) -> Result<Tensor> {
    const NAME: &str = "mlp";
    let out = output(below.y.shape(), gradient)?;
    let elements: u32 = count(NAME, out.elem_count())?;
    let (activation, slope) = code(below.activation);
    launch!(
        &device(&out)?,
        Elements,
        "times_slope",
        one_each(elements),
        [
            address::<f32>(NAME, gradient)?,
            optional(NAME, below.mask)?,
            address::<f32>(NAME, below.y)?,
            address::<f32>(NAME, &out)?,
            elements,
            activation,
            slope,
        ]
    );
    Ok(out)
}

/// Element by element, of one shape.
pub(crate) fn multiply(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    const NAME: &str = "multiply";
    let out = output(a.shape(), a)?;
    let elements: u32 = count(NAME, out.elem_count())?;
    let [a, b] = [address::<f32>(NAME, a)?, address::<f32>(NAME, b)?];
    let to = address::<f32>(NAME, &out)?;
    launch!(&device(&out)?, Elements, "multiply", one_each(elements), [a, b, to, elements]);
    Ok(out)
}

/// `x (B, D)` less `center (D,)` in each row.
pub(crate) fn center(x: &Tensor, center: &Tensor) -> Result<Tensor> {
    const NAME: &str = "center";
    let out = output(x.shape(), x)?;
    let (elements, width): (u32, u32) = (count(NAME, out.elem_count())?, count(NAME, center.elem_count())?);
    let [x, center] = [address::<f32>(NAME, x)?, address::<f32>(NAME, center)?];
    let to = address::<f32>(NAME, &out)?;
    launch!(&device(&out)?, Elements, "center", one_each(elements), [x, center, to, elements, width]);
    Ok(out)
}

/// The rows `indices` of `pixels`, as [`crate::gather_normalize`] has them; with a clock's position the `batch` of them that are its step's.
pub(crate) fn gather_normalize(
    pixels: &Tensor,
    indices: &Tensor,
    position: Option<&Tensor>,
    batch: usize,
) -> Result<Tensor> {
    const NAME: &str = "gather_normalize";
    let (rows, width) = pixels.dims2()?;
    let out = output((batch, width), pixels)?;
    let elements = count(NAME, out.elem_count())?;
    let [rows, width, batch]: [u32; 3] = [count(NAME, rows)?, count(NAME, width)?, count(NAME, batch)?];
    let clock = position.map_or(Ok(0), |position| address::<i64>(NAME, position))?;
    launch!(
        &device(&out)?,
        Elements,
        "gather_normalize",
        one_each(elements),
        [
            address::<u8>(NAME, pixels)?,
            address::<u32>(NAME, indices)?,
            clock,
            address::<f32>(NAME, &out)?,
            rows,
            width,
            batch,
        ]
    );
    Ok(out)
}

/// As in `elements.cu`.
#[repr(C)]
struct Lots {
    from: [u64; AT_ONCE],
    ends: [u32; AT_ONCE],
}

// SAFETY: addresses and numbers, laid out as the kernel's struct.
unsafe impl DeviceRepr for Lots {}

/// Contiguous matrices of one width, up to [`AT_ONCE`] of them, one below the other.
pub(crate) fn join(matrices: &[Tensor]) -> Result<Tensor> {
    const NAME: &str = "join";
    let [first, ..] = matrices else {
        candle_core::bail!("{NAME}: expected at least one matrix, found none")
    };
    if matrices.len() > AT_ONCE {
        candle_core::bail!("{NAME}: expected at most {AT_ONCE} matrices, found {}", matrices.len());
    }
    let width = first.dims2()?.1;
    // What is not there begins after all that is.
    let mut lots = Lots { from: [0; AT_ONCE], ends: [u32::MAX; AT_ONCE] };
    let mut rows = 0;
    for (at, matrix) in matrices.iter().enumerate() {
        rows += matrix.dims2()?.0;
        lots.from[at] = address::<f32>(NAME, matrix)?;
        lots.ends[at] = count(NAME, rows * width)?;
    }
    let out = output((rows, width), first)?;
    let elements: u32 = count(NAME, out.elem_count())?;
    let to = address::<f32>(NAME, &out)?;
    // A thread takes four.
    let spread = one_each(elements.div_ceil(4));
    launch!(&device(&out)?, Elements, "join", spread, [lots, to, elements]);
    Ok(out)
}

/// [`crate::mean_loss`], of one or two terms.
pub(crate) fn mean_loss(logits: &Tensor, terms: &[LossTerm]) -> Result<(Tensor, Tensor)> {
    const NAME: &str = "mean_loss";
    let (value, gradient) = (output((), logits)?, output(logits.shape(), logits)?);
    let (first, other) = match terms {
        [first] => (first, first),
        [first, other] => (first, other),
        _ => candle_core::bail!("{NAME}: expected one or two terms, found {}", terms.len()),
    };
    let logit_count: i32 = count(NAME, logits.elem_count())?;
    let first_count = logit_count / terms.len() as i32;
    let [(kind, target), (other_kind, other_target)] = [first, other].map(|term| match term.term {
        Term::CrossEntropy { target } => (0, target as f32),
        Term::HalfSquare { target } => (1, target as f32),
        Term::Hinge { sign } => (2, sign as f32),
        Term::Linear { sign } => (3, sign as f32),
    });
    launch!(
        &device(logits)?,
        Elements,
        "mean_loss",
        Spread { blocks: (1, 1), threads: (if logit_count <= 1024 { 256 } else { 1024 }, 1) },
        [
            address::<f32>(NAME, logits)?,
            address::<f32>(NAME, &value)?,
            address::<f32>(NAME, &gradient)?,
            first_count,
            logit_count,
            kind,
            target,
            first.weight as f32,
            other_kind,
            other_target,
            other.weight as f32,
        ]
    );
    Ok((value, gradient))
}
