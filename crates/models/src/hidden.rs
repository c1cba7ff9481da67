use std::fmt;

use ganlet_ops::Activation;
use serde::{Deserialize, Serialize};

/// The slope of [`HiddenActivation::LeakyRelu`] for negative inputs.
pub const LEAKY_SLOPE: f32 = 0.2;

/// The most pieces of a [`HiddenActivation::Maxout`].
const MAX_PIECES: usize = 64;

/// What a network applies between its layers. In files it is written `leaky-relu`, `relu`, or `maxout-5` for five pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HiddenActivation {
    /// `x` where positive, else `0.2 x` (Maas et al., *Rectifier nonlinearities improve neural network acoustic models*, 2013; the slope is
    /// that of Radford et al., *DCGAN*, 2016).
    #[default]
    LeakyRelu,
    /// `x` where positive, else 0.
    Relu,
    /// The largest of so many linear functions, 1 to 64 of them (Goodfellow et al., *Maxout networks*, ICML 2013, equation 1).
    Maxout(usize),
}

impl HiddenActivation {
    /// The operation.
    pub fn activation(self) -> Activation {
        match self {
            Self::LeakyRelu => Activation::LeakyRelu(LEAKY_SLOPE),
            Self::Relu => Activation::LeakyRelu(0.),
            Self::Maxout(pieces) => Activation::Maxout(pieces),
        }
    }

    /// Rows of a weight for each of the layer's outputs.
    pub(crate) fn pieces(self) -> usize {
        match self {
            Self::LeakyRelu | Self::Relu => 1,
            Self::Maxout(pieces) => pieces,
        }
    }
}

impl fmt::Display for HiddenActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeakyRelu => write!(f, "leaky-relu"),
            Self::Relu => write!(f, "relu"),
            Self::Maxout(pieces) => write!(f, "maxout-{pieces}"),
        }
    }
}

impl From<HiddenActivation> for String {
    fn from(activation: HiddenActivation) -> Self {
        activation.to_string()
    }
}

impl TryFrom<String> for HiddenActivation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pieces = || text.strip_prefix("maxout-")?.parse().ok().filter(|n| (1..=MAX_PIECES).contains(n));
        match text.as_str() {
            "leaky-relu" => Ok(Self::LeakyRelu),
            "relu" => Ok(Self::Relu),
            _ => pieces().map(Self::Maxout).ok_or_else(|| {
                format!(
                    "expected leaky-relu, relu, or maxout-N with N from 1 to {MAX_PIECES}, found `{text}`"
                )
            }),
        }
    }
}
