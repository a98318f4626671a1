//! Reading the access log: who looked at a chart, and who looked at all.

use crate::auth::{Grant, Permission};
use crate::chart::{AccessEntry, Outcome};
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::{Frame, Group, StreamAlias};
use crate::numbers::Position;
use crate::proof::BundleLog;
use crate::records::{Evidence, Exhibit, Records, RecordsError, bundle, disclosed};
use crate::view::View;

/// An access entry with its place in the log and the names behind its aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its number in the access log.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What it says.
    pub entry: AccessEntry,
    /// The patients whose charts it touched.
    pub patients: Vec<ResourceId>,
    /// The one resource it was about.
    pub resource: Option<ResourceKey>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AccessFilter {
    /// Only of this subject.
    pub actor: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Not before this moment.
    pub since: Option<Instant>,
    /// Before this moment.
    pub until: Option<Instant>,
}

/// Most entries that one page looks through for those that match its filter.
const ENTRIES_SCANNED_MAX: usize = 10_000;

/// Entries newest first from below position `before`, of one chart or of all; and where the
/// next page starts, if there may be one.
///
/// # Errors
///
/// [`RecordsError::Denied`] without `AuditEvent.rs`; [`RecordsError::NotFound`] for no such chart.
pub fn accesses(
    records: &Records,
    grant: &Grant,
    patient: Option<&ResourceId>,
    filter: &AccessFilter,
    before: Position,
    limit: usize,
) -> Result<(Vec<Access>, Option<Position>), RecordsError> {
    let own = grant.reach(ResourceType::AUDIT_EVENT, Permission::Read)?;
    let view = records.view();
    let positions: Box<dyn Iterator<Item = Result<Position, RecordsError>>> = match patient {
        Some(patient) => {
            let alias = audited_chart(records, &view, grant, patient)?;
            Box::new(view.accesses_of_chart(alias, before).map(|one| Ok(one?)))
        }
        None => {
            allow_all(grant)?;
            let last = before.min(view.applied_access()?);
            Box::new((0..last.get()).rev().map(|position| Ok(Position::new(position))))
        }
    };
    let mut accesses = Vec::new();
    let mut group = None;
    for (scanned, position) in positions.enumerate() {
        let position = position?;
        if accesses.len() == limit || scanned == ENTRIES_SCANNED_MAX {
            return Ok((accesses, Some(position.next())));
        }
        let access = access(records, &view, position, &mut group)?;
        if filter.since.is_some_and(|since| access.recorded_at < since) {
            break;
        }
        if filter.admits(&access) {
            accesses.push(match own {
                Some(own) => access.for_patient(own),
                None => access,
            });
        }
    }
    Ok((accesses, None))
}

/// The frames of all access entries from position `first` on.
fn exhibits(
    records: &Records,
    grant: &Grant,
    first: Position,
    limit: usize,
    discloses: bool,
) -> Result<(Vec<Exhibit>, Option<Position>), RecordsError> {
    allow_all(grant)?;
    let view = records.view();
    let end = view.applied_access()?;
    let last = Position::new(first.get().saturating_add(limit as u64)).min(end);
    let mut exhibits = Vec::new();
    let mut group = None;
    for position in (first.get()..last.get()).map(Position::new) {
        let (frame, recorded_at) = access_frame(records, &view, position, &mut group)?;
        let disclosed =
            if discloses { disclosed(records.engine().keys().access(), &frame)? } else { None };
        exhibits.push(Exhibit { position, recorded_at, frame, disclosed });
    }
    Ok((exhibits, (last < end).then_some(last.previous())))
}

fn audited_chart(
    records: &Records,
    view: &View,
    grant: &Grant,
    patient: &ResourceId,
) -> Result<StreamAlias, RecordsError> {
    for permission in [Permission::Read, Permission::Search] {
        let own = grant.reach(ResourceType::AUDIT_EVENT, permission)?;
        if own.is_some_and(|own| own != patient) {
            return Err(grant.denied(permission, "access entries of other patients").into());
        }
    }
    let chart = view.chart(patient)?;
    let alias = chart.ok_or_else(|| records.absent_chart(view, None, patient))?.alias();
    grant.saw_chart(alias);
    Ok(alias)
}

/// The frame of one entry and when it was recorded; `group` keeps the group that the one before was in.
fn access_frame(
    records: &Records,
    view: &View,
    position: Position,
    group: &mut Option<Group>,
) -> Result<(Frame, i64), RecordsError> {
    let holds = |group: &Group| {
        let end = group.first_position + group.frames.len() as u64;
        (group.first_position..end).contains(&position)
    };
    let unreadable = || unreadable(position);
    if !group.as_ref().is_some_and(holds) {
        let location = view.access_group(position)?.ok_or_else(unreadable)?;
        *group = Some(records.engine().access_reader().group(location)?);
    }
    let group = group.as_ref().filter(|group| holds(group)).ok_or_else(unreadable)?;
    let at = usize::try_from(position - group.first_position).unwrap_or(usize::MAX);
    let (frame, _) = group.frames.get(at).cloned().ok_or_else(unreadable)?;
    Ok((frame, group.recorded_at))
}

fn access(
    records: &Records,
    view: &View,
    position: Position,
    group: &mut Option<Group>,
) -> Result<Access, RecordsError> {
    let (frame, recorded_at) = access_frame(records, view, position, group)?;
    let payload = records.engine().keys().access().open(frame.kind, frame.alias, frame.content)?;
    let entry = AccessEntry::decode(&payload).ok_or_else(|| unreadable(position))?;
    let mut patients = Vec::new();
    for alias in entry.aliases() {
        patients.extend(view.patient(alias)?);
    }
    let resource = match entry.resource {
        Some(number) => match view.head_of(number)? {
            Some(head) => Some(records.key_of(view, &head)?),
            None => None,
        },
        None => None,
    };
    let recorded_at = Instant::from_micros(recorded_at);
    Ok(Access { position, recorded_at, entry, patients, resource })
}

/// Evidence of access entries, from behind position `after`, or from the first; with what they
/// say if `disclose`.
///
/// # Errors
///
/// As [`accesses`] for all of them; [`RecordsError::NotFound`] if there are none.
pub fn evidence(
    records: &Records,
    grant: &Grant,
    after: Option<Position>,
    limit: usize,
    disclose: bool,
) -> Result<Evidence, RecordsError> {
    let proof = records.engine().proof(BundleLog::Access)?;
    let first = after.map(Position::next).unwrap_or_default();
    let (exhibits, next) = exhibits(records, grant, first, limit, disclose)?;
    let none = || RecordsError::NotFound(format!("an access entry from position {first} on"));
    bundle(proof, BundleLog::Access, exhibits, next.map(Position::get), none)
}

/// Only who may read and search all access entries.
fn allow_all(grant: &Grant) -> Result<(), RecordsError> {
    for permission in [Permission::Read, Permission::Search] {
        if grant.reach(ResourceType::AUDIT_EVENT, permission)?.is_some() {
            return Err(grant.denied(permission, "all access entries").into());
        }
    }
    Ok(())
}

fn unreadable(position: Position) -> RecordsError {
    RecordsError::unreadable(format!("access entry {position} does not read back"))
}

impl Access {
    /// What a patient may see of it: no other patient, and nothing that could name one.
    fn for_patient(mut self, own: &ResourceId) -> Self {
        if self.patients.iter().any(|patient| patient != own) {
            self.resource = None;
        }
        self.patients.retain(|patient| patient == own);
        if let Some((path, _)) = self.entry.query.split_once('?') {
            self.entry.query = path.to_owned();
        }
        self
    }
}

impl AccessFilter {
    fn admits(&self, access: &Access) -> bool {
        self.actor.as_ref().is_none_or(|wanted| Some(wanted) == access.entry.subject.as_ref())
            && self.outcome.is_none_or(|wanted| wanted == access.entry.outcome)
            && self.until.is_none_or(|until| access.recorded_at < until)
    }
}
