//! The synthetic clinic.

/// The part `[demo]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoConfig {
    /// Whether the clinic is loaded at start, unless the store already holds it.
    pub enabled: bool,
    /// Number of patients.
    pub patients: usize,
    /// Seed of the generator: the same seed gives the same bytes.
    pub seed: u64,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self { enabled: false, patients: 25, seed: 1 }
    }
}
