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
mod logic;
mod moment;
mod navigate;
mod numbers;
mod parse;
mod precision;
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
mod tests;
