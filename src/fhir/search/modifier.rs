//! What stands behind the colon of a parameter's name: FHIR R4 §3.1.1.4.5.

use super::problem::{Refusal, not_supported};
use super::{SearchParameter, SearchType};
use crate::fhir::ResourceType;
use crate::fhir::types::quotable;

/// The modifier of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Modifier {
    /// None at all.
    Plain,
    /// `:missing`, of every parameter.
    Missing,
    /// `:exact`, of strings.
    Exact,
    /// `:contains`, of strings.
    Contains,
    /// `:text`, of tokens.
    Text,
    /// `:not`, of tokens.
    Not,
    /// `:in`, of tokens.
    In,
    /// `:not-in`, of tokens.
    NotIn,
    /// `:above`, of URIs.
    Above,
    /// `:below`, of URIs.
    Below,
    /// `:identifier`, of references.
    Identifier,
    /// `:Type`, of references.
    Type(ResourceType),
}

impl Modifier {
    /// The modifier of that name, if the parameter has it.
    pub(super) fn parse(parameter: &SearchParameter, text: Option<&str>) -> Result<Self, Refusal> {
        let Some(text) = text else { return Ok(Self::Plain) };
        Ok(match (text, parameter.search_type) {
            ("missing", _) => Self::Missing,
            ("exact", SearchType::String) => Self::Exact,
            ("contains", SearchType::String) => Self::Contains,
            ("text", SearchType::Token) => Self::Text,
            ("not", SearchType::Token) => Self::Not,
            ("in", SearchType::Token) => Self::In,
            ("not-in", SearchType::Token) => Self::NotIn,
            ("above", SearchType::Uri) => Self::Above,
            ("below", SearchType::Uri) => Self::Below,
            ("identifier", SearchType::Reference) => Self::Identifier,
            (name, SearchType::Reference) if ResourceType::from_name(name).is_some() => {
                let kind = ResourceType::from_name(name).filter(|kind| parameter.may_target(*kind));
                Self::Type(kind.ok_or_else(|| super::reference::wrong_target(parameter, name))?)
            }
            _ => return Err(unknown(parameter, text)),
        })
    }
}

fn unknown(parameter: &SearchParameter, text: &str) -> Refusal {
    let supported = match parameter.search_type {
        SearchType::String => ":missing, :exact and :contains",
        SearchType::Token => ":missing, :text, :not, :in and :not-in",
        SearchType::Uri => ":missing, :above and :below",
        SearchType::Reference => ":missing, :identifier and the type of the target",
        _ => ":missing",
    };
    not_supported(format!(
        "{} has no modifier \":{}\" on this server; supported: {supported}",
        parameter.name,
        quotable(text)
    ))
}
