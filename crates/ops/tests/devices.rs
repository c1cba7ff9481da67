//! Every operation gives on every device what it gives on the CPU.

use candle_core::{Device, Result, Tensor, Var};
use ganlet_ops::testing::devices;
use ganlet_ops::{
    Activation, AdamStep, Layer, SgdStep, adam_step, average_step, bce_with_logits, center, denormalize,
    gather_normalize, linear, mlp, mlp_with_dropout, normalize, sgd_step, spectral_norm,
};

fn tensor(shape: (usize, usize), device: &Device) -> Result<Tensor> {
    let values: Vec<f32> = (0..shape.0 * shape.1).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.).collect();
    Tensor::from_vec(values, shape, device)
}

/// Everything that the operations compute from the same arguments, with names.
fn compute(device: &Device) -> Result<Vec<(&'static str, Tensor)>> {
    let mut all = Vec::new();
    let weight = Var::from_tensor(&tensor((30, 50), device)?)?;
    let bias = Var::from_tensor(&tensor((1, 30), device)?.squeeze(0)?)?;
    let x = Var::from_tensor(&tensor((20, 50), device)?)?;
    let gradient = tensor((20, 30), device)?;
    for activation in
        [Activation::Identity, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Sigmoid]
    {
        let y = linear(&x, &weight, &bias, activation)?;
        let gradients = (&y * &gradient)?.sum_all()?.backward()?;
        all.push(("linear", y));
        for var in [&x, &weight, &bias] {
            all.extend(gradients.get(var).cloned().map(|g| ("gradient of linear", g)));
        }
        let layer = Layer { weight: weight.as_tensor().clone(), bias: bias.as_tensor().clone(), activation };
        let pass = mlp(&x, &[layer])?;
        all.push(("mlp", pass.output().clone()));
        all.push(("input gradient of mlp", pass.input_gradient(&gradient)?));
        for layer in pass.parameter_gradients(&gradient)? {
            all.extend([("weight gradient of mlp", layer.weight), ("bias gradient of mlp", layer.bias)]);
        }
    }

    let [first, second] = [(24, 50, Activation::Maxout(3)), (30, 8, Activation::LeakyRelu(0.))].map(
        |(rows, inputs, activation)| {
            let (weight, bias) = (tensor((rows, inputs), device)?, tensor((1, rows), device)?.squeeze(0)?);
            Result::Ok(Layer { weight, bias, activation })
        },
    );
    let mask = tensor((20, 8), device)?.gt(0.)?.to_dtype(weight.dtype())?;
    let pass = mlp_with_dropout(&x, &[first?, second?], &[None, Some(mask)])?;
    let mut gradients = pass.parameter_gradients(&gradient)?;
    let slope = pass.input_gradient_pass(&gradient)?;
    slope.add_parameter_gradients(slope.gradient(), &mut gradients)?;
    all.extend(gradients.into_iter().map(|layer| ("second order gradient", layer.weight)));

    let norm = spectral_norm(&weight, &bias)?;
    all.push(("spectral gradient", norm.weight_gradient(&tensor((30, 50), device)?)?));
    all.extend([("spectral weight", norm.weight), ("spectral u", norm.u), ("spectral v", norm.v)]);

    let velocity = tensor((30, 50), device)?;
    sgd_step(&weight, &velocity.copy()?, &velocity, &SgdStep { learning_rate: 0.1, momentum: 0.5 })?;
    let average = tensor((30, 50), device)?;
    average_step(&average, &weight, 0.9)?;
    all.extend([("velocity", velocity), ("average", average), ("stepped", weight.as_detached_tensor())]);

    let logits = Var::from_tensor(&(tensor((20, 1), device)? * 50.)?)?;
    let loss = bce_with_logits(&logits, 1.)?;
    all.extend(loss.backward()?.get(&logits).cloned().map(|g| ("gradient of bce", g)));
    all.push(("bce", loss));

    let step = AdamStep { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 3 };
    let (m, v) = (tensor((20, 50), device)?, tensor((20, 50), device)?.sqr()?);
    adam_step(&x, &tensor((20, 50), device)?, &m, &v, &step)?;
    all.extend([("adam", x.as_detached_tensor()), ("adam's m", m), ("adam's v", v)]);

    let pixels = Tensor::from_vec((0..=255u8).collect::<Vec<_>>(), (16, 16), device)?;
    let indices = Tensor::new(&[3u32, 0, 15, 3], device)?;
    all.push(("gather_normalize", gather_normalize(&pixels, &indices)?));
    let images = normalize(&pixels)?;
    all.push(("denormalize", denormalize(&images)?.to_dtype(images.dtype())?));
    all.push(("center", center(&images, &images.get(2)?)?));
    all.push(("normalize", images));
    Ok(all)
}

#[test]
fn what_the_cpu_computes() -> Result<()> {
    let expected = compute(&Device::Cpu)?;
    assert_eq!(expected.len(), 4 * 8 + 2 + 4 + 3 + 2 + 3 + 4);
    for device in devices() {
        for ((what, got), (_, expected)) in compute(&device)?.into_iter().zip(&expected) {
            let difference = (got.to_device(&Device::Cpu)? - expected)?.abs()?.flatten_all()?.max(0)?;
            assert!(difference.to_scalar::<f32>()? < 1e-4, "{what} on {device:?}");
        }
    }
    Ok(())
}
