//! The tensor operations that GAN training spends its time in, as candle custom operations.
//!
//! A multi-layer perceptron written in candle's own operations makes a pass over memory, and an allocation, for each
//! bias, comparison and multiplication; at MNIST's sizes they cost several times what the matrix products cost. The
//! operations here do the work of one line of the algorithm in one pass:
//!
//! | operation | is | gradient |
//! |---|---|---|
//! | [`linear`](fn@linear) | `activation(x Wᵀ + b)` | for `x`, `W` and `b`, from the output alone |
//! | [`mlp`](fn@mlp), [`mlp_with_dropout`] | several of these in turn | the same, by hand: without the copies that candle makes |
//! | [`InputGradientPass`] | the gradient of an [`mlp`](fn@mlp) for its input | for `W`: the second-order part of gradient penalties |
//! | [`matmul`](fn@matmul) | the matrix product that both are made of, alone | for both factors |
//! | [`mean_loss`] | a loss of logits, one for real images and one for fakes, with its gradient | by hand |
//! | [`bce_with_logits`] | the mean binary cross-entropy, finite at any logit | for the logits |
//! | [`adam_step`], [`sgd_step`] | one step of Adam, or of gradient descent with momentum, in place; [`adam_steps`], [`sgd_steps`] of several tensors | - |
//! | [`average_step`] | one step of an exponential moving average, in place; [`average_steps`] of several tensors | - |
//! | [`join`](fn@join) | matrices one below the other | - |
//! | [`spectral_norm`] | a weight divided by its largest singular value | for the weight |
//! | [`center`](fn@center) | a row taken from each row | - |
//! | [`normalize`], [`denormalize`] | pixels to `[-1, 1]` and back | - |
//! | [`gather_normalize`] | a batch out of a data set that stays u8 | - |
//!
//! Each runs fused on a CPU in f32, and elsewhere as its plain-candle form in [`mod@reference`], to which the tests hold
//! it. ([`normalize`] and [`denormalize`] alone are always the plain form.) With the feature `cuda` there are kernels for a GPU too, for what a
//! training step does: not for [`spectral_norm`], [`bce_with_logits`], [`matmul`](fn@matmul) alone, and gradients that candle's own `backward`
//! asks for. A [`Clock`] lives on the GPU, so that a step can be recorded as a graph.
//!
//! On a CPU the work is split over the *elements* of a result, into pieces that do not depend on the number of threads: the same bits come out
//! for any number of them. There are [`threads`] of them, and [`for_each_mut`] shares other work among them.
//!
//! ```
//! use candle_core::{DType, Device, Tensor, Var};
//! use ganlet_ops::{Activation, linear};
//!
//! # fn main() -> candle_core::Result<()> {
//! let x = Tensor::ones((5, 3), DType::F32, &Device::Cpu)?;
//! let w = Var::from_slice(&[0.1f32, 0.2, 0.3, -0.1, -0.2, -0.3], (2, 3), &Device::Cpu)?;
//! let b = Var::zeros(2, DType::F32, &Device::Cpu)?;
//!
//! let y = linear(&x, &w, &b, Activation::LeakyRelu(0.2))?; // (5, 2)
//! let gradients = y.sum_all()?.backward()?;
//! assert_eq!(gradients.get(&w).unwrap().dims(), [2, 3]);
//! # Ok(())
//! # }
//! ```

mod activation;
mod adam;
mod average;
mod bce;
mod center;
mod clock;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "cuda/absent.rs"]
mod cuda;
mod dot;
mod finite;
mod input_gradient;
mod join;
mod joint;
mod layer;
mod linear;
mod loss;
mod matmul;
mod matrix;
mod maxout;
mod microkernel;
mod mlp;
mod pack;
mod parallel;
mod pixels;
mod pool;
mod prefetch;
mod product;
pub mod reference;
mod sgd;
mod spectral;
#[doc(hidden)]
pub mod testing;
mod updates;

pub use activation::Activation;
pub use adam::{AdamStep, adam_step};
pub use average::average_step;
pub use bce::bce_with_logits;
pub use center::center;
pub use clock::{Clock, Draw, DrawFrom, Row};
pub use cuda::open as open_gpu;
#[cfg(feature = "cuda")]
pub use cuda::{Graph, Rehearsal};
pub use finite::first_not_finite;
pub use input_gradient::InputGradientPass;
pub use join::join;
pub use linear::linear;
pub use loss::{LossTerm, Term, mean_loss};
pub use mlp::{Layer, LayerGradients, MlpPass, mlp, mlp_with_dropout};
pub use parallel::for_each_mut;
pub use pixels::{denormalize, gather_normalize, normalize};
pub use pool::{MOST_THREADS, threads};
pub use product::matmul;
pub use sgd::{SgdStep, sgd_step};
pub use spectral::{SpectralNorm, spectral_norm};
pub use updates::{Update, adam_steps, average_steps, sgd_steps};
