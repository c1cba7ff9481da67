//! `cargo xtask cuda check`

use crate::command::Outcome;

pub(super) fn run(_args: &[String]) -> Outcome {
    Ok(())
}
