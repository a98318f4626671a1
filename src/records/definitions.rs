//! Search parameters that clients define: stored as SearchParameter resources, and built into the next
//! generation of views.

use super::search::every;
use super::{Records, RecordsError};
use crate::engine::{EngineError, Keys};
use crate::fhir::search::{CUSTOM_CODE_MIN, Definition, SearchParameter, escaped};
use crate::fhir::{Parameters, ResourceType};
use crate::json::{Document, Node};
use crate::view::View;

/// Most SearchParameters that may be active: each is a part of all that is indexed, for ever.
pub(super) const DEFINITIONS_MAX: usize = 512;
/// The status of those that count (value set `publication-status`).
const ACTIVE: &str = "active";

impl Records {
    /// All search parameters that can be searched by.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.views.serving().parameters().clone()
    }

    /// Whether a search parameter is defined, but still being built.
    ///
    /// # Errors
    ///
    /// The views' and the log's.
    pub fn is_being_built(&self, kind: ResourceType, name: &str) -> Result<bool, RecordsError> {
        let view = self.views.view();
        let named = [("code".to_owned(), escaped(name))];
        let defined = Parameters::defined_by(&defined_where(&self.keys, &view, &named)?);
        Ok(view.parameters().named(kind, name).is_none() && defined.named(kind, name).is_some())
    }
}

/// What the active SearchParameters of this server define in addition to the standard.
pub(super) fn defined(keys: &Keys, view: &View) -> Result<Vec<Definition>, EngineError> {
    match defined_where(keys, view, &[]) {
        Ok(definitions) => Ok(definitions),
        Err(RecordsError::Engine(error)) => Err(error),
        Err(error) => Err(EngineError::Unreadable(error.to_string())),
    }
}

/// The same of those that a search finds.
fn defined_where(
    keys: &Keys,
    view: &View,
    criteria: &[(String, String)],
) -> Result<Vec<Definition>, RecordsError> {
    let mut documents = active_definitions(keys, view, criteria)?;
    documents.retain(|document| {
        let defined = SearchParameter::defined_by(document.root(), CUSTOM_CODE_MIN);
        defined.is_ok_and(|defined| !defined.is_empty())
    });
    let documents = documents.iter().zip(CUSTOM_CODE_MIN..=u16::MAX);
    let definition = |(document, code): (&Document, u16)| Definition {
        code,
        resource: document.root().text().to_owned(),
    };
    Ok(documents.map(definition).collect())
}

/// The active SearchParameters that a search finds.
pub(super) fn active_definitions(
    keys: &Keys,
    view: &View,
    criteria: &[(String, String)],
) -> Result<Vec<Document>, RecordsError> {
    let mut found = every(keys, view, ResourceType::SEARCH_PARAMETER, criteria)?;
    found.retain(|document| is_active(document.root()));
    Ok(found)
}

/// Whether a SearchParameter counts.
pub(super) fn is_active(resource: Node<'_>) -> bool {
    resource.get_str("status").as_deref() == Some(ACTIVE)
}
