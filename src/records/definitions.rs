//! Search parameters that clients define: stored as SearchParameter resources, and built into the next
//! generation of views.

use super::search::every;
use super::{Records, RecordsError};
use crate::engine::{EngineError, Keys};
use crate::fhir::search::{CUSTOM_CODE_MIN, Definition, escaped};
use crate::fhir::{Parameters, ResourceType};
use crate::view::View;

/// Most search parameters that clients may define; further ones are left out.
const DEFINITIONS_MAX: u16 = 512;
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

/// What the active SearchParameters of this server define beside the standard.
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
    let mut definitions = Vec::new();
    let mut code = CUSTOM_CODE_MIN;
    for document in every(keys, view, ResourceType::SEARCH_PARAMETER, criteria)? {
        let root = document.root();
        if root.get_str("status").as_deref() != Some(ACTIVE) {
            continue;
        }
        let definition = Definition { code, resource: root.text().to_owned() };
        if code - CUSTOM_CODE_MIN < DEFINITIONS_MAX && !definition.parameters().is_empty() {
            definitions.push(definition);
            code += 1;
        }
    }
    Ok(definitions)
}
