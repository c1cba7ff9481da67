//! One fully connected layer on slices: what [`linear`](crate::linear()) and [`mlp`](crate::mlp()) are made of.
//!
//! Matrices are row after row: `x` is `(B, in)`, `weight` `(out, in)`, `y` and gradients with respect to it `(B, out)`.

use crate::Activation;
use crate::cpu::vectorized;
use crate::matmul::{Mat, matmul, matmul_in_halves};

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

/// The gradient before the activation, from that after it: `grad * activation'(y)`.
pub(crate) fn pre_activation(activation: Activation, y: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut pre = grad.to_vec();
    vectorized(
        #[inline(always)]
        || activation.backward(y, &mut pre),
    );
    pre
}

/// The backward pass of a layer.
#[derive(Clone, Copy)]
pub(crate) struct Backward<'a> {
    /// The gradient before the layer's activation: [`pre_activation`] of the gradient that reached the layer.
    pub(crate) pre: &'a [f32],
    pub(crate) x: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Whether the gradients of weight and bias are wanted.
    pub(crate) parameters: bool,
    /// Whether that of the input is, and the activation that made it: the gradient is that *before* this activation.
    pub(crate) input: Option<Activation>,
}

/// The gradients of a layer, empty where they were not wanted.
#[derive(Default)]
pub(crate) struct Gradients {
    pub(crate) input: Vec<f32>,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Backward<'_> {
    /// Computes all that is wanted.
    pub(crate) fn run(self) -> Gradients {
        let Self { pre, x, weight, inputs, outputs, parameters, input } = self;
        let mut gradients = Gradients::default();
        let pre_mat = Mat::new(pre, outputs);
        if let Some(below) = input {
            gradients.input = matmul_in_halves(
                pre_mat,
                Mat::new(weight, inputs),
                #[inline(always)]
                |row, column, grad| {
                    let from = row * inputs + column;
                    below.backward(&x[from..from + grad.len()], grad);
                },
            );
        }
        if parameters {
            gradients.weight = matmul(pre_mat.transposed(), Mat::new(x, inputs), |_, _, _| {});
            gradients.bias = sum_rows(pre, outputs);
        }
        gradients
    }
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
