//! `ganlet import`: what PyTorch saved -> weights that say what they are.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use ganlet_formats::pytorch::{self, Linear};
use ganlet_models::{
    Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, HiddenActivation, Network,
};

use crate::args::ImportArgs;
use crate::error::{Error, Result};
use crate::{console, files};

pub(crate) fn run(args: &ImportArgs) -> Result<()> {
    files::check_ending("--out", args.out.as_deref(), "safetensors")?;
    let failed = |source| Error::PyTorch { path: args.file.clone(), source };
    let tensors = pytorch::state_dict(&files::read(&args.file)?).map_err(failed)?;
    let layers = pytorch::linear_layers(tensors).map_err(failed)?;
    let (weights, described) = weights(args, &layers)?;
    // Beside the file, unless it is said.
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("safetensors"));
    files::replace(&out, &weights)?;
    console::note(described);
    console::print(out.display())
}

/// The weights file of these layers, and what it is in words: a discriminator's where there is one output, else a generator's.
fn weights(args: &ImportArgs, layers: &[Linear]) -> Result<(Vec<u8>, String)> {
    let mut widths = Vec::new();
    for layer in layers {
        let (outputs, inputs) = layer.weight.dims2()?;
        if widths.is_empty() {
            widths.push(inputs);
        }
        widths.push(outputs);
    }
    let (input, output) = (widths[0], widths[layers.len()]);
    let classes = args.classes;
    let Some(input) = input.checked_sub(classes).filter(|&input| input > 0) else {
        return Err(Error::ImportClasses { path: args.file.clone(), classes, inputs: input });
    };
    let hidden = &widths[1..layers.len()];
    let activation = HiddenActivation::try_from(args.activation.clone()).unwrap_or_default();
    let is_discriminator = output == 1;
    let image = image(&args.file, if is_discriminator { input } else { output }, args.image)?;
    let chain: Vec<String> = widths.iter().map(usize::to_string).collect();
    let [kind, last] = if is_discriminator { ["discriminator", "logits"] } else { ["generator", "Tanh"] };
    let described = format!(
        "A {kind}: {}, {} x {} pixels; {activation} between its layers, {last} at the end.",
        chain.join(" -> "),
        image[0],
        image[1]
    );
    let none = BTreeMap::new();
    let weights = if is_discriminator {
        let config = DiscriminatorConfig { activation, classes, ..DiscriminatorConfig::new(hidden, image) };
        let network = Discriminator::new(config, 0, &Device::Cpu)?;
        fill(&network, layers)?;
        network.to_bytes(&none)?
    } else {
        let config = GeneratorConfig { activation, classes, ..GeneratorConfig::new(input, hidden, image) };
        let network = Generator::new(config, 0, &Device::Cpu)?;
        fill(&network, layers)?;
        network.to_bytes(&none)?
    };
    Ok((weights, described))
}

/// Gives the network the weights of these layers, which are its own in number and shape.
fn fill(network: &impl Network, layers: &[Linear]) -> Result<()> {
    let tensors = layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]);
    for ((_, parameter), tensor) in network.parameters().iter().zip(tensors) {
        parameter.set(tensor)?;
    }
    Ok(())
}

/// Rows and columns: those that are asked for, or those of a square.
fn image(file: &Path, pixels: usize, asked: Option<[usize; 2]>) -> Result<[usize; 2]> {
    let side = pixels.isqrt();
    match asked {
        Some(image) if image[0].checked_mul(image[1]) == Some(pixels) => Ok(image),
        None if side * side == pixels => Ok([side, side]),
        _ => Err(Error::ImageSize { path: file.into(), pixels }),
    }
}
