//! Opens frames of the access log, which quote sources from others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::EngineError;
use crate::log::{Frame, FrameKind, Reader};
use crate::numbers::Position;
use crate::seal::{Disclosed, Lines, SealingKey};
use crate::view::Views;

/// Frames whose sources are kept in memory, each of at most some hundred kilobytes.
const KEPT_MAX: usize = 16;

/// Sources by the position of their frame.
type Kept = VecDeque<(Position, Arc<Lines>)>;

/// Opens the frames of an access log. Clones share what they keep in memory.
#[derive(Debug, Clone)]
pub struct AccessFrames {
    key: Arc<SealingKey>,
    reader: Reader,
    /// They know where a frame lies; without them, its segment is walked through.
    views: Option<Views>,
    /// The sources that were quoted last, the latest behind.
    kept: Arc<Mutex<Kept>>,
}

impl AccessFrames {
    /// Those of a log, with its key.
    #[must_use]
    pub fn new(key: Arc<SealingKey>, reader: Reader, views: Option<Views>) -> Self {
        Self { key, reader, views, kept: Arc::default() }
    }

    /// The log.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The same of another reader of the log.
    #[must_use]
    pub fn read_by(&self, reader: Reader) -> Self {
        Self { reader, views: None, ..self.clone() }
    }

    /// What the frame at a position says.
    ///
    /// # Errors
    ///
    /// [`EngineError::Seal`]; those of the log and the views.
    pub fn open(&self, position: Position, frame: Frame) -> Result<Vec<u8>, EngineError> {
        let Frame { kind, alias, content, .. } = frame;
        let payload = self.key.open_quoting(kind, alias, content, |from| self.lines(from))?;
        if kind == FrameKind::Sources {
            // Who reads the log in order finds them here.
            self.keep(position, &Arc::new(Lines::of(payload.clone())));
        }
        Ok(payload)
    }

    /// What a frame says, held against its commitment, and the salt of that.
    ///
    /// # Errors
    ///
    /// As [`AccessFrames::open`].
    pub fn disclose(&self, frame: Frame) -> Result<Disclosed, EngineError> {
        let Frame { kind, alias, content, .. } = frame;
        self.key.disclose_quoting(kind, alias, content, |from| self.lines(from))
    }

    /// The sources in the frame at a position.
    fn lines(&self, position: Position) -> Result<Arc<Lines>, EngineError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lines)) = kept.iter().rev().find(|(at, _)| *at == position) {
            return Ok(Arc::clone(lines));
        }
        drop(kept);
        let frame = self.frame(position)?.filter(|frame| frame.kind == FrameKind::Sources);
        let Frame { kind, alias, content, .. } = frame.ok_or_else(|| {
            EngineError::Unreadable(format!("frame {position} of the access log holds no sources"))
        })?;
        let lines = Arc::new(Lines::of(self.key.open(kind, alias, content)?));
        self.keep(position, &lines);
        Ok(lines)
    }

    fn keep(&self, position: Position, lines: &Arc<Lines>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|(at, _)| *at == position) {
            return;
        }
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((position, Arc::clone(lines)));
    }

    fn frame(&self, position: Position) -> Result<Option<Frame>, EngineError> {
        let view = self.views.as_ref().map(Views::view);
        let known = view
            .filter(|view| view.applied_access().is_ok_and(|applied| position < applied))
            .map(|view| view.access_group(position))
            .transpose()?;
        let group = match known.flatten() {
            Some(at) => Some(self.reader.group(at)?),
            None => self.reader.scan(position, position.next()).next().transpose()?,
        };
        let group = group.filter(|group| group.first_position <= position);
        Ok(group.and_then(|group| {
            let at = usize::try_from(position - group.first_position).ok()?;
            group.frames.into_iter().nth(at).map(|(frame, _)| frame)
        }))
    }
}
