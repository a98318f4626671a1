//! Renewing the views: a new generation without a trace of erased charts, or with the search parameters
//! that clients have defined since.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant as Stopwatch};

use super::health::supervised;
use super::{Engine, EngineError};
use crate::clock::Instant;
use crate::view::ViewError;

/// How often a purge that has to wait for its window looks at the clock, and one that failed tries
/// again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long no search parameter must have been defined before all that came are built at once.
const QUIET: Duration = Duration::from_secs(1);
/// How long those may wait for that.
const QUIET_MAX: Duration = Duration::from_secs(30);
const MINUTES_OF_DAY: i64 = 24 * 60;

/// When purges may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PurgeWindow {
    /// Whenever there is something to purge.
    #[default]
    AtOnce,
    /// Not while this store is open.
    Never,
    /// Only between these minutes of the day, UTC; the second may be on the next day.
    Daily(i64, i64),
}

impl PurgeWindow {
    fn is_open(self, now: Instant) -> bool {
        match self {
            Self::AtOnce => true,
            Self::Never => false,
            Self::Daily(from, until) => {
                let minute = now.seconds().div_euclid(60).rem_euclid(MINUTES_OF_DAY);
                if from <= until {
                    (from..until).contains(&minute)
                } else {
                    minute >= from || minute < until
                }
            }
        }
    }
}

impl FromStr for PurgeWindow {
    type Err = String;

    /// `at-once`, or two times of the day such as `01:00-05:00`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "at-once" {
            return Ok(Self::AtOnce);
        }
        let number = |text: &str, below: i64| -> Option<i64> {
            let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && *number < below)
        };
        let minutes = |time: &str| -> Option<i64> {
            let (hours, minutes) = time.split_once(':')?;
            Some(number(hours, 24)? * 60 + number(minutes, 60)?)
        };
        let window = text
            .split_once('-')
            .and_then(|(from, until)| Some(Self::Daily(minutes(from)?, minutes(until)?)));
        window.ok_or_else(|| "write at-once, or a window such as 01:00-05:00 (UTC)".to_owned())
    }
}

/// The thread that purges. It ends with the store.
#[derive(Debug)]
pub struct Renewer {
    wake: SyncSender<()>,
    /// Whether other search parameters may be defined than the views have.
    redefined: Arc<AtomicBool>,
}

impl Renewer {
    /// A purger, and what its thread waits for.
    pub fn new() -> (Self, Receiver<()>) {
        let (wake, woken) = sync_channel(1);
        (Self { wake, redefined: Arc::default() }, woken)
    }

    /// Other search parameters may be defined than the views have.
    pub fn redefine(&self) {
        self.redefined.store(true, Ordering::Release);
        self.wake();
    }

    /// There may be something to purge.
    pub fn wake(&self) {
        // If it is awake already, it will look again.
        let _ = self.wake.try_send(());
    }
}

/// Starts the thread, and lets it look at once if there is something to do: a purge may have been
/// interrupted, or the building of a search parameter.
pub fn start(
    engine: &Arc<Engine>,
    window: PurgeWindow,
    woken: Receiver<()>,
) -> Result<(), EngineError> {
    let serving = engine.views.serving();
    if !engine.is_up_to_date()? {
        engine.renewer.redefine();
    } else if !serving.hidden().is_empty() {
        engine.renewer.wake();
    }
    drop(serving);
    let health = Arc::clone(&engine.health);
    let redefined = Arc::clone(&engine.renewer.redefined);
    let engine = Arc::downgrade(engine);
    let run = move || {
        loop {
            match woken.recv_timeout(PATIENCE) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if redefined.load(Ordering::Acquire) && !wait_for_quiet(&woken) {
                return;
            }
            let may_purge = window.is_open(Instant::now());
            let is_redefined = redefined.swap(false, Ordering::AcqRel);
            if may_purge || is_redefined {
                let Some(engine) = engine.upgrade() else { return };
                if !renew(&engine, may_purge, is_redefined) {
                    redefined.fetch_or(is_redefined, Ordering::AcqRel);
                }
            }
        }
    };
    supervised(&health, "renewal", run)?;
    Ok(())
}

/// Waits until those who define search parameters pause: one rebuild then serves all of them. False
/// when the store is gone.
fn wait_for_quiet(woken: &Receiver<()>) -> bool {
    let begun = Stopwatch::now();
    while begun.elapsed() < QUIET_MAX {
        match woken.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Whether nothing is left to do.
fn renew(engine: &Engine, may_purge: bool, is_redefined: bool) -> bool {
    match engine.renew(may_purge, is_redefined) {
        Ok(_) => true,
        Err(EngineError::Busy) => false,
        Err(error @ (EngineError::UpcastAt { .. } | EngineError::View(ViewError::Apply(_)))) => {
            // Another try would end in the same way.
            tracing::error!(%error, "the upcasters are not in force: the views stay as they were");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the views were not renewed; it will be tried again");
            false
        }
    }
}

impl Engine {
    /// Builds the views anew if there is a trace of an erased chart in them, and certifies that
    /// it is gone. Returns the number of charts that were purged.
    ///
    /// # Errors
    ///
    /// As [`Engine::rebuild`]; the vault's, when an erasure that failed half-way still cannot be
    /// finished.
    pub fn purge(&self) -> Result<usize, EngineError> {
        self.renew(true, false)
    }

    /// The same, if it may; and builds the views anew if other search parameters are defined than
    /// they have, which is looked for only when told so.
    fn renew(&self, may_purge: bool, is_redefined: bool) -> Result<usize, EngineError> {
        if may_purge {
            self.resume_erasure()?;
        }
        let serving = self.views.serving();
        let hidden = serving.hidden();
        drop(serving);
        let is_defined = !is_redefined || self.is_up_to_date()?;
        if is_defined && (hidden.is_empty() || !may_purge) {
            return Ok(0);
        }
        self.rebuild(|_, _| {})?;
        if hidden.is_empty() {
            return Ok(0);
        }
        let now = Instant::now();
        for chart in &hidden {
            self.certificates.purge(*chart, now)?;
        }
        tracing::info!(charts = hidden.len(), "the views hold no trace of erased charts any more");
        Ok(hidden.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_may_cross_midnight() {
        let at = |minute: i64| Instant::from_micros(minute * 60 * 1_000_000);
        let night: PurgeWindow = "22:30-05:00".parse().unwrap();
        assert!(night.is_open(at(23 * 60)) && night.is_open(at(60)) && !night.is_open(at(12 * 60)));
        let noon: PurgeWindow = "12:00-13:00".parse().unwrap();
        assert!(noon.is_open(at(12 * 60)) && !noon.is_open(at(13 * 60)) && !noon.is_open(at(0)));
        assert_eq!("at-once".parse(), Ok(PurgeWindow::AtOnce));
        for wrong in
            ["", "night", "1:00-2:00", "24:00-01:00", "01:60-02:00", "01:00", "+1:00-02:00"]
        {
            assert!(wrong.parse::<PurgeWindow>().is_err(), "{wrong}");
        }
    }
}
