//! The command line, field by field as it is typed. What the fields mean together is settled in the file of each verb.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::device::DeviceChoice;
use crate::seeds::Seeds;
use crate::style::{PaceArgs, StyleArgs};

/// Epochs from one checkpoint to the next, and how many are kept, where nothing else is said.
pub(crate) const CHECKPOINT_EVERY: u64 = 1;
pub(crate) const KEEP: usize = 2;

/// The headings of the help on `train`.
const RECIPE: &str = "Recipe";
const DATA: &str = "Data and device";
const OUTPUT: &str = "Output";
const INTERRUPTION: &str = "Interruption";

/// Trains generative adversarial networks on small pictures, MNIST and its like.
///
/// `train` turns a data set into a generator, `sample` turns the generator into pictures and numbers, `interpolate` and `animate` make
/// them move, `demo` makes a page to play with, `eval` says how good they are, `report` shows how the training went, `import` and `export`
/// speak with PyTorch, ONNX and TensorBoard, and `data` looks after the data sets.
#[derive(Debug, Parser)]
#[command(
    name = "ganlet",
    version,
    max_term_width = 100,
    after_help = "\
EXAMPLES:
  ganlet train                        Train the classic recipe on MNIST
  ganlet sample runs/RUN              See what it learned to draw
  ganlet demo runs/RUN                Make a page to explore it in a browser
  ganlet eval runs/RUN                Measure how good that is
  ganlet report runs/RUN runs/OTHER   Compare two trainings
  ganlet export runs/RUN --onnx g.onnx
                                      Take it elsewhere
  ganlet data info                    See which data sets are at hand
  ganlet help train                   Read all about training"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Train(TrainArgs),
    Sample(SampleArgs),
    Interpolate(InterpolateArgs),
    Animate(AnimateArgs),
    Demo(DemoArgs),
    Eval(EvalArgs),
    Report(ReportArgs),
    Import(ImportArgs),
    Export(ExportArgs),
    Data(DataArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Train a GAN and leave a run directory with its pictures, numbers and weights.
///
/// What is trained is a recipe: `--recipe` names one, `--config` reads one from a file, and the flags below it change
/// single values. The same recipe gives the same bits, for any number of threads.
///
/// The run directory holds report.html (everything to look at; it follows the training), recipe.toml, environment.json,
/// metrics.jsonl (the numbers of each report), samples/ (pictures after every epoch), generator.safetensors and
/// discriminator.safetensors (replaced after every epoch), generator-ema.safetensors (where the recipe averages),
/// generator-best.safetensors (whose samples were nearest to real images), and checkpoints/ (all that is needed to go on). Its
/// path is printed on standard output.
///
/// Ctrl-C and SIGTERM finish the step and save; a second one leaves at once. However a run was interrupted, `--resume` goes on
/// from its newest checkpoint and comes to the bytes of a run that was not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet train                                The classic recipe on MNIST
  ganlet train --dry-run                      Show what that would do
  ganlet train --epochs 20 --seed 7           Shorter, with other random numbers
  ganlet train --recipe best                  The best digits, in 1.5 times the time
  ganlet train --recipe best --set r1=1       With one number of it changed
  ganlet train --dataset synthetic-digits     Needs no network
  ganlet train --data-dir pics --out runs/a   Your own IDX files
  ganlet train --config runs/classic-mnist-seed0/recipe.toml --out runs/b
                                              The same bits again
  ganlet train --resume runs/a                Go on where it was interrupted
  ganlet train --resume runs/a --epochs 400   Train a finished run on

ENVIRONMENT:
  GANLET_DATA_DIR     Where the data sets are, as --data-dir says it for one run
  GANLET_MIRROR       Where to download data sets from
  CANDLE_NUM_THREADS  Threads to train with [default: one per core]
  NO_COLOR            No colors")]
pub(crate) struct TrainArgs {
    /// Recipe to train: classic, best, conditional, wgan-gp, yunjey-2018 or goodfellow-2014 [default: classic]
    #[arg(
        long,
        value_name = "NAME",
        help_heading = RECIPE,
        conflicts_with = "config"
    )]
    pub(crate) recipe: Option<String>,

    /// Recipe file to train, such as the recipe.toml of a run
    #[arg(long, value_name = "FILE", help_heading = RECIPE, value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Passes over the training images [default: the recipe's; classic: 200]
    #[arg(long, value_name = "N", help_heading = RECIPE, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) epochs: Option<u64>,

    /// Images per update of the discriminator [default: the recipe's; classic: 100]
    #[arg(long, value_name = "N", help_heading = RECIPE, value_parser = positive)]
    pub(crate) batch_size: Option<usize>,

    /// What the random numbers follow from [default: the recipe's; classic: 0]
    #[arg(long, value_name = "N", help_heading = RECIPE)]
    pub(crate) seed: Option<u64>,

    /// Set any other field of the recipe, as --set r1=0.5; may be given several times. `--dry-run` shows them all
    #[arg(long, value_name = "FIELD=VALUE", help_heading = RECIPE)]
    pub(crate) set: Vec<String>,

    /// mnist, fashion-mnist, kmnist or synthetic-digits [default: that of --config; else the files in --data-dir;
    /// else mnist, or synthetic-digits where that cannot be had]
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(crate) dataset: Option<String>,

    #[command(flatten)]
    pub(crate) data: SourceArgs,

    /// Device to train on: cpu, cuda, cuda:N, or auto: CUDA where it is built in and there is a GPU, else the CPU. With
    /// +tf32 after a GPU's name, large matrices are multiplied in TF32: faster, with 10 bits of each factor's fraction
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = DATA)]
    pub(crate) device: DeviceChoice,

    /// Run directory to go on with, from its newest whole checkpoint, to the bytes of a run without an interruption; recipe
    /// and data must be those that it began with, but there may be more --epochs
    #[arg(
        long,
        value_name = "RUN",
        help_heading = INTERRUPTION,
        value_hint = ValueHint::DirPath,
        conflicts_with_all = ["recipe", "out", "overwrite", "dry_run"]
    )]
    pub(crate) resume: Option<PathBuf>,

    /// Epochs from one checkpoint to the next; there is one at the end in any case
    #[arg(
        long,
        value_name = "N",
        default_value_t = CHECKPOINT_EVERY,
        help_heading = INTERRUPTION,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) checkpoint_every: u64,

    /// Checkpoints to keep, the newest
    #[arg(long, value_name = "N", default_value_t = KEEP, help_heading = INTERRUPTION, value_parser = positive)]
    pub(crate) keep: usize,

    /// Run directory to make [default: runs/RECIPE-DATASET-seedN]
    #[arg(long, value_name = "RUN", help_heading = OUTPUT, value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,

    /// Epochs from one measurement of quality to the next, which `ganlet eval` explains; 0 for none. Its numbers go to
    /// metrics.jsonl, and the best generator is kept [default: 20 for mnist and synthetic-digits, else 0]
    #[arg(long, value_name = "N", help_heading = OUTPUT)]
    pub(crate) eval_every: Option<u64>,

    /// Write TensorBoard's event file into the run directory as well, as training goes on: scalars and sheets, for `tensorboard
    /// --logdir runs`
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) tensorboard: bool,

    /// Replace the run in the run directory, if it holds one; files that no run makes stay
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) overwrite: bool,

    /// Show what would be trained, on what and where to; download and write nothing
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) dry_run: bool,

    /// Say nothing but warnings and errors
    #[arg(long, short, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
}

/// Where data sets come from.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// Folder with the IDX files of the data set, plain or gzipped
    #[arg(long, value_name = "DIR", help_heading = DATA, value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,

    /// Use only what is on this machine
    #[arg(long, help_heading = DATA)]
    pub(crate) offline: bool,
}

/// Draw pictures with a trained generator.
///
/// Sample N is a function of its seed N alone: it is the same picture, bit for bit, whichever others are drawn with it.
///
/// The path of what was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet sample runs/a                             A grid of samples 0 to 63
  ganlet sample runs/a --seeds 7 --out 7.png       One picture
  ganlet sample runs/a --seeds 0-99 --out pics/    A PNG file each
  ganlet sample runs/a --scale 4 --colors inverted Large, and ink on paper
  ganlet sample runs/a --seeds 0-9999 --out x.npy  Numbers: numpy.load(\"x.npy\") is
                                                   (10000, 784) float32 in [-1, 1]
  ganlet sample runs/conditional-mnist-seed0 --label 0-9
                                                   A row of each digit
  ganlet sample generator.safetensors              Any weights, PyTorch's too")]
pub(crate) struct SampleArgs {
    /// Run directory, or a generator's weights; those of PyTorch's state dict work too
    #[arg(value_name = "RUN|FILE.safetensors", value_hint = ValueHint::AnyPath)]
    pub(crate) model: PathBuf,

    /// Which samples: a number, a range, or several of them, as in 1,5,9-12 [default: 0-63; 0-7 of each of several labels]
    #[arg(long, value_name = "SEEDS")]
    pub(crate) seeds: Option<Seeds>,

    /// Draw this digit, or these, as in 0-9: each of the seeds for each of them, a row of the grid for each. For generators that were
    /// trained with labels; without it, sample N is of the kind N mod 10
    #[arg(long, value_name = "LABELS", conflicts_with = "latents", value_parser = labels)]
    pub(crate) label: Option<Seeds>,

    /// Draw the latents in this .npy file instead, (N, latent) of float32 or float64
    #[arg(long, value_name = "FILE.npy", conflicts_with = "seeds", value_hint = ValueHint::FilePath)]
    pub(crate) latents: Option<PathBuf>,

    /// Where to: FILE.png for a grid, FILE.npy for numbers, a folder for a PNG file each; existing files are replaced
    /// [default: a grid in the samples folder of the run, or beside the weights]
    #[arg(long, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    pub(crate) out: Option<PathBuf>,

    /// Pictures in a row of the grid [default: 8; all of a label where there are several]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) per_row: Option<usize>,

    #[command(flatten)]
    pub(crate) style: StyleArgs,

    /// Device to draw on: cpu, cuda, cuda:N, or auto: CUDA where there is one, else the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
}

/// Draw what lies between samples: a grid, or an animation that turns one into the next.
///
/// The way from one to the next is along a great circle of latents. In a grid, each row leads from a sample to the next;
/// an animation passes all of them and comes back to the first.
///
/// The path of what was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet interpolate runs/a                        A grid: from sample 0 to 1, 1 to 2, ... 7 to 8
  ganlet interpolate runs/a --seeds 3,8 --steps 20 One row
  ganlet interpolate runs/a --out between.gif      An animation")]
pub(crate) struct InterpolateArgs {
    /// Run directory, or a generator's weights; those of PyTorch's state dict work too
    #[arg(value_name = "RUN|FILE.safetensors", value_hint = ValueHint::AnyPath)]
    pub(crate) model: PathBuf,

    /// Between which samples, two or more: numbers and ranges, as in 1,5,9-12
    #[arg(long, value_name = "SEEDS", default_value = "0-8")]
    pub(crate) seeds: Seeds,

    /// The class of all pictures, of a conditional generator [default: seed N modulo the classes, and mixtures in between]
    #[arg(long, value_name = "N")]
    pub(crate) label: Option<usize>,

    /// Pictures from one sample to the next [default: 10 in a grid, both ends counted; 24 in an animation]
    #[arg(long, value_name = "N", value_parser = at_least_two)]
    pub(crate) steps: Option<usize>,

    /// Where to: FILE.png for a grid, FILE.gif or FILE.apng for an animation, FILE.npy for the numbers of the grid; an
    /// existing file is replaced [default: a grid in the samples folder of the run, or beside the weights]
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// [default: 20]
    #[command(flatten)]
    pub(crate) pace: PaceArgs,

    #[command(flatten)]
    pub(crate) style: StyleArgs,

    /// Device to draw on: cpu, cuda, cuda:N, or auto: CUDA where there is one, else the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
}

/// Show how a training went: an animation of the pictures that it drew after its epochs, always of the same latents.
///
/// Early epochs, which change the most, are shown more often than late ones; each picture names its epoch.
///
/// The path of what was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet animate runs/a                            To runs/a/training.gif
  ganlet animate runs/a --frames 200 --out a.apng  Many epochs, as an animated PNG")]
pub(crate) struct AnimateArgs {
    /// Run directory
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(crate) run: PathBuf,

    /// The most pictures
    #[arg(long, value_name = "N", default_value = "40", value_parser = positive)]
    pub(crate) frames: usize,

    /// Where to: FILE.gif or FILE.apng; an existing file is replaced [default: training.gif in the run directory]
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) pace: PaceArgs,

    #[command(flatten)]
    pub(crate) style: StyleArgs,
}

/// Make a page to explore a generator with, in any browser: new pictures, and ways between and around them.
///
/// It is one file with the generator inside, and needs no network and no other file. Its sample N is the picture that
/// `ganlet sample --seeds N` draws.
///
/// The path of the page is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet demo runs/a                               To runs/a/demo.html; open it in a browser
  ganlet demo generator.safetensors --out g.html   Any weights, PyTorch's too")]
pub(crate) struct DemoArgs {
    /// Run directory, or a generator's weights; those of PyTorch's state dict work too
    #[arg(value_name = "RUN|FILE.safetensors", value_hint = ValueHint::AnyPath)]
    pub(crate) model: PathBuf,

    /// Where to; an existing file is replaced [default: demo.html in the run directory, or beside the weights]
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// The largest page, in MB: the weights of large generators are rounded until they fit, from 24 bits down to 4
    #[arg(long, value_name = "N", default_value = "2", value_parser = positive)]
    pub(crate) max_size: usize,
}

/// Measure how good generators are: fidelity, diversity, memorisation and likelihood.
///
/// Prints one table: a column for each generator, and two that show what the numbers mean: training images, the best that can be
/// expected, and noise. After each number stands its standard error. The reference is the test images of the data set.
///
/// Fréchet, kernel: distances between samples and test images in the features of a network that knows MNIST's digits; lower is
/// better. Precision, density: how many samples are like real images. Recall, coverage: how many real images are like
/// samples. Score, confidence: how clearly the samples are digits, of all kinds. Imbalance: how unequally frequent the digits are,
/// in nats. Parzen: the log-likelihood of the 2014 paper, in nats; for comparison with its table, as it says little
/// about a generator. Nearest: the mean distance to the nearest training image, pixels being in [0, 1]; "/ test" in units of that of
/// a test image: far below 1 means copies. As asked: how many samples are the digit of their label, where the generator takes labels. Last,
/// how many percent of the samples are the digits 0 to 9; one with less than one percent is dropped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet eval runs/a                          One run
  ganlet eval runs/a runs/b torch.safetensors Several, PyTorch's too
  ganlet eval runs/a --json                   The same for other programs
  ganlet eval runs/a --neighbours copies.png  64 samples, and in the last column the training
                                              image nearest to the sample at the end of the row

ENVIRONMENT:
  GANLET_DATA_DIR     Where the data sets are, as --data-dir says it for one run
  CANDLE_NUM_THREADS  Threads to use [default: one per core]")]
pub(crate) struct EvalArgs {
    /// Run directories, or generators' weights; those of PyTorch's state dict work too
    #[arg(value_name = "RUN|FILE.safetensors", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) models: Vec<PathBuf>,

    /// Samples of each generator: those of the seeds 0 to N-1
    #[arg(long, value_name = "N", default_value = "10000", value_parser = samples)]
    pub(crate) samples: usize,

    /// Print JSON in place of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Also draw 64 samples of the generator beside their nearest training images, to this file
    #[arg(long, value_name = "FILE.png", value_hint = ValueHint::FilePath)]
    pub(crate) neighbours: Option<PathBuf>,

    /// mnist, fashion-mnist, kmnist or synthetic-digits [default: what the runs were trained on; else the files in
    /// --data-dir; else mnist]
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(crate) dataset: Option<String>,

    #[command(flatten)]
    pub(crate) data: SourceArgs,

    /// Device to draw on: cpu, cuda, cuda:N, or auto: CUDA where there is one, else the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = DATA)]
    pub(crate) device: DeviceChoice,
}

/// Show how trainings went: curves, pictures, recipe and environment on one page of HTML.
///
/// `ganlet train` writes the page of a run itself, as report.html in its directory, and anew while it goes on; this makes it again from
/// the other files there. Of several runs it makes one page that compares them: curves in one frame, numbers in one table, pictures side
/// by side. A page needs nothing beside it, and no network.
///
/// The path of what was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet report runs/a                        Make runs/a/report.html again
  ganlet report runs/a runs/b runs/c          Compare three, in compare.html
  ganlet report runs/* --out all.html         Compare all that there are")]
pub(crate) struct ReportArgs {
    /// Run directories
    #[arg(value_name = "RUN", required = true, value_hint = ValueHint::DirPath)]
    pub(crate) runs: Vec<PathBuf>,

    /// Where to; an existing file is replaced [default: report.html in the run directory; of several, compare.html]
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
}

/// Read weights that PyTorch saved.
///
/// Takes what `torch.save(G.state_dict(), FILE)` wrote, in any version of PyTorch, and writes safetensors that say what network
/// they are of, which all verbs take. It is read as data: whatever the file asks for, nothing of it is run.
///
/// The network is a chain of fully connected layers. One that ends in one output is a discriminator, any other a generator.
///
/// The way back to PyTorch needs no verb: G.load_state_dict(safetensors.torch.load_file("generator.safetensors")).
///
/// The path of what was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet import G.ckpt                         Make G.safetensors of it
  ganlet sample G.safetensors                  See what it draws
  ganlet import G.pth --activation relu        The tutorial as it was revised in 2018
  ganlet import G.pth --out generator.safetensors
  ganlet import G.pt --image 32x24             Its pictures are not square")]
pub(crate) struct ImportArgs {
    /// File that `torch.save` wrote: .pt, .pth, .ckpt, .pkl
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Where to [default: FILE, with the ending .safetensors]
    #[arg(long, value_name = "FILE.safetensors", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// What stands between the layers, which the file does not say
    #[arg(long, value_name = "NAME", default_value = "leaky-relu", value_parser = ["leaky-relu", "relu"])]
    pub(crate) activation: String,

    /// How many of the inputs are a label, as ones and zeros after the others
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) classes: usize,

    /// Size of the pictures in pixels [default: a square]
    #[arg(long, value_name = "ROWSxCOLUMNS", value_parser = size)]
    pub(crate) image: Option<[usize; 2]>,
}

/// Write a run or its weights for other programs: ONNX, TensorBoard.
///
/// The ONNX model of a generator takes `latents` (batch, N) and gives `images` (batch, rows * columns) in [-1, 1]; that of a
/// discriminator takes such images and gives `logits` (batch, 1). The batch is of any size; the operator set is 13. Where the
/// network takes labels, `labels` (batch) go in as well, int64 from 0.
///
/// TensorBoard's event file holds the numbers of metrics.jsonl as scalars and the sheets of samples/ as images.
///
/// PyTorch needs no export: it reads the weights of a run as they are.
///
/// The path of each file that was written is printed on standard output.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("format").required(true).multiple(true),
    after_help = "\
EXAMPLES:
  ganlet export runs/a --onnx g.onnx                 The generator for onnxruntime
  ganlet export runs/a/discriminator.safetensors --onnx d.onnx
  ganlet export runs/a --tensorboard logs/a          Then: tensorboard --logdir logs"
)]
pub(crate) struct ExportArgs {
    /// Run directory, or a network's weights; those of PyTorch's state dict work too
    #[arg(value_name = "RUN|FILE.safetensors", value_hint = ValueHint::AnyPath)]
    pub(crate) model: PathBuf,

    /// Write an ONNX model to this file
    #[arg(long, value_name = "FILE.onnx", group = "format", value_hint = ValueHint::FilePath)]
    pub(crate) onnx: Option<PathBuf>,

    /// Write TensorBoard's event file of a run into this folder, whose name TensorBoard shows
    #[arg(long, value_name = "DIR", group = "format", value_hint = ValueHint::DirPath)]
    pub(crate) tensorboard: Option<PathBuf>,
}

/// Print the completions of a shell: what Tab does after `ganlet`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet completions bash > ~/.local/share/bash-completion/completions/ganlet
  ganlet completions zsh > ~/.zfunc/_ganlet     With ~/.zfunc in fpath
  ganlet completions fish > ~/.config/fish/completions/ganlet.fish
  ganlet completions powershell >> $PROFILE")]
pub(crate) struct CompletionsArgs {
    /// Shell that they are for
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Write the manual pages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet man ~/.local/share/man/man1      Then: man ganlet, man ganlet-train
  ganlet man | man -l -                   Read the first without installing it")]
pub(crate) struct ManArgs {
    /// Folder to write a page for each verb into [default: print the page of the program]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}

/// Fetch, verify and describe data sets.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
  ganlet data info                  What each is, and whether it is at hand
  ganlet data fetch mnist           Download MNIST, verify it, and keep it
  ganlet data verify mnist          Compare the files with the published checksums

ENVIRONMENT:
  GANLET_DATA_DIR     Where the data sets are, as --data-dir says it for one run
  GANLET_MIRROR       Where to download data sets from")]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) verb: DataVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Download a data set into the cache, unless it is at hand
    #[command(after_help = "EXAMPLE:\n  ganlet data fetch fashion-mnist")]
    Fetch {
        /// Data set: mnist, fashion-mnist or kmnist
        #[arg(value_name = "NAME", default_value = "mnist")]
        name: String,

        /// Folder to keep it in, in a subfolder of its name [default: ganlet in the user's cache folder]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        data_dir: Option<PathBuf>,

        /// Do not download: fail if a file is missing
        #[arg(long)]
        offline: bool,
    },

    /// Compare the files of a data set with the published checksums; the exit code is 1 where one is damaged
    #[command(after_help = "EXAMPLE:\n  ganlet data verify mnist --data-dir my-copy")]
    Verify {
        /// Data set: mnist, fashion-mnist, kmnist or synthetic-digits
        #[arg(value_name = "NAME", default_value = "mnist")]
        name: String,

        /// Folder with the IDX files of the data set, plain or gzipped
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        data_dir: Option<PathBuf>,
    },

    /// Describe a data set, or all of them; downloads nothing
    #[command(after_help = "EXAMPLE:\n  ganlet data info --data-dir my-images")]
    Info {
        /// Data set: mnist, fashion-mnist, kmnist or synthetic-digits [default: all]
        #[arg(value_name = "NAME")]
        name: Option<String>,

        /// Folder with the IDX files of the data set, plain or gzipped
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        data_dir: Option<PathBuf>,
    },
}

/// Two whole numbers of at least one, as in 28x28.
fn size(text: &str) -> Result<[usize; 2], String> {
    let (rows, columns) = text.split_once('x').ok_or("expected ROWSxCOLUMNS, as in 28x28")?;
    Ok([positive(rows)?, positive(columns)?])
}

/// A whole number of at least two.
fn at_least_two(text: &str) -> Result<usize, String> {
    match positive(text)? {
        1 => Err("it must be at least 2: both ends".into()),
        number => Ok(number),
    }
}

/// A whole number of at least one.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// Labels, which are written as seeds are.
fn labels(text: &str) -> Result<Seeds, String> {
    text.parse().map_err(|error: String| error.replace("seed", "label"))
}

/// How many samples of a generator are measured: more take hours, and gigabytes.
fn samples(text: &str) -> Result<usize, String> {
    const MOST: usize = 100_000;
    match positive(text)? {
        count if count > MOST => Err(format!("expected at most {MOST}")),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
