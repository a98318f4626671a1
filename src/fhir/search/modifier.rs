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
    /// `:of-type`, of tokens that are identifiers.
    OfType,
    /// `:above`, of URIs and of codes.
    Above,
    /// `:below`, of URIs, of codes and of canonicals.
    Below,
    /// `:identifier`, of references.
    Identifier,
    /// `:Type`, of references.
    Type(ResourceType),
}

impl Modifier {
    /// The modifier of that name, if the parameter of that type of resources has it.
    pub(super) fn parse(
        kind: ResourceType,
        parameter: &SearchParameter,
        text: Option<&str>,
    ) -> Result<Self, Refusal> {
        let Some(text) = text else { return Ok(Self::Plain) };
        Ok(match (text, parameter.search_type) {
            // Each of the parts may be missing, and each is asked for by its own parameter.
            ("missing", SearchType::Composite) => return Err(unknown(kind, parameter, text)),
            ("missing", _) => Self::Missing,
            ("exact", SearchType::String) => Self::Exact,
            ("contains", SearchType::String) => Self::Contains,
            ("text", SearchType::Token) => Self::Text,
            ("not", SearchType::Token) => Self::Not,
            ("in", SearchType::Token) => Self::In,
            ("not-in", SearchType::Token) => Self::NotIn,
            ("of-type", SearchType::Token) if parameter.leads_to(kind, "Identifier") => {
                Self::OfType
            }
            ("above", SearchType::Token | SearchType::Uri) => Self::Above,
            ("below", SearchType::Token | SearchType::Uri) => Self::Below,
            ("below", SearchType::Reference) if parameter.leads_to(kind, "canonical") => {
                Self::Below
            }
            ("identifier", SearchType::Reference) => Self::Identifier,
            (name, SearchType::Reference) if ResourceType::from_name(name).is_some() => {
                let target = ResourceType::from_name(name);
                let target = target.filter(|target| parameter.may_target(*target));
                Self::Type(target.ok_or_else(|| super::reference::wrong_target(parameter, name))?)
            }
            _ => return Err(unknown(kind, parameter, text)),
        })
    }
}

fn unknown(kind: ResourceType, parameter: &SearchParameter, text: &str) -> Refusal {
    let supported = match parameter.search_type {
        SearchType::String => ":missing, :exact and :contains",
        SearchType::Token if parameter.leads_to(kind, "Identifier") => {
            ":missing, :text, :not, :in, :not-in, :above, :below and :of-type"
        }
        SearchType::Token => ":missing, :text, :not, :in, :not-in, :above and :below",
        SearchType::Uri => ":missing, :above and :below",
        SearchType::Reference if parameter.leads_to(kind, "canonical") => {
            ":missing, :below, :identifier and the type of the target"
        }
        SearchType::Reference => ":missing, :identifier and the type of the target",
        SearchType::Composite => "none",
        _ => ":missing",
    };
    not_supported(format!(
        "{} has no modifier \":{}\" on this server; supported: {supported}",
        parameter.name,
        quotable(text)
    ))
}
