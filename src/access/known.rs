//! Sources that were read before: most payloads name the same.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::Source;

/// Sources that are kept in mind at a time.
const SOURCES_MAX: usize = 8_192;

/// Sources by their texts, for who reads many payloads: most of them name the same.
#[derive(Debug, Default)]
pub struct KnownSources(HashMap<Box<str>, Arc<Source>>);

impl KnownSources {
    /// The source of a text; `None`: it is none.
    pub(super) fn read(&mut self, text: &str) -> Option<Arc<Source>> {
        if let Some(known) = self.0.get(text) {
            return Some(Arc::clone(known));
        }
        if self.0.len() == SOURCES_MAX {
            self.0.clear();
        }
        let source: Arc<Source> = serde_json::from_str(text).ok()?;
        self.0.insert(text.into(), Arc::clone(&source));
        Some(source)
    }
}
