//! Numbers of the events of a subscription, from 1 on without a gap, in the order of the log.
//!
//! A number is given once, when its event is scanned, and is on disk before anybody is told of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::numbers::Position;

/// Events of which it is known which number they have.
const RECENT_MAX: usize = 10_000;

/// Numbers of events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Numbers {
    /// The last number that was given.
    last: u64,
    /// Where the events with the last numbers are.
    recent: VecDeque<Position>,
}

/// The same on disk: of positions the first, and of the others how far behind the one before.
#[derive(Serialize, Deserialize)]
struct Stored {
    last: u64,
    recent: Vec<u64>,
}

impl From<Stored> for Numbers {
    fn from(Stored { last, recent }: Stored) -> Self {
        let mut at = 0_u64;
        let recent = recent.into_iter().map(|step| {
            at = at.saturating_add(step);
            Position::new(at)
        });
        Self { last, recent: recent.collect() }
    }
}

impl From<Numbers> for Stored {
    fn from(Numbers { last, recent }: Numbers) -> Self {
        let mut before = 0;
        let recent = recent.into_iter().map(|position| {
            let step = position.get() - before;
            before = position.get();
            step
        });
        Self { last, recent: recent.collect() }
    }
}

impl Numbers {
    /// The last number that was given; 0: none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The first number of which it is known where its event is.
    pub fn first(&self) -> u64 {
        self.last - self.recent.len() as u64 + 1
    }

    /// Where the event with a number is, if that is known.
    pub fn position(&self, number: u64) -> Option<Position> {
        let at = number.checked_sub(self.first())?;
        self.recent.get(usize::try_from(at).ok()?).copied()
    }

    /// Gives the next number to the event at a position, behind all others.
    pub fn admit(&mut self, position: Position) -> u64 {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(position);
        self.last += 1;
        self.last
    }

    /// Forgets where events are that lie behind the end of the log. Their numbers are not given again.
    pub fn end_at(&mut self, head: Position) {
        if self.recent.back().is_some_and(|position| *position >= head) {
            self.recent.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_without_a_gap_over_restarts_and_the_oldest_are_forgotten() {
        let mut numbers = Numbers::default();
        assert_eq!((numbers.first(), numbers.last(), numbers.position(1)), (1, 0, None));
        for number in 1..=RECENT_MAX as u64 {
            assert_eq!(numbers.admit(Position::new(3 * number)), number);
        }
        let text = serde_json::to_string(&numbers).unwrap();
        assert!(text.len() < 2 * RECENT_MAX + 100, "{}", text.len());
        let mut numbers: Numbers = serde_json::from_str(&text).unwrap();
        assert_eq!(numbers.position(1), Some(Position::new(3)));
        assert_eq!(numbers.position(10_000), Some(Position::new(30_000)));
        assert_eq!(numbers.admit(Position::new(40_000)), 10_001);
        assert_eq!((numbers.first(), numbers.position(1)), (2, None));
        assert_eq!(numbers.position(2), Some(Position::new(6)));
        assert_eq!((numbers.position(0), numbers.position(10_002)), (None, None));
        // The log was restored, and ends before.
        numbers.end_at(Position::new(40_001));
        assert_eq!(numbers.position(2), Some(Position::new(6)));
        numbers.end_at(Position::new(40_000));
        assert_eq!((numbers.position(2), numbers.first(), numbers.last()), (None, 10_002, 10_001));
        assert_eq!(numbers.admit(Position::new(7)), 10_002);
        assert_eq!(numbers.position(10_002), Some(Position::new(7)));
    }
}
