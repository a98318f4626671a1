//! The walk over a log: its tree is computed anew, and held against the stored tiles on the way.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::log::{Batch, Flaw};
use crate::proof::{Hash, HashSource, ProofError, TileReader, Tree};

/// What is kept of a frame: the hash of its leaf, and where it lies in its segment.
pub struct Leaf {
    pub hash: Hash,
    pub offset: u64,
}

/// A tree that grows with the log.
pub struct Walk<'a> {
    tiles: Option<&'a TileReader>,
    tree: Tree,
    /// Sizes at which the root is wanted, and the roots once they are reached.
    roots: BTreeMap<u64, Option<Hash>>,
    /// The first leaf that the tiles hold another hash of, as a place in the log.
    pub wrong_leaf: Option<Flaw>,
    /// The first hash of an upper level that does not follow from the log: level and number.
    pub wrong_hash: Option<(u32, u64)>,
    /// Hashes seen per level.
    seen: BTreeMap<u32, u64>,
}

impl<'a> Walk<'a> {
    /// Starts before the first entry.
    pub fn new(tiles: Option<&'a TileReader>, sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut roots: BTreeMap<u64, Option<Hash>> =
            sizes.into_iter().map(|size| (size, None)).collect();
        if let Some(root) = roots.get_mut(&0) {
            *root = Some(Hash::empty());
        }
        Self {
            tiles,
            tree: Tree::default(),
            roots,
            wrong_leaf: None,
            wrong_hash: None,
            seen: BTreeMap::new(),
        }
    }

    /// The root over so many entries, if it was wanted and reached.
    pub fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied().flatten()
    }

    /// Number of entries seen.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Takes the next entries.
    pub fn take(&mut self, batch: &Batch<Leaf>) -> Result<(), ProofError> {
        self.compare_leaves(batch)?;
        let mut upper = Vec::new();
        for leaf in &batch.items {
            self.tree.append(leaf.hash, |level, hash| {
                if level > 0 {
                    upper.push((level, hash));
                }
            });
            if let Some(root) = self.roots.get_mut(&self.tree.size()) {
                *root = Some(self.tree.root());
            }
        }
        for (level, hash) in upper {
            self.compare(level, hash)?;
        }
        Ok(())
    }

    fn compare_leaves(&mut self, batch: &Batch<Leaf>) -> Result<(), ProofError> {
        let Some(tiles) = self.tiles.filter(|_| self.wrong_leaf.is_none()) else { return Ok(()) };
        let first = batch.first_position;
        let held = usize::try_from(tiles.size().saturating_sub(first)).unwrap_or(usize::MAX);
        let count = held.min(batch.items.len());
        if count == 0 {
            return Ok(());
        }
        let stored = tiles.hashes(0, first, count)?;
        for ((position, leaf), stored) in (first..).zip(&batch.items).zip(stored) {
            if leaf.hash != stored {
                self.wrong_leaf = Some(Flaw {
                    position,
                    path: PathBuf::clone(&batch.path),
                    offset: leaf.offset,
                    problem: "what is there is not what the tiles have the hash of".to_owned(),
                });
                break;
            }
        }
        Ok(())
    }

    fn compare(&mut self, level: u32, hash: Hash) -> Result<(), ProofError> {
        let index = self.seen.entry(level).or_default();
        let at = *index;
        *index += 1;
        let Some(tiles) = self.tiles.filter(|_| self.wrong_hash.is_none()) else { return Ok(()) };
        match tiles.hashes(level, at, 1) {
            Ok(stored) if stored == [hash] => Ok(()),
            Ok(_) => {
                self.wrong_hash = Some((level, at));
                Ok(())
            }
            // The log has grown on; the tiles were synced before.
            Err(ProofError::BeyondSize { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
