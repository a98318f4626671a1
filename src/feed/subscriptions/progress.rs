//! How far a subscription is: what was scanned, what of it has not been acknowledged, and what was parked.
//!
//! What is on its way is an order per chart: of each, the event with the lowest position is the one that may be sent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::numbers::Numbers;
use crate::log::StreamAlias;
use crate::numbers::Position;

/// How far a subscription is. All of it lasts, but what is being sent and when it is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Behind what was scanned.
    pub next: Position,
    /// What was neither acknowledged nor parked.
    waiting: BTreeMap<Position, Waiting>,
    /// What was given up, for somebody to look at.
    parked: BTreeMap<Position, Parked>,
    /// Numbers of what was scanned, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
    /// What is being sent.
    #[serde(skip)]
    sending: BTreeSet<Position>,
}

/// An event that has not been acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    /// Alias of its chart; 0: the directory.
    chart: u64,
    ends_commit: bool,
    /// Its number, if events have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    failures: u32,
    /// When it failed first, in seconds since 1970.
    failing_since: Option<i64>,
    #[serde(skip)]
    retry_at: Option<Instant>,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    chart: u64,
    ends_commit: bool,
    /// How often it was sent.
    pub failures: u32,
    /// When it was parked, in seconds since 1970.
    pub parked_at: i64,
    /// Why.
    pub reason: String,
}

/// An event that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Startable {
    /// Where it is.
    pub position: Position,
    /// Whether it ends its commit, as far as the owner sees it.
    pub ends_commit: bool,
    /// Its number, if events have some.
    pub number: Option<u64>,
}

/// What is to become of an event that failed.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Now, in seconds since 1970.
    pub now_seconds: i64,
    /// For how long it is tried again.
    pub seconds: u64,
    /// When it is tried again next.
    pub wait: Duration,
    /// Events that may be parked.
    pub parked_max: usize,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again.
    Waits,
    /// It is parked.
    Parked,
    /// It would be parked, but there is no room.
    NoRoom,
}

impl Progress {
    /// Begins at a position.
    pub fn from(next: Position) -> Self {
        Self { next, ..Self::default() }
    }

    /// Begins at a position, and gives each event a number from 1 on.
    pub fn numbered_from(next: Position) -> Self {
        Self { next, numbers: Some(Numbers::default()), ..Self::default() }
    }

    /// Numbers of events, if they have some.
    pub fn numbers(&self) -> Option<&Numbers> {
        self.numbers.as_ref()
    }

    /// Passes over everything before a position that was not scanned.
    pub fn pass_to(&mut self, next: Position) {
        self.next = self.next.max(next);
    }

    /// Since when something fails that was not acknowledged, in seconds since 1970.
    pub fn failing_since(&self) -> Option<i64> {
        self.waiting.values().filter_map(|waiting| waiting.failing_since).min()
    }

    /// Forgets what lies behind the end of the log. True: there was something.
    pub fn end_at(&mut self, head: Position) -> bool {
        let is_beyond = self.next > head;
        if is_beyond {
            self.next = head;
            self.waiting.retain(|position, _| *position < head);
            self.parked.retain(|position, _| *position < head);
            if let Some(numbers) = &mut self.numbers {
                numbers.end_at(head);
            }
        }
        is_beyond
    }

    /// Everything before it was acknowledged or parked.
    pub fn arrived(&self) -> Position {
        self.waiting.first_key_value().map_or(self.next, |(first, _)| *first)
    }

    /// Events that wait.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// What was parked, in its order.
    pub fn parked(&self) -> impl Iterator<Item = (Position, &Parked)> {
        self.parked.iter().map(|(position, parked)| (*position, parked))
    }

    /// How much was parked.
    pub fn parked_count(&self) -> usize {
        self.parked.len()
    }

    /// Adds an event that was scanned.
    pub fn admit(&mut self, position: Position, chart: Option<StreamAlias>, ends_commit: bool) {
        let chart = chart.unwrap_or(StreamAlias::NONE).0;
        let number = self.numbers.as_mut().map(|numbers| numbers.admit(position));
        self.waiting.insert(position, Waiting { chart, ends_commit, number, ..Waiting::default() });
    }

    /// Takes up to so many events that may be sent now, the oldest first.
    pub fn start(&mut self, now: Instant, most: usize) -> Vec<Startable> {
        let mut charts = HashSet::new();
        let mut found = Vec::new();
        for (position, waiting) in &self.waiting {
            if found.len() >= most {
                break;
            }
            let is_first = charts.insert(waiting.chart);
            let is_due = waiting.retry_at.is_none_or(|at| at <= now);
            if is_first && is_due && !self.sending.contains(position) {
                let Waiting { ends_commit, number, .. } = *waiting;
                found.push(Startable { position: *position, ends_commit, number });
            }
        }
        self.sending.extend(found.iter().map(|event| event.position));
        found
    }

    /// When the next of those that failed is to be tried again.
    pub fn due_at(&self) -> Option<Instant> {
        let mut charts = HashSet::new();
        let first = self.waiting.iter().filter(|(_, waiting)| charts.insert(waiting.chart));
        let due = first.filter(|(position, _)| !self.sending.contains(position));
        due.filter_map(|(_, waiting)| waiting.retry_at).min()
    }

    /// Notes that an event was acknowledged, or is none for this owner any more.
    pub fn delivered(&mut self, position: Position) {
        self.sending.remove(&position);
        self.waiting.remove(&position);
    }

    /// Notes that an event could not be tried: that is not its own failure.
    pub fn held(&mut self, position: Position, until: Instant) {
        self.sending.remove(&position);
        if let Some(waiting) = self.waiting.get_mut(&position) {
            waiting.retry_at = Some(until);
        }
    }

    /// How often an event has failed.
    pub fn failures(&self, position: Position) -> u32 {
        self.waiting.get(&position).map_or(0, |waiting| waiting.failures)
    }

    /// Notes that an event failed.
    pub fn failed(&mut self, position: Position, reason: &str, now: Instant, retry: Retry) -> Fate {
        self.sending.remove(&position);
        let Some(waiting) = self.waiting.get_mut(&position) else { return Fate::Waits };
        waiting.failures = waiting.failures.saturating_add(1);
        let since = *waiting.failing_since.get_or_insert(retry.now_seconds);
        let tried = u64::try_from(retry.now_seconds - since).unwrap_or(0);
        waiting.retry_at = Some(now + retry.wait);
        if tried < retry.seconds {
            return Fate::Waits;
        }
        if self.parked.len() >= retry.parked_max {
            return Fate::NoRoom;
        }
        let Waiting { chart, ends_commit, failures, .. } = waiting.clone();
        self.waiting.remove(&position);
        let (parked_at, reason) = (retry.now_seconds, reason.to_owned());
        self.parked.insert(position, Parked { chart, ends_commit, failures, parked_at, reason });
        Fate::Parked
    }

    /// Begins anew at a position: what lies before it counts as delivered, what lies behind it is sent again.
    pub fn replay(&mut self, from: Position) {
        self.next = from;
        self.waiting.clear();
        self.parked.retain(|position, _| *position < from);
    }

    /// Sends a parked event again, before what waits of its chart. False: there is none.
    pub fn unpark(&mut self, position: Position) -> bool {
        let Some(Parked { chart, ends_commit, .. }) = self.parked.remove(&position) else {
            return false;
        };
        self.waiting.insert(position, Waiting { chart, ends_commit, ..Waiting::default() });
        true
    }

    /// Drops a parked event. False: there is none.
    pub fn drop_parked(&mut self, position: Position) -> bool {
        self.parked.remove(&position).is_some()
    }

    /// Lets what failed be tried at once.
    pub fn try_again(&mut self) {
        for waiting in self.waiting.values_mut() {
            (waiting.retry_at, waiting.failing_since) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P: Option<StreamAlias> = Some(StreamAlias(7));
    const Q: Option<StreamAlias> = Some(StreamAlias(8));

    fn at(position: u64) -> Position {
        Position::new(position)
    }

    fn progress(charts: &[Option<StreamAlias>]) -> Progress {
        let mut progress = Progress::default();
        for (position, chart) in (0..).zip(charts) {
            progress.admit(at(position), *chart, true);
            progress.next = at(position + 1);
        }
        progress
    }

    fn retry(now_seconds: i64, parked_max: usize) -> Retry {
        Retry { now_seconds, seconds: 100, wait: Duration::from_secs(1), parked_max }
    }

    fn start(progress: &mut Progress, now: Instant) -> Vec<u64> {
        progress.start(now, 10).iter().map(|event| event.position.get()).collect()
    }

    #[test]
    fn of_each_chart_one_event_is_sent_at_a_time_and_the_place_waits_for_the_oldest() {
        let now = Instant::now();
        let mut progress = progress(&[P, P, Q, None, Q, None]);
        assert_eq!(progress.start(now, 2).len(), 2);
        assert_eq!(start(&mut progress, now), [3], "one of each chart, and of the directory");
        progress.delivered(at(2));
        progress.delivered(at(3));
        assert_eq!(progress.arrived(), at(0));
        assert_eq!(start(&mut progress, now), [4, 5]);
        progress.failed(at(0), "500", now, retry(1_000, 10));
        assert_eq!(start(&mut progress, now), [] as [u64; 0], "the next one waits behind it");
        let later = now + Duration::from_secs(1);
        assert_eq!(progress.due_at(), Some(later));
        assert_eq!(start(&mut progress, later), [0]);
        progress.delivered(at(0));
        assert_eq!(progress.arrived(), at(1));
        for position in [1, 4, 5] {
            progress.delivered(at(position));
        }
        assert_eq!(progress.arrived(), at(6));
    }

    #[test]
    fn what_has_failed_for_long_enough_is_parked_while_there_is_room() {
        let now = Instant::now();
        let mut progress = progress(&[P, Q, P]);
        start(&mut progress, now);
        assert_eq!(progress.failed(at(0), "a", now, retry(1_000, 1)), Fate::Waits);
        assert_eq!(progress.failed(at(0), "b", now, retry(1_099, 1)), Fate::Waits);
        // That lasts over a restart.
        let text = serde_json::to_string(&progress).unwrap();
        let mut progress: Progress = serde_json::from_str(&text).unwrap();
        assert_eq!(start(&mut progress, now), [0, 1]);
        assert_eq!(progress.failed(at(0), "c", now, retry(1_100, 1)), Fate::Parked);
        assert_eq!(start(&mut progress, now), [2]);
        let parked: Vec<_> =
            progress.parked().map(|(at, one)| (at, one.failures, &*one.reason)).collect();
        assert_eq!(parked, [(at(0), 3, "c")]);
        let full = Retry { seconds: 0, ..retry(1_100, 1) };
        assert_eq!(progress.failed(at(1), "d", now, full), Fate::NoRoom);
        assert_eq!(progress.arrived(), at(1));
        // It comes before what waits of its chart, and is tried anew for as long as at first.
        progress.delivered(at(2));
        assert!(progress.unpark(at(0)) && !progress.unpark(at(0)) && !progress.drop_parked(at(0)));
        assert_eq!(start(&mut progress, now), [0]);
        assert_eq!(progress.failed(at(0), "e", now, retry(9_000, 1)), Fate::Waits);
    }

    #[test]
    fn a_replay_forgets_what_waits_and_what_will_come_again() {
        let now = Instant::now();
        let mut progress = progress(&[P, Q, P]);
        start(&mut progress, now);
        let at_once = Retry { seconds: 0, ..retry(0, 10) };
        for position in [0, 1] {
            progress.failed(at(position), "x", now, at_once);
        }
        progress.replay(at(1));
        assert_eq!((progress.arrived(), progress.next), (at(1), at(1)));
        assert_eq!(progress.parked().map(|(at, _)| at).collect::<Vec<_>>(), [at(0)]);
    }

    #[test]
    fn what_lies_behind_the_end_of_a_log_that_was_restored_is_forgotten() {
        let mut progress = progress(&[P, Q, P]);
        assert!(!progress.end_at(at(3)));
        assert!(progress.end_at(at(1)));
        assert_eq!(
            (progress.arrived(), progress.next, progress.waiting_count()),
            (at(0), at(1), 1)
        );
    }

    proptest! {
        #[test]
        fn the_place_is_never_ahead_and_charts_stay_in_order(
            charts in prop::collection::vec(0_u64..4, 1..40),
            steps in prop::collection::vec((any::<prop::sample::Index>(), 0..4), 0..200),
        ) {
            let charts: Vec<_> = charts.into_iter().map(|chart| Some(StreamAlias(chart))).collect();
            let mut progress = progress(&charts);
            let (mut now, mut seconds) = (Instant::now(), 0);
            let (mut flying, mut done) = (Vec::new(), BTreeSet::new());
            for (which, step) in steps {
                for event in progress.start(now, 3) {
                    let position = usize::try_from(event.position.get()).unwrap();
                    let before = (0..position).filter(|other| charts[*other] == charts[position]);
                    prop_assert!(before.into_iter().all(|other| done.contains(&at(other as u64))));
                    flying.push(event.position);
                }
                if !flying.is_empty() {
                    let position = flying.swap_remove(which.index(flying.len()));
                    match step {
                        0 => {
                            let retry = retry(seconds, usize::MAX);
                            if progress.failed(position, "x", now, retry) == Fate::Parked {
                                done.insert(position);
                            }
                        }
                        1 => progress.held(position, now),
                        _ => {
                            progress.delivered(position);
                            done.insert(position);
                        }
                    }
                }
                let first = (0..charts.len() as u64).map(at).find(|at| !done.contains(at));
                prop_assert_eq!(progress.arrived(), first.unwrap_or(progress.next));
                (now, seconds) = (now + Duration::from_secs(9), seconds + 9);
            }
        }
    }
}
