//! `Encounter/{id}/$everything`: FHIR R4 OperationDefinition Encounter-everything.

use super::super::paging::{lowered_page_size, open_cursor, seal_cursor};
use super::bundle::BundleWriter;
use super::everything::{address, following_page, types};
use super::history::instant;
use super::parameters::parameters;
use super::{Call, Failure, Reply};
use crate::auth::{Grant, Permission};
use crate::fhir::definitions::compartment;
use crate::fhir::search::{Condition, Criterion, Include, Query};
use crate::fhir::{Parameters, ResourceKey, ResourceType};
use crate::records::{Page, Records, Resource, SearchRequest, is_supporting};

/// What it can be asked by.
const PARAMETERS: [&str; 4] = ["_since", "_type", "_count", "_cursor"];

/// The Encounter, its compartment, and the resources to which these refer.
#[utoipa::path(get, path = "/fhir/Encounter/{id}/$everything", operation_id = "encounterEverything", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Encounter"),
        ("_since" = Option<String>, Query, description = "Only what was recorded at this instant or later"),
        ("_type" = Option<String>, Query, description = "Only these resource types, separated by commas"),
        ("_count" = Option<u32>, Query, description = "Resources of the Encounter on a page, which come with what they refer to; it may hold fewer and still have a next one"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset; all its pages show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "The Encounter was deleted")))]
pub async fn everything(mut call: Call) -> Result<Reply, Failure> {
    let key = ResourceKey::new(ResourceType::ENCOUNTER, call.id()?);
    call.query = parameters(&mut call, &PARAMETERS).await?;
    let address = address(&call, &key.to_string());
    let cursor = call.parameter::<String>("_cursor", "a cursor")?;
    let start = cursor.map(|text| open_cursor(&call, "_cursor", &address, &text)).transpose()?;
    let since = call.parameter::<String>("_since", "an instant")?;
    let since = since.map(|since| instant("_since", &since)).transpose()?;
    let (only, limit) = (types(&call)?, lowered_page_size(&call, "_count")?.max(1));
    let read = move |records: &Records, grant: &Grant| {
        // What goes with it was not named: it is found.
        grant.rights(key.kind, Permission::Search)?;
        records.read(grant, &key)?;
        let kinds = records.searchable(grant, Some(&key))?;
        let queries = queries(&records.parameters(), &kinds, &key);
        let (within, as_of, with_total) = (None, None, false);
        records.search(grant, &SearchRequest { queries, within, as_of, start, limit, with_total })
    };
    let Page { matches, included, next, .. } = call.aside(read).await?;
    let mut links = vec![("self", address.clone())];
    if let Some(next) = next {
        links.push(("next", following_page(&address, &seal_cursor(&call, &address, &next)?)));
    }
    let is_asked_for = |resource: &&Resource| {
        only.as_ref().is_none_or(|only| only.contains(&resource.key.kind))
            && since.is_none_or(|since| resource.recorded_at >= since)
    };
    let mut bundle = BundleWriter::new("searchset", None, &links);
    for (resources, mode) in [(&matches, "match"), (&included, "include")] {
        for resource in resources.iter().filter(is_asked_for) {
            bundle.found(call.base_url(), &call.grant, resource, mode);
        }
    }
    Ok(Reply::bundle(bundle.finish()))
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Encounter/{id}/$everything", operation_id = "encounterEverythingByPost", tag = "fhir",
    params(("id" = String, Path, description = "Logical id of the Encounter")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A Bundle of type searchset; all its pages show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "The Encounter was deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn everything_by_post(call: Call) -> Result<Reply, Failure> {
    everything(call).await
}

/// What lies in the compartment, of each type; with what that refers to, and what the resources of no patient among this
/// refer to themselves.
fn queries(
    parameters: &Parameters,
    kinds: &[ResourceType],
    key: &ResourceKey,
) -> Vec<(ResourceType, Query)> {
    let all = |source: ResourceType, iterate: bool| Include {
        reverse: false,
        iterate,
        source,
        parameter: None,
        target: None,
    };
    let supporting = ResourceType::all().filter(|kind| is_supporting(*kind));
    let mut leading: Vec<Include> = supporting.map(|kind| all(kind, true)).collect();
    let mut queries = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let names = compartment(key.kind, *kind).unwrap_or_default();
        let named = names.iter().filter_map(|name| parameters.named(*kind, name));
        let refers = named.map(|one| Criterion::Condition(Condition::refers_to(one, key, None)));
        let criterion = match *kind == key.kind {
            true => Criterion::Ids(vec![key.id.clone()]),
            false => Criterion::AnyOf(refers.collect()),
        };
        let mut includes = std::mem::take(&mut leading);
        includes.push(all(*kind, false));
        queries.push((*kind, Query { criteria: vec![criterion], includes, ..Query::default() }));
    }
    queries
}
