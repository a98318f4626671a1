//! Sets of positions and events, written as runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::numbers::{EventId, Position};

/// A set of positions of the event log, or of events by their ids, as the numbers that are written: for each run of neighbours the
/// distance from the end of the run before, and its length. The last length is left out if it is 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Runs(Vec<u64>);

impl Runs {
    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The events, ascending.
    pub fn events(&self) -> impl Iterator<Item = EventId> + '_ {
        self.numbers().map(EventId::new)
    }

    /// The positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.numbers().map(Position::new)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let mut end = 0u64;
        self.0.chunks(2).flat_map(move |run| {
            let start = end.saturating_add(run.first().copied().unwrap_or(0));
            // Written by this program, a run is never longer than what one answer can hold.
            end = start.saturating_add(run.get(1).copied().unwrap_or(1));
            start..end
        })
    }

    /// How many positions there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let lengths = self.0.chunks(2).map(|run| run.get(1).copied().unwrap_or(1));
        lengths.fold(0, u64::saturating_add)
    }
}

impl From<&BTreeSet<Position>> for Runs {
    fn from(positions: &BTreeSet<Position>) -> Self {
        Self::of(positions.iter().map(|position| position.get()))
    }
}

impl From<&BTreeSet<EventId>> for Runs {
    fn from(events: &BTreeSet<EventId>) -> Self {
        Self::of(events.iter().map(|event| event.get()))
    }
}

impl Runs {
    /// The set of some numbers, which come in their order.
    fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some((start, length)) if *start + *length == number => *length += 1,
                _ => runs.push((number, 1)),
            }
        }
        let mut numbers = Vec::with_capacity(2 * runs.len());
        let mut end = 0;
        for (start, length) in runs {
            numbers.extend([start - end, length]);
            end = start + length;
        }
        if numbers.last() == Some(&1) {
            numbers.pop();
        }
        Self(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_reads_back(positions in prop::collection::btree_set(0u64..500, 0..200)) {
            let positions: BTreeSet<_> = positions.into_iter().map(Position::new).collect();
            let runs = Runs::from(&positions);
            prop_assert_eq!(runs.positions().collect::<BTreeSet<_>>(), positions.clone());
            prop_assert_eq!(runs.count(), positions.len() as u64);
        }
    }

    #[test]
    fn neighbours_cost_nothing() {
        let positions: BTreeSet<_> = (1_000..2_000).chain([5_000]).map(Position::new).collect();
        assert_eq!(Runs::from(&positions), Runs(vec![1_000, 1_000, 3_000]));
    }
}
