//! One fully connected layer on slices: what [`linear`](crate::linear()) and [`mlp`](crate::mlp()) are made of.
//!
//! Matrices are row after row: `x` is `(B, in)`, `weight` `(out, in)`, `y` and gradients with respect to it `(B, out)`.

use crate::Activation;
use crate::cpu::vectorized;
use crate::matmul::{matmul, matmul_in_halves};
use crate::matrix::Mat;
use crate::parallel::in_chunks;

/// `activation(x Wᵀ + b)`.
pub(crate) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    inputs: usize,
    activation: Activation,
) -> Vec<f32> {
    matmul(
        Mat::new(x, inputs),
        Mat::new(weight, inputs).transposed(),
        #[inline(always)]
        |_, column, row| activation.apply(row, &bias[column..column + row.len()]),
    )
}

/// What a gradient is multiplied by on its way from a layer's input to before the activation below: `mask * activation'(y)`.
///
/// Each is `(B, width)`, and so is what it is multiplied onto.
#[derive(Clone, Copy)]
pub(crate) struct Slope<'a> {
    pub(crate) activation: Activation,
    /// What the activation made.
    pub(crate) y: &'a [f32],
    /// What this was multiplied by before the layer was given it.
    pub(crate) mask: Option<&'a [f32]>,
    pub(crate) width: usize,
}

impl Slope<'_> {
    /// Multiplies it onto `values`, which stand in `row` from `column` on.
    #[inline(always)]
    fn multiply(&self, row: usize, column: usize, values: &mut [f32]) {
        let range = row * self.width + column..row * self.width + column + values.len();
        if let Some(mask) = self.mask {
            multiply(values, &mask[range.clone()]);
        }
        self.activation.backward(&self.y[range], values);
    }

    /// Multiplies it onto a copy of all of `gradient`.
    pub(crate) fn times(&self, gradient: &[f32]) -> Vec<f32> {
        in_chunks(gradient.len(), self.width, 4, |start, product: &mut [f32]| {
            product.copy_from_slice(&gradient[start..][..product.len()]);
            vectorized(
                #[inline(always)]
                || self.multiply(start / self.width, 0, product),
            );
        })
    }
}

/// The gradient for a layer's input, multiplied by its `slope`: that before the activation below.
///
/// `pre` is the gradient before the layer's own activation, `(B, out)`.
pub(crate) fn input_gradient(pre: &[f32], weight: &[f32], outputs: usize, slope: Slope) -> Vec<f32> {
    matmul_in_halves(
        Mat::new(pre, outputs),
        Mat::new(weight, slope.width),
        #[inline(always)]
        |row, column, gradient| slope.multiply(row, column, gradient),
    )
}

/// How what is above a layer changes with its input: `change`, `(B, in)`, times the weight's transpose, multiplied by the `slope`.
pub(crate) fn tangent(change: &[f32], weight: &[f32], inputs: usize, slope: Slope) -> Vec<f32> {
    matmul(
        Mat::new(change, inputs),
        Mat::new(weight, inputs).transposed(),
        #[inline(always)]
        |row, column, values| slope.multiply(row, column, values),
    )
}

/// The gradients for a layer's weight and bias, from that before its activation and its input.
pub(crate) fn parameter_gradients(
    pre: &[f32],
    x: &[f32],
    inputs: usize,
    outputs: usize,
) -> (Vec<f32>, Vec<f32>) {
    let weight = matmul(Mat::new(pre, outputs).transposed(), Mat::new(x, inputs), |_, _, _| {});
    (weight, sum_rows(pre, outputs))
}

/// Multiplies `factors` onto `values`.
#[inline(always)]
fn multiply(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// `x` times `mask`, element by element.
pub(crate) fn masked(x: &[f32], mask: &[f32]) -> Vec<f32> {
    in_chunks(x.len(), 1, 1, |start, product: &mut [f32]| {
        product.copy_from_slice(&x[start..][..product.len()]);
        vectorized(
            #[inline(always)]
            || multiply(product, &mask[start..]),
        );
    })
}

/// The sum of the rows of a matrix of `width` columns.
fn sum_rows(matrix: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.; width];
    vectorized(
        #[inline(always)]
        || {
            for row in matrix.chunks_exact(width.max(1)) {
                for (sum, x) in sum.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    );
    sum
}
