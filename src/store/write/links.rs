//! References inside a request: to its own entries, and by criteria.

use std::collections::HashMap;

use super::super::search::find;
use super::aim::Aim;
use super::{Change, Store, StoreError};
use crate::auth::{Grant, Permission};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::reference::Reference;
use crate::fhir::{Criteria, ResourceKey, ResourceType, parse_query};
use crate::json::{Kind, Node};
use crate::view::View;

/// What the references of a request stand for.
#[derive(Debug, Default)]
pub struct Links(HashMap<String, String>);

impl Links {
    /// The literal reference behind a text, if it is not one already. A relative reference means
    /// the entry of the request that stands beside the one in which it is said, if there is one: R4
    /// §2.36.4.1.
    pub fn resolve(&self, full_url: Option<&str>, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let direct = self.0.get(text).cloned();
        direct.or_else(|| self.0.get(&format!("{}/{text}", beside(full_url?)?)).cloned())
    }
}

/// The base of a full URL that ends in `/Type/id`.
fn beside(full_url: &str) -> Option<&str> {
    let (above, _) = full_url.rsplit_once('/')?;
    above.rsplit_once('/').map(|(base, _)| base).filter(|base| base.contains("://"))
}

impl Store {
    /// Resolves what the changes refer to: `urn:uuid:…` and other full URLs of the request's own
    /// entries (FHIR R4 §3.1.0.11.2), absolute URLs of this server, and conditional references (§3.1.0.11.4), each of which must
    /// find exactly one resource.
    pub(super) fn links(
        &self,
        view: &View,
        grant: &Grant,
        changes: &[Change],
        aims: &[Aim],
    ) -> Result<Links, StoreError> {
        let mut links = Links::default();
        for (change, aim) in changes.iter().zip(aims) {
            if let (Some(full_url), Some(key)) = (&change.full_url, aim.key()) {
                links.0.insert(full_url.clone(), key.to_string());
            }
        }
        let mut problems = Vec::new();
        for change in changes {
            let Some(content) = change.action.content() else { continue };
            match self.resolve(view, grant, content, &change.place, &mut links) {
                Err(StoreError::Invalid(found)) => problems.extend(found),
                other => other?,
            }
        }
        if problems.is_empty() { Ok(links) } else { Err(StoreError::Invalid(problems)) }
    }

    /// Resolves what one content refers to, beside what is resolved already.
    pub(super) fn resolve(
        &self,
        view: &View,
        grant: &Grant,
        content: Node<'_>,
        place: &str,
        links: &mut Links,
    ) -> Result<(), StoreError> {
        let mut problems = Vec::new();
        for node in content.descend().filter(|node| node.kind() == Kind::Object) {
            let Some(text) = node.get_str("reference") else { continue };
            // Other texts stay as they are; this question is cheap and rules most out.
            if !text.contains(['?', ':']) || links.0.contains_key(text.as_ref()) {
                continue;
            }
            let (kind, query) = match Reference::parse(&text, self.base_url()) {
                Reference::Conditional { kind, query } => (kind, query),
                // A local reference is stored without the server's address, which may change.
                Reference::Local { .. } => {
                    let relative = self.base_url().and_then(|base| text.strip_prefix(base));
                    let relative =
                        relative.map(|relative| relative.trim_start_matches('/').to_owned());
                    links.0.extend(relative.map(|relative| (text.into_owned(), relative)));
                    continue;
                }
                _ => continue,
            };
            match self.by_criteria(view, grant, kind, query)? {
                Ok(key) => {
                    links.0.insert(text.to_string(), key.to_string());
                }
                Err(diagnostics) => problems.push(Problem {
                    code: IssueCode::NotFound,
                    expression: place.to_owned(),
                    diagnostics: format!("the reference \"{text}\" {diagnostics}"),
                }),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(StoreError::Invalid(problems)) }
    }

    fn by_criteria(
        &self,
        view: &View,
        grant: &Grant,
        kind: ResourceType,
        query: &str,
    ) -> Result<Result<ResourceKey, String>, StoreError> {
        if grant.reach(kind, Permission::Search)?.is_some() {
            return Err(grant.denied(Permission::Search, "resources outside the own chart").into());
        }
        let pairs = match parse_query(query) {
            Ok(pairs) => pairs,
            Err(error) => return Ok(Err(format!("cannot be read: {error}"))),
        };
        let criteria = match Criteria::parse(view.parameters(), kind, &pairs, self.base_url()) {
            Ok(criteria) => criteria,
            Err(problems) => {
                let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return Ok(Err(format!("cannot be read: {}", texts.join("; "))));
            }
        };
        let found = find(&self.keys, view, Some(grant), &criteria)?;
        Ok(match found.as_slice() {
            [head] => Ok(self.key_of(view, head)?),
            [] => Err("finds nothing; it must find exactly one resource".to_owned()),
            _ => Err("finds several resources; it must find exactly one".to_owned()),
        })
    }
}
