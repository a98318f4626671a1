//! Tokens: codes and identifiers, with the system that gives them a meaning (FHIR R4 §3.1.1.4.10).
//!
//! The case of a code counts if the code system says so; other codes, identifiers, texts and addresses are found
//! in any.

use std::borrow::Cow;

use super::problem::{Refusal, invalid};
use super::split::{split_unescaped, unescaped};
use super::string::fold_case;
use super::term::{hash, tag, value};
use super::{Lookup, SearchParameter, string};
use crate::fhir::definitions::is_case_sensitive;
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

/// `value`, `system|value`, `|value` or `system|`; of the type of an identifier, `system|code|value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenPredicate {
    system: SystemPredicate,
    /// Empty for any.
    code: String,
    /// The same in any case.
    folded: String,
    /// What the type of an identifier must be.
    of_type: Option<Box<Self>>,
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
        Ok(Self::new(parameter, system, code))
    }

    fn new(parameter: &SearchParameter, system: SystemPredicate, code: String) -> Self {
        let (folded, implied_system) = (fold_case(&code), parameter.implied_system.clone());
        let is_identifier_of_reference = false;
        Self { system, code, folded, of_type: None, implied_system, is_identifier_of_reference }
    }

    /// `:of-type`: system and code of `Identifier.type`, and the value of the identifier.
    pub(super) fn parse_of_type(parameter: &SearchParameter, text: &str) -> Result<Self, Refusal> {
        let parts = split_unescaped(text, '|')?;
        let [system, code, identifier] = parts.as_slice() else {
            return Err(not_of_type(text));
        };
        if [system, code, identifier].contains(&&"") {
            return Err(not_of_type(text));
        }
        let system = SystemPredicate::Is(unescaped(system));
        let of_type = Some(Box::new(Self::new(parameter, system, unescaped(code))));
        let value = Self::new(parameter, SystemPredicate::Any, unescaped(identifier));
        Ok(Self { of_type, ..value })
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
        Self::new(parameter, SystemPredicate::Is(system.to_owned()), code.to_owned())
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let exact = |system: &str| Lookup::Exact(self.value(system));
        match &self.system {
            SystemPredicate::Any if self.is_identifier_of_reference => {
                vec![Lookup::Prefix(value(tag::REFERENCE_IDENTIFIER, &[&hash(&self.folded)]))]
            }
            SystemPredicate::Any => vec![
                Lookup::Prefix(value(tag::TOKEN, &[&hash(&self.code)])),
                Lookup::Prefix(value(tag::TOKEN_FOLDED, &[&hash(&self.folded)])),
            ],
            SystemPredicate::None => {
                let implied = self.implied_system.as_deref().map(exact);
                std::iter::once(exact("")).chain(implied).collect()
            }
            SystemPredicate::Is(system) if !self.code.is_empty() => vec![exact(system)],
            SystemPredicate::Is(_) if self.is_identifier_of_reference => {
                vec![Lookup::Prefix(value(tag::REFERENCE_IDENTIFIER, &[]))]
            }
            SystemPredicate::Is(system) => {
                vec![Lookup::Exact(value(tag::TOKEN_SYSTEM, &[&hash(system)]))]
            }
        }
    }

    /// Identifiers in references have no terms for their system alone, and identifiers none for their type.
    pub(super) fn is_cut(&self) -> bool {
        self.of_type.is_some() || self.is_identifier_of_reference && self.code.is_empty()
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        if let Some(of_type) = &self.of_type {
            let Item::Node(identifier) = item else { return false };
            let Some(kind) = identifier.get("type") else { return false };
            let is_type = of_type.matches(Item::Node(kind));
            return is_type && coded(identifier).is_some_and(|token| self.matches_token(&token));
        }
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
        } else if self.counts_case(&token.system) {
            token.code == self.code
        } else {
            fold_case(&token.code) == self.folded
        };
        is_system && is_code
    }

    fn value(&self, system: &str) -> Vec<u8> {
        match self.is_identifier_of_reference {
            true => folded_value(tag::REFERENCE_IDENTIFIER, &self.code, system),
            false => token_value(&self.code, system),
        }
    }

    fn counts_case(&self, system: &str) -> bool {
        !self.is_identifier_of_reference && is_case_sensitive(system)
    }
}

fn not_of_type(text: &str) -> Refusal {
    invalid(format!(
        "\"{}\" is not of the form system|code|value: the type of an identifier and its value",
        quotable(text)
    ))
}

fn token_value(code: &str, system: &str) -> Vec<u8> {
    match is_case_sensitive(system) {
        true => value(tag::TOKEN, &[&hash(code), &hash(system)]),
        false => folded_value(tag::TOKEN_FOLDED, code, system),
    }
}

fn folded_value(tag: u8, code: &str, system: &str) -> Vec<u8> {
    value(tag, &[&hash(&fold_case(code)), &hash(system)])
}

/// The values under which the tokens of an element are found.
pub(super) fn add_values(parameter: &SearchParameter, item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    for token in tokens(item, parameter.implied_system.as_deref()) {
        if !token.code.is_empty() {
            out.push(token_value(&token.code, &token.system));
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
    Some(folded_value(tag::REFERENCE_IDENTIFIER, &token.code, &token.system))
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
