//! The access entries of a period as a whole, for other programs and for outsiders.
//!
//! Nothing is read before the entry of the request itself is durable: that is later than the period, so that what
//! is exported is complete (see [`crate::audit`]). The answer goes out part by part.

mod stretches;
mod table;

use std::str::FromStr;

use actix_web::http::StatusCode;
use futures_util::stream::{self, StreamExt};

use super::super::reply::Reply;
use super::super::sending::{Reading, Rest};
use super::super::writing::Part;
use super::super::{Call, Failure};
use super::accesses::{FILTERS, filter};
use crate::audit::{self, AccessId, AuditEventId, ExportPart, Names};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::proof::BundleLog;
use crate::records::{Records, RecordsError};
use stretches::{PART_BYTES, PartRead, in_stretches};

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Format {
    /// An entry on each line, as the list of accesses has it.
    #[default]
    Ndjson,
    /// An entry, or an entry of a Bundle, on each line.
    Csv,
    /// A FHIR AuditEvent on each line.
    Fhir,
    /// A frame of the log on each line, with the proof that none is missing.
    Proof,
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            "fhir" => Ok(Self::Fhir),
            "proof" => Ok(Self::Proof),
            _ => Err(()),
        }
    }
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Proof => "application/x-ndjson",
            Self::Fhir => "application/fhir+ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Ndjson => "accesses.ndjson",
            Self::Csv => "accesses.csv",
            Self::Fhir => "AuditEvent.ndjson",
            Self::Proof => "accesses.proof.ndjson",
        }
    }
}

/// All access entries of a period, and all commits as their own traces, oldest first, in one answer.
#[utoipa::path(get, path = "/v1/accesses/export", operation_id = "exportAccesses", tag = "audit",
    params(
        ("format" = Option<String>, Query, description = "ndjson (default): an entry on each line, as listAccesses has it, with every version that left. csv: flat. fhir: an AuditEvent on each line. proof: the frames of a log, with the proof that none of the period is missing (docs/format.md, \"Audit export\")"),
        ("log" = Option<String>, Query, description = "Of format=proof, access (default): all access entries. events: all commits, with the hashes of their events and not what these say"),
        ("disclose" = Option<bool>, Query, description = "Of format=proof and log=access, true (default): with what the frames say. false: only sealed bytes"),
        ("patient" = Option<String>, Query, description = "Only about the chart of the Patient with this id"),
        ("actor" = Option<String>, Query, description = "Only of this subject, or of who acted on its behalf"),
        ("client" = Option<String>, Query, description = "Only of this client application"),
        ("organization" = Option<String>, Query, description = "Only of subjects of this organisation"),
        ("purpose" = Option<String>, Query, description = "Only with this purpose of use"),
        ("outcome" = Option<String>, Query, description = "granted, refused or failed"),
        ("action" = Option<String>, Query, description = "C, R, U, D or E"),
        ("operation" = Option<String>, Query, description = "Only of this operation"),
        ("breakGlass" = Option<bool>, Query, description = "Only with the glass broken, or not"),
        ("resource" = Option<String>, Query, description = "Only what showed this resource, or was about it: Type/id"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant; the moment of the request if left out")),
    responses(
        (status = 200, description = "The entries. The header Chartlog-Frames has the frames of the access log (or of the other one, with log=events) among which they are, such as 0-4711: the first position, and the one behind the last. The ids on the lines tell how far the answer is", content_type = "application/x-ndjson"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs on everything, by that name"),
        (status = 404, description = "No such patient or resource"),
        (status = 410, description = "The chart of the patient was erased")))]
pub async fn export(call: Call) -> Result<Reply, Failure> {
    let allowed: Vec<&str> = FILTERS.into_iter().chain(["format", "log", "disclose"]).collect();
    call.allow_parameters(&allowed)?;
    let wrong = |name: &str, what: &str| Failure::at(IssueCode::Value, name, what.to_owned());
    let format = match call.parameter::<String>("format", "a format")? {
        Some(text) => {
            text.parse().map_err(|()| wrong("format", "must be ndjson, csv, fhir or proof"))?
        }
        None => Format::default(),
    };
    let disclose = call.parameter("disclose", "true or false")?;
    let log = match call.parameter::<String>("log", "a log")?.as_deref() {
        None => None,
        Some("access") => Some(BundleLog::Access),
        Some("events") => Some(BundleLog::Events),
        Some(_) => return Err(wrong("log", "must be access or events")),
    };
    let mut filter = filter(&call, None)?;
    let until = *filter.until.get_or_insert_with(Instant::now);
    if filter.since.is_some_and(|since| since > until) {
        return Err(wrong("since", "lies behind the end of the period"));
    }
    let narrows = |name: &str| FILTERS.contains(&name) && !matches!(name, "since" | "until");
    let narrowed = call.query.iter().find(|(name, _)| narrows(name));
    match (format, narrowed) {
        (Format::Proof, Some((name, _))) => {
            return Err(wrong(name, "a proof is of all entries of the period"));
        }
        (Format::Ndjson | Format::Csv | Format::Fhir, _) if disclose.is_some() => {
            return Err(wrong("disclose", "is for format=proof alone"));
        }
        (Format::Ndjson | Format::Csv | Format::Fhir, _) if log.is_some() => {
            return Err(wrong("log", "is for format=proof alone; other formats have both"));
        }
        (Format::Proof, _) if disclose.is_some() && log == Some(BundleLog::Events) => {
            return Err(wrong(
                "disclose",
                "is for log=access alone: of events, nothing is disclosed",
            ));
        }
        _ => {}
    }
    let (named, log) = (filter.clone(), log.unwrap_or(BundleLog::Access));
    let check =
        move |records: &Records, grant: &Grant| audit::export_check(records, grant, &named, log);
    let frames = call.aside(check).await?;
    // Commits are their own traces: none may be missing that is still on its way.
    call.settled(until).await?;
    let head = match format {
        Format::Csv => table::head().into_bytes(),
        Format::Ndjson | Format::Fhir | Format::Proof => Vec::new(),
    };
    let rest = match format {
        Format::Proof => {
            frames_of(call.reading(), log, filter.since, until, disclose.unwrap_or(true))
        }
        Format::Ndjson => in_stretches(call.reading(), filter, frames.clone(), ndjson),
        Format::Csv => in_stretches(call.reading(), filter, frames.clone(), csv),
        Format::Fhir => in_stretches(call.reading(), filter, frames.clone(), fhir),
    };
    Ok(Reply::new(StatusCode::OK, format.content_type(), head)
        .header("chartlog-frames", format!("{}-{}", frames.start, frames.end))
        .header("content-disposition", format!("attachment; filename=\"{}\"", format.file_name()))
        .followed_by(rest))
}

fn ndjson(
    records: &Records,
    grant: &Grant,
    part: ExportPart<'_, AccessId>,
    names: &Names,
) -> Result<PartRead<AccessId>, RecordsError> {
    let mut out = String::with_capacity(PART_BYTES);
    let next = audit::export_entries(records, grant, part, names, |access| {
        access.write_json(None, &mut out);
        out.push('\n');
    })?;
    Ok((out.into_bytes(), next))
}

fn csv(
    records: &Records,
    grant: &Grant,
    part: ExportPart<'_, AccessId>,
    names: &Names,
) -> Result<PartRead<AccessId>, RecordsError> {
    let mut out = String::with_capacity(PART_BYTES);
    let add = |access| table::add_rows(&mut out, &access);
    let next = audit::export_entries(records, grant, part, names, add)?;
    Ok((out.into_bytes(), next))
}

fn fhir(
    records: &Records,
    grant: &Grant,
    part: ExportPart<'_, AuditEventId>,
    names: &Names,
) -> Result<PartRead<AuditEventId>, RecordsError> {
    let (events, next) = audit::export_events(records, grant, part, names)?;
    let lines = events.into_iter().flat_map(|event| [event.body, b"\n".to_vec()]);
    Ok((lines.collect::<Vec<_>>().concat(), next))
}

/// Where an export with proof goes on.
enum Place {
    Head,
    Frames { next: u64, end: u64 },
}

/// The frames of a period, and what proves that these are all.
fn frames_of(
    reading: Reading,
    log: BundleLog,
    since: Option<Instant>,
    until: Instant,
    disclose: bool,
) -> Rest {
    let parts = stream::try_unfold(Place::Head, move |place| {
        let reading = reading.clone();
        async move {
            let (bytes, place) = match place {
                Place::Head => {
                    let read = move |records: &Records, grant: &Grant| {
                        audit::export_head(records, grant, log, since, until)
                    };
                    let head = reading.part(read).await?;
                    let place = Place::Frames { next: head.first, end: head.end };
                    (lines([head]), place)
                }
                Place::Frames { next, end } if next >= end => return Ok(None),
                Place::Frames { next, end } => {
                    let read = move |records: &Records, grant: &Grant| {
                        if log == BundleLog::Events {
                            let run = next..end;
                            let (commits, next) =
                                audit::export_commits(records, grant, since, until, run)?;
                            return Ok((lines(commits), next));
                        }
                        let frames = audit::export_frames(records, grant, next..end, disclose)?;
                        let next = frames.last().map_or(end, |frame| frame.position + 1);
                        Ok((lines(frames), next))
                    };
                    let (bytes, next) = reading.part(read).await?;
                    (bytes, Place::Frames { next, end })
                }
            };
            Ok(Some((Part::from(bytes), place)))
        }
    });
    Rest::Parts(parts.boxed())
}

/// JSON values, each on a line.
fn lines(values: impl IntoIterator<Item = impl serde::Serialize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(PART_BYTES);
    for value in values {
        // Strings, numbers, lists: this serialisation into memory cannot fail.
        let _ = serde_json::to_writer(&mut out, &value);
        out.push(b'\n');
    }
    out
}
