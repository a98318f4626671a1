//! How much work one request may cause, whatever it asks for and in however many parts.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant as Stopwatch};

/// Opening a resource (reading, decrypting, decompressing) takes about as long as so many records of the
/// index.
const RECORDS_PER_OPENED: u64 = 40;

/// An amount of work.
#[derive(Debug, Clone, Copy)]
pub struct WorkLimits {
    /// Records of the index.
    pub records: u64,
    /// Bytes of the resources that are opened.
    pub bytes: u64,
    /// Time, from its beginning.
    pub time: Duration,
}

/// Nothing of a budget is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request would take more than one may")]
pub struct Spent;

/// The work that a request may still cause.
#[derive(Debug)]
pub struct Budget {
    whole: WorkLimits,
    left: Mutex<Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    records: u64,
    bytes: u64,
    deadline: Stopwatch,
}

impl Default for WorkLimits {
    /// Some seconds of one thread, and answers that fit into memory.
    fn default() -> Self {
        Self { records: 4_000_000, bytes: 256 << 20, time: Duration::from_secs(30) }
    }
}

impl Budget {
    /// So much, beginning now.
    #[must_use]
    pub fn of(whole: WorkLimits) -> Self {
        Self { whole, left: Mutex::new(Left::of(whole)) }
    }

    /// Takes some records of the index. What is refused once stays refused.
    ///
    /// # Errors
    ///
    /// [`Spent`]: there are not so many left, or the time is over.
    pub fn read(&self, records: u64) -> Result<(), Spent> {
        self.take(records, 0)
    }

    /// Takes a resource of so many bytes that was opened.
    ///
    /// # Errors
    ///
    /// As [`Budget::read`].
    pub fn open(&self, bytes: usize) -> Result<(), Spent> {
        self.take(RECORDS_PER_OPENED, bytes as u64)
    }

    /// Begins anew: for the next part of an answer that goes out part by part, so that nothing of the
    /// one before is held any more.
    pub fn renew(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Left::of(self.whole);
    }

    fn take(&self, records: u64, bytes: u64) -> Result<(), Spent> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let after = |left: Left| {
            let records = left.records.checked_sub(records)?;
            let bytes = left.bytes.checked_sub(bytes)?;
            (Stopwatch::now() < left.deadline).then_some(Left { records, bytes, ..left })
        };
        let taken = after(*left);
        *left = taken.unwrap_or(Left { records: 0, ..*left });
        taken.map(drop).ok_or(Spent)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(WorkLimits::default())
    }
}

impl Left {
    fn of(WorkLimits { records, bytes, time }: WorkLimits) -> Self {
        Self { records, bytes, deadline: Stopwatch::now() + time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: WorkLimits =
        WorkLimits { records: 100, bytes: 1_000, time: Duration::from_secs(3_600) };

    #[test]
    fn what_is_spent_stays_spent_until_it_is_renewed() {
        for take in [|budget: &Budget| budget.read(101), |budget: &Budget| budget.open(1_001)] {
            let budget = Budget::of(WORK);
            assert_eq!((budget.read(59), budget.open(1_000)), (Ok(()), Ok(())));
            assert_eq!((take(&budget), budget.read(1)), (Err(Spent), Err(Spent)));
            budget.renew();
            assert_eq!(budget.read(100), Ok(()));
        }
    }

    #[test]
    fn when_the_time_is_over_nothing_is_left() {
        let budget = Budget::of(WorkLimits { time: Duration::ZERO, ..WORK });
        assert_eq!((budget.read(1), budget.open(0)), (Err(Spent), Err(Spent)));
    }
}
