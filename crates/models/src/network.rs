use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use candle_nn::Module;
use ganlet_ops::{LayerGradients, MlpPass};

/// What training asks of a generator or a discriminator: to be passed through, forward and backward.
///
/// The generator maps latents `(B, latent)` to images `(B, D)` in `[-1, 1]`, the discriminator maps images `(B, D)` to logits
/// `(B, 1)`, all f32. Where a recipe has labels, each row of the input ends with its own, as [`one_hot`](crate::one_hot) has it: `(B, latent +
/// classes)` and `(B, D + classes)`. [`Autograd`] makes a network of any candle module.
pub trait Network {
    /// A pass, with what its gradients need.
    type Pass: Pass;

    /// Passes `input` through.
    ///
    /// # Errors
    /// When the input does not fit.
    fn forward(&self, input: &Tensor) -> Result<Self::Pass>;

    /// The parameters with their names, always in the same order. No two have one name.
    fn parameters(&self) -> &[(String, Var)];

    /// Passes `input` through, the input of layer `i` times `masks[i]` where there is one: `(B, in)`, 0 for what is dropped.
    ///
    /// # Errors
    /// When the input or a mask does not fit, or there are masks and the network has no layers to mask.
    fn forward_with_dropout(&self, input: &Tensor, masks: &[Option<Tensor>]) -> Result<Self::Pass> {
        match masks.iter().all(Option::is_none) {
            true => self.forward(input),
            false => candle_core::bail!("this network has no dropout"),
        }
    }

    /// What a training changes beside the parameters, and must not forget.
    fn buffers(&self) -> Vec<(String, Var)> {
        Vec::new()
    }

    /// Called before the first step of a recipe that says so, with the mean of the training images `(D,)` in `[-1, 1]`: from now on it
    /// is taken from every image first.
    ///
    /// # Errors
    /// When the network does not know how.
    fn center_on(&mut self, _mean: &Tensor) -> Result<()> {
        candle_core::bail!("this network cannot center its input")
    }

    /// Called in training before each pass whose parameters may have changed: what a network derives from them, it derives anew.
    ///
    /// # Errors
    /// When it cannot.
    fn refresh(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether a pass, forward and backward, only queues work on a GPU, always the same and between the same tensors: whether it can be
    /// recorded once and replayed.
    fn can_be_recorded(&self) -> bool {
        false
    }

    /// From the gradients that a pass gives, which may be for what was derived from the parameters, to those for the parameters.
    ///
    /// # Errors
    /// When they are not of this network.
    fn for_parameters(&self, gradients: Vec<Tensor>) -> Result<Vec<Tensor>> {
        Ok(gradients)
    }
}

/// One pass through a network, whose gradients can be asked for.
pub trait Pass: Sized {
    /// What came out.
    fn output(&self) -> &Tensor;

    /// The pass of `count` rows of the input, from row `first` on, as if they had passed alone.
    ///
    /// # Errors
    /// When there are not so many rows.
    fn rows(&self, first: usize, count: usize) -> Result<Self>;

    /// The gradients of a loss for the parameters, in their order, from its gradient for the output.
    ///
    /// # Errors
    /// When the gradient does not have the output's shape.
    fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<Tensor>>;

    /// The gradient of a loss for the input, from its gradient for the output.
    ///
    /// # Errors
    /// When the gradient does not have the output's shape.
    fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor>;

    /// Adds to `gradients`, those for the parameters in their order, the gradients of a penalty on the input's gradient.
    ///
    /// `penalty` is given the gradient of the sum of the outputs for the input, `(B, in)`, and returns that of the penalty for *it*, in the
    /// same shape.
    ///
    /// # Errors
    /// When shapes do not fit, or the network's gradient cannot be differentiated again.
    fn add_penalty(
        &self,
        _penalty: impl FnOnce(&Tensor) -> Result<Tensor>,
        _gradients: &mut [Tensor],
    ) -> Result<()> {
        candle_core::bail!(
            "the gradient of this network cannot be differentiated: no penalty on it can be trained with"
        )
    }
}

impl Pass for MlpPass {
    fn output(&self) -> &Tensor {
        self.output()
    }

    fn rows(&self, first: usize, count: usize) -> Result<Self> {
        self.rows(first, count)
    }

    fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<Tensor>> {
        Ok(self
            .parameter_gradients(gradient)?
            .into_iter()
            .flat_map(|layer| [layer.weight, layer.bias])
            .collect())
    }

    fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        self.input_gradient(gradient)
    }

    fn add_penalty(
        &self,
        penalty: impl FnOnce(&Tensor) -> Result<Tensor>,
        gradients: &mut [Tensor],
    ) -> Result<()> {
        let pass = self.input_gradient_pass(&self.output().ones_like()?)?;
        let tangent = penalty(pass.gradient())?;
        let (pairs, _) = gradients.as_chunks_mut::<2>();
        let mut layers: Vec<_> = pairs
            .iter()
            .map(|[weight, bias]| LayerGradients { weight: weight.clone(), bias: bias.clone() })
            .collect();
        pass.add_parameter_gradients(&tangent, &mut layers)?;
        for (pair, LayerGradients { weight, bias }) in pairs.iter_mut().zip(layers) {
            *pair = [weight, bias];
        }
        Ok(())
    }
}

/// Any candle module as a [`Network`]; candle's own `backward` finds its gradients.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ganlet_models::{Autograd, Network, Pass};
///
/// # fn main() -> candle_core::Result<()> {
/// let variables = VarMap::new();
/// let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
/// let network = Autograd::new(candle_nn::linear(3, 2, builder)?, &variables);
///
/// let pass = network.forward(&Tensor::ones((5, 3), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(pass.input_gradient(&pass.output().ones_like()?)?.dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Autograd<M> {
    module: M,
    parameters: Vec<(String, Var)>,
}

impl<M: Module> Autograd<M> {
    /// The module and the variables that it was built from, put in the order of their names.
    pub fn new(module: M, variables: &candle_nn::VarMap) -> Self {
        let variables = variables.data().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut parameters: Vec<_> =
            variables.iter().map(|(name, var)| (name.clone(), var.clone())).collect();
        parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { module, parameters }
    }
}

impl<M: Module> Network for Autograd<M> {
    type Pass = AutogradPass;

    fn forward(&self, input: &Tensor) -> Result<AutogradPass> {
        let input = Var::from_tensor(&input.detach())?;
        let output = self.module.forward(&input)?;
        let parameters = self.parameters.iter().map(|(_, var)| var.clone()).collect();
        let rows = (0, output.dim(0)?);
        Ok(AutogradPass { input, output, parameters, rows })
    }

    fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }
}

/// A pass through an [`Autograd`] network.
#[derive(Clone, Debug)]
pub struct AutogradPass {
    input: Var,
    output: Tensor,
    parameters: Vec<Var>,
    /// The first of the input's rows that this is about, and their number.
    rows: (usize, usize),
}

impl AutogradPass {
    fn backward(&self, gradient: &Tensor) -> Result<GradStore> {
        // The gradient of this product is `gradient` times that of the output.
        (&self.output * gradient.detach())?.sum_all()?.backward()
    }
}

/// The gradient for a variable; zeros where it takes no part in the output.
fn gradient_for(variable: &Var, gradients: &GradStore) -> Result<Tensor> {
    gradients.get(variable).cloned().map_or_else(|| variable.zeros_like(), Ok)
}

impl Pass for AutogradPass {
    fn output(&self) -> &Tensor {
        &self.output
    }

    fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let output = self.output.narrow(0, first, count)?;
        Ok(Self { output, rows: (self.rows.0 + first, count), ..self.clone() })
    }

    fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<Tensor>> {
        let gradients = self.backward(gradient)?;
        if !self.parameters.is_empty() && self.parameters.iter().all(|var| gradients.get(var).is_none()) {
            candle_core::bail!(
                "none of the network's {} variables takes part in its output: are they those that the module was built from?",
                self.parameters.len()
            );
        }
        self.parameters.iter().map(|var| gradient_for(var, &gradients)).collect()
    }

    fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        gradient_for(&self.input, &self.backward(gradient)?)?.narrow(0, self.rows.0, self.rows.1)
    }
}
