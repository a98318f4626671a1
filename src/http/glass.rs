//! `X-Break-Glass`: a caller with the right to it says why they have to see a chart that they may not see otherwise.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::Failure;
use super::state::State;
use crate::auth::Grant;
use crate::fhir::ResourceId;
use crate::fhir::check::IssueCode;

const HEADER: &str = "x-break-glass";

/// Breaks the glass of the chart that a request is about, if it says why; whether it did.
///
/// # Errors
///
/// The request is about no single chart, the reason is none, or the caller has no right to it.
pub async fn break_for(
    state: &State,
    grant: &Arc<Grant>,
    request: &HttpRequest,
) -> Result<bool, Failure> {
    let Some(header) = request.headers().get(HEADER) else { return Ok(false) };
    let wrong = |diagnostics: &str| Failure::at(IssueCode::Value, "X-Break-Glass", diagnostics);
    // Bytes above ASCII are UTF-8, as in the bodies.
    let reason = std::str::from_utf8(header.as_bytes()).map_err(|_| wrong("is not UTF-8"))?;
    let Some(patient) = patient_of(request.path()) else {
        return Err(wrong(
            "belongs to a request about one chart: /fhir/Patient/[id] or what is below it, or /v1/patients/[id]",
        ));
    };
    let minutes = state.options.break_glass_minutes;
    state.records.break_glass(grant, &patient, reason.trim(), minutes).await?;
    Ok(true)
}

/// The patient whose chart an address names.
fn patient_of(path: &str) -> Option<ResourceId> {
    let mut segments = path.trim_start_matches('/').split('/');
    match (segments.next()?, segments.next()?) {
        ("fhir", "Patient") | ("v1", "patients") => segments.next()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_chart_or_none() {
        let named = |path: &str| patient_of(path).map(|id| id.to_string());
        for path in [
            "/fhir/Patient/p",
            "/fhir/Patient/p/$everything",
            "/fhir/Patient/p/Observation",
            "/v1/patients/p/chart",
        ] {
            assert_eq!(named(path).as_deref(), Some("p"), "{path}");
        }
        for path in [
            "/fhir/Patient",
            "/fhir/Patient/$export",
            "/fhir/Observation/p",
            "/fhir",
            "/v1/accesses",
            "/",
        ] {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
