//! The tiled product against candle's.

use candle_core::{DType, Device, Result, Tensor, Var};
use ganlet_ops::{matmul, reference};
use proptest::prelude::*;

/// Multiples of 1/16 in `[-1, 1]`: sums of their products are exact in f32, in any order.
fn tensor(seed: usize, rows: usize, cols: usize) -> Tensor {
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003 % 33) as f32 / 16. - 1.;
    Tensor::from_vec((0..rows * cols).map(value).collect(), (rows, cols), &Device::Cpu).unwrap()
}

/// `(rows, cols)`, either as it lies in memory or as one view or the other.
fn view(kind: usize, seed: usize, rows: usize, cols: usize) -> Tensor {
    match kind {
        0 => tensor(seed, rows, cols),
        1 => tensor(seed, cols, rows).t().unwrap(),
        2 => tensor(seed, cols + 2, rows + 3)
            .narrow(0, 1, cols)
            .unwrap()
            .narrow(1, 2, rows)
            .unwrap()
            .t()
            .unwrap(),
        3 => tensor(seed, 1, cols).broadcast_as((rows, cols)).unwrap(),
        _ => tensor(seed, rows + 2, cols + 3).narrow(0, 1, rows).unwrap().narrow(1, 2, cols).unwrap(),
    }
}

fn rows(t: &Tensor) -> Vec<Vec<f32>> {
    t.to_vec2().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_and_their_gradients_are_candles(
        m in 1usize..90, k in 1usize..70, n in 1usize..300, kinds in (0usize..5, 0usize..5),
    ) {
        let (a, b) = (view(kinds.0, 1, m, k), view(kinds.1, 2, k, n));
        let (copy_a, copy_b) = (a.contiguous().unwrap(), b.contiguous().unwrap());
        prop_assert_eq!(rows(&matmul(&a, &b).unwrap()), rows(&reference::matmul(&copy_a, &copy_b).unwrap()));

        let (a, b) = (Var::from_tensor(&copy_a).unwrap(), Var::from_tensor(&copy_b).unwrap());
        let weights = tensor(3, m, n);
        let gradients = |product: Result<Tensor>| {
            let store = (product.unwrap() * &weights).unwrap().sum_all().unwrap().backward().unwrap();
            [&a, &b].map(|var| rows(store.get(var).unwrap()))
        };
        prop_assert_eq!(gradients(matmul(&a, &b)), gradients(reference::matmul(&a, &b)));
    }
}

#[test]
fn long_sums_and_a_row_left_over_are_candles() {
    for (m, k, n) in [(49, 600, 70), (97, 1100, 256), (2, 5000, 20)] {
        let (a, b) = (tensor(1, m, k), tensor(2, n, k).t().unwrap());
        let (copy_a, copy_b) = (&a, &b.contiguous().unwrap());
        assert_eq!(rows(&matmul(&a, &b).unwrap()), rows(&reference::matmul(copy_a, copy_b).unwrap()));
    }
}

#[test]
fn an_empty_sum_is_zero_and_an_empty_product_is_empty() {
    let zeros = |rows: usize, cols: usize| Tensor::zeros((rows, cols), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(rows(&matmul(&zeros(2, 0), &zeros(0, 3)).unwrap()), [[0.; 3]; 2]);
    for (m, n) in [(0, 3), (2, 0), (0, 0)] {
        assert_eq!(matmul(&zeros(m, 4), &zeros(4, n)).unwrap().dims(), [m, n]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let message = matmul(&tensor(1, 2, 3), &tensor(2, 4, 5)).unwrap_err().to_string();
    assert!(message.contains("[2, 3]") && message.contains("[4, 5]"), "{message}");
    let long = |shape: (usize, usize)| tensor(1, 1, 1).broadcast_as(shape).unwrap();
    let message = matmul(&long((1 << 33, 1)), &long((1, 1 << 33))).unwrap_err().to_string();
    assert!(message.contains("too large"), "{message}");
    assert!(matmul(&tensor(1, 2, 3).flatten_all().unwrap(), &tensor(2, 3, 5)).is_err());
}
