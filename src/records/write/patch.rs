//! Patching: the new content of a resource, made from the one that the decision meets.

use super::planner::Planner;
use super::weigh::{Before, Content};
use super::{Change, RecordsError};
use crate::auth::Permission;
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::subset::problem_of_part;
use crate::fhir::{Patch, ResourceId, ResourceKey, check, stored};
use crate::json::Document;

impl Planner<'_> {
    /// The resource as the patch would have it: valid, and still the same resource.
    ///
    /// A patch tells what it meets by whether it can be applied. So whoever may not know of the
    /// resource is refused before.
    pub(super) fn patched(
        &self,
        change: &Change,
        key: &ResourceKey,
        patch: &Patch,
        before: Option<&Before>,
    ) -> Result<Document, RecordsError> {
        let rights = self.grant.rights(key.kind, Permission::Update)?;
        let visible = match before {
            Some(before) => self.admits_before(&rights, key, before)?.then_some(before),
            None => None,
        };
        let missing = || match self.records.engine.was_erased(self.view, key) {
            Ok(true) if rights.are_everything() => RecordsError::erased(key.to_string()),
            Ok(_) => RecordsError::NotFound(key.to_string()),
            Err(error) => error.into(),
        };
        let before = visible.ok_or_else(missing)?;
        let version = before.head.version;
        let gone = || RecordsError::Gone { what: key.to_string(), version };
        let (bytes, _) = before.body.as_ref().ok_or_else(gone)?;
        self.refuse_by_version(change, key, Some(before))?;
        let splice = stored::splice_of(bytes).unwrap_or_default();
        let served = stored::serve(bytes, splice, version, &before.head.recorded_at.to_string());
        let refused = |problems| RecordsError::Unprocessable(placed(&change.place, problems));
        let document = patch.apply(served).map_err(|problem| refused(vec![problem]))?;
        let checked = check(Some(key.kind), document.root(), "").map_err(refused)?;
        if let Some(problem) = problem_of_part(document.root(), key.kind.name()) {
            return Err(refused(vec![problem]));
        }
        if checked.id.as_ref() == Some(&key.id) {
            return Ok(document);
        }
        Err(refused(vec![Problem {
            code: IssueCode::Invariant,
            expression: format!("{}.id", key.kind),
            diagnostics: format!("a patch cannot change the id, which is {}", key.id),
        }]))
    }

    /// Whether who patches a resource may be shown what became of it.
    pub(super) fn may_read(
        &self,
        key: &ResourceKey,
        content: Option<&Content>,
    ) -> Result<bool, RecordsError> {
        let Ok(rights) = self.grant.rights(key.kind, Permission::Read) else { return Ok(false) };
        let Some(content) = content else { return Ok(true) };
        let lies_in = |own: &ResourceId| content.patients.contains(own);
        let said = Some(content.document.root());
        Ok(self.grants(&rights, key, lies_in, Instant::now(), said)
            && self.permits(&rights, key, &content.patients, said)?)
    }
}

/// The problems, named by where the request says the patch.
fn placed(place: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
    if !place.is_empty() {
        for problem in &mut problems {
            problem.expression = format!("{place}: {}", problem.expression);
        }
    }
    problems
}
