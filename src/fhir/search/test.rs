//! One value of a condition, of whatever type.

use super::date::DateTest;
use super::modifier::Modifier;
use super::number::{NUMBER_TAGS, NumberTest};
use super::problem::{Refusal, invalid, not_supported};
use super::quantity::QuantityTest;
use super::reference::ReferenceTest;
use super::split::split_unescaped;
use super::string::{Comparison, StringTest};
use super::terms::items_at;
use super::token::{TokenTest, texts};
use super::uri::{self, UriTest};
use super::{Lookup, Probe, SearchParameter, SearchType, Term, Verdict};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::json::Node;

/// What one value of a resource has to be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// A code or identifier.
    Token(TokenTest),
    /// What a person reads in place of a code.
    TokenText(StringTest),
    /// A reference, or the identifier in one.
    Reference(ReferenceTest),
    /// A text.
    String(StringTest),
    /// A date or period.
    Date(DateTest),
    /// A number or range.
    Number(NumberTest),
    /// A number with a unit.
    Quantity(QuantityTest),
    /// A URI.
    Uri(UriTest),
    /// One test for each component, in their order.
    Composite(Vec<Test>),
}

impl Test {
    /// Understands one value.
    pub(super) fn parse(
        parameter: &SearchParameter,
        modifier: Modifier,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<Self, Refusal> {
        Ok(match (parameter.search_type, modifier) {
            (SearchType::Token, Modifier::Text) => {
                Self::TokenText(StringTest::parse(Comparison::Start, text)?)
            }
            (SearchType::Token, _) => Self::Token(TokenTest::parse(parameter, text)?),
            (SearchType::Reference, Modifier::Identifier) => {
                Self::Token(TokenTest::parse_identifier(parameter, text)?)
            }
            (SearchType::Reference, Modifier::Type(kind)) => {
                Self::Reference(ReferenceTest::parse(parameter, Some(kind), text, base_url)?)
            }
            (SearchType::Reference, _) => {
                Self::Reference(ReferenceTest::parse(parameter, None, text, base_url)?)
            }
            (SearchType::String, Modifier::Exact) => {
                Self::String(StringTest::parse(Comparison::Exact, text)?)
            }
            (SearchType::String, Modifier::Contains) => {
                Self::String(StringTest::parse(Comparison::Contains, text)?)
            }
            (SearchType::String, _) => Self::String(StringTest::parse(Comparison::Start, text)?),
            (SearchType::Date, _) => Self::Date(DateTest::parse(text)?),
            (SearchType::Number, _) => Self::Number(NumberTest::parse(text)?),
            (SearchType::Quantity, _) => Self::Quantity(QuantityTest::parse(text)?),
            (SearchType::Uri, modifier) => {
                let comparison = match modifier {
                    Modifier::Above => uri::Comparison::Above,
                    Modifier::Below => uri::Comparison::Below,
                    _ => uri::Comparison::Exact,
                };
                Self::Uri(UriTest::new(comparison, text))
            }
            (SearchType::Composite, _) => composite(parameter, text, base_url)?,
            (SearchType::Special, _) => {
                let name = &parameter.name;
                return Err(not_supported(format!("{name} is not supported on this server")));
            }
        })
    }

    /// Where an index has what meets it.
    pub(super) fn lookups(&self) -> Vec<Lookup> {
        match self {
            Self::Token(test) => test.lookups(),
            Self::TokenText(test) => test.token_lookups(),
            Self::Reference(test) => test.lookups(),
            Self::String(test) => test.lookups(),
            Self::Date(test) => test.lookups(),
            Self::Number(test) => test.lookups(NUMBER_TAGS, &[]),
            Self::Quantity(test) => test.lookups(),
            Self::Uri(test) => test.lookups(),
            Self::Composite(_) => Vec::new(),
        }
    }

    /// What a term says that one of the look-ups has found.
    pub(super) fn accepts(&self, parameter: &SearchParameter, term: &Term) -> Verdict {
        match self {
            Self::Token(test) => test.accepts(&term.value),
            Self::TokenText(test) => test.token_accepts(&term.value),
            Self::Reference(test) => test.accepts(&term.value),
            Self::String(test) => test.accepts(&term.value),
            Self::Date(test) => test.accepts(&term.value),
            Self::Number(test) => test.accepts(NUMBER_TAGS, 0, &term.value),
            Self::Quantity(test) => test.accepts(&term.value),
            Self::Uri(test) => test.accepts(&term.value),
            Self::Composite(tests) => {
                // That each part is somewhere does not mean that they belong together.
                let is_possible =
                    parameter.components.iter().zip(tests).any(|(component, test)| {
                        component.parameter.code == term.parameter
                            && test.accepts(&component.parameter, term) != Verdict::No
                    });
                if is_possible { Verdict::Unsure } else { Verdict::No }
            }
        }
    }

    /// Whether an element meets it; `resource` is the one in which it stands.
    pub(super) fn meets(
        &self,
        parameter: &SearchParameter,
        resource: Node<'_>,
        item: Item<'_>,
        base_url: Option<&str>,
    ) -> bool {
        match self {
            Self::Token(test) => test.meets(item),
            Self::TokenText(test) => texts(item).iter().any(|text| test.is_met_by(text)),
            Self::Reference(test) => test.meets(item, base_url),
            Self::String(test) => test.meets(item),
            Self::Date(test) => test.meets(item),
            Self::Number(test) => test.meets(item),
            Self::Quantity(test) => test.meets(item),
            Self::Uri(test) => test.meets(item),
            Self::Composite(tests) => {
                let mut parts = parameter.components.iter().zip(tests);
                parts.all(|(component, test)| {
                    let parts = items_at(&component.expression, resource, item);
                    let parameter = &component.parameter;
                    parts.iter().any(|part| test.meets(parameter, resource, *part, base_url))
                })
            }
        }
    }

    /// For each component of a composite, where an index has the values of that component.
    pub(super) fn component_probes(parameter: &SearchParameter, tests: &[Self]) -> Vec<Probe> {
        let probe = |(at, component): (usize, &super::Component)| {
            let of_component = tests.iter().filter_map(|test| match test {
                Self::Composite(tests) => tests.get(at),
                _ => None,
            });
            let any_of = of_component.flat_map(Self::lookups).collect();
            Probe { parameter: component.parameter.code, any_of }
        };
        parameter.components.iter().enumerate().map(probe).collect()
    }
}

/// `a$b`: FHIR R4 §3.1.1.4.13.
fn composite(
    parameter: &SearchParameter,
    text: &str,
    base_url: Option<&str>,
) -> Result<Test, Refusal> {
    let parts = split_unescaped(text, '$')?;
    let components = &parameter.components;
    if parts.len() != components.len() || parts.contains(&"") {
        let names: Vec<_> = components.iter().map(|part| &*part.parameter.name).collect();
        return Err(invalid(format!(
            "\"{}\" is not of the form {}",
            quotable(text),
            names.join("$")
        )));
    }
    let parsed = components.iter().zip(parts).map(|(component, part)| {
        Test::parse(&component.parameter, Modifier::Plain, part, base_url)
    });
    Ok(Test::Composite(parsed.collect::<Result<_, _>>()?))
}
