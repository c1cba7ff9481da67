use candle_core::{Result, Tensor, Var};
use ganlet_ops::{Layer, SpectralNorm, spectral_norm};
use ganlet_random::Stream;

use crate::Mlp;

/// What the first guesses at singular vectors are drawn from: [`Stream`]s of this domain.
const VECTORS: u32 = 0x5350_4543;

/// Power iterations before the first pass; as in PyTorch's `torch.nn.utils.parametrizations.spectral_norm`.
const FIRST: usize = 15;

/// The weights of an [`Mlp`], each over its largest singular value, which a power iteration before each pass follows.
#[derive(Clone, Debug)]
pub(crate) struct Spectral {
    /// A guess at the left singular vector of each weight: `0.u (out,)`, `2.u`, ...
    buffers: Vec<(String, Var)>,
    /// What the last iteration came to, layer by layer.
    norms: Vec<SpectralNorm>,
    /// The layers that go with it.
    layers: Vec<Layer>,
}

impl Spectral {
    /// Of the weights as they are, with first guesses that are a function of `seed`.
    pub(crate) fn new(mlp: &Mlp, seed: u64) -> Result<Self> {
        let buffers = mlp.layers().iter().enumerate().map(|(number, layer)| {
            let mut u = vec![0.; layer.weight.dim(0)?];
            Stream::new(seed, VECTORS, number as u64).fill_normal(&mut u);
            let outputs = u.len();
            Ok((format!("{}.u", 2 * number), Var::from_vec(u, outputs, layer.weight.device())?))
        });
        let buffers = buffers.collect::<Result<_>>()?;
        let mut new = Self { buffers, norms: Vec::new(), layers: Vec::new() };
        for _ in 0..FIRST {
            new.refresh(mlp)?;
        }
        Ok(new)
    }

    /// One power iteration for each weight, which gives the normalised layers.
    pub(crate) fn refresh(&mut self, mlp: &Mlp) -> Result<()> {
        self.norms = self.norms(mlp)?;
        for ((_, u), norm) in self.buffers.iter().zip(&self.norms) {
            u.set(&norm.u)?;
        }
        self.layers = normalised(mlp, &self.norms);
        Ok(())
    }

    /// The layers for the weights as they are, as a next iteration would have them.
    pub(crate) fn layers(&self, mlp: &Mlp) -> Result<Vec<Layer>> {
        Ok(normalised(mlp, &self.norms(mlp)?))
    }

    fn norms(&self, mlp: &Mlp) -> Result<Vec<SpectralNorm>> {
        let pairs = mlp.layers().iter().zip(&self.buffers);
        pairs.map(|(layer, (_, u))| spectral_norm(&layer.weight, u)).collect()
    }

    /// The layers of the last iteration.
    pub(crate) fn normalised(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn buffers(&self) -> &[(String, Var)] {
        &self.buffers
    }

    /// From the gradients for the normalised weights, and the biases, to those for the weights.
    pub(crate) fn for_parameters(&self, mut gradients: Vec<Tensor>) -> Result<Vec<Tensor>> {
        // Weight and bias of each layer in turn.
        for (weight, norm) in gradients.iter_mut().step_by(2).zip(&self.norms) {
            *weight = norm.weight_gradient(weight)?;
        }
        Ok(gradients)
    }
}

fn normalised(mlp: &Mlp, norms: &[SpectralNorm]) -> Vec<Layer> {
    let pairs = mlp.layers().iter().zip(norms);
    pairs.map(|(layer, norm)| Layer { weight: norm.weight.clone(), ..layer.clone() }).collect()
}
