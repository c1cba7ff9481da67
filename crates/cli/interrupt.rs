//! Ctrl-C and SIGTERM: the first asks, the second tells.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What a shell adds to the number of the signal that ended a program, for its exit status.
const ENDED_BY: i32 = 128;

/// Whether the user, or the system, has asked to stop.
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Watches for signals from now on: a first is noted, another ends the process at once.
    pub(crate) fn watch() -> io::Result<Self> {
        let interrupt = Self { stop: Arc::default(), signal: Arc::default() };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the one that sets the flag is not the one that finds it set.
            flag::register_conditional_shutdown(signal, ENDED_BY + signal, Arc::clone(&interrupt.stop))?;
            flag::register(signal, Arc::clone(&interrupt.stop))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), signal as usize)?;
        }
        Ok(interrupt)
    }

    /// Set by the first signal.
    pub(crate) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// What the last signal is called, and the exit status of whoever obeys it.
    pub(crate) fn obeyed(&self) -> (&'static str, u8) {
        match self.signal.load(Ordering::Relaxed) as i32 {
            SIGTERM => ("SIGTERM", (ENDED_BY + SIGTERM) as u8),
            _ => ("Ctrl-C", (ENDED_BY + SIGINT) as u8),
        }
    }
}
