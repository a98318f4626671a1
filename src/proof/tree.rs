//! The Merkle tree of RFC 6962 §2.1: growing it, and proofs from its stored hashes.
//!
//! Only the hashes of every eighth height are stored (the tile levels of C2SP tlog-tiles); those
//! between are computed from at most 128 of the level below.

use super::verify::split;
use super::{ConsistencyProof, Hash, InclusionProof, ProofError, RunProof};

/// Heights from one tile level to the next: a tile is a subtree of 2⁸ = 256 hashes.
pub const TILE_HEIGHT: u32 = 8;

/// Where stored hashes come from.
pub trait HashSource {
    /// The hashes `start..start + count` of a tile level: roots of the complete subtrees of
    /// 256^`level` leaves each, numbered from the left.
    ///
    /// # Errors
    ///
    /// [`ProofError`]: they are not all there, or cannot be read.
    fn hashes(&self, level: u32, start: u64, count: usize) -> Result<Vec<Hash>, ProofError>;
}

/// The right edge of a growing tree: enough to add leaves and to know the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    /// Roots of the complete subtrees that the leaves fall into, from the left, thus from the
    /// largest: one for each bit that is set in `size`.
    complete: Vec<Hash>,
}

impl Tree {
    /// The right edge of a tree whose hashes are stored.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn load(source: &impl HashSource, size: u64) -> Result<Self, ProofError> {
        let heights = (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1);
        let complete = heights
            .map(|height| subtree(source, height, (size >> height) - 1))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, complete })
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far (RFC 6962 §2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let from_right = self.complete.iter().rev().copied();
        from_right.reduce(|right, left| Hash::node(left, right)).unwrap_or_else(Hash::empty)
    }

    /// Adds a leaf. Each hash that it completes at a tile level, the leaf's own at level 0
    /// included, is handed to `store` in rising order of levels.
    pub fn append(&mut self, leaf: Hash, mut store: impl FnMut(u32, Hash)) {
        store(0, leaf);
        let mut right = leaf;
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.complete.pop() else { break };
            right = Hash::node(left, right);
            if height % TILE_HEIGHT == 0 {
                store(height / TILE_HEIGHT, right);
            }
        }
        self.complete.push(right);
        self.size += 1;
    }
}

/// The root of the tree as it was with so many leaves (RFC 6962 §2.1).
///
/// # Errors
///
/// Those of the source.
pub fn root(source: &impl HashSource, size: u64) -> Result<Hash, ProofError> {
    if size == 0 { Ok(Hash::empty()) } else { range(source, 0, size) }
}

/// The proof that the tree of `size` leaves contains the leaf at `position` (RFC 6962 §2.1.1).
///
/// # Errors
///
/// [`ProofError::BeyondSize`], and those of the source.
pub fn inclusion(
    source: &impl HashSource,
    position: u64,
    size: u64,
) -> Result<InclusionProof, ProofError> {
    if position >= size {
        return Err(ProofError::BeyondSize { asked: position.saturating_add(1), size });
    }
    let (mut low, mut high) = (0, size);
    let mut hashes = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if position < middle {
            hashes.push(range(source, middle, high)?);
            high = middle;
        } else {
            hashes.push(range(source, low, middle)?);
            low = middle;
        }
    }
    hashes.reverse();
    Ok(InclusionProof { position, size, hashes })
}

/// The proof that the tree of `new_size` leaves begins with that of `old_size` (RFC 6962 §2.1.2).
/// It is empty between equal sizes, and from the tree without leaves.
///
/// # Errors
///
/// [`ProofError::BeyondSize`], and those of the source.
pub fn consistency(
    source: &impl HashSource,
    old_size: u64,
    new_size: u64,
) -> Result<ConsistencyProof, ProofError> {
    if old_size > new_size {
        return Err(ProofError::BeyondSize { asked: old_size, size: new_size });
    }
    let mut hashes = Vec::new();
    if old_size > 0 && old_size < new_size {
        let (mut low, mut high) = (0, new_size);
        while old_size != high {
            let middle = low + split(high - low);
            if old_size <= middle {
                hashes.push(range(source, middle, high)?);
                high = middle;
            } else {
                hashes.push(range(source, low, middle)?);
                low = middle;
            }
        }
        // Who checks the proof has the old root. If the old tree is the leftmost subtree whole,
        // that root is the first hash already.
        if low > 0 {
            hashes.push(range(source, low, high)?);
        }
        hashes.reverse();
    }
    Ok(ConsistencyProof { old_size, new_size, hashes })
}

/// What leads, together with the leaves `first..end`, to the root of the tree of `size` leaves: the hashes of
/// the largest subtrees beside them.
///
/// # Errors
///
/// [`ProofError::BeyondSize`], and those of the source.
pub fn run(
    source: &impl HashSource,
    first: u64,
    end: u64,
    size: u64,
) -> Result<RunProof, ProofError> {
    if first > end || end > size {
        return Err(ProofError::BeyondSize { asked: first.max(end), size });
    }
    let mut proof = RunProof { first, end, size, left: Vec::new(), right: Vec::new() };
    // Subtrees that are still to be looked at, the leftmost last.
    let mut open = if size > 0 { vec![(0, size)] } else { Vec::new() };
    while let Some((low, high)) = open.pop() {
        if high <= first {
            proof.left.push(range(source, low, high)?);
        } else if low >= end {
            proof.right.push(range(source, low, high)?);
        } else if low < first || high > end {
            let middle = low + split(high - low);
            open.extend([(middle, high), (low, middle)]);
        }
    }
    Ok(proof)
}

/// The root over the leaves `low..high`, a subtree of some tree.
fn range(source: &impl HashSource, low: u64, high: u64) -> Result<Hash, ProofError> {
    let leaves = high - low;
    if leaves.is_power_of_two() {
        let height = leaves.ilog2();
        return subtree(source, height, low >> height);
    }
    let middle = low + split(leaves);
    Ok(Hash::node(range(source, low, middle)?, range(source, middle, high)?))
}

/// The root of a complete subtree: the one at `index`, from the left, of 2^`height` leaves.
fn subtree(source: &impl HashSource, height: u32, index: u64) -> Result<Hash, ProofError> {
    let inner = height % TILE_HEIGHT;
    let hashes = source.hashes(height / TILE_HEIGHT, index << inner, 1 << inner)?;
    Ok(complete_root(hashes))
}

/// The root over hashes whose number is a power of two.
pub fn complete_root(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs.iter().map(|[left, right]| Hash::node(*left, *right)).collect();
    }
    hashes.first().copied().unwrap_or_else(Hash::empty)
}
