//! References that lead nowhere: refused if the store is told to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::resource::Facts;
use super::aim::Aim;
use super::planner::{Planner, Stored};
use super::{Action, Change, Expectation, RecordsError};
use crate::auth::Permission;
use crate::fhir::check::{IssueCode, PROBLEMS_MAX, Problem};
use crate::fhir::reference::Reference;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::{Kind, Node};
use crate::numbers::ResourceVersion;

impl Planner<'_> {
    /// Refuses references to resources of this server that are not there when the commit is done.
    ///
    /// What the token may not read is answered as if it did not exist. A stored Bundle refers to its
    /// own entries and is left alone.
    pub(super) fn refuse_unresolved(
        &mut self,
        changes: &[Change],
        aims: &[Aim],
    ) -> Result<(), RecordsError> {
        let aimed = || changes.iter().zip(aims).filter_map(|(one, aim)| Some((aim.key()?, one)));
        let stays = |change: &Change| !matches!(change.action, Action::Remove);
        let written: HashMap<&ResourceKey, bool> =
            aimed().map(|(key, change)| (key, stays(change))).collect();
        let places: HashMap<&ResourceKey, &str> =
            aimed().map(|(key, change)| (key, change.place.as_str())).collect();
        let mut others = HashMap::new();
        let mut problems = Vec::new();
        let contents = std::mem::take(&mut self.contents);
        let contents = contents.iter().filter(|stored| stored.key.kind != ResourceType::BUNDLE);
        for Stored { key, document, .. } in contents {
            for node in document.root().descend().filter(Node::is_object) {
                let Some(reference) = node.get("reference") else { continue };
                let text = reference.as_str().unwrap_or_default();
                let Reference::Local { key: target, version } =
                    Reference::parse(&text, self.records.base_url())
                else {
                    continue;
                };
                let is_live = match written.get(&target) {
                    Some(is_live) => *is_live,
                    None => match others.entry((target, version)) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(unknown) => {
                            let (target, version) = unknown.key();
                            let is_live = self.is_live(target, *version)?;
                            *unknown.insert(is_live)
                        }
                    },
                };
                if !is_live && problems.len() < PROBLEMS_MAX {
                    let place = places.get(key).copied().unwrap_or_default();
                    problems.push(Problem {
                        code: IssueCode::NotFound,
                        expression: place_of(place, key, document.root(), reference),
                        diagnostics: format!("{text} does not exist"),
                    });
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(RecordsError::Unprocessable(problems)) }
    }

    /// Whether a resource that the request does not change is there, for this caller; the answer
    /// must still be so at the commit.
    pub(super) fn is_live(
        &mut self,
        key: &ResourceKey,
        version: Option<ResourceVersion>,
    ) -> Result<bool, RecordsError> {
        let Ok(rights) = self.grant.rights(key.kind, Permission::Read) else { return Ok(false) };
        let Some(head) = self.view.head(key)?.filter(|head| head.live) else { return Ok(false) };
        if version.is_some_and(|known| known > head.version)
            || !self.records.admits(self.view, self.grant, &rights, key, &Facts::from(&head))?
        {
            return Ok(false);
        }
        self.expectations.push(Expectation::Live(key.clone()));
        Ok(true)
    }
}

/// The FHIRPath of a value within the content of a change.
fn place_of(entry: &str, key: &ResourceKey, content: Node<'_>, value: Node<'_>) -> String {
    let mut place = match entry {
        "" => key.kind.name().to_owned(),
        entry => format!("{entry}.resource"),
    };
    let holds = |node: &Node<'_>| (node.start()..node.end()).contains(&value.start());
    let mut at = content;
    while at.index() != value.index() {
        let step = match at.kind() {
            Kind::Array => {
                let mut items = at.items().enumerate();
                items
                    .find(|(_, item)| holds(item))
                    .map(|(index, item)| (format!("[{index}]"), item))
            }
            _ => {
                let mut members = at.members();
                members.find(|(_, one)| holds(one)).map(|(name, one)| (format!(".{name}"), one))
            }
        };
        let Some((step, node)) = step else { break };
        place.push_str(&step);
        at = node;
    }
    place
}
