//! Reading the streams of charts: their events, and what they held at a version or moment.

use fjall::Readable;

use super::pointer::Pointer;
use super::records::{StreamEntry, StreamRun, decode};
use super::stretch::{Flag, IndexedEvent, Stretch};
use super::{ChartRecord, View, ViewError, keys};
use crate::chart::Manifest;
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, ResourceNumber, Slot, Step};

impl View {
    /// The event of a chart with that version; without the parts of it.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn stream_entry(
        &self,
        alias: StreamAlias,
        version: ChartVersion,
    ) -> Result<Option<StreamEntry>, ViewError> {
        if version == ChartVersion::default() {
            return Ok(None);
        }
        self.entry_at(alias, self.step(alias, version.previous())?.next())
    }

    /// The event, or part of one, that is a step of a chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn entry_at(
        &self,
        alias: StreamAlias,
        step: Step,
    ) -> Result<Option<StreamEntry>, ViewError> {
        let mut pointers = self.pointers(alias, step, step);
        let mut walk = Walk { view: self, stretch: None };
        pointers.next().map(|step| walk.entry(step?.1)).transpose()
    }

    /// The events of a chart from version `first` to `last`, both included, each followed by its parts.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn stream(
        &self,
        alias: StreamAlias,
        first: ChartVersion,
        last: ChartVersion,
    ) -> Result<impl Iterator<Item = Result<StreamEntry, ViewError>> + '_, ViewError> {
        let first = self.step(alias, first.previous())?.next();
        let mut walk = Walk { view: self, stretch: None };
        let pointers = self.pointers(alias, first, self.step(alias, last)?);
        Ok(pointers.map(move |step| walk.entry(step?.1)))
    }

    /// Those events of a chart whose steps are given, ascending.
    pub fn stream_of<'a>(
        &'a self,
        alias: StreamAlias,
        steps: impl Iterator<Item = Step> + 'a,
    ) -> impl Iterator<Item = Result<StreamEntry, ViewError>> + 'a {
        let mut wanted = steps.peekable();
        let mut walk = Walk { view: self, stretch: None };
        // The last step is not known: the walk ends with the last that is wanted.
        let last = Step::new(u64::MAX);
        let first = wanted.peek().copied().unwrap_or(last);
        let mut steps = self.pointers(alias, first, last);
        std::iter::from_fn(move || {
            let wanted = wanted.next()?;
            loop {
                match steps.next()? {
                    Ok((step, pointer)) if step == wanted => return Some(walk.entry(pointer)),
                    Ok(_) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Where the index has the events of a chart from step `first` to `last`.
    fn pointers(
        &self,
        alias: StreamAlias,
        first: Step,
        last: Step,
    ) -> impl Iterator<Item = Result<(Step, Pointer), ViewError>> + '_ {
        let space = &self.spaces().streams;
        // The run that holds the first may begin before it.
        let before = keys::pair(alias.0, 0)..=keys::pair(alias.0, first.get());
        let before = self.snapshot.range(space, before).next_back();
        let after = (first < last).then(|| {
            let after = keys::pair(alias.0, first.next().get())..=keys::pair(alias.0, last.get());
            self.snapshot.range(space, after)
        });
        let mut runs = before.into_iter().chain(after.into_iter().flatten());
        let mut run = (Step::new(0), StreamRun { first: Pointer::new(Slot::new(0), 0), events: 0 });
        let mut next = first;
        std::iter::from_fn(move || {
            while next >= run.0 + run.1.events {
                let entry = runs.next()?.into_inner();
                let read = entry.map_err(ViewError::from).and_then(|(key, value)| {
                    Ok((Step::new(keys::last_number(&key)), decode("streams", &value)?))
                });
                match read {
                    Ok(read) => run = read,
                    Err(error) => return Some(Err(error)),
                }
            }
            if next > last {
                return None;
            }
            let step = next.max(run.0);
            next = step.next();
            Some(Ok((step, run.1.first.onward(step - run.0))))
        })
    }

    /// What a chart held at a version.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn manifest(
        &self,
        alias: StreamAlias,
        version: ChartVersion,
    ) -> Result<Manifest, ViewError> {
        self.manifest_at(alias, self.step(alias, version)?)
    }

    /// What a chart held after a step.
    pub(super) fn manifest_at(
        &self,
        alias: StreamAlias,
        step: Step,
    ) -> Result<Manifest, ViewError> {
        let range = keys::pair(alias.0, 0)..=keys::pair(alias.0, step.get());
        let (mut manifest, from) =
            match self.snapshot.range(&self.spaces().snapshots, range).next_back() {
                Some(entry) => {
                    let (key, value) = entry.into_inner()?;
                    (Manifest::decode(&value), Step::new(keys::last_number(&key)))
                }
                None => (Manifest::default(), Step::new(0)),
            };
        let mut walk = Walk { view: self, stretch: None };
        for entry in self.pointers(alias, from.next(), step) {
            let (step, pointer) = entry?;
            let event = walk.event(pointer)?;
            manifest.apply(step, event.note.supersedes, event.holds_body());
        }
        Ok(manifest)
    }

    /// The version that a chart had at a moment; 0 before its first event.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn version_at(
        &self,
        chart: &ChartRecord,
        moment: Instant,
    ) -> Result<ChartVersion, ViewError> {
        if chart.recorded_at <= moment {
            return Ok(chart.version);
        }
        let (mut known, mut beyond) = (ChartVersion::new(0), chart.version);
        while known.next() < beyond {
            let middle = ChartVersion::new(known.get().midpoint(beyond.get()));
            let entry = self.stream_entry(chart.alias(), middle)?;
            if entry.ok_or(ViewError::Record("streams"))?.recorded_at <= moment {
                known = middle;
            } else {
                beyond = middle;
            }
        }
        Ok(known)
    }
}

/// Looks up one event after the other, and keeps the record that the last one was in.
struct Walk<'a> {
    view: &'a View,
    stretch: Option<(Slot, Stretch)>,
}

impl Walk<'_> {
    fn event(&mut self, pointer: Pointer) -> Result<IndexedEvent, ViewError> {
        let first = pointer.first();
        if self.stretch.as_ref().is_none_or(|(known, _)| *known != first) {
            self.stretch = Some((first, self.view.stretch(pointer)?));
        }
        let event = self.stretch.as_ref().and_then(|(_, stretch)| stretch.event(pointer));
        event.ok_or(ViewError::Record("events"))
    }

    fn entry(&mut self, pointer: Pointer) -> Result<StreamEntry, ViewError> {
        let event = self.event(pointer)?;
        let home = match event.note.has(Flag::Elsewhere) {
            true => self.event(pointer.backward(event.note.related.into()))?,
            false => event,
        };
        let number = ResourceNumber::of(home.first());
        let point = event.stream.ok_or(ViewError::Record("streams"))?;
        Ok(StreamEntry {
            version: point.version,
            step: point.step,
            subject: home.subject.kind.map(|kind| (kind, number)),
            position: event.position,
            place: event.place,
            recorded_at: event.recorded_at,
            resource_version: event.note.version,
            is_dropped: event.note.has(Flag::Dropped),
            home: home.id(),
            body: event.holds_body().then_some(home.place),
        })
    }
}
