//! Tokens: codes and identifiers, with the system that gives them a meaning (FHIR R4 §3.1.1.4.10).
//!
//! Compared literally, capital letters included.

use std::borrow::Cow;

use super::problem::{Refusal, invalid};
use super::split::{split_unescaped, unescaped};
use super::term::{hash, tag, value};
use super::{Lookup, SearchParameter, string};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::json::{Kind, Node};

/// A code or identifier of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Empty for none.
    pub system: Cow<'a, str>,
    /// The system does not stand in the resource, but follows from the definition of the element.
    pub is_implied: bool,
    /// Empty for none.
    pub code: Cow<'a, str>,
}

/// `value`, `system|value`, `|value` or `system|`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenPredicate {
    system: SystemPredicate,
    /// Empty for any.
    code: String,
    /// That of the parameter.
    implied_system: Option<Cow<'static, str>>,
    is_identifier_of_reference: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SystemPredicate {
    Any,
    None,
    Is(String),
}

impl TokenPredicate {
    pub(super) fn parse(parameter: &SearchParameter, text: &str) -> Result<Self, Refusal> {
        let parts = split_unescaped(text, '|')?;
        let (system, code) = match parts.as_slice() {
            [code] => (SystemPredicate::Any, unescaped(code)),
            ["", ""] => return Err(invalid("\"|\" names neither a system nor a code")),
            ["", code] => (SystemPredicate::None, unescaped(code)),
            [system, code] => (SystemPredicate::Is(unescaped(system)), unescaped(code)),
            _ => {
                return Err(invalid(format!(
                    "\"{}\" has more than one '|'; inside of a value it is written \\|",
                    quotable(text)
                )));
            }
        };
        let implied_system = parameter.implied_system.clone();
        Ok(Self { system, code, implied_system, is_identifier_of_reference: false })
    }

    /// The same for `Reference.identifier`.
    pub(super) fn parse_identifier(
        parameter: &SearchParameter,
        text: &str,
    ) -> Result<Self, Refusal> {
        Ok(Self { is_identifier_of_reference: true, ..Self::parse(parameter, text)? })
    }

    /// One code of a value set.
    pub(super) fn of_code(parameter: &SearchParameter, system: &str, code: &str) -> Self {
        Self {
            system: SystemPredicate::Is(system.to_owned()),
            code: code.to_owned(),
            implied_system: parameter.implied_system.clone(),
            is_identifier_of_reference: false,
        }
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let tag = self.tag();
        let code = hash(&self.code);
        let exact = |system: &str| Lookup::Exact(value(tag, &[&code, &hash(system)]));
        match &self.system {
            SystemPredicate::Any => vec![Lookup::Prefix(value(tag, &[&code]))],
            SystemPredicate::None => {
                let implied = self.implied_system.as_deref().map(exact);
                std::iter::once(exact("")).chain(implied).collect()
            }
            SystemPredicate::Is(system) if !self.code.is_empty() => vec![exact(system)],
            SystemPredicate::Is(_) if self.is_identifier_of_reference => {
                vec![Lookup::Prefix(value(tag, &[]))]
            }
            SystemPredicate::Is(system) => {
                vec![Lookup::Exact(value(tag::TOKEN_SYSTEM, &[&hash(system)]))]
            }
        }
    }

    /// Identifiers in references have no terms for their system alone.
    pub(super) fn is_cut(&self) -> bool {
        self.is_identifier_of_reference && self.code.is_empty()
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        let implied = self.implied_system.as_deref();
        let tokens = match (item, self.is_identifier_of_reference) {
            (Item::Node(node), true) => identifier_of(node).into_iter().collect(),
            _ => tokens(item, implied),
        };
        tokens.iter().any(|token| self.matches_token(token))
    }

    fn matches_token(&self, token: &Token<'_>) -> bool {
        let is_system = match &self.system {
            SystemPredicate::Any => true,
            SystemPredicate::None => token.system.is_empty() || token.is_implied,
            SystemPredicate::Is(system) => token.system == *system,
        };
        let is_code = if self.code.is_empty() {
            // Only a system was asked for.
            !token.system.is_empty()
        } else {
            token.code == self.code
        };
        is_system && is_code
    }

    fn tag(&self) -> u8 {
        if self.is_identifier_of_reference { tag::REFERENCE_IDENTIFIER } else { tag::TOKEN }
    }
}

/// The values under which the tokens of an element are found.
pub(super) fn add_values(parameter: &SearchParameter, item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    for token in tokens(item, parameter.implied_system.as_deref()) {
        if !token.code.is_empty() {
            let parts: [&[u8]; 2] = [&hash(&token.code), &hash(&token.system)];
            out.push(value(tag::TOKEN, &parts));
        }
        if !token.system.is_empty() {
            out.push(value(tag::TOKEN_SYSTEM, &[&hash(&token.system)]));
        }
    }
    for text in texts(item) {
        out.push(string::token_text_value(&text));
    }
}

/// The value under which the identifier in a reference is found.
pub(super) fn identifier_value(reference: Node<'_>) -> Option<Vec<u8>> {
    let token = identifier_of(reference).filter(|token| !token.code.is_empty())?;
    Some(value(tag::REFERENCE_IDENTIFIER, &[&hash(&token.code), &hash(&token.system)]))
}

/// The tokens in an element, by its shape.
pub(super) fn tokens<'a>(item: Item<'a>, implied_system: Option<&'a str>) -> Vec<Token<'a>> {
    let plain = |code: Cow<'a, str>, system: Option<&'a str>| Token {
        system: Cow::Borrowed(system.unwrap_or_default()),
        is_implied: system.is_some(),
        code,
    };
    let node = match item {
        Item::Boolean(truth) => {
            let text = if truth { "true" } else { "false" };
            return vec![plain(Cow::Borrowed(text), None)];
        }
        Item::Node(node) => node,
    };
    match node.kind() {
        Kind::String => vec![plain(node.as_str().unwrap_or_default(), implied_system)],
        Kind::True | Kind::False | Kind::Number => vec![plain(Cow::Borrowed(node.text()), None)],
        Kind::Object => match node.get("coding") {
            Some(codings) => codings.items().filter_map(coded).collect(),
            None => coded(node).into_iter().collect(),
        },
        Kind::Null | Kind::Array | Kind::Name => Vec::new(),
    }
}

/// What a person reads in place of the code: `CodeableConcept.text`, `Coding.display`,
/// `Identifier.type.text`.
pub(super) fn texts<'a>(item: Item<'a>) -> Vec<Cow<'a, str>> {
    let Item::Node(node) = item else { return Vec::new() };
    let codings = node.get("coding").into_iter().flat_map(|codings| codings.items());
    let displays = std::iter::once(node).chain(codings).filter_map(|node| node.get_str("display"));
    let of_type = node.get("type").and_then(|kind| kind.get_str("text"));
    node.get_str("text").into_iter().chain(of_type).chain(displays).collect()
}

/// The token of a Coding (`code`), an Identifier or a ContactPoint (`value`).
fn coded(node: Node<'_>) -> Option<Token<'_>> {
    let code = node.get_str("code").or_else(|| node.get_str("value")).unwrap_or_default();
    let system = match node.get_str("system") {
        // The standard puts the use of a contact point in the place of the system.
        Some(system) if is_contact_system(&system) => node.get_str("use"),
        system => system,
    };
    let system = system.unwrap_or_default();
    let is_nothing = code.is_empty() && system.is_empty();
    (!is_nothing).then_some(Token { system, is_implied: false, code })
}

fn identifier_of(reference: Node<'_>) -> Option<Token<'_>> {
    reference.get("identifier").and_then(coded)
}

/// The codes of `ContactPoint.system`; systems of other types are URIs.
fn is_contact_system(system: &str) -> bool {
    matches!(system, "phone" | "fax" | "email" | "pager" | "url" | "sms" | "other")
}
