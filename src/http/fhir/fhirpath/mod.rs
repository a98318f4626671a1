//! `$fhirpath`: what an expression leads to in a resource that is sent along.
//!
//! The request and the answer are those of the public tools for trying FHIRPath (fhirpath-lab,
//! `server-api.md`). Nothing is stored. What the expression reaches in the store, by `resolve()` and
//! `memberOf()`, is read under the caller's grant, and is in the access entry like any other read.

mod answer;
mod reach;
mod request;

use actix_web::http::StatusCode;

use super::super::reply::FHIR_JSON;
use super::{Call, Failure, Reply};
use crate::auth::Permission;
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::fhir::check::IssueCode;
use crate::fhir::path::{Context, Element, EvaluationError, Value};
use crate::json::Document;
use crate::records::RecordsError;
use answer::{Answer, TooLong};
use reach::{Found, Reach};
use request::Asked;

/// Most items, comparisons and calls of functions of one request.
const STEPS_MAX: u64 = 2_000_000;
/// How often the evaluation begins again with what it turned out to need from the store.
const ROUNDS_MAX: usize = 8;

/// Evaluates a FHIRPath expression on a resource that is sent, and stores nothing.
#[utoipa::path(post, path = "/fhir/$fhirpath", operation_id = "evaluatePath", tag = "fhir",
    params(("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json",
        description = "Parameters: expression (valueString), resource, and where wanted context (valueString: an expression; the other is evaluated for each item of it) and variables (a part for each, with a value or a resource)"),
    responses(
        (status = 200, description = "Parameters: a result with a part for each item, named by its type, and a part trace for each call of trace()", content_type = "application/fhir+json"),
        (status = 400, description = "Not JSON, not parameters of this operation, not FHIRPath, or an expression without an outcome: the OperationOutcome says at which byte of it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token allows reading nothing"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON"), (status = 503, description = "Too many such requests")))]
pub async fn evaluate(mut call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    if !ResourceType::all().any(|kind| call.grant.rights(kind, Permission::Read).is_ok()) {
        return Err(RecordsError::from(call.grant.denied(Permission::Read, "*")).into());
    }
    let document = call.json().await?;
    let base_url = call.base_url().to_owned();
    let answer = call.aside(move |records, grant| {
        let reach = Reach { records, grant, base_url: &base_url };
        evaluated(&document, &reach).map_or_else(
            |ended| match ended {
                Ended::Refused(failure) => Ok(Err(failure)),
                Ended::Failed(error) => Err(error),
            },
            |answer| Ok(Ok(answer)),
        )
    });
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, answer.await??.into_bytes()))
}

/// Why there is no answer.
enum Ended {
    Refused(Failure),
    Failed(RecordsError),
}

fn evaluated(document: &Document, reach: &Reach<'_>) -> Result<String, Ended> {
    let asked = Asked::of(document.root()).map_err(Ended::Refused)?;
    let now = Instant::now();
    let mut found = Found::default();
    for _ in 0..ROUNDS_MAX {
        match once(&asked, &found, now) {
            Ok((answer, wanted)) if wanted.is_empty() => return Ok(answer),
            Ok((_, wanted)) => found = reach.look_up(found, wanted).map_err(Ended::Failed)?,
            // What was not there yet may be why.
            Err((failure, wanted)) if wanted.is_empty() => return Err(Ended::Refused(failure)),
            Err((_, wanted)) => found = reach.look_up(found, wanted).map_err(Ended::Failed)?,
        }
    }
    let diagnostics = format!("references lead on and on; {ROUNDS_MAX} are followed");
    Err(Ended::Refused(Failure::at(IssueCode::TooCostly, asked.place(), diagnostics)))
}

/// Evaluates with what is known of the store so far; and what else it asked for.
fn once(
    asked: &Asked<'_>,
    found: &Found,
    now: Instant,
) -> Result<(String, Vec<reach::Wanted>), (Failure, Vec<reach::Wanted>)> {
    let sight = found.sight();
    let resource = asked.resource.map(Element::resource);
    let mut context = resource.map_or_else(Context::empty, Context::of_resource);
    context = context.at(now).with_steps(STEPS_MAX).with_resolver(&sight).with_terminology(&sight);
    for (name, items) in &asked.variables {
        context = context.with_variable(name, items.iter().cloned().collect());
    }
    let refused = |place: &str, error: &EvaluationError| {
        let code = if error.is_limit() { IssueCode::TooCostly } else { IssueCode::Value };
        Failure::at(code, place, error.to_string())
    };
    let too_long =
        |error: TooLong| Failure::at(IssueCode::TooCostly, asked.place(), error.to_string());
    let focus = resource.map(Value::Element);
    let mut answer = Answer::of(asked);
    let outcome = match &asked.context {
        None => asked
            .expression
            .items(&context, focus.as_ref())
            .map_err(|error| refused(&asked.place(), &error))
            .and_then(|items| answer.add(None, &items, &context.traces()).map_err(too_long)),
        Some((text, expression)) => expression
            .items(&context, focus.as_ref())
            .map_err(|error| refused("Parameters.parameter.where(name='context').value", &error))
            .and_then(|items| {
                for (at, item) in items.iter().enumerate() {
                    let items = asked.expression.items(&context, Some(item));
                    let items = items.map_err(|error| refused(&asked.place(), &error))?;
                    let place = format!("{text}[{at}]");
                    answer.add(Some(&place), &items, &context.traces()).map_err(too_long)?;
                }
                Ok(())
            }),
    };
    let wanted = sight.wanted();
    match outcome {
        Ok(()) => Ok((answer.finish(), wanted)),
        Err(failure) => Err((failure, wanted)),
    }
}
