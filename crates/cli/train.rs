//! `ganlet train`: arguments -> recipe -> data -> training -> a run directory.

use std::process::ExitCode;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use ganlet_data::{Dataset, Name, Request};
use ganlet_train::{Gan, Recipe, TrainingSet};

use crate::args::TrainArgs;
use crate::checkpoints::Checkpoints;
use crate::console::{self, duration, grouped};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::interrupt::Interrupt;
use crate::plan::{Facts, Plan};
use crate::recorder::Recorder;
use crate::resume::{self, Resumed};
use crate::run_dir::{self, RunDir};
use crate::{data, files, recipe};

pub(crate) fn run(args: &TrainArgs) -> Result<ExitCode> {
    let resumed = args.resume.as_deref().map(Resumed::open).transpose()?;
    let mut recipe = recipe::of(args)?;
    if let Some(resumed) = &resumed {
        resumed.check_recipe(&recipe)?;
    }
    let request = request(args, &recipe)?;
    let device = args.device.open()?;
    if args.dry_run {
        return dry_run(args, recipe, &request, &device).map(|()| ExitCode::SUCCESS);
    }
    if let Some(out) = &args.out {
        run_dir::check_free(out, args.overwrite)?;
    }

    let loaded = data::load(&request, args.quiet)?;
    if let Some(reason) = &loaded.fallback {
        console::warning(format_args!("training on synthetic digits, for want of MNIST: {reason}"));
    }
    recipe.dataset = loaded.dataset.name().into();
    let plan = Plan::new(args, &recipe, Facts::of(&loaded), &device)?;
    match &resumed {
        Some(resumed) => resumed.check_data(&loaded.dataset)?,
        None => run_dir::check_free(&plan.out, args.overwrite)?,
    }
    if resumed.as_ref().is_some_and(|resumed| resumed.is_finished(plan.steps())) {
        return finished(&plan, &recipe, args.quiet);
    }

    let every = eval_every(args, &recipe.dataset);
    let test = (every > 0).then(|| Evaluation::test_images(&loaded)).transpose()?;
    let environment = Environment::new(&loaded, &device);
    let data = loaded.dataset.digest();
    // What does not fit is said before there is a run.
    let set = training_set(loaded.dataset, &recipe, &device)?;
    let mut gan = Gan::new(&recipe, plan.image(), &device)?;
    let (run, mut environment) = match resumed {
        Some(resumed) => resumed.go_on(&mut gan, environment)?,
        None => (RunDir::create(&plan.out, args.overwrite)?, environment),
    };
    files::persist(&run.file(run_dir::RECIPE), recipe.to_toml()?.as_bytes())?;
    environment.write(&run)?;
    if !args.quiet {
        console::note(format_args!("{plan}\n"));
        if gan.steps > 0 {
            console::note(format_args!("Going on after step {}.", grouped(gan.steps)));
        }
    }

    let (started, before) = (Instant::now(), gan.steps);
    let evaluation = test.map(|test| Evaluation::new(test, every, plan.epochs()));
    let checkpoints = Checkpoints {
        folder: run.checkpoints(),
        recipe: recipe.clone(),
        data,
        every: args.checkpoint_every,
        keep: args.keep,
        steps_per_epoch: plan.steps_per_epoch(),
    };
    checkpoints.prune(gan.steps)?;
    let interrupt = Interrupt::watch().map_err(Error::Signals)?;
    let mut recorder =
        Recorder::new(&run, &set.images, &plan, evaluation, checkpoints, gan.steps, args.quiet)?;
    if args.tensorboard || run.file(run_dir::EVENTS).exists() {
        recorder.write_events(gan.steps)?;
    }
    let outcome = ganlet_train::train_until(interrupt.stop(), &mut gan, &set, &recipe, &mut recorder);
    recorder.finish();
    let resume = resume::command(run.path(), args);
    let outcome = outcome.map_err(Error::from).and_then(|()| recorder.save(&gan));
    if let Err(error) = outcome {
        recorder.close();
        return Err(stopped(error, &run, &resume));
    }
    if gan.steps < plan.steps() {
        recorder.close();
        let (signal, status) = interrupt.obeyed();
        console::warning(format_args!("{signal}: stopped and saved after step {}", grouped(gan.steps)));
        console::hint(format_args!("to go on: {resume}"));
        return Ok(ExitCode::from(status));
    }
    environment.finish(recorder.seconds());
    environment.write(&run)?;
    recorder.close();

    if !args.quiet {
        let seconds = started.elapsed().as_secs_f64();
        console::note(farewell(&run, args, &recipe, gan.steps - before, seconds));
    }
    console::print(run.path().display()).map(|()| ExitCode::SUCCESS)
}

/// What is trained on, and that it is what the recipe takes. By value: what training does not need is given back before it begins.
fn training_set(dataset: Dataset, recipe: &Recipe, device: &Device) -> Result<TrainingSet> {
    let (train, _) = dataset.into_splits();
    let labels = (recipe.classes > 0).then(|| train.labels(device)).transpose()?;
    let set = TrainingSet { labels, images: train.into_images(device)? };
    set.check(recipe)?;
    Ok(set)
}

/// That there is nothing left to do.
fn finished(plan: &Plan, recipe: &Recipe, quiet: bool) -> Result<ExitCode> {
    let run = plan.out.display();
    if !quiet {
        let epochs = console::epochs(plan.epochs());
        let more = if recipe.depends_on_length() { "" } else { "; a larger --epochs trains it on" };
        console::note(format_args!("The run in {run} is finished after {epochs}{more}."));
    }
    console::print(run).map(|()| ExitCode::SUCCESS)
}

/// An error in the middle of a training, with how to go on.
fn stopped(error: Error, run: &RunDir, resume: &str) -> Error {
    let path = run.path();
    let source = match path.exists() {
        true => error,
        false => Error::RunVanished { path: path.into(), source: Box::new(error) },
    };
    Error::Training { source: Box::new(source), resume: resume.into() }
}

/// Asks for the data set that the flag names, or else the recipe file; a recipe that comes with the program leaves it open.
fn request(args: &TrainArgs, recipe: &Recipe) -> Result<Request> {
    let set = args.set.iter().any(|setting| setting.split('=').next().is_some_and(|f| f.trim() == "dataset"));
    let says = set || args.dataset.is_some() || args.config.is_some() || args.resume.is_some();
    let name = if says { data::named(&recipe.dataset, &args.data.data_dir)? } else { None };
    Ok(data::request(name, &args.data.data_dir, args.data.offline))
}

/// Epochs from one measurement of quality to the next where the data set is of digits: about 1 % of the time of `classic`.
const EVAL_EVERY: u64 = 20;

/// Epochs from one measurement of quality to the next; 0 for none, which is the default where the feature network does not
/// know what it sees.
fn eval_every(args: &TrainArgs, dataset: &str) -> u64 {
    args.eval_every.unwrap_or(if data::is_of_digits(dataset) { EVAL_EVERY } else { 0 })
}

/// Prints the plan, an estimate of the time it takes, and the recipe, and says so where the plan's directory is not free.
fn dry_run(args: &TrainArgs, mut recipe: Recipe, request: &Request, device: &Device) -> Result<()> {
    let facts = facts(request, &recipe, device)?;
    recipe.dataset = facts.name.clone();
    let plan = Plan::new(args, &recipe, facts, device)?;

    let step = seconds_per_step(&recipe, plan.image(), device)?;
    let total = duration(step * plan.steps() as f64);
    let milliseconds = step * 1e3;
    let toml = recipe.to_toml()?;
    console::print(format_args!(
        "{plan}\n\
         time           about {total}, {milliseconds:.1} ms per step\n\
         \n\
         # recipe.toml\n\
         {}",
        toml.trim_end()
    ))?;
    if let Err(error) = run_dir::check_free(&plan.out, args.overwrite) {
        error.warn();
    }
    Ok(())
}

/// What the data would be, without downloading it; that at hand must be what the recipe takes.
fn facts(request: &Request, recipe: &Recipe, device: &Device) -> Result<Facts> {
    let at_hand = Request { offline: true, ..request.clone() };
    let published = match (request.name, &request.data_dir) {
        (None, None) => Some(Name::Mnist),
        (name, _) => name,
    };
    // Not at hand, or not all of it: what is missing would be downloaded.
    let to_download = |error: &Error| {
        use ganlet_data::Error as Data;
        let missing = matches!(error, Error::Data(Data::NotFound { .. } | Data::MissingFile { .. }));
        missing && request.data_dir.is_none()
    };
    let loaded = match data::load(&Request { name: published, ..at_hand.clone() }, true) {
        Err(error) if to_download(&error) => match published {
            Some(name) if !request.offline => return Ok(Facts::to_download(name)),
            _ => data::load(&at_hand, true)?,
        },
        loaded => loaded?,
    };
    let facts = Facts::of(&loaded);
    training_set(loaded.dataset, recipe, device)?;
    Ok(facts)
}

/// How long a step takes, from a few of them on blank images.
fn seconds_per_step(recipe: &Recipe, [rows, columns]: [usize; 2], device: &Device) -> Result<f64> {
    let recipe = Recipe { epochs: 1, ..recipe.clone() };
    let time = |steps: usize| -> Result<f64> {
        let mut gan = Gan::new(&recipe, [rows, columns], device)?;
        let count = recipe.images_per_step() * steps;
        let images = Tensor::zeros((count, rows * columns), DType::U8, device)?;
        let labels = Some(Tensor::zeros(count, DType::U8, device)?);
        let started = Instant::now();
        ganlet_train::train(&mut gan, &TrainingSet { images, labels }, &recipe, &mut ())?;
        Ok(started.elapsed().as_secs_f64() / steps as f64)
    };
    // The first step makes the threads, and whatever else is made once.
    let first = time(1)?;
    let steps = (0.5 / first).clamp(1., 50.) as usize;
    time(steps)
}

/// Where everything is, and what to do with it.
fn farewell(run: &RunDir, args: &TrainArgs, recipe: &Recipe, steps: u64, seconds: f64) -> String {
    let path = resume::quoted(run.path());
    let (steps, rate) = (grouped(steps), steps as f64 / seconds);
    let longer = recipe.epochs.saturating_mul(2);
    let file = |name: &str, about: &str| format!("  {name:<27}  {about}\n");
    let command = |command: String, about: &str| format!("\n  {command}\n      {about}");
    let mut text =
        format!("\nTrained {steps} steps in {}, {rate:.0} steps/s. In {path} are\n", duration(seconds));
    text += &file(run_dir::REPORT, "curves and pictures, for your browser");
    text += &file(&format!("{}/", run_dir::SAMPLES), "pictures after each epoch");
    text += &file(run_dir::METRICS, "the numbers");
    text += &file(run_dir::GENERATOR, "the weights, and those of the discriminator");
    if run.file(run_dir::AVERAGED).exists() {
        text += &file(run_dir::AVERAGED, "the running average of the generator's");
    }
    if run.file(run_dir::BEST).exists() {
        text += &file(run_dir::BEST, "the weights of the least Fréchet distance");
    }
    text += "\nNext:";
    text += &command(format!("ganlet sample {path}"), "draws new pictures");
    let data = resume::data_dir(args);
    text += &command(format!("ganlet eval {path}{data}"), "says how good they are");
    if !recipe.depends_on_length() {
        let longer = format!("{} --epochs {longer}", resume::command(run.path(), args));
        text += &command(longer, "trains it on");
    }
    text
}
