//! Philox 4x32-10: four random words as a function of a counter and a key.
//!
//! Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as 1, 2, 3* (SC 2011), section 3.3. The constants
//! are the paper's; the tests hold the known answers that its authors publish with Random123 (`kat_vectors`).

const MULTIPLIER_0: u32 = 0xD251_1F53;
const MULTIPLIER_1: u32 = 0xCD9E_8D57;
/// The golden ratio and the square root of three, less one: the Weyl sequence that steps the key.
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;
const ROUNDS: usize = 10;

/// The four words at `counter` in the sequence that `key` names.
#[inline]
pub fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    rounds(counter.map(|word| [word]), key).map(|[word]| word)
}

/// How many blocks [`blocks`] makes side by side: as many as an AVX-512 register has words.
pub(crate) const LANES: usize = 16;

/// The blocks at `counter` and the 15 counters after it: word `w` of block `b` is `[w][b]`.
#[inline(always)]
pub(crate) fn blocks(counter: [u32; 4], key: [u32; 2]) -> [[u32; LANES]; 4] {
    let [a, b, c, d] = counter;
    let mut lanes = [[a; LANES], [b; LANES], [c; LANES], [d; LANES]];
    for (lane, word) in lanes[0].iter_mut().enumerate() {
        *word = word.wrapping_add(lane as u32);
    }
    rounds(lanes, key)
}

/// The ten rounds, on `N` counters side by side.
#[inline(always)]
fn rounds<const N: usize>(mut x: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..ROUNDS {
        let [x0, x1, x2, x3] = &mut x;
        for (((x0, x1), x2), x3) in x0.iter_mut().zip(x1).zip(x2).zip(x3) {
            let [a, b] = [high(MULTIPLIER_0, *x0), high(MULTIPLIER_1, *x2)];
            [*x0, *x1, *x2, *x3] = [
                b ^ *x1 ^ key[0],
                MULTIPLIER_1.wrapping_mul(*x2),
                a ^ *x3 ^ key[1],
                MULTIPLIER_0.wrapping_mul(*x0),
            ];
        }
        key = [key[0].wrapping_add(WEYL_0), key[1].wrapping_add(WEYL_1)];
    }
    x
}

/// The upper half of a product. (With the lower half out of the same product, the compiler would need more instructions for both.)
#[inline(always)]
fn high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::{LANES, block, blocks};

    #[test]
    fn gives_the_published_answers() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        // The digits of pi.
        assert_eq!(
            block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn blocks_side_by_side_are_blocks() {
        let counter = [u32::MAX - 3, 7, 8, 9];
        let side_by_side = blocks(counter, [1, 2]);
        for lane in 0..LANES {
            let counter = [counter[0].wrapping_add(lane as u32), 7, 8, 9];
            assert_eq!(side_by_side.map(|words| words[lane]), block(counter, [1, 2]));
        }
    }
}
