//! Sample from a trained generator: three lines.

use candle_core::Device;
use ganlet_models::Generator;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: sample GENERATOR.safetensors")?;

    let file = std::fs::read(path)?;
    let generator = Generator::from_bytes(&file, &Device::Cpu)?.network;
    let images = generator.sample(&[0, 1, 2])?; // (3, 784) f32 in [-1, 1]

    println!("{images}");
    Ok(())
}
