//! A group of events while it is applied, and how it is written into the index of events.

use fjall::OwnedWriteBatch as Batch;

use super::keyspaces::Spaces;
use super::pointer::{Pointer, STRETCH_EVENTS};
use super::records::{StreamRun, encode};
use super::stretch::{NewEvent, Stretch};
use super::{FactGroup, ViewError, keys};
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, Position};

/// A group while its events are taken.
pub struct OpenGroup {
    pub first_position: Position,
    pub recorded_at: Instant,
    pub events: Vec<NewEvent>,
}

impl OpenGroup {
    pub fn of(group: &FactGroup) -> Self {
        let FactGroup { first_position, recorded_at, events } = group;
        let events = Vec::with_capacity(events.len());
        Self { first_position: *first_position, recorded_at: *recorded_at, events }
    }

    /// Where the next event stands.
    pub fn pointer(&self) -> Pointer {
        Pointer::new(self.first_position, 0).onward(self.events.len() as u64)
    }

    /// Writes down where its events stand: in the log, and in their streams.
    pub fn write(&self, batch: &mut Batch, spaces: &Spaces) -> Result<(), ViewError> {
        let Self { first_position, recorded_at, events } = self;
        let starts = (first_position.get()..).step_by(STRETCH_EVENTS as usize);
        for (part, start) in events.chunks(STRETCH_EVENTS as usize).zip(starts) {
            let stretch = Stretch::of(*recorded_at, part)?;
            batch.insert(&spaces.events, start.to_be_bytes(), encode(&stretch)?);
        }
        let mut run: Option<(StreamAlias, ChartVersion, StreamRun)> = None;
        let start = Pointer::new(*first_position, 0);
        for (at, event) in (0u64..).zip(events) {
            match (&mut run, event.stream) {
                (Some((known, first, run)), Some((alias, version)))
                    if *known == alias && *first + run.events == version =>
                {
                    run.events += 1;
                }
                (_, stream) => {
                    write_run(batch, spaces, run.take())?;
                    let begun = StreamRun { first: start.onward(at), events: 1 };
                    run = stream.map(|(alias, version)| (alias, version, begun));
                }
            }
        }
        write_run(batch, spaces, run)
    }
}

fn write_run(
    batch: &mut Batch,
    spaces: &Spaces,
    run: Option<(StreamAlias, ChartVersion, StreamRun)>,
) -> Result<(), ViewError> {
    if let Some((alias, version, run)) = run {
        batch.insert(&spaces.streams, keys::pair(alias.0, version.get()), encode(&run)?);
    }
    Ok(())
}
