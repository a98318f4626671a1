//! A group of events while it is applied, and how it is written into the index of events.

use fjall::OwnedWriteBatch as Batch;

use super::keyspaces::Spaces;
use super::pointer::{Pointer, STRETCH_EVENTS};
use super::records::{StreamRun, encode};
use super::stretch::{NewEvent, Stretch};
use super::{FactGroup, ViewError, keys};
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::numbers::{Slot, Step};

/// A group while its events are taken.
pub struct OpenGroup {
    pub first: Slot,
    /// Parts that stand before its first event in the index.
    pub parts_before: u64,
    pub recorded_at: Instant,
    pub events: Vec<NewEvent>,
}

impl OpenGroup {
    /// A group behind so many parts.
    pub fn of(group: &FactGroup, parts_before: u64) -> Self {
        let FactGroup { first_position, recorded_at, events } = group;
        let events = Vec::with_capacity(events.len());
        let first = Slot::new(first_position.get() + parts_before);
        Self { first, parts_before, recorded_at: *recorded_at, events }
    }

    /// Where the next event stands.
    pub fn pointer(&self) -> Pointer {
        Pointer::new(self.first, 0).onward(self.events.len() as u64)
    }

    /// Writes down where its events stand: in the log, and in their streams.
    pub fn write(&self, batch: &mut Batch, spaces: &Spaces) -> Result<(), ViewError> {
        let Self { first, recorded_at, events, .. } = self;
        let starts = (first.get()..).step_by(STRETCH_EVENTS as usize);
        let mut parts_before = self.parts_before;
        for (part, start) in events.chunks(STRETCH_EVENTS as usize).zip(starts) {
            let stretch = Stretch::of(*recorded_at, part, parts_before)?;
            parts_before += stretch.parts();
            batch.insert(&spaces.events, start.to_be_bytes(), encode(&stretch)?);
        }
        let mut run: Option<(StreamAlias, Step, StreamRun)> = None;
        let start = Pointer::new(*first, 0);
        for (at, event) in (0u64..).zip(events) {
            match (&mut run, event.stream) {
                (Some((known, first, run)), Some(point))
                    if *known == point.alias && *first + run.events == point.step =>
                {
                    run.events += 1;
                }
                (_, stream) => {
                    write_run(batch, spaces, run.take())?;
                    let begun = StreamRun { first: start.onward(at), events: 1 };
                    run = stream.map(|point| (point.alias, point.step, begun));
                }
            }
        }
        write_run(batch, spaces, run)
    }
}

fn write_run(
    batch: &mut Batch,
    spaces: &Spaces,
    run: Option<(StreamAlias, Step, StreamRun)>,
) -> Result<(), ViewError> {
    if let Some((alias, step, run)) = run {
        batch.insert(&spaces.streams, keys::pair(alias.0, step.get()), encode(&run)?);
    }
    Ok(())
}
