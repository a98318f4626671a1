//! The part of FHIRPath in which search parameters say where their values are.
//!
//! In: the `expression` of a SearchParameter (FHIR R4 §3.1.1, FHIRPath N1), parsed once into an
//! [`Expression`]. Out: the nodes of a resource to which it leads.
//!
//! The part is: paths, `[n]`, `|`, `where(…)`, `exists()`, `and`, `=` and `!=` with a literal, `as`
//! and `is` in their spellings as operators and functions, `ofType(…)`, `extension(…)`,
//! `hasExtension(…)` and `resolve() is Type`. That covers the search parameters of R4; what is
//! beyond is refused by the parser, so evaluating never fails. Choice elements (`value[x]`) are
//! found under the names that JSON gives them. Never: fetching another resource; `resolve()`
//! considers only the reference's text and the contained resources.

mod evaluate;
mod lead;
mod parse;
mod syntax;
mod token;

use crate::fhir::ResourceType;
use crate::json::Node;

pub use lead::Lead;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression(syntax::Expr);

/// One element of what an expression leads to.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A part of the resource.
    Node(Node<'a>),
    /// The outcome of a comparison.
    Boolean(bool),
}

/// Why an expression is not understood, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at byte {offset} of the expression)")]
pub struct PathError {
    /// What is wrong, as a sentence fragment.
    pub problem: String,
    /// Byte offset of the place in the expression.
    pub offset: usize,
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// The first place that is not FHIRPath, or not in the supported part of it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        parse::expression(text).map(Self)
    }

    /// All parts of the resource to which the expression leads, in the order of the expression,
    /// then of the resource. Arrays are given item by item.
    #[must_use]
    pub fn evaluate<'a>(&self, resource: Node<'a>) -> Vec<Item<'a>> {
        evaluate::expression(&self.0, resource, Item::Node(resource))
    }

    /// The same, seen from an element of the resource: `%resource` leads back to the whole.
    #[must_use]
    pub fn evaluate_at<'a>(&self, resource: Node<'a>, focus: Item<'a>) -> Vec<Item<'a>> {
        evaluate::expression(&self.0, resource, focus)
    }

    /// What the expression can lead to in resources of a type, by the definition of the type; nothing
    /// if it is about other types.
    ///
    /// # Errors
    ///
    /// The first element that is not there, as a sentence fragment.
    pub fn leads(&self, kind: ResourceType) -> Result<Vec<Lead>, String> {
        lead::leads(&self.0, kind, None)
    }

    /// The same, seen from an element of the resource.
    ///
    /// # Errors
    ///
    /// As [`Expression::leads`].
    pub fn leads_from(&self, kind: ResourceType, focus: &[Lead]) -> Result<Vec<Lead>, String> {
        lead::leads(&self.0, kind, Some(focus))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use proptest::prelude::*;

    const RESOURCE: &str = r##"{
        "resourceType": "Observation", "id": "o", "_status": {"extension": []},
        "contained": [{"resourceType": "Patient", "id": "p"}, {"resourceType": "Group", "id": "g"}],
        "extension": [{"url": "http://a", "valueString": "x"}, {"url": "http://b"}],
        "subject": {"reference": "Patient/1"},
        "performer": [
            {"reference": "Practitioner/2"}, {"reference": "#p"}, {"reference": "#g"},
            {"reference": "http://other/fhir/Patient/3"}, {"reference": "urn:x", "type": "Patient"},
            {"display": "nobody"}
        ],
        "valueQuantity": {"value": 1.50},
        "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}],
        "deceasedBoolean": true, "rank": 2, "sourceCanonical": "http://v",
        "component": [
            {"code": {"text": "a"}, "valueString": "s"},
            {"code": {"text": "b"}, "valueCodeableConcept": {"text": "t"}}
        ],
        "given": [null, "n"]
    }"##;

    /// The texts of everything to which the expression leads.
    fn found(expression: &str) -> Vec<String> {
        let document = Document::parse(RESOURCE).unwrap();
        let items = Expression::parse(expression).unwrap().evaluate(document.root());
        let texts = items.iter().map(|item| match item {
            Item::Node(node) => node.text().to_owned(),
            Item::Boolean(truth) => truth.to_string(),
        });
        texts.collect()
    }

    #[test]
    fn finds_what_expressions_lead_to() {
        let cases: [(&str, &[&str]); 42] = [
            ("Observation.id", &[r#""o""#]),
            ("Resource.id", &[r#""o""#]),
            ("DomainResource.id", &[r#""o""#]),
            ("Patient.id", &[]),
            ("id", &[r#""o""#]),
            ("Observation.status", &[]),
            ("Observation.given", &[r#""n""#]),
            ("Observation.component.code.text", &[r#""a""#, r#""b""#]),
            ("Observation.component[1].code.text", &[r#""b""#]),
            ("Observation.component[2].code", &[]),
            ("Observation.id | Patient.id | Observation.rank", &[r#""o""#, "2"]),
            ("Observation.value", &[r#"{"value": 1.50}"#]),
            ("Observation.value as Quantity", &[r#"{"value": 1.50}"#]),
            ("(Observation.value as Quantity).value", &["1.50"]),
            ("Observation.value.as(Quantity).value", &["1.50"]),
            ("Observation.value.ofType(Quantity)", &[r#"{"value": 1.50}"#]),
            ("Observation.value as string", &[]),
            ("Observation.component.value as string", &[r#""s""#]),
            ("Observation.component.value", &[r#""s""#, r#"{"text": "t"}"#]),
            (
                "(Observation.value as string) | (Observation.component.value as string)",
                &[r#""s""#],
            ),
            ("Observation.value is Quantity", &["true"]),
            ("Observation.value.is(string)", &["false"]),
            ("Observation.deceased as boolean", &["true"]),
            ("Observation.source as canonical", &[r#""http://v""#]),
            ("Observation.source as uri", &[r#""http://v""#]),
            ("Observation.source as string", &[]),
            ("Observation.source is uri", &["true"]),
            ("Observation.telecom.where(system='email').value", &[r#""2""#]),
            ("Observation.telecom.where(system!='email').value", &[r#""1""#]),
            ("Observation.telecom.where(use='home').value", &[]),
            ("Observation.component.where(value is string).code.text", &[r#""a""#]),
            ("Observation.deceased.exists() and Observation.deceased != false", &["true"]),
            ("Observation.missing.exists() and Observation.missing != false", &["false"]),
            ("Observation.missing != false", &[]),
            ("Observation.rank = 2", &["true"]),
            ("Observation.extension('http://a').value", &[r#""x""#]),
            ("Observation.where(hasExtension('http://b')).rank", &["2"]),
            ("Observation.where(hasExtension('http://c')).rank", &[]),
            ("Observation.subject.where(resolve() is Patient).reference", &[r#""Patient/1""#]),
            ("Observation.subject.where(resolve() is Group)", &[]),
            ("Observation.performer.where(resolve() is Group).reference", &[r##""#g""##]),
            (
                "Observation.performer.where(resolve() is Patient).reference",
                &[r##""#p""##, r#""http://other/fhir/Patient/3""#, r#""urn:x""#],
            ),
        ];
        for (expression, expected) in cases {
            assert_eq!(found(expression), expected, "{expression}");
        }
    }

    /// One expression of R4 for each way of writing that occurs among its search parameters.
    #[test]
    fn reads_every_way_of_writing_that_r4_uses() {
        let expressions = [
            "Account.subject.where(resolve() is Patient)",
            "AuditEvent.agent.who.where(resolve() is Patient) | AuditEvent.entity.what.where(resolve() is Patient)",
            "(ActivityDefinition.useContext.value as Quantity) | (ActivityDefinition.useContext.value as Range)",
            "ActivityDefinition.relatedArtifact.where(type='composed-of').resource",
            "Bundle.entry[0].resource",
            "Condition.abatement.as(Age) | Condition.abatement.as(Range)",
            "(Observation.value as CodeableConcept).text",
            "Device.extension('http://hl7.org/fhir/SearchParameter/device-extensions-Device-din')",
            "OrganizationAffiliation.telecom.where(system='email')",
            "Patient.deceased.exists() and Patient.deceased != false",
            "QuestionnaireResponse.item.where(hasExtension('http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject')).answer.value.ofType(Reference)",
        ];
        for expression in expressions {
            assert!(Expression::parse(expression).is_ok(), "{expression}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let cases = [
            ("", "expected a path (at byte 0 of the expression)"),
            ("a.", "expected an element or function (at byte 2 of the expression)"),
            ("a b", "expected an operator (at byte 2 of the expression)"),
            ("(a", "expected ')' (at byte 2 of the expression)"),
            ("a[x]", "expected a number (at byte 2 of the expression)"),
            ("a.where(b='c", "the text in quotes has no end (at byte 10 of the expression)"),
            ("a.first()", "the function 'first' is not supported (at byte 2 of the expression)"),
            ("a = b", "expected a literal (at byte 4 of the expression)"),
            ("a + b", "unexpected character '+' (at byte 2 of the expression)"),
            (
                "a.resolve()",
                "'resolve()' is supported before 'is' only (at byte 2 of the expression)",
            ),
            (
                "(a | b) as Quantity",
                "'as' needs an element before it (at byte 8 of the expression)",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Expression::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn refuses_depth_bombs() {
        for bomb in ["(".repeat(100_000), "a.where(".repeat(100_000)] {
            assert!(Expression::parse(&bomb).unwrap_err().problem.contains("nested deeper"));
        }
        let long = format!("a{}", " and a".repeat(100_000));
        assert!(Expression::parse(&long).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-zA-Z0-9.()'\\[\\]|=! ä]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                let _ = expression.evaluate(Document::parse(RESOURCE).unwrap().root());
            }
        }

        #[test]
        fn never_panics_on_nearly_right_expressions(parts in prop::collection::vec(
            prop::sample::select(vec![
                "Observation", "value", "id", ".", ".", "(", ")", "where(", "resolve()", " is ",
                " as ", "Patient", "Quantity", "exists()", " and ", " | ", "=", "!=", "'x'", "[0]",
            ]), 0..12,
        )) {
            if let Ok(expression) = Expression::parse(&parts.concat()) {
                let _ = expression.evaluate(Document::parse(RESOURCE).unwrap().root());
            }
        }
    }
}
