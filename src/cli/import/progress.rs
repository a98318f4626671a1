//! How far an import is: a bar on a terminal, nothing elsewhere.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Stopwatch;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::grouped;

/// The bar, which counts the bytes of the files on disk.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
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
        Self { bar, resources: AtomicU64::new(0), started: Stopwatch::now() }
    }

    /// A reader that moves the bar.
    pub fn watch<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// Counts resources that were answered.
    pub fn answered(&self, resources: usize) {
        let more = resources as u64;
        let all = self.resources.fetch_add(more, Ordering::Relaxed) + more;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (all as f64 / self.started.elapsed().as_secs_f64().max(0.001)) as u64;
        self.bar.set_message(format!("{} resources, {}/s", grouped(all), grouped(rate)));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
