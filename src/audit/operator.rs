//! What was done with the store itself, as its access log tells.

use super::reader::EntryReader;
use crate::access::AccessEntry;
use crate::numbers::Position;
use crate::records::{Records, RecordsError};
use crate::view::{AccessTerm, Trace};

/// Frames that are looked through for an entry: a few were enough, as nobody else has that subject.
const FRAMES_MAX: usize = 1_000;

/// The newest entry of a subject that is of one of some operations. It names no patient, so nobody is
/// asked.
///
/// # Errors
///
/// The access log does not read back.
pub fn last_of(
    records: &Records,
    subject: &str,
    operations: &[&str],
) -> Result<Option<AccessEntry>, RecordsError> {
    let view = records.view();
    let within = Position::default()..view.applied_access()?;
    let mut reader = EntryReader::new(records, &view);
    let frames = view.traces(Trace::Entry, AccessTerm::Subject(subject), &within);
    for position in frames.rev().take(FRAMES_MAX) {
        let (entries, _) = reader.entries(position?.0)?;
        let is_wanted = |entry: &AccessEntry| operations.contains(&&*entry.look.operation);
        if let Some(found) = entries.into_iter().rev().find(is_wanted) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
