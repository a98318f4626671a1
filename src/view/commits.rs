//! Commits of the event log, as the index of events tells them.

use std::ops::Range;

use super::stretch::{Flag, IndexedEvent};
use super::{Change, View, ViewError};
use crate::clock::Instant;
use crate::log::{Location, StreamAlias};
use crate::numbers::Position;

/// One event, as the index knows it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedEvent {
    /// Its position.
    pub position: Position,
    /// Where its frame lies.
    pub location: Location,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Its chart; `None`: the directory.
    pub chart: Option<StreamAlias>,
    /// The version of a resource that it brings; `None`: another event brings it, or it is about the
    /// chart alone.
    pub change: Option<Change>,
    /// False if it is of an erased chart.
    pub is_readable: bool,
}

impl View {
    /// The events at some positions, ascending; so many as there are.
    pub fn logged(
        &self,
        positions: Range<Position>,
    ) -> impl Iterator<Item = Result<LoggedEvent, ViewError>> + '_ {
        let within = positions.clone();
        self.stretches(positions).flat_map(move |read| {
            let (first, stretch) = match read {
                Ok(read) => read,
                Err(error) => return vec![Err(error)],
            };
            let events = stretch.events(first);
            let events = events.filter(|event| within.contains(&event.pointer.position()));
            events.map(|event| Ok(self.logged_event(&event))).collect()
        })
    }

    fn logged_event(&self, event: &IndexedEvent) -> LoggedEvent {
        let chart = event.stream.map(|(alias, _)| alias);
        let is_hidden = chart.is_some_and(|chart| self.generation.is_hidden(chart));
        LoggedEvent {
            position: event.pointer.position(),
            location: event.location,
            recorded_at: event.recorded_at,
            chart,
            change: self.change(event),
            is_readable: !is_hidden && !event.note.has(Flag::Unreadable),
        }
    }
}
