//! Evidence for outsiders: entries of a log, each with the proof that a signed checkpoint covers it.

use actix_web::http::StatusCode;

use super::super::paging::page_size;
use super::super::reply::Reply;
use super::super::{Call, Failure};
use crate::audit;
use crate::auth::Grant;
use crate::numbers::{ChartVersion, Position};
use crate::records::{Evidence, Records};

/// The events of a chart as evidence that an outsider checks with the log's public key alone.
#[utoipa::path(get, path = "/v1/patients/{id}/events/evidence", operation_id = "exportChartEvidence", tag = "proofs",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("after" = Option<u64>, Query, description = "Only events above this version of the chart"),
        ("limit" = Option<u32>, Query, description = "Most events in the bundle"),
        ("disclose" = Option<bool>, Query, description = "true: with what the events say. Otherwise only sealed bytes")),
    responses(
        (status = 200, description = "An evidence bundle (docs/format.md). If there are more events, a Link header with rel=next", body = serde_json::Value),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such chart, or no such events")))]
pub async fn of_chart(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    let asked = Asked::of(&call)?;
    let path = format!("/v1/patients/{patient}/events/evidence");
    let after = ChartVersion::new(asked.after.unwrap_or(0));
    let (limit, disclose) = (asked.limit, asked.disclose);
    let read = move |records: &Records, grant: &Grant| {
        records.event_evidence(grant, &patient, after, limit, disclose)
    };
    let evidence = call.aside(read).await?;
    Ok(asked.answer(&path, &evidence))
}

/// Access entries as evidence that an outsider checks with the log's public key alone.
#[utoipa::path(get, path = "/v1/accesses/evidence", operation_id = "exportAccessEvidence", tag = "proofs",
    params(
        ("after" = Option<u64>, Query, description = "Only entries behind this position"),
        ("limit" = Option<u32>, Query, description = "Most entries in the bundle"),
        ("disclose" = Option<bool>, Query, description = "true: with what the entries say. Otherwise only sealed bytes")),
    responses(
        (status = 200, description = "An evidence bundle (docs/format.md). If there are more entries, a Link header with rel=next", body = serde_json::Value),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs on everything, by that name"), (status = 404, description = "No such entries")))]
pub async fn of_accesses(call: Call) -> Result<Reply, Failure> {
    let asked = Asked::of(&call)?;
    let after = asked.after.map(Position::new);
    let (limit, disclose) = (asked.limit, asked.disclose);
    let read = move |records: &Records, grant: &Grant| {
        audit::evidence(records, grant, after, limit, disclose)
    };
    let evidence = call.aside(read).await?;
    Ok(asked.answer("/v1/accesses/evidence", &evidence))
}

struct Asked {
    after: Option<u64>,
    limit: usize,
    disclose: bool,
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Failure> {
        call.allow_parameters(&["after", "limit", "disclose"])?;
        Ok(Self {
            after: call.parameter("after", "a whole number, 0 or more")?,
            limit: page_size(call, "limit")?,
            disclose: call.parameter("disclose", "true or false")?.unwrap_or(false),
        })
    }

    /// A bundle has no room for the next page: that stands in a header (RFC 8288).
    fn answer(&self, path: &str, evidence: &Evidence) -> Reply {
        let reply = Reply::json(StatusCode::OK, &evidence.bundle);
        let Some(after) = evidence.next else { return reply };
        let (limit, disclose) = (self.limit, self.disclose);
        let next =
            format!("<{path}?after={after}&limit={limit}&disclose={disclose}>; rel=\"next\"");
        reply.header("link", next)
    }
}
