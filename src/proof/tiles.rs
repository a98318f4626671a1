//! The stored hashes of a tree: one flat file per tile level.
//!
//! | file | holds |
//! |---|---|
//! | `0.hashes` | the hash of every leaf, 32 bytes each, in order |
//! | `1.hashes`, `2.hashes`, … | the root of every complete subtree of 256, 65,536, … leaves |
//! | `synced` | how many leaves were durable at the last [`Tiles::sync`], and the root over them |
//!
//! So tile *n* of level *l* is bytes 8192 × *n* to 8192 × (*n* + 1) of file *l*, and a partial tile
//! the front of that.
//!
//! All of it follows from the log, so appending does not sync. After a crash, what was not synced
//! may be there in part, or as zeros; therefore opening trusts `synced` and nothing else,
//! and the caller appends the missing leaves again.
//!
//! **Invariant:** hashes are written before the size that includes them is published, and a hash
//! below the published size is never written again. So readers need no lock.

use std::array;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::tree::{self, TILE_HEIGHT, complete_root};
use super::{
    ConsistencyProof, HASH_BYTES, Hash, HashSource, InclusionProof, ProofError, RunProof,
    TILE_WIDTH, Tile, Tree, disk_error,
};
use crate::disk::{self, Disk, DiskFile};

/// Levels that a log of 64-bit positions can have.
const LEVELS: usize = 8;
/// Hashes that are read at once where many are.
const BATCH: usize = 8192;
const SYNCED: &str = "synced";
const SYNCED_HEADING: &str = "chartlog-tiles/1";

/// The one writer of a tree.
#[derive(Debug)]
pub struct Tiles {
    disk: Arc<dyn Disk>,
    tree: Tree,
    reader: TileReader,
}

/// Reads a tree while it grows; clones share the open files, and nothing here takes a lock.
#[derive(Debug, Clone)]
pub struct TileReader {
    shared: Arc<Shared>,
}

/// Leaves that are written and not yet durable.
#[derive(Debug)]
pub struct Unsynced {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    size: u64,
    root: Hash,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    /// Opened for the first hash of the level.
    levels: [OnceLock<Arc<dyn DiskFile>>; LEVELS],
    /// Leaves that readers may see.
    size: AtomicU64,
}

impl Tiles {
    /// Opens the hashes in a directory, or begins with none. The second value says how many leaves
    /// are held, never more than `limit`, the length of the log; the caller appends those that
    /// follow.
    ///
    /// What was synced is held whole or, if a file was cut or changed since, not at all.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        limit: u64,
    ) -> Result<(Self, u64), ProofError> {
        disk.create_directory(directory).map_err(disk_error(directory))?;
        let shared = Shared::open(&*disk, directory)?;
        let reader = TileReader { shared: Arc::new(shared) };
        let synced = reader.synced(&*disk)?;
        let held = synced.unwrap_or(0).min(limit);
        if synced.is_none() && disk.exists(&directory.join(SYNCED)) {
            tracing::warn!(
                directory = %directory.display(),
                "the hashes on disk are not those that were synced; they are computed again"
            );
        }
        reader.shared.cut(held)?;
        reader.shared.size.store(held, Ordering::Release);
        let tree = Tree::load(&reader, held)?;
        Ok((Self { disk, tree, reader }, held))
    }

    /// Adds leaves, and shows them to readers. They must be durable in the log. If it fails,
    /// nothing was added.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn append(&mut self, leaves: &[Hash]) -> Result<(), ProofError> {
        let mut grown = self.tree.clone();
        let mut added: [Vec<u8>; LEVELS] = array::from_fn(|_| Vec::new());
        for leaf in leaves {
            grown.append(*leaf, |level, hash| {
                // There are levels for all positions, so nothing is left out.
                if let Some(bytes) = added.get_mut(level as usize) {
                    bytes.extend_from_slice(&hash.0);
                }
            });
        }
        for (level, bytes) in (0..).zip(&added).filter(|(_, bytes)| !bytes.is_empty()) {
            let offset = count(self.tree.size(), level) * HASH_BYTES as u64;
            let file = self.file_for_writing(level)?;
            file.write_all_at(bytes, offset).map_err(self.reader.shared.error(level))?;
        }
        self.tree = grown;
        self.reader.shared.size.store(self.tree.size(), Ordering::Release);
        Ok(())
    }

    /// Makes what was appended durable, so that it need not be appended again after a crash.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn sync(&self) -> Result<(), ProofError> {
        self.unsynced().sync().map(|_| ())
    }

    /// What [`Tiles::sync`] would make durable now. It can be carried out while more is appended.
    #[must_use]
    pub fn unsynced(&self) -> Unsynced {
        let (disk, shared) = (Arc::clone(&self.disk), Arc::clone(&self.reader.shared));
        Unsynced { disk, shared, size: self.tree.size(), root: self.tree.root() }
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root over all leaves; needs no disk.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// A reader of this tree.
    #[must_use]
    pub fn reader(&self) -> TileReader {
        self.reader.clone()
    }

    fn file_for_writing(&self, level: u32) -> Result<&dyn DiskFile, ProofError> {
        let shared = &self.reader.shared;
        let failed = || shared.error(level)(io::ErrorKind::NotFound.into());
        let place = shared.levels.get(level as usize).ok_or_else(failed)?;
        if place.get().is_none() {
            let file = self.disk.create(&shared.path(level)).map_err(shared.error(level))?;
            // This is the only writer, so there is no race.
            let _ = place.set(file);
        }
        place.get().map(AsRef::as_ref).ok_or_else(failed)
    }
}

impl Unsynced {
    /// Makes it durable, and says how many leaves that were. At most one at a time per tree.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn sync(&self) -> Result<u64, ProofError> {
        let shared = &self.shared;
        for (level, file) in (0..).zip(&shared.levels) {
            file.get().map_or(Ok(()), |file| file.sync_data()).map_err(shared.error(level))?;
        }
        self.disk.sync_directory(&shared.directory).map_err(disk_error(&shared.directory))?;
        let text = synced_text(self.size, self.root);
        let path = shared.directory.join(SYNCED);
        disk::replace(&*self.disk, &path, text.as_bytes()).map_err(disk_error(&path))?;
        Ok(self.size)
    }
}

impl TileReader {
    /// Whether a directory has no tiles at all: a backup brings none, and a start makes them from the log.
    pub fn are_absent(disk: &dyn Disk, directory: &Path) -> bool {
        let is_there = |name: &str| disk.exists(&directory.join(name));
        !is_there(SYNCED) && !(0..LEVELS as u32).any(|level| is_there(&file_name(level)))
    }

    /// The tiles in a directory as they were last synced, for checking them: nothing is changed.
    /// The second value is the root that they claim.
    ///
    /// # Errors
    ///
    /// [`ProofError::Tiles`]: they are not there, or cut off; the disk's.
    pub fn stored(disk: &dyn Disk, directory: &Path) -> Result<(Self, Hash), ProofError> {
        let path = directory.join(SYNCED);
        let wrong = |path: &Path, problem: &str| {
            Err(ProofError::Tiles { path: path.to_owned(), problem: problem.to_owned() })
        };
        if !disk.exists(&path) {
            return wrong(&path, "is missing");
        }
        let text = disk::read(disk, &path).map_err(disk_error(&path))?;
        let known =
            parse_synced(&text).filter(|(size, root)| text == synced_text(*size, *root).as_bytes());
        let Some((size, root)) = known else {
            return wrong(&path, "is not what was written");
        };
        let shared = Shared::open(disk, directory)?;
        for level in 0..LEVELS as u32 {
            let (length, needed) = (shared.length(level)?, count(size, level) * HASH_BYTES as u64);
            if length < needed {
                let problem = format!("has {length} bytes; {needed} were synced");
                return wrong(&shared.path(level), &problem);
            }
        }
        shared.size.store(size, Ordering::Release);
        Ok((Self { shared: Arc::new(shared) }, root))
    }

    /// Bytes behind what the tree holds: not synced yet, or left by a crash.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn surplus_bytes(&self) -> Result<u64, ProofError> {
        let size = self.size();
        let over = |level: u32| {
            let needed = count(size, level) * HASH_BYTES as u64;
            Ok(self.shared.length(level)?.saturating_sub(needed))
        };
        (0..LEVELS as u32).map(over).sum()
    }

    /// Hashes that a level has.
    #[must_use]
    pub fn level_size(&self, level: u32) -> u64 {
        count(self.size(), level)
    }

    /// The file that says what is durable.
    #[must_use]
    pub fn synced_path(&self) -> PathBuf {
        self.shared.directory.join(SYNCED)
    }

    /// The file of a level, and where the hash with that number lies in it.
    #[must_use]
    pub fn place(&self, level: u32, index: u64) -> (PathBuf, u64) {
        (self.shared.path(level), index * HASH_BYTES as u64)
    }

    /// Leaves of the tree, as far as it may be read now.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.size.load(Ordering::Acquire)
    }

    /// The bytes of a tile (C2SP tlog-tiles); `None` if the tree has no such tile, or has it in a
    /// smaller width.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProofError> {
        let end = tile.start().and_then(|start| start.checked_add(tile.width.into()));
        match (tile.start(), end) {
            (Some(start), Some(end)) if end <= count(self.size(), tile.level) => {
                self.read(tile.level, start, tile.width.into()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The root over the first `size` leaves (RFC 6962 §2.1).
    ///
    /// # Errors
    ///
    /// [`ProofError::BeyondSize`], or the disk's.
    pub fn root(&self, size: u64) -> Result<Hash, ProofError> {
        self.holds(size)?;
        tree::root(self, size)
    }

    /// See [`tree::inclusion`].
    ///
    /// # Errors
    ///
    /// [`ProofError::BeyondSize`], or the disk's.
    pub fn inclusion(&self, position: u64, size: u64) -> Result<InclusionProof, ProofError> {
        self.holds(size)?;
        tree::inclusion(self, position, size)
    }

    /// See [`tree::consistency`].
    ///
    /// # Errors
    ///
    /// [`ProofError::BeyondSize`], or the disk's.
    pub fn consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, ProofError> {
        self.holds(new)?;
        tree::consistency(self, old, new)
    }

    /// See [`tree::run`].
    ///
    /// # Errors
    ///
    /// [`ProofError::BeyondSize`], or the disk's.
    pub fn run(&self, first: u64, end: u64, size: u64) -> Result<RunProof, ProofError> {
        self.holds(size)?;
        tree::run(self, first, end, size)
    }

    /// Computes all levels again from the hashes of the leaves, and returns size and root.
    ///
    /// # Errors
    ///
    /// [`ProofError::WrongTile`] for the first wrong hash, from the lowest level up; the disk's.
    pub fn verify(&self) -> Result<(u64, Hash), ProofError> {
        let size = self.size();
        for level in 1..LEVELS as u32 {
            for index in 0..count(size, level) {
                let below = self.hashes(level - 1, index * TILE_WIDTH, TILE_WIDTH as usize)?;
                let stored = self.hashes(level, index, 1)?;
                if stored != [complete_root(below)] {
                    return Err(self.wrong(size, level, index));
                }
            }
        }
        Ok((size, self.root(size)?))
    }

    /// Compares stored hashes of leaves with those of the log, from position `first` on.
    ///
    /// # Errors
    ///
    /// [`ProofError::WrongLeaf`] for the first that differs; [`ProofError::BeyondSize`]; the
    /// disk's.
    pub fn verify_leaves(&self, first: u64, leaves: &[Hash]) -> Result<(), ProofError> {
        let mut position = first;
        for batch in leaves.chunks(BATCH) {
            let stored = self.hashes(0, position, batch.len())?;
            let differs = stored.iter().zip(batch).position(|(stored, leaf)| stored != leaf);
            if let Some(differs) = differs {
                return Err(ProofError::WrongLeaf(position + differs as u64));
            }
            position += batch.len() as u64;
        }
        Ok(())
    }

    fn wrong(&self, size: u64, level: u32, index: u64) -> ProofError {
        let tile = index / TILE_WIDTH;
        let width = (count(size, level) - tile * TILE_WIDTH).min(TILE_WIDTH) as u16;
        ProofError::WrongTile {
            tile: Tile { level, index: tile, width },
            path: self.shared.path(level),
            offset: index * HASH_BYTES as u64,
        }
    }

    fn holds(&self, size: u64) -> Result<(), ProofError> {
        let held = self.size();
        if size <= held { Ok(()) } else { Err(ProofError::BeyondSize { asked: size, size: held }) }
    }

    fn read(&self, level: u32, start: u64, hashes: usize) -> Result<Vec<u8>, ProofError> {
        let file = self.shared.levels.get(level as usize).and_then(OnceLock::get);
        let file = file.ok_or_else(|| self.shared.error(level)(io::ErrorKind::NotFound.into()))?;
        let mut bytes = vec![0; hashes * HASH_BYTES];
        let offset = start * HASH_BYTES as u64;
        file.read_exact_at(&mut bytes, offset).map_err(self.shared.error(level))?;
        Ok(bytes)
    }

    /// How many leaves were synced, if they are still there and lead to the same root.
    fn synced(&self, disk: &dyn Disk) -> Result<Option<u64>, ProofError> {
        let path = self.shared.directory.join(SYNCED);
        if !disk.exists(&path) {
            return Ok(None);
        }
        let text = disk::read(disk, &path).map_err(disk_error(&path))?;
        let Some((size, root)) = parse_synced(&text) else { return Ok(None) };
        if self.shared.lengths_allow(size)? {
            self.shared.size.store(size, Ordering::Release);
            if tree::root(self, size)? == root {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }
}

impl HashSource for TileReader {
    fn hashes(&self, level: u32, start: u64, hashes: usize) -> Result<Vec<Hash>, ProofError> {
        let held = count(self.size(), level);
        let asked = start.saturating_add(hashes as u64);
        if asked > held {
            return Err(ProofError::BeyondSize { asked, size: held });
        }
        let bytes = self.read(level, start, hashes)?;
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        Ok(hashes.iter().copied().map(Hash).collect())
    }
}

impl Shared {
    fn open(disk: &dyn Disk, directory: &Path) -> Result<Self, ProofError> {
        let shared = Self {
            directory: directory.to_owned(),
            levels: array::from_fn(|_| OnceLock::new()),
            size: AtomicU64::new(0),
        };
        for (level, place) in (0..).zip(&shared.levels) {
            let path = shared.path(level);
            if disk.exists(&path) {
                let _ = place.set(disk.open(&path).map_err(disk_error(&path))?);
            }
        }
        Ok(shared)
    }

    fn path(&self, level: u32) -> PathBuf {
        self.directory.join(file_name(level))
    }

    fn error(&self, level: u32) -> impl FnOnce(io::Error) -> ProofError + use<> {
        disk_error(&self.path(level))
    }

    fn length(&self, level: u32) -> Result<u64, ProofError> {
        let file = self.levels.get(level as usize).and_then(OnceLock::get);
        file.map_or(Ok(0), |file| file.length()).map_err(self.error(level))
    }

    fn lengths_allow(&self, size: u64) -> Result<bool, ProofError> {
        for level in 0..LEVELS as u32 {
            if self.length(level)? / (HASH_BYTES as u64) < count(size, level) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drops what is stored beyond so many leaves.
    fn cut(&self, size: u64) -> Result<(), ProofError> {
        for (level, file) in (0..).zip(&self.levels) {
            let length = count(size, level) * HASH_BYTES as u64;
            if let Some(file) = file.get()
                && self.length(level)? > length
            {
                file.set_length(length).map_err(self.error(level))?;
            }
        }
        Ok(())
    }
}

/// Hashes that a tree of so many leaves has at a tile level.
fn count(size: u64, level: u32) -> u64 {
    size.checked_shr(TILE_HEIGHT * level).unwrap_or(0)
}

fn file_name(level: u32) -> String {
    format!("{level}.hashes")
}

fn synced_text(size: u64, root: Hash) -> String {
    format!("{SYNCED_HEADING}\n{size}\n{root}\n")
}

fn parse_synced(text: &[u8]) -> Option<(u64, Hash)> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()? != SYNCED_HEADING {
        return None;
    }
    Some((lines.next()?.parse().ok()?, Hash::parse(lines.next()?)?))
}
