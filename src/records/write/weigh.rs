//! What a change meets, and what it brings.

use super::planner::Planner;
use super::references::References;
use super::{Change, RecordsError};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::stored::StoredForm;
use crate::fhir::{ResourceId, ResourceKey, compartment, status};
use crate::json::{Document, Node};
use crate::view::Head;

/// Most charts in which one resource may lie.
const CHARTS_PER_RESOURCE_MAX: usize = 1_000;

/// New content, ready to be stored.
pub(super) struct Content {
    pub(super) stored: StoredForm,
    pub(super) document: Document,
    pub(super) patients: Vec<ResourceId>,
    pub(super) retracted: bool,
}

impl Content {
    pub(super) fn lies_only_in(&self, own: &ResourceId) -> bool {
        self.patients.as_slice() == std::slice::from_ref(own)
    }
}

/// What a resource is when a change meets it.
pub(super) struct Before {
    pub(super) head: Head,
    pub(super) patients: Vec<ResourceId>,
    /// Stored form and document of the current body, if it has one.
    pub(super) body: Option<(Vec<u8>, Document)>,
}

impl Planner<'_> {
    /// The resource as the view has it; notes that it was looked at.
    pub(super) fn before(&self, key: &ResourceKey) -> Result<Option<Before>, RecordsError> {
        let Some(head) = self.view.head(key)? else { return Ok(None) };
        self.grant.saw_resource(head.id);
        let mut patients = Vec::with_capacity(head.places.len());
        for place in &head.places {
            self.grant.saw_chart(place.alias());
            patients.extend(self.view.patient(place.alias())?);
        }
        let body = if head.live {
            let bytes = self.records.body(self.view, key.kind, head.place)?;
            let document = Document::parse(bytes.as_slice())
                .map_err(|_| RecordsError::unreadable(format!("{key} does not read back")))?;
            Some((bytes, document))
        } else {
            None
        };
        Ok(Some(Before { head, patients, body }))
    }

    /// The content of a change, with its references resolved.
    pub(super) fn content(
        &self,
        change: &Change,
        key: &ResourceKey,
        node: Node<'_>,
        references: &References<'_>,
    ) -> Result<Content, RecordsError> {
        let stored = StoredForm::of(node, &key.id, &|text| {
            references.resolve(change.full_url.as_deref(), text)
        });
        let document = Document::parse(stored.bytes.as_slice())
            .map_err(|error| RecordsError::unreadable(error.to_string()))?;
        let root = document.root();
        let patients = compartment::patients_of(key.kind, root, &key.id, None);
        if patients.len() > CHARTS_PER_RESOURCE_MAX {
            return Err(RecordsError::Invalid(vec![Problem {
                code: IssueCode::TooLong,
                expression: change.place.clone(),
                diagnostics: format!(
                    "the resource refers to {} patients; {CHARTS_PER_RESOURCE_MAX} are allowed",
                    patients.len()
                ),
            }]));
        }
        let retracted = status::is_entered_in_error(root);
        Ok(Content { stored, document, patients, retracted })
    }
}
