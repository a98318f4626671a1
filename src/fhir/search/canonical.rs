//! Canonical URLs: FHIR R4 §2.3.0.2.

use super::split::escaped;
use crate::json::Node;

/// A canonical URL, and the version that goes with it: FHIR R4 §2.24.0.1, data type `canonical`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Canonical {
    /// The URL.
    pub url: String,
    /// `version` of the resource; in a reference none for whatever version there is.
    pub version: Option<String>,
}

impl Canonical {
    /// That of a reference.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('|') {
            Some((url, version)) => Self { url: url.to_owned(), version: Some(version.to_owned()) },
            None => Self { url: text.to_owned(), version: None },
        }
    }

    /// What a search for the resource asks: its `url`, and its `version` if one is named.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        let asked = [("url", Some(&self.url)), ("version", self.version.as_ref())].into_iter();
        asked.filter_map(|(name, text)| Some((name.to_owned(), escaped(text?)))).collect()
    }

    /// That of a resource, if it has one.
    #[must_use]
    pub fn of(resource: Node<'_>) -> Option<Self> {
        let text = |name: &str| resource.get_str(name).map(|text| text.into_owned());
        Some(Self { url: text("url")?, version: text("version") })
    }
}
