//! Hashes and checkpoints on a disk that fails, or that forgets what was not synced.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{Issuer, ProofError, Tiles, root};
use super::{Memory, leaves, range, signer};
use crate::disk::{Disk, DiskFile, RealDisk};

/// The real disk, until so many more changes were made.
#[derive(Debug, Clone)]
struct Failing {
    changes_left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn DiskFile>,
    disk: Failing,
}

impl Failing {
    fn after(changes: u64) -> Self {
        Self { changes_left: Arc::new(AtomicU64::new(changes)) }
    }

    fn change(&self) -> io::Result<()> {
        let left = |left: u64| left.checked_sub(1);
        let spent = self.changes_left.try_update(Ordering::Relaxed, Ordering::Relaxed, left);
        spent.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FailingFile { file, disk: self.clone() })
    }
}

impl Disk for Failing {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open(path).map(|file| self.file(file))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.change()?;
        RealDisk.create(path).map(|file| self.file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.remove(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(directory)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        RealDisk.create_directory(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.sync_directory(directory)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

impl DiskFile for FailingFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync_data()
    }
}

/// Two appends and a sync, and a checkpoint between them.
fn work(disk: &Failing, directory: &Path) -> Result<(), ProofError> {
    let handle: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut tiles, held) = Tiles::open(handle.clone(), directory, 600)?;
    let key = signer("example.org/events");
    tiles.append(&range(held, held.max(250)))?;
    tiles.sync()?;
    let issuer = Issuer::open(handle, &directory.join("checkpoint"), key, tiles.reader())?;
    issuer.issue()?;
    let size = tiles.size();
    let before = tiles.root();
    if let Err(error) = tiles.append(&range(size, 600)) {
        assert_eq!((tiles.size(), tiles.root()), (size, before), "a failed append left a trace");
        assert_eq!((tiles.reader().size(), tiles.reader().root(size)?), (size, before));
        return Err(error);
    }
    tiles.sync()?;
    issuer.issue().map(drop)
}

#[test]
fn any_change_may_fail_and_the_next_start_makes_it_good() {
    let expected = root(&Memory::of(&leaves(600)), 600).unwrap();
    for changes in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let failed = work(&Failing::after(changes), directory.path()).is_err();
        work(&Failing::after(u64::MAX), directory.path()).unwrap();
        let (tiles, held) = Tiles::open(RealDisk::handle(), directory.path(), 600).unwrap();
        assert_eq!((held, tiles.root()), (600, expected), "failure at change {changes}");
        tiles.reader().verify().unwrap();
        if !failed {
            assert!(changes > 15, "only {changes} changes were made");
            return;
        }
    }
}

#[test]
fn zeros_where_nothing_was_synced_are_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut tiles, _) = Tiles::open(RealDisk::handle(), directory.path(), 0).unwrap();
    tiles.append(&leaves(500)).unwrap();
    tiles.sync().unwrap();
    tiles.append(&range(500, 600)).unwrap();
    drop(tiles);
    for (level, synced) in [("0.hashes", 500), ("1.hashes", 1)] {
        let path = directory.path().join(level);
        let mut bytes = fs::read(&path).unwrap();
        bytes[synced * 32..].fill(0);
        fs::write(&path, bytes).unwrap();
    }
    let (mut tiles, held) = Tiles::open(RealDisk::handle(), directory.path(), 600).unwrap();
    assert_eq!(held, 500);
    tiles.append(&range(500, 600)).unwrap();
    assert_eq!(tiles.root(), root(&Memory::of(&leaves(600)), 600).unwrap());
}
