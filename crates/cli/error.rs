//! What can go wrong, and what to do about it.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ganlet_data::Name;

use crate::console::{self, grouped};
use crate::npy;
use crate::style::Format;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command did not do what it was asked to. The sentences name the argument or the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),

    #[error("--device cuda:{number}: this program was built without CUDA")]
    CudaNotBuilt { number: usize },
    #[error("--device cuda:{number}: expected a GPU, found none that can be used")]
    Cuda { number: usize, source: candle_core::Error },

    #[error(
        "CANDLE_NUM_THREADS: expected a number of threads from 1 to {}, found {found}",
        ganlet_ops::MOST_THREADS
    )]
    Threads { found: String },

    #[error("--recipe {name}")]
    Recipe { name: String, source: ganlet_train::Error },
    #[error("{}: this recipe cannot be trained", path.display())]
    Config { path: PathBuf, source: ganlet_train::Error },
    #[error("{}: expected a recipe, found what is not text", path.display())]
    ConfigNotText { path: PathBuf },
    #[error("--set {found}: expected FIELD=VALUE")]
    Setting { found: String },
    #[error("--set")]
    Settings { source: ganlet_train::Error },
    #[error("the recipe cannot be written as TOML")]
    WriteRecipe(#[from] toml::ser::Error),
    #[error("the recipe was trained on images of your own (dataset = \"custom\"): which are they?")]
    CustomData,
    #[error("there is a run in {} already", path.display())]
    RunExists { path: PathBuf },
    #[error("{} is in use by {holder}", path.display())]
    Held { path: PathBuf, holder: String },

    #[error("there is no run in {}", path.display())]
    NoRun { path: PathBuf },
    #[error("{}: this is not a recipe", path.display())]
    NoRecipe { path: PathBuf, source: toml::de::Error },
    #[error("none of the {count} checkpoints in {} is whole", folder.display())]
    NoWholeCheckpoint { folder: PathBuf, count: usize },
    #[error("{}", path.display())]
    Checkpoint { path: PathBuf, source: ganlet_train::checkpoint::Error },
    #[error("{} was trained with another recipe{}", path.display(), listed(differences))]
    OtherRecipe { path: PathBuf, differences: Vec<String> },
    #[error("{} was trained on other data: its digest is {expected}, that of {name} is {found}", path.display())]
    OtherData { path: PathBuf, expected: String, found: String, name: String },
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
    /// Something went wrong while the networks were trained.
    #[error("{source}")]
    Training { source: Box<Error>, resume: String },
    #[error("the run directory {} is gone", path.display())]
    RunVanished { path: PathBuf, source: Box<Error> },

    #[error("{}: there is no such file or run directory", path.display())]
    NoModel { path: PathBuf },
    #[error("{}: there is no {} in this directory", path.display(), crate::run_dir::GENERATOR)]
    NoWeights { path: PathBuf },
    #[error("{}: these are not the weights of a {kind}", path.display())]
    Weights { kind: &'static str, path: PathBuf, source: ganlet_models::Error },
    #[error("--latents {}", path.display())]
    Latents { path: PathBuf, source: npy::Error },
    #[error(
        "--latents {}: the generator takes rows of {expected} numbers, found {} rows of {}", path.display(), found.0, found.1
    )]
    LatentShape { path: PathBuf, expected: usize, found: (u64, usize) },
    #[error("{flag} {}: expected a .{ending} file", path.display())]
    Ending { flag: &'static str, path: PathBuf, ending: &'static str },
    #[error("--out {}: files of this kind are not made here", path.display())]
    OutFormat { path: PathBuf, known: &'static [Format] },
    #[error("--out {}: numbers have no --colors and no --scale", path.display())]
    StyledNumbers { path: PathBuf },
    #[error(
        "--out {}: {} pictures of {} x {} pixels are too long an animation, which holds at most {} pixels", path.display(),
        grouped(*count as u64), size[0], size[1], grouped(*most)
    )]
    LongAnimation { path: PathBuf, count: usize, size: [u32; 2], most: u64 },
    #[error("--seeds {seeds}: there is nothing between one sample and no other")]
    OneSeed { seeds: String },
    #[error("--seeds, --steps: {} pictures are too many, there may be {}", grouped(*count), grouped(*most))]
    TooManyBetween { count: u64, most: u64 },
    #[error("{}: there are no samples/fake_images-N.png of a run", path.display())]
    NoSheets { path: PathBuf },
    #[error("{}", path.display())]
    Sheet { path: PathBuf, source: ganlet_viz::Error },
    #[error(
        "{} is of {} x {} pixels, those before it of {} x {}", path.display(), found[0], found[1], expected[0], expected[1]
    )]
    SheetSize { path: PathBuf, expected: [u32; 2], found: [u32; 2] },
    #[error("{}: no page can be made of this generator", path.display())]
    Demo { path: PathBuf, source: ganlet_viz::Error },
    #[error("--seeds: {} pictures are too many for {what}, which holds at most {}", grouped(*count), grouped(*most))]
    TooMany { count: u64, what: &'static str, most: u64 },

    #[error("{}: this is not a state dict of fully connected layers", path.display())]
    PyTorch { path: PathBuf, source: ganlet_formats::pytorch::Error },
    #[error("--classes {classes}: {} takes {inputs} inputs, of which some must be left", path.display())]
    ImportClasses { path: PathBuf, classes: usize, inputs: usize },
    #[error("{}: its images have {pixels} pixels: how many rows and columns are that?", path.display())]
    ImageSize { path: PathBuf, pixels: usize },
    #[error("{}: it cannot be written as ONNX", path.display())]
    Onnx { path: PathBuf, source: ganlet_formats::onnx::Error },
    #[error("{}", path.display())]
    Environment { path: PathBuf, source: serde_json::Error },
    #[error("{}: this is not a PNG file", path.display())]
    NotPng { path: PathBuf },

    #[error("the runs were trained on different data: {} and {}", of[0], of[1])]
    DifferentData { of: [String; 2] },
    #[error(
        "{}: its images are of {} x {} pixels, those of {dataset} of {} x {}", path.display(), found[0], found[1],
        expected[0], expected[1]
    )]
    OtherImages { path: PathBuf, dataset: String, expected: [usize; 2], found: [usize; 2] },
    #[error("{name}")]
    Evaluate { name: String, source: ganlet_metrics::Error },
    #[error("--neighbours {}: it is drawn for one generator, found {found}", path.display())]
    NeighboursOfSeveral { path: PathBuf, found: usize },

    #[error("{name}: {files} of its files are not as published")]
    Damaged { name: Name, files: usize },

    #[error(transparent)]
    Data(#[from] ganlet_data::Error),
    #[error(transparent)]
    Models(#[from] ganlet_models::Error),
    #[error(transparent)]
    Train(#[from] ganlet_train::Error),
    #[error(transparent)]
    Metrics(#[from] ganlet_metrics::Error),
    #[error(transparent)]
    Viz(#[from] ganlet_viz::Error),
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

const STEADIER: &str =
    "a smaller learning_rate in the recipe trains more steadily; what was saved of the epochs before is kept";

/// Whether it says that numbers are no longer finite.
fn is_not_finite(error: &(dyn std::error::Error + 'static)) -> bool {
    use ganlet_train::checkpoint::Error as Checkpoint;
    matches!(error.downcast_ref(), Some(Error::Checkpoint { source: Checkpoint::NotFinite { .. }, .. }))
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }

    /// Says what went wrong, why, and what to do next.
    pub(crate) fn report(&self) -> ExitCode {
        self.tell(console::error);
        ExitCode::FAILURE
    }

    /// Says what will go wrong.
    pub(crate) fn warn(&self) {
        self.tell(console::warning);
    }

    fn tell(&self, first: impl Fn(String)) {
        let mut sentences = chain(self).into_iter();
        first(sentences.next().unwrap_or_default());
        for cause in sentences {
            console::note(format_args!("  caused by: {cause}"));
        }
        if let Some(hint) = self.hint() {
            console::hint(hint);
        }
    }

    /// The next command, or what to look at.
    fn hint(&self) -> Option<String> {
        use ganlet_data::Error as Data;
        use ganlet_formats::pytorch::Error as PyTorch;
        use ganlet_train::Error as Train;

        Some(match self {
            Self::CudaNotBuilt { .. } => {
                "use --device cpu, or build with CUDA: cargo build --release --features cuda, which needs its toolkit; \
                 cargo xtask cuda build brings its own"
                    .into()
            }
            Self::Cuda { .. } => {
                "`nvidia-smi` shows the GPUs; libraries are found where the system looks, or LD_LIBRARY_PATH says; \
                 --device cpu needs neither"
                    .into()
            }
            Self::Threads { .. } => "without it there is a thread for each core".into(),
            Self::Recipe { .. } => "ganlet train --dry-run shows what would be trained".into(),
            Self::Setting { .. } | Self::Settings { .. } => {
                "for instance --set r1=0.5 --set schedule=linear; ganlet train --dry-run shows the fields".into()
            }
            Self::Config { .. } | Self::ConfigNotText { .. } => {
                "a run's recipe.toml is an example; ganlet train --dry-run prints one".into()
            }
            Self::CustomData => "name their folder with --data-dir, or other images with --dataset".into(),
            Self::RunExists { .. } => "choose another directory with --out, or replace the run with --overwrite".into(),
            Self::Held { .. } => "wait for it, stop it, or choose another directory with --out".into(),
            Self::NoRun { .. } => "name a directory that `ganlet train` made; ls runs/ shows those that there are".into(),
            Self::NoRecipe { .. } => "a run's recipe.toml is as `ganlet train` wrote it; ganlet train --dry-run prints one".into(),
            Self::NoWholeCheckpoint { folder, .. } => {
                format!("remove {} and resume, and the run begins anew, to the same bytes", folder.display())
            }
            Self::OtherRecipe { .. } => {
                "--resume alone goes on as it began; --out NEW in its place trains the other recipe".into()
            }
            Self::OtherData { .. } => "name the data that it began with by --dataset or --data-dir".into(),
            Self::Training { source, resume } => match &**source {
                Self::Train(Train::Diverged { .. } | Train::NotFinite { .. }) | Self::RunVanished { .. } => {
                    return source.hint();
                }
                // The moments of an optimizer are looked at when they are saved.
                Self::Train(Train::Observer { source, .. }) if is_not_finite(source.as_ref()) => STEADIER.into(),
                Self::Write { .. } | Self::Train(Train::Observer { .. }) => {
                    format!("nothing that was saved is lost; with room and leave to write there, go on: {resume}")
                }
                _ => format!("nothing that was saved is lost; to go on: {resume}"),
            },
            Self::RunVanished { .. } => {
                "if it was moved, or its disk was unplugged, ganlet train --resume goes on with it where it is now".into()
            }
            Self::Models(ganlet_models::Error::NoLabels) => "ganlet train --recipe conditional trains one with labels".into(),
            Self::NoModel { .. } => "`ganlet train` makes a run; ls runs/ shows those that there are".into(),
            Self::NoWeights { path } if path.join(crate::run_dir::RECIPE).exists() => format!(
                "the run was stopped before its first epoch was over: ganlet train --resume {}",
                path.display()
            ),
            Self::NoWeights { .. } => "name a run directory or a .safetensors file; `ganlet train` makes both".into(),
            Self::Weights { path, source: ganlet_models::Error::NotSafetensors { .. }, .. }
                if path.extension().is_none_or(|extension| extension != "safetensors") =>
            {
                format!("what PyTorch saved becomes such a file by: ganlet import {}", path.display())
            }
            Self::Weights { kind, .. } => format!("a run's {kind}.safetensors has them; `ganlet train` makes it"),
            Self::LatentShape { .. } | Self::Latents { .. } => {
                "numpy.save(\"z.npy\", numpy.random.randn(N, latent).astype(\"float32\")) makes such a file".into()
            }
            Self::Ending { ending, .. } => format!("end it with .{ending}"),
            Self::OutFormat { known, .. } => {
                let known: Vec<_> = known.iter().map(|format| format.described()).collect();
                format!("end it with {}", known.join(", or "))
            }
            Self::StyledNumbers { .. } => "leave them out, or end it with .png".into(),
            Self::LongAnimation { .. } => "take a smaller --scale, or fewer pictures".into(),
            Self::OneSeed { .. } => "name two or more, as in --seeds 3,8".into(),
            Self::TooManyBetween { .. } => "take fewer --seeds, or fewer --steps".into(),
            Self::NoSheets { .. } => "name the directory of a run; `ganlet train` makes one, and draws after each epoch".into(),
            Self::Sheet { .. } | Self::SheetSize { .. } => "remove that file, and the other epochs are shown".into(),
            Self::Demo { source: ganlet_viz::Error::PageSize { bytes, .. }, .. } => {
                format!("--max-size {} takes a page of so many MB", bytes.div_ceil(1_000_000))
            }
            Self::Viz(ganlet_viz::Error::TooLargePicture { .. }) => "take a smaller --scale, or fewer pictures".into(),
            Self::TooMany { what: "one .npy file", .. } => "draw them in several commands, each with some of the --seeds".into(),
            Self::TooMany { .. } => "--out samples.npy takes more, and --seeds fewer".into(),
            Self::PyTorch { source: PyTorch::NoTensors { dictionaries }, .. } if !dictionaries.is_empty() => {
                format!("in Python, save it alone: torch.save(checkpoint[\"{}\"], \"G.ckpt\")", dictionaries[0])
            }
            Self::PyTorch {
                source: PyTorch::NotLinear { .. } | PyTorch::Half { .. } | PyTorch::Shape { .. } | PyTorch::DType { .. },
                ..
            } => "Ganlet's networks are chains of fully connected layers with biases: it can read no others".into(),
            Self::PyTorch { path, .. } if path.extension().is_some_and(|extension| extension == "safetensors") => {
                format!("safetensors need no import: ganlet sample {}", path.display())
            }
            Self::PyTorch { .. } => "in Python, save the weights alone: torch.save(G.state_dict(), \"G.ckpt\")".into(),
            Self::ImportClasses { .. } => "a label of ten digits is ten inputs: --classes 10".into(),
            Self::ImageSize { pixels, .. } => format!("--image says it: --image 1x{pixels}, for one row"),
            Self::Environment { .. } => "the training that made it writes this file; is it another program's?".into(),
            Self::NotPng { .. } => "move it out of the run's samples; ganlet train writes PNG files there".into(),
            Self::DifferentData { .. } => "name the data to hold all of them against with --dataset".into(),
            Self::OtherImages { .. } => "--dataset or --data-dir names the data that it was trained on".into(),
            Self::Evaluate { source: ganlet_metrics::Error::TooFew { .. }, .. } => {
                "--samples takes more of a generator, 10000 is what others report; a reference is the data set's test images"
                    .into()
            }
            Self::Evaluate { source: ganlet_metrics::Error::ImageSize { .. }, .. } => {
                "leave out --eval-every; `ganlet eval` measures what can be measured of such images".into()
            }
            Self::NeighboursOfSeveral { .. } => "name one, or leave out --neighbours".into(),
            Self::Damaged { name, .. } => format!("ganlet data fetch {name} replaces those in its own cache"),
            Self::Data(Data::UnknownName { .. }) => "ganlet data info describes them".into(),
            Self::Data(Data::NotFound { name, .. }) => format!("ganlet data fetch {name}"),
            Self::Data(Data::Download { .. } | Data::NoCacheFolder) => {
                "name a folder with the files by --data-dir, or another address by GANLET_MIRROR; \
                 --dataset synthetic-digits needs no network"
                    .into()
            }
            Self::Data(Data::MissingFolder { .. } | Data::MissingFile { .. }) => {
                "--data-dir, or GANLET_DATA_DIR, names the folder of these four files; ganlet data info says where each data set is"
                    .into()
            }
            Self::Data(Data::Idx { .. } | Data::Digest { .. } | Data::Mismatch { .. }) => {
                "replace the file; in the cache, `ganlet data fetch NAME` does so, and ganlet data verify checks the files"
                    .into()
            }
            Self::Train(Train::Field { .. } | Train::WriteRecipe(_)) => {
                "ganlet train --help describes the flags; ganlet train --dry-run shows a whole recipe".into()
            }
            Self::Train(Train::Labels { .. }) => {
                "--set classes=0 trains without labels, another number with those below it".into()
            }
            Self::Train(Train::TooFewImages { .. }) => "choose a smaller --batch-size, or fewer discriminator_steps".into(),
            Self::Train(Train::Diverged { .. } | Train::NotFinite { .. }) => {
                STEADIER.into()
            }
            Self::Read { .. } => "is it there, and may you read it?".into(),
            Self::Write { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "is its folder there? --out chooses another place".into()
            }
            Self::Write { .. } => "is there room, and may you write there? --out chooses another place".into(),
            _ => return inner(self)?.hint(),
        })
    }
}

/// Each on a line of its own.
fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// The error of ours that one of another crate carries, as that of a training carries its observer's.
fn inner(error: &Error) -> Option<&Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref() {
            return Some(error);
        }
        source = cause.source();
    }
    None
}

/// What an error says, and what its causes say; a sentence that the one before it ends with is not repeated.
pub(crate) fn chain(error: &dyn StdError) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let sentence = error.to_string().trim_end().to_owned();
        if sentences.last().is_none_or(|last| !last.ends_with(&sentence)) {
            sentences.push(sentence);
        }
        next = error.source();
    }
    sentences
}
