//! How a Subscription stands that is a resource: what the log says about it, and when something is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;
use crate::feed::fhir::{Status, Wanted};
use crate::numbers::ResourceVersion;

/// Longest wait for the end of a subscription before the clock is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How a Subscription stands.
#[derive(Debug)]
pub struct Standing {
    /// The version of the resource that this is about.
    pub version: ResourceVersion,
    /// Its status.
    pub status: Status,
    /// Whether it says what failed.
    pub has_error: bool,
    /// What it asks for; or why that cannot be done any more.
    pub wanted: Result<Arc<Wanted>, String>,
    /// Whether its place is not known any more: nothing is kept until it is requested again.
    pub is_lost: bool,
    /// Whether its receiver has said that it is there.
    pub is_greeted: bool,
    /// How often it has not, one after the other.
    pub greetings_failed: u32,
    /// Since when nothing that tells of no event was taken, in seconds since 1970.
    pub unheard_since: Option<i64>,
    /// Nothing is done before.
    pub rests_until: Option<Instant>,
    /// When something was sent last, or was to be.
    pub sent_at: Instant,
}

impl Standing {
    /// As a version of the resource says.
    pub fn new(
        version: ResourceVersion,
        status: Status,
        has_error: bool,
        wanted: Result<Arc<Wanted>, String>,
    ) -> Self {
        Self {
            version,
            status,
            has_error,
            wanted,
            is_lost: false,
            is_greeted: false,
            greetings_failed: 0,
            unheard_since: None,
            rests_until: None,
            sent_at: Instant::now(),
        }
    }

    /// Whether its end has come.
    pub fn has_ended(&self) -> bool {
        self.end().is_some_and(|end| end <= clock::Instant::now())
    }

    /// When a heartbeat is due, if nothing is sent until then.
    pub fn heartbeat_at(&self) -> Option<Instant> {
        let period = self.wanted.as_ref().ok()?.heartbeat?;
        self.is_greeted.then(|| self.sent_at + period)
    }

    /// When something is due next. `is_idle`: no event waits.
    pub fn due_at(&self, is_idle: bool) -> Option<Instant> {
        if self.status == Status::Off {
            return None;
        }
        let end = self.end().map(|end| {
            let left = end.micros() - clock::Instant::now().micros();
            Instant::now() + Duration::from_micros(left.try_into().unwrap_or(0)).min(LOOK_EVERY)
        });
        let heartbeat = self.heartbeat_at().filter(|_| is_idle && self.rests_until.is_none());
        [self.rests_until, end, heartbeat].into_iter().flatten().min()
    }

    fn end(&self) -> Option<clock::Instant> {
        self.wanted.as_ref().ok()?.end
    }
}
