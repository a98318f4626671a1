//! Search parameters that a write defines, changes or withdraws: who may, and what can be carried out.
//!
//! Such a write changes how everything is indexed, so it takes a scope by name; and what cannot be
//! carried out is refused when it is stored, not found out when somebody searches. A SearchParameter
//! that is not active is a resource like others.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::definitions::{DEFINITIONS_MAX, active_definitions, is_active};
use super::planner::{Planner, Redefined};
use super::weigh::{Before, Content};
use super::{Action, Change, RecordsError};
use crate::auth::Permission;
use crate::fhir::check::{IssueCode, PROBLEMS_MAX, Problem};
use crate::fhir::search::{CUSTOM_CODE_MIN, SearchParameter};
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::{Document, Node};

impl Planner<'_> {
    /// Notes that a SearchParameter changes, and refuses it to those who have no scope for that by
    /// name.
    pub(super) fn redefine(
        &mut self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
        content: Option<&Content>,
    ) -> Result<(), RecordsError> {
        if key.kind != ResourceType::SEARCH_PARAMETER {
            return Ok(());
        }
        let body = before.and_then(|before| before.body.as_ref());
        let was_active = body.is_some_and(|(_, document)| is_active(document.root()));
        let content = content.filter(|content| is_active(content.document.root()));
        if was_active || content.is_some() {
            let permission = match (&change.action, body) {
                (Action::Remove, _) => Permission::Delete,
                (_, Some(_)) => Permission::Update,
                (_, None) => Permission::Create,
            };
            self.grant.may(key.kind.name(), permission)?;
        }
        let resource = content.map(|content| Document::parse(content.stored.bytes.as_slice()));
        let resource = resource
            .transpose()
            .map_err(|_| RecordsError::unreadable(format!("{key} does not read back")))?;
        self.redefined.push(Redefined { place: change.place.clone(), key: key.clone(), resource });
        Ok(())
    }

    /// Refuses search parameters that this server cannot carry out, whose names are taken, or that are
    /// more than it keeps.
    pub(super) fn refuse_definitions(&self) -> Result<(), RecordsError> {
        if self.redefined.iter().all(|one| one.resource.is_none()) {
            return Ok(());
        }
        let mut kept = self.kept_definitions()?;
        let mut problems = Vec::new();
        for Redefined { place, key, resource } in &self.redefined {
            let Some(resource) = resource else { continue };
            for mut problem in kept.add(key.to_string(), resource.root()).err().unwrap_or_default()
            {
                if !place.is_empty() {
                    let element = problem.expression.trim_start_matches(key.kind.name());
                    problem.expression = format!("{place}.resource{element}");
                }
                problems.push(problem);
            }
            if kept.count > DEFINITIONS_MAX || problems.len() >= PROBLEMS_MAX {
                break;
            }
        }
        problems.truncate(PROBLEMS_MAX);
        if problems.is_empty() { Ok(()) } else { Err(RecordsError::Unprocessable(problems)) }
    }

    /// The definitions that this write does not change.
    fn kept_definitions(&self) -> Result<Definitions, RecordsError> {
        let changed = |id: &str| self.redefined.iter().any(|one| one.key.id.as_str() == id);
        let mut kept = Definitions::default();
        for document in active_definitions(&self.records.keys, self.view, &[])? {
            let id = document.root().get_str("id").unwrap_or_default();
            if !changed(&id) {
                // What is stored already is not judged again.
                let _ = kept.add(format!("SearchParameter/{id}"), document.root());
            }
        }
        Ok(kept)
    }
}

/// The search parameters that are defined in addition to the standard.
#[derive(Default)]
struct Definitions {
    count: usize,
    /// Which resource has taken a name on a type.
    taken: HashMap<(ResourceType, Cow<'static, str>), String>,
}

impl Definitions {
    /// Takes one more, or says why not.
    fn add(&mut self, owner: String, resource: Node<'_>) -> Result<(), Vec<Problem>> {
        let refused = |code, place: &str, diagnostics| {
            Err(vec![Problem { code, expression: place.to_owned(), diagnostics }])
        };
        let defined = SearchParameter::defined_by(resource, CUSTOM_CODE_MIN)?;
        let names = defined.into_iter().map(|(kind, parameter)| (kind, parameter.name));
        let names: Vec<_> = names.collect();
        for name in &names {
            if let Some(other) = self.taken.get(name) {
                let (kind, name) = name;
                let diagnostics =
                    format!("{kind} has a search parameter \"{name}\" already: {other}");
                return refused(IssueCode::Value, "SearchParameter.code", diagnostics);
            }
        }
        self.count += usize::from(!names.is_empty());
        if self.count > DEFINITIONS_MAX {
            let diagnostics = format!(
                "no more than {DEFINITIONS_MAX} search parameters can be defined; retire or delete those \
                 that nobody needs"
            );
            return refused(IssueCode::TooLong, "SearchParameter", diagnostics);
        }
        self.taken.extend(names.into_iter().map(|name| (name, owner.clone())));
        Ok(())
    }
}
