//! Reading charts: now, at any past version or moment, their events, and what changed between.

use std::collections::BTreeMap;

use super::error::unreadable;
use super::evidence::{self, Exhibit};
use super::resource::PAGE_BYTES_MAX;
use super::{Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::chart::{Actor, Envelope, EventType, Stated};
use crate::clock::Instant;
use crate::engine::{EngineError, Settled};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, EventId, Position, ResourceVersion, Step};
use crate::view::{ChartRecord, StreamEntry, View};

/// Which state of a chart is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The current one.
    Now,
    /// After the event with that number.
    Version(ChartVersion),
    /// The one that a reader had at that moment.
    Moment(Settled),
}

/// A chart at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Whose.
    pub patient: ResourceId,
    /// The version; 0 before the first event.
    pub version: ChartVersion,
    /// When that version's event was recorded; `None` before the first.
    pub recorded_at: Option<Instant>,
    /// What the chart held, in the order in which the bodies were recorded.
    pub resources: Vec<Resource>,
}

/// One event of a chart, with who and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartEvent {
    /// Its number in the chart.
    pub version: ChartVersion,
    /// Its number in the whole log.
    pub position: Position,
    /// Which part of what is told of that event; 0: what it says of its own resource.
    pub part: u8,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Who caused it.
    pub actor: Actor,
    /// What it says.
    pub envelope: Envelope,
    /// The resource's version that it brings; 0 for events about the chart alone.
    pub resource_version: ResourceVersion,
    /// The content that the chart holds from this event on, if it brings one.
    pub resource: Option<Resource>,
}

impl ChartEvent {
    /// How access entries name it.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId::of(self.position, self.part)
    }
}

/// Which events of a chart are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only this type of event.
    pub event_type: Option<EventType>,
    /// Only events about this resource.
    pub resource: Option<ResourceKey>,
    /// Only events caused by this subject.
    pub actor: Option<String>,
    /// Not before this moment.
    pub since: Option<Instant>,
    /// Before this moment.
    pub until: Option<Instant>,
}

/// What happened to one resource between two versions of its chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which resource.
    pub key: ResourceKey,
    /// What the first version held.
    pub before: Option<Resource>,
    /// What the second version held.
    pub after: Option<Resource>,
}

/// Most events that one page looks through for those that match its filter.
const EVENTS_SCANNED_MAX: usize = 10_000;

impl Records {
    /// A chart at a version or moment, with the resources that the caller may read. `only`
    /// restricts it to some types.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`] when the caller may read nothing in it; [`RecordsError::NotFound`].
    pub fn chart(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        at: At,
        only: Option<&[ResourceType]>,
    ) -> Result<Chart, RecordsError> {
        let (view, record) = self.open_chart(grant, patient)?;
        let version = resolve(&view, &record, patient, at)?;
        let mut resources = Vec::new();
        for resource in self.held(&view, grant, &record, version)? {
            let is_wanted = only.is_none_or(|only| only.contains(&resource.key.kind));
            if is_wanted && self.may_show(&view, grant, &resource, patient, &record)? {
                resources.push(resource);
            }
        }
        let recorded_at =
            view.stream_entry(record.alias(), version)?.map(|entry| entry.recorded_at);
        Ok(Chart { patient: patient.clone(), version, recorded_at, resources })
    }

    /// The version of a chart, without its content: enough for a conditional read.
    ///
    /// # Errors
    ///
    /// As [`Records::chart`].
    pub fn chart_version(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        at: At,
    ) -> Result<ChartVersion, RecordsError> {
        let (view, record) = self.open_chart(grant, patient)?;
        resolve(&view, &record, patient, at)
    }

    /// The events of a chart that match, from above version `after`; and where the next page
    /// starts, if there may be one.
    ///
    /// # Errors
    ///
    /// As [`Records::chart`].
    pub fn events(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        filter: &EventFilter,
        after: ChartVersion,
        limit: usize,
    ) -> Result<(Vec<ChartEvent>, Option<ChartVersion>), RecordsError> {
        let (view, record) = self.open_chart(grant, patient)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        let entries = view.stream(record.alias(), after.next(), record.version)?;
        for (scanned, entry) in entries.enumerate() {
            let entry = entry?;
            let (version, is_part) = (entry.version, entry.place.part > 0);
            let is_past = filter.until.is_some_and(|until| entry.recorded_at >= until);
            if is_past {
                break;
            }
            // The parts of an event are on its page.
            if is_part {
            } else if events.len() == limit
                || bytes >= PAGE_BYTES_MAX
                || scanned == EVENTS_SCANNED_MAX
            {
                return Ok((events, Some(version.previous())));
            }
            if filter.since.is_some_and(|since| entry.recorded_at < since) {
                continue;
            }
            let Some(event) = self.event(&view, grant, record.alias(), &entry)? else { continue };
            if filter.admits(&event)
                && self.may_tell(
                    &view,
                    grant,
                    &event.envelope,
                    &event.resource,
                    patient,
                    &record,
                )?
            {
                bytes += event.resource.as_ref().map_or(0, |resource| resource.body.len());
                events.push(event);
            }
        }
        Ok((events, None))
    }

    /// The frames of the events of a chart that the caller may read, from above version `after`.
    pub(super) fn chart_exhibits(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        after: ChartVersion,
        limit: usize,
        disclose: bool,
    ) -> Result<(Vec<Exhibit>, Option<ChartVersion>), RecordsError> {
        let (view, record) = self.open_chart(grant, patient)?;
        let mut exhibits = Vec::new();
        let entries = view.stream(record.alias(), after.next(), record.version)?;
        for (scanned, entry) in entries.enumerate() {
            let entry = entry?;
            let version = entry.version;
            // The evidence of a part is that of its event.
            if entry.place.part > 0 {
                continue;
            }
            if exhibits.len() == limit || scanned == EVENTS_SCANNED_MAX {
                return Ok((exhibits, Some(version.previous())));
            }
            let (envelope, _) = self.keys.written(&view, entry.place.location)?;
            let resource = self.resource_of(&view, grant, &entry)?;
            if !self.may_tell(&view, grant, &envelope, &resource, patient, &record)? {
                continue;
            }
            let frame = self.keys.reader().frame(entry.place.location)?;
            let disclosed = if disclose {
                let key = self.keys.of(&view, frame.alias)?;
                evidence::disclosed(&frame, |frame| {
                    Ok(key.disclose(frame.kind, frame.alias, frame.content)?)
                })?
            } else {
                None
            };
            if disclosed.is_some() {
                grant.showed(EventId::of(entry.position, 0));
            }
            let (position, recorded_at) = (entry.position, entry.recorded_at.micros());
            exhibits.push(Exhibit { position, recorded_at, frame, disclosed });
        }
        Ok((exhibits, None))
    }

    /// What changed in a chart between two states, one entry per resource, by type and id.
    ///
    /// # Errors
    ///
    /// As [`Records::chart`].
    pub fn difference(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        from: At,
        to: At,
    ) -> Result<(ChartVersion, ChartVersion, Vec<Difference>), RecordsError> {
        let (view, record) = self.open_chart(grant, patient)?;
        let from = resolve(&view, &record, patient, from)?;
        let to = resolve(&view, &record, patient, to)?;
        let held = |version| -> Result<Vec<Step>, RecordsError> {
            Ok(view.manifest(record.alias(), version)?.steps().collect())
        };
        let (first, second) = (held(from)?, held(to)?);
        let mut changes: BTreeMap<ResourceKey, Difference> = BTreeMap::new();
        let changed = |these: &[Step], those: &[Step]| -> Vec<Step> {
            these.iter().filter(|one| those.binary_search(one).is_err()).copied().collect()
        };
        for (steps, is_before) in
            [(changed(&first, &second), true), (changed(&second, &first), false)]
        {
            for step in steps {
                let Some(resource) = self.held_by(&view, grant, &record, step)? else {
                    continue;
                };
                if !self.may_show(&view, grant, &resource, patient, &record)? {
                    continue;
                }
                let key = resource.key.clone();
                let entry = changes.entry(key.clone());
                let change = entry.or_insert(Difference { key, before: None, after: None });
                *(if is_before { &mut change.before } else { &mut change.after }) = Some(resource);
            }
        }
        Ok((from, to, changes.into_values().collect()))
    }

    fn held(
        &self,
        view: &View,
        grant: &Grant,
        record: &ChartRecord,
        version: ChartVersion,
    ) -> Result<Vec<Resource>, RecordsError> {
        let manifest = view.manifest(record.alias(), version)?;
        let mut resources = Vec::with_capacity(manifest.len());
        // Neighbours in the stream are neighbours on disk: walk it unless most of it is history.
        if manifest.len() as u64 >= version.get() / 8 {
            for entry in view.stream_of(record.alias(), manifest.steps()) {
                let entry = entry?;
                resources.extend(self.resource_of(view, grant, &entry)?);
            }
        } else {
            for at in manifest.steps() {
                resources.extend(self.held_by(view, grant, record, at)?);
            }
        }
        Ok(resources)
    }

    fn held_by(
        &self,
        view: &View,
        grant: &Grant,
        record: &ChartRecord,
        step: Step,
    ) -> Result<Option<Resource>, RecordsError> {
        match view.entry_at(record.alias(), step)? {
            Some(entry) => self.resource_of(view, grant, &entry),
            None => Ok(None),
        }
    }

    pub(super) fn resource_of(
        &self,
        view: &View,
        grant: &Grant,
        entry: &StreamEntry,
    ) -> Result<Option<Resource>, RecordsError> {
        let Some(at) = entry.body() else { return Ok(None) };
        let (envelope, body) = match self.keys.read_event(view, at) {
            // It went with the chart that it was at home in.
            Err(EngineError::Erased(_)) => return Ok(None),
            read => read?,
        };
        grant.budget().open(body.len())?;
        let key = envelope.key().ok_or_else(unreadable)?;
        let (version, recorded_at) = (entry.resource_version, entry.recorded_at);
        let event = Some(entry.home);
        Ok(Some(Resource { key, version, recorded_at, event, body }))
    }

    fn event(
        &self,
        view: &View,
        grant: &Grant,
        alias: StreamAlias,
        entry: &StreamEntry,
    ) -> Result<Option<ChartEvent>, RecordsError> {
        if entry.is_dropped {
            return Ok(None);
        }
        let (envelope, _) = self.keys.read_event(view, entry.place)?;
        Ok(Some(ChartEvent {
            version: entry.version,
            position: entry.position,
            part: entry.place.part,
            recorded_at: entry.recorded_at,
            actor: *self.actor_of(view, alias, entry, &envelope)?,
            envelope,
            resource_version: entry.resource_version,
            resource: self.resource_of(view, grant, entry)?,
        }))
    }

    /// Who caused an event of a chart, or the event that it is a part of.
    fn actor_of(
        &self,
        view: &View,
        alias: StreamAlias,
        entry: &StreamEntry,
        envelope: &Envelope,
    ) -> Result<Box<Actor>, RecordsError> {
        if entry.place.part == 0 {
            return self.actor(view, alias, entry.version, envelope.actor.clone());
        }
        // The envelope of a part is that of the resource's home, which may be another chart.
        let stated = self.stated(view, alias, entry.version)?;
        self.actor(view, alias, entry.version, stated)
    }

    /// What the event of a chart with that version says of who caused it.
    pub(super) fn stated(
        &self,
        view: &View,
        alias: StreamAlias,
        version: ChartVersion,
    ) -> Result<Stated, RecordsError> {
        let entry = view.stream_entry(alias, version)?.ok_or_else(unreadable)?;
        Ok(self.keys.written(view, entry.place.location)?.0.actor)
    }

    /// Who caused an event: said in the first event of its commit in this chart.
    pub(super) fn actor(
        &self,
        view: &View,
        alias: StreamAlias,
        version: ChartVersion,
        stated: Stated,
    ) -> Result<Box<Actor>, RecordsError> {
        let steps = match stated {
            Stated::Here(actor) => return Ok(actor),
            Stated::Before(steps) => steps,
        };
        let first = ChartVersion::new(version.get().saturating_sub(steps));
        match self.stated(view, alias, first)? {
            Stated::Here(actor) => Ok(actor),
            Stated::Before(_) => Err(unreadable()),
        }
    }
}

pub(super) fn resolve(
    view: &View,
    record: &ChartRecord,
    patient: &ResourceId,
    at: At,
) -> Result<ChartVersion, RecordsError> {
    match at {
        At::Now => Ok(record.version),
        At::Version(version) if version <= record.version => Ok(version),
        At::Version(version) => Err(RecordsError::NotFound(format!(
            "version {version} of the chart of patient {patient}"
        ))),
        At::Moment(moment) => Ok(view.version_at(record, moment.moment())?),
    }
}

impl EventFilter {
    fn admits(&self, event: &ChartEvent) -> bool {
        let envelope = &event.envelope;
        self.event_type.as_ref().is_none_or(|wanted| *wanted == envelope.event_type)
            && self.resource.as_ref().is_none_or(|wanted| envelope.key().as_ref() == Some(wanted))
            && self.actor.as_ref().is_none_or(|wanted| *wanted == event.actor.subject)
    }
}
