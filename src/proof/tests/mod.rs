//! The proofs held against vectors, against other implementations, and against altered files.

mod alterations;
mod bundles;
mod exports;
mod failures;
mod notes;
mod oracles;
mod sinks;
mod storage;
mod vectors;
mod witness;

use std::path::Path;

use super::{Hash, HashSource, ProofError, Signer, Tiles, Tree};
use crate::disk::RealDisk;

/// The bytes of the leaf at a position, in tests that do not care.
fn leaf_bytes(position: u64) -> Vec<u8> {
    format!("leaf {position}").into_bytes()
}

fn leaves(count: u64) -> Vec<Hash> {
    range(0, count)
}

fn range(start: u64, end: u64) -> Vec<Hash> {
    (start..end).map(|position| Hash::leaf(&leaf_bytes(position))).collect()
}

fn signer(name: &str) -> Signer {
    Signer::from_seed(name, &[7; 32]).unwrap()
}

fn tiles(directory: &Path, size: u64) -> Tiles {
    let (mut tiles, held) = Tiles::open(RealDisk::handle(), directory, size).unwrap();
    tiles.append(&range(held, size)).unwrap();
    tiles
}

/// Stored hashes in memory, and the tree that made them.
#[derive(Default)]
struct Memory {
    tree: Tree,
    levels: Vec<Vec<Hash>>,
}

impl Memory {
    fn of(leaves: &[Hash]) -> Self {
        let mut memory = Self::default();
        memory.append(leaves);
        memory
    }

    fn append(&mut self, leaves: &[Hash]) {
        let Self { tree, levels } = self;
        for leaf in leaves {
            tree.append(*leaf, |level, hash| {
                levels.resize_with(levels.len().max(level as usize + 1), Vec::new);
                levels[level as usize].push(hash);
            });
        }
    }
}

impl HashSource for Memory {
    fn hashes(&self, level: u32, start: u64, count: usize) -> Result<Vec<Hash>, ProofError> {
        let start = usize::try_from(start).unwrap();
        Ok(self.levels[level as usize][start..start + count].to_vec())
    }
}
