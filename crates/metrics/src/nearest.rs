use candle_core::Tensor;

use crate::Result;
use crate::input::{pixels, same_width};
use crate::matrix::{Rows, inner_products};

/// The nearest of some images to another, by the Euclidean distance of their pixels in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Which it is, from 0.
    pub index: usize,
    /// How far it is; two images of 28 x 28 pixels are at most 28 apart.
    pub distance: f64,
}

/// For each of `images (N, D)`, the nearest of `training (M, D)`; both in `[-1, 1]`.
///
/// As in the last column of figure 2 of Goodfellow et al. (NeurIPS 2014), which shows that samples are not copies of training
/// images. Where several are equally near, or nearer to each other than a matrix product in f32 can tell, it is one of them.
///
/// # Errors
/// When there are no training images, or images are of another length or not of pixels in `[-1, 1]`.
pub fn nearest(images: &Tensor, training: &Tensor) -> Result<Vec<Nearest>> {
    let (images, training) = (pixels("images", images, 0)?, pixels("training images", training, 1)?);
    same_width("images", training.width(), &images)?;
    Ok(nearest_pixels(&images, &training, &halves(&training)))
}

/// Half of the squared length of each row.
pub(crate) fn halves(rows: &Rows<f32>) -> Vec<f32> {
    rows.squares().into_iter().map(|square| (square / 2.) as f32).collect()
}

/// The same for pixels in `[0, 1]` and the [`halves`] of the training images.
pub(crate) fn nearest_pixels(images: &Rows<f32>, training: &Rows<f32>, halves: &[f32]) -> Vec<Nearest> {
    // ‖x - t‖² / 2 = ‖x‖² / 2 + (‖t‖² / 2 - x·t), and the first part is the same for all t.
    let found = inner_products(
        images,
        training,
        |_| (f32::INFINITY, 0),
        |best, _, first, products| {
            let halves = &halves[first..first + products.len()];
            let least = least_difference(halves, products);
            if least < best.0 {
                let at = halves.iter().zip(products).position(|(half, product)| half - product == least);
                *best = (least, first + at.unwrap_or(0));
            }
        },
    );
    let distance = |image: &[f32], index: usize| {
        let squares = image.iter().zip(training.row(index)).map(|(x, t)| f64::from(x - t).powi(2));
        squares.sum::<f64>().sqrt()
    };
    images
        .iter()
        .zip(found)
        .map(|(image, (_, index))| Nearest { index, distance: distance(image, index) })
        .collect()
}

/// The least of `a - b`, sixteen at a time: so it is compiled into vector instructions.
fn least_difference(a: &[f32], b: &[f32]) -> f32 {
    let least = |x: f32, y: f32| if y < x { y } else { x };
    let (a_lanes, a_rest) = a.as_chunks::<16>();
    let (b_lanes, b_rest) = b.as_chunks::<16>();
    let mut lanes = [f32::INFINITY; 16];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = least(*lane, a - b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a - b);
    lanes.into_iter().chain(rest).fold(f32::INFINITY, least)
}
