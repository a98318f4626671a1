//! The parts of an answer that has a period: some are read side by side, and sent in the order of time.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use actix_web::rt::task::JoinHandle;
use futures_util::stream::{self, StreamExt};

use super::super::super::Failure;
use super::super::super::sending::{Reading, Rest};
use super::super::super::writing::Part;
use crate::audit::{AccessFilter, ExportPart, Names, Stretch};
use crate::auth::Grant;
use crate::numbers::Position;
use crate::records::{Records, RecordsError};

/// Room for one part, about: most are smaller.
pub const PART_BYTES: usize = 3 << 18;
/// Stretches of the period that are read side by side, besides what was read and is being sent.
const AHEAD: usize = 2;
/// Frames in the first stretch: a part of the answer, where some dozens of entries were durable together.
const FRAMES: u64 = 16;

/// What was read of one part, as it is sent, and where the next one of the stretch begins, if there may be one.
pub type PartRead<Id> = (Vec<u8>, Option<Id>);

/// What reads one part.
pub type ReadPart<Id> =
    fn(&Records, &Grant, ExportPart<'_, Id>, &Names) -> Result<PartRead<Id>, RecordsError>;

/// A part that is being read.
type Task<Id> = JoinHandle<Result<PartRead<Id>, Failure>>;

/// The stretches of a period, in the order of time.
struct Stretches<Id> {
    reading: Reading,
    filter: Arc<AccessFilter>,
    read: ReadPart<Id>,
    /// The frames of the period.
    frames: Range<Position>,
    /// What was not begun yet.
    rest: Option<Stretch>,
    /// Frames in the next stretch: such that one part has all that is wanted of it, but not much more than that.
    width: u64,
    /// What is being read.
    begun: VecDeque<(Stretch, Task<Id>)>,
    /// Of all who read for this answer.
    names: Arc<Names>,
}

/// All that meets a filter: some stretches are read while what lies before them is sent.
pub fn in_stretches<Id: Send + 'static>(
    reading: Reading,
    filter: AccessFilter,
    frames: Range<Position>,
    read: ReadPart<Id>,
) -> Rest {
    let stretches = Stretches {
        reading,
        filter: filter.into(),
        read,
        frames,
        rest: Some(Stretch::default()),
        width: FRAMES,
        begun: VecDeque::new(),
        names: Arc::default(),
    };
    // None is begun before the first is asked for.
    let parts = stream::try_unfold(stretches, |mut stretches| async move {
        Ok(stretches.next().await?.map(|part| (part, stretches)))
    });
    Rest::Parts(parts.boxed())
}

impl<Id: Send + 'static> Stretches<Id> {
    async fn next(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            self.begin();
            let Some((stretch, task)) = self.begun.pop_front() else { return Ok(None) };
            let (bytes, next) = task.await.map_err(|_| Failure::internal())??;
            match next {
                Some(next) => {
                    self.width = (self.width / 2).max(1);
                    let task = self.task(stretch.clone(), Some(next));
                    self.begun.push_front((stretch, task));
                }
                None if bytes.len() < PART_BYTES / 4 => self.width = self.width.saturating_mul(2),
                None => {}
            }
            if !bytes.is_empty() {
                self.begin();
                return Ok(Some(bytes.into()));
            }
        }
    }

    /// Begins to read as far ahead as may be.
    fn begin(&mut self) {
        while self.begun.len() < AHEAD
            && let Some(rest) = self.rest.take()
        {
            let (stretch, rest) = rest.cut(&self.frames, self.width);
            self.rest = rest;
            let task = self.task(stretch.clone(), None);
            self.begun.push_back((stretch, task));
        }
    }

    /// Reads a part of a stretch.
    fn task(&self, stretch: Stretch, from: Option<Id>) -> Task<Id> {
        let (filter, read, names) = (Arc::clone(&self.filter), self.read, Arc::clone(&self.names));
        let read = move |records: &Records, grant: &Grant| {
            read(records, grant, ExportPart { filter: &filter, stretch: &stretch, from }, &names)
        };
        let reading = self.reading.clone();
        actix_web::rt::spawn(async move { reading.part(read).await })
    }
}
