#![no_main]
//! What a resumed run keeps of `metrics.jsonl`: whole lines that were there, each step once, none beyond the checkpoint.

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/cli/metrics/kept.rs"]
mod kept;

use kept::Kept;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let kept = ganlet_fuzz::within(64, bytes, |bytes| Kept::of(bytes, 4, |step| step % 2 == 0));
    assert!(kept.last.is_none_or(|last| last.step <= 4));
    let again = Kept::of(&kept.lines, 4, |step| step % 2 == 0);
    assert_eq!((again.lines, again.unreadable), (kept.lines, 0));
});
