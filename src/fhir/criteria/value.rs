//! The values of search parameters as terms, by the type of the parameter.

use super::problem::{invalid, not_supported};
use super::{InstantRange, Refusal};
use crate::fhir::definitions::SearchParameter;
use crate::fhir::types::quotable;
use crate::fhir::{Reference, ResourceId, ResourceKey, ResourceType, Term};

/// The ids of `_id`.
pub(super) fn ids(text: &str) -> Result<Vec<ResourceId>, Refusal> {
    let parse = |value| ResourceId::parse(value).map_err(|error| invalid(error.to_string()));
    alternatives(text)?.into_iter().map(parse).collect()
}

/// The ranges of `_lastUpdated`.
pub(super) fn instant_ranges(text: &str) -> Result<Vec<InstantRange>, Refusal> {
    let mut ranges = Vec::new();
    for value in alternatives(text)? {
        ranges.extend(InstantRange::parse(value).map_err(invalid)?);
    }
    Ok(ranges)
}

/// The terms of `value`, `system|value` and `|value`: FHIR R4 §3.1.1.4.10.
pub(super) fn tokens(parameter: &SearchParameter, text: &str) -> Result<Vec<Term>, Refusal> {
    alternatives(text)?.into_iter().map(|value| token(parameter, value)).collect()
}

fn token(parameter: &SearchParameter, text: &str) -> Result<Term, Refusal> {
    let parts = split_unescaped(text, '|')?;
    match parts.as_slice() {
        [value] => Ok(Term::token(parameter.code, &unescaped(value))),
        [_, ""] => Err(not_supported(
            "a system alone, \"system|\", is not supported; supported are value, system|value and |value",
        )),
        [system, value] => {
            Ok(Term::token_in_system(parameter.code, &unescaped(system), &unescaped(value)))
        }
        _ => Err(invalid(format!(
            "\"{}\" has more than one '|'; inside of a value it is written \\|",
            quotable(text)
        ))),
    }
}

/// The terms of `id`, `Type/id` and URLs, and of the modifier `:Type`: FHIR R4 §3.1.1.4.12.
pub(super) fn references(
    parameter: &SearchParameter,
    modifier: Option<&str>,
    text: &str,
    base_url: Option<&str>,
) -> Result<Vec<Term>, Refusal> {
    let modifier = modifier.map(|modifier| type_modifier(parameter, modifier)).transpose()?;
    let mut terms = Vec::new();
    for value in alternatives(text)? {
        let value = unescaped(value);
        match (ResourceId::parse(&value), modifier) {
            (Ok(id), Some(kind)) => terms.push(local_term(parameter, kind, id)),
            (Ok(id), None) => {
                let targets = parameter.targets();
                terms.extend(targets.iter().map(|kind| local_term(parameter, *kind, id.clone())));
            }
            (Err(error), Some(_)) => return Err(invalid(error.to_string())),
            (Err(_), None) => terms.push(full_reference(parameter, &value, base_url)?),
        }
    }
    Ok(terms)
}

fn local_term(parameter: &SearchParameter, kind: ResourceType, id: ResourceId) -> Term {
    Term::reference(parameter.code, &ResourceKey::new(kind, id).to_string(), None)
}

fn full_reference(
    parameter: &SearchParameter,
    text: &str,
    base_url: Option<&str>,
) -> Result<Term, Refusal> {
    match Reference::parse(text, base_url) {
        Reference::Local { key, .. } if !parameter.may_target(key.kind) => {
            Err(invalid(wrong_target(parameter, key.kind)))
        }
        Reference::Other(text) if !text.contains(':') => Err(invalid(format!(
            "\"{}\" is not a reference; supported are id, Type/id and absolute URLs",
            quotable(text)
        ))),
        Reference::Fragment(_) | Reference::Conditional { .. } => Err(not_supported(format!(
            "\"{}\" is a reference that a search cannot follow; supported are id, Type/id and absolute URLs",
            quotable(text)
        ))),
        Reference::Local { .. } | Reference::Urn(_) | Reference::Other(_) => {
            Ok(Term::reference(parameter.code, text, base_url))
        }
    }
}

fn type_modifier(parameter: &SearchParameter, modifier: &str) -> Result<ResourceType, Refusal> {
    match ResourceType::from_name(modifier) {
        Some(kind) if parameter.may_target(kind) => Ok(kind),
        Some(kind) => Err(invalid(wrong_target(parameter, kind))),
        None => Err(not_supported(format!(
            "the modifier \":{}\" is not supported; supported is the type of the target: {}",
            quotable(modifier),
            target_names(parameter)
        ))),
    }
}

/// For parameters that have no modifier.
pub(super) fn refuse_modifier(name: &str, modifier: Option<&str>) -> Result<(), Refusal> {
    let Some(modifier) = modifier else {
        return Ok(());
    };
    let modifier = quotable(modifier);
    Err(not_supported(format!(
        "{name} has no modifier \":{modifier}\" on this server; none is supported"
    )))
}

fn wrong_target(parameter: &SearchParameter, kind: ResourceType) -> String {
    format!("{} does not refer to {kind}, but to {}", parameter.name, target_names(parameter))
}

fn target_names(parameter: &SearchParameter) -> String {
    let names: Vec<_> = parameter.targets().iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

/// The values between commas, of which any may match; none of them may be empty.
fn alternatives(text: &str) -> Result<Vec<&str>, Refusal> {
    let values = split_unescaped(text, ',')?;
    if values.contains(&"") {
        return Err(invalid("the value is empty, or empty before or behind a comma"));
    }
    Ok(values)
}

/// Splits at a separator that has no backslash before it: FHIR R4 §3.1.1.4.2 (Escaping).
fn split_unescaped(text: &str, separator: char) -> Result<Vec<&str>, Refusal> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some((_, ',' | '|' | '$' | '\\'))) {
            return Err(invalid(
                "a backslash stands only before ',', '|', '$' and another backslash",
            ));
        }
        if character == separator {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + separator.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

/// The characters that an escaped value stands for.
fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    out
}
