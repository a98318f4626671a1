//! What changed in a chart between two states.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Call, Failure, shapes};
use super::{raw, state};
use crate::auth::Grant;
use crate::fhir::check::IssueCode;
use crate::records::{At, Records};

/// What changed between two versions of a chart.
#[derive(Debug, Serialize, ToSchema)]
struct Difference {
    /// The first version.
    from: u64,
    /// The second version.
    to: u64,
    /// One entry per resource that differs.
    changes: Vec<Change>,
}

/// What happened to one resource.
#[derive(Debug, Serialize, ToSchema)]
struct Change {
    /// Type/id.
    resource: String,
    /// added, changed or removed.
    kind: &'static str,
    /// What the first version held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = shapes::resource, required = false)]
    before: Option<Box<RawValue>>,
    /// What the second version held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = shapes::resource, required = false)]
    after: Option<Box<RawValue>>,
}

/// What changed between two versions or instants, per resource.
#[utoipa::path(get, path = "/v1/patients/{id}/diff", operation_id = "diffChart", tag = "charts",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("from" = String, Query, description = "A version or an instant", example = "0"),
        ("to" = Option<String>, Query, description = "A version or an instant; now, if left out")),
    responses(
        (status = 200, description = "The resources that differ", body = Difference),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such chart or version")))]
pub async fn difference(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&["from", "to"])?;
    let from = call.parameter::<String>("from", "a version or an instant")?;
    let from = from
        .ok_or_else(|| Failure::at(IssueCode::Required, "from", "give a version or an instant"))?;
    let from = state(&call, &from, "from").await?;
    let to = call.parameter::<String>("to", "a version or an instant")?;
    let to = match to {
        Some(to) => state(&call, &to, "to").await?,
        None => At::Now,
    };
    let read =
        move |records: &Records, grant: &Grant| records.difference(grant, &patient, from, to);
    let (from, to, differences) = call.aside(read).await?;
    let mut changes = Vec::with_capacity(differences.len());
    for difference in &differences {
        changes.push(Change {
            resource: difference.key.to_string(),
            kind: match (&difference.before, &difference.after) {
                (None, _) => "added",
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "removed",
            },
            before: difference.before.as_ref().map(|one| raw(&call, one)).transpose()?,
            after: difference.after.as_ref().map(|one| raw(&call, one)).transpose()?,
        });
    }
    Ok(Reply::json(StatusCode::OK, &Difference { from: from.get(), to: to.get(), changes }))
}
