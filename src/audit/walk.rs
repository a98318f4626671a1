//! Walking through what was looked at and what was written, in the order of time.

use std::collections::VecDeque;
use std::ops::Range;

use super::commits::{self, Commit};
use super::filter::Wanted;
use super::frames::{Candidates, Frames};
use super::reader::{EntryReader, Found};
use super::stretch::{Ranges, Stretch, looked, wrote};
use super::{AccessId, Sort};
use crate::access::AccessEntry;
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::log::LogError;
use crate::numbers::Position;
use crate::records::RecordsError;
use crate::view::{AccessTerm, EntrySet, Trace};

/// Frames of the access log that one page opens, events that it reads, and records of the index that it passes,
/// to find what is wanted; then it ends, and says where the next one goes on.
const FRAMES_MAX: usize = 1_000;
const EVENTS_MAX: usize = 1_000;
const STEPS_MAX: usize = 50_000;

/// The next step of a walk.
pub(super) enum Step {
    /// What is wanted.
    Found(Box<Found>),
    /// Enough was looked at; it goes on there.
    Stopped(AccessId),
    /// There is no more.
    End,
}

/// What comes next in one of the logs: `entry` is missing where enough was looked at.
struct Head {
    id: AccessId,
    recorded_at: Instant,
    entry: Option<AccessEntry>,
}

/// A walk through both logs.
pub(super) struct Walk<'a> {
    entries: Entries<'a>,
    commits: Commits<'a>,
    sort: Sort,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        reader: &EntryReader<'a>,
        wanted: &'a Wanted<'a>,
        sort: Sort,
        from: Option<AccessId>,
        stretch: Option<&Stretch>,
    ) -> Result<Self, RecordsError> {
        let (records, view) = (reader.records, reader.view);
        let (looked, within) = match stretch {
            Some(stretch) => stretch.within(view, wanted.filter)?,
            None => {
                let looked = looked(view, wanted.filter)?;
                (looked.clone(), (looked, wrote(view, wanted.filter)?))
            }
        };
        let (looked_from, wrote) = from_there(reader, within, sort, from)?;
        let disposed = records.engine().access_reader().disposed();
        let terms = wanted.terms();
        let frames =
            Frames::new(view, Trace::Entry, &terms, looked_from, sort, STEPS_MAX, disposed);
        let entries = Entries {
            reader: reader.beside(),
            wanted,
            frames,
            sort,
            from,
            queue: VecDeque::new(),
            opened: 0,
            is_done: false,
        };
        let commits = Commits {
            reader: reader.beside(),
            wanted,
            candidates: wanted.commits(view, wrote.clone(), sort, STEPS_MAX),
            within: wrote,
            looked,
            read: 0,
            head: None,
        };
        Ok(Self { entries, commits, sort })
    }

    /// The next that is wanted. What is of one time comes from one log and then from the other.
    pub(super) fn next(&mut self) -> Result<Step, RecordsError> {
        self.entries.fill()?;
        self.commits.fill()?;
        let is_entry = match (self.entries.queue.front(), &self.commits.head) {
            (Some(entry), Some(commit)) => match self.sort {
                Sort::Newest => entry.recorded_at >= commit.recorded_at,
                Sort::Oldest => entry.recorded_at < commit.recorded_at,
            },
            (entry, _) => entry.is_some(),
        };
        let head = if is_entry { self.entries.queue.pop_front() } else { self.commits.head.take() };
        Ok(match head {
            Some(Head { id, recorded_at, entry: Some(entry) }) => {
                Step::Found(Box::new(Found { id, recorded_at, entry }))
            }
            Some(Head { id, .. }) => Step::Stopped(id),
            None => Step::End,
        })
    }
}

/// What is left of frames of the access log and of events, from where a page begins.
fn from_there(
    reader: &EntryReader<'_>,
    (mut looked, mut wrote): Ranges,
    sort: Sort,
    from: Option<AccessId>,
) -> Result<Ranges, RecordsError> {
    let view = reader.view;
    match (from, sort) {
        (None, _) => {}
        (Some(AccessId::Entry { position, .. }), sort) => {
            let at = view.access_recorded_at(position)?.micros().saturating_add(1);
            let passed = view.position_at(Instant::from_micros(at))?;
            match sort {
                Sort::Newest => {
                    looked.end = looked.end.min(position.next());
                    wrote.end = wrote.end.min(passed);
                }
                Sort::Oldest => {
                    looked.start = looked.start.max(position);
                    wrote.start = wrote.start.max(passed);
                }
            }
        }
        (Some(AccessId::Commit(first)), sort) => {
            let commit = Commit::of(reader.records, view, first)?;
            let (passed, end) = match commit {
                Some(commit) => (view.access_position_at(commit.recorded_at)?, commit.events.end),
                None => (view.applied_access()?, first),
            };
            match sort {
                Sort::Newest => {
                    looked.end = looked.end.min(passed);
                    wrote.end = wrote.end.min(end);
                }
                Sort::Oldest => {
                    looked.start = looked.start.max(passed);
                    wrote.start = wrote.start.max(first);
                }
            }
        }
    }
    let is_not_less = |range: Range<Position>| range.start..range.end.max(range.start);
    Ok((is_not_less(looked), is_not_less(wrote)))
}

/// The entries of the access log that are wanted.
struct Entries<'a> {
    reader: EntryReader<'a>,
    wanted: &'a Wanted<'a>,
    frames: Frames<'a>,
    sort: Sort,
    from: Option<AccessId>,
    /// Of the frame that was read last.
    queue: VecDeque<Head>,
    opened: usize,
    is_done: bool,
}

impl Entries<'_> {
    fn fill(&mut self) -> Result<(), RecordsError> {
        while self.queue.is_empty() && !self.is_done {
            match self.frames.next()? {
                Some((position, members)) if self.opened < FRAMES_MAX => {
                    self.open(position, members.as_ref())?;
                }
                next => {
                    self.is_done = true;
                    if let Some(position) =
                        next.map(|(position, _)| position).or_else(|| self.frames.stopped_at())
                    {
                        let id = AccessId::start(position, self.sort);
                        let recorded_at = self.reader.view.access_recorded_at(position)?;
                        self.queue.push_back(Head { id, recorded_at, entry: None });
                    }
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, position: Position, members: Option<&EntrySet>) -> Result<(), RecordsError> {
        self.opened += 1;
        let (entries, recorded_at) = match self.reader.entries(position) {
            // It was disposed of since the walk began.
            Err(RecordsError::Engine(EngineError::Log(LogError::Disposed { .. }))) => return Ok(()),
            read => read?,
        };
        for (index, entry) in (0..).zip(entries) {
            if members.is_some_and(|members| !members.contains(index as usize)) {
                continue;
            }
            let is_passed = match self.from {
                Some(AccessId::Entry { position: at, index: from }) if at == position => {
                    match self.sort {
                        Sort::Newest => index > from,
                        Sort::Oldest => index < from,
                    }
                }
                _ => false,
            };
            if !is_passed && self.wanted.admits(&entry) {
                let id = AccessId::Entry { position, index };
                let head = Head { id, recorded_at, entry: Some(entry) };
                match self.sort {
                    Sort::Newest => self.queue.push_front(head),
                    Sort::Oldest => self.queue.push_back(head),
                }
            }
        }
        Ok(())
    }
}

/// The commits that are wanted.
struct Commits<'a> {
    reader: EntryReader<'a>,
    wanted: &'a Wanted<'a>,
    /// Where the first event of a commit may stand.
    within: Range<Position>,
    /// The frames of the access log that count.
    looked: Range<Position>,
    /// `None`: there is no more, or enough was looked at.
    candidates: Option<Candidates<'a>>,
    read: usize,
    head: Option<Head>,
}

impl Commits<'_> {
    fn fill(&mut self) -> Result<(), RecordsError> {
        while self.head.is_none()
            && let Some(candidates) = &mut self.candidates
        {
            match candidates.next()? {
                Some(candidate) => self.read(candidate)?,
                None => {
                    let stopped_at = candidates.stopped_at();
                    self.candidates = None;
                    if let Some(position) = stopped_at {
                        self.stop(position)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Enough was looked at: the next page goes on at an event.
    fn stop(&mut self, position: Position) -> Result<(), RecordsError> {
        self.candidates = None;
        let recorded_at = commits::logged(self.reader.view, position)?.recorded_at;
        self.head = Some(Head { id: AccessId::Commit(position), recorded_at, entry: None });
        Ok(())
    }

    fn read(&mut self, at: Position) -> Result<(), RecordsError> {
        let (records, view) = (self.reader.records, self.reader.view);
        let Some(Commit { events, recorded_at, entry }) = Commit::of(records, view, at)? else {
            return Ok(());
        };
        let first = events.start;
        let events_read = usize::try_from(events.end - first).unwrap_or(usize::MAX);
        if let Some(candidates) = &mut self.candidates {
            candidates.pass(&events);
        }
        if !self.within.contains(&first) {
            return Ok(());
        }
        // At least one is read, or no page would ever come to its end.
        if self.read > 0 && self.read.saturating_add(events_read) > EVENTS_MAX {
            return self.stop(first);
        }
        self.read += events_read;
        let entry = entry.filter(|entry| self.wanted.admits(entry));
        if let Some(entry) = entry
            && !self.is_told(first)?
        {
            let id = AccessId::Commit(first);
            self.head = Some(Head { id, recorded_at, entry: Some(entry) });
        }
        Ok(())
    }

    /// Whether an access entry that is wanted tells of a commit: its request did more than commit.
    fn is_told(&mut self, first: Position) -> Result<bool, RecordsError> {
        for frame in self.reader.view.traces(Trace::Entry, AccessTerm::wrote(first), &self.looked) {
            let (entries, _) = self.reader.entries(frame?.0)?;
            let mut wanted = entries.iter().filter(|entry| self.wanted.admits(entry));
            let tells = |entry: &AccessEntry| {
                entry.looks().any(|look| look.written.positions().any(|event| event == first))
            };
            if wanted.any(tells) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
