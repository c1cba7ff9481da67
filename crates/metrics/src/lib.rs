//! How good generated digits are.

mod matrix;

mod convolution;
mod digits;

mod error;
mod estimate;
mod input;

mod classes;
mod frechet;
mod kernel;
mod manifold;
mod nearest;
mod parzen;

mod evaluate;

pub use classes::Classes;
pub use digits::{CLASSES, DigitNetwork, FEATURES, PARAMETERS, SIDE};
pub use error::{Error, Result};
pub use estimate::Estimate;
pub use evaluate::{DigitJudge, DigitQuality, Evaluator, Judgement, NEIGHBOURS, Quality};
pub use frechet::{Gaussian, frechet_distance};
pub use kernel::{KernelMean, kernel_distance};
pub use manifold::{Manifold, Overlap};
pub use nearest::{Nearest, nearest};
pub use parzen::{Parzen, sigmas};
