//! ONNX models: the layers of a network as a graph that onnxruntime and others run.
//!
//! The field numbers are those of `onnx/onnx.proto`, the operators those of operator set 13, which every runtime since the end of 2020
//! knows. The batch is of any size.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ganlet_formats::onnx::{Network, to_bytes};
//! use ganlet_ops::{Activation, Layer};
//!
//! # fn main() -> ganlet_formats::onnx::Result<()> {
//! let weight = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
//! let bias = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
//! let layers = [Layer { weight, bias, activation: Activation::Tanh }];
//! let network =
//!     Network { name: "generator", input: "latents", classes: 0, output: "images", layers: &layers, about: &[] };
//! let model: Vec<u8> = to_bytes(&network)?; // for a file that ends in .onnx
//! # Ok(())
//! # }
//! ```

use candle_core::Tensor;
use ganlet_ops::{Activation, Layer};

use crate::protobuf::Message;

/// The version of the format, and that of the operators.
const IR_VERSION: i64 = 7;
const OPERATOR_SET: i64 = 13;

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The most bytes of a message of protocol buffers.
const LIMIT: usize = i32::MAX as usize;

/// The name of the first dimension of what goes in and comes out.
const BATCH: &str = "batch";

/// The name of the labels that go in.
const LABELS: &str = "labels";

/// A network to be written.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The name of what goes in: f32 `(batch, N)`, N being the inputs of the first layer, less `classes`.
    pub input: &'a str,
    /// How many labels there are. With any, int64 `labels` `(batch,)` go in as well, each in `0..classes`, and reach the first layer as
    /// ones and zeros after the other inputs.
    pub classes: usize,
    /// The name of what comes out: f32 `(batch, M)`.
    pub output: &'a str,
    /// What is in between.
    pub layers: &'a [Layer],
    /// What else the file says, by name.
    pub about: &'a [(&'a str, &'a str)],
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no layers, or the first takes fewer inputs than there are labels.
    #[error("expected layers, the first with more inputs than the {classes} labels, found {inputs:?} inputs")]
    Inputs {
        /// How many labels there are.
        classes: usize,
        /// The inputs of the first layer, if there is one.
        inputs: Option<usize>,
    },

    /// An ONNX file cannot hold it.
    #[error("an ONNX file holds at most {LIMIT} bytes, and this network needs {found}")]
    TooLarge {
        /// How many bytes it would take.
        found: usize,
    },

    /// The weights could not be read.
    #[error("cannot read the weights")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The bytes of an ONNX file.
///
/// # Errors
/// When there are no layers, or too many weights for such a file.
pub fn to_bytes(network: &Network) -> Result<Vec<u8>> {
    let &Network { name, input, classes, output, layers, about } = network;
    let ends = (layers.first(), layers.last());
    let (inputs, outputs) = match ends {
        (Some(first), Some(last)) => {
            (first.weight.dims2()?.1, last.weight.dims2()?.0 / pieces(last.activation))
        }
        _ => return Err(Error::Inputs { classes, inputs: None }),
    };
    let Some(inputs) = inputs.checked_sub(classes).filter(|&inputs| inputs > 0) else {
        return Err(Error::Inputs { classes, inputs: Some(inputs) });
    };
    let bytes: usize = layers.iter().map(|layer| layer.weight.elem_count() * size_of::<f32>()).sum();
    if bytes > LIMIT {
        return Err(Error::TooLarge { found: bytes });
    }

    let mut graph = Graph::default();
    let mut value = input.to_owned();
    let mut takes = vec![described(input, FLOAT, &[inputs])];
    if classes > 0 {
        takes.push(described(LABELS, INT64, &[]));
        value = graph.with_labels(value, classes);
    }
    for (number, layer) in layers.iter().enumerate() {
        let last = number + 1 == layers.len();
        let result = if last { output.to_owned() } else { format!("hidden{number}") };
        graph.layer(value, layer, number, &result)?;
        value = result;
    }
    let Graph { nodes, tensors } = graph;
    let graph = Message::new()
        .each(nodes, |graph, node| graph.message(1, node))
        .bytes(2, name)
        .each(tensors, |graph, tensor| graph.message(5, tensor))
        .each(takes, |graph, input| graph.message(11, input))
        .message(12, described(output, FLOAT, &[outputs]));
    let model = Message::new()
        .int(1, IR_VERSION)
        .bytes(2, "ganlet")
        .message(7, graph)
        .message(8, Message::new().bytes(1, "").int(2, OPERATOR_SET))
        .each(about, |model, (key, value)| model.message(14, Message::new().bytes(1, key).bytes(2, value)))
        .into_bytes();
    match model.len() {
        0..=LIMIT => Ok(model),
        found => Err(Error::TooLarge { found }),
    }
}

/// A graph that grows.
#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    /// The initial values that nodes take by name.
    tensors: Vec<Message>,
}

impl Graph {
    /// `(batch, N)` and the labels to `(batch, N + classes)`.
    fn with_labels(&mut self, value: String, classes: usize) -> String {
        self.tensors.push(integers("classes", &[], &[classes as i64]));
        self.tensors.push(numbers("off_on", &[2], &[0., 1.]));
        self.node("OneHot", &[LABELS, "classes", "off_on"], "one_hot", vec![]);
        self.node("Concat", &[&value, "one_hot"], "labelled", vec![integer("axis", 1)]);
        "labelled".into()
    }

    /// `activation(value Wᵀ + b)`
    fn layer(&mut self, value: String, layer: &Layer, number: usize, result: &str) -> Result<()> {
        // As in a state dict of PyTorch, where an activation takes a number of its own.
        let [weight, bias] = ["weight", "bias"].map(|kind| format!("{}.{kind}", 2 * number));
        for (name, tensor) in [(&weight, &layer.weight), (&bias, &layer.bias)] {
            self.tensors.push(numbers(name, tensor.dims(), &values(tensor)?));
        }
        let linear = match layer.activation {
            Activation::Identity => result.to_owned(),
            _ => format!("linear{number}"),
        };
        self.node("Gemm", &[&value, &weight, &bias], &linear, vec![integer("transB", 1)]);
        match layer.activation {
            Activation::Identity => {}
            Activation::LeakyRelu(0.) => self.node("Relu", &[&linear], result, vec![]),
            Activation::LeakyRelu(slope) => {
                self.node("LeakyRelu", &[&linear], result, vec![real("alpha", slope)]);
            }
            Activation::Tanh => self.node("Tanh", &[&linear], result, vec![]),
            Activation::Sigmoid => self.node("Sigmoid", &[&linear], result, vec![]),
            Activation::Maxout(pieces) => {
                // The rows of a unit's pieces stand together: (batch, units * pieces) -> (batch, units, pieces).
                let [shape, apart] = [format!("shape{number}"), format!("pieces{number}")];
                self.tensors.push(integers(&shape, &[3], &[0, -1, pieces as i64]));
                self.node("Reshape", &[&linear, &shape], &apart, vec![]);
                self.node(
                    "ReduceMax",
                    &[&apart],
                    result,
                    vec![whole_list("axes", &[2]), integer("keepdims", 0)],
                );
            }
        }
        Ok(())
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: Vec<Message>) {
        let node = Message::new()
            .each(inputs, |node, input| node.bytes(1, input))
            .bytes(2, output)
            .bytes(4, operator)
            .each(attributes, |node, attribute| node.message(5, attribute));
        self.nodes.push(node);
    }
}

/// Rows of the weight for each output.
fn pieces(activation: Activation) -> usize {
    match activation {
        Activation::Maxout(pieces) => pieces.max(1),
        _ => 1,
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// `AttributeProto`, of type `FLOAT`.
fn real(name: &str, value: f32) -> Message {
    Message::new().bytes(1, name).float(2, value).int(20, 1)
}

/// Of type `INT`.
fn integer(name: &str, value: i64) -> Message {
    Message::new().bytes(1, name).int(3, value).int(20, 2)
}

/// Of type `INTS`.
fn whole_list(name: &str, values: &[i64]) -> Message {
    Message::new().bytes(1, name).each(values, |list, &value| list.int(8, value)).int(20, 7)
}

/// `TensorProto`
fn numbers(name: &str, dims: &[usize], values: &[f32]) -> Message {
    tensor(name, FLOAT, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn integers(name: &str, dims: &[usize], values: &[i64]) -> Message {
    tensor(name, INT64, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn tensor(name: &str, kind: i64, dims: &[usize], bytes: Vec<u8>) -> Message {
    Message::new()
        .each(dims, |tensor, &dim| tensor.int(1, dim as i64))
        .int(2, kind)
        .bytes(8, name)
        .bytes(9, bytes)
}

/// `ValueInfoProto`: a tensor `(batch, dims..)` that goes in or comes out.
fn described(name: &str, kind: i64, dims: &[usize]) -> Message {
    let shape = Message::new()
        .message(1, Message::new().bytes(2, BATCH))
        .each(dims, |shape, &dim| shape.message(1, Message::new().int(1, dim as i64)));
    let tensor = Message::new().int(1, kind).message(2, shape);
    Message::new().bytes(1, name).message(2, Message::new().message(1, tensor))
}
