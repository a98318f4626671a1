//! Reading the streams of charts: their events, and what they held at a version or moment.

use fjall::Readable;

use super::pointer::Pointer;
use super::records::{StreamEntry, StreamRun, decode};
use super::stretch::{Flag, IndexedEvent, Stretch};
use super::{ChartRecord, View, ViewError, keys};
use crate::chart::Manifest;
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, Position, ResourceNumber};

impl View {
    /// One event of a chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn stream_entry(
        &self,
        alias: StreamAlias,
        version: ChartVersion,
    ) -> Result<Option<StreamEntry>, ViewError> {
        self.stream(alias, version, version).next().map(|entry| Ok(entry?.1)).transpose()
    }

    /// The events of a chart from version `first` to `last`, both included.
    pub fn stream(
        &self,
        alias: StreamAlias,
        first: ChartVersion,
        last: ChartVersion,
    ) -> impl Iterator<Item = Result<(ChartVersion, StreamEntry), ViewError>> + '_ {
        let mut walk = Walk { view: self, stretch: None };
        self.pointers(alias, first, last).map(move |step| {
            let (version, pointer) = step?;
            Ok((version, walk.entry(pointer)?))
        })
    }

    /// Those events of a chart whose versions are given, ascending.
    pub fn stream_of<'a>(
        &'a self,
        alias: StreamAlias,
        versions: impl Iterator<Item = ChartVersion> + 'a,
    ) -> impl Iterator<Item = Result<(ChartVersion, StreamEntry), ViewError>> + 'a {
        let mut versions = versions.peekable();
        let mut walk = Walk { view: self, stretch: None };
        // The last version is not known: the walk ends with the last that is wanted.
        let last = ChartVersion::new(u64::MAX);
        let first = versions.peek().copied().unwrap_or(last);
        let mut steps = self.pointers(alias, first, last);
        std::iter::from_fn(move || {
            let wanted = versions.next()?;
            loop {
                match steps.next()? {
                    Ok((version, pointer)) if version == wanted => {
                        return Some(walk.entry(pointer).map(|entry| (version, entry)));
                    }
                    Ok(_) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Where the index has the events of a chart from version `first` to `last`.
    fn pointers(
        &self,
        alias: StreamAlias,
        first: ChartVersion,
        last: ChartVersion,
    ) -> impl Iterator<Item = Result<(ChartVersion, Pointer), ViewError>> + '_ {
        let space = &self.spaces().streams;
        // The run that holds the first may begin before it.
        let before = keys::pair(alias.0, 0)..=keys::pair(alias.0, first.get());
        let before = self.snapshot.range(space, before).next_back();
        let after = (first < last).then(|| {
            let after = keys::pair(alias.0, first.next().get())..=keys::pair(alias.0, last.get());
            self.snapshot.range(space, after)
        });
        let mut runs = before.into_iter().chain(after.into_iter().flatten());
        let mut run = (
            ChartVersion::new(0),
            StreamRun { first: Pointer::new(Position::new(0), 0), events: 0 },
        );
        let mut next = first;
        std::iter::from_fn(move || {
            while next >= run.0 + run.1.events {
                let entry = runs.next()?.into_inner();
                let read = entry.map_err(ViewError::from).and_then(|(key, value)| {
                    Ok((ChartVersion::new(keys::last_number(&key)), decode("streams", &value)?))
                });
                match read {
                    Ok(read) => run = read,
                    Err(error) => return Some(Err(error)),
                }
            }
            if next > last {
                return None;
            }
            let version = next.max(run.0);
            next = version.next();
            Some(Ok((version, run.1.first.onward(version - run.0))))
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
        let range = keys::pair(alias.0, 0)..=keys::pair(alias.0, version.get());
        let (mut manifest, from) =
            match self.snapshot.range(&self.spaces().snapshots, range).next_back() {
                Some(entry) => {
                    let (key, value) = entry.into_inner()?;
                    (Manifest::decode(&value), ChartVersion::new(keys::last_number(&key)))
                }
                None => (Manifest::default(), ChartVersion::new(0)),
            };
        let mut walk = Walk { view: self, stretch: None };
        for step in self.pointers(alias, from.next(), version) {
            let (version, pointer) = step?;
            let event = walk.event(pointer)?;
            manifest.apply(version, event.note.supersedes, event.holds_body());
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
            let step = self.pointers(chart.alias(), middle, middle).next().transpose()?;
            let (_, pointer) = step.ok_or(ViewError::Record("streams"))?;
            if self.event(pointer)?.recorded_at <= moment {
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
    stretch: Option<(Position, Stretch)>,
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
        let number = ResourceNumber::new(home.pointer.position().get() - home.subject.since_first);
        Ok(StreamEntry {
            subject: home.subject.kind.map(|kind| (kind, number)),
            position: pointer.position(),
            location: event.location,
            recorded_at: event.recorded_at,
            supersedes: event.note.supersedes,
            resource_version: event.note.version,
            home: home.pointer.position(),
            body: event.holds_body().then_some(home.location),
        })
    }
}
