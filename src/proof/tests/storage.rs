//! Hashes on disk: reopened, cut, changed, and read while they grow.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::super::{Hash, ProofError, Tile, TileReader, Tiles};
use super::{Memory, leaves, range, tiles};
use crate::disk::RealDisk;
use crate::proof::root;

/// Enough for three levels.
const SIZE: u64 = 65_536 + 256 + 3;

fn open(directory: &Path, limit: u64) -> (Tiles, u64) {
    Tiles::open(RealDisk::handle(), directory, limit).unwrap()
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, by: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(bytes.len().saturating_sub(usize::try_from(by).unwrap()));
    fs::write(path, bytes).unwrap();
}

#[test]
fn tiles_are_slices_of_the_levels_and_partial_ones_their_fronts() {
    let directory = tempfile::tempdir().unwrap();
    let reader = tiles(directory.path(), SIZE).reader();
    let memory = Memory::of(&leaves(SIZE));
    let tile = |path: &str| reader.tile(path.parse().unwrap()).unwrap();
    let slice = |level: usize, start: usize, count: usize| -> Option<Vec<u8>> {
        Some(memory.levels[level][start..start + count].iter().flat_map(|hash| hash.0).collect())
    };
    assert_eq!(tile("tile/0/000"), slice(0, 0, 256));
    assert_eq!(tile("tile/0/200"), slice(0, 51_200, 256));
    assert_eq!(tile("tile/0/257.p/3"), slice(0, 65_792, 3));
    assert_eq!(tile("tile/0/257.p/1"), slice(0, 65_792, 1));
    assert_eq!(tile("tile/1/000"), slice(1, 0, 256));
    assert_eq!(tile("tile/1/001.p/1"), slice(1, 256, 1));
    assert_eq!(tile("tile/2/000.p/1"), slice(2, 0, 1));
    let lacking =
        ["tile/0/257", "tile/0/257.p/4", "tile/0/258.p/1", "tile/1/001.p/2", "tile/2/000"];
    let beyond = ["tile/3/000.p/1", "tile/9/000.p/1", "tile/63/000", "tile/0/x001/000"];
    for path in lacking.into_iter().chain(beyond) {
        assert_eq!(tile(path), None, "{path}");
    }
    let far = Tile { level: 0, index: u64::MAX, width: 256 };
    assert_eq!(reader.tile(far).unwrap(), None);
}

#[test]
fn what_was_synced_is_held_after_reopening_and_the_rest_is_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = tiles(directory.path(), 1000);
    first.sync().unwrap();
    first.append(&range(1000, 1300)).unwrap();
    drop(first);
    let (mut second, held) = open(directory.path(), 1300);
    assert_eq!(held, 1000);
    assert_eq!(fs::metadata(directory.path().join("0.hashes")).unwrap().len(), 32_000);
    assert_eq!(fs::metadata(directory.path().join("1.hashes")).unwrap().len(), 3 * 32);
    second.append(&range(1000, 1300)).unwrap();
    assert_eq!(second.root(), root(&Memory::of(&leaves(1300)), 1300).unwrap());
    second.reader().verify().unwrap();
}

#[test]
fn no_more_is_held_than_the_log_has() {
    let directory = tempfile::tempdir().unwrap();
    tiles(directory.path(), 1000).sync().unwrap();
    let (mut shorter, held) = open(directory.path(), 700);
    assert_eq!((held, shorter.size()), (700, 700));
    assert_eq!(shorter.root(), root(&Memory::of(&leaves(700)), 700).unwrap());
    // Another future than the one that was dropped; `synced` still tells of the old one.
    let other: Vec<Hash> = (0..400_u64).map(|number| Hash::leaf(&number.to_le_bytes())).collect();
    shorter.append(&other).unwrap();
    drop(shorter);
    assert_eq!(open(directory.path(), 1100).1, 0, "hashes of a log that is gone");
}

#[test]
fn files_that_were_cut_or_changed_since_the_sync_are_not_believed() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 7] = [
        ("level 0 cut", |path| cut(&path.join("0.hashes"), 1)),
        ("level 1 cut", |path| cut(&path.join("1.hashes"), 32)),
        ("level 1 gone", |path| fs::remove_file(path.join("1.hashes")).unwrap()),
        ("the last leaf changed", |path| flip(&path.join("0.hashes"), 999 * 32)),
        ("the first subtree changed", |path| flip(&path.join("1.hashes"), 5)),
        ("synced cut", |path| cut(&path.join("synced"), 10)),
        ("synced empty", |path| cut(&path.join("synced"), 1000)),
    ];
    for (what, harm) in harms {
        let directory = tempfile::tempdir().unwrap();
        tiles(directory.path(), 1000).sync().unwrap();
        harm(directory.path());
        let (mut reopened, held) = open(directory.path(), 1000);
        assert_eq!(held, 0, "{what}");
        reopened.append(&leaves(1000)).unwrap();
        assert_eq!(reopened.root(), root(&Memory::of(&leaves(1000)), 1000).unwrap(), "{what}");
        reopened.reader().verify().unwrap();
    }
}

#[test]
fn the_first_wrong_hash_is_named_with_tile_file_and_offset() {
    let directory = tempfile::tempdir().unwrap();
    let tiles = tiles(directory.path(), SIZE);
    let reader = tiles.reader();
    assert_eq!(reader.verify().unwrap(), (SIZE, tiles.root()));
    flip(&directory.path().join("2.hashes"), 0);
    assert_eq!(wrong(&reader), ("tile/2/000.p/1".to_owned(), "2.hashes".to_owned(), 0));
    flip(&directory.path().join("1.hashes"), 256 * 32 + 31);
    assert_eq!(wrong(&reader), ("tile/1/001.p/1".to_owned(), "1.hashes".to_owned(), 8192));
    // A leaf's hash cannot be told from a wrong one by itself; what stands above it can.
    flip(&directory.path().join("0.hashes"), 300 * 32);
    assert_eq!(wrong(&reader), ("tile/1/000".to_owned(), "1.hashes".to_owned(), 32));
    let leaves = range(290, 310);
    assert!(matches!(reader.verify_leaves(290, &leaves), Err(ProofError::WrongLeaf(300))));
    reader.verify_leaves(301, &range(301, 9000)).unwrap();
    assert!(reader.verify_leaves(SIZE, &range(SIZE, SIZE + 1)).is_err());
}

fn wrong(reader: &TileReader) -> (String, String, u64) {
    match reader.verify() {
        Err(ProofError::WrongTile { tile, path, offset }) => {
            (tile.to_string(), path.file_name().unwrap().to_str().unwrap().to_owned(), offset)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_beyond_the_size_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let reader = tiles(directory.path(), 300).reader();
    let beyond = |result: Result<(), ProofError>| {
        assert!(matches!(result, Err(ProofError::BeyondSize { .. })), "{result:?}");
    };
    beyond(reader.root(301).map(drop));
    beyond(reader.inclusion(0, 301).map(drop));
    beyond(reader.inclusion(300, 300).map(drop));
    beyond(reader.consistency(300, 301).map(drop));
    beyond(reader.consistency(301, 300).map(drop));
}

#[test]
fn readers_prove_while_the_writer_appends() {
    let directory = tempfile::tempdir().unwrap();
    let mut tiles = tiles(directory.path(), 1);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (reader, ended) = (tiles.reader(), &ended);
            scope.spawn(move || {
                let (mut old, mut old_root) = (1, reader.root(1).unwrap());
                while !ended.load(Ordering::Relaxed) {
                    let size = reader.size();
                    let new_root = reader.root(size).unwrap();
                    reader.consistency(old, size).unwrap().verify(old_root, new_root).unwrap();
                    let leaf = range(size - 1, size)[0];
                    reader.inclusion(size - 1, size).unwrap().verify(leaf, new_root).unwrap();
                    (old, old_root) = (size, new_root);
                }
            });
        }
        for batch in 0..200 {
            let start = tiles.size();
            tiles.append(&range(start, start + 1 + batch % 97)).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
    });
    let size = tiles.size();
    assert_eq!(tiles.root(), root(&Memory::of(&leaves(size)), size).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_cut_is_made_good_by_appending_what_is_asked_for(
        sizes in proptest::collection::vec((1_u64..700, any::<bool>()), 1..5),
        lost in (0_u64..70_000, 0_u64..100),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut size = 0;
        for (more, sync) in sizes {
            size += more;
            let tiles = tiles(directory.path(), size);
            if sync {
                tiles.sync().unwrap();
            }
        }
        for (level, by) in [("0.hashes", lost.0), ("1.hashes", lost.1)] {
            let path = directory.path().join(level);
            if path.exists() {
                cut(&path, by);
            }
        }
        let tiles = tiles(directory.path(), size);
        prop_assert_eq!(tiles.root(), root(&Memory::of(&leaves(size)), size).unwrap());
        prop_assert_eq!(tiles.reader().verify().unwrap().0, size);
    }
}
