//! What a command writes to stdout and stderr.
//!
//! Who reads stdout may have had enough before its end, as `head` has: that is no failure, and what a command does
//! besides is done all the same. So nothing is written by `println!`, which panics then (`lib.rs` denies it).

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::path::Path;

use serde::Serialize;

use super::Failure;

/// Writes for people: in colour if stdout is a terminal.
///
/// # Errors
///
/// [`Failure`]: it cannot be written, and not because nobody reads on.
pub fn tell(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    finished(write!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes for programs, as it is.
///
/// # Errors
///
/// As [`tell`].
pub fn hand_over(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    finished(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes JSON for programs.
///
/// # Errors
///
/// As [`tell`].
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    hand_over(&format!("{text}\n"))
}

/// Writes a line to stderr; nothing can be done if nobody reads it.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Stdout for a command that has nothing to do any more when nobody reads on.
#[derive(Debug)]
pub struct Pipe<'a> {
    out: StdoutLock<'static>,
    is_closed: &'a Cell<bool>,
}

impl<'a> Pipe<'a> {
    /// Stdout; `is_closed` will tell whether a write failed because nobody reads on.
    pub fn new(is_closed: &'a Cell<bool>) -> Self {
        Self { out: io::stdout().lock(), is_closed }
    }

    fn watched<T>(&self, written: io::Result<T>) -> io::Result<T> {
        let is_broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
        self.is_closed.set(written.as_ref().is_err_and(is_broken));
        written
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.watched(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.watched(flushed)
    }
}

/// How writing to stdout ended, if it may end early.
///
/// # Errors
///
/// As [`tell`].
pub fn finished(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a file that is there already: no `--output` replaces what somebody may still need.
///
/// # Errors
///
/// [`Failure`]: there is such a file.
pub fn expect_absent(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(is_there(path)),
        Err(_) => Ok(()),
    }
}

/// A file that is there and must not be replaced.
pub fn is_there(path: &Path) -> Failure {
    Failure::failed(format!(
        "{} exists and is not replaced: name another file, or remove it when it is no longer needed",
        path.display()
    ))
}
