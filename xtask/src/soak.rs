//! `cargo xtask soak`: a real training, interrupted in every way at moments that nobody chose, ends with the bytes of one that was not.

mod compare;
mod disk;
mod interruption;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::command::{self, Failure, Outcome, cargo, target_dir};
use compare::{compare, files};
use disk::Disk;
use interruption::Kind;

const USAGE: &str = "usage: cargo xtask soak [--kills N] [--epochs N] [--seed N] [--data-dir DIR]
--kills N       how many interruptions at least; by default 60
--epochs N      epochs of each training; by default 8
--seed N        what the moments and kinds follow from; by default the time
--data-dir DIR  real images; by default the digits that the program draws";

pub(crate) fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    command::run(cargo().args(["build", "--release", "--bin", "ganlet"]), "")?;
    let disk = Disk::mount(&target_dir().join("soak"))?;
    let mut chance = Chance(options.seed);
    eprintln!("seed {}, {} epochs, {}", options.seed, options.epochs, disk.describe());

    let whole = disk.folder.join("whole");
    let begun = Instant::now();
    let status = options.begin(&whole).status().map_err(failed("ganlet"))?;
    if !status.success() {
        return Err(format!("the uninterrupted training failed ({status})").into());
    }
    let expected = files(&whole)?;
    eprintln!("uninterrupted: {} files in {:.1} s", expected.len(), begun.elapsed().as_secs_f64());
    // A run is left alone for about two epochs at most, and its start.
    let longest = begun.elapsed() * 2 / options.epochs + Duration::from_millis(500);

    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    let mut trainings = 0;
    while done.values().sum::<u32>() < options.kills {
        trainings += 1;
        let run = disk.folder.join("run");
        let mut kinds = Vec::new();
        let mut process = options.begin(&run);
        loop {
            let kind = Kind::any(&run, &disk, &mut chance)?;
            let moment = chance.below(longest.as_millis() as u64);
            let Some(how) =
                kind.interrupt(&mut process, Duration::from_millis(moment), &disk, &mut chance)?
            else {
                break;
            };
            *done.entry(how).or_default() += 1;
            kinds.push(how);
            process = match run.join("recipe.toml").exists() {
                true => options.go_on(&run),
                // It had not even begun.
                false => options.begin(&run),
            };
        }
        compare(&expected, &files(&run)?).map_err(|difference| {
            format!("training {trainings}, after {}: {difference}", kinds.join(", "))
        })?;
        eprintln!("training {trainings}: the same bytes after {} interruptions", kinds.len());
        fs::remove_dir_all(&run).map_err(failed("remove the run"))?;
    }

    let total: u32 = done.values().sum();
    println!(
        "{total} interruptions of {trainings} trainings in {:.0} s, seed {}:",
        begun.elapsed().as_secs_f64(),
        options.seed
    );
    for (how, times) in &done {
        println!("{times:>5}  {how}");
    }
    println!("each training ended with the bytes of the uninterrupted one");
    Ok(())
}

struct Options {
    kills: u32,
    epochs: u32,
    seed: u64,
    data_dir: Option<PathBuf>,
}

impl Options {
    fn parse(args: &[String]) -> Outcome<Self> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let mut options = Self { kills: 60, epochs: 8, seed: time, data_dir: None };
        let (pairs, rest) = args.as_chunks::<2>();
        for [flag, value] in pairs {
            let number = || value.parse::<u32>().map_err(|_| USAGE.to_string());
            match flag.as_str() {
                "--kills" => options.kills = number()?,
                "--epochs" => options.epochs = number()?,
                "--seed" => options.seed = number()?.into(),
                "--data-dir" => {
                    let dir = std::path::absolute(value).map_err(failed(value))?;
                    options.data_dir = Some(dir);
                }
                _ => return Err(USAGE.to_string().into()),
            }
        }
        match rest.is_empty() && options.epochs > 0 {
            true => Ok(options),
            false => Err(USAGE.to_string().into()),
        }
    }

    fn train(&self) -> Command {
        let mut command = Command::new(target_dir().join("release/ganlet"));
        command.arg("train").arg("--quiet").stdin(Stdio::null()).stdout(Stdio::null());
        if let Some(dir) = &self.data_dir {
            command.arg("--data-dir").arg(dir);
        }
        command
    }

    fn begin(&self, run: &Path) -> Command {
        let mut command = self.train();
        command.arg("--epochs").arg(self.epochs.to_string()).arg("--out").arg(run);
        if self.data_dir.is_none() {
            command.args(["--dataset", "synthetic-digits"]);
        }
        command
    }

    fn go_on(&self, run: &Path) -> Command {
        let mut command = self.train();
        command.arg("--resume").arg(run);
        command
    }
}

/// What could not be done, with the reason.
fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> Failure + use<'_, E> {
    move |error| format!("{what}: {error}").into()
}

/// SplitMix64, as good as any for this. Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (OOPSLA 2014).
struct Chance(u64);

impl Chance {
    /// A number in `0..limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}
