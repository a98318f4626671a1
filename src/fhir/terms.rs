//! The terms of a resource: what a search can find it by.
//!
//! There is this one definition. The index stores the terms, [`Criteria`](super::Criteria) asks for
//! them, and the matcher in memory compares them. A value's first byte says how it is compared; the
//! bytes are part of the index's format on disk.

use super::definitions::{SearchParameter, SearchType, search_parameters};
use super::path::Item;
use super::{Reference, ResourceType};
use crate::json::{Kind, Node};

/// One thing by which a resource is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The frozen code of the search parameter; 0 in the term that every resource has.
    pub parameter: u16,
    /// What the parameter has to be, at most [`VALUE_LENGTH_MAX`] bytes.
    pub value: Vec<u8>,
}

/// Longest value in bytes, so that index keys stay short. Of longer values the beginning is kept,
/// followed by a hash of the whole.
pub const VALUE_LENGTH_MAX: usize = 120;

/// A code or identifier, whatever its system.
const TAG_TOKEN: u8 = 1;
/// System (empty for none), [`SYSTEM_END`], code or identifier.
const TAG_TOKEN_IN_SYSTEM: u8 = 2;
/// `Type/id` on this server, or the text of any other reference.
const TAG_REFERENCE: u8 = 3;
/// Ends a system; no byte of UTF-8, so it cannot occur in one.
const SYSTEM_END: u8 = 0xFF;

/// All terms of a resource, sorted, each once.
#[must_use]
pub fn terms_of(kind: ResourceType, resource: Node<'_>, base_url: Option<&str>) -> Vec<Term> {
    let mut terms = vec![Term::every()];
    for parameter in search_parameters(kind) {
        for item in parameter.expression.evaluate(resource) {
            add_terms(parameter, item, base_url, &mut terms);
        }
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

impl Term {
    /// The term of all resources of a type.
    #[must_use]
    pub fn every() -> Self {
        Self { parameter: 0, value: Vec::new() }
    }

    /// A code or identifier, whatever its system.
    #[must_use]
    pub fn token(parameter: u16, value: &str) -> Self {
        Self::new(parameter, TAG_TOKEN, &[value.as_bytes()])
    }

    /// A code or identifier in one system; the empty system stands for none.
    #[must_use]
    pub fn token_in_system(parameter: u16, system: &str, value: &str) -> Self {
        let parts = [system.as_bytes(), &[SYSTEM_END], value.as_bytes()];
        Self::new(parameter, TAG_TOKEN_IN_SYSTEM, &parts)
    }

    /// A reference, whatever the version it names.
    #[must_use]
    pub fn reference(parameter: u16, text: &str, base_url: Option<&str>) -> Self {
        match Reference::parse(text, base_url) {
            Reference::Local { key, .. } => {
                let parts = [key.kind.name().as_bytes(), b"/", key.id.as_str().as_bytes()];
                Self::new(parameter, TAG_REFERENCE, &parts)
            }
            _ => Self::new(parameter, TAG_REFERENCE, &[text.as_bytes()]),
        }
    }

    /// Whether it is only ever compared for equality, so that an index may keep a hash of it.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self.value.first(), Some(&(TAG_TOKEN | TAG_TOKEN_IN_SYSTEM | TAG_REFERENCE)))
    }

    fn new(parameter: u16, tag: u8, parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut value = Vec::with_capacity(length + 1);
        value.push(tag);
        for part in parts {
            value.extend_from_slice(part);
        }
        if value.len() > VALUE_LENGTH_MAX {
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &value);
            value.truncate(VALUE_LENGTH_MAX - hash.as_ref().len());
            value.extend_from_slice(hash.as_ref());
        }
        Self { parameter, value }
    }
}

fn add_terms(
    parameter: &SearchParameter,
    item: Item<'_>,
    base_url: Option<&str>,
    terms: &mut Vec<Term>,
) {
    match (parameter.search_type, item) {
        (SearchType::Token, Item::Node(node)) => add_tokens(parameter.code, node, terms),
        (SearchType::Token, Item::Boolean(truth)) => {
            let text = if truth { "true" } else { "false" };
            add_token(parameter.code, "", text, terms);
        }
        (SearchType::Reference, Item::Node(node)) => {
            // A canonical or URL is the reference itself; a logical reference has no text.
            if let Some(text) = node.get_str("reference").or_else(|| node.as_str()) {
                terms.push(Term::reference(parameter.code, &text, base_url));
            }
        }
        (SearchType::Reference, Item::Boolean(_)) => {}
    }
}

/// Both terms of a token, so that it is found with its system and without.
fn add_token(parameter: u16, system: &str, value: &str, terms: &mut Vec<Term>) {
    terms.push(Term::token(parameter, value));
    terms.push(Term::token_in_system(parameter, system, value));
}

/// The tokens in an element, by its shape: FHIR R4 §3.1.1.4.10.
fn add_tokens(parameter: u16, node: Node<'_>, terms: &mut Vec<Term>) {
    match node.kind() {
        Kind::String => {
            add_token(parameter, "", &node.as_str().unwrap_or_default(), terms);
        }
        Kind::True | Kind::False | Kind::Number => add_token(parameter, "", node.text(), terms),
        Kind::Object => {
            if let Some(codings) = node.get("coding") {
                codings.items().for_each(|coding| add_coded(parameter, coding, terms));
            } else {
                add_coded(parameter, node, terms);
            }
        }
        Kind::Null | Kind::Array | Kind::Name => {}
    }
}

/// The token of a Coding (`code`), an Identifier or a ContactPoint (`value`).
fn add_coded(parameter: u16, node: Node<'_>, terms: &mut Vec<Term>) {
    let Some(value) = node.get_str("code").or_else(|| node.get_str("value")) else {
        return;
    };
    let system = match node.get_str("system") {
        // The standard puts the use of a contact point in the place of the system.
        Some(system) if is_contact_system(&system) => node.get_str("use"),
        system => system,
    };
    add_token(parameter, &system.unwrap_or_default(), &value, terms);
}

/// The codes of `ContactPoint.system`; systems of other types are URIs.
fn is_contact_system(system: &str) -> bool {
    matches!(system, "phone" | "fax" | "email" | "pager" | "url" | "sms" | "other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use proptest::prelude::*;

    fn tokens(element: &str) -> Vec<Term> {
        let document = Document::parse(element).unwrap();
        let mut terms = Vec::new();
        add_tokens(7, document.root(), &mut terms);
        terms
    }

    #[test]
    fn every_shape_of_a_token_is_found_with_system_and_without() {
        let cases: [(&str, &[(&str, &str)]); 10] = [
            (r#"{"system":"http://s","value":"v"}"#, &[("http://s", "v")]),
            (r#"{"value":"v"}"#, &[("", "v")]),
            (r#"{"system":"http://s"}"#, &[]),
            (r#"{"system":"http://s","code":"c"}"#, &[("http://s", "c")]),
            (
                r#"{"coding":[{"system":"http://s","code":"c"},{"code":"d"},{"display":"e"}]}"#,
                &[("http://s", "c"), ("", "d")],
            ),
            (r#"{"text":"only text"}"#, &[]),
            (r#""final""#, &[("", "final")]),
            ("true", &[("", "true")]),
            (r#"{"system":"phone","use":"home","value":"1"}"#, &[("home", "1")]),
            (r#"{"system":"email","value":"a@b"}"#, &[("", "a@b")]),
        ];
        for (element, expected) in cases {
            let expected = expected.iter().flat_map(|(system, value)| {
                [Term::token(7, value), Term::token_in_system(7, system, value)]
            });
            assert_eq!(tokens(element), expected.collect::<Vec<_>>(), "{element}");
        }
    }

    #[test]
    fn a_resource_has_the_terms_of_all_its_parameters() {
        let document = Document::parse(
            r#"{"resourceType":"Observation","identifier":[{"system":"http://s","value":"v"},
            {"value":"v"}],"subject":{"reference":"http://here/Patient/1/_history/2"},
            "performer":[{"reference":"urn:uuid:x"},{"display":"nobody"}]}"#,
        );
        let observation = ResourceType::from_name("Observation").unwrap();
        let (identifier, patient, performer, subject) = (6, 11, 14, 22);
        let expected = vec![
            Term::every(),
            Term::token(identifier, "v"),
            Term::token_in_system(identifier, "http://s", "v"),
            Term::token_in_system(identifier, "", "v"),
            Term::reference(patient, "Patient/1", None),
            Term::reference(performer, "urn:uuid:x", None),
            Term::reference(subject, "Patient/1", None),
        ];
        let mut sorted = expected.clone();
        sorted.sort();
        let terms = terms_of(observation, document.unwrap().root(), Some("http://here"));
        assert_eq!(terms, sorted);
    }

    #[test]
    fn the_bytes_of_the_index_stay_what_they_were() {
        assert_eq!(Term::every().value, b"");
        assert_eq!(Term::token(6, "v").value, b"\x01v");
        assert_eq!(Term::token_in_system(6, "s", "v").value, b"\x02s\xffv");
        assert_eq!(Term::reference(11, "Patient/1", None).value, b"\x03Patient/1");
        let long = Term::token(6, &"x".repeat(200)).value;
        assert_eq!(long.len(), VALUE_LENGTH_MAX);
        assert_eq!(long[..4], *b"\x01xxx");
        assert_eq!(long[116..], LONG_HASH_END);
    }

    const LONG_HASH_END: [u8; 4] = [247, 113, 170, 115];

    proptest! {
        #[test]
        fn different_tokens_have_different_terms(
            one in ("[a|/]{0,3}", "[a|/]{0,3}"), other in ("[a|/]{0,3}", "[a|/]{0,3}"),
        ) {
            let term = |(system, value): &(String, String)| Term::token_in_system(1, system, value);
            prop_assert_eq!(one == other, term(&one) == term(&other));
        }

        #[test]
        fn values_are_bounded_and_long_ones_stay_apart(
            text in "[a-z]{100,300}", end in "[A-Z]",
        ) {
            let (one, other) = (Term::token(1, &text), Term::token(1, &format!("{text}{end}")));
            prop_assert!(one.value.len() <= VALUE_LENGTH_MAX && other.value.len() <= VALUE_LENGTH_MAX);
            prop_assert_ne!(one, other);
        }
    }
}
