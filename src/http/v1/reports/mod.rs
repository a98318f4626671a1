//! Reports about accesses: as JSON, as CSV, or as a page to be printed.

mod page;

use actix_web::http::StatusCode;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::super::csv::add_row;
use super::super::reply::Reply;
use super::super::{Call, Failure, Fault};
use super::instant;
use crate::audit::{self, Cell, ReportKind, ReportRequest};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::records::Records;

/// A report about accesses.
#[derive(Debug, Serialize, ToSchema)]
struct Report<'a> {
    /// Its name.
    report: &'a str,
    /// Its heading.
    title: &'a str,
    /// What it says, and what it leaves out.
    notes: &'a [String],
    /// Whose chart it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<&'a str>,
    /// From this moment on.
    #[schema(value_type = String, format = DateTime)]
    since: Instant,
    /// Before this moment.
    #[schema(value_type = String, format = DateTime)]
    until: Instant,
    /// What was found: objects with the columns of the report, without those that are empty.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    rows: Rows<'a>,
}

#[derive(Debug)]
struct Rows<'a>(&'a audit::Report);

#[derive(Debug)]
struct Row<'a>(&'a [audit::Column], &'a [Cell]);

/// In which form.
#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Csv,
    Html,
}

/// A report about accesses.
#[utoipa::path(get, path = "/v1/reports/{name}", operation_id = "readReport", tag = "audit",
    params(
        ("name" = String, Path, description = "disclosures (of a patient's chart, 45 CFR 164.528), patient-access (EHDS article 9), user-activity, break-glass, refusals or unusual"),
        ("patient" = Option<String>, Query, description = "Only about the chart of the Patient with this id; needed for disclosures and patient-access"),
        ("actor" = Option<String>, Query, description = "Only of this subject, or of who acted on its behalf"),
        ("since" = Option<String>, Query, description = "Not before this instant; else six years (disclosures), three years (patient-access) or 31 days back"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("withExempt" = Option<bool>, Query, description = "In disclosures, also those that need not be accounted for"),
        ("format" = Option<String>, Query, description = "json (default), csv or html")),
    responses(
        (status = 200, description = "The report", content(
            (Report = "application/json"), (String = "text/csv"), (String = "text/html"))),
        (status = 400, description = "Not a valid request, or about more entries than one report may be"),
        (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs on everything, by that name, or on this patient for the reports of a patient"),
        (status = 404, description = "No such report or patient"),
        (status = 410, description = "The chart of the patient was erased")))]
pub async fn report(call: Call) -> Result<Reply, Failure> {
    let name = call.segment("name");
    let kind = ReportKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names: Vec<_> = ReportKind::ALL.into_iter().map(ReportKind::name).collect();
        let detail = format!("there is no report \"{name}\", but {}", names.join(", "));
        Failure::of(Fault::NotFound, detail)
    })?;
    let mut allowed = vec!["patient", "actor", "since", "until", "format"];
    allowed.extend((kind == ReportKind::Disclosures).then_some("withExempt"));
    call.allow_parameters(&allowed)?;
    let format = match call.parameter::<String>("format", "a form")?.as_deref() {
        None | Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some("html") => Format::Html,
        Some(_) => {
            return Err(Failure::at(IssueCode::Value, "format", "must be json, csv or html"));
        }
    };
    let moment = |name: &str| -> Result<Option<Instant>, Failure> {
        let text = call.parameter::<String>(name, "an instant")?;
        text.map(|text| instant(&text, name)).transpose()
    };
    let request = ReportRequest {
        kind,
        patient: call.parameter("patient", "the id of a Patient")?,
        subject: call.parameter("actor", "a subject")?,
        since: moment("since")?,
        until: moment("until")?,
        with_exempt: call.parameter("withExempt", "true or false")?.unwrap_or(false),
        rules: call.options().audit.clone(),
    };
    let read = move |records: &Records, grant: &Grant| {
        let report = audit::report(records, grant, &request)?;
        Ok(written(&report, format))
    };
    call.aside(read).await
}

fn written(report: &audit::Report, format: Format) -> Reply {
    let new = |content_type, body| Reply::new(StatusCode::OK, content_type, body);
    match format {
        Format::Json => Reply::json(StatusCode::OK, &Report::of(report)),
        Format::Csv => {
            let file = format!("attachment; filename=\"{}.csv\"", report.name);
            new("text/csv; charset=utf-8; header=present", csv(report))
                .header("content-disposition", file)
        }
        Format::Html => new("text/html; charset=utf-8", page::written(report).into_bytes())
            .header("content-security-policy", page::policy()),
    }
}

impl<'a> Report<'a> {
    fn of(report: &'a audit::Report) -> Self {
        Self {
            report: report.name,
            title: report.title,
            notes: &report.notes,
            patient: report.patient.as_deref(),
            since: report.since,
            until: report.until,
            rows: Rows(report),
        }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            rows.serialize_element(&Row(self.0.columns, row))?;
        }
        rows.end()
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        for (column, cell) in self.0.iter().zip(self.1) {
            match cell {
                Cell::Nothing => {}
                Cell::Text(text) => row.serialize_entry(column.name, text)?,
                Cell::Number(number) => row.serialize_entry(column.name, number)?,
                Cell::Moment(moment) => row.serialize_entry(column.name, moment)?,
                Cell::Texts(texts) => row.serialize_entry(column.name, texts)?,
            }
        }
        row.end()
    }
}

/// As CSV, its first line the names of the columns.
fn csv(report: &audit::Report) -> Vec<u8> {
    let mut out = String::new();
    add_row(&mut out, report.columns.iter().map(|column| column.name));
    for row in &report.rows {
        let cells: Vec<String> = row.iter().map(|cell| text(cell, "; ")).collect();
        add_row(&mut out, cells.iter().map(String::as_str));
    }
    out.into_bytes()
}

/// A cell as text; of several, one behind the other.
fn text(cell: &Cell, between: &str) -> String {
    match cell {
        Cell::Nothing => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Moment(moment) => moment.to_string(),
        Cell::Texts(texts) => texts.join(between),
    }
}
