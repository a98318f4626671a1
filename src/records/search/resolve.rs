//! What a query only names: the items of a List, and the codes of value sets.

use super::SearchRequest;
use super::candidates::Matches;
use super::context::{Opened, SearchContext};
use super::past::PATIENT;
use crate::auth::Permission;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::reference::Reference;
use crate::fhir::search::{
    Canonical, Condition, Criteria, Criterion, Direction, SearchParameter, codes_in_hierarchy,
    codes_of_value_set,
};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::records::RecordsError;

/// The request with everything in it that only was named; `None` if there is no such thing.
///
/// # Errors
///
/// [`RecordsError::Denied`]; [`RecordsError::Invalid`] naming what cannot be resolved.
pub(super) fn request(
    context: &SearchContext<'_>,
    request: &SearchRequest,
) -> Result<Option<SearchRequest>, RecordsError> {
    for (_, query) in &request.queries {
        unambiguous(context, &query.criteria)?;
    }
    if !request.queries.iter().any(|(_, query)| query.criteria.iter().any(names_something)) {
        return Ok(None);
    }
    let mut request = request.clone();
    for (kind, query) in &mut request.queries {
        resolve(context, *kind, &mut query.criteria)?;
    }
    Ok(Some(request))
}

/// The same of the criteria of a write.
///
/// # Errors
///
/// As [`request`].
pub(super) fn criteria(
    context: &SearchContext<'_>,
    criteria: &Criteria,
) -> Result<Criteria, RecordsError> {
    unambiguous(context, &criteria.all)?;
    let mut criteria = criteria.clone();
    resolve(context, criteria.kind, &mut criteria.all)?;
    Ok(criteria)
}

/// Checks that an id without its type is that of one resource: FHIR R4 §3.1.1.4.12. Of resources that the caller
/// may not find, it says nothing.
fn unambiguous(context: &SearchContext<'_>, criteria: &[Criterion]) -> Result<(), RecordsError> {
    for criterion in criteria {
        match criterion {
            Criterion::Condition(condition) => {
                for id in condition.bare_ids() {
                    one_of_its_name(context, condition.parameter(), id)?;
                }
            }
            Criterion::Chain(chain) => {
                for (_, criteria) in &chain.targets {
                    unambiguous(context, criteria)?;
                }
            }
            Criterion::Has(has) => unambiguous(context, &has.criteria)?,
            Criterion::AnyOf(alternatives) => unambiguous(context, alternatives)?,
            Criterion::Ids(_)
            | Criterion::OtherIds(_)
            | Criterion::LastUpdated(_)
            | Criterion::List(_)
            | Criterion::InHierarchy { .. }
            | Criterion::InValueSet { .. } => {}
        }
    }
    Ok(())
}

fn one_of_its_name(
    context: &SearchContext<'_>,
    parameter: &SearchParameter,
    id: &ResourceId,
) -> Result<(), RecordsError> {
    if parameter.name == PATIENT {
        return Ok(());
    }
    let mut known = Vec::new();
    for kind in parameter.targets() {
        context.records.take(1)?;
        let key = ResourceKey::new(kind, id.clone());
        let Some(held) = context.held_as(&key)? else { continue };
        if context.permitted(kind, Permission::Search, held)?.is_some() {
            known.push(key.to_string());
        }
    }
    match known.as_slice() {
        [] | [_] => Ok(()),
        _ => {
            let (name, names) = (&parameter.name, known.join(" or "));
            let diagnostics = format!("{name}={id} may be {names}: name the type too");
            let (code, expression) = (IssueCode::MultipleMatches, name.clone().into_owned());
            Err(RecordsError::Invalid(vec![Problem { code, expression, diagnostics }]))
        }
    }
}

fn names_something(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::List(_) | Criterion::InHierarchy { .. } | Criterion::InValueSet { .. } => true,
        Criterion::Chain(chain) => {
            chain.targets.iter().any(|(_, criteria)| criteria.iter().any(names_something))
        }
        Criterion::Has(has) => has.criteria.iter().any(names_something),
        Criterion::AnyOf(alternatives) => alternatives.iter().any(names_something),
        Criterion::Ids(_)
        | Criterion::OtherIds(_)
        | Criterion::LastUpdated(_)
        | Criterion::Condition(_) => false,
    }
}

fn resolve(
    context: &SearchContext<'_>,
    kind: ResourceType,
    criteria: &mut [Criterion],
) -> Result<(), RecordsError> {
    for criterion in criteria {
        match criterion {
            Criterion::List(list) => {
                let items = items(context, kind, list)?;
                *criterion = Criterion::Ids(items);
            }
            Criterion::InValueSet { parameter, value_sets, negated } => {
                let mut codes = Vec::new();
                for value_set in value_sets.iter() {
                    codes.extend(codes_of(context, &parameter.name, value_set)?);
                }
                let condition = Condition::of_codes(parameter, &codes, *negated);
                *criterion = Criterion::Condition(condition);
            }
            Criterion::InHierarchy { parameter, codes, direction } => {
                let mut all = Vec::new();
                for (system, code) in codes.iter() {
                    all.extend(in_hierarchy(context, &parameter.name, system, code, *direction)?);
                }
                *criterion = Criterion::Condition(Condition::of_codes(parameter, &all, false));
            }
            Criterion::Chain(chain) => {
                for (target, criteria) in &mut chain.targets {
                    resolve(context, *target, criteria)?;
                }
            }
            Criterion::Has(has) => resolve(context, has.kind, &mut has.criteria)?,
            Criterion::AnyOf(alternatives) => resolve(context, kind, alternatives)?,
            Criterion::Ids(_)
            | Criterion::OtherIds(_)
            | Criterion::LastUpdated(_)
            | Criterion::Condition(_) => {}
        }
    }
    Ok(())
}

/// The ids of the items of a List that are of a type (FHIR R4 §3.1.1.5.9).
fn items(
    context: &SearchContext<'_>,
    kind: ResourceType,
    list: &ResourceId,
) -> Result<Vec<ResourceId>, RecordsError> {
    let key = ResourceKey::new(ResourceType::LIST, list.clone());
    // A List that is not there has no items.
    let Some(opened) = read(context, &key)? else { return Ok(Vec::new()) };
    let entries = opened.document.root().get("entry");
    let items = entries.into_iter().flat_map(|entries| entries.items());
    // Items that are marked as deleted are on the list no more.
    let items = items.filter(|entry| entry.get("deleted").is_none_or(|node| node.text() != "true"));
    let mut ids: Vec<ResourceId> = items
        .filter_map(|entry| {
            let text = entry.get("item")?.get_str("reference")?.into_owned();
            match Reference::parse(&text, context.base_url) {
                Reference::Local { key, .. } if key.kind == kind => Some(key.id),
                _ => None,
            }
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The codes of a value set on this server: named by its canonical URL, or by `ValueSet/[id]`.
fn codes_of(
    context: &SearchContext<'_>,
    parameter: &str,
    name: &str,
) -> Result<Vec<(String, String)>, RecordsError> {
    let missing = || invalid(parameter, format!("the value set \"{name}\" is not on this server"));
    let opened = match Reference::parse(name, context.base_url) {
        Reference::Local { key, .. } if key.kind == ResourceType::VALUE_SET => read(context, &key)?,
        _ => by_url(context, ResourceType::VALUE_SET, name)?,
    };
    let opened = opened.ok_or_else(missing)?;
    codes_of_value_set(opened.document.root()).map_err(|why| invalid(parameter, why))
}

/// What is above or below a code by the CodeSystem of its system on this server, and the code itself.
fn in_hierarchy(
    context: &SearchContext<'_>,
    parameter: &str,
    system: &str,
    code: &str,
    direction: Direction,
) -> Result<Vec<(String, String)>, RecordsError> {
    let opened = by_url(context, ResourceType::CODE_SYSTEM, system)?.ok_or_else(|| {
        invalid(parameter, format!("the code system \"{system}\" is not on this server"))
    })?;
    let codes = codes_in_hierarchy(opened.document.root(), code, direction)
        .map_err(|why| invalid(parameter, why))?;
    Ok(codes.into_iter().map(|code| (system.to_owned(), code)).collect())
}

/// The resource with a canonical URL.
fn by_url(
    context: &SearchContext<'_>,
    kind: ResourceType,
    url: &str,
) -> Result<Option<Opened>, RecordsError> {
    let canonical = Canonical::parse(url);
    let pairs = canonical.parameters();
    let criteria = Criteria::parse(context.parameters, kind, &pairs, context.base_url)
        .map_err(|_| invalid("url", format!("\"{}\" cannot be searched for", canonical.url)))?;
    match Matches::new(context, kind, &criteria.all, None, None)?.next().transpose()? {
        Some(found) => match found.open(context)? {
            Some(opened) => read(context, &opened.key),
            None => Ok(None),
        },
        None => Ok(None),
    }
}

/// A resource that the caller may both read and find.
fn read(context: &SearchContext<'_>, key: &ResourceKey) -> Result<Option<Opened>, RecordsError> {
    if let Some(grant) = context.grant {
        grant.rights(key.kind, Permission::Read)?;
    }
    let Some(held) = context.held_as(key)? else { return Ok(None) };
    if context.permitted(key.kind, Permission::Read, held.clone())?.is_none() {
        return Ok(None);
    }
    match context.permitted(key.kind, Permission::Search, held)? {
        Some(found) => found.open(context),
        None => Ok(None),
    }
}

fn invalid(expression: &str, diagnostics: String) -> RecordsError {
    let (code, expression) = (IssueCode::NotFound, expression.to_owned());
    RecordsError::Invalid(vec![Problem { code, expression, diagnostics }])
}
