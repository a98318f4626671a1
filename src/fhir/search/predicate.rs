//! Predicates: one value of a condition, of any search type.

use super::date::DatePredicate;
use super::modifier::Modifier;
use super::number::{NUMBER_TAGS, NumberPredicate};
use super::problem::{Refusal, invalid, not_supported};
use super::quantity::QuantityPredicate;
use super::reference::ReferencePredicate;
use super::split::split_unescaped;
use super::string::{Comparison, StringPredicate, long_text_lookup};
use super::terms::items_at;
use super::token::{TokenPredicate, texts};
use super::uri::{self, UriPredicate};
use super::{Lookup, Probe, SearchParameter, SearchType, Term, Verdict};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::json::Node;

/// "Combination of relation and relatesTo", defined as one of relatesto and relation; and each of the two with the
/// expression of the other, which `definitions/generate.py` has put right.
const EITHER_WAY: &str = "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship";

/// A predicate over one value of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    /// A code or identifier.
    Token(TokenPredicate),
    /// What a person reads in place of a code.
    TokenText(StringPredicate),
    /// A reference, or the identifier in one.
    Reference(ReferencePredicate),
    /// A text.
    String(StringPredicate),
    /// A date or period.
    Date(DatePredicate),
    /// A number or range.
    Number(NumberPredicate),
    /// A number with a unit.
    Quantity(QuantityPredicate),
    /// A URI.
    Uri(UriPredicate),
    /// One predicate for each component, in their order.
    Composite(Vec<Predicate>),
}

impl Predicate {
    /// Parses one value.
    pub(super) fn parse(
        parameter: &SearchParameter,
        modifier: Modifier,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<Self, Refusal> {
        Ok(match (parameter.search_type, modifier) {
            (SearchType::Token, Modifier::Text) => {
                Self::TokenText(StringPredicate::parse(Comparison::Start, text)?)
            }
            (SearchType::Token, Modifier::OfType) => {
                Self::Token(TokenPredicate::parse_of_type(parameter, text)?)
            }
            (SearchType::Token, _) => Self::Token(TokenPredicate::parse(parameter, text)?),
            (SearchType::Reference, Modifier::Identifier) => {
                Self::Token(TokenPredicate::parse_identifier(parameter, text)?)
            }
            (SearchType::Reference, Modifier::Below) => {
                Self::Reference(ReferencePredicate::parse_below(text))
            }
            (SearchType::Reference, Modifier::Type(kind)) => {
                Self::Reference(ReferencePredicate::parse(parameter, Some(kind), text, base_url)?)
            }
            (SearchType::Reference, _) => {
                Self::Reference(ReferencePredicate::parse(parameter, None, text, base_url)?)
            }
            (SearchType::String, Modifier::Exact) => {
                Self::String(StringPredicate::parse(Comparison::Exact, text)?)
            }
            (SearchType::String, Modifier::Contains) => {
                Self::String(StringPredicate::parse(Comparison::Contains, text)?)
            }
            (SearchType::String, _) => {
                Self::String(StringPredicate::parse(Comparison::Start, text)?)
            }
            (SearchType::Date, _) => Self::Date(DatePredicate::parse(text)?),
            (SearchType::Number, _) => Self::Number(NumberPredicate::parse(text)?),
            (SearchType::Quantity, _) => Self::Quantity(QuantityPredicate::parse(text)?),
            (SearchType::Uri, modifier) => {
                let comparison = match modifier {
                    Modifier::Above => uri::Comparison::Above,
                    Modifier::Below => uri::Comparison::Below,
                    _ => uri::Comparison::Exact,
                };
                Self::Uri(UriPredicate::parse(comparison, text)?)
            }
            (SearchType::Composite, _) => composite(parameter, text, base_url)?,
            (SearchType::Special, _) => {
                let name = &parameter.name;
                return Err(not_supported(format!("{name} is not supported on this server")));
            }
        })
    }

    /// The same value read the other way round, of the composite whose definition has its parts in one
    /// order and its description in the other.
    pub(super) fn parse_turned(
        parameter: &SearchParameter,
        text: &str,
        base_url: Option<&str>,
    ) -> Option<Self> {
        let parts = split_unescaped(text, '$').ok().filter(|_| parameter.url == EITHER_WAY)?;
        let turned: Vec<&str> = parts.into_iter().rev().collect();
        composite(parameter, &turned.join("$"), base_url).ok()
    }

    /// Where an index has what matches it.
    pub(super) fn lookups(&self) -> Vec<Lookup> {
        match self {
            Self::Token(predicate) => predicate.lookups(),
            Self::TokenText(predicate) => predicate.token_lookups(),
            Self::Reference(predicate) => predicate.lookups(),
            Self::String(predicate) => predicate.lookups(),
            Self::Date(predicate) => predicate.lookups(),
            Self::Number(predicate) => predicate.lookups(NUMBER_TAGS, &[]),
            Self::Quantity(predicate) => predicate.lookups(),
            Self::Uri(predicate) => predicate.lookups(),
            Self::Composite(_) => Vec::new(),
        }
    }

    /// Whether its look-ups find more than what matches it.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Token(predicate) => predicate.is_cut(),
            Self::TokenText(predicate) => predicate.is_cut(),
            Self::Reference(predicate) => predicate.is_cut(),
            Self::Uri(predicate) => predicate.is_cut(),
            Self::Composite(_) => true,
            // Ranges are told apart term by term.
            Self::String(_) | Self::Date(_) | Self::Number(_) | Self::Quantity(_) => false,
        }
    }

    /// What a term says that a range of the look-ups has found.
    pub(super) fn accepts(&self, parameter: &SearchParameter, term: &Term) -> Verdict {
        match self {
            // Found by values that are equal, or begin so.
            Self::Token(_) | Self::TokenText(_) | Self::Reference(_) | Self::Uri(_) => Verdict::Yes,
            Self::String(predicate) => predicate.accepts(&term.value),
            Self::Date(predicate) => predicate.accepts(&term.value),
            Self::Number(predicate) => predicate.accepts(NUMBER_TAGS, 0, &term.value),
            Self::Quantity(predicate) => predicate.accepts(&term.value),
            Self::Composite(predicates) => {
                // That each part is somewhere does not mean that they belong together.
                let is_possible =
                    parameter.components.iter().zip(predicates).any(|(component, predicate)| {
                        component.parameter.code == term.parameter
                            && predicate.accepts(&component.parameter, term) != Verdict::No
                    });
                if is_possible { Verdict::Unsure } else { Verdict::No }
            }
        }
    }

    /// Whether an element matches it; `resource` is the one in which it stands.
    pub(super) fn matches(
        &self,
        parameter: &SearchParameter,
        resource: Node<'_>,
        item: Item<'_>,
        base_url: Option<&str>,
    ) -> bool {
        match self {
            Self::Token(predicate) => predicate.matches(item),
            Self::TokenText(predicate) => {
                texts(item).iter().any(|text| predicate.matches_text(text))
            }
            Self::Reference(predicate) => predicate.matches(item, base_url),
            Self::String(predicate) => predicate.matches(parameter, item),
            Self::Date(predicate) => predicate.matches(item),
            Self::Number(predicate) => predicate.matches(item),
            Self::Quantity(predicate) => predicate.matches(item),
            Self::Uri(predicate) => {
                predicate.matches(item, uri::version_of(parameter, resource).as_deref())
            }
            Self::Composite(predicates) => {
                let mut parts = parameter.components.iter().zip(predicates);
                parts.all(|(component, predicate)| {
                    let parts = items_at(&component.expression, resource, item);
                    let parameter = &component.parameter;
                    parts.iter().any(|part| predicate.matches(parameter, resource, *part, base_url))
                })
            }
        }
    }

    /// If the predicates are of `:contains`, the look-ups of which one must find something each.
    pub(super) fn containing(predicates: &[Self]) -> Option<Vec<Vec<Lookup>>> {
        let of_predicate = |predicate: &Self| match predicate {
            Self::String(predicate) => predicate.trigram_lookups(),
            _ => None,
        };
        let wanted: Vec<Vec<Lookup>> =
            predicates.iter().map(of_predicate).collect::<Option<_>>()?;
        let longest = wanted.iter().map(Vec::len).max()?;
        let nth = |at: usize| {
            let of_each = wanted.iter().filter_map(|one| one.get(at).or_else(|| one.last()));
            of_each.cloned().chain([long_text_lookup()]).collect()
        };
        Some((0..longest).map(nth).collect())
    }

    /// For each component of a composite, where an index has the values of that component.
    pub(super) fn component_probes(parameter: &SearchParameter, predicates: &[Self]) -> Vec<Probe> {
        let probe = |(at, component): (usize, &super::Component)| {
            let of_component = predicates.iter().filter_map(|predicate| match predicate {
                Self::Composite(predicates) => predicates.get(at),
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
) -> Result<Predicate, Refusal> {
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
        Predicate::parse(&component.parameter, Modifier::Plain, part, base_url)
    });
    Ok(Predicate::Composite(parsed.collect::<Result<_, _>>()?))
}
