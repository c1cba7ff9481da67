//! `ganlet data`: what `ganlet-data` knows about the data sets, for people to read.

use std::path::PathBuf;

use ganlet_data::{Info, Loaded, Name, Request, Source};

use crate::args::DataVerb;
use crate::console::{self, grouped};
use crate::error::{Error, Result, chain};
use crate::progress::Download;

pub(crate) fn run(verb: &DataVerb) -> Result<()> {
    match verb {
        DataVerb::Fetch { name, data_dir, offline } => fetch(name, data_dir, *offline),
        DataVerb::Verify { name, data_dir } => verify(name, data_dir),
        DataVerb::Info { name, data_dir } => info(name.as_deref(), data_dir),
    }
}

/// A request with what the environment says and what the command line adds.
pub(crate) fn request(name: Option<Name>, data_dir: &Option<PathBuf>, offline: bool) -> Request {
    Request { name, data_dir: data_dir.clone(), offline, ..Request::from_env() }
}

/// What the data set of a recipe is called where it has no name: the files in `--data-dir`, whatever they are.
const CUSTOM: &str = "custom";

/// The data set that a recipe or a flag calls so; none is the files in the folder.
pub(crate) fn named(dataset: &str, data_dir: &Option<PathBuf>) -> Result<Option<Name>> {
    match dataset {
        CUSTOM if data_dir.is_none() => Err(Error::CustomData),
        CUSTOM => Ok(None),
        name => Ok(Some(name.parse()?)),
    }
}

/// Whether a data set of this name is of digits, which the network that measures quality knows.
pub(crate) fn is_of_digits(name: &str) -> bool {
    [Name::Mnist, Name::SyntheticDigits].map(Name::as_str).contains(&name)
}

/// Loads it, and shows a download unless `quiet`.
pub(crate) fn load(request: &Request, quiet: bool) -> Result<Loaded> {
    let mut bar = Download::new(quiet);
    let loaded = ganlet_data::load(request, &mut |progress| bar.show(&progress));
    bar.finish();
    Ok(loaded?)
}

fn fetch(name: &str, data_dir: &Option<PathBuf>, offline: bool) -> Result<()> {
    let name: Name = name.parse()?;
    let mut bar = Download::new(false);
    let fetched = ganlet_data::fetch(name, &request(Some(name), data_dir, offline), &mut |progress| {
        bar.show(&progress)
    });
    bar.finish();
    let fetched = fetched?;
    if fetched.folder.is_none() {
        console::note(format_args!("{name} is drawn on the fly: there is nothing to fetch."));
        return Ok(());
    }
    let lines = fetched.files.iter().map(|file| {
        let how = if file.downloaded { "downloaded" } else { "at hand" };
        format!("{how:<11} {:>9}  {}\n", megabytes(file.bytes), file.path.display())
    });
    console::print(lines.collect::<String>().trim_end())
}

fn verify(name: &str, data_dir: &Option<PathBuf>) -> Result<()> {
    let name: Name = name.parse()?;
    let verdicts = ganlet_data::verify(name, &request(Some(name), data_dir, true))?;
    let lines = verdicts.iter().map(|verdict| match &verdict.outcome {
        Ok(()) => format!("ok       {}\n", verdict.path.display()),
        Err(error) => format!("damaged  {}: {}\n", verdict.path.display(), chain(error).join(": ")),
    });
    console::print(lines.collect::<String>().trim_end())?;
    match verdicts.iter().filter(|verdict| verdict.outcome.is_err()).count() {
        0 => Ok(()),
        files => Err(Error::Damaged { name, files }),
    }
}

fn info(name: Option<&str>, data_dir: &Option<PathBuf>) -> Result<()> {
    if let Some(name) = name {
        let info = ganlet_data::info(&request(Some(name.parse()?), data_dir, true))?;
        return console::print(described(&info).trim_end());
    }
    // The files in a folder, whatever they are, or the named data sets below it.
    if data_dir.is_some() {
        match ganlet_data::info(&request(None, data_dir, true)) {
            Err(ganlet_data::Error::MissingFile { .. }) => {}
            other => return console::print(described(&other?).trim_end()),
        }
    }
    let describe = |name: Name| match ganlet_data::info(&request(Some(name), data_dir, true)) {
        Ok(info) => described(&info),
        Err(ganlet_data::Error::NotFound { .. }) => {
            format!("{name}\n  not on this machine; to fetch it: ganlet data fetch {name}\n")
        }
        Err(error) => format!("{name}\n  not usable: {}\n", chain(&error).join(": ")),
    };
    console::print(Name::ALL.map(describe).join("\n").trim_end())
}

fn described(info: &Info) -> String {
    let Info { name, train, test, rows, cols, digest, classes, .. } = info;
    let (train, test) = (grouped(*train as u64), grouped(*test as u64));
    let place = place(&info.source);
    let size = match info.bytes {
        0 => String::new(),
        bytes => format!(", {}", megabytes(bytes)),
    };
    let classes = classes.join(", ");
    format!(
        "{name}\n  \
           images   {train} to train on, {test} held back, {rows} x {cols} pixels\n  \
           where    {place}{size}\n  \
           classes  {classes}\n  \
           digest   {digest}\n"
    )
}

/// Where a data set came from, in words.
pub(crate) fn place(source: &Source) -> String {
    match source {
        Source::Folder(folder) | Source::Cache(folder) | Source::Downloaded(folder) => {
            folder.display().to_string()
        }
        Source::Drawn => "drawn on the fly".into(),
    }
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
