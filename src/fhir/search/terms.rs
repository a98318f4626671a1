//! The terms of a resource: everything by which a search can find it.

use super::term::{tag, value};
use super::{Parameters, SearchParameter, SearchType, Term};
use super::{date, number, quantity, reference, string, token, uri};
use crate::fhir::ResourceType;
use crate::fhir::path::{Expression, Item};
use crate::json::Node;

/// All terms of a resource, sorted, each once. `base_url` is this server's own: references below it
/// are local.
#[must_use]
pub fn terms_of(
    parameters: &Parameters,
    kind: ResourceType,
    resource: Node<'_>,
    base_url: Option<&str>,
) -> Vec<Term> {
    let mut terms = vec![Term::every()];
    let mut values = Vec::new();
    for parameter in parameters.of(kind) {
        for item in items_of(&parameter.expression, resource) {
            add_values(parameter, resource, item, base_url, &mut values);
        }
        let of_parameter = |value| Term { parameter: parameter.code, value };
        terms.extend(values.drain(..).map(of_parameter));
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// What an expression leads to in a resource; of extensions, their values.
pub(super) fn items_of<'a>(expression: &Expression, resource: Node<'a>) -> Vec<Item<'a>> {
    values_of_extensions(expression.evaluate(resource))
}

/// The same, seen from an element of the resource.
pub(super) fn items_at<'a>(
    expression: &Expression,
    resource: Node<'a>,
    focus: Item<'a>,
) -> Vec<Item<'a>> {
    values_of_extensions(expression.evaluate_at(resource, focus))
}

fn values_of_extensions(mut items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    for item in &mut items {
        if let Item::Node(node) = item
            && node.get("url").is_some()
            && let Some((_, value)) = node.members().find(|(name, _)| name.starts_with("value"))
        {
            *item = Item::Node(value);
        }
    }
    items
}

fn add_values(
    parameter: &SearchParameter,
    resource: Node<'_>,
    item: Item<'_>,
    base_url: Option<&str>,
    values: &mut Vec<Vec<u8>>,
) {
    values.push(value(tag::PRESENT, &[]));
    match parameter.search_type {
        SearchType::Token => token::add_values(parameter, item, values),
        SearchType::Reference => reference::add_values(resource, item, base_url, values),
        SearchType::String => string::add_values(parameter, item, values),
        SearchType::Date => date::add_values(item, values),
        SearchType::Number => number::add_values(item, values),
        SearchType::Quantity => quantity::add_values(item, values),
        SearchType::Uri => {
            uri::add_values(item, uri::version_of(parameter, resource).as_deref(), values);
        }
        // Composites are found by their components.
        SearchType::Composite | SearchType::Special => {}
    }
}
