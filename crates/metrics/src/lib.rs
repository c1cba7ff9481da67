//! How good generated digits are: fidelity, diversity, memorisation and likelihood. Tensors in, numbers out.
//!
//! | question | numbers |
//! |---|---|
//! | how far are samples from real images, in features? | [`frechet_distance`], [`kernel_distance`] |
//! | are samples like real images, and are all real images like some samples? | [`Manifold`]: precision, recall, density, coverage |
//! | are they digits, and of all kinds? | [`Classes`]: score, confidence, histogram, dropped classes |
//! | are they the digits that were asked for? | [`agreement`](fn@agreement) |
//! | how likely are real images? | [`Parzen`], as in the 2014 paper, for comparison with its table |
//! | are they copies? | [`nearest`](fn@nearest) training images |
//!
//! Each number comes with its standard error, as an [`Estimate`]. [`Evaluator`] computes all of them, and what they are for
//! training images and for noise; [`DigitJudge`] those that are cheap enough to be computed during a training. The features are those of
//! [`DigitNetwork`], whose weights come with this crate; the distances take any features. `scripts/check_metrics.py` holds
//! the numbers to those of SciPy, scikit-learn and the `prdc` package.
//!
//! All is computed on the CPU, in f64 but for the products of pixels, on the threads of rayon: the same bits for any number of them.
//!
//! ```
//! use candle_core::Device;
//! use ganlet_data::synthetic;
//! use ganlet_metrics::Evaluator;
//! use ganlet_ops::normalize;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let digits = synthetic::digits(600, 100);
//! let (train, test) = (digits.train().images(&Device::Cpu)?, digits.test().images(&Device::Cpu)?); // (N, 784) u8
//! let evaluator = Evaluator::new(&train, &test)?;
//!
//! // In place of a generator's samples, more digits of the same hand: (200, 784) f32 in [-1, 1].
//! let samples = normalize(&synthetic::digits(800, 1).train().images(&Device::Cpu)?.narrow(0, 600, 200)?)?;
//! let quality = evaluator.evaluate(&samples)?;
//! let digits = quality.digits.expect("these are images of 28 x 28 pixels");
//! println!("Fréchet distance {} ± {}", digits.judgement.frechet.value, digits.judgement.frechet.error);
//! assert!(digits.overlap.coverage.value > evaluator.noise(200)?.digits.unwrap().overlap.coverage.value);
//! # Ok(())
//! # }
//! ```

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

pub use classes::{Classes, agreement};
pub use digits::{CLASSES, DigitNetwork, FEATURES, PARAMETERS, SIDE};
pub use error::{Error, Result};
pub use estimate::Estimate;
pub use evaluate::{DigitJudge, DigitQuality, Evaluator, Judgement, NEIGHBOURS, Quality};
pub use frechet::{Gaussian, frechet_distance};
pub use kernel::{KernelMean, kernel_distance};
pub use manifold::{Manifold, Overlap};
pub use nearest::{Nearest, nearest};
pub use parzen::{Parzen, sigmas};
