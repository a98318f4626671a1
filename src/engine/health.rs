//! How far the logs are visible, and why they take no more commands, if they do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::EngineError;
use crate::log::LogError;
use crate::numbers::Position;
use crate::proof::ProofError;
use crate::view::ViewError;

/// What the threads of a store tell about it.
#[derive(Debug, Default)]
pub struct Health {
    /// Events that the views hold; whoever follows the log is woken by it.
    applied_events: watch::Sender<Position>,
    /// Events that the generation which is being built contains, and how many it is to contain; 0 of
    /// 0 while none is being built.
    building: (AtomicU64, AtomicU64),
    /// The first failure, in plain words.
    failure: OnceLock<String>,
}

impl Health {
    /// Position behind the last event that the views hold.
    pub fn applied_events(&self) -> Position {
        *self.applied_events.borrow()
    }

    /// The same, as it moves.
    pub fn visible_events(&self) -> watch::Receiver<Position> {
        self.applied_events.subscribe()
    }

    /// The views hold the events below that position.
    pub fn applied(&self, end: Position) {
        self.applied_events.send_replace(end);
    }

    /// So many events are in the generation that is being built.
    pub fn build(&self, done: u64, total: u64) {
        self.building.0.store(done, Ordering::Relaxed);
        self.building.1.store(total, Ordering::Relaxed);
    }

    /// How many events are in the generation that is being built, and how many are to be.
    pub fn building(&self) -> (u64, u64) {
        (self.building.0.load(Ordering::Relaxed), self.building.1.load(Ordering::Relaxed))
    }

    /// Turns the store read-only. `what` could not be done; `reason` says why, in words that name
    /// no file.
    pub fn fail(&self, what: &str, reason: Option<String>, error: &dyn std::fmt::Display) {
        tracing::error!(what, %error, "the store is read-only until restart");
        let sentence = match reason {
            Some(reason) => format!("{what}: {reason}"),
            None => what.to_owned(),
        };
        // The first failure is the cause; others follow from it.
        let _ = self.failure.set(sentence);
    }

    /// A log could not be written.
    pub fn fail_log(&self, what: &str, error: &LogError) {
        let reason = match error {
            LogError::Disk { source, .. } => Some(plain(source)),
            _ => None,
        };
        self.fail(what, reason, error);
    }

    /// The views could not be written.
    pub fn fail_views(&self, what: &str, error: &EngineError) {
        let reason = match error {
            EngineError::View(ViewError::Store(error)) => disk_reason(error),
            _ => None,
        };
        self.fail(what, reason, error);
    }

    /// The proofs could not be written.
    pub fn fail_proofs(&self, what: &str, error: &ProofError) {
        self.fail(what, disk_reason(error), error);
    }

    /// Why the store is read-only; `None`: it is not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Whether the store is read-only.
    pub fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }
}

/// Starts a thread that the store cannot do without: if it panics, the store turns read-only and
/// says which thread has ended.
pub fn supervised(
    health: &Arc<Health>,
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    struct Supervision(Arc<Health>, String);

    impl Drop for Supervision {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let what = format!("the thread {} has ended", self.1);
                self.0.fail(&what, None, &"it panicked");
            }
        }
    }

    let supervision = Supervision(Arc::clone(health), name.to_owned());
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _supervision = supervision;
        run();
    })
}

/// What the operating system says, if an error comes from it.
fn disk_reason(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(plain(error));
        }
        cause = error.source();
    }
    None
}

/// What the operating system says, as the end of a sentence: `no space left on device`.
fn plain(error: &std::io::Error) -> String {
    if error.raw_os_error().is_none() {
        // Only the kind: whatever else it carries may name a file.
        return error.kind().to_string();
    }
    let said = error.to_string();
    let words = said.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_told_in_words_that_name_no_file() {
        let health = Health::default();
        let error = |number| LogError::Disk {
            path: "/secret/place".into(),
            source: std::io::Error::from_raw_os_error(number),
        };
        assert_eq!(health.failure(), None);
        health.fail_log("the event log could not be written", &error(28));
        health.fail_log("the access log could not be written", &error(5));
        let told = "the event log could not be written: no space left on device";
        assert_eq!(health.failure(), Some(told));
        let custom = std::io::Error::other("/secret/place is gone");
        assert_eq!(plain(&custom), "other error");
    }
}
