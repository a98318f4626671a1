//! Requests without an acceptable token, or beyond a rate: the first of each address and minute are recorded one by
//! one, and what comes beyond is counted and recorded as one sum.
//!
//! Whoever can reach the server could fill its disk otherwise: such a request costs the sender
//! nothing. In memory it costs one number per address, and of addresses there are at most
//! [`ADDRESSES_MAX`]: what comes from still others shares one number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Addresses that are told apart within a minute.
const ADDRESSES_MAX: usize = 10_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// Requests that were not recorded one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// From where; `None`: from addresses that there was no room to tell apart.
    pub address: Option<String>,
    /// When their minute began, microseconds since 1970.
    pub since: i64,
    /// How many.
    pub count: u64,
}

/// The counts of the present minute.
#[derive(Debug)]
pub struct Strangers {
    /// Requests of an address that are recorded one by one, in each minute.
    singles: u64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// When the minute began, microseconds since 1970.
    since: i64,
    requests: HashMap<Option<String>, u64>,
    /// Sums of earlier minutes that nobody has taken.
    over: Vec<Sum>,
}

impl Strangers {
    /// So many of each address and minute are recorded one by one.
    pub fn new(singles: u64) -> Self {
        Self { singles, counts: Mutex::default() }
    }

    /// Counts a request at a moment, in microseconds since 1970: whether it is to be recorded by
    /// itself, and the sums that are now due.
    pub fn count(&self, address: Option<&str>, now: i64) -> (bool, Vec<Sum>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now, self.singles);
        let mut address = address.map(str::to_owned);
        if counts.requests.len() >= ADDRESSES_MAX && !counts.requests.contains_key(&address) {
            address = None;
        }
        let requests = counts.requests.entry(address).or_default();
        *requests += 1;
        (*requests <= self.singles, std::mem::take(&mut counts.over))
    }

    /// The sums of all minutes that are over at a moment.
    pub fn due(&self, now: i64) -> Vec<Sum> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now, self.singles);
        std::mem::take(&mut counts.over)
    }

    /// All sums, as no more requests come.
    pub fn all(&self) -> Vec<Sum> {
        self.due(i64::MAX)
    }

    /// Takes back sums that could not be recorded yet.
    pub fn keep(&self, sums: impl IntoIterator<Item = Sum>) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).over.extend(sums);
    }
}

impl Counts {
    /// Begins another minute, if the one before is over.
    fn turn(&mut self, now: i64, singles: u64) {
        let minute = now - now.rem_euclid(MINUTE_MICROS);
        // A clock that was set back ends no minute.
        if minute <= self.since {
            return;
        }
        let since = std::mem::replace(&mut self.since, minute);
        for (address, requests) in self.requests.drain() {
            let count = requests.saturating_sub(singles);
            self.over.extend((count > 0).then_some(Sum { address, since, count }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_000 * MINUTE_MICROS;

    fn sum(address: Option<&str>, since: i64, count: u64) -> Sum {
        Sum { address: address.map(str::to_owned), since, count }
    }

    #[test]
    fn the_first_are_single_and_the_others_a_sum_when_the_minute_is_over() {
        let strangers = Strangers::new(2);
        let singles = |address, now, times: u64| {
            (0..times).filter(|_| strangers.count(Some(address), now).0).count()
        };
        assert_eq!(singles("a", T, 5), 2);
        assert_eq!(singles("b", T + 1, 2), 2);
        assert_eq!(strangers.due(T + MINUTE_MICROS - 1), []);
        assert_eq!(singles("a", T + 59_999_999, 1), 0);
        let (is_single, sums) = strangers.count(Some("a"), T + MINUTE_MICROS);
        assert!(is_single, "another minute");
        assert_eq!(sums, [sum(Some("a"), T, 4)], "b had no more than are single");
        assert_eq!(strangers.due(T + 9 * MINUTE_MICROS), []);
    }

    #[test]
    fn at_the_end_and_after_a_failure_nothing_is_forgotten() {
        let strangers = Strangers::new(0);
        for _ in 0..3 {
            strangers.count(None, T);
        }
        let sums = strangers.all();
        assert_eq!(sums, [sum(None, T, 3)]);
        strangers.keep(sums.clone());
        assert_eq!(strangers.all(), sums);
        assert_eq!(strangers.all(), []);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_no_minute() {
        let strangers = Strangers::new(1);
        strangers.count(Some("a"), T);
        assert_eq!(strangers.count(Some("a"), T - 5 * MINUTE_MICROS), (false, Vec::new()));
        assert_eq!(strangers.all(), [sum(Some("a"), T, 1)]);
    }

    #[test]
    fn memory_is_bounded_and_whoever_comes_too_late_shares_a_count() {
        let strangers = Strangers::new(1);
        for number in 0..ADDRESSES_MAX + 10 {
            strangers.count(Some(&number.to_string()), T);
        }
        assert!(strangers.counts.lock().unwrap().requests.len() <= ADDRESSES_MAX + 1);
        assert_eq!(strangers.all(), [sum(None, T, 9)]);
    }
}
