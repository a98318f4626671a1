//! Proofs over a log: that it contains an entry, and that nobody changed it since.
//!
//! In: the hash of each leaf, in order of position. Out: roots, proofs, tiles and signed
//! checkpoints, all in public formats, so that anybody can check them with tools of others:
//!
//! ```text
//!  leaf bytes ─► Hash::leaf ─► tiles: one flat file per level ─► tile, inclusion, consistency
//!                                 └► root ─► checkpoint ─► signed note ─► sinks: folder, witness…
//! ```
//!
//! | what | standard | file |
//! |---|---|---|
//! | Merkle tree, inclusion and consistency proofs | RFC 6962 §2.1 | `tree.rs`, `verify.rs` |
//! | tiles and their paths | C2SP tlog-tiles | `tile.rs`, `tiles.rs` |
//! | signatures and keys | C2SP signed-note, RFC 8032 | `note.rs`, `key.rs`, `signer.rs` |
//! | checkpoints | C2SP tlog-checkpoint | `checkpoint.rs`, `issuer.rs` |
//! | witnesses and their cosignatures | C2SP tlog-witness, tlog-cosignature | `sink/`, `key.rs` |
//! | statements of disposal | `docs/format.md` | `disposal.rs` |
//! | evidence bundles, audit exports | `docs/format.md` | `bundle/` |
//!
//! The log is the truth: everything stored here except the checkpoints follows from it and can be
//! recomputed. A checkpoint cannot: it is a promise, and [`Issuer`] ensures that none contradicts
//! another.
//!
//! Never: what a leaf means, who may see it, reading the log.

mod bundle;
mod checkpoint;
mod disposal;
mod encoding;
mod hash;
mod issuer;
mod key;
mod note;
mod signer;
mod sink;
mod tile;
mod tiles;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use bundle::{
    BUNDLE_FORMAT, Bundle, BundleLog, Disclosed, EXPORT_FORMAT, Entry, ExportCommit, ExportFrame,
    ExportHead, ExportLine, ExportReport, Report, StreamSpan, commitment, leaf, verify_bundle,
    verify_export,
};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use disposal::{Disposal, root_of};
pub use encoding::Base64;
pub use hash::{HASH_BYTES, Hash};
pub use issuer::Issuer;
pub use key::Verifier;
pub use note::{Note, NoteSignature};
pub use signer::Signer;
pub use sink::{Sink, SinkHandle};
pub use tile::{TILE_WIDTH, Tile};
pub use tiles::{TileReader, Tiles, Unsynced};
pub use tree::{HashSource, Tree, consistency, inclusion, root, run};
pub use verify::{ConsistencyProof, InclusionProof, RunProof};

use std::path::PathBuf;

/// What can be wrong with a proof, or go wrong on the way to one.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A disk operation failed.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The hashes could not be made durable once.
    #[error("the hashes could not be written to disk: nothing more is signed until the next start")]
    Unsynced,
    /// More was asked for than the tree holds.
    #[error("the tree has {size} leaves; {asked} were asked for")]
    BeyondSize {
        /// Leaves, or hashes of a level, that there should be.
        asked: u64,
        /// Those that there are.
        size: u64,
    },
    /// A stored hash does not follow from the hashes below it.
    #[error(
        "wrong hash in tile {tile}: {path} at byte {offset} does not follow from what is below it",
        path = .path.display()
    )]
    WrongTile {
        /// The tile.
        tile: Tile,
        /// The file that holds its level.
        path: PathBuf,
        /// Byte offset of the hash in it.
        offset: u64,
    },
    /// Stored hashes are missing.
    #[error("{path} {problem}", path = .path.display())]
    Tiles {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A leaf of the log has another hash than the tree was given.
    #[error("the tree holds another hash for position {0} than the log")]
    WrongLeaf(u64),
    /// Not a statement of disposal.
    #[error("not a statement of disposal")]
    Disposal,
    /// A proof does not lead to the root.
    #[error("the {0} proof does not hold")]
    DoesNotHold(&'static str),
    /// Not a path of C2SP tlog-tiles.
    #[error("{0:?} is not the path of a tile of hashes: tile/<level>/<index>[.p/<width>]")]
    TilePath(String),
    /// Not a signed note.
    #[error("not a signed note: {0}")]
    Note(&'static str),
    /// Not a verifier key, or not a usable name of one.
    #[error("not a key: {0}")]
    Key(&'static str),
    /// The note carries no signature of the key.
    #[error("the note has no signature by the key {0}")]
    NotSigned(String),
    /// The note carries a signature of the key, and it is wrong.
    #[error("the signature by {0} does not match the text of the note")]
    Signature(String),
    /// A signed note, but not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// Another log's checkpoint.
    #[error("the checkpoint is of {found:?}, not of {expected:?}")]
    Origin {
        /// Its origin line.
        found: String,
        /// The name of the key.
        expected: String,
    },
    /// The log no longer agrees with a checkpoint that was signed before.
    #[error("the log breaks its checkpoint of size {size}: {problem}")]
    Broken {
        /// Size of that checkpoint.
        size: u64,
        /// In what they differ.
        problem: String,
    },
    /// An evidence bundle that does not hold; without a position, the flaw is in its frame.
    #[error("{}{problem}", place(*.position))]
    Bundle {
        /// Position of the entry concerned.
        position: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// An audit export that does not hold.
    #[error("line {line}: {problem}")]
    Export {
        /// The line concerned, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// Not the setting of a sink.
    #[error("not a sink for checkpoints: {0}")]
    SinkSetting(String),
    /// A sink did not take a checkpoint.
    #[error("{0}")]
    Delivery(String),
}

fn place(position: Option<u64>) -> String {
    position.map_or_else(|| "bundle: ".to_owned(), |position| format!("position {position}: "))
}

pub(crate) fn disk_error(
    path: &std::path::Path,
) -> impl FnOnce(std::io::Error) -> ProofError + use<> {
    let path = path.to_owned();
    move |source| ProofError::Disk { path, source }
}
