//! Stretches of a period, which are read side by side and together are the period.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::filter::AccessFilter;
use crate::clock::Instant;
use crate::numbers::Position;
use crate::view::{View, ViewError};

/// Where two stretches meet.
#[derive(Debug)]
struct Edge {
    /// In front of this frame of the access log.
    frame: Position,
    /// In front of this event: the first that was recorded later than the frame. Whoever reads one of the two stretches
    /// first finds it, so that both mean the same, whatever is disposed of meanwhile.
    event: OnceLock<Position>,
}

impl Edge {
    fn event(&self, view: &View) -> Result<Position, ViewError> {
        if let Some(known) = self.event.get() {
            return Ok(*known);
        }
        let recorded_at = view.access_recorded_at(self.frame)?.micros();
        let found = view.position_at(Instant::from_micros(recorded_at.saturating_add(1)))?;
        Ok(*self.event.get_or_init(|| found))
    }
}

/// Frames of the access log, and events.
pub(super) type Ranges = (Range<Position>, Range<Position>);

/// Frames of the access log, and the commits between them in the order of time.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// Those of the whole period, which has passed: who reads first finds them.
    period: Arc<OnceLock<Ranges>>,
    /// `None`: from the beginning of the period.
    start: Option<Arc<Edge>>,
    /// `None`: to its end.
    end: Option<Arc<Edge>>,
}

impl Stretch {
    /// Cuts off a stretch of so many frames; what is left is that behind it. The last has all that is left of a
    /// period with these frames.
    #[must_use]
    pub fn cut(self, frames: &Range<Position>, count: u64) -> (Self, Option<Self>) {
        let start = self.start.as_ref().map_or(frames.start, |edge| edge.frame);
        let frame = Position::new(start.get().saturating_add(count));
        if frame >= frames.end {
            return (self, None);
        }
        let edge = Arc::new(Edge { frame, event: OnceLock::new() });
        let period = Arc::clone(&self.period);
        let rest = Self { period, start: Some(Arc::clone(&edge)), end: None };
        (Self { end: Some(edge), ..self }, Some(rest))
    }

    /// Whether somebody has found what the period has, and so that it is over.
    pub(super) fn is_of_known_period(&self) -> bool {
        self.period.get().is_some()
    }

    /// The frames of the period, and what of frames and events lies in the stretch.
    pub(super) fn within(
        &self,
        view: &View,
        filter: &AccessFilter,
    ) -> Result<(Range<Position>, Ranges), ViewError> {
        let (all, mut wrote) = match self.period.get() {
            Some(known) => known.clone(),
            None => {
                let found = (looked(view, filter)?, wrote(view, filter)?);
                self.period.get_or_init(|| found).clone()
            }
        };
        let mut looked = all.clone();
        if let Some(start) = &self.start {
            looked.start = looked.start.max(start.frame);
            wrote.start = wrote.start.max(start.event(view)?);
        }
        if let Some(end) = &self.end {
            looked.end = looked.end.min(end.frame);
            wrote.end = wrote.end.min(end.event(view)?);
        }
        Ok((all, (looked, wrote)))
    }
}

/// The frames of the access log between the two moments of a filter.
pub(super) fn looked(view: &View, filter: &AccessFilter) -> Result<Range<Position>, ViewError> {
    let start = match filter.since {
        Some(since) => view.access_position_at(since)?,
        None => Position::default(),
    };
    let end = match filter.until {
        Some(until) => view.access_position_at(until)?,
        None => view.applied_access()?,
    };
    Ok(start..end.max(start))
}

/// The events between the two moments of a filter.
pub(super) fn wrote(view: &View, filter: &AccessFilter) -> Result<Range<Position>, ViewError> {
    let position_at = |moment: Option<Instant>, otherwise| match moment {
        Some(moment) => view.position_at(moment),
        None => Ok(otherwise),
    };
    let start = position_at(filter.since, Position::default())?;
    let end = position_at(filter.until, view.applied_events()?)?;
    Ok(start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_meet_and_reach_from_end_to_end() {
        let frames = Position::new(10)..Position::new(20);
        let mut edges = Vec::new();
        let (mut rest, mut before) = (Some(Stretch::default()), None::<Arc<Edge>>);
        while let Some(left) = rest {
            let (stretch, behind) = left.cut(&frames, 4);
            let meet = match (&before, &stretch.start) {
                (Some(end), Some(start)) => Arc::ptr_eq(end, start),
                (None, None) => edges.is_empty(),
                _ => false,
            };
            assert!(meet, "{stretch:?}");
            edges.extend(stretch.end.as_ref().map(|edge| edge.frame.get()));
            (rest, before) = (behind, stretch.end);
        }
        assert_eq!(edges, [14, 18]);
        assert!(before.is_none());
        let all = Stretch::default().cut(&frames, u64::MAX);
        assert!(all.0.end.is_none() && all.1.is_none());
    }
}
