//! Which entries of a frame have a term.

/// A set of small numbers: of the entries of a frame.
///
/// Stored as runs, each as the gap in front of it and its length: a LEB128 number of twice the gap, plus one if a
/// LEB128 number with the length follows, which is 1 otherwise. So an entry alone takes a byte, and all of them two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntrySet(Vec<u64>);

const BITS: usize = u64::BITS as usize;

impl EntrySet {
    /// Adds a number.
    pub fn insert(&mut self, number: usize) {
        let word = number / BITS;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (number % BITS);
        }
    }

    /// Whether a number is in it.
    #[must_use]
    pub fn contains(&self, number: usize) -> bool {
        self.0.get(number / BITS).is_some_and(|word| word & (1 << (number % BITS)) != 0)
    }

    /// Whether no number is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Leaves what is in another as well.
    pub fn intersect(&mut self, other: &Self) {
        for (at, word) in self.0.iter_mut().enumerate() {
            *word &= other.0.get(at).copied().unwrap_or(0);
        }
    }

    /// Its bytes in a record.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (mut at, mut behind) = (0, 0);
        let end = self.0.len() * BITS;
        while at < end {
            if !self.contains(at) {
                at += 1;
                continue;
            }
            let gap = at - behind;
            let start = at;
            while self.contains(at) {
                at += 1;
            }
            let length = at - start;
            put(&mut bytes, gap * 2 + usize::from(length > 1));
            if length > 1 {
                put(&mut bytes, length);
            }
            behind = at;
        }
        bytes
    }

    /// Reads such bytes.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let (mut members, mut at) = (Self::default(), 0usize);
        while !bytes.is_empty() {
            let head = take(&mut bytes)?;
            let length = if head % 2 == 1 { take(&mut bytes)? } else { 1 };
            at = at.checked_add(head / 2)?;
            let end = at.checked_add(length).filter(|end| *end <= ENTRIES_MAX)?;
            (at..end).for_each(|number| members.insert(number));
            at = end;
        }
        Some(members)
    }
}

/// More entries than a frame can have: the queue in front of the log is shorter.
const ENTRIES_MAX: usize = 1 << 24;

fn put(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..28).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(numbers: impl IntoIterator<Item = usize>) -> EntrySet {
        let mut members = EntrySet::default();
        numbers.into_iter().for_each(|number| members.insert(number));
        members
    }

    #[test]
    fn one_entry_takes_a_byte_and_all_of_them_two() {
        assert_eq!(set([5]).encode(), [10]);
        assert_eq!(set(0..64).encode(), [1, 64]);
        assert_eq!(set([0, 1, 2, 7]).encode(), [1, 3, 8]);
        assert_eq!(EntrySet::decode(&[0xff, 0xff, 0xff, 0x7f, 2]), None, "too many");
    }

    proptest! {
        #[test]
        fn they_are_a_set(
            one in prop::collection::btree_set(0usize..300, 0..60),
            other in prop::collection::btree_set(0usize..300, 0..200),
            noise: Vec<u8>,
        ) {
            let (left, right) = (set(one.iter().copied()), set(other.iter().copied()));
            prop_assert_eq!(EntrySet::decode(&left.encode()), Some(left.clone()));
            let mut both = left.clone();
            both.intersect(&right);
            let expected: BTreeSet<usize> = one.intersection(&other).copied().collect();
            prop_assert_eq!(both.is_empty(), expected.is_empty());
            prop_assert!((0..300).all(|number| both.contains(number) == expected.contains(&number)));
            let _ = EntrySet::decode(&noise);
        }
    }
}
