//! Digits drawn on the fly: the strokes of a hand, jittered, slanted, and inked.
//!
//! The images keep to MNIST's conventions: 28x28, white on black, the digit fitted into a box of 20x20 pixels and
//! centred by its mass. Image n is a function of n alone, drawn with additions, multiplications, divisions and
//! square roots only: the same bytes on every machine, for any number of threads and images.

mod pen;
mod strokes;

use crate::{Dataset, Error, Result, Split, idx};
use ganlet_random::Stream;
use rayon::prelude::*;

/// The height and width of an image.
const SIDE: usize = 28;

/// The numbers of images of [`standard`]; as MNIST's.
const STANDARD: (usize, usize) = (60_000, 10_000);

/// The [digest](Dataset::digest) of [`standard`].
pub const DIGEST: &str = "fbc8d6d7d99f6486c69fbf4aa5dff78f0b479fbfcbdcb62a7c15437db206e499";

/// Any number would do, but it must stay: it is part of what the data set is.
const SEED: u64 = 28;

/// Which half the random numbers are for.
#[derive(Clone, Copy)]
enum Half {
    Train = 1,
    Test = 2,
}

/// The data set `synthetic-digits`: 60,000 training images and 10,000 test images.
///
/// # Errors
/// [`Error::Drawing`], where the bytes are not those of [`DIGEST`]: never on a machine whose floating point is IEEE 754.
pub fn standard() -> Result<Dataset> {
    let dataset = digits(STANDARD.0, STANDARD.1);
    match dataset.digest() {
        found if found == DIGEST => Ok(dataset),
        found => Err(Error::Drawing { expected: DIGEST, found }),
    }
}

/// The first `train` training images and the first `test` test images of [`standard`], or more than it has; at least
/// one each.
pub fn digits(train: usize, test: usize) -> Dataset {
    let train = draw(Half::Train, train.max(1));
    let test = draw(Half::Test, test.max(1));
    Dataset::trusted("synthetic-digits", train, test)
}

fn draw(half: Half, n: usize) -> Split {
    let mut images = vec![0; n * SIDE * SIDE];
    let mut labels = vec![0; n];
    let pairs = images.par_chunks_exact_mut(SIDE * SIDE).zip(&mut labels);
    pairs.enumerate().for_each(|(index, (image, label))| {
        let mut random = Stream::new(SEED, half as u32, index as u64);
        let digit = random.below(10);
        *label = digit as u8;
        pen::write(digit as usize, &mut random, image);
    });
    let images = idx::Array::trusted(vec![n, SIDE, SIDE], images);
    Split::trusted(images, idx::Array::trusted(vec![n], labels), SIDE, SIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slow without optimisation, and worth it: the bytes are what runs are compared by.
    #[test]
    fn the_standard_digits_are_pinned_and_like_mnist() -> Result<()> {
        let digits = standard()?;
        let train = digits.train();
        assert_eq!(
            (train.len(), digits.test().len(), digits.rows(), digits.cols()),
            (60_000, 10_000, 28, 28)
        );

        // MNIST's mean and standard deviation are 0.1307 and 0.3081.
        let n = train.image_bytes().len() as f64;
        let moment =
            |power| train.image_bytes().iter().map(|&p| (f64::from(p) / 255.).powi(power)).sum::<f64>() / n;
        let (mean, std) = (moment(1), (moment(2) - moment(1).powi(2)).sqrt());
        assert!((mean - 0.1307).abs() < 0.005 && (std - 0.3081).abs() < 0.005, "{mean} {std}");

        for digit in 0..10 {
            let count = train.label_bytes().iter().filter(|&&label| label == digit).count();
            assert!((5_700..6_300).contains(&count), "{digit}: {count}");
        }
        Ok(())
    }

    #[test]
    fn an_image_is_a_function_of_its_number() {
        let (few, more) = (digits(7, 3), digits(20, 1));
        assert_eq!(few.train().image_bytes(), &more.train().image_bytes()[..7 * 784]);
        assert_eq!(few.train().label_bytes(), &more.train().label_bytes()[..7]);
        assert_ne!(few.train().image_bytes()[..784], few.test().image_bytes()[..784]);
        assert_eq!(digits(0, 0).train().len(), 1);
    }

    #[test]
    fn digits_stay_clear_of_the_border() {
        let images = digits(2_000, 1);
        for (index, image) in images.train().image_bytes().chunks(784).enumerate() {
            let border = (0..28).flat_map(|i| [i, 27 * 28 + i, 28 * i, 28 * i + 27]);
            assert!(border.clone().all(|at| image[at] == 0), "image {index} touches the border");
            assert!(image.iter().any(|&p| p > 200), "image {index} is faint");
        }
    }
}
