//! Postings: the numbers of the resources that have a term, in chunks.
//!
//! A chunk stands for 256 neighbouring numbers. What has many numbers takes a bit for each, what has
//! few a byte, and a transaction that stores many resources of a patient changes few records.

use crate::numbers::ResourceNumber;

/// Numbers in one chunk, as a power of two.
pub const CHUNK_BITS: u32 = 8;
/// Bytes of a chunk as bits; a shorter record lists the numbers.
const BITMAP_BYTES: usize = 32;

/// The chunk of a number.
pub fn chunk_of(number: ResourceNumber) -> u64 {
    number.get() >> CHUNK_BITS
}

/// A set of the numbers of one chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postings([u64; 4]);

impl Postings {
    /// Adds a number of the chunk.
    pub fn insert(&mut self, number: ResourceNumber) {
        let (word, bit) = self.place(number);
        *word |= bit;
    }

    /// Removes a number.
    pub fn remove(&mut self, number: ResourceNumber) {
        let (word, bit) = self.place(number);
        *word &= !bit;
    }

    /// Whether it contains a number of the chunk.
    #[must_use]
    pub fn contains(mut self, number: ResourceNumber) -> bool {
        let (word, bit) = self.place(number);
        *word & bit != 0
    }

    /// True when it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// What is in either.
    pub fn union(self, other: Self) -> Self {
        let mut words = self.0;
        words.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        Self(words)
    }

    /// What is in both.
    pub fn intersection(self, other: Self) -> Self {
        let mut words = self.0;
        words.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        Self(words)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let mut words = self.0;
        words.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        Self(words)
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub fn numbers(self, chunk: u64) -> impl Iterator<Item = ResourceNumber> {
        let first = chunk << CHUNK_BITS;
        (0..4u64).zip(self.0).flat_map(move |(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = u64::from(word.trailing_zeros());
                let rest = word.checked_sub(1)?;
                word &= rest;
                Some(ResourceNumber::new(first + at * 64 + bit))
            })
        })
    }

    /// The bytes of a record.
    pub fn encode(self) -> Vec<u8> {
        if self.count() < BITMAP_BYTES {
            self.numbers(0).map(|number| number.get().to_le_bytes()[0]).collect()
        } else {
            self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
        }
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        if bytes.len() == BITMAP_BYTES {
            for (word, bytes) in set.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        } else {
            bytes.iter().for_each(|byte| set.insert(ResourceNumber::new((*byte).into())));
        }
        set
    }

    fn place(&mut self, number: ResourceNumber) -> (&mut u64, u64) {
        let [first, second, third, fourth] = &mut self.0;
        let word = match number.get() >> 6 & 3 {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        };
        (word, 1 << (number.get() & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behave_as_a_set(changes in prop::collection::vec((any::<bool>(), any::<u8>()), 0..120)) {
            let (mut postings, mut set) = (Postings::default(), BTreeSet::new());
            for (insert, number) in changes {
                let number = ResourceNumber::new(7 * 256 + u64::from(number));
                if insert { postings.insert(number); set.insert(number); } else { postings.remove(number); set.remove(&number); }
                prop_assert_eq!(postings.numbers(7).any(|one| one == number), insert);
            }
            prop_assert_eq!(postings.is_empty(), set.is_empty());
            prop_assert!(postings.encode().len() <= BITMAP_BYTES);
            let read = Postings::decode(&postings.encode());
            prop_assert_eq!(read.numbers(7).collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}
