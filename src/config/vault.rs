//! Where the master key comes from.

use std::path::Path;

/// The part `[vault]` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultConfig {
    /// `file:PATH`, `env:NAME` or `command:COMMAND`; `None`: a file in the data directory.
    pub master_key: Option<String>,
}

impl VaultConfig {
    /// The source of the master key for a data directory.
    #[must_use]
    pub fn master_key(&self, data: &Path) -> String {
        let default = || format!("file:{}", data.join("vault").join("master.key").display());
        self.master_key.clone().unwrap_or_else(default)
    }
}
