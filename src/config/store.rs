//! Where charts are kept, and how much memory and disk their keeping may take.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Bytes in one mebibyte.
const MEBIBYTE: u64 = 1024 * 1024;

/// The part `[store]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Data directory: logs, views and keys. A relative path starts at the working directory.
    pub data: PathBuf,
    /// Size in bytes after which a log continues in a new segment file.
    pub segment_bytes_max: u64,
    /// Bytes of commits made durable by one fsync; a larger commit goes alone.
    pub group_bytes_max: u64,
    /// Commands that may wait for the committer before more are answered with 503.
    pub queue_commands_max: usize,
    /// Memory in bytes for cached blocks and bodies.
    pub cache_bytes: u64,
    /// Events in a chart since its last snapshot before a new one is stored.
    pub snapshot_events_min: u64,
    /// When index terms of erased charts are purged: `at-once`, or a window such as `01:00-05:00`.
    pub purge: String,
    /// What happens to a write whose references to resources of this server lead nowhere.
    pub referential_integrity: ReferentialIntegrity,
    /// Directory with upcasters, `*.toml`: how events are told that are older than they say. Empty: none.
    pub upcasters: String,
}

/// What happens to references that lead nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferentialIntegrity {
    /// They are stored as they are: what they lead to may come later, or never.
    Off,
    /// They are refused.
    Refuse,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./data"),
            segment_bytes_max: 256 * MEBIBYTE,
            group_bytes_max: 8 * MEBIBYTE,
            queue_commands_max: 4096,
            cache_bytes: 256 * MEBIBYTE,
            snapshot_events_min: 128,
            purge: "at-once".to_owned(),
            referential_integrity: ReferentialIntegrity::Off,
            upcasters: String::new(),
        }
    }
}
