use crate::{normal, philox};

/// The random numbers named by `(seed, domain, index)`, in order.
///
/// `seed` is the user's, `domain` says what the numbers are for (a constant of the calling crate: batch order, noise,
/// weights, ...) and `index` which of them (epoch, step, layer, ...). Streams with different names are independent.
/// One stream gives up to 2^34 words before it repeats.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    /// `[block, domain, index low, index high]`
    counter: [u32; 4],
    block: [u32; 4],
    unused: usize,
}

impl Stream {
    /// Opens the stream at its first number.
    pub fn new(seed: u64, domain: u32, index: u64) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, domain, index as u32, (index >> 32) as u32],
            block: [0; 4],
            unused: 0,
        }
    }

    fn next_block(&mut self) -> [u32; 4] {
        let block = philox::block(self.counter, self.key);
        self.counter[0] = self.counter[0].wrapping_add(1);
        block
    }

    /// The next word, uniform over all 2^32.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.unused == 0 {
            self.block = self.next_block();
            self.unused = 4;
        }
        self.unused -= 1;
        self.block[3 - self.unused]
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-24.
    #[inline]
    pub fn uniform(&mut self) -> f32 {
        unit(self.next_u32())
    }

    /// Uniform in `[low, high)`.
    #[inline]
    pub fn uniform_in(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Uniform over the integers `0..bound`, without bias; 0 where `bound` is 0.
    ///
    /// Lemire, *Fast random integer generation in an interval* (2019), algorithm 5.
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// The numbers `0..n` in random order (Fisher-Yates).
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for last in (1..n).rev() {
            let chosen = self.below(last + 1);
            order.swap(last as usize, chosen as usize);
        }
        order
    }

    /// Fills `out` with numbers uniform in `[0, 1)`: those that [`Stream::uniform`] gives one after the other.
    pub fn fill_uniform(&mut self, out: &mut [f32]) {
        let begun = out.len().min(self.unused);
        let (begun, out) = out.split_at_mut(begun);
        begun.iter_mut().for_each(|x| *x = self.uniform());
        let (whole, rest) = out.split_at_mut(out.len() / WORDS * WORDS);
        self.fill(
            whole,
            #[inline(always)]
            |words| {
                let mut numbers = [0.; WORDS];
                for (at, number) in numbers.iter_mut().enumerate() {
                    *number = unit(words[at % 4][at / 4]);
                }
                numbers
            },
        );
        rest.iter_mut().for_each(|x| *x = self.uniform());
    }

    /// Fills `out` with standard normal values; each is at most 5.8 in magnitude.
    ///
    /// A number depends on its position alone: a longer `out` begins with the numbers of a shorter one. Each call begins
    /// where the words of those before end.
    #[expect(clippy::redundant_closure, reason = "a function that is passed on by name is not inlined")]
    pub fn fill_normal(&mut self, out: &mut [f32]) {
        self.unused = 0;
        self.fill(
            out,
            #[inline(always)]
            |words| normal::from_words(words),
        );
    }

    /// Fills `out` with what `numbers` makes of the next whole blocks, so many at a time. No block must have been begun.
    #[inline(always)]
    fn fill(&mut self, out: &mut [f32], numbers: impl Fn([[u32; philox::LANES]; 4]) -> [f32; WORDS]) {
        vectorized(
            #[inline(always)]
            || {
                for out in out.chunks_mut(WORDS) {
                    let words = philox::blocks(self.counter, self.key);
                    self.counter[0] = self.counter[0].wrapping_add(philox::LANES as u32);
                    out.copy_from_slice(&numbers(words)[..out.len()]);
                }
            },
        );
    }
}

/// Words of the blocks that are made side by side.
pub(crate) const WORDS: usize = 4 * philox::LANES;

/// Calls `f` compiled for the widest vectors that this processor has, chosen at run time. No multiplication and addition are contracted into
/// one, so the bits do not depend on the choice.
///
/// (A closure given to `dispatch` itself is called through a function of its own where it changes what it captures, and that is compiled for the
/// narrowest. Given to this, it is what can be called once.)
#[inline(always)]
fn vectorized(f: impl FnOnce()) {
    pulp::Arch::new().dispatch(f);
}

/// The upper 24 bits as a fraction of one: exact in f32.
#[inline(always)]
pub(crate) fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

#[cfg(test)]
mod tests {
    use super::Stream;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_permutation_holds_each_number_once(seed: u64, index: u64, n in 0u32..500) {
            let mut order = Stream::new(seed, 1, index).permutation(n);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..n));
        }

        #[test]
        fn below_stays_below(seed: u64, bound in 1u32..) {
            prop_assert!(Stream::new(seed, 0, 0).below(bound) < bound);
        }

        #[test]
        fn many_uniform_numbers_are_those_one_by_one(seed: u64, before in 0usize..9, n in 0usize..300, block: u32) {
            let mut many = Stream::new(seed, 2, 3);
            many.counter[0] = block;
            let mut single = many.clone();
            for stream in [&mut many, &mut single] {
                (0..before).for_each(|_| { stream.next_u32(); });
            }
            let mut out = vec![0.; n];
            many.fill_uniform(&mut out);
            prop_assert!(out.iter().all(|&x| x == single.uniform()));
            prop_assert_eq!(many.next_u32(), single.next_u32());
            let mut normal = [[0.; 70]; 2];
            many.fill_normal(&mut normal[0]);
            single.fill_normal(&mut normal[1]);
            prop_assert_eq!(normal[0], normal[1]);
        }

        #[test]
        fn a_longer_draw_begins_with_a_shorter_one(seed: u64, short in 0usize..200, more in 0usize..200) {
            let draw = |n| { let mut z = vec![0.; n]; Stream::new(seed, 2, 3).fill_normal(&mut z); z };
            prop_assert_eq!(&draw(short + more)[..short], &draw(short)[..]);
        }
    }

    #[test]
    fn every_part_of_the_name_counts() {
        let first = |seed, domain, index| Stream::new(seed, domain, index).next_u32();
        let words = [
            first(0, 0, 0),
            first(1, 0, 0),
            first(1 << 32, 0, 0),
            first(0, 1, 0),
            first(0, 0, 1),
            first(0, 0, 1 << 32),
        ];
        for (i, word) in words.iter().enumerate() {
            assert!(!words[..i].contains(word));
        }
    }

    #[test]
    fn permutations_are_fair() {
        // Each of the 6 orders of 3 numbers, 60,000 draws: chi-squared with 5 degrees of freedom, 99.9 % point.
        let mut counts = [0f64; 6];
        for index in 0..60_000 {
            let order = Stream::new(5, 0, index).permutation(3);
            counts[(order[0] * 2 + u32::from(order[1] > order[2])) as usize] += 1.;
        }
        let chi2: f64 = counts.iter().map(|n| (n - 10_000.).powi(2) / 10_000.).sum();
        assert!(chi2 < 20.5, "{counts:?}: chi2 {chi2}");
    }
}
