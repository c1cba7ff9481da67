//! Load MNIST: three lines.

use candle_core::Device;
use ganlet_data::{Request, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dataset = load(&Request::from_env(), &mut |_| {})?.dataset;
    let images = dataset.train().images(&Device::Cpu)?; // (60000, 784) u8
    let labels = dataset.train().labels(&Device::Cpu)?; // (60000,) u8

    println!("{}: {:?} images, {:?} labels", dataset.name(), images.shape(), labels.shape());
    Ok(())
}
