//! Sources that were read before: most payloads name the same.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::entry::Source;

/// Sources that are kept in mind at a time.
const SOURCES_MAX: usize = 8_192;

/// Sources by their texts, for who reads many payloads: most of them name the same.
#[derive(Debug)]
pub struct KnownSources(Cache<Box<str>, Arc<Source>>);

impl Default for KnownSources {
    fn default() -> Self {
        Self(Cache::new(SOURCES_MAX))
    }
}

impl KnownSources {
    /// The source of a text; `None`: it is none.
    pub(super) fn read(&self, text: &str) -> Option<Arc<Source>> {
        if let Some(known) = self.0.get(text) {
            return Some(known);
        }
        let source: Arc<Source> = serde_json::from_str(text).ok()?;
        self.0.insert(text.into(), Arc::clone(&source));
        Some(source)
    }
}
