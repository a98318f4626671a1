//! search: FHIR R4 §3.1.1, by GET and by POST, of one type, of several, and in a compartment.

use serde_json::{Value, json};
use tracing::Instrument;

use super::super::Fault;
use super::super::paging::{open_cursor, page_size_of, seal_cursor};
use super::super::query::joined;
use super::address::{Pairs, take, wants_total};
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply, audit_event};
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::fhir::definitions::compartment;
use crate::fhir::search::{Condition, Criterion, ProblemKind, Query};
use crate::fhir::{ResourceId, ResourceKey, ResourceType, SearchProblem};
use crate::records::{Page, SearchRequest};
use crate::telemetry::TRACE;

/// The resources that match, in the order of their first recording unless another is asked for.
#[utoipa::path(get, path = "/fhir/{type}", operation_id = "searchResources", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("_id" = Option<String>, Query, description = "Logical ids, separated by commas"),
        ("identifier" = Option<String>, Query, description = "system|value, |value or value"),
        ("patient" = Option<String>, Query, description = "Reference to the patient"),
        ("_lastUpdated" = Option<String>, Query, description = "Date or instant, with a prefix such as ge or lt"),
        ("_sort" = Option<String>, Query, description = "Search parameters, separated by commas; with a minus sign, the highest first"),
        ("_include" = Option<String>, Query, description = "Type:parameter or Type:parameter:Target: what the matches refer to"),
        ("_revinclude" = Option<String>, Query, description = "The same: what refers to the matches"),
        ("_count" = Option<u32>, Query, description = "Matches on a page"),
        ("_total" = Option<String>, Query, description = "accurate, estimate or none"),
        ("_asOf" = Option<String>, Query, description = "A moment: answers as the server would have then; only within one patient's chart"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid, or the search would take too much; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"),
        (status = 404, description = "Not a resource type"),
        (status = 503, description = "A search parameter that clients have defined is still being built")))]
pub async fn search(call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    if kind == ResourceType::AUDIT_EVENT {
        return audit_event::search(&call, None).await;
    }
    let place = Place { path: format!("/{kind}"), compartment: None };
    answer(&call, vec![kind], place, call.query.clone()).await
}

/// As by GET; the parameters may also stand in the body, as a form.
#[utoipa::path(post, path = "/fhir/{type}/_search", operation_id = "searchResourcesByPost", tag = "fhir",
    params(("type" = String, Path, description = "Resource type", example = "Observation")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of the search"),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"), (status = 415, description = "Not a form"),
        (status = 404, description = "Not a resource type")))]
pub async fn search_by_post(call: Call) -> Result<Reply, Failure> {
    search(call).await
}

/// The resources of all types, or of those in `_type`, that match.
#[utoipa::path(get, path = "/fhir", operation_id = "searchSystem", tag = "fhir",
    params(
        ("_type" = Option<String>, Query, description = "Resource types, separated by commas"),
        ("_id" = Option<String>, Query, description = "Logical ids, separated by commas"),
        ("_lastUpdated" = Option<String>, Query, description = "Date or instant, with a prefix such as ge or lt"),
        ("_count" = Option<u32>, Query, description = "Matches on a page"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page")),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it")))]
pub async fn search_system(call: Call) -> Result<Reply, Failure> {
    of_types(&call, Place { path: String::new(), compartment: None }).await
}

/// As by GET; the parameters may also stand in the body, as a form.
#[utoipa::path(post, path = "/fhir/_search", operation_id = "searchSystemByPost", tag = "fhir",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of the search"),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"), (status = 415, description = "Not a form")))]
pub async fn search_system_by_post(call: Call) -> Result<Reply, Failure> {
    search_system(call).await
}

/// The resources of a type (`*`: of all types) in a compartment that match: FHIR R4 §5.39.
#[utoipa::path(get, path = "/fhir/{compartment}/{id}/{type}", operation_id = "searchCompartment", tag = "fhir",
    params(
        ("compartment" = String, Path, description = "Patient, Encounter, Practitioner, RelatedPerson or Device", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("type" = String, Path, description = "Resource type, or * for all", example = "Observation"),
        ("_count" = Option<u32>, Query, description = "Matches on a page"),
        ("_asOf" = Option<String>, Query, description = "A moment: answers as the server would have then; only in a Patient compartment"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page")),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"),
        (status = 404, description = "Not a resource type, or not a compartment")))]
pub async fn search_compartment(call: Call) -> Result<Reply, Failure> {
    in_compartment(&call).await
}

/// As by GET; the parameters may also stand in the body, as a form.
#[utoipa::path(post, path = "/fhir/{compartment}/{id}/{type}/_search", operation_id = "searchCompartmentByPost", tag = "fhir",
    params(
        ("compartment" = String, Path, description = "Patient, Encounter, Practitioner, RelatedPerson or Device", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("type" = String, Path, description = "Resource type, or * for all", example = "Observation")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of the search"),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"), (status = 415, description = "Not a form"),
        (status = 404, description = "Not a resource type, or not a compartment")))]
pub async fn search_compartment_by_post(call: Call) -> Result<Reply, Failure> {
    search_compartment(call).await
}

/// Which address a search came to, and the compartment that it names.
struct Place {
    path: String,
    compartment: Option<ResourceKey>,
}

async fn in_compartment(call: &Call) -> Result<Reply, Failure> {
    let owner: ResourceType = call
        .segment("compartment")
        .parse()
        .map_err(|error| Failure::of(Fault::UnknownType, format!("{error}")))?;
    if compartment(owner, owner).is_none() {
        return Err(Failure::of(Fault::NotFound, format!("{owner} has no compartment")));
    }
    let owner = ResourceKey::new(owner, call.id()?);
    if call.segment("type") == ResourceType::AUDIT_EVENT.name() {
        return audit_event::search(call, Some(owner)).await;
    }
    let path = format!("/{owner}/{}", call.segment("type"));
    let place = Place { path, compartment: Some(owner) };
    match call.segment("type") {
        "*" => of_types(call, place).await,
        _ => answer(call, vec![call.kind()?], place, call.query.clone()).await,
    }
}

/// Searches the types that `_type` names, or all that the caller may search.
async fn of_types(call: &Call, place: Place) -> Result<Reply, Failure> {
    let mut pairs = call.query.clone();
    let kinds = match take(&mut pairs, "_type")? {
        Some(names) => {
            let kinds: Result<Vec<ResourceType>, _> = names.split(',').map(str::parse).collect();
            let kinds = kinds
                .map_err(|error| Failure::at(IssueCode::Value, "_type", format!("{error}")))?;
            if kinds.contains(&ResourceType::AUDIT_EVENT) {
                let diagnostics = "AuditEvents are searched by themselves: GET /fhir/AuditEvent";
                return Err(Failure::at(IssueCode::NotSupported, "_type", diagnostics));
            }
            kinds
        }
        None => call.records().searchable(&call.grant, place.compartment.as_ref())?,
    };
    answer(call, kinds, place, pairs).await
}

/// The query on each type.
type Queries = Vec<(ResourceType, Query)>;

/// The type whose parameters were not understood, and why.
type Refused = (ResourceType, Vec<SearchProblem>);

/// What shapes the result of a search.
struct Shape {
    limit: usize,
    with_total: bool,
    only_total: bool,
    as_of: Option<Instant>,
    cursor: Option<String>,
}

impl Shape {
    /// Takes out of the parameters what is no criterion.
    fn take(call: &Call, pairs: &mut Pairs) -> Result<Self, Failure> {
        let count = take(pairs, "_count")?;
        let limit = page_size_of(call, "_count", count.as_deref())?;
        let with_total = wants_total(pairs)?;
        let as_of = take(pairs, "_asOf")?.map(|text| super::super::v1::instant(&text, "_asOf"));
        let cursor = take(pairs, "_cursor")?;
        // FHIR R4 §3.1.1.5.4: the total, and nothing else.
        let only_total = limit == 0 || call.rendering.is_count;
        Ok(Self { limit, with_total, only_total, as_of: as_of.transpose()?, cursor })
    }
}

async fn answer(
    call: &Call,
    kinds: Vec<ResourceType>,
    place: Place,
    mut pairs: Pairs,
) -> Result<Reply, Failure> {
    let shape = Shape::take(call, &mut pairs)?;
    let mut queries = queries(call, &kinds, &mut pairs)?;
    let within = confine(call, &place, &mut queries);
    let request_line = request_line(&place, &kinds, &shape, &pairs);
    let start = match &shape.cursor {
        None => None,
        Some(text) => Some(open_cursor(call, "_cursor", &request_line, text)?),
    };
    let with_total = shape.with_total || shape.only_total;
    let limit = shape.limit;
    let as_of = match shape.as_of {
        Some(moment) => Some(call.settled(moment).await?),
        None => None,
    };
    let request = SearchRequest { queries, within, as_of, start, limit, with_total };
    if shape.only_total {
        let total = call.aside(move |records, grant| records.count(grant, &request)).await?;
        let page = Page { total: Some(total), ..Page::default() };
        return bundle(call, &place, &shape, &pairs, &request_line, &page);
    }
    let searched = async {
        match call.records().search_briefly(&call.grant, &request)? {
            Some(page) => Ok(page),
            None => call.aside(move |records, grant| records.search(grant, &request)).await,
        }
    };
    let span = tracing::info_span!(target: TRACE, "search");
    let page: Result<Page, Failure> = searched.instrument(span).await;
    let page = page?;
    bundle(call, &place, &shape, &pairs, &request_line, &page)
}

/// The same for a page that only goes on: what the cursor was given out for.
fn request_line(place: &Place, kinds: &[ResourceType], shape: &Shape, pairs: &Pairs) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let as_of = shape.as_of.map(|moment| moment.to_string()).unwrap_or_default();
    format!("{} {} {as_of} {}", place.path, kinds.join(","), joined(pairs.iter()))
}

fn bundle(
    call: &Call,
    place: &Place,
    shape: &Shape,
    pairs: &Pairs,
    request_line: &str,
    page: &Page,
) -> Result<Reply, Failure> {
    let base = call.base_url();
    let address = |cursor: Option<String>| {
        let mut all = pairs.clone();
        let mut add = |name: &str, value: Option<String>| {
            all.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("_asOf", shape.as_of.map(|moment| moment.to_string()));
        add("_total", shape.with_total.then(|| "accurate".to_owned()));
        add("_count", Some(shape.limit.to_string()));
        add("_cursor", cursor);
        format!("{base}{}?{}", place.path, joined(all.iter()))
    };
    let mut links = vec![("self", address(shape.cursor.clone()))];
    if let Some(next) = &page.next {
        links.push(("next", address(Some(seal_cursor(call, request_line, next)?))));
    }
    let total = page.total.and_then(|total| usize::try_from(total).ok());
    let mut bundle = BundleWriter::new("searchset", total, &links);
    for resource in &page.matches {
        bundle.found(base, &call.grant, resource, "match");
    }
    for resource in &page.included {
        bundle.found(base, &call.grant, resource, "include");
    }
    if !page.warnings.is_empty() {
        let mode = r#"{"mode":"outcome"}"#.to_owned();
        let outcome = warning(&page.warnings).to_string().into_bytes();
        bundle.entry(None, Some(&outcome), &[("search", mode)]);
    }
    Ok(Reply::bundle(bundle.finish()))
}

/// What the caller should know of the matches.
fn warning(warnings: &[String]) -> Value {
    let issue = |diagnostics: &String| json!({ "severity": "warning", "code": "informational", "diagnostics": diagnostics });
    let issues: Vec<Value> = warnings.iter().map(issue).collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

/// Restricts the queries to the compartment. The patient in whose chart all matches then lie.
fn confine(call: &Call, place: &Place, queries: &mut Queries) -> Option<ResourceId> {
    let owner = place.compartment.as_ref()?;
    if owner.kind == ResourceType::PATIENT {
        return Some(owner.id.clone());
    }
    let parameters = call.records().parameters();
    for (kind, query) in queries {
        let names = compartment(owner.kind, *kind).unwrap_or_default();
        let named = names.iter().filter_map(|name| parameters.named(*kind, name));
        let any = named
            .map(|parameter| Criterion::Condition(Condition::refers_to(parameter, owner, None)));
        query.criteria.push(Criterion::AnyOf(any.collect()));
    }
    None
}

/// Understands the criteria. With `Prefer: handling=lenient` parameters that are not known or not
/// supported are dropped, and the self link shows it (R4 §3.1.1.2); otherwise they are refused.
fn queries(call: &Call, kinds: &[ResourceType], pairs: &mut Pairs) -> Result<Queries, Failure> {
    match parse(call, kinds, pairs) {
        Ok(queries) => Ok(queries),
        Err((kind, problems)) => {
            let unknown = |problem: &&SearchProblem| problem.kind == ProblemKind::UnknownParameter;
            for problem in problems.iter().filter(unknown) {
                let name = problem.parameter.split([':', '.']).next().unwrap_or_default();
                if call.records().is_being_built(kind, name)? {
                    let detail = match call.records().engine().building() {
                        (_, 0) => {
                            format!("the search parameter {name} is being built: try again soon")
                        }
                        (done, total) => format!(
                            "the search parameter {name} is being built, {done} of {total} events are \
                             done: try again later"
                        ),
                    };
                    return Err(Failure::of(Fault::Busy, detail));
                }
            }
            if !call.is_lenient() {
                return Err(Failure::search(problems, None));
            }
            pairs.retain(|(name, _)| {
                !problems.iter().filter(unknown).any(|problem| problem.parameter == *name)
            });
            parse(call, kinds, pairs).map_err(|(_, problems)| Failure::search(problems, None))
        }
    }
}

fn parse(call: &Call, kinds: &[ResourceType], pairs: &Pairs) -> Result<Queries, Refused> {
    let parameters = call.records().parameters();
    let parse = |kind: &ResourceType| {
        let query = Query::parse(&parameters, *kind, pairs, Some(call.base_url()));
        Ok((*kind, query.map_err(|problems| (*kind, problems))?))
    };
    kinds.iter().map(parse).collect()
}
