//! Random numbers that are a pure function of a seed and a position.
//!
//! A training step that draws from a *stateful* generator can only be resumed if the generator's state was
//! saved, and changes as soon as anything else draws from it. Here nothing is stateful: a [`Stream`] is named by
//! `(seed, domain, index)`, starts at its first number wherever and whenever it is opened, and no two streams share
//! a number's counter. The noise of step 7,000 is the stream `(seed, NOISE, 7000)`; nothing needs to be remembered
//! to draw it again.
//!
//! The integers come from [`philox`] (Philox 4x32-10), a counter-based generator with a published definition and
//! test vectors, which a GPU computes just as well. The floats are made of additions, multiplications, divisions and
//! square roots only, so they are the same bits on every machine.
//!
//! ```
//! use ganlet_random::Stream;
//!
//! const NOISE: u32 = 1;
//! let mut z = [0f32; 64];
//! Stream::new(0, NOISE, 7000).fill_normal(&mut z);
//!
//! let mut again = [0f32; 64];
//! Stream::new(0, NOISE, 7000).fill_normal(&mut again);
//! assert_eq!(z, again);
//! ```

mod normal;
pub mod philox;
mod stream;

pub use stream::Stream;
