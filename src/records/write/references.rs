//! References inside a request: to its own entries, and by criteria.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::search::{Limits, find};
use super::aim::Aim;
use super::{Action, Change, Records, RecordsError};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::reference::{Reference, uuid_name};
use crate::fhir::{Criteria, ResourceKey, ResourceType, parse_query};
use crate::json::{Kind, Node};
use crate::view::View;

/// Bounds the work for references by criteria: comparisons of the request's own contents with them.
const COMPARISONS_MAX: usize = 1_000_000;
/// How many comparisons a resource counts for that was found in the view.
const COMPARISONS_PER_FOUND: usize = 50;

/// What the references of a request stand for.
#[derive(Debug)]
pub struct References<'a> {
    known: HashMap<String, String>,
    /// What the request itself changes, by type; without content: deleted, or known only later.
    own: HashMap<ResourceType, HashMap<&'a ResourceKey, Option<Node<'a>>>>,
    comparisons: usize,
    /// What the evaluation of criteria may cost.
    limits: Limits<'a>,
}

impl<'a> References<'a> {
    fn of(changes: &'a [Change], aims: &'a [Aim], limits: Limits<'a>) -> Self {
        let (known, own, comparisons) = (HashMap::new(), HashMap::new(), 0);
        let mut references = Self { known, own, comparisons, limits };
        for (change, aim) in changes.iter().zip(aims) {
            let Some(key) = aim.key() else { continue };
            if let Some(full_url) = &change.full_url {
                references.known.insert(name_of(full_url).into_owned(), key.to_string());
            }
            if !matches!((aim, &change.action), (Aim::Existing(_), _) | (_, Action::Patch(_))) {
                references.own.entry(key.kind).or_default().insert(key, change.action.content());
            }
        }
        references
    }

    /// The literal reference behind a text, if it is not one already. A relative reference means
    /// the entry of the request with the same base URL as the one that contains the reference, if there is one: R4
    /// §2.36.4.1.
    pub fn resolve(&self, full_url: Option<&str>, text: &str) -> Option<String> {
        if self.known.is_empty() {
            return None;
        }
        let direct = self.known.get(&*name_of(text)).cloned();
        direct.or_else(|| self.known.get(&format!("{}/{text}", beside(full_url?)?)).cloned())
    }

    /// Of what the view has and of what the request changes, the resources that meet criteria then.
    fn meeting(
        &mut self,
        criteria: &Criteria,
        in_view: Vec<ResourceKey>,
        base_url: Option<&str>,
    ) -> Option<Vec<ResourceKey>> {
        let own = self.own.entry(criteria.kind).or_default();
        self.comparisons += own.len() + COMPARISONS_PER_FOUND * in_view.len();
        if self.comparisons > COMPARISONS_MAX {
            return None;
        }
        let meets = |key: &ResourceKey, content: Node<'_>| {
            criteria
                .all
                .iter()
                .all(|one| one.holds_of(key, Instant::now(), content, base_url) == Some(true))
        };
        let stored = own.iter().filter_map(|(key, content)| Some((*key, (*content)?)));
        let stored = stored.filter(|(key, content)| meets(key, *content));
        let mut found: Vec<ResourceKey> = stored.map(|(key, _)| key.clone()).collect();
        found.extend(in_view.into_iter().filter(|key| !own.contains_key(key)));
        Some(found)
    }
}

/// A full URL, and what refers to it, in the form in which they are compared.
fn name_of(text: &str) -> Cow<'_, str> {
    uuid_name(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The base of a full URL that ends in `/Type/id`.
fn beside(full_url: &str) -> Option<&str> {
    let (above, _) = full_url.rsplit_once('/')?;
    above.rsplit_once('/').map(|(base, _)| base).filter(|base| base.contains("://"))
}

impl Records {
    /// Resolves what the changes refer to: `urn:uuid:…` and other full URLs of the request's own
    /// entries (FHIR R4 §3.1.0.11.2), absolute URLs of this server, and conditional references (§3.1.0.11.4),
    /// each of which must find exactly one resource, when all changes are made.
    pub(super) fn references<'a>(
        &self,
        view: &View,
        grant: &Grant,
        changes: &'a [Change],
        aims: &'a [Aim],
        limits: Limits<'a>,
    ) -> Result<References<'a>, RecordsError> {
        let mut references = References::of(changes, aims, limits);
        let mut problems = Vec::new();
        for change in changes {
            let Some(content) = change.action.content() else { continue };
            match self.resolve(view, grant, content, &change.place, &mut references) {
                Err(RecordsError::Invalid(found)) => problems.extend(found),
                other => other?,
            }
        }
        if problems.is_empty() { Ok(references) } else { Err(RecordsError::Invalid(problems)) }
    }

    /// Resolves the references of one content that are not resolved yet.
    pub(super) fn resolve(
        &self,
        view: &View,
        grant: &Grant,
        content: Node<'_>,
        place: &str,
        references: &mut References<'_>,
    ) -> Result<(), RecordsError> {
        let mut problems = Vec::new();
        // A stored Bundle refers to its own entries.
        let is_entry =
            !place.is_empty() && content.get_str("resourceType").as_deref() != Some("Bundle");
        for node in content.descend().filter(|node| node.kind() == Kind::Object) {
            let Some(text) = node.get_str("reference") else { continue };
            // Other texts stay as they are; this question is cheap and rules most out.
            if !text.contains(['?', ':']) || references.known.contains_key(&*name_of(&text)) {
                continue;
            }
            if is_entry && uuid_name(&text).is_some() {
                problems.push(Problem {
                    code: IssueCode::NotFound,
                    expression: place.to_owned(),
                    diagnostics: format!(
                        "the reference \"{text}\" leads nowhere: no entry that is stored together with this one \
                         has that fullUrl"
                    ),
                });
                continue;
            }
            let (kind, query) = match Reference::parse(&text, self.base_url()) {
                Reference::Conditional { kind, query } => (kind, query),
                // A local reference is stored without the server's address, which may change.
                Reference::Local { .. } => {
                    let relative = self.base_url().and_then(|base| text.strip_prefix(base));
                    let relative =
                        relative.map(|relative| relative.trim_start_matches('/').to_owned());
                    references.known.extend(relative.map(|relative| (text.into_owned(), relative)));
                    continue;
                }
                _ => continue,
            };
            match self.by_criteria(view, grant, kind, query, references)? {
                Ok(key) => {
                    references.known.insert(text.to_string(), key.to_string());
                }
                Err(diagnostics) => problems.push(Problem {
                    code: IssueCode::NotFound,
                    expression: place.to_owned(),
                    diagnostics: format!("the reference \"{text}\" {diagnostics}"),
                }),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(RecordsError::Invalid(problems)) }
    }

    fn by_criteria(
        &self,
        view: &View,
        grant: &Grant,
        kind: ResourceType,
        query: &str,
        references: &mut References<'_>,
    ) -> Result<Result<ResourceKey, String>, RecordsError> {
        grant.rights(kind, Permission::Search)?;
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
        // Those that the request changes itself may be left out again.
        let most = 2 + references.own.get(&kind).map_or(0, HashMap::len);
        let found = find(self, view, grant, &criteria, most, references.limits)?;
        let in_view: Result<Vec<_>, _> =
            found.heads.iter().map(|head| self.key_of(view, head)).collect();
        let Some(found) = references.meeting(&found.resolved, in_view?, self.base_url()) else {
            return Ok(Err("is one of too many to compare with the entries".to_owned()));
        };
        Ok(match found.as_slice() {
            [key] => Ok(key.clone()),
            [] => Err("finds nothing; it must find exactly one resource".to_owned()),
            _ => Err("finds several resources; it must find exactly one".to_owned()),
        })
    }
}
