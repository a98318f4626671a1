//! Parts: what upcasters make of an event beside what it says of its own resource.
//!
//! A part has a slot in the index and a step in its chart like any event, and the position and chart version of its event.
//! So slots run ahead of positions, and steps of chart versions. How far is kept in `parts`, by the last event before each slot of a part;
//! a generation without parts has nothing there and does not look.

use std::sync::atomic::Ordering;

use fjall::Readable;

use super::pointer::Pointer;
use super::records::{decode, encode};
use super::stretch::{Flag, IndexedEvent, Stretch};
use super::{View, ViewError, keys};
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, EventId, PARTS_MAX, Position, ResourceNumber, Slot, Step};

/// How many parts there are up to an event, in the whole log or in a chart: key and record of `parts`.
pub(super) fn count(
    of: StreamAlias,
    behind: u64,
    parts: u64,
) -> Result<([u8; 16], Vec<u8>), ViewError> {
    Ok((keys::pair(of.0, behind), encode(&parts)?))
}

impl View {
    /// How many parts stand behind events before that one, in the whole log or in a chart.
    fn parts_before(&self, of: StreamAlias, number: u64) -> Result<u64, ViewError> {
        if !self.generation.has_parts.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let range = keys::pair(of.0, 0)..keys::pair(of.0, number);
        match self.snapshot.range(&self.spaces().parts, range).next_back() {
            Some(entry) => decode("parts", &entry.value()?),
            None => Ok(0),
        }
    }

    /// The slot of the event at a position.
    pub(super) fn slot(&self, position: Position) -> Result<Slot, ViewError> {
        let number = position.get();
        Ok(Slot::new(number.saturating_add(self.parts_before(StreamAlias::NONE, number)?)))
    }

    /// The step of a chart with which its version ends.
    pub(super) fn step(&self, of: StreamAlias, version: ChartVersion) -> Result<Step, ViewError> {
        let number = version.get();
        let parts = self.parts_before(of, number.saturating_add(1))?;
        Ok(Step::new(number.saturating_add(parts)))
    }

    /// The events of a stretch, of which the first stands at that slot, each with its parts behind it, in the order of positions. Parts whose
    /// events are in a stretch before belong to that one.
    pub(super) fn with_parts(
        &self,
        first: Slot,
        stretch: &Stretch,
    ) -> Result<Vec<IndexedEvent>, ViewError> {
        if !self.generation.has_parts.load(Ordering::Relaxed) {
            return Ok(stretch.events(first).collect());
        }
        let (start, behind) = (stretch.position(first), stretch.behind(first));
        let mut events: Vec<_> =
            stretch.events(first).filter(|event| event.position >= start).collect();
        let mut next = first + stretch.len();
        'stretches: while let Some(bytes) =
            self.snapshot.get(&self.spaces().events, next.get().to_be_bytes())?
        {
            let stretch = Stretch::decode(&bytes)?;
            for event in stretch.events(next) {
                if event.place.part == 0 && !event.note.has(Flag::Elsewhere) {
                    break 'stretches;
                }
                if event.position < behind {
                    events.push(event);
                }
            }
            next = next + stretch.len();
        }
        events.sort_by_key(|event| (event.position, event.place.part));
        Ok(events)
    }

    /// Below it are the numbers of all resources whose first event stands before that position.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn number_behind(&self, position: Position) -> Result<ResourceNumber, ViewError> {
        Ok(ResourceNumber::of(self.slot(position)?))
    }

    /// How access entries name the resource with that first event.
    pub(super) fn id_of(&self, first: Pointer) -> Result<EventId, ViewError> {
        let number = first.slot().get();
        match self.generation.has_parts.load(Ordering::Relaxed) {
            false => Ok(EventId::of(Position::new(number), 0)),
            true => Ok(self.event(first)?.id()),
        }
    }

    /// The number of the resource whose first event access entries name so; none if it is not told any more.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub(super) fn number_of(&self, id: EventId) -> Result<Option<ResourceNumber>, ViewError> {
        let slot = self.slot(id.position())?;
        if id.part() == 0 {
            return Ok(Some(ResourceNumber::of(slot)));
        }
        // Behind the events of all charts that the resource lies in.
        let related = match self.pointer(slot)? {
            Some(pointer) => u64::from(self.event(pointer)?.note.related),
            None => return Ok(None),
        };
        let behind = slot + (related + 1) * (1 + u64::from(PARTS_MAX));
        for read in self.stretches(slot..behind) {
            let (first, stretch) = read?;
            if let Some(event) = stretch.events(first).find(|event| event.id() == id) {
                return Ok(Some(ResourceNumber::of(event.pointer.slot())));
            }
        }
        Ok(None)
    }
}
