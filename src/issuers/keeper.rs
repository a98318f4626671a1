//! The thread that keeps the keys of one issuer up to date.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::schedule::Schedule;
use super::source::Source;
use crate::auth::Verifier;

/// Reads the keys of one issuer again and again, until it is dropped.
#[derive(Debug)]
pub struct Keeper {
    orders: Arc<Orders>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Orders {
    /// A token needs keys that are not known.
    is_wanted: AtomicBool,
    is_over: AtomicBool,
}

impl Keeper {
    /// Starts the thread.
    pub fn start(source: Source, refresh: Duration, verifier: Arc<Verifier>) -> io::Result<Self> {
        let orders = Arc::new(Orders::default());
        let followed = Arc::clone(&orders);
        let thread = thread::Builder::new().name("issuer-keys".to_owned());
        let handle = thread.spawn(move || followed.work(source, refresh, &verifier))?;
        Ok(Self { orders, thread: handle.thread().clone() })
    }

    /// Lets the keys be read as soon as may be. Costs next to nothing when that is to be done anyway.
    pub fn want(&self) {
        if !self.orders.is_wanted.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders.is_over.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Orders {
    fn work(&self, mut source: Source, refresh: Duration, verifier: &Verifier) {
        // What lies in files was just read.
        let first = if source.is_remote() { Duration::ZERO } else { refresh };
        let mut schedule = Schedule::new(refresh, first, Instant::now());
        while !self.is_over.load(Ordering::Acquire) {
            if self.is_wanted.swap(false, Ordering::AcqRel) {
                schedule.want();
            }
            if let Some(wait) = schedule.wait(Instant::now()) {
                // Ends at once if somebody has woken the thread since.
                thread::park_timeout(wait);
                continue;
            }
            let has_succeeded = renew(&mut source, verifier);
            // Who wanted keys while these were read had to see them first.
            self.is_wanted.store(false, Ordering::Release);
            schedule.tried(has_succeeded, Instant::now());
        }
    }
}

/// Reads the keys again, and hands them over if they are others. Whether all could be read.
fn renew(source: &mut Source, verifier: &Verifier) -> bool {
    let issuer = source.name().to_owned();
    let outcome = source.renew();
    if outcome.is_changed {
        let keys = source.keys();
        let count = keys.len();
        match verifier.renew(&issuer, keys) {
            Ok(()) => tracing::info!(issuer, count, "the keys of an issuer were renewed"),
            Err(error) => tracing::warn!(issuer, %error, "the keys of an issuer cannot be used"),
        }
    }
    for problem in &outcome.problems {
        tracing::warn!(
            issuer,
            problem,
            "the keys of an issuer could not be read; the last ones stay"
        );
    }
    outcome.problems.is_empty()
}
