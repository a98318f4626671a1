//! `chartlog completions`: what a shell completes, as its script.

use clap::CommandFactory;

use super::{Arguments, CompletionsArguments, Failure, out};

/// Prints the script.
///
/// # Errors
///
/// [`Failure`]: stdout cannot be written.
pub fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "chartlog", &mut script);
    out::hand_over(&String::from_utf8_lossy(&script))
}
