//! Proofs, and checking them: pure functions that need nothing but hashes.
//!
//! RFC 6962 says how proofs are made; RFC 9162 §2.1.3.2 and §2.1.4.2 spell out how the same proofs
//! are checked, step by step. This file follows them.

use std::slice::Iter;

use serde::{Deserialize, Serialize};

use super::{Hash, ProofError};

/// The proof that a tree contains a leaf (RFC 6962 §2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InclusionProof {
    /// Position of the leaf, from 0.
    pub position: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// The siblings on the way from the leaf to the root.
    pub hashes: Vec<Hash>,
}

/// The proof that a tree begins with all of an earlier one (RFC 6962 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsistencyProof {
    /// Leaves of the earlier tree.
    pub old_size: u64,
    /// Leaves of the later tree.
    pub new_size: u64,
    /// What lets one compute both roots.
    pub hashes: Vec<Hash>,
}

/// The proof that some neighbouring leaves are all that a tree holds at these positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProof {
    /// Position of the first leaf.
    pub first: u64,
    /// Behind the last leaf.
    pub end: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// The largest subtrees in front of the first leaf, from the left.
    pub left: Vec<Hash>,
    /// The largest subtrees behind the last leaf, from the left.
    pub right: Vec<Hash>,
}

impl RunProof {
    /// The root as it follows from the leaves, which are asked for one after the other; `None` if the
    /// proof has not the hashes it needs. It holds no leaf: a run of any length is checked in the same
    /// memory.
    ///
    /// # Errors
    ///
    /// Those of `leaf`.
    pub fn root<E>(
        &self,
        leaf: &mut impl FnMut(u64) -> Result<Hash, E>,
    ) -> Result<Option<Hash>, E> {
        if self.first > self.end || self.end > self.size {
            return Ok(None);
        }
        let (mut left, mut right) = (self.left.iter(), self.right.iter());
        let root = match self.size {
            0 => Some(Hash::empty()),
            size => self.subtree(0, size, &mut left, &mut right, leaf)?,
        };
        Ok(root.filter(|_| left.len() == 0 && right.len() == 0))
    }

    /// The root over the leaves `low..high`, a subtree. As deep as the tree is high.
    fn subtree<E>(
        &self,
        low: u64,
        high: u64,
        left: &mut Iter<'_, Hash>,
        right: &mut Iter<'_, Hash>,
        leaf: &mut impl FnMut(u64) -> Result<Hash, E>,
    ) -> Result<Option<Hash>, E> {
        if high <= self.first {
            return Ok(left.next().copied());
        }
        if low >= self.end {
            return Ok(right.next().copied());
        }
        if high - low == 1 {
            return leaf(low).map(Some);
        }
        let middle = low + split(high - low);
        let before = self.subtree(low, middle, left, right, leaf)?;
        let behind = self.subtree(middle, high, left, right, leaf)?;
        Ok(before.zip(behind).map(|(before, behind)| Hash::node(before, behind)))
    }
}

impl InclusionProof {
    /// Checks that the tree with this root contains the leaf with this hash (RFC 9162 §2.1.3.2).
    ///
    /// # Errors
    ///
    /// [`ProofError::DoesNotHold`].
    pub fn verify(&self, leaf: Hash, root: Hash) -> Result<(), ProofError> {
        let computed = self.root(leaf);
        if computed == Some(root) { Ok(()) } else { Err(ProofError::DoesNotHold("inclusion")) }
    }

    /// The root that follows from the leaf; `None` if the proof has not the length it needs.
    fn root(&self, leaf: Hash) -> Option<Hash> {
        let mut way = Way::new(self.position, self.size)?;
        let mut hash = leaf;
        for sibling in &self.hashes {
            hash = if way.up()? { Hash::node(*sibling, hash) } else { Hash::node(hash, *sibling) };
        }
        way.is_at_the_root().then_some(hash)
    }
}

impl ConsistencyProof {
    /// Checks that the tree with the new root begins with the tree with the old root
    /// (RFC 9162 §2.1.4.2).
    ///
    /// # Errors
    ///
    /// [`ProofError::DoesNotHold`].
    pub fn verify(&self, old_root: Hash, new_root: Hash) -> Result<(), ProofError> {
        let holds = match self.old_size {
            0 => self.hashes.is_empty() && old_root == Hash::empty(),
            same if same == self.new_size => self.hashes.is_empty() && old_root == new_root,
            _ => self.roots(old_root) == Some((old_root, new_root)),
        };
        if holds { Ok(()) } else { Err(ProofError::DoesNotHold("consistency")) }
    }

    /// Both roots as they follow from the proof; `None` if it has not the length it needs.
    fn roots(&self, old_root: Hash) -> Option<(Hash, Hash)> {
        let mut way = Way::new(self.old_size.checked_sub(1)?, self.new_size)?;
        way.skip_right_turns();
        let (start, rest) = if self.old_size.is_power_of_two() {
            (old_root, self.hashes.as_slice())
        } else {
            let (first, rest) = self.hashes.split_first()?;
            (*first, rest)
        };
        let (mut old, mut new) = (start, start);
        for hash in rest {
            if way.up()? {
                old = Hash::node(*hash, old);
                new = Hash::node(*hash, new);
            } else {
                new = Hash::node(new, *hash);
            }
        }
        way.is_at_the_root().then_some((old, new))
    }
}

/// The largest power of two below `leaves`, of which there are two at least (RFC 6962 §2.1, k).
pub fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The way from a leaf up to the root, as RFC 9162 walks it.
struct Way {
    /// `fn` there: number of the node that the way has reached, at its height.
    node: u64,
    /// `sn` there: number of the last node at that height.
    last: u64,
}

impl Way {
    fn new(position: u64, size: u64) -> Option<Self> {
        (position < size).then(|| Self { node: position, last: size - 1 })
    }

    /// One step up: whether the sibling is on the left. `None` at the root.
    fn up(&mut self) -> Option<bool> {
        if self.last == 0 {
            return None;
        }
        let sibling_is_left = self.node & 1 == 1 || self.node == self.last;
        if sibling_is_left {
            // A last node without a right sibling is its own parent.
            while self.node & 1 == 0 && self.node != 0 {
                self.shift();
            }
        }
        self.shift();
        Some(sibling_is_left)
    }

    fn skip_right_turns(&mut self) {
        while self.node & 1 == 1 {
            self.shift();
        }
    }

    fn shift(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    fn is_at_the_root(&self) -> bool {
        self.last == 0
    }
}
