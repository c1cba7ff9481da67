//! The losses, each a pure function: logits `(B, 1)` -> a scalar, a mean over the images. What G lowers, it lowers through D.

use candle_core::{Result, Tensor};
use ganlet_ops::{LossTerm, Term, bce_with_logits};
use serde::{Deserialize, Serialize};

const REAL: f64 = 1.;
const FAKE: f64 = 0.;

/// What the two networks lower, as functions of D's output for real images and for fakes.
///
/// | loss | D lowers | G lowers | source |
/// |---|---|---|---|
/// | non-saturating | `BCE(D(x), 1) + BCE(D(G(z)), 0)` | `BCE(D(G(z)), 1)` | Goodfellow et al., *Generative adversarial nets* (NeurIPS 2014), equation 1 and the end of section 3 |
/// | minimax | the same | `-BCE(D(G(z)), 0)` | the same, equation 1 |
/// | least squares | `½ (D(x) - 1)² + ½ D(G(z))²` | `½ (D(G(z)) - 1)²` | Mao et al., *Least squares generative adversarial networks* (ICCV 2017), equation 9 |
/// | hinge | `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))` | `-D(G(z))` | Lim and Ye, *Geometric GAN* (2017), and Miyato et al. (ICLR 2018), equations 16 and 17 |
/// | Wasserstein | `D(G(z)) - D(x)` | `-D(G(z))` | Arjovsky et al., *Wasserstein GAN* (ICML 2017), section 3 |
///
/// The first two end D in a sigmoid, and are logarithms of probabilities. Here they are written on the logits, `-ln sigmoid(l) =
/// softplus(-l)`: the same numbers, finite however sure D is. The others take D's output as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// G makes D call its fakes real. Where D is sure of a fake, its gradient is strong; that of the next one vanishes.
    #[default]
    NonSaturating,
    /// G raises what D lowers.
    Minimax,
    /// D's output is to be 1 for real images and 0 for fakes.
    LeastSquares,
    /// D's output is to be above 1 for real images and below -1 for fakes; beyond, it does not matter.
    Hinge,
    /// D's output is to be as much larger for real images as a bound on its slope allows.
    Wasserstein,
}

impl Loss {
    /// What D lowers. `real_target` is 1, or less for one-sided label smoothing: what D is to say of real images (Salimans et al.,
    /// *Improved techniques for training GANs*, NeurIPS 2016, section 3.4); the last two losses have no targets.
    ///
    /// # Errors
    /// When there are no logits.
    pub fn discriminator(self, real: &Tensor, fake: &Tensor, real_target: f64) -> Result<Tensor> {
        match self {
            Self::NonSaturating | Self::Minimax => {
                bce_with_logits(real, real_target * REAL)? + bce_with_logits(fake, FAKE)?
            }
            Self::LeastSquares => half_square(real, real_target * REAL)? + half_square(fake, FAKE)?,
            Self::Hinge => {
                real.affine(-1., 1.)?.relu()?.mean_all()? + fake.affine(1., 1.)?.relu()?.mean_all()?
            }
            Self::Wasserstein => fake.mean_all()? - real.mean_all()?,
        }
    }

    /// What G lowers.
    ///
    /// # Errors
    /// When there are no logits.
    pub fn generator(self, fake: &Tensor) -> Result<Tensor> {
        match self {
            Self::NonSaturating => bce_with_logits(fake, REAL),
            Self::Minimax => bce_with_logits(fake, FAKE)?.neg(),
            Self::LeastSquares => half_square(fake, REAL),
            Self::Hinge | Self::Wasserstein => fake.mean_all()?.neg(),
        }
    }

    /// [`Loss::discriminator`] as terms of [`mean_loss`](ganlet_ops::mean_loss): that of real images, and that of fakes.
    pub fn discriminator_terms(self, real_target: f64) -> [LossTerm; 2] {
        let terms = match self {
            Self::NonSaturating | Self::Minimax => {
                [real_target * REAL, FAKE].map(|target| Term::CrossEntropy { target })
            }
            Self::LeastSquares => [real_target * REAL, FAKE].map(|target| Term::HalfSquare { target }),
            Self::Hinge => [1., -1.].map(|sign| Term::Hinge { sign }),
            Self::Wasserstein => [-1., 1.].map(|sign| Term::Linear { sign }),
        };
        terms.map(|term| LossTerm { term, weight: 1. })
    }

    /// [`Loss::generator`] as such a term.
    pub fn generator_terms(self) -> [LossTerm; 1] {
        let (term, weight) = match self {
            Self::NonSaturating => (Term::CrossEntropy { target: REAL }, 1.),
            Self::Minimax => (Term::CrossEntropy { target: FAKE }, -1.),
            Self::LeastSquares => (Term::HalfSquare { target: REAL }, 1.),
            Self::Hinge | Self::Wasserstein => (Term::Linear { sign: -1. }, 1.),
        };
        [LossTerm { term, weight }]
    }

    /// Whether D's output is the logit of a probability.
    pub fn is_logistic(self) -> bool {
        matches!(self, Self::NonSaturating | Self::Minimax)
    }

    /// Whether D has a target to come to, which can be smoothed.
    pub(crate) fn has_targets(self) -> bool {
        self.is_logistic() || self == Self::LeastSquares
    }

    /// D's output as the loss reads it: a probability where there is one.
    pub(crate) fn score(self, logits: &Tensor) -> Result<Tensor> {
        match self.is_logistic() {
            // sigmoid(l) = (tanh(l / 2) + 1) / 2
            true => (logits * 0.5)?.tanh()?.affine(0.5, 0.5),
            false => Ok(logits.clone()),
        }
    }
}

/// The mean of `½ (l - target)²`.
fn half_square(logits: &Tensor, target: f64) -> Result<Tensor> {
    logits.affine(1., -target)?.sqr()?.mean_all()? * 0.5
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use ganlet_ops::mean_loss;

    use super::*;

    #[test]
    fn terms_are_the_losses_and_their_gradients() {
        // Far out, near the kinks, and at no place where a derivative jumps.
        let logits = [-30f32, -1.2, -0.9, -0.1, 0.3, 0.8, 1.1, 40.];
        let logits = Var::from_slice(&logits, (8, 1), &Device::Cpu).unwrap();
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let agree = |loss: &Tensor, terms: &[LossTerm], what: Loss| {
            let expected = loss.backward().unwrap().remove(&logits).unwrap();
            let (value, gradient) = mean_loss(&logits, terms).unwrap();
            for (got, expected) in [(&value, loss), (&gradient, &expected)] {
                for (got, expected) in numbers(got).into_iter().zip(numbers(expected)) {
                    assert!(
                        (got - expected).abs() <= 1e-6 * expected.abs().max(1.),
                        "{what:?}: {got}, {expected}"
                    );
                }
            }
        };
        for loss in [Loss::NonSaturating, Loss::Minimax, Loss::LeastSquares, Loss::Hinge, Loss::Wasserstein] {
            let [real, fake] = [0, 4].map(|first| logits.narrow(0, first, 4).unwrap());
            agree(&loss.discriminator(&real, &fake, 0.9).unwrap(), &loss.discriminator_terms(0.9), loss);
            agree(&loss.generator(&logits).unwrap(), &loss.generator_terms(), loss);
        }
    }
}
