//! What goes with a chart: the resources of no chart to which it refers, such as those who gave the care, where, and with
//! what (OperationDefinition Patient-everything: "any resource referenced from those, including binaries and
//! attachments").
//!
//! Each passes the same decision as what an `_include` leads to.

use std::collections::{HashSet, VecDeque};

use super::{Limits, RecordsError, Resource, SearchContext};
use crate::auth::{Grant, Permission};
use crate::fhir::definitions::compartment;
use crate::fhir::reference::Reference;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::numbers::Position;
use crate::records::Records;
use crate::records::error::unreadable;
use crate::view::{View, ViewError};

/// Most resources that go with one answer, in all its parts.
const SUPPORTING_MAX: usize = 5_000;

/// Whether resources of a type can go with a chart: they are in the compartment of no patient.
#[must_use]
pub fn is_supporting(kind: ResourceType) -> bool {
    compartment(ResourceType::PATIENT, kind).is_none_or(<[_]>::is_empty)
        && kind != ResourceType::PATIENT
        && kind != ResourceType::AUDIT_EVENT
}

/// What a chart refers to, as far as it was looked at.
#[derive(Debug)]
pub(in crate::records) struct Support<'a> {
    records: &'a Records,
    known: HashSet<ResourceKey>,
    waiting: VecDeque<ResourceKey>,
}

impl<'a> Support<'a> {
    /// Without what an earlier part of the answer has shown.
    pub fn new(records: &'a Records, shown: &HashSet<ResourceKey>) -> Self {
        Self { records, known: shown.clone(), waiting: VecDeque::new() }
    }

    /// Adds what a resource refers to.
    ///
    /// # Errors
    ///
    /// [`ViewError::Costly`] when it is too much.
    pub fn gather(&mut self, resource: &Resource) -> Result<(), RecordsError> {
        let document = Document::parse(resource.body.as_slice()).map_err(|_| unreadable())?;
        for node in document.root().descend().filter(Node::is_object) {
            let Some(key) = self.target(node) else { continue };
            if self.known.insert(key.clone()) {
                self.waiting.push_back(key);
            }
        }
        match self.known.len() > SUPPORTING_MAX {
            true => Err(ViewError::Costly.into()),
            false => Ok(()),
        }
    }

    /// The resource that may go with the chart and to which an element refers.
    fn target(&self, node: Node<'_>) -> Option<ResourceKey> {
        let local = |text: &str| match Reference::parse(text, self.records.base_url()) {
            Reference::Local { key, .. } => Some(key),
            _ => None,
        };
        let reference = node.get_str("reference").and_then(|text| local(&text));
        // An Attachment says only where its content is.
        let attached = || node.get_str("url").and_then(|text| local(&text));
        let key = reference.or_else(|| attached().filter(|key| key.kind == ResourceType::BINARY));
        key.filter(|key| is_supporting(key.kind))
    }

    /// The versions that counted when so many events had happened, of what the caller may read; with what they refer to
    /// themselves.
    ///
    /// # Errors
    ///
    /// As [`Records::search`].
    pub fn resources(
        mut self,
        view: &View,
        grant: &Grant,
        end: Position,
    ) -> Result<Vec<Resource>, RecordsError> {
        let (keys, base_url) = (&self.records.keys, self.records.base_url());
        let limits = Limits::whole(grant.budget());
        let parameters = view.parameters();
        let context =
            SearchContext::new(keys, view, Some(grant), parameters, base_url, end, limits);
        let mut resources = Vec::new();
        while let Some(key) = self.waiting.pop_front() {
            let Some(held) = context.held_as(&key)?.filter(|held| held.charts.is_empty()) else {
                continue;
            };
            if let Some(found) = context.permitted(key.kind, Permission::Read, held)?
                && let Some(opened) = found.open(&context)?
            {
                let resource = opened.resource();
                self.gather(&resource)?;
                resources.push(resource);
            }
        }
        Ok(resources)
    }
}
