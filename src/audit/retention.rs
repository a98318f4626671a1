//! How long access entries are kept, and their disposal when that time is over.
//!
//! Entries go by segments of the access log. A segment may go when its last entry is old enough and none of
//! its entries is about a chart under a legal hold.

use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::engine::AccessSegment;
use crate::fhir::ResourceId;
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};
use crate::view::{AccessTerm, Trace, View};

/// The scope that seeing what is due (`r`) and disposing of it (`d`) take, by name.
const RETENTION: &str = "Retention";

/// What is to become of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The time for which its entries are kept is not over.
    Kept,
    /// It would be due, but has entries about the charts of these patients, which are under a legal hold.
    Held(Vec<ResourceId>),
    /// It may be disposed of.
    Due,
    /// It was disposed of.
    Disposed,
}

/// The closed segments of the access log, in order, and what is to become of them `now`, as entries are kept for
/// so many years; 0: for ever.
///
/// # Errors
///
/// [`RecordsError::Denied`] unless a scope names `Retention.r`; those of the log and the views.
pub fn retention(
    records: &Records,
    grant: &Grant,
    years: u64,
    now: Instant,
) -> Result<Vec<(AccessSegment, Fate)>, RecordsError> {
    grant.may(RETENTION, Permission::Read)?;
    let view = records.view();
    let held = view.held_charts()?;
    let segments = records.engine().access_segments()?.into_iter();
    let fates = segments.map(|segment| {
        let fate = fate(&view, grant, &held, &segment, years, now)?;
        Ok((segment, fate))
    });
    fates.collect()
}

/// Disposes of the segments that are due `now`. Returns the signed statements.
///
/// # Errors
///
/// [`RecordsError::Denied`] unless a scope names `Retention.d`; as [`retention`], and those of
/// [`Engine::access_disposal`](crate::engine::Engine::access_disposal): segments before the one that failed are
/// gone.
pub fn dispose(
    records: &Records,
    grant: &Grant,
    years: u64,
    now: Instant,
) -> Result<Vec<String>, RecordsError> {
    grant.may(RETENTION, Permission::Delete)?;
    let mut statements = Vec::new();
    let mut segments = records.engine().access_segments()?;
    segments.retain(|segment| !segment.segment.is_disposed && is_over(segment, years, now));
    for segment in segments {
        // A hold that came while others were disposed of counts, and so does one that comes while this is read.
        let is_due = || -> Result<bool, RecordsError> {
            let view = records.view();
            Ok(fate(&view, grant, &view.held_charts()?, &segment, years, now)? == Fate::Due)
        };
        if is_due()? {
            let disposal = records.engine().access_disposal(segment.segment.number, years)?;
            if is_due()? {
                statements.push(disposal.carry_out()?);
            }
        }
    }
    Ok(statements)
}

/// Whether the time is over for which the entries of a segment are kept.
fn is_over(segment: &AccessSegment, years: u64, now: Instant) -> bool {
    years > 0 && segment.until < now.years_before(years)
}

/// What is to become of a segment. The charts that keep it are noted in the grant: they are named.
fn fate(
    view: &View,
    grant: &Grant,
    held: &[StreamAlias],
    segment: &AccessSegment,
    years: u64,
    now: Instant,
) -> Result<Fate, RecordsError> {
    if segment.segment.is_disposed {
        return Ok(Fate::Disposed);
    }
    if !is_over(segment, years, now) {
        return Ok(Fate::Kept);
    }
    let mut patients = Vec::new();
    for alias in held {
        let positions = &segment.segment.positions;
        let mut frames = view.traces(Trace::Entry, AccessTerm::Chart(*alias), positions);
        if frames.next().transpose()?.is_some() {
            grant.saw_chart(*alias);
            patients.extend(view.patient(*alias)?);
        }
    }
    Ok(if patients.is_empty() { Fate::Due } else { Fate::Held(patients) })
}
