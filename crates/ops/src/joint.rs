use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, with_slices};
use crate::layer::{self, Slope};
use crate::linear::linear;
use crate::mlp::Layer;
use crate::{cuda, maxout, reference};

/// What a gradient is multiplied by on its way from a layer's input to before the activation below: see [`Slope`].
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only kernels read it"))]
pub(crate) struct Below<'a> {
    pub(crate) activation: Activation,
    pub(crate) y: &'a Tensor,
    pub(crate) mask: Option<&'a Tensor>,
}

/// What stands between two layers in a pass: the activation of the one below, and the mask of the one above.
///
/// The first stands below all layers and has no activation; the last stands above all and has no mask.
#[derive(Clone, Debug)]
pub(crate) struct Joint {
    pub(crate) activation: Activation,
    /// What the activation made, `(B, units)`.
    y: Tensor,
    /// Which piece of a maxout won, `(B, units)` u8.
    winners: Option<Tensor>,
    /// `(B, units)`
    mask: Option<Tensor>,
    /// What the layer above is given, `(B, units)`: `y`, multiplied by the mask.
    pub(crate) x: Tensor,
}

impl Joint {
    /// Below the first layer.
    pub(crate) fn first(op: &'static str, x: Tensor, mask: Option<&Tensor>) -> Result<Self> {
        Self::new(op, Activation::Identity, x, None, mask)
    }

    /// Above `layer`, which is given `x`; `mask` is that of the layer above.
    pub(crate) fn above(op: &'static str, layer: &Layer, x: &Tensor, mask: Option<&Tensor>) -> Result<Self> {
        let Layer { weight, bias, activation } = layer;
        let Activation::Maxout(pieces) = *activation else {
            return Self::new(op, *activation, linear(x, weight, bias, *activation)?, None, mask);
        };
        let z = linear(x, weight, bias, Activation::Identity)?;
        let winners = maxout::winners(&z, pieces)?;
        Self::new(op, *activation, maxout::select(&z, &winners)?, Some(winners), mask)
    }

    fn new(
        op: &'static str,
        activation: Activation,
        y: Tensor,
        winners: Option<Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<Self> {
        let mask = mask.map(|mask| checked_mask(op, mask, &y)).transpose()?;
        let x = masked(&y, mask.as_ref())?;
        Ok(Self { activation, y, winners, mask, x })
    }

    /// The same of `count` rows from row `first` on.
    pub(crate) fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let rows = |t: &Tensor| t.narrow(0, first, count);
        Ok(Self {
            activation: self.activation,
            y: rows(&self.y)?,
            winners: self.winners.as_ref().map(rows).transpose()?,
            mask: self.mask.as_ref().map(rows).transpose()?,
            x: rows(&self.x)?,
        })
    }

    /// `t`, which is `(B, units)`, multiplied by the mask.
    pub(crate) fn masked(&self, t: &Tensor) -> Result<Tensor> {
        masked(t, self.mask.as_ref())
    }

    /// From the gradient for `x`: that before the activation, `(B, rows of the weight)`.
    pub(crate) fn backward(&self, gradient: &Tensor) -> Result<Tensor> {
        let gradient = match (self.activation, &self.mask) {
            (Activation::Identity | Activation::Maxout(_), None) => gradient.clone(),
            _ => self.times_slope(gradient)?,
        };
        self.spread(gradient)
    }

    /// The same through the layer above: from the gradient `pre` before its activation.
    pub(crate) fn backward_through(&self, layer: &Layer, pre: &Tensor) -> Result<Tensor> {
        if cuda::applies(&[pre, &layer.weight, &self.y]) {
            return self.spread(cuda::input_gradient(pre, &layer.weight, self.below())?);
        }
        if !applies(&[pre, &layer.weight, &self.y]) {
            return self.backward(&pre.matmul(&layer.weight)?);
        }
        let outputs = layer.weight.dims2()?.0;
        let gradient = self.with_slope([pre, &layer.weight], |[pre, weight], slope| {
            layer::input_gradient(pre, weight, outputs, slope)
        })?;
        self.spread(gradient)
    }

    /// The transpose of [`Joint::backward_through`], through the layer below: from a change of what that layer is given, as its mask has left it,
    /// the change of `x`.
    pub(crate) fn forward_through(&self, layer: &Layer, change: &Tensor) -> Result<Tensor> {
        if self.winners.is_none() && cuda::applies(&[change, &layer.weight, &self.y]) {
            return cuda::tangent(change, &layer.weight, self.below());
        }
        if self.winners.is_some() || !applies(&[change, &layer.weight, &self.y]) {
            let z = crate::matmul(change, &layer.weight.t()?)?;
            return match &self.winners {
                Some(winners) => self.masked(&maxout::select(&z, winners)?),
                None => self.times_slope(&z),
            };
        }
        let inputs = layer.weight.dims2()?.1;
        self.with_slope([change, &layer.weight], |[change, weight], slope| {
            layer::tangent(change, weight, inputs, slope)
        })
    }

    /// Gives each gradient of a maxout to the piece that won.
    fn spread(&self, gradient: Tensor) -> Result<Tensor> {
        match &self.winners {
            Some(winners) => maxout::spread(&gradient, winners, self.activation.pieces()),
            None => Ok(gradient),
        }
    }

    /// `gradient` times mask and derivative, both `(B, units)`.
    fn times_slope(&self, gradient: &Tensor) -> Result<Tensor> {
        if cuda::applies(&[gradient, &self.y]) {
            return cuda::times_slope(&gradient.contiguous()?, self.below());
        }
        if !applies(&[gradient, &self.y]) {
            return reference::pre_activation(self.activation, &self.y, &self.masked(gradient)?);
        }
        self.with_slope([&gradient.contiguous()?], |[gradient], slope| slope.times(gradient))
    }

    fn below(&self) -> Below<'_> {
        Below { activation: self.activation, y: &self.y, mask: self.mask.as_ref() }
    }

    /// Calls `f` with the elements of `tensors` and the slope, and makes of what it gives a tensor of the shape of `y`.
    fn with_slope<const N: usize>(
        &self,
        tensors: [&Tensor; N],
        f: impl FnOnce([&[f32]; N], Slope) -> Vec<f32>,
    ) -> Result<Tensor> {
        const NAME: &str = "mlp";
        let (activation, width) = (self.activation, self.y.dims2()?.1);
        let values = with_slices(NAME, tensors, |tensors| {
            with_slices(NAME, [&self.y], |[y]| match &self.mask {
                None => Ok(f(tensors, Slope { activation, y, mask: None, width })),
                Some(mask) => with_slices(NAME, [mask], |[mask]| {
                    Ok(f(tensors, Slope { activation, y, mask: Some(mask), width }))
                }),
            })
        })?;
        Tensor::from_vec(values, self.y.shape(), self.y.device())
    }
}

fn masked(t: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let Some(mask) = mask else { return Ok(t.clone()) };
    if cuda::applies(&[t, mask]) {
        return cuda::multiply(&t.contiguous()?, mask);
    }
    if !applies(&[t, mask]) {
        return t * mask;
    }
    let product = with_slices("mlp", [&t.contiguous()?, mask], |[t, mask]| Ok(layer::masked(t, mask)))?;
    Tensor::from_vec(product, t.shape(), t.device())
}

/// A mask for `y`, as a constant.
fn checked_mask(op: &str, mask: &Tensor, y: &Tensor) -> Result<Tensor> {
    if mask.shape() != y.shape() || mask.dtype() != y.dtype() {
        candle_core::bail!(
            "{op}: for a layer whose input is {:?} of {:?} expected a mask of the same, found {:?} of {:?}",
            y.shape(),
            y.dtype(),
            mask.shape(),
            mask.dtype()
        );
    }
    Ok(mask.contiguous()?.detach())
}
