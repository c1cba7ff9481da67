//! `cargo xtask bench`: the training step beside its bare matrix products, and the program around it; with `--peers` beside
//! PyTorch and JAX; with `--device cuda` all of that on a GPU. `docs/performance.md` says how to read the numbers.

mod chart;
mod gpu;
mod peers;
mod process;
mod program;
mod row;
mod scaling;
mod step;
mod table;

use crate::command::Outcome;
use peers::Peers;
use std::path::PathBuf;
use step::Size;

const USAGE: &str = "usage: cargo xtask bench [--hidden N] [--batch N] [--threads N]... [--peers [--python PYTHON]]
       cargo xtask bench --scaling [--peers [--python PYTHON]]
       cargo xtask bench --device cuda [--bundle DIR | ARGS OF bench.sh]

Without a size: all that docs/performance.md has a figure for, each beside its aim.
--hidden N       only the step, with hidden layers of this width; default 256
--batch N        only the step, with so many images; default 100
--threads N      only the step, with so many threads, and once more for each other number; default 2, then 1
--scaling        the step with 25 to 1600 images and with widths of 64 to 2048, as docs/images/scaling.svg
--peers          beside PyTorch and JAX, in turns
--python PYTHON  an interpreter that has torch, jax, optax, safetensors and numpy; otherwise they are installed
                 into target/peers
--device cuda    all of it on an NVIDIA GPU, beside PyTorch and JAX: scripts/bench.sh, whose other arguments follow.
                 The peers are installed into target/peers-cuda, unless --python names an interpreter that has them
--bundle DIR     with --device cuda: only write the folder DIR, whose bench.sh does the same on another machine, which
                 needs no Rust and no network";

pub(crate) fn run(args: &[String]) -> Outcome {
    match args {
        [flag, device, args @ ..] if flag == "--device" && device == "cuda" => return gpu::run(args),
        [flag, device, args @ ..] if flag == "--device" && device == "cpu" => return run(args),
        [flag, ..] if flag == "--device" => return Err(USAGE.to_string().into()),
        _ => {}
    }
    let (mut hidden, mut batch, mut threads) = (None, None, Vec::new());
    let (mut scaling, mut with_peers, mut python) = (false, false, None);
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"));
        match flag.as_str() {
            "--hidden" => hidden = Some(positive(value()?)?),
            "--batch" => batch = Some(positive(value()?)?),
            "--threads" => threads.push(positive(value()?)?),
            "--python" => python = Some(PathBuf::from(value()?)),
            "--scaling" => scaling = true,
            "--peers" => with_peers = true,
            _ => return Err(USAGE.to_string().into()),
        }
    }
    let of_a_size = hidden.is_some() || batch.is_some() || !threads.is_empty();
    if python.is_some() && !with_peers || scaling && of_a_size {
        return Err(USAGE.to_string().into());
    }
    let peers = with_peers.then(|| Peers::new(python)).transpose()?;
    if scaling {
        return scaling::run(peers.as_ref());
    }
    if !of_a_size {
        return table::run(peers.as_ref());
    }
    if threads.is_empty() {
        threads = vec![2, 1];
    }
    let size = |threads| Size {
        hidden: hidden.unwrap_or(Size::CLASSIC.hidden),
        batch: batch.unwrap_or(Size::CLASSIC.batch),
        threads,
    };
    let sizes: Vec<Size> = threads.into_iter().map(size).collect();
    step::measure(&sizes)?;
    for size in sizes {
        if let Some(peers) = &peers {
            peers.steps(size, peers::ALL)?;
        }
    }
    Ok(())
}

fn positive(text: &str) -> Outcome<usize> {
    let number = text.parse().ok().filter(|&n| n > 0);
    Ok(number.ok_or_else(|| format!("expected a positive number, found `{text}`\n{USAGE}"))?)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
