//! Access entries as evidence for outsiders.

use super::filter::allow_all;
use super::reader::EntryReader;
use crate::auth::Grant;
use crate::numbers::Position;
use crate::proof::BundleLog;
use crate::records::{Evidence, Exhibit, Records, RecordsError, bundle, disclosed};

/// Evidence of the frames of the access log, from behind position `after`, or from the first; with what their entries
/// say if `disclose`.
///
/// # Errors
///
/// As [`super::accesses`] for all of them; [`RecordsError::NotFound`] if there are none.
pub fn evidence(
    records: &Records,
    grant: &Grant,
    after: Option<Position>,
    limit: usize,
    disclose: bool,
) -> Result<Evidence, RecordsError> {
    allow_all(grant)?;
    let proof = records.engine().proof(BundleLog::Access)?;
    let first = after.map(Position::next).unwrap_or_default();
    let view = records.view();
    let end = view.applied_access()?;
    let last = Position::new(first.get().saturating_add(limit as u64)).min(end);
    let mut reader = EntryReader::new(records, &view);
    let mut exhibits = Vec::new();
    for position in (first.get()..last.get()).map(Position::new) {
        let (frame, recorded_at) = reader.frame(position)?;
        let disclosed = match disclose {
            true => disclosed(&frame, |frame| records.engine().access_frames().disclose(frame))?,
            false => None,
        };
        exhibits.push(Exhibit { position, recorded_at, frame, disclosed });
    }
    let next = (last < end).then_some(last.previous());
    let none = || RecordsError::NotFound(format!("an access entry from position {first} on"));
    bundle(proof, BundleLog::Access, exhibits, next.map(Position::get), none)
}
