//! When the keys of one issuer are read again.

use std::time::{Duration, Instant};

/// The least time between two attempts, however many tokens name keys that are not known.
pub const PAUSE: Duration = Duration::from_secs(10);

/// The longest time until an attempt that failed is repeated.
const RETRY: Duration = Duration::from_secs(30);

/// When the next attempt is due.
#[derive(Debug)]
pub struct Schedule {
    /// Time between two attempts of which the first succeeded.
    refresh: Duration,
    /// When an attempt may be made at the earliest.
    earliest: Instant,
    next: Instant,
}

impl Schedule {
    /// The first attempt is due after so long.
    pub fn new(refresh: Duration, first: Duration, now: Instant) -> Self {
        Self { refresh, earliest: now, next: now + first }
    }

    /// A token needs keys that are not known.
    pub fn want(&mut self) {
        self.next = self.next.min(self.earliest);
    }

    /// An attempt has ended.
    pub fn tried(&mut self, has_succeeded: bool, now: Instant) {
        let wait = if has_succeeded { self.refresh } else { self.refresh.min(RETRY) };
        (self.earliest, self.next) = (now + PAUSE, now + wait);
    }

    /// How long to wait for the next attempt; `None`: it is due.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.next.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn keys_are_read_again_after_a_while_and_sooner_after_a_failure() {
        let start = Instant::now();
        let mut schedule = Schedule::new(300 * SECOND, Duration::ZERO, start);
        assert_eq!(schedule.wait(start), None, "at once");
        schedule.tried(true, start);
        assert_eq!(schedule.wait(start), Some(300 * SECOND));
        assert_eq!(schedule.wait(start + 300 * SECOND), None);
        schedule.tried(false, start + 300 * SECOND);
        assert_eq!(schedule.wait(start + 300 * SECOND), Some(RETRY));
        let mut often = Schedule::new(SECOND, Duration::ZERO, start);
        often.tried(false, start);
        assert_eq!(often.wait(start), Some(SECOND), "a failure is no reason to wait longer");
    }

    #[test]
    fn however_often_keys_are_wanted_there_is_a_pause_between_attempts() {
        let start = Instant::now();
        let mut schedule = Schedule::new(300 * SECOND, 300 * SECOND, start);
        schedule.want();
        assert_eq!(schedule.wait(start), None, "nothing was tried yet");
        for has_succeeded in [true, false] {
            schedule.tried(has_succeeded, start);
            for _ in 0..1_000 {
                schedule.want();
            }
            assert_eq!(schedule.wait(start), Some(PAUSE), "postponed, and not forgotten");
            assert_eq!(schedule.wait(start + PAUSE), None);
        }
        let long_after = start + 100 * SECOND;
        schedule.tried(true, start);
        schedule.want();
        assert_eq!(schedule.wait(long_after), None);
    }
}
