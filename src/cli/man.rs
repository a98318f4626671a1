//! `chartlog man`: a page of the manual for each command.

use clap::CommandFactory;

use super::{Arguments, Failure, ManArguments};

/// Writes `chartlog.1`, `chartlog-serve.1` and so on.
///
/// # Errors
///
/// [`Failure`]: the directory cannot be written.
pub fn run(arguments: &ManArguments) -> Result<(), Failure> {
    let directory = &arguments.directory;
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), directory));
    written.map_err(|error| Failure::failed(format!("{}: {error}", directory.display())))
}
