//! Facts: the events of the log, as the views take them.

use std::sync::Arc;

use crate::chart::{Envelope, Erasure, EventKind};
use crate::clock::Instant;
use crate::fhir::{ResourceId, Term};
use crate::log::{Location, StreamAlias};
use crate::numbers::{ChartVersion, Position};
use crate::vault::Wrap;

/// How a resource's index terms change with an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermChange {
    /// Terms it did not have before.
    pub added: Vec<Term>,
    /// Terms it has no more.
    pub removed: Vec<Term>,
}

impl TermChange {
    /// The difference between two sorted lists of terms.
    #[must_use]
    pub fn between(before: &[Term], after: &[Term]) -> Self {
        let without = |these: &[Term], those: &[Term]| {
            these.iter().filter(|term| those.binary_search(term).is_err()).cloned().collect()
        };
        Self { added: without(after, before), removed: without(before, after) }
    }
}

/// Where an event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventPlace {
    /// Where its frame lies.
    pub location: Location,
    /// Which part of what upcasters make of that; 0: what it says of its own resource.
    pub part: u8,
}

impl From<Location> for EventPlace {
    fn from(location: Location) -> Self {
        Self { location, part: 0 }
    }
}

/// One event of a group, with what the views need to know of it.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Where it is read.
    pub place: EventPlace,
    /// The stream it belongs to; [`StreamAlias::NONE`]: the directory.
    pub alias: StreamAlias,
    /// Its number in the chart's stream; 0 in the directory, where it has none.
    pub stream_version: ChartVersion,
    /// The patient whose chart that is.
    pub patient: Option<ResourceId>,
    /// The wrapped key of the chart, in the event that opens it.
    pub wrap: Option<Wrap>,
    /// Its envelope.
    pub envelope: Envelope,
    /// Whether it says nothing today.
    pub is_dropped: bool,
    /// Whether the resource has a body after it.
    pub holds_body: bool,
    /// Whether that body says `entered-in-error`.
    pub retracted: bool,
    /// Index terms of the resource; only at home.
    pub terms: Arc<TermChange>,
    /// The chart that was erased, and its traces.
    pub erasure: Option<Erasure>,
    /// Whether it is the last event of its commit.
    pub ends_commit: bool,
}

impl Fact {
    /// Whether the resource did not exist (any more) before it: what FHIR calls a creation.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        matches!(self.envelope.event_type.event_kind, EventKind::Recorded | EventKind::Restored)
    }
}

/// One event of a group.
#[derive(Debug, Clone)]
pub enum Event {
    /// One that can be read.
    Fact(Box<Fact>),
    /// A part of one before it, told behind all events of the same resource and commit.
    Part {
        /// What it says.
        fact: Box<Fact>,
        /// Which frame of the group that is in.
        of: u64,
    },
    /// One of a chart that was erased: only that it is there.
    Unreadable {
        /// Where its frame lies.
        location: Location,
        /// Whether it is the last event of its commit.
        ends_commit: bool,
    },
}

/// The events of one group of the log.
#[derive(Debug, Clone)]
pub struct FactGroup {
    /// Position of the first.
    pub first_position: Position,
    /// When all of them were recorded.
    pub recorded_at: Instant,
    /// The events, in order.
    pub events: Vec<Event>,
}

impl FactGroup {
    /// Frames in the log: events that are no parts.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let frames = self.events.iter().filter(|event| !matches!(event, Event::Part { .. }));
        frames.count() as u64
    }
}
