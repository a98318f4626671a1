//! The index over the access log.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fjall::Readable;

use super::generation::Generation;
use super::records::encode;
use super::{EntrySet, View, ViewError, keys};
use crate::access::{AccessEntry, Action, Outcome};
use crate::clock::Instant;
use crate::log::{Location, StreamAlias};
use crate::numbers::Position;

/// What a term leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Access entries: frames of the access log, each of which holds one that has the term.
    Entry,
    /// Commits, which are traces of their own: their first events in the event log.
    Commit,
}

/// What access entries and commits can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTerm<'a> {
    /// The request was about that chart.
    Chart(StreamAlias),
    /// It was made for that subject, or by one who acts on its behalf.
    Subject(&'a str),
    /// The client application.
    Client(&'a str),
    /// The organisation of the subject.
    Organization(&'a str),
    /// The purpose of use.
    Purpose(&'a str),
    /// How it ended; commits do not have it.
    Outcome(Outcome),
    /// The kind of action.
    Action(Action),
    /// The glass was broken.
    BreakGlass,
    /// The request committed an event in that block of the event log: its entry tells of a commit.
    Wrote(u64),
}

/// Set in the tag of a term that leads to commits.
const COMMIT_TAG: u8 = 1 << 7;
/// Events in a block of the event log, as a power of two.
const BLOCK_BITS: u32 = 6;

impl AccessTerm<'_> {
    /// The entries that tell of the event at a position of the event log.
    #[must_use]
    pub fn wrote(event: Position) -> Self {
        Self::Wrote(event.get() >> BLOCK_BITS)
    }

    /// The key that leads to a position.
    pub(super) fn key(self, to: Trace, position: Position) -> [u8; keys::ACCESS_BYTES] {
        keys::access(self.prefix(to), position)
    }

    /// The key up to the position. A text stands there as its hash: what is found is looked at again.
    fn prefix(self, to: Trace) -> [u8; keys::ACCESS_TERM_BYTES] {
        let (tag, value) = match self {
            Self::Chart(alias) => (0, alias.0.to_be_bytes()),
            Self::Subject(text) => (1, keys::hash(text.as_bytes())),
            Self::Client(text) => (2, keys::hash(text.as_bytes())),
            Self::Organization(text) => (3, keys::hash(text.as_bytes())),
            Self::Purpose(text) => (4, keys::hash(text.as_bytes())),
            Self::Outcome(outcome) => (5, (outcome as u64).to_be_bytes()),
            Self::Action(action) => (6, (action as u64).to_be_bytes()),
            Self::BreakGlass => (7, [0; 8]),
            Self::Wrote(block) => (8, block.to_be_bytes()),
        };
        let of_trace = match to {
            Trace::Entry => 0,
            Trace::Commit => COMMIT_TAG,
        };
        keys::access_term(of_trace | tag, value)
    }
}

/// A group of the access log, with what its entries can be found by.
#[derive(Debug, Clone)]
pub struct AccessGroup {
    first_position: Position,
    /// Behind its last frame.
    end: Position,
    location: Location,
    recorded_at: i64,
    /// Keys of terms, and which entries of the frame have them.
    keys: BTreeMap<[u8; keys::ACCESS_BYTES], EntrySet>,
}

impl AccessGroup {
    /// A group without frames, at a place in the log, with its time in microseconds since 1970.
    #[must_use]
    pub fn new(first_position: Position, location: Location, recorded_at: i64) -> Self {
        let (end, keys) = (first_position, BTreeMap::new());
        Self { first_position, end, location, recorded_at, keys }
    }

    /// Adds the next frame, with the entries that it holds.
    pub fn add<'a>(&mut self, entries: impl IntoIterator<Item = &'a AccessEntry>) {
        for (number, entry) in entries.into_iter().enumerate() {
            self.index(number, entry);
        }
        self.end = self.end.next();
    }

    /// Adds frames that hold no entries, or were disposed of: they count, and nothing finds them.
    pub fn skip(&mut self, frames: usize) {
        self.end = self.end + frames as u64;
    }

    /// How many frames it has.
    #[must_use]
    pub fn frames(&self) -> usize {
        usize::try_from(self.end - self.first_position).unwrap_or(usize::MAX)
    }

    /// Its key in the index of groups.
    fn key(&self) -> [u8; 8] {
        self.first_position.get().to_be_bytes()
    }

    /// What stands there.
    fn place(&self) -> Result<Vec<u8>, ViewError> {
        let Location { segment, offset, length } = self.location;
        encode(&(segment, offset, length, self.recorded_at))
    }

    fn index(&mut self, number: usize, entry: &AccessEntry) {
        let position = self.end;
        let mut add = |term: AccessTerm<'_>| {
            self.keys.entry(term.key(Trace::Entry, position)).or_default().insert(number);
        };
        entry.charts().into_iter().for_each(|alias| add(AccessTerm::Chart(alias)));
        if let Some(identity) = &entry.source.identity {
            add(AccessTerm::Subject(&identity.subject));
            identity.acting.iter().for_each(|acting| add(AccessTerm::Subject(acting)));
            identity.client.iter().for_each(|client| add(AccessTerm::Client(client)));
            let organization = identity.organization.iter();
            organization.for_each(|organization| add(AccessTerm::Organization(organization)));
        }
        entry.source.purpose.iter().for_each(|purpose| add(AccessTerm::Purpose(purpose)));
        if entry.source.breaks_glass() {
            add(AccessTerm::BreakGlass);
        }
        for look in entry.looks() {
            add(AccessTerm::Outcome(look.outcome));
            add(AccessTerm::Action(look.action()));
            look.written.positions().for_each(|event| add(AccessTerm::wrote(event)));
        }
    }
}

impl Generation {
    /// Indexes groups of access entries, in order, all or nothing.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn apply_access(&self, groups: &[AccessGroup]) -> Result<(), ViewError> {
        let Some(last) = groups.last() else { return Ok(()) };
        let mut batch = self.database.batch();
        for group in groups {
            for (key, members) in &group.keys {
                batch.insert(&self.spaces.access_terms, *key, members.encode());
            }
            batch.insert(&self.spaces.access_groups, group.key(), group.place()?);
        }
        batch.insert(&self.spaces.state, "access", encode(&last.end)?);
        Ok(batch.commit()?)
    }

    /// Takes groups out of the index, all or none: those of a segment that was disposed of.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn forget_access(&self, groups: &[AccessGroup]) -> Result<(), ViewError> {
        let mut batch = self.database.batch();
        for group in groups {
            for key in group.keys.keys() {
                batch.remove(&self.spaces.access_terms, *key);
            }
            batch.remove(&self.spaces.access_groups, group.key());
        }
        Ok(batch.commit()?)
    }

    /// Puts into the index what disposal left of a segment: one group, which nothing finds.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn note_disposal(&self, remains: &AccessGroup) -> Result<(), ViewError> {
        let mut batch = self.database.batch();
        batch.insert(&self.spaces.access_groups, remains.key(), remains.place()?);
        Ok(batch.commit()?)
    }
}

impl View {
    /// Positions that a term leads to, ascending; for a frame, which of its entries have the term.
    pub fn traces(
        &self,
        to: Trace,
        term: AccessTerm<'_>,
        within: &Range<Position>,
    ) -> impl DoubleEndedIterator<Item = Result<(Position, EntrySet), ViewError>> + use<> {
        let prefix = term.prefix(to);
        let range = keys::access(prefix, within.start)..keys::access(prefix, within.end);
        let entries = self.snapshot.range(&self.spaces().access_terms, range);
        // The files must stay as long as the iterator.
        let generation = Arc::clone(&self.generation);
        entries.map(move |entry| {
            let _ = &generation;
            let (key, value) = entry.into_inner()?;
            let members = EntrySet::decode(&value).ok_or(ViewError::Record("access_terms"))?;
            Ok((Position::new(keys::last_number(&key)), members))
        })
    }

    /// Where the group lies that holds a frame of the access log.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn access_group(&self, position: Position) -> Result<Option<Location>, ViewError> {
        Ok(self.group_of(position)?.map(|(_, location, _)| location))
    }

    /// When a frame of the access log was recorded.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn access_recorded_at(&self, position: Position) -> Result<Instant, ViewError> {
        let group = self.group_of(position)?;
        Ok(Instant::from_micros(group.map_or(0, |(_, _, recorded_at)| recorded_at)))
    }

    /// Position of the first frame of the access log that was recorded at a moment or later.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn access_position_at(&self, moment: Instant) -> Result<Position, ViewError> {
        let (mut before, mut behind) = (Position::default(), self.applied_access()?);
        // All in front of `before` are older, none from `behind` on is.
        while before < behind {
            let middle = Position::new(before.get().midpoint(behind.get()));
            match self.group_of(middle)? {
                Some((first, _, recorded_at)) if recorded_at >= moment.micros() => {
                    behind = first.max(before);
                }
                _ => before = middle.next(),
            }
        }
        Ok(before)
    }

    /// First position, place and time of the group that holds a frame of the access log.
    fn group_of(&self, position: Position) -> Result<Option<(Position, Location, i64)>, ViewError> {
        let range = 0u64.to_be_bytes()..=position.get().to_be_bytes();
        let Some(entry) = self.snapshot.range(&self.spaces().access_groups, range).next_back()
        else {
            return Ok(None);
        };
        let (key, value) = entry.into_inner()?;
        let (segment, offset, length, recorded_at) =
            super::records::decode("access_groups", &value)?;
        let first = Position::new(keys::last_number(&key));
        Ok(Some((first, Location { segment, offset, length }, recorded_at)))
    }
}
