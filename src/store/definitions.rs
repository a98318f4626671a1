//! Search parameters that clients define: stored as SearchParameter resources, and built into the next
//! generation of views.

use super::search::every;
use super::{Store, StoreError};
use crate::fhir::search::{CUSTOM_CODE_MIN, Definition, escaped};
use crate::fhir::{Parameters, ResourceType};
use crate::view::View;

/// Most search parameters that clients may define; further ones are left out.
const DEFINITIONS_MAX: u16 = 512;
/// The status of those that count (value set `publication-status`).
const ACTIVE: &str = "active";

impl Store {
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
    pub fn is_being_built(&self, kind: ResourceType, name: &str) -> Result<bool, StoreError> {
        let view = self.views.view();
        let named = [("code".to_owned(), escaped(name))];
        let defined = Parameters::defined_by(&self.defined_where(&view, &named)?);
        Ok(view.parameters().named(kind, name).is_none() && defined.named(kind, name).is_some())
    }

    /// What the active SearchParameters of this server define beside the standard.
    pub(super) fn defined(&self, view: &View) -> Result<Vec<Definition>, StoreError> {
        self.defined_where(view, &[])
    }

    /// The same of those that a search finds.
    fn defined_where(
        &self,
        view: &View,
        criteria: &[(String, String)],
    ) -> Result<Vec<Definition>, StoreError> {
        let mut definitions = Vec::new();
        let mut code = CUSTOM_CODE_MIN;
        for document in every(&self.keys, view, ResourceType::SEARCH_PARAMETER, criteria)? {
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
}
