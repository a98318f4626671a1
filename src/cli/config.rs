//! `chartlog config`: what is in force, or the example file.

use super::{Failure, out};
use crate::config::{Loaded, example, in_force};

/// Prints what is in force, with the source of each value.
///
/// # Errors
///
/// When stdout cannot be written.
pub fn run(loaded: &Loaded) -> Result<(), Failure> {
    out::hand_over(&in_force(loaded))
}

/// Prints the example file: every setting at its default, commented out.
///
/// # Errors
///
/// When stdout cannot be written.
pub fn run_example() -> Result<(), Failure> {
    out::hand_over(&example())
}
