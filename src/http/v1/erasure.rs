//! Erasing charts, and holding them against it.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Call, Failure, Fault};
use crate::auth::Permission;
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Document, Kind};
use crate::log::StreamAlias;
use crate::numbers::Position;
use crate::records::{ERASURE, ErasureRequest, HOLD};

/// Why a chart is to be erased.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct NewErasure {
    /// Why; stands in the certificate, so name nobody.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    reason: String,
    /// The legal basis, such as "GDPR Art. 17(1)(b)"; stands in the certificate.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    basis: String,
    /// Only tell what would be erased.
    dry_run: Option<bool>,
}

/// What was erased, or would be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Erasure {
    /// Random name of the chart, by which the log and access entries know it.
    chart: String,
    /// Number of its events.
    events: u64,
    /// Number of resources that were at home in it.
    resources: u64,
    /// Number of resources that also lay in it, but are at home in other charts and stay there.
    shared: u64,
    /// Position of chart.erased in the event log; absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// When; absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    recorded_at: Option<Instant>,
    /// The signed statement, a C2SP signed note; absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// The signed statements about an erased chart, C2SP signed notes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Certificates {
    /// Of the erasure.
    erasure: String,
    /// Of the purge; absent until the views hold no trace of the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    purge: Option<String>,
}

/// Why a chart is held or released.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
struct NewHold {
    /// Why.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    reason: String,
}

/// A chart after it was held or released.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Hold {
    /// Whether it is under a legal hold.
    held: bool,
    /// Version of the chart.
    version: u64,
    /// When that was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Instant,
    /// Position of the event in the whole log; absent when nothing was to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

/// Erase a chart: destroy its key, so that nobody can read it any more, here or in a backup.
#[utoipa::path(post, path = "/v1/patients/{id}/erasure", operation_id = "eraseChart", tag = "erasure",
    params(("id" = String, Path, description = "Id of the Patient")),
    request_body = NewErasure,
    responses(
        (status = 200, description = "Erased, or what would be", body = Erasure),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant ChartErasure.c by name"),
        (status = 404, description = "No such chart"), (status = 409, description = "The chart is under a legal hold"),
        (status = 410, description = "Erased before"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 503, description = "The views are being rebuilt: try later")))]
pub async fn erase(mut call: Call) -> Result<Reply, Failure> {
    call.grant.may(ERASURE, Permission::Create).map_err(crate::records::RecordsError::from)?;
    call.allow_parameters(&[])?;
    let patient = call.id()?;
    let document = call.json().await?;
    let words = Words::read(&document, &["reason", "basis", "dryRun"])?;
    let request = ErasureRequest {
        patient,
        reason: words.text("reason"),
        basis: words.text("basis"),
        dry_run: words.dry_run,
    };
    let erased = call.records().erase(&call.grant, request).await?;
    let done = erased.done;
    Ok(Reply::json(
        StatusCode::OK,
        &Erasure {
            chart: erased.chart.to_string(),
            events: erased.events,
            resources: erased.resources,
            shared: erased.shared,
            position: done.as_ref().map(|done| done.position.get()),
            recorded_at: done.as_ref().map(|done| done.recorded_at),
            certificate: done.map(|done| done.certificate),
        },
    ))
}

/// The certificates of an erasure.
#[utoipa::path(get, path = "/v1/erasures/{chart}", operation_id = "readErasure", tag = "erasure",
    params(("chart" = String, Path, description = "Random name of the chart, from the answer to its erasure")),
    responses(
        (status = 200, description = "The signed statements", body = Certificates),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant ChartErasure.r by name"),
        (status = 404, description = "No such erasure")))]
pub async fn certificates(call: Call) -> Result<Reply, Failure> {
    call.grant.may(ERASURE, Permission::Read).map_err(crate::records::RecordsError::from)?;
    call.allow_parameters(&[])?;
    let text = call.segment("chart");
    let unknown = || Failure::of(Fault::NotFound, "no such chart was erased");
    let chart: StreamAlias = text.parse().map_err(|_| unknown())?;
    call.grant.saw_chart(chart);
    let (erasure, purge) = call.records().engine().certificates(chart)?;
    Ok(Reply::json(StatusCode::OK, &Certificates { erasure, purge }))
}

/// Put a chart under a legal hold: it cannot be erased until it is released.
#[utoipa::path(post, path = "/v1/patients/{id}/hold", operation_id = "holdChart", tag = "erasure",
    params(("id" = String, Path, description = "Id of the Patient")),
    request_body = NewHold,
    responses(
        (status = 200, description = "The chart is held", body = Hold),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant ChartHold.c by name"),
        (status = 404, description = "No such chart"), (status = 410, description = "Erased"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn hold(call: Call) -> Result<Reply, Failure> {
    set_hold(call, true).await
}

/// Lift the legal hold of a chart.
#[utoipa::path(post, path = "/v1/patients/{id}/release", operation_id = "releaseChart", tag = "erasure",
    params(("id" = String, Path, description = "Id of the Patient")),
    request_body = NewHold,
    responses(
        (status = 200, description = "The chart is not held", body = Hold),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant ChartHold.d by name"),
        (status = 404, description = "No such chart"), (status = 410, description = "Erased"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn release(call: Call) -> Result<Reply, Failure> {
    set_hold(call, false).await
}

async fn set_hold(mut call: Call, held: bool) -> Result<Reply, Failure> {
    let permission = if held { Permission::Create } else { Permission::Delete };
    call.grant.may(HOLD, permission).map_err(crate::records::RecordsError::from)?;
    call.allow_parameters(&[])?;
    let patient = call.id()?;
    let document = call.json().await?;
    let words = Words::read(&document, &["reason"])?;
    let hold = call.records().hold(&call.grant, &patient, held, &words.text("reason")).await?;
    let crate::records::Hold { held, version, recorded_at, position } = hold;
    Ok(Reply::json(
        StatusCode::OK,
        &Hold { held, version: version.get(), recorded_at, position: position.map(Position::get) },
    ))
}

/// The members of a small request: texts, and one switch.
struct Words {
    texts: Vec<(String, String)>,
    dry_run: bool,
}

impl Words {
    /// Reads them, and refuses all others.
    fn read(document: &Document, known: &[&str]) -> Result<Self, Failure> {
        let mut words = Self { texts: Vec::new(), dry_run: false };
        let mut problems = Vec::new();
        let mut problem = |code, expression: &str, diagnostics: String| {
            problems.push(Problem { code, expression: expression.to_owned(), diagnostics });
        };
        if document.root().kind() != Kind::Object {
            let diagnostics = format!("the body must be an object with {}", known.join(", "));
            problem(IssueCode::Structure, "", diagnostics);
        }
        for (name, value) in document.root().members() {
            match (&*name, value.kind()) {
                (name, _) if !known.contains(&name) => {
                    let diagnostics =
                        format!("is not a member of this request, but {}", known.join(", "));
                    problem(IssueCode::Structure, name, diagnostics);
                }
                ("dryRun", _) => match value.text() {
                    "true" => words.dry_run = true,
                    "false" => words.dry_run = false,
                    _ => problem(IssueCode::Value, "dryRun", "must be true or false".to_owned()),
                },
                (name, Kind::String) => {
                    let text = value.as_str().map(std::borrow::Cow::into_owned).unwrap_or_default();
                    words.texts.push((name.to_owned(), text));
                }
                (name, _) => problem(IssueCode::Value, name, "must be a text".to_owned()),
            }
        }
        if problems.is_empty() { Ok(words) } else { Err(Failure::invalid(problems)) }
    }

    /// A text; empty if it was not given, which the store refuses.
    fn text(&self, name: &str) -> String {
        let text = self.texts.iter().find(|(known, _)| known == name);
        text.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}
