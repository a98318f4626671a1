//! What a write must not do.

use std::collections::HashMap;

use super::super::reserved::is_reserved;
use super::aim::Aim;
use super::planner::Planner;
use super::weigh::{Before, Content};
use super::{Action, Change, Records, RecordsError, Target, Versions};
use crate::auth::{Grant, Granted, Permission, Rights};
use crate::chart::{Drafted, EventKind};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{Criteria, ResourceId, ResourceKey, ResourceType};
use crate::json::Node;

/// What a caller with one chart is denied.
const OUTSIDE: &str = "resources outside the own chart";
/// What a caller is denied by policies and Consents.
const NOT_PERMITTED: &str = "such a resource, by the policies of this server";
/// What a caller is denied whose scopes are restricted.
const NOT_GRANTED: &str = "resources other than those that the scope is restricted to";

impl Records {
    /// Refuses who may write no resource of a type, whatever it says.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`].
    pub fn may_write(&self, grant: &Grant, kind: ResourceType) -> Result<(), RecordsError> {
        if grant.rights(kind, Permission::Create).is_err() {
            grant.rights(kind, Permission::Update)?;
        }
        Ok(())
    }

    /// Refuses who may delete no resource of a type.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`].
    pub fn may_delete(&self, grant: &Grant, kind: ResourceType) -> Result<(), RecordsError> {
        Ok(grant.rights(kind, Permission::Delete).map(drop)?)
    }
}

impl Planner<'_> {
    /// Refuses, before anything is looked up, what no scope of the token can allow.
    pub(super) fn refuse_by_type(&self, change: &Change) -> Result<(), RecordsError> {
        let (kind, is_searched) = match &change.target {
            Target::Key(key) => (key.kind, false),
            Target::New(kind, criteria) => (*kind, criteria.is_some()),
            Target::Found(kind, ..) => (*kind, true),
        };
        match (&change.target, &change.action) {
            (_, Action::Remove) => self.grant.rights(kind, Permission::Delete).map(drop)?,
            (_, Action::Patch(_)) => self.grant.rights(kind, Permission::Update).map(drop)?,
            (Target::New(..), Action::Put(..)) => {
                self.grant.rights(kind, Permission::Create).map(drop)?;
            }
            (_, Action::Put(..)) => self.records.may_write(self.grant, kind)?,
        }
        if is_searched {
            self.grant.rights(kind, Permission::Search)?;
        }
        Ok(())
    }

    pub(super) fn refuse_by_version(
        &self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
    ) -> Result<(), RecordsError> {
        let live = before.filter(|before| before.head.live).map(|before| before.head.version);
        let names = |versions: &&Versions| live.is_some_and(|live| versions.name(live));
        let missed = change.if_match.as_ref().filter(|versions| !names(versions));
        let hit = change.if_none_match.as_ref().filter(names);
        let reason = match (missed, hit, live) {
            (Some(named), _, Some(live)) => {
                format!("If-Match says {named}, {key} is at version {live}")
            }
            (Some(named), _, None) => format!("If-Match says {named}, {key} does not exist"),
            (None, Some(named), _) => {
                let version = live.unwrap_or_default();
                format!("If-None-Match says {named}, {key} exists, at version {version}")
            }
            (None, None, _) => return Ok(()),
        };
        Err(RecordsError::Precondition { place: change.place.clone(), reason })
    }

    /// Refuses what the caller has no right on as it is, or would have none on as it would be then.
    pub(super) fn refuse_by_chart(
        &self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
        content: Option<&Content>,
    ) -> Result<(), RecordsError> {
        if is_reserved(key) && !self.grant.is_of_server() {
            let what = "what the server alone writes about access";
            return Err(self.grant.denied(Permission::Update, what).into());
        }
        if let Some(content) = content {
            self.refuse_content_elsewhere(key, content)?;
        }
        let live = before.filter(|before| before.head.live);
        let permission = match (&change.action, live) {
            (Action::Remove, _) => Permission::Delete,
            (Action::Put(..), Some(_)) | (Action::Patch(_), _) => Permission::Update,
            (Action::Put(..), None) => Permission::Create,
        };
        let rights = self.grant.rights(key.kind, permission)?;
        // A foreign resource is answered as one that does not exist.
        let foreign = match before {
            Some(before) => !self.admits_before(&rights, key, before)?,
            None => !rights.are_everything() && content.is_none(),
        };
        if foreign {
            self.refuse_by_version(change, key, None)?;
            return Err(RecordsError::NotFound(key.to_string()));
        }
        let Some(content) = content else {
            return live.map_or(Ok(()), |live| refuse_elsewhere(change, key, &live.patients));
        };
        if !self.admits_content(&rights, key, content)? {
            return Err(self.not_granted(&rights, permission));
        }
        refuse_elsewhere(change, key, &content.patients)
    }

    /// Whether the caller has a right on a resource as it is.
    pub(super) fn admits_before(
        &self,
        rights: &Rights<'_>,
        key: &ResourceKey,
        before: &Before,
    ) -> Result<bool, RecordsError> {
        let content = before.body.as_ref().map(|(_, document)| document.root());
        let lies_in = |own: &ResourceId| before.patients.contains(own);
        let (patients, recorded_at) = (&before.patients, before.head.recorded_at);
        Ok(self.grants(rights, key, lies_in, recorded_at, content)
            && self.permits(rights, key, patients, content)?)
    }

    /// Whether the caller has a right on a resource as it would be.
    fn admits_content(
        &self,
        rights: &Rights<'_>,
        key: &ResourceKey,
        content: &Content,
    ) -> Result<bool, RecordsError> {
        let lies_in = |own: &ResourceId| content.lies_only_in(own);
        let said = Some(content.document.root());
        Ok(self.grants(rights, key, lies_in, Instant::now(), said)
            && self.permits(rights, key, &content.patients, said)?)
    }

    /// Whether the rules permit it in each of the charts that a resource lies in: what somebody changes in one changes it in
    /// all of them.
    pub(super) fn permits(
        &self,
        rights: &Rights<'_>,
        key: &ResourceKey,
        patients: &[ResourceId],
        content: Option<Node<'_>>,
    ) -> Result<bool, RecordsError> {
        let Some(inquiry) = rights.rules else { return Ok(true) };
        let ground = self.records.ground(self.view);
        let mut stands = Vec::with_capacity(patients.len().max(1));
        for patient in patients {
            stands.push(match self.view.chart(patient)? {
                Some(chart) => ground.stand(inquiry, key.kind, &[chart.alias()])?,
                None => ground.stand_in_no_chart_yet(inquiry),
            });
        }
        if patients.is_empty() {
            stands.push(ground.stand(inquiry, key.kind, &[])?);
        }
        Ok(stands.iter().all(|stand| {
            let permits = || content.is_some_and(|content| stand.permits(key, content));
            stand.decided().unwrap_or_else(permits)
        }))
    }

    /// Whether the scopes grant a resource that lies in some charts and says something since a moment. A deletion
    /// says nothing.
    pub(super) fn grants(
        &self,
        rights: &Rights<'_>,
        key: &ResourceKey,
        lies_in: impl Fn(&ResourceId) -> bool,
        recorded_at: Instant,
        content: Option<Node<'_>>,
    ) -> bool {
        let base_url = self.records.base_url();
        rights.granted.admits(lies_in, |criterion| {
            let holds =
                content.and_then(|node| criterion.holds_of(key, recorded_at, node, base_url));
            holds == Some(true)
        })
    }

    fn not_granted(&self, rights: &Rights<'_>, permission: Permission) -> RecordsError {
        let what = match rights.own_chart() {
            Some(_) => OUTSIDE,
            None if rights.granted == Granted::Everything => NOT_PERMITTED,
            None => NOT_GRANTED,
        };
        self.grant.denied(permission, what).into()
    }

    /// Refuses content that the caller may write nowhere, with the same words whether the resource
    /// exists or not.
    pub(super) fn refuse_content_elsewhere(
        &self,
        key: &ResourceKey,
        content: &Content,
    ) -> Result<(), RecordsError> {
        let reaches = [Permission::Create, Permission::Update]
            .map(|permission| self.grant.rights(key.kind, permission));
        let mut reaches = reaches.iter().flatten().peekable();
        let Some(first) = reaches.peek().copied() else { return Ok(()) };
        for rights in reaches {
            if self.admits_content(rights, key, content)? {
                return Ok(());
            }
        }
        Err(self.not_granted(first, Permission::Update))
    }
}

/// Refuses to change one of some versions of what the criteria do not find.
pub(super) fn refuse_by_absence(change: &Change) -> Result<(), RecordsError> {
    if change.if_match.is_none() {
        return Ok(());
    }
    let reason = "If-Match: the criteria find nothing".to_owned();
    Err(RecordsError::Precondition { place: change.place.clone(), reason })
}

/// Refuses a request that says two things about one resource.
pub(super) fn refuse_repeated(changes: &[Change], aims: &[Aim]) -> Result<(), RecordsError> {
    let mut seen: HashMap<&ResourceKey, &str> = HashMap::with_capacity(aims.len());
    let repeated = changes.iter().zip(aims).filter_map(|(change, aim)| match aim {
        // Conditional creations may find the same resource as others; they do not change it.
        Aim::Existing(_) | Aim::Nothing => None,
        Aim::Resource(key) | Aim::New(key) => {
            seen.insert(key, &change.place).map(|first| (change, key, first))
        }
    });
    let problem = |(change, key, first): (&Change, &ResourceKey, &str)| Problem {
        code: IssueCode::Invariant,
        expression: change.place.clone(),
        diagnostics: format!("{key} is changed twice in one request: {first} changes it too"),
    };
    let problems: Vec<Problem> = repeated.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(RecordsError::Invalid(problems)) }
}

/// Refuses two creations under the same condition that found nothing: each would make the other's
/// condition untrue.
// A compiled pattern of an expression keeps memory to work in; criteria compare by their text.
#[allow(clippy::mutable_key_type)]
pub(super) fn refuse_ambiguous(changes: &[Change], aims: &[Aim]) -> Result<(), RecordsError> {
    let mut seen: HashMap<&Criteria, &str> = HashMap::new();
    let mut problems = Vec::new();
    for (change, aim) in changes.iter().zip(aims) {
        let Aim::New(_) = aim else { continue };
        let (Target::New(_, Some(criteria)) | Target::Found(_, criteria, _)) = &change.target
        else {
            continue;
        };
        if let Some(first) = seen.insert(criteria, &change.place) {
            problems.push(Problem {
                code: IssueCode::Invariant,
                expression: change.place.clone(),
                diagnostics: format!("its criteria are those of {first}, and find nothing yet"),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(RecordsError::Invalid(problems)) }
}

/// Refuses a change to what lies outside the one chart that the request is about.
fn refuse_elsewhere(
    change: &Change,
    key: &ResourceKey,
    patients: &[ResourceId],
) -> Result<(), RecordsError> {
    match &change.within {
        Some(within) if !patients.contains(within) => Err(RecordsError::Invalid(vec![Problem {
            code: IssueCode::Invariant,
            expression: change.place.clone(),
            diagnostics: format!("{key} does not belong to the chart of patient {within}"),
        }])),
        _ => Ok(()),
    }
}

/// Refuses a change that is something else than the request said.
pub(super) fn refuse_undeclared(
    change: &Change,
    key: &ResourceKey,
    drafted: &[Drafted],
) -> Result<(), RecordsError> {
    let Some(declared) = change.declared else { return Ok(()) };
    let actual = drafted.first().map(|draft| draft.event_kind);
    // A resource that comes from another chart is amended, and in doing so moves.
    let moves = actual == Some(EventKind::MovedIn)
        && matches!(declared, EventKind::Amended | EventKind::Retracted);
    if actual.is_none() || actual == Some(declared) || moves {
        return Ok(());
    }
    let reason = format!(
        "the event says that {key} is {}, but it would be {}",
        declared.word(),
        actual.map_or("unchanged", EventKind::word)
    );
    Err(RecordsError::Conflict { place: change.place.clone(), reason })
}
