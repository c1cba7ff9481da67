//! `ganlet sample`: seeds -> latents -> pictures, in a grid, as numbers, or one by one.

use std::fs::File;
use std::io::{BufReader, Write};
use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use ganlet_models::Generator;
use ganlet_viz::{Layout, grid};
use indicatif::ProgressBar;

use crate::args::SampleArgs;
use crate::error::{Error, Result};
use crate::seeds::Seeds;
use crate::style::{Format, StyleArgs};
use crate::{console, files, model, npy, progress};

/// Pictures are drawn this many at a time, so that a million of them need no more memory than a few, and those of MNIST's
/// size stay in the cache until they are written. A whole number of the generator's own blocks.
const BLOCK: usize = 144;

/// The most pictures that go into one grid, one folder, one file of numbers: beyond these a slip of the finger is more
/// likely than a wish.
pub(crate) const MOST_IN_GRID: u64 = 10_000;
const MOST_IN_FOLDER: u64 = 100_000;
const MOST_IN_NUMBERS: u64 = 10_000_000;

pub(crate) fn run(args: &SampleArgs) -> Result<()> {
    let weights = model::weights_file(&args.model)?;
    let device = args.device.open()?;
    let generator = model::generator(&weights, &device)?;

    let asked = seeds(args);
    let mut pictures = Pictures::new(args, &asked, &generator, &device)?;
    let out = Out::parse(args, &weights)?;
    out.check(pictures.count)?;
    match &out {
        Out::Grid(path) => write_grid(path, &mut pictures, per_row(args, &asked), args.style)?,
        Out::Numbers(path) => {
            args.style.check_numbers(path)?;
            write_numbers(path, &mut pictures)?;
        }
        Out::Folder(path) => write_folder(path, &mut pictures, args.style)?,
    }
    console::print(out.path().display())
}

/// The pictures, drawn a block at a time.
struct Pictures<'a> {
    generator: &'a Generator,
    device: &'a Device,
    source: Source<'a>,
    /// How many there are.
    count: u64,
    /// How many were drawn.
    drawn: u64,
    bar: ProgressBar,
}

/// What they are drawn from.
enum Source<'a> {
    Seeds(Box<dyn Iterator<Item = u64> + 'a>),
    /// Labels and seeds: all seeds of one label, then those of the next.
    Labelled(Peekable<Box<dyn Iterator<Item = (u64, u64)> + 'a>>),
    Latents {
        path: &'a Path,
        rows: npy::Rows<BufReader<File>>,
    },
}

/// The seeds where none are named, and where there are several labels.
const SEEDS: [RangeInclusive<u64>; 2] = [0..=63, 0..=7];

/// The seeds that are asked for.
fn seeds(args: &SampleArgs) -> Seeds {
    let [alone, each] = SEEDS;
    args.seeds.clone().unwrap_or_else(|| if several_labels(args) { each } else { alone }.into())
}

/// Pictures in a row of the grid.
fn per_row(args: &SampleArgs, seeds: &Seeds) -> usize {
    let all = usize::try_from(seeds.count()).unwrap_or(usize::MAX);
    args.per_row.unwrap_or(if several_labels(args) { all } else { 8 })
}

fn several_labels(args: &SampleArgs) -> bool {
    args.label.as_ref().is_some_and(|labels| labels.count() > 1)
}

impl<'a> Source<'a> {
    /// The samples of these seeds, of each label that is asked for.
    fn seeds(args: &'a SampleArgs, seeds: &'a Seeds, generator: &Generator) -> Result<Self> {
        let Some(labels) = &args.label else { return Ok(Self::Seeds(Box::new(seeds.iter()))) };
        let classes = generator.config().classes;
        if classes == 0 {
            return Err(ganlet_models::Error::NoLabels.into());
        }
        if let Some(found) = labels.iter().find(|&label| label >= classes as u64) {
            return Err(ganlet_models::Error::Label { classes, found: found as usize }.into());
        }
        let pairs = labels.iter().flat_map(move |label| seeds.iter().map(move |seed| (label, seed)));
        let pairs: Box<dyn Iterator<Item = _>> = Box::new(pairs);
        Ok(Self::Labelled(pairs.peekable()))
    }
}

impl<'a> Pictures<'a> {
    fn new(
        args: &'a SampleArgs,
        asked: &'a Seeds,
        generator: &'a Generator,
        device: &'a Device,
    ) -> Result<Self> {
        let (source, count) = match &args.latents {
            None => {
                let labels = args.label.as_ref().map_or(1, Seeds::count);
                let count = asked.count().saturating_mul(labels).try_into().unwrap_or(u64::MAX);
                (Source::seeds(args, asked, generator)?, count)
            }
            Some(path) => {
                let file = File::open(path).map_err(|source| Error::read(path, source))?;
                let rows = npy::Rows::open(BufReader::new(file))
                    .map_err(|source| Error::Latents { path: path.into(), source })?;
                let (found, expected) = ((rows.count(), rows.columns()), generator.config().latent);
                if found.0 == 0 || found.1 != expected {
                    return Err(Error::LatentShape { path: path.into(), expected, found });
                }
                (Source::Latents { path, rows }, found.0)
            }
        };
        Ok(Self { generator, device, source, count, drawn: 0, bar: progress::counting(count) })
    }

    /// The next pictures, `(n, rows * columns)` f32 in [-1, 1] on the CPU, and a name for each: its seed, or its row.
    fn next(&mut self) -> Result<Option<(Vec<String>, Tensor)>> {
        let (names, pictures): (Vec<String>, _) = match &mut self.source {
            Source::Seeds(seeds) => {
                let seeds: Vec<u64> = seeds.take(BLOCK).collect();
                let pictures = self.generator.sample(&seeds)?;
                (seeds.iter().map(u64::to_string).collect(), pictures)
            }
            Source::Labelled(pairs) => {
                let Some(&(label, _)) = pairs.peek() else { return self.finish() };
                let of_label = std::iter::from_fn(|| pairs.next_if(|&(next, _)| next == label));
                let seeds: Vec<u64> = of_label.take(BLOCK).map(|(_, seed)| seed).collect();
                let pictures = self.generator.sample_labelled(&seeds, label as usize)?;
                (seeds.iter().map(|seed| format!("{seed}-of-{label}")).collect(), pictures)
            }
            Source::Latents { path, rows } => {
                let latents =
                    rows.read(BLOCK).map_err(|source| Error::Latents { path: path.to_path_buf(), source })?;
                let latent = self.generator.config().latent;
                let count = latents.len() / latent;
                let latents = Tensor::from_vec(latents, (count, latent), self.device)?;
                let names = (self.drawn..).take(count).map(|row| row.to_string()).collect();
                (names, self.generator.generate(&latents)?)
            }
        };
        self.drawn += names.len() as u64;
        self.bar.set_position(self.drawn);
        match names.is_empty() {
            true => self.finish(),
            false => Ok(Some((names, pictures.to_device(&Device::Cpu)?))),
        }
    }

    fn finish(&self) -> Result<Option<(Vec<String>, Tensor)>> {
        self.bar.finish_and_clear();
        Ok(None)
    }

    fn image(&self) -> [usize; 2] {
        self.generator.config().image
    }
}

fn write_grid(path: &Path, pictures: &mut Pictures, per_row: usize, style: StyleArgs) -> Result<()> {
    let mut blocks = Vec::new();
    while let Some((_, block)) = pictures.next()? {
        blocks.push(block);
    }
    let layout = Layout { per_row, ..Layout::default() };
    let all = Tensor::cat(&blocks, 0)?;
    files::replace(path, &style.png(&grid(&all, pictures.image(), layout)?)?)
}

fn write_numbers(path: &Path, pictures: &mut Pictures) -> Result<()> {
    files::replace_with(path, |out| {
        let failed = |source| Error::write(path, source);
        let [rows, columns] = pictures.image();
        npy::write_header(out, pictures.count, rows * columns).map_err(failed)?;
        while let Some((_, block)) = pictures.next()? {
            npy::write_numbers(out, &block.flatten_all()?.to_vec1()?).map_err(failed)?;
        }
        out.flush().map_err(failed)
    })
}

fn write_folder(path: &Path, pictures: &mut Pictures, style: StyleArgs) -> Result<()> {
    files::make_folder(path)?;
    while let Some((names, block)) = pictures.next()? {
        for (row, name) in names.into_iter().enumerate() {
            let picture = grid(&block.narrow(0, row, 1)?, pictures.image(), Layout::default())?;
            files::replace(&path.join(format!("sample-{name}.png")), &style.png(&picture)?)?;
        }
    }
    Ok(())
}

/// Where the pictures go, and as what.
enum Out {
    Grid(PathBuf),
    Numbers(PathBuf),
    Folder(PathBuf),
}

impl Out {
    /// What `--out` asks for, or a grid in the run's samples or beside the weights.
    fn parse(args: &SampleArgs, weights: &Path) -> Result<Self> {
        let Some(path) = args.out.clone() else {
            let what = match &args.latents {
                Some(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                None => named_after(&seeds(args), args.label.as_ref()),
            };
            return Ok(Self::Grid(model::default_out(&args.model, weights, &what, "png")?));
        };
        Ok(match Format::of(&path, &[Format::Png, Format::Npy, Format::Folder])? {
            Format::Npy => Self::Numbers(path),
            Format::Folder => Self::Folder(path),
            _ => Self::Grid(path),
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Grid(path) | Self::Numbers(path) | Self::Folder(path) => path,
        }
    }

    /// Whether so many pictures are a reasonable thing to ask for.
    fn check(&self, count: u64) -> Result<()> {
        let (what, most) = match self {
            Self::Grid(_) => ("one grid", MOST_IN_GRID),
            Self::Folder(_) => ("one folder", MOST_IN_FOLDER),
            Self::Numbers(_) => ("one .npy file", MOST_IN_NUMBERS),
        };
        match count <= most {
            true => Ok(()),
            false => Err(Error::TooMany { count, what, most }),
        }
    }
}

/// `seeds-0-63`, or how many they are where a list of them would make a long name; `labels-0-9-seeds-0-7` where there are labels.
pub(crate) fn named_after(seeds: &Seeds, labels: Option<&Seeds>) -> String {
    let named = |what: &str, numbers: &Seeds| {
        let list = numbers.to_string().replace(',', "_");
        match list.len() <= 60 {
            true => format!("{what}-{list}"),
            false => format!("{}-{what}", numbers.count()),
        }
    };
    match labels {
        None => named("seeds", seeds),
        Some(labels) => format!("{}-{}", named("labels", labels), named("seeds", seeds)),
    }
}
