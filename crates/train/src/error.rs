use candle_core::{DType, Shape};

/// Why there is no training, or why it ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no built-in recipe of that name.
    #[error("expected a recipe among {known:?}, found `{found}`")]
    UnknownRecipe {
        /// What was asked for.
        found: String,
        /// What there is.
        known: Vec<&'static str>,
    },

    /// The text is not a complete recipe.
    #[error("the recipe cannot be read")]
    ReadRecipe(#[source] toml::de::Error),

    /// The recipe could not be written.
    #[error("the recipe cannot be written")]
    WriteRecipe(#[source] toml::ser::Error),

    /// A field of the recipe is out of its range.
    #[error("recipe field `{field}`: expected {expected}, found {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its range.
        expected: &'static str,
        /// What it is.
        found: String,
    },

    /// Fields of the recipe do not make sense together.
    #[error("recipe: {fields} do not go together: {reason}")]
    Combination {
        /// The fields.
        fields: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },

    /// The recipe has labels and the images have none, or they are no tensor of labels.
    #[error("the recipe calls for labels of {classes} kinds, (N,) u8 for {images} images, found {found}")]
    Labels {
        /// How many kinds.
        classes: usize,
        /// How many images.
        images: usize,
        /// What there is.
        found: String,
    },

    /// A step has no update of D.
    #[error("expected at least one update of the discriminator in a step, found none")]
    NoUpdate,

    /// An optimizer's memory of a parameter is not what its rule keeps.
    #[error("the optimizer remembers {found} tensors of `{name}`, which none does")]
    Moments {
        /// The parameter.
        name: String,
        /// How many tensors.
        found: usize,
    },

    /// There are fewer images than one step takes.
    #[error(
        "recipe fields `batch_size` and `discriminator_steps`: expected at most the {images} images there are in a step, found \
         {batch_size} x {discriminator_steps}"
    )]
    TooFewImages {
        /// Images in the data set.
        images: usize,
        /// Images per update of D.
        batch_size: usize,
        /// Updates of D in a step.
        discriminator_steps: usize,
    },

    /// The images are not a matrix of bytes.
    #[error("expected the images as a u8 tensor (N, D), found {dtype:?} {shape:?}")]
    Images {
        /// The type of what was given.
        dtype: DType,
        /// Its shape.
        shape: Shape,
    },

    /// A network gives more or fewer gradients than it has parameters.
    #[error("expected a gradient for each of the {parameters} parameters, found {gradients}")]
    Gradients {
        /// How many parameters there are.
        parameters: usize,
        /// How many gradients.
        gradients: usize,
    },

    /// The losses are no longer numbers.
    #[error("the losses at step {step} are not finite: D {d_loss}, G {g_loss}")]
    Diverged {
        /// The step whose report shows it.
        step: u64,
        /// The discriminator's loss.
        d_loss: f32,
        /// The generator's loss.
        g_loss: f32,
    },

    /// A weight is no longer a number.
    #[error("at step {step}, tensor `{tensor}` of the {network} is no longer finite")]
    NotFinite {
        /// The step whose report shows it.
        step: u64,
        /// `generator` or `discriminator`.
        network: &'static str,
        /// The parameter's name.
        tensor: String,
    },

    /// An observer could not do its part.
    #[error("at step {step}, what watches the training failed")]
    Observer {
        /// The step that was done.
        step: u64,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A network could not be made.
    #[error("cannot make the networks")]
    Network(#[from] ganlet_models::Error),

    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
