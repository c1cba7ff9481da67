//! One fully connected layer on slices: what [`linear`](crate::linear()) and [`mlp`](crate::mlp()) are made of.
//!
//! Matrices are row after row: `x` is `(B, in)`, `weight` `(out, in)`, `y` and gradients with respect to it `(B, out)`.

use crate::Activation;
use crate::cpu::vectorized;
use crate::matmul::{Mat, Product, matmul};
use crate::parallel::{self, SharedMut};

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
    /// Computes all that is wanted in one parallel loop.
    pub(crate) fn run(self) -> Gradients {
        let Self { pre, x, weight, inputs, outputs, parameters, input } = self;
        let mut gradients = Gradients::default();
        if parameters {
            gradients.bias = vec![0.; outputs];
        }
        let bias = SharedMut(gradients.bias.as_mut_ptr());
        let pre_mat = Mat::new(pre, outputs);
        let for_input =
            input.map(|below| (below, Product::new(pre_mat, Mat::new(weight, inputs), &mut gradients.input)));
        let for_weight = parameters
            .then(|| Product::new(pre_mat.transposed(), Mat::new(x, inputs), &mut gradients.weight));

        let input_tiles = for_input.as_ref().map_or(0, |(_, product)| product.tiles());
        let weight_tiles = for_weight.as_ref().map_or(0, Product::tiles);
        let products = for_input.iter().map(|(_, product)| product).chain(&for_weight);
        let work = products.map(Product::work).sum();
        let pieces = input_tiles + weight_tiles + usize::from(parameters);
        parallel::for_each(pieces, work, |i| match (&for_input, &for_weight) {
            // SAFETY: each tile of each product is computed once, and nobody else has their memory.
            (Some((below, product)), _) if i < input_tiles => unsafe {
                product.tile(
                    i,
                    #[inline(always)]
                    |row, column, grad| {
                        let from = row * inputs + column;
                        below.backward(&x[from..from + grad.len()], grad);
                    },
                );
            },
            // SAFETY: as above.
            (_, Some(product)) if i < input_tiles + weight_tiles => unsafe {
                product.tile(i - input_tiles, |_, _, _| {});
            },
            // SAFETY: the last piece alone touches the bias's gradient, which has `outputs` elements.
            _ => sum_rows(pre, unsafe { bias.slice(0, outputs) }),
        });

        if let Some((_, product)) = for_input {
            // SAFETY: all tiles were computed.
            unsafe { product.finish(&mut gradients.input) };
        }
        if let Some(product) = for_weight {
            // SAFETY: as above.
            unsafe { product.finish(&mut gradients.weight) };
        }
        gradients
    }
}

/// Adds the rows of `matrix` to `sum`.
fn sum_rows(matrix: &[f32], sum: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for row in matrix.chunks_exact(sum.len().max(1)) {
                for (sum, x) in sum.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    );
}
