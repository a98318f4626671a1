//! The chart: now, and at any past version or moment.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Reply;
use super::super::etag::is_known;
use super::super::{Call, Failure, shapes};
use super::{instant, raw};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::numbers::ChartVersion;
use crate::records::{At, Records};

/// A chart at one version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Chart {
    /// Whose.
    patient: String,
    /// Number of the chart's last event; 0 before the first.
    version: u64,
    /// When that event was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    recorded_at: Option<Instant>,
    /// What the chart held, as FHIR resources.
    #[schema(schema_with = shapes::resources)]
    resources: Vec<Box<RawValue>>,
}

/// What a chart holds now, or held at a version or moment.
#[utoipa::path(get, path = "/v1/patients/{id}/chart", operation_id = "readChart", tag = "charts",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("version" = Option<u64>, Query, description = "As it was after this event"),
        ("asOf" = Option<String>, Query, description = "As a reader had it at this instant"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if this is the version")),
    responses(
        (status = 200, description = "The chart; ETag is its version", body = Chart),
        (status = 304, description = "Known already"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such chart or version")))]
pub async fn chart(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&["version", "asOf"])?;
    let version = call.parameter::<u64>("version", "a number, 0 or more")?;
    let moment = call.parameter::<String>("asOf", "an instant")?;
    let at = match (version, moment) {
        (None, None) => At::Now,
        (Some(version), None) => At::Version(ChartVersion::new(version)),
        (None, Some(moment)) => At::Moment(call.settled(instant(&moment, "asOf")?).await?),
        (Some(_), Some(_)) => {
            return Err(Failure::at(
                IssueCode::Invariant,
                "asOf",
                "give version or asOf, not both",
            ));
        }
    };
    let known = call.list_header("if-none-match");
    if known.is_some() {
        let id = patient.clone();
        let read = move |records: &Records, grant: &Grant| records.chart_version(grant, &id, at);
        let current = call.aside(read).await?;
        if is_known(known.as_deref(), current) {
            return Ok(
                Reply::empty(StatusCode::NOT_MODIFIED).header("etag", format!("\"{current}\""))
            );
        }
    }
    let chart = call.aside(move |records, grant| records.chart(grant, &patient, at, None)).await?;
    let resources: Result<_, _> =
        chart.resources.iter().map(|resource| raw(&call, resource)).collect();
    let body = Chart {
        patient: chart.patient.to_string(),
        version: chart.version.get(),
        recorded_at: chart.recorded_at,
        resources: resources?,
    };
    Ok(Reply::json(StatusCode::OK, &body).header("etag", format!("\"{}\"", chart.version)))
}
