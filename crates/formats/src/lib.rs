//! The files of other programs: PyTorch's state dicts in, ONNX models and TensorBoard's event files out.
//!
//! - [`pytorch`] reads what `torch.save(G.state_dict(), ...)` wrote, as data: nothing in such a file is ever executed.
//! - [`onnx`] writes the layers of a network as a model that onnxruntime runs.
//! - [`tensorboard`] writes scalars and pictures as TensorBoard reads them.
//!
//! Each is bytes in or bytes out; no file is touched here.

pub mod onnx;
mod protobuf;
pub mod pytorch;
pub mod tensorboard;
