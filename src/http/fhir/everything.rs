//! `Patient/{id}/$everything`: FHIR R4 OperationDefinition Patient-everything.

use actix_web::http::StatusCode;

use super::super::reply::FHIR_JSON;
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply};
use crate::auth::Grant;
use crate::fhir::ResourceType;
use crate::fhir::check::IssueCode;
use crate::store::{At, Store};

/// The patient's compartment: the Patient and every resource in the chart, now.
#[utoipa::path(get, path = "/fhir/Patient/{id}/$everything", operation_id = "patientEverything", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Patient"),
        ("_type" = Option<String>, Query, description = "Only these resource types, separated by commas"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there")))]
pub async fn everything(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&["_type"])?;
    let only = call.parameter::<String>("_type", "resource types, separated by commas")?;
    let only = only.map(|names| types(&names)).transpose()?;
    let id = patient.clone();
    let read =
        move |store: &Store, grant: &Grant| store.chart(grant, &id, At::Now, only.as_deref());
    let chart = call.aside(read).await?;
    let base = call.base_url();
    let link = ("self", format!("{base}/Patient/{patient}/$everything"));
    let mut bundle = BundleWriter::new("searchset", Some(chart.resources.len()), &[link]);
    for resource in &chart.resources {
        bundle.matched(base, resource);
    }
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()))
}

fn types(names: &str) -> Result<Vec<ResourceType>, Failure> {
    let read = |name: &str| name.parse::<ResourceType>();
    let types: Result<_, _> = names.split(',').map(str::trim).map(read).collect();
    types.map_err(|error| Failure::at(IssueCode::Value, "_type", error.to_string()))
}
