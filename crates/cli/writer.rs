//! Writing beside the training: on a thread of its own, one thing after the other.
//!
//! A GPU would otherwise wait for the disk at the end of each epoch, longer than it takes to train half of one.

use std::panic;
use std::sync::mpsc::{self, SendError, SyncSender};
use std::thread::{self, JoinHandle};

use crate::error::Result;

type Job = Box<dyn FnOnce() -> Result<()> + Send>;

/// How many wait at most, about two epochs' worth: whoever trains faster than the disk writes waits for it.
const WAITING: usize = 8;

/// Does jobs in the order in which it is given them, and none after one has failed. Dropped, it does those that wait.
pub(crate) struct Writer {
    jobs: Option<SyncSender<Job>>,
    /// Ends when there are no more jobs to come, or with the first error.
    thread: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(WAITING);
        let work = move || waiting.into_iter().try_for_each(|job| job());
        // Without a thread each job is done when it comes.
        let thread = thread::Builder::new().name("ganlet-writer".into()).spawn(work).ok();
        Self { jobs: thread.is_some().then_some(jobs), thread }
    }

    /// Does `job` when those before it are done.
    ///
    /// # Errors
    /// That of an earlier one.
    pub(crate) fn queue(&mut self, job: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let Some(jobs) = &self.jobs else { return job() };
        match jobs.send(Box::new(job)) {
            Ok(()) => Ok(()),
            // The thread has ended.
            Err(SendError(job)) => self.finish().and_then(|()| job()),
        }
    }

    /// Returns when all is done.
    ///
    /// # Errors
    /// The first of theirs.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let (done, all) = mpsc::channel();
        self.queue(move || {
            // Whoever waits is there.
            let _ = done.send(());
            Ok(())
        })?;
        match all.recv() {
            Ok(()) => Ok(()),
            Err(_) => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
    }

    fn join(&mut self) -> thread::Result<Result<()>> {
        self.jobs = None;
        self.thread.take().map_or(Ok(Ok(())), JoinHandle::join)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wanted to know of an error has asked.
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::error::Error;

    #[test]
    fn jobs_are_done_in_order_until_one_fails() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let add = |number: usize| {
            let done = done.clone();
            move || {
                done.lock().unwrap().push(number);
                Ok(())
            }
        };
        let mut writer = Writer::new();
        (0..3 * WAITING).for_each(|number| writer.queue(add(number)).unwrap());
        writer.flush().unwrap();
        assert_eq!(*done.lock().unwrap(), (0..3 * WAITING).collect::<Vec<_>>());

        let full = || Err(Error::write(Path::new("full"), ErrorKind::StorageFull.into()));
        writer.queue(full).unwrap();
        let told = [writer.queue(add(100)), writer.flush()];
        assert!(told.iter().any(Result::is_err));
        assert_eq!(done.lock().unwrap().len(), 3 * WAITING);

        let mut writer = Writer::new();
        writer.queue(add(101)).unwrap();
        drop(writer);
        assert_eq!(done.lock().unwrap().last(), Some(&101));
    }
}
