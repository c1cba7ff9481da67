//! Every operation gives on every device what it gives on the CPU.

use candle_core::{Device, Result, Tensor, Var};
use ganlet_ops::testing::devices;
use ganlet_ops::{
    Activation, AdamStep, Clock, Layer, LossTerm, SgdStep, Term, Update, adam_step, adam_steps, average_step,
    average_steps, bce_with_logits, center, denormalize, first_not_finite, gather_normalize, join, linear,
    mean_loss, mlp, mlp_with_dropout, normalize, sgd_step, sgd_steps, spectral_norm,
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
            assert_close(what, &got, expected, 1e-4)?;
        }
    }
    Ok(())
}

/// Within `tolerance` of the largest number; not a number is not close to anything.
fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f32) -> Result<()> {
    let [values, expected] = [got, expected].map(|t| t.flatten_all()?.to_vec1::<f32>());
    let (values, expected) = (values?, expected?);
    let largest = expected.iter().fold(1f32, |largest, x| largest.max(x.abs()));
    for (i, (value, expected)) in values.iter().zip(&expected).enumerate() {
        let close = (value - expected).abs() <= tolerance * largest;
        assert!(close, "{what} on {:?}, element {i}: {value}, expected {expected}", got.device().location());
    }
    Ok(())
}

/// A network of two layers on `batch` rows, all its gradients, and those of some of its rows, which begin at odd places.
fn compute_network([batch, inputs, hidden, outputs]: [usize; 4], device: &Device) -> Result<Vec<Tensor>> {
    let vector = |len| tensor((1, len), device)?.squeeze(0);
    let layer = |inputs, outputs, activation| {
        let weight = (tensor((outputs, inputs), device)? / (inputs as f64).sqrt())?;
        Result::Ok(Layer { weight, bias: vector(outputs)?, activation })
    };
    let layers =
        [layer(inputs, hidden, Activation::LeakyRelu(0.2))?, layer(hidden, outputs, Activation::Identity)?];
    let mask = tensor((batch, hidden), device)?.gt(-0.5)?.to_dtype(layers[0].weight.dtype())?;
    let pass = mlp_with_dropout(&tensor((batch, inputs), device)?, &layers, &[None, Some(mask)])?;
    let mut all = vec![pass.output().clone()];
    for pass in [pass.rows(batch / 3, batch - batch / 3)?, pass] {
        let gradient = tensor((pass.output().dim(0)?, outputs), device)?;
        let mut gradients = pass.parameter_gradients(&gradient)?;
        let slope = pass.input_gradient_pass(&gradient)?;
        slope.add_parameter_gradients(slope.gradient(), &mut gradients)?;
        all.extend([pass.input_gradient(&gradient)?, slope.gradient().clone()]);
        all.extend(gradients.into_iter().flat_map(|layer| [layer.weight, layer.bias]));
    }
    Ok(all)
}

/// Edges of tiles and vectors, and more tiles than there are processors; then one so large that a GPU leaves its products to a library, and one
/// with a long vector.
#[test]
fn networks_of_all_shapes() -> Result<()> {
    let shapes = [
        [1, 1, 1, 1],
        [1, 784, 16, 1],
        [3, 17, 33, 65],
        [100, 64, 48, 31],
        [201, 130, 7, 784],
        [450, 9, 400, 5],
        [1100, 512, 512, 16],
        [2100, 4, 2000, 1],
    ];
    for shape in shapes {
        let expected = compute_network(shape, &Device::Cpu)?;
        for device in devices() {
            for (got, expected) in compute_network(shape, &device)?.iter().zip(&expected) {
                // Sums of thousands of terms that cancel keep fewer digits.
                let tolerance = if shape[0] > 2000 { 1e-4 } else { 1e-5 };
                assert_close(&format!("a network of {shape:?}"), got, expected, tolerance)?;
            }
        }
    }
    Ok(())
}

/// A network that has gone wrong must look like it.
#[test]
fn what_is_no_number_makes_none() -> Result<()> {
    for device in devices() {
        for bits in [0x7fc0_0000, 0x7fff_ffff, 0xffff_ffff, 0x7f80_0000] {
            let mut values = vec![1f32; 40 * 36];
            values[5 * 36 + 7] = f32::from_bits(bits);
            let x = Tensor::from_vec(values, (40, 36), &device)?;
            let (weight, bias) = (Tensor::ones((20, 36), x.dtype(), &device)?, tensor((1, 20), &device)?);
            let y = linear(&x, &weight, &bias.squeeze(0)?, Activation::Identity)?.to_vec2::<f32>()?;
            for (row, y) in y.iter().enumerate() {
                let finite = y.iter().filter(|y| y.is_finite()).count();
                assert_eq!(finite, if row == 5 { 0 } else { 20 }, "{bits:x}, row {row}");
            }
        }
    }
    Ok(())
}

/// Losses with gradients, matrices joined, and more tensors than one launch updates.
fn compute_several(device: &Device) -> Result<Vec<Tensor>> {
    let mut all = Vec::new();
    let logits = (tensor((1500, 1), device)? * 20.)?;
    let term = |term| LossTerm { term, weight: -0.5 };
    for terms in [
        vec![term(Term::CrossEntropy { target: 0.9 }), term(Term::CrossEntropy { target: 0. })],
        vec![term(Term::HalfSquare { target: 1. })],
        vec![term(Term::Hinge { sign: 1. }), term(Term::Hinge { sign: -1. })],
        vec![term(Term::Linear { sign: -1. })],
    ] {
        let (value, gradient) = mean_loss(&logits, &terms)?;
        all.extend([value, gradient]);
    }
    all.push(join(&[&tensor((3, 7), device)?, &tensor((1, 7), device)?, &tensor((5, 7), device)?])?);

    let shapes: Vec<_> = (1..20).map(|i| (i, 301 - i)).collect();
    let lots = |offset| shapes.iter().map(|&s| tensor(s, device)? + offset).collect::<Result<Vec<_>>>();
    let [parameters, gradients, velocities] = [lots(0.)?, lots(0.5)?, lots(-0.5)?];
    let moments: Vec<_> =
        shapes.iter().map(|&s| Ok([tensor(s, device)?, tensor(s, device)?.sqr()?])).collect::<Result<_>>()?;
    fn updates<'a>(
        moved: &'a [(Tensor, Tensor)],
        state: impl Iterator<Item = &'a [Tensor]>,
    ) -> Vec<Update<'a>> {
        let pairs = moved.iter().zip(state);
        pairs.map(|((parameter, gradient), state)| Update { parameter, gradient, state }).collect()
    }
    let moved: Vec<_> = parameters.into_iter().zip(gradients).collect();
    let adam = AdamStep { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 3 };
    adam_steps(&updates(&moved, moments.iter().map(|pair| &pair[..])), &adam, None)?;
    let sgd = SgdStep { learning_rate: 0.1, momentum: 0.5 };
    sgd_steps(&updates(&moved, velocities.iter().map(std::slice::from_ref)), &sgd, None)?;
    average_steps(&updates(&moved, std::iter::repeat(&[][..])), 0.9, None)?;
    all.extend(
        moved
            .iter()
            .map(|(parameter, _)| parameter)
            .chain(&velocities)
            .chain(moments.iter().flatten())
            .cloned(),
    );
    Ok(all)
}

#[test]
fn several_at_once() -> Result<()> {
    let expected = compute_several(&Device::Cpu)?;
    for device in devices() {
        for (got, expected) in compute_several(&device)?.iter().zip(&expected) {
            assert_close("several", got, expected, 1e-6)?;
        }
    }
    Ok(())
}

#[test]
fn the_first_tensor_that_is_no_number_is_found() -> Result<()> {
    for device in devices() {
        let tensors = (1..20).map(|i| tensor((i, 301 - i), &device)).collect::<Result<Vec<_>>>()?;
        let first = |tensors: &[Tensor]| first_not_finite(&tensors.iter().collect::<Vec<_>>());
        assert_eq!(first(&tensors)?, None);
        for (at, wrong) in [(18, f32::NAN), (17, f32::NEG_INFINITY), (3, f32::INFINITY)] {
            let (rows, columns) = tensors[at].dims2()?;
            tensors[at].slice_set(&Tensor::full(wrong, (1, columns), &device)?, 0, rows - 1)?;
            assert_eq!(first(&tensors)?, Some(at));
        }
    }
    Ok(())
}

#[test]
fn a_clock_stays_within_its_table() -> Result<()> {
    for device in devices() {
        if !device.is_cuda() {
            assert!(Clock::new(2, 3, &device).is_err());
            continue;
        }
        assert!(Clock::new(0, 3, &device).is_err());
        let clock = Clock::new(2, 3, &device)?;
        assert!(clock.set(7, 2).unwrap_err().to_string().contains("found row 2"));
        let (pixels, order) =
            (Tensor::new(&[[1u8], [2], [3], [4]], &device)?, Tensor::new(&[3u32, 2, 1, 0], &device)?);
        assert!(clock.gather_normalize(&pixels, &order, 3).is_err());
        // From the last row to the first.
        clock.set(7, 1)?;
        for expected in [[2u8, 1], [4, 3]] {
            let batch = clock.gather_normalize(&pixels, &order, 2)?;
            let expected = gather_normalize(
                &pixels,
                &Tensor::new(expected.map(|p| u32::from(p) - 1).as_slice(), &device)?,
            )?;
            assert_eq!(batch.to_vec2::<f32>()?, expected.to_vec2::<f32>()?);
            clock.tick()?;
        }
        let step = AdamStep { learning_rate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, step: 1 };
        let [parameter, gradient, m, v] =
            [0., 1., 2., 3.].map(|offset| tensor((1, 4), &device).unwrap() + offset);
        let state = [m?, v?];
        let update = Update { parameter: &parameter?, gradient: &gradient?, state: &state };
        assert!(adam_steps(&[update], &step, Some(&clock.row(2))).is_err());
    }
    Ok(())
}
