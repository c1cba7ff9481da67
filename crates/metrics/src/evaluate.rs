use candle_core::{Device, Tensor};
use ganlet_ops::normalize;
use ganlet_random::Stream;

use crate::digits::BLOCK;
use crate::estimate::Estimate;
use crate::input::{pixels, same_width};
use crate::matrix::Rows;
use crate::nearest::{Nearest, halves, nearest_pixels};
use crate::parzen::sigmas;
use crate::{
    Classes, DigitNetwork, Gaussian, KernelMean, Manifold, Overlap, Parzen, Result, SIDE, agreement,
};

/// The neighbours that the balls of [`Manifold`] reach to.
pub const NEIGHBOURS: usize = 5;

/// What the noise is drawn from: a [`Stream`] of this domain for each image.
const NOISE: u32 = 0x4e4f_4953;

/// What can be said of samples at little cost: how far they are from the test images in the features of [`DigitNetwork`], and
/// which digits they look like.
#[derive(Clone, Debug)]
pub struct DigitJudge {
    network: DigitNetwork,
    reference: Gaussian,
}

/// The judgement of a [`DigitJudge`].
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The Fréchet distance to the test images.
    pub frechet: Estimate,
    /// The digits that the samples look like.
    pub classes: Classes,
}

impl DigitJudge {
    /// Compares with `test` images, `(N, 784)` u8.
    ///
    /// # Errors
    /// When they are fewer than three, or of another size or dtype.
    pub fn new(test: &Tensor) -> Result<Self> {
        let network = DigitNetwork::v1()?;
        let test = test.to_device(&Device::Cpu)?;
        let count = test.dims2()?.0;
        // Some at a time: as floats, all of them would take four times the memory.
        let blocks = (0..count.max(1)).step_by(BLOCK).map(|first| {
            let images = test.narrow(0, first, BLOCK.min(count - first))?;
            network.features(&normalize(&images)?)
        });
        let features = Tensor::cat(&blocks.collect::<Result<Vec<_>>>()?, 0)?;
        let reference = Gaussian::of(&features)?;
        Ok(Self { network, reference })
    }

    /// Judges `samples`, `(N, 784)` f32 in `[-1, 1]`.
    ///
    /// # Errors
    /// When they are fewer than three, of another size, or not of finite numbers.
    pub fn judge(&self, samples: &Tensor) -> Result<Judgement> {
        self.judge_features(&self.features(samples)?)
    }

    /// What is known of `samples`, as above, to [`DigitJudge::judge_features`]: `(N, 64)`. So they need not all be there at once.
    ///
    /// # Errors
    /// When they are of another size or range.
    pub fn features(&self, samples: &Tensor) -> Result<Tensor> {
        self.network.features(&samples.to_device(&Device::Cpu)?)
    }

    /// The share of `samples`, as above, that look like the digit of their label.
    ///
    /// # Errors
    /// Those above, and when there are not as many labels.
    pub fn agreement(&self, samples: &Tensor, labels: &[u32]) -> Result<Estimate> {
        let features = self.features(samples)?;
        agreement(&self.network.probabilities(&features)?, labels)
    }

    /// Judges samples by their features, `(N, 64)`.
    ///
    /// # Errors
    /// When there are fewer than three, or they are not finite numbers.
    pub fn judge_features(&self, features: &Tensor) -> Result<Judgement> {
        let frechet = self.reference.distance(features)?;
        Ok(Judgement { frechet, classes: Classes::of(&self.network.probabilities(features)?)? })
    }
}

/// All that is to be said of samples.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Quality {
    /// How many samples there were.
    pub samples: usize,
    /// In the features of [`DigitNetwork`]; none for images that are not of 28 x 28 pixels.
    pub digits: Option<DigitQuality>,
    /// The log-likelihood of the test images under a Parzen window, as in the 2014 paper.
    pub parzen: Parzen,
    /// The mean distance to the nearest training image, of pixels in `[0, 1]`.
    pub nearest: Estimate,
    /// The same in units of [`Evaluator::test_distance`]: well below 1 where training images are copied.
    pub nearest_to_test: Estimate,
}

/// What is to be said of samples in the features of [`DigitNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct DigitQuality {
    /// The Fréchet distance, and the digits.
    pub judgement: Judgement,
    /// The kernel distance.
    pub kernel: Estimate,
    /// Precision, recall, density and coverage.
    pub overlap: Overlap,
}

/// Images to hold samples against.
///
/// The reference is the test images: what only repeats the training images is not the better for it.
#[derive(Clone, Debug)]
pub struct Evaluator {
    digits: Option<Digits>,
    /// All as pixels in [0, 1].
    train: Rows<f32>,
    train_halves: Vec<f32>,
    validation: Rows<f32>,
    test: Rows<f32>,
    test_distance: Estimate,
}

#[derive(Clone, Debug)]
struct Digits {
    judge: DigitJudge,
    kernel: KernelMean,
    manifold: Manifold,
}

/// The part of the training images that is held back from training windows: of MNIST's 60,000 the last 10,000, as in the 2014 paper.
const HELD_BACK: usize = 6;

/// How many of them choose the window's width.
const VALIDATION: usize = 1000;

impl Evaluator {
    /// Holds samples against `train (N, D)` and `test (M, D)`, u8.
    ///
    /// # Errors
    /// When there are too few images, or they are of different sizes or not bytes.
    pub fn new(train: &Tensor, test: &Tensor) -> Result<Self> {
        let [train, test] = [train, test].map(|images| normalize(&images.to_device(&Device::Cpu)?));
        let (train, test) = (train?, test?);
        let digits = match test.dims2()?.1 == SIDE * SIDE {
            true => Some(Digits::new(&test)?),
            false => None,
        };
        let (train, test) = (pixels("training images", &train, 2)?, pixels("test images", &test, 2)?);
        same_width("test images", train.width(), &test)?;
        let first = train.len() - held_back(&train);
        let rows = first..train.len().min(first + VALIDATION);
        let validation = Rows::new(rows.flat_map(|row| train.row(row)).copied().collect(), train.width());
        let train_halves = halves(&train);
        let test_distance = mean(&nearest_pixels(&test, &train, &train_halves));
        Ok(Self { digits, train, train_halves, validation, test, test_distance })
    }

    /// The mean distance of a test image to the nearest training image: what [`Quality::nearest`] is where nothing is memorised.
    pub fn test_distance(&self) -> Estimate {
        self.test_distance
    }

    /// Says all that is to be said of `samples`, `(N, D)` in `[-1, 1]`.
    ///
    /// # Errors
    /// When there are too few samples (six are enough), of another size, or not of pixels in `[-1, 1]`.
    pub fn evaluate(&self, samples: &Tensor) -> Result<Quality> {
        let images = pixels("samples", samples, 1)?;
        same_width("samples", self.train.width(), &images)?;
        let nearest = mean(&nearest_pixels(&images, &self.train, &self.train_halves));
        self.quality(samples, &images, nearest)
    }

    /// The share of `samples`, `(N, D)` in `[-1, 1]`, that look like the digit of their label; `None` where the images are not of the feature
    /// network's size.
    ///
    /// # Errors
    /// When there are too few samples, of another size, or not as many labels.
    pub fn agreement(&self, samples: &Tensor, labels: &[u32]) -> Result<Option<Estimate>> {
        self.digits.as_ref().map(|digits| digits.judge.agreement(samples, labels)).transpose()
    }

    /// The best that can be expected: what up to `count` training images would have as samples.
    ///
    /// They are spread evenly over those that do not choose the Parzen window's width. Each is its own nearest training image.
    ///
    /// # Errors
    /// When they are too few (six are enough).
    pub fn training_images(&self, count: usize) -> Result<Quality> {
        let there = self.train.len() - held_back(&self.train);
        let count = count.min(there);
        let images = self.training_rows((0..count).map(|i| i * there / count))?;
        self.quality(&images, &pixels("training images", &images, 1)?, Estimate { value: 0., error: 0. })
    }

    /// The worst that can be expected: what `count` images would have whose pixels are uniform in `[-1, 1]`.
    ///
    /// # Errors
    /// When they are too few (six are enough).
    pub fn noise(&self, count: usize) -> Result<Quality> {
        let mut values = vec![0.; count * self.train.width()];
        for (index, row) in values.chunks_exact_mut(self.train.width()).enumerate() {
            let mut stream = Stream::new(0, NOISE, index as u64);
            row.fill_with(|| stream.uniform_in(-1., 1.));
        }
        self.evaluate(&Tensor::from_vec(values, (count, self.train.width()), &Device::Cpu)?)
    }

    fn quality(&self, samples: &Tensor, images: &Rows<f32>, nearest: Estimate) -> Result<Quality> {
        Ok(Quality {
            samples: images.len(),
            digits: self.digits.as_ref().map(|digits| digits.evaluate(samples)).transpose()?,
            parzen: Parzen::fit_pixels(images, &self.validation, &self.test, &sigmas())?,
            nearest,
            nearest_to_test: nearest.over(self.test_distance),
        })
    }

    /// The nearest training image to each of `samples`, `(N, D)` in `[-1, 1]`: of the same shape and range.
    ///
    /// # Errors
    /// When they are of another size, or not of pixels in `[-1, 1]`.
    pub fn nearest_images(&self, samples: &Tensor) -> Result<Tensor> {
        let images = pixels("samples", samples, 0)?;
        same_width("samples", self.train.width(), &images)?;
        let nearest = nearest_pixels(&images, &self.train, &self.train_halves);
        self.training_rows(nearest.iter().map(|nearest| nearest.index))
    }

    /// These training images, `(n, D)` f32 in `[-1, 1]`.
    fn training_rows(&self, rows: impl ExactSizeIterator<Item = usize>) -> Result<Tensor> {
        let count = rows.len();
        let values: Vec<f32> = rows.flat_map(|row| self.train.row(row)).map(|x| x * 2. - 1.).collect();
        Ok(Tensor::from_vec(values, (count, self.train.width()), &Device::Cpu)?)
    }
}

impl Digits {
    fn new(test: &Tensor) -> Result<Self> {
        let network = DigitNetwork::v1()?;
        let features = network.features(test)?;
        let judge = DigitJudge { network, reference: Gaussian::of(&features)? };
        Ok(Self { judge, kernel: KernelMean::of(&features)?, manifold: Manifold::of(&features, NEIGHBOURS)? })
    }

    fn evaluate(&self, samples: &Tensor) -> Result<DigitQuality> {
        let features = self.judge.features(samples)?;
        Ok(DigitQuality {
            judgement: self.judge.judge_features(&features)?,
            kernel: self.kernel.distance(&features)?,
            overlap: self.manifold.compare(&features)?,
        })
    }
}

/// How many of the training images are held back from windows.
fn held_back(train: &Rows<f32>) -> usize {
    (train.len() / HELD_BACK).max(1)
}

fn mean(nearest: &[Nearest]) -> Estimate {
    Estimate::mean(nearest.iter().map(|nearest| nearest.distance))
}
