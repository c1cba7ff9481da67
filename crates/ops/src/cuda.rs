//! The operations on an NVIDIA GPU: what [`crate::layer`] and its like are on a CPU, with kernels of our own.
//!
//! Everything is queued on the one stream of the tensors' device, which keeps the order; nothing here waits for the GPU or copies
//! from the host, with one exception that [`updates::update`] names, so that all of it can be captured as a graph.

mod clock;
mod device;
mod elements;
mod graph;
mod launch;
mod layer;
mod maxout;
mod product;
mod updates;
mod workspace;

pub use device::open;
pub use graph::{Graph, Rehearsal};

pub(crate) use clock::{draw, gather_one_hot, tick};
pub(crate) use elements::{center, gather_normalize, join, mean_loss, multiply, times_slope};
pub(crate) use launch::applies;
pub(crate) use layer::{add_product, input_gradient, linear, parameter_gradients, tangent};
pub(crate) use maxout::{select, spread, winners};
pub(crate) use updates::{first_not_finite, update};
