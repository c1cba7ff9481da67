//! How a GAN is trained: recipes, losses, optimizers, one step, the loop.
//!
//! Read in this order: [`Recipe`] (all that can be chosen), [`Loss`] (each a line), [`step`](fn@step) (the algorithm),
//! [`train`](fn@train) (the loop), [`draw`] (what is random, and how it is a function of the seed and the clock alone), [`Optimizer`],
//! [`Average`], [`checkpoint`] (a training as one file), [`Watch`] (how a training shows that it goes wrong).
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ganlet_train::{Gan, Observer, ObserverResult, Recipe, Report, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // 32 images of 4 x 4 pixels, u8, as a data set has them.
//! let pixels: Vec<u8> = (0..32 * 16).map(|i| if i % 3 == 0 { 255 } else { 0 }).collect();
//! let images = Tensor::from_vec(pixels, (32, 16), &Device::Cpu)?;
//!
//! let mut recipe = Recipe::named("classic")?;
//! (recipe.epochs, recipe.batch_size, recipe.report_every) = (2, 8, 4);
//!
//! struct Print;
//! impl Observer for Print {
//!     fn on_report(&mut self, report: &Report) -> ObserverResult {
//!         Ok(println!("step {}: D {:.3}, G {:.3}", report.step, report.d_loss, report.g_loss))
//!     }
//! }
//!
//! let mut gan = Gan::new(&recipe, [4, 4], &Device::Cpu)?;
//! train(&mut gan, &images, &recipe, &mut Print)?;
//! assert_eq!(gan.steps, 8);
//! let fakes = gan.generator.sample(&[0, 1, 2])?; // (3, 16) in [-1, 1]
//! # Ok(())
//! # }
//! ```

mod average;
pub mod checkpoint;
pub mod draw;
mod error;
mod gan;
mod losses;
mod observer;
mod optimizer;
mod pace;
mod penalties;
mod recipe;
#[cfg(feature = "cuda")]
mod resident;
#[cfg(not(feature = "cuda"))]
#[path = "resident/absent.rs"]
mod resident;
mod schedule;
mod step;
mod train;
mod watch;

pub use average::Average;
pub use error::{Error, Result};
pub use gan::Gan;
pub use losses::Loss;
pub use observer::{Observer, ObserverResult, Report};
pub use optimizer::{Optimizer, Rule};
pub use pace::{Pace, Rate};
pub use recipe::Recipe;
pub use schedule::Schedule;
pub use step::{Batch, StepLosses, step};
pub use train::{TrainingSet, steps_per_epoch, train, train_until};
pub use watch::{Warning, Watch, variety};
