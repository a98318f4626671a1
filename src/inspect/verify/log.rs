//! One log with its tiles, its checkpoints and its key.

use std::path::{Path, PathBuf};
use std::time::Instant as Stopwatch;

use super::disposals::Disposals;
use super::frames::{self, Wraps};
use super::walk::{Leaf, Walk};
use super::{Finding, VerifyOptions, log_of, origin, read_text};
use crate::disk::Disk;
use crate::engine::{EngineError, proofs};
use crate::log::{Batch, InspectError, Inspected, Inspection, LogKind, Seen};
use crate::proof::{
    BundleLog, Checkpoint, Hash, ProofError, TILE_WIDTH, Tile, TileReader, Verifier, leaf,
};
use crate::vault::Vault;

/// What is known apart from the log itself.
struct Beside {
    name: &'static str,
    key: Option<Verifier>,
    /// The latest checkpoint, and those that the caller kept: where from, and what they say.
    checkpoints: Vec<(String, Checkpoint)>,
    tiles: Option<(TileReader, Hash)>,
}

/// Verifies one log.
pub fn verify(
    disk: &dyn Disk,
    root: &Path,
    log: BundleLog,
    options: &VerifyOptions<'_>,
    vault: Option<&Vault>,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), EngineError> {
    let name = proofs::folder(log);
    let directory = root.join("proof").join(name);
    let key = key(disk, &directory, name, log, options, tell)?;
    let checkpoints = checkpoints(disk, &directory, log, key.as_ref(), options, tell)?;
    // After the checkpoint: beside a running server, log and tiles are then at least as long.
    let tiles = match TileReader::stored(disk, &directory) {
        Ok(tiles) => Some(tiles),
        Err(ProofError::Tiles { .. }) if TileReader::are_absent(disk, &directory) => {
            let detail = "there are none yet: the next start makes them from the log";
            tell(Finding::note(format!("{name} tiles"), detail));
            None
        }
        Err(error @ ProofError::Tiles { .. }) => {
            tell(Finding::altered(format!("{name} tiles"), error.to_string()));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let beside = Beside { name, key, checkpoints, tiles };
    let started = Stopwatch::now();
    let kind = match log {
        BundleLog::Events => LogKind::Events,
        BundleLog::Access => LogKind::Access,
    };
    let folder = root.join("log").join(name);
    if !disk.exists(&folder) {
        tell(Finding::altered(format!("{name} log"), format!("{} is missing", folder.display())));
        return Ok(());
    }
    let mut wraps = vault.map(|_| Wraps::default());
    let sizes = beside.checkpoints.iter().map(|(_, checkpoint)| checkpoint.size);
    let synced = beside.tiles.as_ref().map(|(tiles, _)| tiles.size());
    let mut walk = Walk::new(beside.tiles.as_ref().map(|(tiles, _)| tiles), sizes.chain(synced));
    let mut disposals = Disposals::new(beside.key.as_ref());
    let seen =
        look_through(disk, &folder, kind, options, &mut walk, wraps.as_mut(), &mut disposals);
    let seen = match seen {
        Ok(seen) => seen,
        Err(Stopped::Failed(error)) => return Err(error),
        Err(Stopped::Altered(flaw)) => {
            tell(Finding::altered(format!("{name} log"), flaw));
            return Ok(());
        }
    };
    let bytes = seen.1;
    let disposals = disposals.findings(name);
    beside.judge(&walk, &seen.0, bytes, started, tell)?;
    for finding in disposals {
        tell(finding);
    }
    if let (Some(vault), Some(wraps)) = (vault, wraps) {
        frames::open(disk, &folder, kind, name, options, vault, &wraps, tell)?;
    }
    Ok(())
}

enum Stopped {
    Altered(String),
    Failed(EngineError),
}

impl From<InspectError> for Stopped {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::Flaw(flaw) => Self::Altered(flaw.to_string()),
            InspectError::Disk { path, source } => {
                Self::Failed(ProofError::Disk { path, source }.into())
            }
        }
    }
}

impl From<ProofError> for Stopped {
    fn from(error: ProofError) -> Self {
        Self::Failed(error.into())
    }
}

fn look_through(
    disk: &dyn Disk,
    folder: &Path,
    kind: LogKind,
    options: &VerifyOptions<'_>,
    walk: &mut Walk<'_>,
    mut wraps: Option<&mut Wraps>,
    disposals: &mut Disposals<'_>,
) -> Result<(Inspected, u64), Stopped> {
    let mut inspection = Inspection::begin(disk, folder, kind)?;
    let mut bytes = 0;
    let keeps_wraps = wraps.is_some();
    let each = |seen: Seen<'_>| {
        let frame = match seen {
            Seen::Frame(frame) => frame,
            Seen::Disposed(left) => {
                return (Leaf { hash: Hash(left.leaf), offset: left.offset }, None);
            }
        };
        let hash = leaf(frame.position, frame.recorded_at, frame.bytes);
        let wrap = frame.parts.wrap().filter(|_| keeps_wraps);
        (Leaf { hash, offset: frame.offset }, wrap.map(|wrap| (frame.parts.alias, Box::new(*wrap))))
    };
    while let Some(batch) = inspection.next(options.threads, each)? {
        let mut leaves = Vec::with_capacity(batch.items.len());
        for (leaf, wrap) in batch.items {
            leaves.push(leaf);
            if let (Some(wraps), Some((alias, wrap))) = (wraps.as_deref_mut(), wrap) {
                wraps.add(alias, *wrap);
            }
        }
        let Batch { first_position, path, statement, bytes: read, .. } = batch;
        let batch = Batch { first_position, path, items: leaves, statement, bytes: read };
        walk.take(&batch)?;
        disposals.judge(&batch);
        bytes += read;
        (options.progress)(read);
    }
    Ok((inspection.inspected(), bytes))
}

/// The key to check with: from elsewhere if there is one.
fn key(
    disk: &dyn Disk,
    directory: &Path,
    name: &str,
    log: BundleLog,
    options: &VerifyOptions<'_>,
    tell: &mut dyn FnMut(Finding),
) -> Result<Option<Verifier>, EngineError> {
    let part = format!("{name} key");
    let path = directory.join(proofs::VERIFIER_KEY);
    let given = options.keys.iter().find(|key| log_of(key.name()) == Some(log)).cloned();
    let altered = |what: &str| Finding::altered(&part, format!("{} {what}", path.display()));
    let Some(text) = read_text(disk, &path)? else {
        tell(altered("is missing"));
        return Ok(given);
    };
    let stored = text.strip_suffix('\n').and_then(|line| line.parse::<Verifier>().ok());
    match (stored, given) {
        (None, given) => {
            tell(altered("is not a verifier key, whole and unharmed"));
            Ok(given)
        }
        (Some(stored), Some(given)) if stored != given => {
            tell(altered("is not the key that was given"));
            Ok(Some(given))
        }
        (Some(_), Some(given)) => Ok(Some(given)),
        (Some(stored), None) => {
            let detail = format!(
                "{stored} was taken from the data directory itself: whoever could change the log \
                 could have replaced it too. Give --key with the one you keep elsewhere"
            );
            tell(Finding::note(part, detail));
            Ok(Some(stored))
        }
    }
}

/// The latest checkpoint, and those of this log that were kept.
fn checkpoints(
    disk: &dyn Disk,
    directory: &Path,
    log: BundleLog,
    key: Option<&Verifier>,
    options: &VerifyOptions<'_>,
    tell: &mut dyn FnMut(Finding),
) -> Result<Vec<(String, Checkpoint)>, EngineError> {
    let path = directory.join(proofs::CHECKPOINT);
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    let part = |path: &Path| format!("{} checkpoint {}", proofs::folder(log), path.display());
    match read_text(disk, &path)? {
        Some(text) => texts.push((path, text)),
        None => tell(Finding::altered(part(&path), "it is missing")),
    }
    let is_of_this = |text: &str| origin(text).is_ok_and(|name| log_of(&name) == Some(log));
    texts.extend(options.checkpoints.iter().filter(|(_, text)| is_of_this(text)).cloned());
    let mut found = Vec::new();
    for (path, text) in texts {
        let opened = match key {
            Some(key) => Checkpoint::open(&text, key),
            None => Err(ProofError::Key("there is none to check the signature with")),
        };
        match opened {
            Ok(signed) => found.push((part(&path), signed.checkpoint().clone())),
            Err(error) => tell(Finding::altered(part(&path), error.to_string())),
        }
    }
    Ok(found)
}

impl Beside {
    /// Says what the walk showed.
    fn judge(
        &self,
        walk: &Walk<'_>,
        seen: &Inspected,
        bytes: u64,
        started: Stopwatch,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<(), EngineError> {
        let name = self.name;
        let mut log_holds = true;
        for (part, checkpoint) in &self.checkpoints {
            match self.against(walk, seen, checkpoint)? {
                Ok(()) => {
                    let signer = self.key.as_ref().map(Verifier::name).unwrap_or_default();
                    let detail = format!("{} entries, signed by {signer}", checkpoint.size);
                    tell(Finding::holds(part, detail));
                }
                Err(problem) => {
                    log_holds = false;
                    tell(Finding::altered(format!("{name} log, against {part}"), problem));
                }
            }
        }
        log_holds &= self.judge_tiles(walk, seen, log_holds, tell)?;
        if log_holds {
            let seconds = started.elapsed().as_secs_f64().max(1e-6);
            #[expect(clippy::cast_precision_loss, reason = "rates for people")]
            let (per_second, megabytes) =
                (walk.size() as f64 / seconds, bytes as f64 / 1e6 / seconds);
            let detail = format!(
                "{} entries in {} segments, {bytes} bytes, in {seconds:.2} s ({megabytes:.0} MB/s, \
                 {per_second:.0} entries/s)",
                walk.size(),
                seen.segments,
            );
            tell(Finding::holds(format!("{name} log"), detail));
        }
        let signed = self.checkpoints.iter().map(|(_, one)| one.size).max().unwrap_or(0);
        if walk.size() > signed {
            let count = walk.size() - signed;
            let detail = format!(
                "the last {count} entries are not signed yet: the next checkpoint covers them"
            );
            tell(Finding::note(format!("{name} log"), detail));
        }
        if seen.unfinished_bytes > 0 {
            let (path, offset) = &seen.end;
            let detail = format!(
                "{} from byte {offset}: {} bytes of a group that is being written, or that a crash \
                 left unfinished; nobody was told of it",
                path.display(),
                seen.unfinished_bytes
            );
            tell(Finding::note(format!("{name} log"), detail));
        }
        Ok(())
    }

    /// What contradicts a checkpoint.
    fn against(
        &self,
        walk: &Walk<'_>,
        seen: &Inspected,
        checkpoint: &Checkpoint,
    ) -> Result<Result<(), String>, EngineError> {
        let size = checkpoint.size;
        let Some(root) = walk.root(size) else {
            let (path, offset) = &seen.end;
            return Ok(Err(format!(
                "position {}: {} at byte {offset}: the log ends here, but {size} entries were signed",
                seen.entries,
                path.display()
            )));
        };
        if root == checkpoint.root {
            return Ok(Ok(()));
        }
        // If the tiles lead to the signed root, they tell which leaf was signed.
        let signed = match &self.tiles {
            Some((tiles, _)) if tiles.size() >= size => tiles.root(size)? == checkpoint.root,
            _ => false,
        };
        Ok(Err(match &walk.wrong_leaf {
            Some(flaw) if signed && flaw.position < size => format!(
                "position {}: {} at byte {}: the frame is not the one that was signed",
                flaw.position,
                flaw.path.display(),
                flaw.offset
            ),
            _ => {
                let others = self.checkpoints.iter().map(|(_, other)| other);
                let held = |other: &&Checkpoint| {
                    other.size < size && walk.root(other.size) == Some(other.root)
                };
                let from = others.filter(held).map(|other| other.size).max().unwrap_or(0);
                format!(
                    "positions {from} to {}: the entries are not those that were signed: their root is \
                     {root}, not {}; the tiles were changed with them, so they do not tell which",
                    size.saturating_sub(1),
                    checkpoint.root
                )
            }
        }))
    }

    /// Says whether the tiles follow from the log. False: if one is wrong, it is the log.
    fn judge_tiles(
        &self,
        walk: &Walk<'_>,
        seen: &Inspected,
        log_holds: bool,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<bool, EngineError> {
        let Some((tiles, root)) = &self.tiles else { return Ok(true) };
        let part = format!("{} tiles", self.name);
        let size = tiles.size();
        if size > walk.size() {
            let (path, offset) = &seen.end;
            let detail = format!(
                "position {}: {} at byte {offset}: the log ends here, but its tiles have {size} entries",
                seen.entries,
                path.display()
            );
            if log_holds {
                tell(Finding::altered(format!("{} log", self.name), detail));
            }
            return Ok(false);
        }
        if !log_holds {
            // What was said of the log explains it.
            return Ok(false);
        }
        let wrong_leaf = walk.wrong_leaf.as_ref().map(|flaw| (0, flaw.position));
        if let Some((level, index)) = wrong_leaf.or(walk.wrong_hash) {
            let width = (tiles.level_size(level) - index / TILE_WIDTH * TILE_WIDTH).min(TILE_WIDTH);
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            let tile = Tile { level, index: index / TILE_WIDTH, width };
            let (path, offset) = tiles.place(level, index);
            let detail = match &walk.wrong_leaf {
                // Beyond all checkpoints there is nothing to decide by.
                Some(flaw) if !self.is_signed(flaw.position) => {
                    format!("{flaw}, or {} at byte {offset} was changed", path.display())
                }
                _ => format!(
                    "wrong hash in {tile}: {} at byte {offset} does not follow from the log",
                    path.display()
                ),
            };
            tell(Finding::altered(part, detail));
            return Ok(true);
        }
        if walk.root(size) != Some(*root) {
            let detail =
                format!("the root in {} is not that of the log", tiles.synced_path().display());
            tell(Finding::altered(part, detail));
            return Ok(true);
        }
        tell(Finding::holds(&part, format!("{size} leaves, and every hash above them")));
        let surplus = tiles.surplus_bytes()?;
        if surplus > 0 {
            let detail = format!(
                "{surplus} bytes beyond what was synced: the server is writing them, or computes them \
                 again when it starts"
            );
            tell(Finding::note(part, detail));
        }
        Ok(true)
    }

    fn is_signed(&self, position: u64) -> bool {
        self.checkpoints.iter().any(|(_, checkpoint)| position < checkpoint.size)
    }
}
