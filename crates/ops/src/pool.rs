//! Threads that help with a loop, and are never waited for when they cannot.
//!
//! A training step is some thirty loops of 20 to 200 microseconds, with little between them. Waking a sleeping thread costs
//! as much as such a loop, so the helpers spin between loops, and sleep when none comes for a while. And the caller does not
//! wait for a helper to *begin*: it works through the pieces itself, and at the end waits only for pieces that a
//! helper has begun. On a machine whose cores are busy elsewhere, a barrier would wait for a thread that the system is not
//! running; here the caller then does the work alone.
//!
//! Each thread begins with a range of the pieces that is its own, and then takes what is left of the others'. So a loop that
//! comes again finds its data in the caches where it left them: Adam's moments, above all.
//!
//! Where cores are far apart, each cache line that goes from one to the other takes a quarter of a microsecond. So a helper finds all it
//! needs to begin on one line, and takes its pieces by changing the same.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::thread::{self, Thread};

/// How often a thread looks before it lets others run between two looks: some ten microseconds. Whoever it waits for may need this core.
const LOOKS: u32 = 1 << 10;

/// How often a helper lets others run before it sleeps: about a millisecond on an idle machine.
const YIELDS: u32 = 1 << 11;

/// What a thread that has nothing more of its own leaves of another's range.
#[derive(Clone, Copy)]
pub(crate) enum Leave {
    /// It takes what nobody has begun.
    Nothing,
    /// The last quarter, where the other has begun. For loops whose time goes into memory: what is taken comes from the other's cache,
    /// and goes back there when the loop comes again.
    Rest,
}

/// Calls `piece(i)` once for each `i` in `0..pieces`, on as many threads as there are, and returns when all are done.
///
/// Where the threads are in use already, the caller does all of it.
///
/// # Panics
/// When a piece does.
pub(crate) fn run(pieces: usize, leave: Leave, piece: &(dyn Fn(usize) + Sync)) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(|| Pool::new(threads().saturating_sub(1)));
    let last = match pool.caller.try_lock() {
        // A loop in which a piece panicked has ended as others do.
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
        Ok(last) => Some(last),
    };
    match last {
        Some(mut last) if !pool.helpers.is_empty() && pieces <= MOST_PIECES => {
            pool.run(&mut last, pieces, leave, piece);
        }
        _ => (0..pieces).for_each(piece),
    }
}

/// More threads than this are a slip of the finger.
pub const MOST_THREADS: usize = 256;

/// The number of threads: `CANDLE_NUM_THREADS`, else `RAYON_NUM_THREADS`, else one per core, as candle has it; at most 256.
pub fn threads() -> usize {
    let variable = |name| std::env::var(name).ok()?.parse().ok().filter(|&n: &usize| n > 0);
    variable("CANDLE_NUM_THREADS")
        .or_else(|| variable("RAYON_NUM_THREADS"))
        .or_else(|| thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1)
        .min(MOST_THREADS)
}

struct Pool {
    shared: &'static Shared,
    helpers: Vec<Thread>,
    /// The number of the last loop. Held by the one caller whose loop the helpers help with.
    caller: Mutex<u64>,
}

struct Shared {
    /// The caller's first, then each helper's.
    seats: Box<[Seat]>,
    /// Helpers that sleep, or are about to.
    asleep: AtomicUsize,
    panicked: AtomicBool,
}

/// What belongs to a thread.
struct Seat {
    range: Range,
    done: Done,
}

/// The pieces that are a thread's own. On a cache line of its own: here the thread looks for a loop to begin.
#[repr(align(128))]
struct Range {
    /// The loop's number, and how many of these pieces nobody has begun, with [`OWN`].
    left: AtomicU64,
    /// Written by the caller between two loops; read by those who have taken a piece, until they say that it is done.
    work: UnsafeCell<Option<Loop<'static>>>,
}

// SAFETY: of `work`, as said there. A piece is taken (Acquire) out of what the caller has written after `work` (Release), and the caller
// writes again when it has heard (Acquire) of all pieces that they are done (Release).
unsafe impl Sync for Range {}

/// The loop's number, and how many pieces a thread has done of it: said when it finds no more. On another line: here the caller looks.
#[repr(align(128))]
struct Done(AtomicU64);

/// Above this many bits of a word stands the number of a loop: what was read of another loop cannot be mistaken for this one's.
const COUNT_BITS: u32 = 24;

/// In [`Range::left`]: the thread whose range it is has begun one of its pieces.
const OWN: u64 = 1 << (COUNT_BITS - 1);

/// A loop of more pieces is not shared.
const MOST_PIECES: usize = OWN as usize - 1;

#[derive(Clone, Copy)]
struct Loop<'a> {
    number: u64,
    pieces: usize,
    leave: Leave,
    piece: &'a (dyn Fn(usize) + Sync),
}

impl Loop<'_> {
    /// The first piece of a thread's range; the next thread's is the end.
    fn start(&self, thread: usize, threads: usize) -> usize {
        self.pieces * thread / threads
    }

    /// The pieces of its range.
    fn size(&self, thread: usize, threads: usize) -> usize {
        self.start(thread + 1, threads) - self.start(thread, threads)
    }

    fn word(&self, count: usize) -> u64 {
        self.number << COUNT_BITS | count as u64
    }

    /// The count in a word of this loop.
    fn count(&self, word: u64) -> Option<usize> {
        (word >> COUNT_BITS == self.number).then_some((word & (OWN - 1)) as usize)
    }
}

impl Range {
    /// Takes one of the pieces left in the loop of this number, and returns how many there were.
    ///
    /// The owner takes what there is. Others leave it `leave` pieces, if it has begun.
    fn take(&self, number: u64, owner: bool, leave: usize) -> Option<usize> {
        let mut seen = self.left.load(Ordering::Relaxed);
        loop {
            let left = (seen & (OWN - 1)) as usize;
            let begun = seen & OWN != 0;
            if seen >> COUNT_BITS != number || left == 0 || (!owner && begun && left <= leave) {
                return None;
            }
            let then = (seen - 1) | if owner { OWN } else { 0 };
            match self.left.compare_exchange_weak(seen, then, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(left),
                Err(now) => seen = now,
            }
        }
    }
}

impl Shared {
    /// Does the piece that was taken, and takes others until there are none: of this thread's range, then of the others'. Returns how many.
    fn work(&self, thread: usize, work: &Loop, taken: Option<usize>) -> usize {
        let threads = self.seats.len();
        let mut done = 0;
        let mut begin = |range: usize, left: usize| {
            let piece = work.start(range + 1, threads) - left;
            // A panic must not end a helper, nor let the caller return before the others are done.
            if catch_unwind(AssertUnwindSafe(|| (work.piece)(piece))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            done += 1;
        };
        taken.into_iter().for_each(|left| begin(thread, left));
        for range in (thread..threads).chain(0..thread) {
            let leave = match work.leave {
                Leave::Nothing => 0,
                Leave::Rest => work.size(range, threads) / 4,
            };
            while let Some(left) = self.seats[range].range.take(work.number, range == thread, leave) {
                begin(range, left);
            }
        }
        done
    }
}

impl Pool {
    fn new(helpers: usize) -> Self {
        let seat = |_| Seat {
            range: Range { left: AtomicU64::new(0), work: UnsafeCell::new(None) },
            done: Done(AtomicU64::new(0)),
        };
        let shared: &'static Shared = Box::leak(Box::new(Shared {
            seats: (0..=helpers).map(seat).collect(),
            asleep: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        }));
        let spawn = |thread| {
            let helper = thread::Builder::new().name(format!("ganlet-ops-{thread}"));
            // Without the thread there is one helper less, and nothing else is different.
            helper.spawn(move || help(thread, shared)).ok().map(|handle| handle.thread().clone())
        };
        Self { shared, helpers: (1..=helpers).filter_map(spawn).collect(), caller: Mutex::new(0) }
    }

    /// `last` is the number of the loop before.
    fn run(&self, last: &mut u64, pieces: usize, leave: Leave, piece: &(dyn Fn(usize) + Sync)) {
        let Shared { seats, asleep, panicked } = self.shared;
        *last = (*last + 1) & (u64::MAX >> COUNT_BITS);
        let work = Loop { number: *last, pieces, leave, piece };
        // SAFETY: only the lifetime changes. Who reads it has a piece that is not said to be done, and this returns when all are.
        let lent = unsafe { std::mem::transmute::<Loop<'_>, Loop<'static>>(work) };
        for (thread, seat) in seats.iter().enumerate() {
            // SAFETY: all pieces of the loop before are done, so nobody reads it.
            unsafe { *seat.range.work.get() = Some(lent) };
            seat.range.left.store(work.word(work.size(thread, seats.len())), Ordering::Release);
        }
        // Who falls asleep just now may miss this loop, but no more than that.
        if asleep.load(Ordering::Relaxed) > 0 {
            self.helpers.iter().for_each(Thread::unpark);
        }
        let done = self.shared.work(0, &work, None);
        let of_helpers = || -> usize {
            seats[1..].iter().filter_map(|seat| work.count(seat.done.0.load(Ordering::Acquire))).sum()
        };
        let mut looks = 0;
        while done + of_helpers() < pieces {
            pause(&mut looks);
        }
        assert!(!panicked.swap(false, Ordering::Relaxed), "a piece of parallel work panicked");
    }
}

/// What a helper does for ever: look for a loop, help, and sleep after looking long in vain.
fn help(thread: usize, shared: &Shared) {
    let Shared { seats, asleep, .. } = shared;
    let Seat { range, done } = &seats[thread];
    let mut last = 0;
    let mut looks = 0;
    loop {
        let number = range.left.load(Ordering::Relaxed) >> COUNT_BITS;
        if number != last {
            last = number;
            looks = 0;
            let taken = range.take(number, true, 0);
            // SAFETY: a piece of this loop is taken, and not said to be done.
            if let Some(work) = taken.and_then(|_| unsafe { *range.work.get() }) {
                let count = shared.work(thread, &work, taken);
                done.0.store(work.word(count), Ordering::Release);
            }
        } else if looks < LOOKS + YIELDS {
            pause(&mut looks);
        } else {
            asleep.fetch_add(1, Ordering::SeqCst);
            // A loop that came in between saw nobody asleep, so look before sleeping.
            if range.left.load(Ordering::SeqCst) >> COUNT_BITS == last {
                thread::park();
            }
            asleep.fetch_sub(1, Ordering::SeqCst);
            looks = 0;
        }
    }
}

/// What a thread does between two looks.
fn pause(looks: &mut u32) {
    *looks += 1;
    if *looks < LOOKS {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        let pool = Pool::new(3);
        for pieces in (0..50).chain([1000]) {
            for leave in [Leave::Nothing, Leave::Rest].repeat(100) {
                let done: Vec<_> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                pool.run(&mut pool.caller.lock().unwrap(), pieces, leave, &|i| {
                    done[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn sleeping_helpers_wake() {
        let pool = Pool::new(1);
        for _ in 0..3 {
            while pool.shared.asleep.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            // The second piece waits for the first, so this needs two threads.
            let first = AtomicBool::new(false);
            let both = AtomicUsize::new(0);
            pool.run(&mut pool.caller.lock().unwrap(), 2, Leave::Nothing, &|_| {
                if both.fetch_add(1, Ordering::SeqCst) == 0 {
                    while both.load(Ordering::SeqCst) < 2 {
                        thread::yield_now();
                    }
                    first.store(true, Ordering::SeqCst);
                }
            });
            assert!(first.into_inner());
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_ends_nobody() {
        assert!(catch_unwind(|| run(10, Leave::Nothing, &|i| assert!(i != 5))).is_err());
        let done = AtomicUsize::new(0);
        run(10, Leave::Nothing, &|i| {
            done.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 45);
    }

    #[test]
    fn a_loop_within_a_loop_is_done_by_its_caller() {
        let sum = AtomicUsize::new(0);
        run(4, Leave::Nothing, &|i| {
            run(4, Leave::Rest, &|j| {
                sum.fetch_add(i * 4 + j, Ordering::Relaxed);
            })
        });
        assert_eq!(sum.into_inner(), 120);
    }
}
