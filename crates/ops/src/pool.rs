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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::thread::{self, Thread};

/// How often a thread looks before it lets others run between two looks: some ten microseconds. Whoever it waits for may need this core.
const LOOKS: u32 = 1 << 10;

/// How often a helper lets others run before it sleeps: about a millisecond on an idle machine.
const YIELDS: u32 = 1 << 11;

/// Calls `piece(i)` once for each `i` in `0..pieces`, on as many threads as there are, and returns when all are done.
///
/// Where the threads are in use already, the caller does all of it.
///
/// # Panics
/// When a piece does.
pub(crate) fn run(pieces: usize, piece: &(dyn Fn(usize) + Sync)) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(|| Pool::new(threads().saturating_sub(1)));
    let counters = match pool.caller.try_lock() {
        // A piece that panicked has left nothing behind: the counters are set anew for each loop.
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
        Ok(counters) => Some(counters),
    };
    match counters {
        Some(mut counters) if !pool.helpers.is_empty() => pool.run(&mut counters, pieces, piece),
        _ => (0..pieces).for_each(piece),
    }
}

/// More threads than this are a slip of the finger.
const MOST_THREADS: usize = 256;

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
    /// Of each thread, the caller's first. Held by the one caller whose loop the helpers help with.
    caller: Mutex<Box<[Counter]>>,
}

#[derive(Default)]
struct Shared {
    /// The loop that may be helped with: null where there is none.
    job: AtomicPtr<Job<'static>>,
    /// Helpers that may be looking at the job.
    inside: AtomicUsize,
    /// Helpers that sleep, or are about to.
    asleep: AtomicUsize,
}

struct Job<'a> {
    piece: &'a (dyn Fn(usize) + Sync),
    pieces: usize,
    /// For each thread, the first piece of its range that nobody has begun.
    next: &'a [Counter],
    panicked: AtomicBool,
}

/// On a cache line of its own: each belongs to another thread.
#[repr(align(128))]
struct Counter(AtomicUsize);

impl Job<'_> {
    /// The first piece of a thread's range; the next thread's is the end.
    fn start(&self, thread: usize) -> usize {
        self.pieces * thread / self.next.len()
    }

    /// Begins pieces until there are none left: those of this thread's range, then the others'.
    fn work(&self, thread: usize) {
        let work = || {
            for range in (thread..self.next.len()).chain(0..thread) {
                let end = self.start(range + 1);
                loop {
                    let i = self.next[range].0.fetch_add(1, Ordering::Relaxed);
                    if i >= end {
                        break;
                    }
                    (self.piece)(i);
                }
            }
        };
        // A panic must not end a helper, nor let the caller return before the others are done.
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            self.panicked.store(true, Ordering::Relaxed);
        }
    }
}

impl Pool {
    fn new(helpers: usize) -> Self {
        let shared: &'static Shared = Box::leak(Box::default());
        let spawn = |i| {
            let helper = thread::Builder::new().name(format!("ganlet-ops-{i}"));
            // Without the thread there is one helper less, and nothing else is different.
            helper.spawn(move || help(i, shared)).ok().map(|handle| handle.thread().clone())
        };
        let counters = (0..=helpers).map(|_| Counter(AtomicUsize::new(0))).collect();
        Self { shared, helpers: (1..=helpers).filter_map(spawn).collect(), caller: Mutex::new(counters) }
    }

    fn run(&self, counters: &mut [Counter], pieces: usize, piece: &(dyn Fn(usize) + Sync)) {
        let Shared { job: slot, inside, asleep } = self.shared;
        let job = Job { piece, pieces, next: counters, panicked: AtomicBool::new(false) };
        for (thread, counter) in job.next.iter().enumerate() {
            counter.0.store(job.start(thread), Ordering::Relaxed);
        }
        slot.store((&raw const job).cast_mut().cast(), Ordering::SeqCst);
        if asleep.load(Ordering::SeqCst) > 0 {
            self.helpers.iter().for_each(Thread::unpark);
        }
        job.work(0);
        // No helper can find the job any more. Those that have found it are inside, and are waited for: `job` lives on this stack.
        slot.store(std::ptr::null_mut(), Ordering::SeqCst);
        let mut looks = 0;
        while inside.load(Ordering::SeqCst) > 0 {
            pause(&mut looks);
        }
        assert!(!job.panicked.into_inner(), "a piece of parallel work panicked");
    }
}

/// What a helper does for ever: look for a job, help, and sleep after looking long in vain.
fn help(thread: usize, Shared { job: slot, inside, asleep }: &Shared) {
    let mut looks = 0;
    loop {
        if !slot.load(Ordering::Relaxed).is_null() {
            // Inside first, then look again: either the caller sees us inside, or we see that the job is gone.
            inside.fetch_add(1, Ordering::SeqCst);
            let job = slot.load(Ordering::SeqCst);
            // SAFETY: the caller publishes a job that lives until the slot is null again and nobody is inside. We are inside, and
            // read the slot after we were: by the single order of the SeqCst operations the caller sees us.
            if let Some(job) = unsafe { job.as_ref() } {
                job.work(thread);
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            looks = 0;
        } else if looks < LOOKS + YIELDS {
            pause(&mut looks);
        } else {
            asleep.fetch_add(1, Ordering::SeqCst);
            // A job that came in between saw nobody asleep, so look before sleeping.
            if slot.load(Ordering::SeqCst).is_null() {
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
            for _ in 0..200 {
                let done: Vec<_> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                pool.run(&mut pool.caller.lock().unwrap(), pieces, &|i| {
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
            pool.run(&mut pool.caller.lock().unwrap(), 2, &|_| {
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
        assert!(catch_unwind(|| run(10, &|i| assert!(i != 5))).is_err());
        let done = AtomicUsize::new(0);
        run(10, &|i| {
            done.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 45);
    }

    #[test]
    fn a_loop_within_a_loop_is_done_by_its_caller() {
        let sum = AtomicUsize::new(0);
        run(4, &|i| {
            run(4, &|j| {
                sum.fetch_add(i * 4 + j, Ordering::Relaxed);
            })
        });
        assert_eq!(sum.into_inner(), 120);
    }
}
