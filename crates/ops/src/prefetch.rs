//! Asking the processor for memory that is needed soon, while it does something else. These are hints: nothing changes but the time.

/// f32s in a cache line.
pub(crate) const LINE: usize = 16;

/// The cache line of `at` into the first cache. Nothing need be there.
#[inline(always)]
pub(crate) fn line(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which fails nowhere; SSE, which it needs, is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// All `values` into the second cache.
pub(crate) fn all<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(LINE * size_of::<f32>() / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// What is needed next, asked for a few lines at a time: a core that asks for more at once waits until it has them.
#[derive(Default)]
pub(crate) struct Next<'a> {
    rest: &'a [f32],
    share: usize,
}

impl<'a> Next<'a> {
    /// All of `values`, when [`ask`](Self::ask) is called so many times.
    pub(crate) fn new(values: &'a [f32], times: usize) -> Self {
        Self { rest: values, share: values.len().div_ceil(times.max(1)).next_multiple_of(LINE) }
    }

    /// The next few lines into the second cache.
    #[inline(always)]
    pub(crate) fn ask(&mut self) {
        let (now, rest) = self.rest.split_at(self.share.min(self.rest.len()));
        self.rest = rest;
        all(now);
    }
}
