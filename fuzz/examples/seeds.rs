//! Writes the corpus seeds: small valid files, into `seeds/TARGET` below the current folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use candle_core::{Device, Tensor};
use ganlet_data::idx::Array;
use ganlet_train::{Gan, Recipe, checkpoint, train};

fn main() -> Result<(), Box<dyn Error>> {
    let labels = Array::new(vec![5], vec![0, 1, 2, 3, 9])?;
    let images = Array::new(vec![2, 2, 3], (10..22).collect())?;
    save("idx", "labels", &labels.to_bytes())?;
    save("idx", "images", &images.to_bytes())?;
    save("gzip", "labels", &labels.to_gzip())?;
    save("gzip", "images", &images.to_gzip())?;

    let recipe = Recipe {
        recipe: "r".into(),
        dataset: "d".into(),
        batch_size: 2,
        latent: 1,
        generator_hidden: vec![],
        discriminator_hidden: vec![],
        epochs: 1,
        ..Recipe::named("classic")?
    };
    let mut gan = Gan::new(&recipe, [1, 1], &Device::Cpu)?;
    let none = BTreeMap::new();
    save("weights", "generator", &gan.generator.to_bytes(&none)?)?;
    save("weights", "discriminator", &gan.discriminator.to_bytes(&none)?)?;
    save("checkpoint", "new", &checkpoint::to_bytes(&gan, &recipe, "d")?)?;
    let images = Tensor::from_vec(vec![0u8, 255], (2, 1), &Device::Cpu)?;
    train(&mut gan, &images, &recipe, &mut ())?;
    save("checkpoint", "trained", &checkpoint::to_bytes(&gan, &recipe, "d")?)?;

    let pytorchs = include_bytes!("../../crates/formats/tests/golden/mixed-legacy.pt");
    save("pytorch", "archive", include_bytes!("../../crates/formats/tests/golden/zip.pt"))?;
    save("pytorch", "pickles", pytorchs)?;
    // From the fourth pickle on.
    let fourth = pytorchs.windows(2).enumerate().filter(|(_, pair)| pair == b"\x80\x02").nth(3);
    save("pytorch", "inside", &pytorchs[fourth.map_or(0, |(at, _)| at)..])?;

    save("recipe", "classic", recipe.to_toml()?.as_bytes())?;
    save("recipe", "built-in", include_bytes!("../../crates/train/recipes/classic.toml"))?;

    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    npy.extend_from_slice(format!("{header:<117}\n").as_bytes());
    npy.extend((0..4).flat_map(|i| (i as f32).to_le_bytes()));
    save("npy", "rows", &npy)?;

    let line = |step: u64| format!("{{\"epoch\":1,\"step\":{step},\"d_loss\":0.5,\"seconds\":1.5}}\n");
    save("metrics", "lines", [2, 4, 6].map(line).concat().as_bytes())?;
    Ok(())
}

fn save(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(format!("seeds/{target}"))?;
    fs::write(format!("seeds/{target}/{name}"), bytes)?;
    println!("{target}/{name}: {} bytes", bytes.len());
    Ok(())
}
