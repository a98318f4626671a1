//! Access entries of a period as a whole, part by part, and the proof that these are all.
//!
//! An export is asked for with an end that has passed, and read when the entry of its own request is durable.
//! That entry is later than the period. So no entry of the period can be missing that is still on its way,
//! and the proof always finds a frame behind the last.

use std::ops::Range;

use super::accesses::{Access, PageMax, page};
use super::filter::{AccessFilter, Wanted, allow_all};
use super::known::Names;
use super::reader::EntryReader;
use super::stretch::{Stretch, looked, wrote};
use super::{AccessId, AuditEvent, AuditEventId, AuditQuery, Sort, event};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::log::Frame;
use crate::numbers::Position;
use crate::proof::{
    Base64, BundleLog, Disclosed, EXPORT_FORMAT, ExportCommit, ExportFrame, ExportHead, ExportLine,
    leaf,
};
use crate::records::{Records, RecordsError, disclosed};
use crate::view::View;

/// What one part of an export holds at most.
const PART: PageMax<'_> =
    PageMax { entries: 1_000, resources: usize::MAX, resources_in_all: 10_000, stretch: None };
/// Bytes of frames in one part, but for the last frame.
const PART_BYTES: usize = 512 << 10;
/// Bytes of events that are read for one part, but for the last group.
const READ_BYTES: usize = 4 << 20;

/// What one part of an export begins with: the entries that meet a filter, in a stretch of the period, from there on.
#[derive(Debug, Clone, Copy)]
pub struct ExportPart<'a, Id> {
    /// What is exported.
    pub filter: &'a AccessFilter,
    /// Where.
    pub stretch: &'a Stretch,
    /// `None`: from the beginning of the stretch.
    pub from: Option<Id>,
}

/// Checks, before anything is read, that the caller may export these entries, and says in which frames of a log
/// they can be.
///
/// # Errors
///
/// As [`super::accesses`] for all of them.
pub fn export_check(
    records: &Records,
    grant: &Grant,
    filter: &AccessFilter,
    log: BundleLog,
) -> Result<Range<Position>, RecordsError> {
    allow_all(grant)?;
    let view = records.view();
    Wanted::new(records, &view, grant, filter)?;
    match log {
        BundleLog::Access => Ok(looked(&view, filter)?),
        BundleLog::Events => Ok(wrote(&view, filter)?),
    }
}

/// Gives the next entries of a stretch that meet a filter, oldest first, with all that they name; and where the next part
/// begins, if there may be one.
///
/// # Errors
///
/// As [`super::accesses`] for all of them; [`RecordsError::Conflict`] when no entry is as late as the end of the
/// period, so that others may still come.
pub fn export_entries(
    records: &Records,
    grant: &Grant,
    ExportPart { filter, stretch, from }: ExportPart<'_, AccessId>,
    names: &Names,
    take: impl FnMut(Access),
) -> Result<Option<AccessId>, RecordsError> {
    let view = records.view();
    may_begin(&view, grant, filter, stretch)?;
    let reader = EntryReader::with_names(records, &view, names)?;
    let most = PageMax { stretch: Some(stretch), ..PART };
    page(&reader, grant, filter, Sort::Oldest, from, most, take)
}

/// The same as AuditEvents.
///
/// # Errors
///
/// As [`export_entries`].
pub fn export_events(
    records: &Records,
    grant: &Grant,
    ExportPart { filter, stretch, from }: ExportPart<'_, AuditEventId>,
    names: &Names,
) -> Result<(Vec<AuditEvent>, Option<AuditEventId>), RecordsError> {
    let view = records.view();
    may_begin(&view, grant, filter, stretch)?;
    let reader = EntryReader::with_names(records, &view, names)?;
    let query = AuditQuery::of(filter.clone(), Sort::Oldest);
    let most = PageMax { stretch: Some(stretch), ..PART };
    event::page(&reader, grant, &query, from, most)
}

fn may_begin(
    view: &View,
    grant: &Grant,
    filter: &AccessFilter,
    stretch: &Stretch,
) -> Result<(), RecordsError> {
    allow_all(grant)?;
    match filter.until.filter(|_| !stretch.is_of_known_period()) {
        Some(until) => behind(view, until).map(drop),
        None => Ok(()),
    }
}

/// What leads from the frames of a period, with their neighbours, to a signed checkpoint.
///
/// # Errors
///
/// As [`export_entries`]; the proofs'.
pub fn export_head(
    records: &Records,
    grant: &Grant,
    log: BundleLog,
    since: Option<Instant>,
    until: Instant,
) -> Result<ExportHead, RecordsError> {
    allow_all(grant)?;
    let proof = records.engine().proof(log)?;
    let view = records.view();
    let position_at = |moment| match log {
        BundleLog::Access => view.access_position_at(moment),
        BundleLog::Events => view.position_at(moment),
    };
    let behind = match log {
        BundleLog::Access => behind(&view, until)?,
        BundleLog::Events => position_at(until)?,
    };
    let first = match since {
        Some(since) => position_at(since)?.previous().get(),
        None => 0,
    };
    let all = match log {
        BundleLog::Access => view.applied_access()?,
        BundleLog::Events => view.applied_events()?,
    };
    let signed = proof.checkpoint_over(all.get())?;
    // The log of events may end in the period: nothing later is there to show.
    let end = behind.next().get().min(signed.checkpoint().size);
    if log == BundleLog::Access {
        refuse_gaps(records, &view, Position::new(first)..Position::new(end))?;
    }
    let run = proof.tiles().run(first, end, signed.checkpoint().size)?;
    Ok(ExportHead {
        format: EXPORT_FORMAT.to_owned(),
        log,
        checkpoint: signed.note().to_string(),
        since: since.map(Instant::micros),
        until: until.micros(),
        first,
        end,
        left: run.left,
        right: run.right,
    })
}

/// A proof needs every frame of the period: none may have been disposed of.
fn refuse_gaps(records: &Records, view: &View, run: Range<Position>) -> Result<(), RecordsError> {
    let gaps = records.engine().access_reader().disposed();
    let last = gaps.into_iter().rev().find(|gap| gap.start < run.end && run.start < gap.end);
    let Some(last) = last else { return Ok(()) };
    let kept = view.access_recorded_at(last.end)?;
    let reason = format!(
        "entries of this period were disposed of, so that nothing can show that all are here: begin \
         behind {kept}"
    );
    Err(RecordsError::Conflict { place: "since".to_owned(), reason })
}

/// The first frame behind a period: as there is one, no other will come that belongs into the period.
fn behind(view: &View, until: Instant) -> Result<Position, RecordsError> {
    let behind = view.access_position_at(until)?;
    if behind < view.applied_access()? {
        return Ok(behind);
    }
    let reason = "the clock of the server went back: the period is not over yet".to_owned();
    Err(RecordsError::Conflict { place: "until".to_owned(), reason })
}

/// The next frames of a run, with what they say if `disclose`.
///
/// # Errors
///
/// As [`super::accesses`] for all of them.
pub fn export_frames(
    records: &Records,
    grant: &Grant,
    run: Range<u64>,
    disclose: bool,
) -> Result<Vec<ExportFrame>, RecordsError> {
    allow_all(grant)?;
    let view = records.view();
    let mut reader = EntryReader::new(records, &view);
    let (mut frames, mut size) = (Vec::new(), 0);
    for position in run {
        let (frame, recorded_at) = reader.frame(Position::new(position))?;
        let disclosed = match disclose {
            true => disclosed(&frame, |frame| records.engine().access_frames().disclose(frame))?,
            false => None,
        };
        size += frame.length() + disclosed.as_ref().map_or(0, |shown| shown.payload.len());
        frames.push(exported(position, recorded_at, &frame, disclosed));
        if size > PART_BYTES {
            break;
        }
    }
    Ok(frames)
}

fn exported(
    position: u64,
    recorded_at: i64,
    frame: &Frame,
    disclosed: Option<Disclosed>,
) -> ExportFrame {
    let bytes = bytes_of(frame);
    let leaf = leaf(position, recorded_at, &bytes);
    ExportFrame { position, recorded_at, leaf, frame: Base64(bytes), disclosed }
}

fn bytes_of(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.length());
    frame.put(&mut bytes);
    bytes
}

/// The next commits of a run of events, with the frames that are older or later than the period; and where the
/// next part begins.
///
/// # Errors
///
/// As [`super::accesses`] for all of them.
pub fn export_commits(
    records: &Records,
    grant: &Grant,
    since: Option<Instant>,
    until: Instant,
    run: Range<u64>,
) -> Result<(Vec<ExportLine>, u64), RecordsError> {
    allow_all(grant)?;
    let (mut lines, mut size, mut next) = (Vec::new(), 0, run.start);
    let groups = records.engine().keys().reader();
    for group in groups.scan(Position::new(run.start), Position::new(run.end)) {
        let group = group?;
        let recorded_at = group.recorded_at;
        let is_of_period =
            since.is_none_or(|since| recorded_at >= since.micros()) && recorded_at < until.micros();
        let mut commit = ExportCommit { position: next, leaves: Vec::new() };
        for (position, (frame, _)) in (group.first_position.get()..).zip(&group.frames) {
            if !run.contains(&position) {
                continue;
            }
            next = position + 1;
            size += frame.length();
            if !is_of_period {
                lines.push(ExportLine::Frame(exported(position, recorded_at, frame, None)));
                continue;
            }
            commit.leaves.push(leaf(position, recorded_at, &bytes_of(frame)));
            if frame.last_of_commit {
                let begun = ExportCommit { position: next, leaves: Vec::new() };
                lines.push(ExportLine::Commit(std::mem::replace(&mut commit, begun)));
            }
        }
        if size > READ_BYTES {
            break;
        }
    }
    Ok((lines, next))
}
