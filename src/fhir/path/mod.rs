//! FHIRPath N1 over stored JSON, with what FHIR R4 adds to it (§2.9.1).
//!
//! In: the text of an expression, parsed once into an [`Expression`], and an element of a resource. Out:
//! the items to which it leads. Search parameters, patches, invariants and whoever asks `$fhirpath`
//! have this one engine.
//!
//! Parsing knows the elements and types of R4, so that a step finds its element without comparing
//! names; what is not in the definitions is looked for under its name all the same, because elements
//! of R4B may be stored. Numbers are exact decimals with their digits, quantities compare by UCUM, and
//! dates as far as they are stated. Every evaluation has a [`Context`], which says what it may see
//! outside of the resource and how many steps it may take; all limits end in an error that names them.
//! Never: I/O; what lies outside of the resource comes through [`Resolver`] and [`Terminology`].

mod arithmetic;
mod collection;
mod context;
mod convert;
mod evaluate;
mod function;
mod lead;
mod moment;
mod navigate;
mod numbers;
mod parse;
mod presence;
mod quantity;
mod relation;
mod syntax;
mod temporal;
mod texts;
mod token;
mod tree;
mod types;
mod value;

use std::sync::Arc;

use crate::fhir::ResourceType;
use crate::json::Node;

pub use context::{
    Context, EvaluationError, ITEMS_MAX, Resolver, STEPS_MAX, TEXT_BYTES_MAX, Terminology, Trace,
};
pub use lead::Lead;
pub use moment::Moment;
pub use presence::Presence;
pub use quantity::{Quantity, Unit};
pub use types::ElementKind;
pub use value::{Collection, Element, Text, TypeInfo, Value};

/// A parsed expression; a copy costs nothing.
#[derive(Debug, Clone)]
pub struct Expression(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: Box<str>,
    tree: syntax::Expr,
}

/// One element of what an expression leads to, as search and patches take it.
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

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Expression {}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// The first place that is not FHIRPath, names a function or type that there is not, or breaks a
    /// limit.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let tree = parse::expression(text)?;
        Ok(Self(Arc::new(Parsed { text: text.into(), tree })))
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Everything to which the expression leads from an item, which is `%context`; from nothing, if
    /// there is none.
    ///
    /// # Errors
    ///
    /// The expression asks for what there is not, such as the order of a number and a text, or takes
    /// more steps than the context allows.
    pub fn items<'a>(
        &self,
        context: &Context<'a>,
        item: Option<&Value<'a>>,
    ) -> Result<Collection<'a>, EvaluationError> {
        evaluate::Evaluation::new(context, item).run(&self.0.tree)
    }

    /// The expression as a condition on an item: true, false, or nothing, if there is no answer.
    ///
    /// # Errors
    ///
    /// As [`Expression::items`], and if it leads to several items.
    pub fn truth<'a>(
        &self,
        context: &Context<'a>,
        item: &Value<'a>,
    ) -> Result<Option<bool>, EvaluationError> {
        evaluate::Evaluation::new(context, Some(item)).run_truth(&self.0.tree)
    }

    /// All parts of the resource to which the expression leads, in the order of the expression,
    /// then of the resource, and the outcomes of comparisons. Arrays are given item by item. What is
    /// computed otherwise, or has no value, is left out; an evaluation that fails leads nowhere.
    #[must_use]
    pub fn evaluate<'a>(&self, resource: Node<'a>) -> Vec<Item<'a>> {
        self.evaluate_at(resource, Item::Node(resource))
    }

    /// The same, seen from an element of the resource: `%resource` leads back to the whole.
    #[must_use]
    pub fn evaluate_at<'a>(&self, resource: Node<'a>, focus: Item<'a>) -> Vec<Item<'a>> {
        let context = Context::of_resource(Element::resource(resource)).filtering();
        let focus = match focus {
            Item::Node(node) => Value::Element(Element::resource(node)),
            Item::Boolean(truth) => Value::Boolean(truth),
        };
        let items = self.items(&context, Some(&focus)).unwrap_or_default();
        let found = items.into_iter().filter_map(|item| match item {
            Value::Element(element) => element.has_value().then(|| Item::Node(element.node())),
            Value::Boolean(truth) => Some(Item::Boolean(truth)),
            _ => None,
        });
        found.collect()
    }

    /// What the expression can lead to in resources of a type, by the definition of the type; nothing
    /// if it is about other types.
    ///
    /// # Errors
    ///
    /// The first element that is not there, as a sentence fragment.
    pub fn leads(&self, kind: ResourceType) -> Result<Vec<Lead>, String> {
        lead::leads(&self.0.tree, kind, None).map_err(|error| error.problem)
    }

    /// The same, seen from an element of the resource.
    ///
    /// # Errors
    ///
    /// As [`Expression::leads`].
    pub fn leads_from(&self, kind: ResourceType, focus: &[Lead]) -> Result<Vec<Lead>, String> {
        lead::leads(&self.0.tree, kind, Some(focus)).map_err(|error| error.problem)
    }

    /// Checks by the definitions that an expression about resources of one type can mean something.
    ///
    /// # Errors
    ///
    /// The first element that is not there, or what is taken by its place where there is no order.
    pub fn check(&self, kind: ResourceType) -> Result<(), PathError> {
        lead::check(&self.0.tree, kind)
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
            ("a[x", "expected ']' (at byte 3 of the expression)"),
            ("a.where(b='c", "the text in quotes has no end (at byte 10 of the expression)"),
            ("a.foo()", "there is no function 'foo' (at byte 2 of the expression)"),
            (
                "a.skip()",
                "the function 'skip' takes 1 arguments, not 0 (at byte 2 of the expression)",
            ),
            ("a =", "expected a path (at byte 3 of the expression)"),
            ("a ^ b", "unexpected character '^' (at byte 2 of the expression)"),
            ("a ! b", "expected an operator (at byte 2 of the expression)"),
            ("a is Foo", "there is no type 'Foo' in R4 (at byte 5 of the expression)"),
            ("a is System", "there is no type 'System' in R4 (at byte 5 of the expression)"),
            ("Foo.bar", "there is no type 'Foo' in R4 (at byte 0 of the expression)"),
            (
                "$that",
                "behind '$' only this, index and total are known (at byte 0 of the expression)",
            ),
            ("'\\x'", "\\x is no escape of FHIRPath (at byte 0 of the expression)"),
            (
                "'\\u12'",
                "behind \\u four hexadecimal digits of a character are expected (at byte 0 of the expression)",
            ),
            ("1 /* 2", "the comment has no end (at byte 1 of the expression)"),
            ("@2026-13", "there is no such date or time (at byte 0 of the expression)"),
            ("99999999999", "a whole number has at most 32 bits (at byte 0 of the expression)"),
            (
                "a.matches('(?=b)')",
                "the regular expression is not understood; looking ahead, looking behind and referring back are not supported (at byte 2 of the expression)",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Expression::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn refuses_depth_bombs() {
        for bomb in ["(", "a.where(", "-", "a[", "iif(true,"] {
            let bomb = bomb.repeat(5_000);
            assert!(Expression::parse(&bomb).unwrap_err().problem.contains("nested deeper"));
        }
        for chain in [" and a", " + 1", " is Age", ".a", " | a"] {
            let text = format!("a{}", chain.repeat(8_000));
            let resource = Document::parse(RESOURCE).unwrap();
            let _ = Expression::parse(&text).unwrap().evaluate(resource.root());
        }
        let long = format!("a{}", " and a".repeat(100_000));
        assert!(Expression::parse(&long).unwrap_err().problem.contains("longer than"));
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
