//! `chartlog config`: what is in force, or the example file.

use std::io::Write;

use super::Failure;
use crate::config::{Loaded, example, in_force};

/// Prints what is in force, with the source of each value.
///
/// # Errors
///
/// When stdout cannot be written.
pub fn run(loaded: &Loaded) -> Result<(), Failure> {
    print(&in_force(loaded))
}

/// Prints the example file: every setting at its default, commented out.
///
/// # Errors
///
/// When stdout cannot be written.
pub fn run_example() -> Result<(), Failure> {
    print(&example())
}

fn print(text: &str) -> Result<(), Failure> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::failed(format!("cannot write to stdout: {error}")))
}
