//! How much memory the process takes from the system.

/// As long as this lives, Linux gives the process pages of 4 KiB and none of 2 MiB.
///
/// Of large ones a part is never used, and counts. They are worth that for what a training goes through again and again; not for what is
/// needed for a moment, now and then.
pub(crate) struct SmallPages(());

impl SmallPages {
    pub(crate) fn from_now() -> Self {
        large_pages(false);
        Self(())
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        large_pages(true);
    }
}

fn large_pages(are_given: bool) {
    // Where the system does not know how, nothing is lost.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(!are_given);
    #[cfg(not(target_os = "linux"))]
    let _ = are_given;
}
