//! The `ganlet` program: arguments -> configuration -> the calls of the crates below -> a run directory.

mod animate;
mod args;
mod data;
mod demo;
mod eval;
mod export;
mod import;
mod interpolate;
mod report;
mod sample;
mod shell;
mod train;

mod checkpoints;
mod environment;
mod evaluation;
mod events;
mod interrupt;
mod lock;
mod metrics;
mod model;
mod plan;
mod recipe;
mod recorder;
mod resume;
mod run_dir;

mod device;
mod files;
mod memory;
mod npy;
mod seeds;
mod style;
mod writer;

mod console;
mod error;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Verb};

/// Every operation on tensors allocates its result; the system's allocator would map and clear that memory anew each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = device::limit_threads() {
        return error.report();
    }
    let done = match args.verb {
        Verb::Train(args) => train::run(&args),
        Verb::Sample(args) => sample::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Interpolate(args) => interpolate::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Animate(args) => animate::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Eval(args) => eval::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Import(args) => import::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Export(args) => export::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Report(args) => report::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Data(args) => data::run(&args.verb).map(|()| ExitCode::SUCCESS),
        Verb::Completions(args) => shell::completions(&args).map(|()| ExitCode::SUCCESS),
        Verb::Man(args) => shell::man(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| error.report())
}
