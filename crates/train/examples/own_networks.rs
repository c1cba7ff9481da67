//! Train with networks of your own: ten lines. Any candle module will do.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Activation, VarBuilder, VarMap, linear, seq};
use ganlet_models::Autograd;
use ganlet_train::{Gan, Recipe, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stripes of 8 x 8 pixels for a data set: (200, 64) u8.
    let pixels: Vec<u8> = (0..200 * 64).map(|i| if (i / 64 + i) % 4 < 2 { 255 } else { 0 }).collect();
    let images = Tensor::from_vec(pixels, (200, 64), &Device::Cpu)?;
    let mut recipe = Recipe::named("classic")?;
    (recipe.epochs, recipe.batch_size) = (20, 50);

    let (g_vars, d_vars) = (VarMap::new(), VarMap::new());
    let g = VarBuilder::from_varmap(&g_vars, DType::F32, &Device::Cpu);
    let d = VarBuilder::from_varmap(&d_vars, DType::F32, &Device::Cpu);
    let generator = seq().add(linear(64, 32, g.pp("in"))?).add(Activation::Silu);
    let generator = generator.add(linear(32, 64, g.pp("out"))?).add_fn(|x| x.tanh());
    let discriminator = seq().add(linear(64, 32, d.pp("in"))?).add(Activation::Gelu);
    let discriminator = discriminator.add(linear(32, 1, d.pp("out"))?);
    let networks = (Autograd::new(generator, &g_vars), Autograd::new(discriminator, &d_vars));
    let mut gan = Gan::from_networks(networks.0, networks.1, &recipe)?;
    train(&mut gan, &images, &recipe, &mut ())?;

    println!("{} steps", gan.steps);
    Ok(())
}
