//! How far an import is: a bar on a terminal, nothing elsewhere.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Stopwatch;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::{counted, grouped};

/// The bar, which counts the bytes of the files on disk whose resources are stored, or refused: what was only read may
/// still be a minute from there.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Bytes that were read, and are in no request yet.
    read: AtomicU64,
    resources: AtomicU64,
    started: Stopwatch,
}

impl Progress {
    /// A bar for that many bytes; indicatif hides it unless stderr is a terminal.
    pub fn new(bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let template = "{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            read: AtomicU64::new(0),
            resources: AtomicU64::new(0),
            started: Stopwatch::now(),
        }
    }

    /// A reader whose bytes are counted.
    pub fn watch<R: Read>(&self, reader: R) -> impl Read + use<'_, R> {
        Watched { reader, read: &self.read }
    }

    /// How many bytes were read since this was asked last.
    pub fn take_read(&self) -> u64 {
        self.read.swap(0, Ordering::Relaxed)
    }

    /// Counts resources that are stored, by a request for which so many bytes were read; moves the bar.
    pub fn answered(&self, bytes_read: u64, resources: usize) {
        self.bar.inc(bytes_read);
        let more = resources as u64;
        let all = self.resources.fetch_add(more, Ordering::Relaxed) + more;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (all as f64 / self.started.elapsed().as_secs_f64().max(0.001)) as u64;
        self.bar.set_message(format!("{}, {}/s", counted(all, "resource"), grouped(rate)));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Counts the bytes that pass.
struct Watched<'a, R> {
    reader: R,
    read: &'a AtomicU64,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_what_is_stored_and_not_what_is_read() {
        let progress = Progress::new(10);
        let mut reader = progress.watch(&b"0123456789"[..]);
        let mut some = [0; 4];
        reader.read_exact(&mut some).unwrap();
        let first = progress.take_read();
        reader.read_to_end(&mut Vec::new()).unwrap();
        let second = progress.take_read();
        assert_eq!((first, second, progress.take_read()), (4, 6, 0));
        assert_eq!(progress.bar.position(), 0, "all is read, and nothing stored");
        progress.answered(second, 1);
        assert_eq!(progress.bar.position(), 6);
        assert!(progress.bar.message().starts_with("1 resource, "), "{}", progress.bar.message());
        progress.answered(first, 0);
        assert_eq!(progress.bar.position(), 10);
    }
}
