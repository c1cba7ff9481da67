//! The `ganlet` program.
fn main() {}
