//! The manifest: which events of a chart contain the then-current body of each resource.

use crate::numbers::Step;

/// The steps of a chart whose bodies were current at one of them, as one bit per step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Bit `s % 64` of word `s / 64` stands for step `s`.
    words: Vec<u64>,
}

impl Manifest {
    /// Takes in the next event: the step whose body it replaces or removes (0: none), and
    /// whether it brings a body itself.
    pub fn apply(&mut self, step: Step, supersedes: Step, holds_body: bool) {
        self.set(supersedes, false);
        if holds_body {
            self.set(step, true);
        }
    }

    /// The steps, ascending.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        self.words.iter().zip(0u64..).flat_map(|(word, at)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| Step::new(at * 64 + bit))
        })
    }

    /// Number of resources the chart held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True when the chart held nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn set(&mut self, step: Step, on: bool) {
        let Ok(word) = usize::try_from(step.get() / 64) else { return };
        if on && word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (step.get() % 64);
        match self.words.get_mut(word) {
            Some(word) if on => *word |= bit,
            Some(word) => *word &= !bit,
            None => {}
        }
    }

    /// The bytes of a stored snapshot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads a stored snapshot.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        Self { words: words.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Step};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(events in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..300)) {
            let mut manifest = Manifest::default();
            let mut set = BTreeSet::new();
            for (step, (superseded, holds_body)) in (1..).map(Step::new).zip(events) {
                let live: Vec<Step> = set.iter().copied().collect();
                let supersedes = if live.is_empty() { Step::new(0) } else { live[superseded.index(live.len())] };
                manifest.apply(step, supersedes, holds_body);
                set.remove(&supersedes);
                if holds_body {
                    set.insert(step);
                }
            }
            prop_assert_eq!(manifest.len(), set.len());
            let read_back = Manifest::decode(&manifest.encode());
            prop_assert_eq!(read_back.steps().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}
