//! Roots and proofs against two other implementations: `ct-merkle` and `tlog_tiles`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::tlog;

use super::super::{
    ConsistencyProof, Hash, InclusionProof, Tile, Tree, consistency, inclusion, root,
};
use super::{Memory, leaf_bytes, leaves};

type CtTree = MemoryBackedTree<Sha256, Vec<u8>>;

fn ct_tree(size: u64) -> CtTree {
    let mut tree = CtTree::new();
    (0..size).for_each(|position| tree.push(leaf_bytes(position)));
    tree
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Stored hashes in the order of `tlog_tiles`.
#[derive(Default)]
struct Interleaved(Vec<tlog::Hash>);

impl Interleaved {
    fn of(size: u64) -> Self {
        let mut all = Self::default();
        for position in 0..size {
            let added = tlog::stored_hashes(position, &leaf_bytes(position), &all).unwrap();
            all.0.extend(added);
        }
        all
    }
}

impl tlog::HashReader for Interleaved {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn ours(hashes: Vec<tlog::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

#[test]
fn roots_and_proofs_of_small_trees_are_those_of_ct_merkle_and_tlog_tiles() {
    const SIZE: u64 = 70;
    let memory = Memory::of(&leaves(SIZE));
    let interleaved = Interleaved::of(SIZE);
    for size in 0..=SIZE {
        let ct = ct_tree(size);
        let top = root(&memory, size).unwrap();
        assert_eq!(top.0.as_slice(), ct.root().as_bytes().as_slice(), "root of {size}");
        assert_eq!(top.0, tlog::tree_hash(size, &interleaved).unwrap().0, "root of {size}");
        for position in 0..size {
            let proof = inclusion(&memory, position, size).unwrap();
            let index = usize::try_from(position).unwrap();
            assert_eq!(joined(&proof.hashes), ct.prove_inclusion(index).as_bytes());
            assert_eq!(
                proof.hashes,
                ours(tlog::prove_record(size, position, &interleaved).unwrap())
            );
            proof.verify(Hash::leaf(&leaf_bytes(position)), top).unwrap();
        }
        for old in 0..=size {
            let proof = consistency(&memory, old, size).unwrap();
            if old > 0 {
                let added = usize::try_from(size - old).unwrap();
                assert_eq!(joined(&proof.hashes), ct.prove_consistency(added).as_bytes());
                assert_eq!(proof.hashes, ours(tlog::prove_tree(size, old, &interleaved).unwrap()));
            }
            proof.verify(root(&memory, old).unwrap(), top).unwrap();
        }
    }
}

#[test]
fn a_tree_of_three_tile_levels_agrees_with_ct_merkle() {
    const SIZE: u64 = 66_000;
    let memory = Memory::of(&leaves(SIZE));
    assert_eq!(memory.levels.iter().map(Vec::len).collect::<Vec<_>>(), [66_000, 257, 1]);
    let ct = ct_tree(SIZE);
    let top = root(&memory, SIZE).unwrap();
    assert_eq!(top.0.as_slice(), ct.root().as_bytes().as_slice());
    for position in [0, 255, 256, 40_000, 65_535, 65_536, 65_792, 65_999] {
        let proof = inclusion(&memory, position, SIZE).unwrap();
        let index = usize::try_from(position).unwrap();
        assert_eq!(joined(&proof.hashes), ct.prove_inclusion(index).as_bytes());
        proof.verify(Hash::leaf(&leaf_bytes(position)), top).unwrap();
    }
    for old in [1, 255, 256, 257, 65_535, 65_536, 65_537, 65_999] {
        let proof = consistency(&memory, old, SIZE).unwrap();
        let added = usize::try_from(SIZE - old).unwrap();
        assert_eq!(joined(&proof.hashes), ct.prove_consistency(added).as_bytes());
        proof.verify(root(&memory, old).unwrap(), top).unwrap();
    }
}

#[test]
fn every_wrong_part_of_a_proof_is_refused() {
    for size in 1..=20 {
        let memory = Memory::of(&leaves(size));
        let top = root(&memory, size).unwrap();
        for position in 0..size {
            let leaf = Hash::leaf(&leaf_bytes(position));
            let good = inclusion(&memory, position, size).unwrap();
            for wrong in inclusion_variants(&good) {
                // Some sizes have the same way to the root; the root is signed with its size.
                if wrong.size == size {
                    assert!(wrong.verify(leaf, top).is_err(), "{good:?} became {wrong:?}");
                }
            }
            assert!(good.verify(Hash::leaf(b"other"), top).is_err());
            assert!(good.verify(leaf, Hash::leaf(b"other")).is_err());
        }
        for old in 1..size {
            let old_root = root(&memory, old).unwrap();
            let good = consistency(&memory, old, size).unwrap();
            for hashes in hash_variants(&good.hashes) {
                let wrong = ConsistencyProof { hashes, ..good.clone() };
                assert!(wrong.verify(old_root, top).is_err(), "{good:?} became {wrong:?}");
            }
            assert!(good.verify(top, old_root).is_err());
        }
    }
}

#[test]
fn the_empty_tree_is_where_every_log_began_and_nothing_else() {
    let memory = Memory::of(&leaves(5));
    let top = root(&memory, 5).unwrap();
    let proof = consistency(&memory, 0, 5).unwrap();
    proof.verify(Hash::empty(), top).unwrap();
    assert!(proof.verify(top, top).is_err());
    let beyond = ConsistencyProof { old_size: 6, new_size: 5, hashes: Vec::new() };
    assert!(beyond.verify(top, top).is_err());
    assert!(consistency(&memory, 6, 5).is_err());
    assert!(inclusion(&memory, 5, 5).is_err());
    assert_eq!(Tree::default().root(), Hash::empty());
}

fn inclusion_variants(good: &InclusionProof) -> Vec<InclusionProof> {
    let with = |position, size| InclusionProof { position, size, hashes: good.hashes.clone() };
    let mut variants: Vec<_> = hash_variants(&good.hashes)
        .into_iter()
        .map(|hashes| InclusionProof { hashes, ..good.clone() })
        .collect();
    variants
        .extend((0..good.size + 2).filter(|at| *at != good.position).map(|at| with(at, good.size)));
    variants.push(with(good.position, 0));
    variants
}

fn hash_variants(good: &[Hash]) -> Vec<Vec<Hash>> {
    let mut variants = Vec::new();
    for at in 0..good.len() {
        let mut dropped = good.to_vec();
        dropped.remove(at);
        let mut flipped = good.to_vec();
        flipped[at].0[at % 32] ^= 1;
        let mut doubled = good.to_vec();
        doubled.insert(at, good[at]);
        variants.extend([dropped, flipped, doubled]);
    }
    for at in 1..good.len() {
        let mut swapped = good.to_vec();
        swapped.swap(at - 1, at);
        variants.push(swapped);
    }
    let mut longer = good.to_vec();
    longer.push(Hash::empty());
    variants.push(longer);
    variants
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_agrees_with_ct_merkle(size in 1_u64..1500, at in 0_u64..1500, old in 1_u64..1500) {
        let (at, old) = (at % size, old % size + 1);
        let memory = Memory::of(&leaves(size));
        let ct = ct_tree(size);
        let top = root(&memory, size).unwrap();
        prop_assert_eq!(top.0.to_vec(), ct.root().as_bytes().to_vec());
        prop_assert_eq!(memory.tree.root(), top);
        let proof = inclusion(&memory, at, size).unwrap();
        let expected = ct.prove_inclusion(usize::try_from(at).unwrap());
        prop_assert_eq!(joined(&proof.hashes), expected.as_bytes());
        let proof = consistency(&memory, old, size).unwrap();
        let added = usize::try_from(size - old).unwrap();
        let expected = ct.prove_consistency(added);
        prop_assert_eq!(joined(&proof.hashes), expected.as_bytes());
    }

    #[test]
    fn a_tree_that_is_loaded_grows_like_one_that_never_stopped(size in 0_u64..2000, more in 0_u64..300) {
        let mut memory = Memory::of(&leaves(size));
        let loaded = Tree::load(&memory, size).unwrap();
        prop_assert_eq!(&loaded, &memory.tree);
        memory.append(&super::range(size, size + more));
        prop_assert_eq!(&memory.tree, &Memory::of(&leaves(size + more)).tree);
        prop_assert_eq!(root(&memory, size).unwrap(), loaded.root());
    }

    #[test]
    fn paths_of_tiles_are_those_of_tlog_tiles(level in 0_u32..=63, index: u64, small: bool, width in 1_u16..=256) {
        let index = if small { index % 2_000_000 } else { index };
        let tile = Tile { level, index, width };
        let path = tile.to_string();
        let theirs = tlog_tiles::Tile::new(8, u8::try_from(level).unwrap(), index, width.into(), false);
        prop_assert_eq!(path.replacen("tile/", "tile/8/", 1), theirs.path());
        prop_assert_eq!(path.parse::<Tile>().unwrap(), tile);
    }

    #[test]
    fn a_path_is_read_only_if_it_is_written_so(path in "tile/[0-9x/.p]{1,24}") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }
}

#[test]
fn paths_that_name_no_tile_are_refused() {
    let refused = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/01",
        "tile/0/0001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/+1/001",
        "tile/0/+01",
        "tile/0/x001",
        "tile/0/001/234",
        "tile/0/x01/234",
        "tile/0/x000/234",
        "tile/0/x001/x234",
        "tile/0/xx01/234",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001.p/5/",
        "tile/0/001.p/5.p/5",
        "tile/0/001/",
        "/tile/0/001",
        "tile/entries/001",
        "tile/data/001",
        "tile/0/001.p/+5",
        "tile/0//001",
        "tile/0/ 01",
        "tile/0/0٠1",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
    ];
    for path in refused {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
    let last: Tile = "tile/0/x018/x446/x744/x073/x709/x551/615".parse().unwrap();
    assert_eq!(last.index, u64::MAX);
    assert_eq!(last.start(), None);
    let partial: Tile = "tile/63/x001/x234/067.p/255".parse().unwrap();
    assert_eq!(partial, Tile { level: 63, index: 1_234_067, width: 255 });
}
