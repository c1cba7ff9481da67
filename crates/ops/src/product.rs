use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};

use crate::cpu::applies;
use crate::matrix::Mat;
use crate::reference;

const NAME: &str = "matmul";

/// The product of two matrices: `(m, k) (k, n) -> (m, n)`.
///
/// In f32 on a CPU it is cut into the tiles of [`linear`](crate::linear()) and [`mlp`](crate::mlp()), shared among the same
/// threads: so it shows what the products of a training step cost without the rest of it. Either factor may be a view such
/// as `weight.t()`; nothing is copied.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32, 0.], [0., 1.], [1., 1.]], &Device::Cpu)?;
/// let y = ganlet_ops::matmul(&x, &weight.t()?)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1., 2., 3.], [3., 4., 7.]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When one is not a matrix, the inner sizes or the dtypes differ, or the devices do.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((_, k), (inner, _)) = (a.dims2()?, b.dims2()?);
    if k != inner {
        return Err(Error::ShapeMismatchBinaryOp {
            lhs: a.shape().clone(),
            rhs: b.shape().clone(),
            op: NAME,
        }
        .bt());
    }
    if a.dim(0)?.checked_mul(b.dim(1)?).is_none_or(|size| size > isize::MAX as usize / 4) {
        candle_core::bail!("{NAME}: a product of {:?} and {:?} is too large", a.shape(), b.shape());
    }
    if !applies(&[a, b]) {
        return reference::matmul(a, b);
    }
    let straight = |t: &Tensor| if t.stride().contains(&1) { Ok(t.clone()) } else { t.contiguous() };
    straight(a)?.apply_op2(&straight(b)?, Product)
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (mat(a, a_layout)?, mat(b, b_layout)?);
        let shape = Shape::from((a_layout.dims()[0], b_layout.dims()[1]));
        Ok((CpuStorage::F32(crate::matmul::matmul(a, b, |_, _, _| {})), shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _product: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let for_a = a.track_op().then(|| matmul(grad, &b.t()?.detach()));
        let for_b = b.track_op().then(|| matmul(&a.t()?.detach(), grad));
        Ok((for_a.transpose()?, for_b.transpose()?))
    }
}

/// A matrix as candle lays it out.
fn mat<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Mat<'a>> {
    let (rows, cols) = layout.shape().dims2()?;
    let strides = layout.stride();
    storage
        .as_slice::<f32>()?
        .get(layout.start_offset()..)
        .and_then(|data| Mat::strided(data, [rows, cols], [strides[0], strides[1]]))
        .ok_or_else(|| Error::msg(format!("{NAME}: the layout exceeds its storage")))
}
