//! Finding the frames of the access log that may hold what is wanted, and the commits that may be it.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::Range;

use super::Sort;
use crate::numbers::Position;
use crate::view::{AccessTerm, EntrySet, Trace, View, ViewError};

/// Records of one index that are passed before it is sought in again.
const STEPS_MAX: usize = 16;

/// Positions at which to look for commits, in the order of a search.
pub(super) enum Candidates<'a> {
    /// Known beforehand.
    These(VecDeque<Position>),
    /// Found by their terms.
    Found(Frames<'a>),
}

impl<'a> Candidates<'a> {
    /// The next one; `Ok(None)` behind the last, or when no step is left.
    pub(super) fn next(&mut self) -> Result<Option<Position>, ViewError> {
        match self {
            Self::These(positions) => Ok(positions.pop_front()),
            Self::Found(frames) => Ok(frames.next()?.map(|(position, _)| position)),
        }
    }

    /// Leaves out what lies in front of all events of a commit, in the order of the search, and these.
    pub(super) fn pass(&mut self, events: &Range<Position>) {
        match self {
            Self::These(positions) => positions.retain(|position| !events.contains(position)),
            Self::Found(frames) => frames.pass(events),
        }
    }

    /// Where the search goes on, if it ended because no step was left.
    pub(super) fn stopped_at(&self) -> Option<Position> {
        match self {
            Self::These(_) => None,
            Self::Found(frames) => frames.stopped_at(),
        }
    }
}

type Positions = Peekable<Box<dyn Iterator<Item = Result<(Position, EntrySet), ViewError>>>>;

/// The frames within a range that hold entries with all of some terms, or the first events of such commits.
pub(super) struct Frames<'a> {
    view: &'a View,
    to: Trace,
    sort: Sort,
    /// What is left of the range.
    within: Range<Position>,
    terms: Vec<(AccessTerm<'a>, Positions)>,
    /// Records of the index that may still be passed.
    steps: usize,
    /// The positions of frames that were disposed of.
    disposed: Vec<Range<Position>>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(
        view: &'a View,
        to: Trace,
        terms: &[AccessTerm<'a>],
        within: Range<Position>,
        sort: Sort,
        steps: usize,
        disposed: Vec<Range<Position>>,
    ) -> Self {
        let open = |term: &AccessTerm<'a>| (*term, positions(view, to, *term, &within, sort));
        let terms = terms.iter().map(open).collect();
        Self { view, to, sort, within, terms, steps, disposed }
    }

    /// The next frame, and which of its entries have the terms (`None`: there is no term); `Ok(None)` behind the
    /// last, or when no step is left.
    pub(super) fn next(&mut self) -> Result<Option<(Position, Option<EntrySet>)>, ViewError> {
        'candidates: loop {
            let Some(candidate) = self.nearest()? else { return Ok(None) };
            if let Some(gap) = self.disposed.iter().find(|gap| gap.contains(&candidate)) {
                match self.sort {
                    Sort::Newest => self.within.end = gap.start.max(self.within.start),
                    Sort::Oldest => self.within.start = gap.end.min(self.within.end),
                }
                continue;
            }
            let mut members: Option<EntrySet> = None;
            for at in 0..self.terms.len() {
                match self.seek(at, candidate)? {
                    Some(found) if found == candidate => {
                        let of_term = self.members(at);
                        match &mut members {
                            Some(members) => members.intersect(&of_term),
                            None => members = Some(of_term),
                        }
                    }
                    Some(found) => {
                        self.leave_out(found, false);
                        continue 'candidates;
                    }
                    None => return Ok(None),
                }
            }
            self.leave_out(candidate, true);
            // A frame may have entries with each of the terms, and none with all.
            let is_none =
                self.to == Trace::Entry && members.as_ref().is_some_and(EntrySet::is_empty);
            if !is_none {
                return Ok(Some((candidate, members)));
            }
        }
    }

    /// Where the search goes on, if it ended because no step was left.
    pub(super) fn stopped_at(&self) -> Option<Position> {
        (self.steps == 0 && !self.within.is_empty()).then_some(match self.sort {
            Sort::Newest => self.within.end.previous(),
            Sort::Oldest => self.within.start,
        })
    }

    /// Narrows the range to what lies behind all of some positions in the order of the search.
    fn pass(&mut self, positions: &Range<Position>) {
        match self.sort {
            Sort::Newest => self.within.end = self.within.end.min(positions.start),
            Sort::Oldest => self.within.start = self.within.start.max(positions.end),
        }
    }

    /// The first frame of the range, as far as the first term tells.
    fn nearest(&mut self) -> Result<Option<Position>, ViewError> {
        if self.within.is_empty() || self.steps == 0 {
            return Ok(None);
        }
        let edge = match self.sort {
            Sort::Newest => self.within.end.previous(),
            Sort::Oldest => self.within.start,
        };
        match self.terms.is_empty() {
            true => {
                self.steps -= 1;
                Ok(Some(edge))
            }
            false => self.seek(0, edge),
        }
    }

    /// Narrows the range to what lies behind a position in the order of the search, or to that and
    /// what lies behind.
    fn leave_out(&mut self, position: Position, also_itself: bool) {
        match (self.sort, also_itself) {
            (Sort::Newest, true) => self.within.end = position,
            (Sort::Newest, false) => self.within.end = position.next(),
            (Sort::Oldest, true) => self.within.start = position.next(),
            (Sort::Oldest, false) => self.within.start = position,
        }
    }

    /// Which entries of the frame that was sought last have a term.
    fn members(&mut self, at: usize) -> EntrySet {
        let found = self.terms.get_mut(at).and_then(|(_, positions)| positions.peek());
        found.and_then(|found| Some(found.as_ref().ok()?.1.clone())).unwrap_or_default()
    }

    /// The first frame of a term at a position or behind it.
    fn seek(&mut self, at: usize, target: Position) -> Result<Option<Position>, ViewError> {
        let Some((term, positions)) = self.terms.get_mut(at) else { return Ok(None) };
        let is_passed = |position: Position| match self.sort {
            Sort::Newest => position > target,
            Sort::Oldest => position < target,
        };
        for step in 0.. {
            match positions.peek() {
                Some(Ok((position, _))) if !is_passed(*position) => return Ok(Some(*position)),
                None => return Ok(None),
                Some(Ok(_)) if self.steps == 0 => return Ok(None),
                Some(_) => {}
            }
            self.steps -= 1;
            positions.next().transpose()?;
            if step == STEPS_MAX {
                let rest = match self.sort {
                    Sort::Newest => self.within.start..target.next(),
                    Sort::Oldest => target..self.within.end,
                };
                *positions = self::positions(self.view, self.to, *term, &rest, self.sort);
            }
        }
        Ok(None)
    }
}

fn positions(
    view: &View,
    to: Trace,
    term: AccessTerm<'_>,
    within: &Range<Position>,
    sort: Sort,
) -> Positions {
    let frames = view.traces(to, term, within);
    let frames: Box<dyn Iterator<Item = _>> = match sort {
        Sort::Newest => Box::new(frames.rev()),
        Sort::Oldest => Box::new(frames),
    };
    frames.peekable()
}
