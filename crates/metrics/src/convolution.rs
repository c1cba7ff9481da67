use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::matrix::{View, product};

const NAME: &str = "convolution";

/// Images that one thread takes at a time, so that their patches stay in its cache.
const BLOCK: usize = 8;

/// The size of a convolution's kernel, and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Rows and columns.
    pub(crate) size: usize,
    /// Pixels from one place to the next.
    pub(crate) stride: usize,
    /// Zeros around the image.
    pub(crate) padding: usize,
}

impl Kernel {
    /// Places in a row of `length` pixels.
    pub(crate) fn places(self, length: usize) -> usize {
        (length + 2 * self.padding).saturating_sub(self.size) / self.stride + 1
    }
}

/// A convolution with LeakyReLU: `(N, H, W, C)` f32 -> `(N, H', W', O)`, for `weight (O, size * size * C)` and `bias (O,)`.
///
/// The channels are innermost, so that a patch is a few stretches of memory; the patches of a few images are gathered into
/// one matrix and multiplied. It is differentiable by candle in all its arguments; on a CPU only. `slope` must be positive.
pub(crate) fn convolution(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    kernel: Kernel,
    slope: f32,
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (outputs, inputs) = weight.dims2()?;
    let fits = inputs == kernel.size * kernel.size * channels && bias.dims() == [outputs];
    if !fits || height.min(width) + 2 * kernel.padding < kernel.size {
        candle_core::bail!("{NAME}: {:?} and {:?} do not fit {:?}", weight.shape(), bias.shape(), x.shape());
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Convolution { kernel, slope })
}

struct Convolution {
    kernel: Kernel,
    slope: f32,
}

/// The sizes of one image on its way through.
#[derive(Clone, Copy)]
struct Sizes {
    kernel: Kernel,
    /// Height, width and channels of the input.
    input: [usize; 3],
    /// Height, width and channels of the output.
    output: [usize; 3],
}

impl Sizes {
    fn new(kernel: Kernel, x: &[usize], outputs: usize) -> Result<Self> {
        let &[_, height, width, channels] = x else {
            candle_core::bail!("{NAME}: expected (N, H, W, C), found {x:?}");
        };
        let output = [kernel.places(height), kernel.places(width), outputs];
        Ok(Self { kernel, input: [height, width, channels], output })
    }

    fn input_len(self) -> usize {
        self.input.iter().product()
    }

    fn output_len(self) -> usize {
        self.output.iter().product()
    }

    /// Numbers in a patch.
    fn patch(self) -> usize {
        self.kernel.size * self.kernel.size * self.input[2]
    }

    fn places(self) -> usize {
        self.output[0] * self.output[1]
    }

    /// For each row of each patch that is not wholly outside the image: where it begins in the patches, where in the
    /// image, and its length.
    fn stretches(self, mut each: impl FnMut(usize, usize, usize)) {
        let Self { kernel: Kernel { size, stride, padding }, input: [height, width, channels], output } =
            self;
        for (place, row) in (0..output[0]).flat_map(|y| (0..output[1]).map(move |x| (y, x))).zip(0..) {
            let (y, x) = place;
            let (top, left) = (y * stride, x * stride);
            // Columns of the patch that lie within the image.
            let (from, to) = (padding.saturating_sub(left), size.min(width + padding - left));
            for line in padding.saturating_sub(top)..size.min(height + padding - top) {
                let patch = row * self.patch() + (line * size + from) * channels;
                let image = ((top + line - padding) * width + left + from - padding) * channels;
                each(patch, image, (to - from) * channels);
            }
        }
    }

    /// The patches of one image, a row for each place.
    fn gather(self, image: &[f32], patches: &mut [f32]) {
        self.stretches(|patch, from, len| {
            patches[patch..patch + len].copy_from_slice(&image[from..from + len])
        });
    }

    /// The reverse: adds each patch to the image.
    fn scatter(self, patches: &[f32], image: &mut [f32]) {
        self.stretches(|patch, to, len| add(&mut image[to..to + len], &patches[patch..patch + len]));
    }
}

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let [x, weight, bias] = [(x, x_layout), (weight, weight_layout), (bias, bias_layout)]
            .map(|(storage, layout)| slice(storage, layout));
        let (x, weight, bias) = (x?, weight?, bias?);
        let sizes = Sizes::new(self.kernel, x_layout.dims(), bias.len())?;
        let images = x_layout.dims()[0];
        let mut out = vec![0.; images * sizes.output_len()];
        out.par_chunks_mut(BLOCK * sizes.output_len())
            .zip(x.par_chunks(BLOCK * sizes.input_len()))
            .for_each_init(
                || vec![0.; BLOCK * sizes.places() * sizes.patch()],
                |patches, (out, x)| {
                    let used = out.len() / bias.len() * sizes.patch();
                    let one = sizes.places() * sizes.patch();
                    for (image, patches) in
                        x.chunks_exact(sizes.input_len()).zip(patches.chunks_exact_mut(one))
                    {
                        sizes.gather(image, patches);
                    }
                    let patches = View::new(&patches[..used], sizes.patch());
                    product(patches, View::new(weight, sizes.patch()).transposed(), out, false);
                    activate(out, bias, self.slope);
                },
            );
        let [height, width, channels] = sizes.output;
        Ok((CpuStorage::F32(out), Shape::from((images, height, width, channels))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(self.kernel, x.dims(), bias.dims1()?)?;
        let [xs, weights, ys, gradients] =
            [x, weight, y, gradient].map(|t| t.flatten_all().and_then(|t| t.to_vec1::<f32>()));
        let (xs, weights, ys, gradients) = (xs?, weights?, ys?, gradients?);
        let outputs = sizes.output[2];

        // The gradient before the activation, told from the sign of what came out.
        let mut pre = gradients;
        for (gradient, &y) in pre.iter_mut().zip(&ys) {
            *gradient *= if y > 0. { 1. } else { self.slope };
        }
        let wanted = x.track_op();
        let parts: Vec<[Vec<f32>; 3]> = xs
            .par_chunks(BLOCK * sizes.input_len())
            .zip(pre.par_chunks(BLOCK * outputs * sizes.places()))
            .map(|(xs, pre)| {
                let one = sizes.places() * sizes.patch();
                let mut patches = vec![0.; pre.len() / outputs * sizes.patch()];
                for (image, patches) in xs.chunks_exact(sizes.input_len()).zip(patches.chunks_exact_mut(one))
                {
                    sizes.gather(image, patches);
                }
                let pre_rows = View::new(pre, outputs);
                let mut for_weight = vec![0.; weights.len()];
                product(pre_rows.transposed(), View::new(&patches, sizes.patch()), &mut for_weight, false);
                let mut for_bias = vec![0.; outputs];
                pre.chunks_exact(outputs).for_each(|row| add(&mut for_bias, row));

                let mut for_x = vec![0.; if wanted { xs.len() } else { 0 }];
                if wanted {
                    product(pre_rows, View::new(&weights, sizes.patch()), &mut patches, false);
                    let images = for_x.chunks_exact_mut(sizes.input_len());
                    patches.chunks_exact(one).zip(images).for_each(|(patches, x)| sizes.scatter(patches, x));
                }
                [for_weight, for_bias, for_x]
            })
            .collect();
        // Summed in the order of the images: the same bits for any number of threads.
        let (mut for_weight, mut for_bias) = (vec![0.; weights.len()], vec![0.; outputs]);
        let mut for_x = Vec::with_capacity(xs.len());
        for [weight, bias, x] in &parts {
            add(&mut for_weight, weight);
            add(&mut for_bias, bias);
            for_x.extend_from_slice(x);
        }
        let device = x.device();
        let for_x = wanted.then(|| Tensor::from_vec(for_x, x.shape(), device)).transpose()?;
        Ok((
            for_x,
            Some(Tensor::from_vec(for_weight, weight.shape(), device)?),
            Some(Tensor::from_vec(for_bias, bias.shape(), device)?),
        ))
    }
}

/// Adds the bias to each place and applies LeakyReLU. (A function, so that the slope is a value: read through a closure, it
/// would keep the loop from becoming one of vectors.)
fn activate(out: &mut [f32], bias: &[f32], slope: f32) {
    for place in out.chunks_exact_mut(bias.len()) {
        for (y, b) in place.iter_mut().zip(bias) {
            let x = *y + b;
            *y = if x > 0. { x } else { slope * x };
        }
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// The elements of a contiguous f32 tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: NAME })?;
    let elements = storage.as_slice::<f32>()?;
    elements.get(start..end).ok_or_else(|| Error::msg(format!("{NAME}: the layout exceeds its storage")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Candle's own convolution, channels first, is the judge, and finite differences are for the gradients.
    #[test]
    fn it_is_candles_and_its_gradients_are_slopes() -> Result<()> {
        let kernel = Kernel { size: 3, stride: 2, padding: 1 };
        let values = |n: usize, salt: usize| -> Vec<f32> {
            (0..n).map(|i| ((i * 7919 + salt * 104_729) % 2003 % 33) as f32 / 16. - 1.).collect()
        };
        let x = Var::from_vec(values(10 * 7 * 6 * 2, 1), (10, 7, 6, 2), &Device::Cpu)?;
        let w = Var::from_vec(values(4 * 18, 2), (4, 18), &Device::Cpu)?;
        let b = Var::from_vec(values(4, 3), 4, &Device::Cpu)?;
        let of = |x: &Tensor, w: &Tensor, b: &Tensor| convolution(x, w, b, kernel, 0.5);

        let found = of(&x, &w, &b)?;
        let plain = x
            .permute((0, 3, 1, 2))?
            .conv2d(&w.reshape((4, 3, 3, 2))?.permute((0, 3, 1, 2))?.contiguous()?, 1, 2, 1, 1)?
            .broadcast_add(&b.reshape((1, 4, 1, 1))?)?;
        let expected = plain.maximum(&(&plain * 0.5)?)?.permute((0, 2, 3, 1))?;
        assert_eq!(found.dims(), [10, 4, 3, 4]);
        let difference = (&found - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-5, "{difference}");

        let weights = Tensor::from_vec(values(found.elem_count(), 4), found.shape(), &Device::Cpu)?;
        let loss = |x: &Tensor, w: &Tensor, b: &Tensor| -> Result<f64> {
            let sum = (of(x, w, b)? * &weights)?.to_dtype(candle_core::DType::F64)?.sum_all()?;
            sum.to_scalar::<f64>()
        };
        let gradients = (found * &weights)?.sum_all()?.backward()?;
        for (which, var) in [&x, &w, &b].into_iter().enumerate() {
            let gradient = gradients.get(var).unwrap().flatten_all()?.to_vec1::<f32>()?;
            for at in [0, gradient.len() / 3, gradient.len() - 1] {
                let moved = |by: f32| -> Result<f64> {
                    let mut values = var.flatten_all()?.to_vec1::<f32>()?;
                    values[at] += by;
                    let moved = Tensor::from_vec(values, var.shape(), &Device::Cpu)?;
                    let mut all = [x.as_tensor(), w.as_tensor(), b.as_tensor()];
                    all[which] = &moved;
                    loss(all[0], all[1], all[2])
                };
                let slope = (moved(1e-3)? - moved(-1e-3)?) / 2e-3;
                let error = (f64::from(gradient[at]) - slope).abs();
                assert!(error < 1e-2 * slope.abs().max(1.), "{which}, {at}: {} and {slope}", gradient[at]);
            }
        }
        Ok(())
    }
}
