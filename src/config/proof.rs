//! How the logs are proven.

/// The part `[proof]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofConfig {
    /// Name of the logs in their checkpoints; `None`: a random one, chosen at the first start.
    pub origin: Option<String>,
    /// Milliseconds between two checkpoints of a log that grows.
    pub checkpoint_interval_ms: u64,
    /// Where checkpoints are pushed: `folder:`, `webhook:` or `witness:`.
    pub sinks: Vec<String>,
}

impl Default for ProofConfig {
    fn default() -> Self {
        Self { origin: None, checkpoint_interval_ms: 1_000, sinks: Vec::new() }
    }
}
