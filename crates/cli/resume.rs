//! `ganlet train --resume`: where a run stopped, and that it goes on with what it began with.

use std::collections::BTreeSet;
use std::path::Path;

use ganlet_data::Dataset;
use ganlet_train::checkpoint::Checkpoint;
use ganlet_train::{Gan, Recipe};

use crate::args::TrainArgs;
use crate::device::DeviceChoice;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::run_dir::{self, RunDir};
use crate::{args, checkpoints, console, recipe};

/// A run that is to go on, which no other process can take meanwhile.
pub(crate) struct Resumed {
    run: RunDir,
    /// What it was begun with; by its file, there may be more epochs by now.
    recipe: Recipe,
    /// None if it was stopped before there was one: it then goes on from its beginning.
    checkpoint: Option<Checkpoint>,
    /// None if the file is not there or not whole.
    environment: Option<Environment>,
}

impl Resumed {
    /// Takes the run directory and finds its newest whole checkpoint.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let run = RunDir::open(path)?;
        let checkpoint = checkpoints::newest_whole(&run.checkpoints())?;
        if let Some(version) =
            checkpoint.as_ref().map(Checkpoint::version).filter(|&v| v != env!("CARGO_PKG_VERSION"))
        {
            console::warning(format_args!(
                "the run was begun by ganlet {version}, and this is {}: it may not come to the same bits",
                env!("CARGO_PKG_VERSION")
            ));
        }
        let recipe = match &checkpoint {
            Some(checkpoint) => checkpoint.recipe().clone(),
            None => recipe::read(&run.file(run_dir::RECIPE))?,
        };
        let environment = Environment::read(&run)?;
        Ok(Self { run, recipe, checkpoint, environment })
    }

    /// Whether all of `steps` are done, and everything that follows them.
    pub(crate) fn is_finished(&self, steps: u64) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.steps() == steps)
            && self.environment.as_ref().is_some_and(Environment::is_finished)
    }

    /// Fails unless the recipe is that of the run; there may be more epochs.
    pub(crate) fn check_recipe(&self, asked: &Recipe) -> Result<()> {
        let differences = differences(&self.recipe, asked);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::OtherRecipe { path: self.run.path().into(), differences }),
        }
    }

    /// Fails unless the data is that of the run.
    pub(crate) fn check_data(&self, dataset: &Dataset) -> Result<()> {
        let of_environment = || self.environment.as_ref().map(Environment::digest);
        let expected = self.checkpoint.as_ref().map(Checkpoint::data).or_else(of_environment);
        let found = dataset.digest();
        match expected {
            Some(expected) if expected != found => Err(Error::OtherData {
                path: self.run.path().into(),
                expected: expected.into(),
                found,
                name: dataset.name().into(),
            }),
            _ => Ok(()),
        }
    }

    /// Puts `gan` where the run stopped, and notes in the environment that it goes on.
    pub(crate) fn go_on(self, gan: &mut Gan, begun: Environment) -> Result<(RunDir, Environment)> {
        if let Some(checkpoint) = &self.checkpoint {
            let failed = |source| Error::Checkpoint { path: self.run.checkpoints(), source };
            checkpoint.restore(gan).map_err(failed)?;
        }
        if let Some(before) = self.environment.as_ref().filter(|before| before.device() != begun.device()) {
            console::warning(format_args!(
                "the run was begun on device {:?} and goes on on {:?}: it will not come to the same bits",
                before.device(),
                begun.device()
            ));
        }
        let environment = match self.environment {
            Some(before) => before.resumed(gan.steps, &begun),
            None => begun,
        };
        Ok((self.run, environment))
    }
}

/// A line per field in which the recipes differ.
fn differences(run: &Recipe, asked: &Recipe) -> Vec<String> {
    let fields = |recipe| toml::Table::try_from(recipe).unwrap_or_default();
    let (of_run, of_asked) = (fields(run), fields(asked));
    // A field that is not set is not there.
    let names: BTreeSet<&String> = of_run.keys().chain(of_asked.keys()).collect();
    let differing = names.into_iter().filter_map(|field| {
        let values = [of_run.get(field), of_asked.get(field)];
        let grows = field == "epochs" && asked.epochs >= run.epochs && !run.depends_on_length();
        if values[0] == values[1] || grows {
            return None;
        }
        let [value, other] = values.map(|value| value.map_or("nothing".into(), ToString::to_string));
        Some(match field.as_str() {
            "epochs" if run.depends_on_length() => format!(
                "epochs: {value} in the run, {other} asked for; its schedule or its instance_noise has been following {value}"
            ),
            "epochs" => format!("epochs: {value} in the run, {other} asked for; they may grow, not shrink"),
            _ => format!("{field}: {value} in the run, {other} asked for"),
        })
    });
    differing.collect()
}

/// The command that goes on with a run that was begun with these arguments, as one would type it.
pub(crate) fn command(run: &Path, args: &TrainArgs) -> String {
    let mut command = format!("ganlet train --resume {}", quoted(run));
    command += &data_dir(args);
    if args.device != DeviceChoice::Auto {
        command += &format!(" --device {}", args.device);
    }
    if let Some(every) = args.eval_every {
        command += &format!(" --eval-every {every}");
    }
    if args.checkpoint_every != args::CHECKPOINT_EVERY {
        command += &format!(" --checkpoint-every {}", args.checkpoint_every);
    }
    if args.keep != args::KEEP {
        command += &format!(" --keep {}", args.keep);
    }
    command
}

/// Where the data was said to be, with a space before it, for a command on the same.
pub(crate) fn data_dir(args: &TrainArgs) -> String {
    args.data.data_dir.as_ref().map_or(String::new(), |data_dir| format!(" --data-dir {}", quoted(data_dir)))
}

/// A path as one would type it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:,+@%~".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Verb};
    use clap::Parser;

    #[test]
    fn recipes_are_compared_field_by_field_and_epochs_may_grow() {
        let run = Recipe::named("classic").unwrap();
        assert!(differences(&run, &Recipe { epochs: 201, ..run.clone() }).is_empty());
        let other = Recipe { epochs: 199, seed: 7, generator_hidden: vec![8], ..run.clone() };
        assert_eq!(
            differences(&run, &other),
            [
                "epochs: 200 in the run, 199 asked for; they may grow, not shrink",
                "generator_hidden: [256, 256] in the run, [8] asked for",
                "seed: 0 in the run, 7 asked for",
            ]
        );
        let with_rate = Recipe { discriminator_learning_rate: Some(0.5), ..run.clone() };
        assert_eq!(
            [differences(&run, &with_rate), differences(&with_rate, &run)],
            [
                ["discriminator_learning_rate: nothing in the run, 0.5 asked for"],
                ["discriminator_learning_rate: 0.5 in the run, nothing asked for"],
            ]
        );
    }

    #[test]
    fn the_command_can_be_typed() {
        for (arguments, expected) in [
            (&["train"][..], "ganlet train --resume 'runs/a b'\\''s'"),
            (
                &[
                    "train",
                    "--data-dir",
                    "my data",
                    "--device",
                    "cpu",
                    "--keep",
                    "2",
                    "--checkpoint-every",
                    "5",
                ],
                "ganlet train --resume 'runs/a b'\\''s' --data-dir 'my data' --device cpu --checkpoint-every 5",
            ),
        ] {
            let Verb::Train(args) = Args::parse_from([&["ganlet"], arguments].concat()).verb else {
                panic!("{arguments:?}");
            };
            assert_eq!(command(Path::new("runs/a b's"), &args), expected);
        }
    }
}
