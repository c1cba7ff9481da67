//! Loops over pieces of work, shared among threads where that pays.

use std::mem::MaybeUninit;

use crate::pool::{self, Leave};

/// Below this many elementary operations the pool costs more than it gives.
const WORTH_SHARING: usize = 1 << 15;

/// Calls `piece(i)` once for each `i` in `0..pieces`, on several threads where the `work` is worth it.
///
/// `work` is in elementary operations, all pieces together. Which thread takes which piece is left to chance; so that the
/// result is not, a piece must depend on its number alone.
pub(crate) fn for_each(pieces: usize, work: usize, piece: impl Fn(usize) + Sync) {
    share(pieces, work, Leave::Nothing, piece);
}

fn share(pieces: usize, work: usize, leave: Leave, piece: impl Fn(usize) + Sync) {
    if pieces <= 1 || work < WORTH_SHARING {
        (0..pieces).for_each(piece);
    } else {
        pool::run(pieces, leave, &piece);
    }
}

/// Elements in one piece of [`for_each_chunk`], about: 32 KiB of f32.
const CHUNK: usize = 8192;

/// Splits buffers of one length into chunks of whole rows of `width` elements, and calls `f(offset, chunks)` on those of one
/// offset; `cost` is elementary operations per offset.
pub(crate) fn for_each_chunk<T: Send, const N: usize>(
    width: usize,
    buffers: [&mut [T]; N],
    cost: usize,
    f: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let len = buffers.iter().map(|b| b.len()).min().unwrap_or(0);
    let chunk = CHUNK.div_ceil(width.max(1)) * width.max(1);
    let buffers = buffers.map(|b| SharedMut(b.as_mut_ptr()));
    share(len.div_ceil(chunk), len * cost, Leave::Rest, |i| {
        let start = i * chunk;
        // SAFETY: the chunks of different `i` are disjoint, and those of different buffers are, which are borrowed
        // for the whole call; `start + chunk.min(len - start)` is at most the length of the shortest.
        f(start, buffers.map(|b| unsafe { b.slice(start, chunk.min(len - start)) }));
    });
}

/// A new buffer of `len` elements, which `f(offset, chunk)` makes out of zeros, in the chunks of [`for_each_chunk`].
///
/// Each thread writes the zeros too, a chunk at a time: it then has them in its first cache.
pub(crate) fn in_chunks<T: Copy + Default + Send>(
    len: usize,
    width: usize,
    cost: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let mut made = Vec::with_capacity(len);
    for_each_chunk(width, [&mut made.spare_capacity_mut()[..len]], cost, |start, [chunk]| {
        chunk.fill(MaybeUninit::new(T::default()));
        // SAFETY: all of it was just filled.
        f(start, unsafe { &mut *(std::ptr::from_mut(chunk) as *mut [T]) });
    });
    // SAFETY: the chunks are all of the `len` elements, and each was filled.
    unsafe { made.set_len(len) };
    made
}

/// Calls `f` once for each of `items`, on several threads where the `work` is worth it: in elementary operations, all together.
pub fn for_each_mut<T: Send>(items: &mut [T], work: usize, f: impl Fn(&mut T) + Sync) {
    let all = SharedMut(items.as_mut_ptr());
    for_each(items.len(), work, |i| {
        // SAFETY: one item for each `i`, of those borrowed for the whole call.
        unsafe { all.slice(i, 1) }.iter_mut().for_each(&f);
    });
}

/// A pointer into a buffer whose parts are written by different threads.
pub(crate) struct SharedMut<T>(pub(crate) *mut T);

impl<T> Clone for SharedMut<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SharedMut<T> {}

// SAFETY: only a pointer is shared; whoever follows it (an `unsafe` operation) answers for disjointness.
unsafe impl<T: Send> Sync for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// The `len` elements from `offset` on.
    ///
    /// # Safety
    /// They lie within the buffer, and nobody else accesses them while the slice lives.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that the parts are disjoint")]
    pub(crate) unsafe fn slice<'a>(&self, offset: usize, len: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(offset), len) }
    }
}
