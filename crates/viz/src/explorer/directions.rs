use candle_core::Tensor;
use nalgebra::{DMatrix, SymmetricEigen};
use serde::Serialize;

use crate::{Error, Result};

/// A way to go in the space of latents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Direction {
    /// Of length 1, one number for each component of a latent.
    pub vector: Vec<f32>,
    /// How much of all change lies in it: the shares of all directions add up to 1.
    pub share: f32,
}

/// How far a latent is moved to see what that changes, in each direction.
const STEP: f64 = 0.25;

/// The `most` directions in which pictures change most, and the first of them before the others.
///
/// `inputs`, `(N, latent + classes)`, are where it is looked; `generate` makes pictures `(M, D)` of inputs `(M, latent + classes)`. With the Jacobian `J(z)` of
/// pixels by latents, the squared change along a unit vector `v` is `|J(z) v|^2`, and its mean over the latents is `v' M v` with `M` the
/// mean of `J' J`: so the directions are the eigenvectors of `M` with the largest eigenvalues. (Wang and Ponce, *A geometric
/// analysis of deep generative image models and its applications*, ICLR 2021, whose metric is here the distance of pixels.) The Jacobian is taken
/// by central differences.
///
/// # Errors
///
/// Where there are no latents, and what `generate` fails with.
pub fn directions(
    inputs: &Tensor,
    latent: usize,
    most: usize,
    generate: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<Vec<Direction>> {
    let (count, width) = inputs.dims2()?;
    if count == 0 || latent == 0 {
        return Err(Error::Empty { shape: inputs.shape().clone() });
    }
    let classes = width.saturating_sub(latent);
    let steps = Tensor::eye(latent, inputs.dtype(), inputs.device())?.affine(STEP, 0.)?;
    let steps = steps.pad_with_zeros(1, 0, classes)?;
    let mut metric = vec![0f64; latent * latent];
    for row in 0..count {
        let here = inputs.narrow(0, row, 1)?;
        let sides = Tensor::cat(&[here.broadcast_add(&steps)?, here.broadcast_sub(&steps)?], 0)?;
        let pictures = generate(&sides)?;
        // (latent, D): the transposed Jacobian.
        let changes = (pictures.narrow(0, 0, latent)? - pictures.narrow(0, latent, latent)?)?;
        let products = changes.matmul(&changes.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        metric.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(product));
    }
    if let Some(wrong) = metric.iter().find(|x| !x.is_finite()) {
        return Err(Error::NotFinite { found: *wrong });
    }

    let SymmetricEigen { eigenvalues, eigenvectors } =
        SymmetricEigen::new(DMatrix::from_vec(latent, latent, metric));
    let total: f64 = eigenvalues.iter().map(|value| value.max(0.)).sum();
    let mut order: Vec<usize> = (0..latent).collect();
    order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
    let direction = |&at: &usize| {
        let column = eigenvectors.column(at);
        // Which of the two ways is left open by the above: that of the larger components.
        let sign = column.iter().map(|x| x.powi(3)).sum::<f64>().signum();
        let share = if total > 0. { eigenvalues[at].max(0.) / total } else { 0. };
        Direction { vector: column.iter().map(|x| (x * sign) as f32).collect(), share: share as f32 }
    };
    Ok(order.iter().take(most).map(direction).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn they_are_the_singular_vectors_of_a_linear_generator() {
        // Changes 3 times along (0.6, 0.8, 0), once along (0.8, -0.6, 0), and not at all along the third. The last is a class.
        let matrix = Tensor::new(&[[1.8f32, 2.4, 0., 9.], [0.8, -0.6, 0., 7.]], &Device::Cpu).unwrap();
        let latents = Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
        let found = directions(&latents, 3, 2, |z| z.matmul(&matrix.t()?)).unwrap();
        for (direction, (vector, share)) in found.iter().zip([([0.6, 0.8, 0.], 0.9), ([0.8, -0.6, 0.], 0.1)])
        {
            let off = direction.vector.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
            assert!(off < 1e-5 && (direction.share - share).abs() < 1e-5, "{direction:?}");
        }
        assert_eq!(found.len(), 2);
        let none = latents.narrow(0, 0, 0).unwrap();
        assert!(matches!(directions(&none, 3, 2, |z| Ok(z.clone())), Err(Error::Empty { .. })));
    }
}
