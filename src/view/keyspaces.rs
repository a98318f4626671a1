//! The keyspaces, and how the LSM store keeps each of them.

use std::path::Path;

use fjall::config::{
    BlockSizePolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, RestartIntervalPolicy,
};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};

use super::ViewError;

/// Bounds reopening: fjall replays its journals at start.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a block where single records are looked up.
const LOOKUP_BLOCK_BYTES: u32 = 8 << 10;
/// Bytes of a block where neighbours are read together.
const SCAN_BLOCK_BYTES: u32 = 16 << 10;

/// One handle per keyspace; see the table in the module's page.
pub struct Spaces {
    pub state: Keyspace,
    pub charts: Keyspace,
    pub aliases: Keyspace,
    pub keys: Keyspace,
    pub erased: Keyspace,
    pub tombstones: Keyspace,
    pub names: Keyspace,
    pub heads: Keyspace,
    pub history: Keyspace,
    pub events: Keyspace,
    pub streams: Keyspace,
    pub parts: Keyspace,
    pub snapshots: Keyspace,
    pub terms: Keyspace,
    pub values: Keyspace,
    pub blocks: Keyspace,
    pub idempotency: Keyspace,
    pub access_groups: Keyspace,
    pub access_terms: Keyspace,
}

/// How a keyspace is mostly read.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// By whole keys, many of which are not there: filters tell.
    Missing,
    /// By whole keys that are there.
    Present,
    /// By ranges.
    Ranges,
}

impl Spaces {
    /// Opens the LSM store in a directory, or creates it.
    pub fn open(directory: &Path, cache_bytes: u64) -> Result<(Database, Self), ViewError> {
        let database = Database::builder(directory)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .open()?;
        let space = |name, reading| database.keyspace(name, || options(reading));
        let spaces = Self {
            state: space("state", Reading::Present)?,
            charts: space("charts", Reading::Missing)?,
            aliases: space("aliases", Reading::Missing)?,
            keys: space("keys", Reading::Missing)?,
            erased: space("erased", Reading::Missing)?,
            tombstones: space("tombstones", Reading::Missing)?,
            names: space("names", Reading::Missing)?,
            heads: space("heads", Reading::Missing)?,
            history: space("history", Reading::Present)?,
            events: space("events", Reading::Present)?,
            streams: space("streams", Reading::Ranges)?,
            parts: space("parts", Reading::Ranges)?,
            snapshots: space("snapshots", Reading::Ranges)?,
            terms: space("terms", Reading::Ranges)?,
            values: space("values", Reading::Ranges)?,
            blocks: space("blocks", Reading::Ranges)?,
            idempotency: space("idempotency", Reading::Missing)?,
            access_groups: space("access_groups", Reading::Ranges)?,
            access_terms: space("access_terms", Reading::Ranges)?,
        };
        Ok((database, spaces))
    }

    /// All of them.
    pub fn all(&self) -> [&Keyspace; 19] {
        [
            &self.state,
            &self.charts,
            &self.aliases,
            &self.keys,
            &self.erased,
            &self.tombstones,
            &self.names,
            &self.heads,
            &self.history,
            &self.events,
            &self.streams,
            &self.parts,
            &self.snapshots,
            &self.terms,
            &self.values,
            &self.blocks,
            &self.idempotency,
            &self.access_groups,
            &self.access_terms,
        ]
    }
}

/// The store keeps the options of a keyspace from its creation on.
fn options(reading: Reading) -> KeyspaceCreateOptions {
    let options = KeyspaceCreateOptions::default()
        .data_block_compression_policy(CompressionPolicy::new([
            CompressionType::None,
            CompressionType::Lz4,
        ]))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(16));
    let block = |bytes| BlockSizePolicy::all(bytes);
    match reading {
        Reading::Missing => options.data_block_size_policy(block(LOOKUP_BLOCK_BYTES)),
        Reading::Present => {
            options.data_block_size_policy(block(LOOKUP_BLOCK_BYTES)).expect_point_read_hits(true)
        }
        Reading::Ranges => options
            .data_block_size_policy(block(SCAN_BLOCK_BYTES))
            .filter_policy(FilterPolicy::all(FilterPolicyEntry::None)),
    }
}
