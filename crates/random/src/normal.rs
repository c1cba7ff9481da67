//! Standard normal values from uniform words: Box and Muller, *A note on the generation of random normal deviates*
//! (1958), with `ln`, `cos` and `sin` written out, so that the bits do not depend on the platform's `libm` and the
//! compiler can use vector instructions.

use crate::philox::LANES;
use crate::stream::{WORDS, unit};

/// Normal values out of blocks of words: the first two words of a block make a pair, and so do the last two.
#[inline(always)]
pub(crate) fn from_words([a, b, c, d]: [[u32; LANES]; 4]) -> [f32; WORDS] {
    let mut out = [[0.; LANES]; 4];
    for lane in 0..LANES {
        [out[0][lane], out[1][lane]] = pair(a[lane], b[lane]);
        [out[2][lane], out[3][lane]] = pair(c[lane], d[lane]);
    }
    let mut flat = [0.; WORDS];
    flat.copy_from_slice(out.as_flattened());
    flat
}

/// Two independent values out of two words.
#[inline(always)]
fn pair(radius: u32, angle: u32) -> [f32; 2] {
    // In (0, 1]: the logarithm stays finite.
    let u = 1.0 - unit(radius);
    let radius = (-2.0 * ln(u)).sqrt();
    let (cosine, sine) = cos_sin_turn(angle);
    [radius * cosine, radius * sine]
}

/// Natural logarithm of `u` in `[2^-24, 1]`, within 2e-7 relative.
///
/// `u = m * 2^e` with `m` in `[sqrt(1/2), sqrt(2))`; then `ln m = 2 artanh(s)` with `s = (m - 1) / (m + 1)`, whose
/// series converges fast since `|s| <= 0.172`.
#[inline(always)]
fn ln(u: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let shifted = u.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS));
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = 2.0 + s2 * (2.0 / 3.0 + s2 * (2.0 / 5.0 + s2 * (2.0 / 7.0 + s2 * (2.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + s * series
}

/// Cosine and sine of `word / 2^32 - 1/8` of a full turn, within 2e-7.
///
/// The two upper bits choose the quadrant; the rest is an angle in `[-pi/4, pi/4)` about its middle, where the Taylor
/// series of both is short.
#[inline(always)]
fn cos_sin_turn(word: u32) -> (f32, f32) {
    // The angle from the middle of the quadrant, in quadrants: a multiple of 2^-24 in [-1/2, 1/2).
    let offset = unit(word << 2) - 0.5;
    let x = offset * std::f32::consts::FRAC_PI_2;
    let x2 = x * x;
    let sin = x * (1.0 + x2 * (-1.0 / 6.0 + x2 * (1.0 / 120.0 + x2 * (-1.0 / 5040.0 + x2 / 362_880.0))));
    let cos = 1.0 + x2 * (-1.0 / 2.0 + x2 * (1.0 / 24.0 + x2 * (-1.0 / 720.0 + x2 / 40_320.0)));
    // Where the quadrant is odd, cosine and sine change places; the signs follow the quadrant.
    let odd = word & 1 << 30 != 0;
    let (c, s) = if odd { (-sin, cos) } else { (cos, sin) };
    if word & 1 << 31 != 0 { (-c, -s) } else { (c, s) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    #[test]
    fn logarithm_is_accurate() {
        for i in 1..=1 << 16 {
            let u = i as f32 / (1 << 16) as f32;
            let (got, expected) = (f64::from(ln(u)), f64::from(u).ln());
            assert!((got - expected).abs() <= 2e-7 * expected.abs().max(1e-3), "{u}: {got} {expected}");
        }
        let least = 1.0 / (1 << 24) as f32;
        assert!((f64::from(ln(least)) - f64::from(least).ln()).abs() < 2e-6);
    }

    #[test]
    fn the_circle_is_round() {
        for i in 0..1u32 << 12 {
            let word = i << 20;
            let (c, s) = cos_sin_turn(word);
            let angle = (f64::from(word) / (1u64 << 32) as f64 - 0.125) * std::f64::consts::TAU;
            assert!((f64::from(c) - angle.cos()).abs() < 2e-7, "{word:x}");
            assert!((f64::from(s) - angle.sin()).abs() < 2e-7, "{word:x}");
        }
    }

    #[test]
    fn moments_and_tails_are_those_of_a_normal() {
        let mut z = vec![0f32; 1 << 20];
        Stream::new(1, 2, 3).fill_normal(&mut z);
        let n = z.len() as f64;
        let moment = |k| z.iter().map(|&z| f64::from(z).powi(k)).sum::<f64>() / n;
        // Five standard errors: sqrt(1, 2, 15, 96) / sqrt(n).
        for (k, expected, variance) in [(1, 0., 1.), (2, 1., 2.), (3, 0., 15.), (4, 3., 96.)] {
            let error = 5. * f64::sqrt(variance / n);
            assert!((moment(k) - expected).abs() < error, "moment {k}: {}", moment(k));
        }
        let beyond_two = z.iter().filter(|z| z.abs() > 2.).count() as f64 / n;
        assert!((beyond_two - 0.0455).abs() < 0.001, "{beyond_two}");
        let correlation = z.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / n;
        assert!(correlation.abs() < 0.005, "{correlation}");
    }
}
