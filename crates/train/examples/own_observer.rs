//! Watch a training: an observer of your own.

use candle_core::{Device, Tensor};
use ganlet_train::{Gan, Observer, ObserverResult, Recipe, Report, train};

/// Keeps the curve of D's loss, and a picture after each epoch.
#[derive(Default)]
struct Curve {
    d_loss: Vec<f32>,
    pictures: Vec<Tensor>,
}

impl Observer for Curve {
    fn on_report(&mut self, report: &Report) -> ObserverResult {
        println!("step {}: D {:.3}, G {:.3}", report.step, report.d_loss, report.g_loss);
        self.d_loss.push(report.d_loss);
        Ok(())
    }

    fn on_epoch(&mut self, _epoch: u64, gan: &Gan) -> ObserverResult {
        self.pictures.push(gan.generator.sample(&[7])?);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pixels: Vec<u8> = (0..200 * 64).map(|i| if (i / 64 + i) % 4 < 2 { 255 } else { 0 }).collect();
    let images = Tensor::from_vec(pixels, (200, 64), &Device::Cpu)?;
    let mut recipe = Recipe::named("classic")?;
    (recipe.epochs, recipe.batch_size, recipe.report_every) = (3, 50, 2);

    let mut curve = Curve::default();
    train(&mut Gan::new(&recipe, [8, 8], &Device::Cpu)?, &images, &recipe, &mut curve)?;

    println!("{} reports, {} pictures", curve.d_loss.len(), curve.pictures.len());
    Ok(())
}
