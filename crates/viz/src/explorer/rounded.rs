use super::Dense;

/// The weights as whole numbers of a few bits: a row of weights has one scale, and so have the biases of a layer. What is
/// written is, for each layer, its rows and then its biases.
pub(super) struct Rounded {
    bits: u32,
    /// What 1 stands for, for each row.
    pub(super) scales: Vec<f32>,
    /// The whole numbers, the highest bit first, without gaps.
    pub(super) codes: Vec<u8>,
}

impl Rounded {
    /// Rounds to `bits`, from 2 to 24.
    pub(super) fn new(layers: &[Dense], bits: u32) -> Self {
        let mut codes = Bits::default();
        let scales = rows(layers)
            .map(|row| {
                let largest = row.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
                let scale = largest / middle(bits) as f32;
                for &weight in row {
                    let steps =
                        if scale > 0. { (f64::from(weight) / f64::from(scale)).round() as i64 } else { 0 };
                    let steps = steps.clamp(-middle(bits), middle(bits));
                    // From 0 to twice the middle: at most 24 bits.
                    codes.push((steps + middle(bits)) as u32, bits);
                }
                scale
            })
            .collect();
        Self { bits, scales, codes: codes.finish() }
    }

    /// How many bytes `weights` of them take.
    pub(super) fn bytes(weights: usize, bits: u32) -> usize {
        weights.saturating_mul(bits as usize).div_ceil(8)
    }

    /// The layers as the page will have them.
    pub(super) fn layers(&self, like: &[Dense]) -> Vec<Dense> {
        let mut codes = self.codes.iter();
        let (mut held, mut count) = (0u32, 0);
        let mut next = || {
            while count < self.bits {
                held = held << 8 | u32::from(codes.next().copied().unwrap_or(0));
                count += 8;
            }
            count -= self.bits;
            let code = held >> count;
            held &= (1 << count) - 1;
            i64::from(code)
        };
        let mut scales = self.scales.iter();
        let mut row = |length| -> Vec<f32> {
            let scale = f64::from(scales.next().copied().unwrap_or(0.));
            (0..length).map(|_| ((next() - middle(self.bits)) as f64 * scale) as f32).collect()
        };
        like.iter()
            .map(|layer| {
                let weight = layer.bias.iter().flat_map(|_| row(layer.inputs())).collect();
                Dense { weight, bias: row(layer.bias.len()), activation: layer.activation }
            })
            .collect()
    }
}

fn rows(layers: &[Dense]) -> impl Iterator<Item = &[f32]> {
    layers.iter().flat_map(|layer| layer.weight.chunks(layer.inputs().max(1)).chain([&layer.bias[..]]))
}

/// The code of 0, and the largest number.
fn middle(bits: u32) -> i64 {
    (1 << (bits - 1)) - 1
}

/// Bits in a row.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    /// Appends the lowest `bits` of `code`, at most 24.
    fn push(&mut self, code: u32, bits: u32) {
        // At most 7 bits are held.
        self.held = self.held << bits | code;
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.held >> self.count) as u8);
            self.held &= (1 << self.count) - 1;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.push(0, 8 - self.count);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::DenseActivation;
    use super::*;

    #[test]
    fn what_is_rounded_is_near() {
        let weight: Vec<f32> = (0..35).map(|i| (i as f32).sin() * 0.3).collect();
        let layers = [
            Dense { weight, bias: vec![0.; 5], activation: DenseActivation::Identity },
            Dense {
                weight: vec![1e-3, -7., 0., 2., 1.],
                bias: vec![0.25],
                activation: DenseActivation::Tanh,
            },
        ];
        for bits in [2, 4, 5, 8, 13, 24] {
            let rounded = Rounded::new(&layers, bits);
            assert_eq!(rounded.codes.len(), Rounded::bytes(46, bits));
            assert_eq!(rounded.scales.len(), 5 + 1 + 1 + 1);
            let again = rounded.layers(&layers);
            for (row, near) in rows(&layers).zip(rows(&again)) {
                let most =
                    row.iter().fold(0f32, |most, x| most.max(x.abs())) / middle(bits) as f32 * 0.5001 + 1e-9;
                assert!(
                    row.iter().zip(near).all(|(x, y)| (x - y).abs() <= most),
                    "{bits} bits: {row:?} {near:?}"
                );
            }
        }
    }
}
