//! Every number as SciPy, scikit-learn, the `prdc` package and a plain Parzen window compute it (`scripts/check_metrics.py`
//! made the file).

use candle_core::safetensors::load_buffer;
use candle_core::{Device, Tensor};
use ganlet_metrics::{
    Classes, Manifold, NEIGHBOURS, Parzen, Result, frechet_distance, kernel_distance, nearest, sigmas,
};

/// Relative.
const TOLERANCE: f64 = 1e-4;

#[test]
fn numbers_are_those_of_other_peoples_code() -> Result<()> {
    let file = load_buffer(include_bytes!("golden/metrics.safetensors"), &Device::Cpu)?;
    let of = |name: &str| -> &Tensor { file.get(name).unwrap_or_else(|| panic!("no tensor {name}")) };
    let check = |name: &str, found: &[f64]| {
        let expected = of(&format!("expected.{name}")).to_vec1::<f64>().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found / expected - 1.).abs();
            assert!(error < TOLERANCE, "{name}: {found}, others have {expected}");
        }
    };

    check("frechet", &[frechet_distance(of("real"), of("fake"))?.value]);
    check("kernel", &[kernel_distance(of("real"), of("fake"))?.value]);
    let overlap = Manifold::of(of("real"), NEIGHBOURS)?.compare(of("fake"))?;
    check(
        "prdc",
        &[overlap.precision, overlap.recall, overlap.density, overlap.coverage]
            .map(|estimate| estimate.value),
    );
    let classes = Classes::of(of("probabilities"))?;
    check("classes", &[classes.score.value, classes.confidence.value, classes.divergence.value]);
    let parzen = Parzen::fit(of("samples"), of("validation"), of("test"), &sigmas())?;
    check("parzen", &[parzen.log_likelihood.value, parzen.log_likelihood.error, parzen.sigma]);
    let distances: Vec<f64> =
        nearest(of("samples"), of("train"))?.iter().map(|nearest| nearest.distance).collect();
    check("nearest", &distances);
    Ok(())
}
