//! AuditEvent: read and search, FHIR R4 §6.4. What they say is made from access entries and commits; nothing else can
//! be done with them.

use actix_web::http::StatusCode;

use super::super::Fault;
use super::super::paging::page_size_of;
use super::super::query::{encoded, joined};
use super::address::{Pairs, take, wants_total};
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply};
use crate::audit::{self, AuditEvent, AuditEventId, AuditQuery};
use crate::auth::Grant;
use crate::fhir::check::IssueCode;
use crate::fhir::search::ProblemKind;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::numbers::ResourceVersion;
use crate::records::{Records, RecordsError};

/// Refuses what cannot be done with AuditEvents, which have one version and are not stored.
///
/// # Errors
///
/// 405.
pub fn refuse(kind: ResourceType) -> Result<(), Failure> {
    match kind == ResourceType::AUDIT_EVENT {
        true => Err(RecordsError::MadeHere(kind).into()),
        false => Ok(()),
    }
}

/// The AuditEvent with the id in the path.
///
/// # Errors
///
/// 400, 403, 404.
pub async fn read(call: &Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let id = call.id()?;
    let missing = |_| Failure::of(Fault::NotFound, format!("AuditEvent/{id} does not exist"));
    let id: AuditEventId = id.as_str().parse().map_err(missing)?;
    let read = move |records: &Records, grant: &Grant| audit::audit_event(records, grant, id);
    let AuditEvent { body, recorded_at, .. } = call.aside(read).await?;
    Ok(Reply::resource(StatusCode::OK, body).version(ResourceVersion::new(1), recorded_at))
}

/// The AuditEvents that match, newest first unless the other order is asked for; in the compartment of a patient
/// if one is named.
///
/// # Errors
///
/// 400, 403.
pub async fn search(call: &Call, compartment: Option<ResourceKey>) -> Result<Reply, Failure> {
    let path = match &compartment {
        None => "/AuditEvent".to_owned(),
        Some(owner) => format!("/{owner}/AuditEvent"),
    };
    let patient = compartment.map(of_patient).transpose()?;
    let mut pairs = call.query.clone();
    let count = take(&mut pairs, "_count")?;
    let limit = page_size_of(call, "_count", count.as_deref())?;
    let with_total = wants_total(&mut pairs)?;
    let only_total = limit == 0 || call.rendering.is_count;
    let cursor = take(&mut pairs, "_cursor")?;
    let from = cursor.as_deref().map(str::parse::<AuditEventId>).transpose().map_err(|_| {
        let diagnostics = "not a cursor of this server: take the link to the next page as it is";
        Failure::at(IssueCode::Value, "_cursor", diagnostics)
    })?;
    let query = query(call, &mut pairs, patient)?;
    let read = move |records: &Records, grant: &Grant| {
        // Pages that go on do not count again.
        let total = match (with_total && from.is_none()) || only_total {
            true => Some(audit::count_audit_events(records, grant, &query)?),
            false => None,
        };
        let (found, next) = match only_total {
            true => (Vec::new(), None),
            false => audit::audit_events(records, grant, &query, from, limit)?,
        };
        Ok((total, found, next))
    };
    let (total, found, next) = call.aside(read).await?;
    let base = call.base_url();
    let address = |cursor: Option<String>| {
        let mut address = format!("{base}{path}?");
        if !pairs.is_empty() {
            address.push_str(&format!("{}&", joined(pairs.iter())));
        }
        if with_total && cursor.is_none() {
            address.push_str("_total=accurate&");
        }
        address.push_str(&format!("_count={limit}"));
        if let Some(cursor) = cursor {
            address.push_str(&format!("&_cursor={}", encoded(&cursor)));
        }
        address
    };
    let mut links = vec![("self", address(cursor))];
    links.extend(next.map(|next| ("next", address(Some(next.to_string())))));
    let mut bundle = BundleWriter::new("searchset", total, &links);
    for event in &found {
        let full_url = format!("{base}/AuditEvent/{}", event.id);
        let mode = r#"{"mode":"match"}"#.to_owned();
        bundle.entry(Some(&full_url), Some(&event.body), &[("search", mode)]);
    }
    Ok(Reply::bundle(bundle.finish()))
}

fn of_patient(owner: ResourceKey) -> Result<ResourceId, Failure> {
    match owner.kind == ResourceType::PATIENT {
        true => Ok(owner.id),
        false => {
            let detail = "AuditEvents are searched in the compartments of patients alone";
            Err(Failure::of(Fault::NotFound, detail))
        }
    }
}

/// Understands the criteria; with `Prefer: handling=lenient`, without those that are unknown.
fn query(
    call: &Call,
    pairs: &mut Pairs,
    patient: Option<ResourceId>,
) -> Result<AuditQuery, Failure> {
    let parse = |pairs: &Pairs| {
        let parameters = call.records().parameters();
        AuditQuery::parse(&parameters, pairs, patient.clone(), Some(call.base_url()))
    };
    let problems = match parse(pairs) {
        Ok(query) => return Ok(query),
        Err(problems) => problems,
    };
    let prefer = call.list_header("prefer");
    if !prefer.is_some_and(|text| text.contains("handling=lenient")) {
        return Err(Failure::search(problems, None));
    }
    let unknown = problems.iter().filter(|problem| problem.kind == ProblemKind::UnknownParameter);
    let unknown: Vec<&str> = unknown.map(|problem| problem.parameter.as_str()).collect();
    pairs.retain(|(name, _)| !unknown.contains(&name.as_str()));
    parse(pairs).map_err(|problems| Failure::search(problems, None))
}
