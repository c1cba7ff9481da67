//! A page to explore a generator with: one file, with the weights inside and the pass through them in its script.

mod directions;
mod layer;
mod rounded;

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;

pub use directions::{Direction, directions};
pub use layer::{Dense, DenseActivation};

use crate::{Error, Result};
use rounded::Rounded;

const PAGE: &str = include_str!("explorer/page.html");
const STYLE: &str = include_str!("explorer/style.css");
const SCRIPT: &str = include_str!("explorer/script.js");

/// Bits for a weight: with the most of them, the pictures are those of f32, whose mantissa has as many; with fewer than the
/// least, they are of another generator.
const MOST_BITS: u32 = 24;
const LEAST_BITS: u32 = 4;

/// How the components of a latent vector are distributed, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Latents {
    /// Standard normal.
    Normal,
    /// Uniform in `[-sqrt(3), sqrt(3))`.
    Uniform,
}

/// What is to be explored: a generator of one-channel images, as the numbers that it consists of.
#[derive(Clone, Debug)]
pub struct Generator<'a> {
    /// The name that the page gives it.
    pub name: &'a str,
    /// Rows and columns of an image.
    pub image: [usize; 2],
    /// Components of a latent vector.
    pub latent: usize,
    /// How they are distributed.
    pub latents: Latents,
    /// The domain of the random numbers that numbered samples are drawn from: Philox with the sample's number as the key, and
    /// `[block, domain, 0, 0]` as the counter. The page draws the same ones.
    pub domain: u32,
    /// Classes that can be asked for, as a one-hot vector behind the latent; 0 for none.
    pub classes: usize,
    /// The layers, from latents (and classes) to pixels in `[-1, 1]`.
    pub layers: &'a [Dense],
    /// Where the sliders lead: see [`directions`].
    pub directions: &'a [Direction],
}

/// The page, and what it cost to make it small.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// All of it.
    pub html: String,
    /// Bits that each weight was rounded to: 24, or as many as there is room for.
    pub bits: u32,
    /// The bytes of a page with 24 of them.
    pub whole: usize,
    /// The most that this changed a pixel, in `[-1, 1]`, of the pictures of the probes.
    pub cost: f32,
}

/// Makes the page, of at most `limit` bytes, for which the weights are rounded if need be. `probes` are inputs of the generator, one
/// after the other, that are passed through before and after to tell what that does to pictures.
///
/// It is complete in itself: no network, no other file, and its content security policy forbids it any.
///
/// # Errors
///
/// Where the layers do not fit together, or the generator is too large for so small a page.
pub fn explorer(generator: &Generator, probes: &[f32], limit: usize) -> Result<Page> {
    layer::check(generator)?;
    let weights: usize = generator.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum();
    let rounded = |bits| Rounded::new(generator.layers, bits);

    // All but the weights themselves, whose size follows from their bits.
    let frame = page(generator, MOST_BITS, &rounded(MOST_BITS).scales, "")?.len();
    let size = |bits| frame + Rounded::bytes(weights, bits).div_ceil(3) * 4;
    let bits = (LEAST_BITS..=MOST_BITS).rev().find(|&bits| size(bits) <= limit);
    let bits =
        bits.ok_or_else(|| Error::PageSize { bits: LEAST_BITS, weights, bytes: size(LEAST_BITS), limit })?;

    let rounded = rounded(bits);
    let after = rounded.layers(generator.layers);
    let inputs = generator.latent + generator.classes;
    let cost = probes.chunks_exact(inputs).fold(0f32, |most, probe| {
        let (before, after) = (layer::pass(generator.layers, probe), layer::pass(&after, probe));
        before.iter().zip(after).fold(most, |most, (before, after)| most.max((before - after).abs()))
    });
    let html = page(generator, bits, &rounded.scales, &BASE64_STANDARD.encode(&rounded.codes))?;
    Ok(Page { html, bits, whole: size(MOST_BITS), cost })
}

/// What the script reads.
#[derive(Serialize)]
struct Model<'a> {
    image: [usize; 2],
    latent: usize,
    latents: Latents,
    domain: u32,
    classes: usize,
    layers: Vec<Shape>,
    directions: &'a [Direction],
    bits: u32,
    /// f32, little-endian, in base64.
    scales: String,
    codes: &'a str,
}

#[derive(Serialize)]
struct Shape {
    inputs: usize,
    rows: usize,
    activation: DenseActivation,
}

fn page(generator: &Generator, bits: u32, scales: &[f32], codes: &str) -> Result<String> {
    let shape = |layer: &Dense| Shape {
        inputs: layer.inputs(),
        rows: layer.bias.len(),
        activation: layer.activation,
    };
    let scales: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
    let model = serde_json::to_string(&Model {
        image: generator.image,
        latent: generator.latent,
        latents: generator.latents,
        domain: generator.domain,
        classes: generator.classes,
        layers: generator.layers.iter().map(shape).collect(),
        directions: generator.directions,
        bits,
        scales: BASE64_STANDARD.encode(scales),
        codes,
    })?;
    let name = escaped(generator.name);
    Ok(filled(PAGE, &[("name", &name), ("style", STYLE), ("model", &model), ("script", SCRIPT)]))
}

/// The template with each `{{name}}` replaced, and what is put in not looked at again.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        page.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        page.push_str(rest);
    }
    page
}

/// Text that says itself in HTML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '<' | '>' | '&' | '"' | '\'' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            _ => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 latents and a class to 3 hidden units, each the largest of 2, to 4 pixels.
    fn layers() -> [Dense; 2] {
        let numbers = |count: usize| (0..count).map(|i| (i as f32 * 1.7).sin()).collect::<Vec<_>>();
        [
            Dense { weight: numbers(18), bias: numbers(6), activation: DenseActivation::Maxout(2) },
            Dense { weight: numbers(12), bias: numbers(4), activation: DenseActivation::Tanh },
        ]
    }

    fn generator(layers: &[Dense]) -> Generator<'_> {
        Generator {
            name: "<a> & \"b\" {{script}}",
            image: [2, 2],
            latent: 2,
            latents: Latents::Normal,
            domain: 1,
            classes: 1,
            layers,
            directions: &[],
        }
    }

    #[test]
    fn weights_take_as_many_bits_as_there_is_room_for() {
        let layers = layers();
        let make = |limit| explorer(&generator(&layers), &[0.3, -1., 1., 2., 0., 1.], limit);
        let whole = make(1 << 20).unwrap();
        assert_eq!(whole.bits, 24);
        assert!(whole.cost < 1e-6, "{}", whole.cost);
        assert!(whole.html.contains("&#60;a&#62; &#38; &#34;b&#34; {{script}}"));

        let size = whole.html.len();
        let less = make(size - 1).unwrap();
        assert!(less.html.len() < size && less.bits < 24);
        let least = make(size - 130).unwrap();
        assert!(least.cost > less.cost && least.cost < 1., "{} bits: {}", least.bits, least.cost);
        assert!(matches!(make(size - 200), Err(Error::PageSize { weights: 40, .. })));
    }

    #[test]
    fn layers_that_do_not_fit_are_an_error() {
        let fails = |change: &dyn Fn(&mut [Dense; 2])| {
            let mut layers = layers();
            change(&mut layers);
            explorer(&generator(&layers), &[], 1 << 20).unwrap_err()
        };
        assert!(matches!(fails(&|layers| layers[0].weight.truncate(17)), Error::Layer { layer: 0, .. }));
        assert!(matches!(
            fails(&|layers| layers[0].activation = DenseActivation::Identity),
            Error::Layer { layer: 1, .. }
        ));
        assert!(matches!(
            fails(&|layers| layers[0].activation = DenseActivation::Maxout(0)),
            Error::Layer { layer: 0, .. }
        ));
        assert!(matches!(fails(&|layers| layers[1].bias.clear()), Error::Layer { layer: 1, .. }));
        assert!(matches!(
            fails(&|layers| layers[1].activation = DenseActivation::Maxout(4)),
            Error::Pixels { found: 1, .. }
        ));
        let none = Generator { layers: &[], ..generator(&[]) };
        assert!(matches!(explorer(&none, &[], 1 << 20), Err(Error::Pixels { found: 3, .. })));
    }
}
