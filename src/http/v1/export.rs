//! The access entries of a period as a whole, for other programs and for outsiders.
//!
//! Nothing is read before the entry of the request itself is durable: that is later than the period, so that what
//! is exported is complete (see [`crate::audit`]). The answer goes out part by part.

use std::str::FromStr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt};

use super::super::csv::{add_row, list};
use super::super::reply::Reply;
use super::super::sending::{Reading, Rest};
use super::super::writing::Part;
use super::super::{Call, Failure};
use super::accesses::{FILTERS, filter};
use crate::access::{Identity, Look};
use crate::audit::{
    self, Access, AccessFilter, AccessJson, AuditEvent, NamedLook, Names, ShownVersion,
};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::proof::BundleLog;
use crate::records::{Records, RecordsError};

/// Room for one part, about: most are smaller.
const PART_BYTES: usize = 3 << 19;
/// The columns of the CSV form: those of the request, then those that entries of a Bundle have too.
const COLUMNS: [&str; 34] = [
    "id",
    "recordedAt",
    "begunAt",
    "subject",
    "name",
    "role",
    "organization",
    "acting",
    "client",
    "issuer",
    "tokenId",
    "scopes",
    "address",
    "proxy",
    "userAgent",
    "purpose",
    "breakGlass",
    "request",
    "clientRequest",
    "trace",
    "bytes",
    "entry",
    "operation",
    "action",
    "query",
    "outcome",
    "status",
    "reason",
    "patients",
    "erasedPatients",
    "resource",
    "resources",
    "resourceCount",
    "events",
];

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
        (status = 403, description = "The token does not grant AuditEvent.rs on everything"),
        (status = 404, description = "No such patient or resource")))]
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
        Format::Csv => {
            let mut head = String::new();
            add_row(&mut head, COLUMNS);
            head.into_bytes()
        }
        Format::Ndjson | Format::Fhir | Format::Proof => Vec::new(),
    };
    let rest = match format {
        Format::Proof => {
            frames_of(call.reading(), log, filter.since, until, disclose.unwrap_or(true))
        }
        Format::Ndjson => {
            let render = |entries: Vec<Access>| lines(entries.into_iter().map(AccessJson::from));
            page_by_page(call.reading(), filter, audit::export_entries, render)
        }
        Format::Csv => {
            let render = |entries: Vec<Access>| {
                let mut out = String::with_capacity(PART_BYTES);
                entries.iter().for_each(|entry| add_rows(&mut out, entry));
                out.into_bytes()
            };
            page_by_page(call.reading(), filter, audit::export_entries, render)
        }
        Format::Fhir => {
            let render = |events: Vec<AuditEvent>| {
                let lines = events.into_iter().flat_map(|event| [event.body, b"\n".to_vec()]);
                lines.collect::<Vec<_>>().concat()
            };
            page_by_page(call.reading(), filter, audit::export_events, render)
        }
    };
    Ok(Reply::new(StatusCode::OK, format.content_type(), head)
        .header("chartlog-frames", format!("{}-{}", frames.start, frames.end))
        .header("content-disposition", format!("attachment; filename=\"{}\"", format.file_name()))
        .followed_by(rest))
}

/// What was read of one part, and where the next one begins, if there may be one.
type PartRead<T, C> = (Vec<T>, Option<C>, Names);

/// What reads one part from where it begins.
type ReadPart<T, C> =
    fn(&Records, &Grant, &AccessFilter, Option<C>, Names) -> Result<PartRead<T, C>, RecordsError>;

/// All that meets a filter, page by page: one is read while the one before is rendered and sent.
fn page_by_page<T, C>(
    reading: Reading,
    filter: AccessFilter,
    read: ReadPart<T, C>,
    render: fn(Vec<T>) -> Vec<u8>,
) -> Rest
where
    T: Send + 'static,
    C: Send + 'static,
{
    let filter = Arc::new(filter);
    let read_from = move |from: Option<C>, names: Names| {
        let (reading, filter) = (reading.clone(), Arc::clone(&filter));
        let read =
            move |records: &Records, grant: &Grant| read(records, grant, &filter, from, names);
        async move { reading.part(read).await }
    };
    // The first is not begun before it is asked for.
    let first: BoxFuture<'static, Result<PartRead<T, C>, Failure>> =
        read_from(None, Names::default()).boxed();
    let parts = stream::try_unfold(Some(first), move |part| {
        let read_from = read_from.clone();
        async move {
            let Some(part) = part else { return Ok(None) };
            let (items, next, names) = part.await?;
            let ahead = next.map(|next| {
                let task = actix_web::rt::spawn(read_from(Some(next), names));
                async { task.await.map_err(|_| Failure::internal())? }.boxed()
            });
            let rendered = web::block(move || render(items)).await;
            let bytes = rendered.map_err(|_| Failure::internal())?;
            Ok(Some((Part::from(bytes), ahead)))
        }
    });
    Rest::Parts(parts.boxed())
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

/// A row for the request, and one for each entry of a Bundle.
fn add_rows(out: &mut String, access: &Access) {
    let Access { id, recorded_at, entry, look, parts, .. } = access;
    let source = &entry.source;
    let who = source.identity.as_deref();
    let of = |text: fn(&Identity) -> &Option<String>| who.and_then(|who| text(who).as_deref());
    let begun_at = Instant::from_micros(entry.begun_at).to_string();
    let (id, recorded_at, request) =
        (id.to_string(), recorded_at.to_string(), entry.request.to_string());
    let common = [
        Some(id.as_str()),
        Some(&recorded_at),
        Some(&begun_at),
        who.map(|who| who.subject.as_str()),
        of(|who| &who.name),
        of(|who| &who.role),
        of(|who| &who.organization),
        of(|who| &who.acting),
        of(|who| &who.client),
        who.map(|who| who.issuer.as_str()),
        of(|who| &who.token_id),
        of(|who| &who.scopes),
        source.address.as_deref(),
        source.proxy.as_deref(),
        source.user_agent.as_deref(),
        source.purpose.as_deref(),
        Some(if source.breaks_glass() { "true" } else { "false" }),
        Some(&request),
        entry.client_request.as_deref(),
        entry.trace.as_deref(),
    ];
    let mut add = |bytes: String, part: String, look: &Look, named: &NamedLook| {
        let own = [bytes, part].into_iter().chain(cells_of(look, named)).collect::<Vec<_>>();
        let common = common.iter().map(|cell| cell.unwrap_or_default());
        add_row(out, common.chain(own.iter().map(String::as_str)));
    };
    add(entry.bytes.to_string(), String::new(), &entry.look, look);
    // Bytes are those of the whole answer, and so are told once.
    for (part, named) in entry.parts.iter().zip(parts) {
        add(String::new(), part.at.to_string(), &part.look, named);
    }
}

fn cells_of(look: &Look, named: &NamedLook) -> [String; 12] {
    let version = |shown: &Arc<ShownVersion>| match &shown.resource {
        Some((resource, version)) => format!("{resource}/_history/{version}"),
        None => "(erased)".to_owned(),
    };
    [
        look.operation.to_string(),
        look.action().letter().to_owned(),
        named.query(look),
        look.outcome.name().to_owned(),
        look.status.to_string(),
        look.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        list(named.patients.iter().map(ToString::to_string)),
        named.erased.to_string(),
        named.about.as_ref().map(ToString::to_string).unwrap_or_default(),
        list(named.shown.iter().map(version)),
        named.shown_count.to_string(),
        list(look.written.positions().map(|position| position.to_string())),
    ]
}
