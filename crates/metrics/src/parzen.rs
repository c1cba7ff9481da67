use candle_core::Tensor;

use crate::estimate::Estimate;
use crate::input::{pixels, same_width};
use crate::matrix::{Rows, inner_products};
use crate::{Error, Result};

/// The log-likelihood of test images under a Parzen window around samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parzen {
    /// The mean over the test images, in nats, and its standard error over them.
    pub log_likelihood: Estimate,
    /// The width of the window, for pixels in `[0, 1]`.
    pub sigma: f64,
}

/// The widths that the paper's code tries: ten from 0.1 to 1, equally spaced in their logarithms.
pub fn sigmas() -> [f64; 10] {
    std::array::from_fn(|i| 10f64.powf(i as f64 / 9. - 1.))
}

impl Parzen {
    /// Fits a window to `samples (N, D)` with that of the `sigmas` which `validation (V, D)` is likeliest under, and gives the
    /// log-likelihood of `test (M, D)`; all of them images in `[-1, 1]`.
    ///
    /// As `parzen_ll.py` does it, the code of Goodfellow et al., *Generative adversarial nets* (NeurIPS 2014), for its table 1
    /// (github.com/goodfeli/adversarial), the method being that of Breuleux et al. (2011): on pixels in `[0, 1]`, with
    /// `ln p(x) = ln (1/N) Σ exp(-‖x - s‖² / 2σ²) - D ln(σ √(2π))`, and the standard deviation over the root of the number of test
    /// images for the error.
    ///
    /// It says little about generators. In 784 dimensions 10,000 samples are far too few for the estimate to be near the
    /// likelihood of the model, and it prefers the centres of k-means to real images: Theis et al., *A note on the
    /// evaluation of generative models* (ICLR 2016), section 3.2 and table 1. It is here to be compared with the paper.
    ///
    /// # Errors
    /// When a set is empty, of another length, or not of pixels in `[-1, 1]`, or a sigma is not positive.
    pub fn fit(samples: &Tensor, validation: &Tensor, test: &Tensor, sigmas: &[f64]) -> Result<Self> {
        let [validation, test] = [pixels("validation images", validation, 1), pixels("test images", test, 1)];
        Self::fit_pixels(&pixels("samples", samples, 1)?, &validation?, &test?, sigmas)
    }

    /// The same for pixels in `[0, 1]`.
    pub(crate) fn fit_pixels(
        samples: &Rows<f32>,
        validation: &Rows<f32>,
        test: &Rows<f32>,
        sigmas: &[f64],
    ) -> Result<Self> {
        same_width("validation images", samples.width(), validation)?;
        same_width("test images", samples.width(), test)?;
        if sigmas.is_empty() || !sigmas.iter().all(|&sigma| sigma.is_finite() && sigma > 0.) {
            return Err(Error::Sigmas { found: sigmas.to_vec() });
        }
        let squares = samples.squares();
        let likelihoods = log_likelihoods(samples, &squares, validation, sigmas);
        let mean = |at: usize| likelihoods.iter().map(|of| of[at]).sum::<f64>() / likelihoods.len() as f64;
        let means: Vec<f64> = (0..sigmas.len()).map(mean).collect();
        let best = (0..means.len()).fold(0, |best, at| if means[at] > means[best] { at } else { best });
        let sigma = sigmas[best];
        let likelihoods = log_likelihoods(samples, &squares, test, &[sigma]);
        Ok(Self { log_likelihood: Estimate::mean(likelihoods.iter().map(|of| of[0])), sigma })
    }
}

/// `Σ exp(-distance / 2σ²)` for each sigma, over `exp(-nearest / 2σ²)`, which may be too small for a number.
struct Window {
    nearest: f64,
    sums: Vec<f64>,
}

/// Terms below `exp(-40)` of the largest, 4e-18, are left out: ten thousand of them are below the last bit of the sum.
const NEGLIGIBLE: f64 = 40.;

/// For each image, its log-likelihood for each sigma.
fn log_likelihoods(
    samples: &Rows<f32>,
    squares: &[f64],
    images: &Rows<f32>,
    sigmas: &[f64],
) -> Vec<Vec<f64>> {
    let image_squares = images.squares();
    let scales: Vec<f64> = sigmas.iter().map(|sigma| 0.5 / (sigma * sigma)).collect();
    let windows = inner_products(
        images,
        samples,
        |_| Window { nearest: f64::INFINITY, sums: vec![0.; scales.len()] },
        |window, image, first, products| {
            let distances = || {
                let pairs = products.iter().zip(&squares[first..]);
                pairs.map(|(&product, square)| image_squares[image] + square - 2. * f64::from(product))
            };
            let nearest = distances().fold(window.nearest, f64::min);
            for (sum, scale) in window.sums.iter_mut().zip(&scales) {
                if nearest < window.nearest {
                    *sum *= ((nearest - window.nearest) * scale).exp();
                }
                let far = nearest + NEGLIGIBLE / scale;
                *sum += distances().filter(|&d| d < far).map(|d| ((nearest - d) * scale).exp()).sum::<f64>();
            }
            window.nearest = nearest;
        },
    );
    let count = samples.len() as f64;
    let log_likelihood = |window: &Window, at: usize| {
        let normal = samples.width() as f64 * (sigmas[at] * (2. * std::f64::consts::PI).sqrt()).ln();
        (window.sums[at] / count).ln() - window.nearest * scales[at] - normal
    };
    windows.iter().map(|window| (0..sigmas.len()).map(|at| log_likelihood(window, at)).collect()).collect()
}
