//! What an expression is about and what it leads to: elements of a resource, and computed values.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use rust_decimal::Decimal;
use smallvec::SmallVec;

use super::moment::Moment;
use super::quantity::{Quantity, number};
use super::types::{ElementKind, System};
use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::TypeDefinition;
use crate::json::{Kind, Node};

/// An ordered collection, which is what every expression leads to. One item takes no memory of its own.
pub type Collection<'a> = SmallVec<[Value<'a>; 1]>;

/// One item of a collection.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// A part of a resource.
    Element(Element<'a>),
    /// A computed truth, or one that the expression says.
    Boolean(bool),
    /// A whole number of 32 bits.
    Integer(i32),
    /// An exact number, with its digits.
    Decimal(Decimal),
    /// A text.
    Text(Text<'a>),
    /// A date, a time, or both.
    Moment(Moment),
    /// A number with a unit.
    Quantity(Arc<Quantity>),
    /// The type of another value.
    Type(TypeInfo),
}

/// Namespace and name of a type, as the function `type()` gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeInfo {
    /// `System` or `FHIR`.
    pub namespace: &'static str,
    /// `Boolean`, `Patient`.
    pub name: &'static str,
}

/// A text from a resource or an expression, which costs nothing to hand on.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// As it stands in a resource.
    Borrowed(&'a str),
    /// From an expression, or computed.
    Shared(Arc<str>),
}

/// A part of a resource: its value, and what stands beside it in JSON under the same name with an
/// underscore in front, which are the id and the extensions of a primitive value (FHIR R4 §2.6.2.3).
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The value; for a primitive element without one, what stands beside it.
    node: Node<'a>,
    /// [`Node::index`] of what stands beside it; 0, the root, if nothing does.
    beside: usize,
    kind: ElementKind,
}

impl<'a> Element<'a> {
    /// An element of a type. A primitive value has neither id nor extensions this way.
    #[must_use]
    pub fn new(node: Node<'a>, kind: ElementKind) -> Self {
        Self { node, beside: 0, kind }
    }

    /// A resource, of the type that it says itself.
    #[must_use]
    pub fn resource(node: Node<'a>) -> Self {
        Self::new(node, ElementKind::of_resource(node))
    }

    /// An object of that type.
    #[must_use]
    pub fn object(node: Node<'a>, definition: &'static TypeDefinition) -> Self {
        Self::new(node, ElementKind::Object(definition))
    }

    /// A value with what stands beside it; `None` if there is neither.
    pub(super) fn paired(
        value: Option<Node<'a>>,
        beside: Option<Node<'a>>,
        kind: ElementKind,
    ) -> Option<Self> {
        let node = value.or(beside)?;
        Some(Self { node, beside: beside.map_or(0, |beside| beside.index()), kind })
    }

    /// The value in JSON; for a primitive element without one, what stands beside it.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> ElementKind {
        self.kind
    }

    /// True unless it is a primitive element that has nothing but extensions.
    #[must_use]
    pub fn has_value(&self) -> bool {
        self.beside == 0 || self.beside != self.node.index()
    }

    /// Where its children are: of a primitive element, in what stands beside it.
    pub(super) fn holder(&self) -> Option<Node<'a>> {
        match self.kind {
            ElementKind::Primitive(_) if self.beside == 0 => None,
            ElementKind::Primitive(_) => Some(self.node.elsewhere(self.beside)),
            ElementKind::Object(_) | ElementKind::Unknown => Some(self.node),
        }
    }

    /// What stands beside the value.
    #[must_use]
    pub fn beside(&self) -> Option<Node<'a>> {
        (self.beside != 0).then(|| self.node.elsewhere(self.beside))
    }

    /// The value as one of FHIRPath's own types: FHIR R4 §2.9.1, "automatic conversion".
    pub(super) fn converted(&self) -> Option<Value<'a>> {
        if !self.has_value() {
            return None;
        }
        match (self.node.kind(), self.kind) {
            (Kind::True, _) => Some(Value::Boolean(true)),
            (Kind::False, _) => Some(Value::Boolean(false)),
            (Kind::Number, ElementKind::Primitive(Primitive::Decimal)) => {
                number(self.node.text()).map(Value::Decimal)
            }
            (Kind::Number, _) => match self.node.text().parse() {
                Ok(integer) => Some(Value::Integer(integer)),
                Err(_) => number(self.node.text()).map(Value::Decimal),
            },
            (Kind::String, kind) => {
                let text = self.node.as_str()?;
                let moment = match kind {
                    ElementKind::Primitive(Primitive::Date) => Moment::date(&text),
                    ElementKind::Primitive(Primitive::DateTime | Primitive::Instant) => {
                        Moment::date_time(&text)
                    }
                    ElementKind::Primitive(Primitive::Time) => Moment::time(&text),
                    _ => None,
                };
                Some(moment.map_or_else(|| Value::Text(text.into()), Value::Moment))
            }
            (Kind::Object, ElementKind::Object(definition)) => {
                let mut bases = std::iter::successors(Some(definition), |kind| kind.base());
                let is_quantity = bases.any(|kind| kind.name == "Quantity");
                let quantity = is_quantity.then(|| Quantity::of_node(self.node)).flatten();
                quantity.map(|quantity| Value::Quantity(Arc::new(quantity)))
            }
            _ => None,
        }
    }
}

impl<'a> Value<'a> {
    /// One of FHIRPath's own values: an element is converted, if its type has a counterpart.
    pub(super) fn converted(&self) -> Option<Cow<'_, Value<'a>>> {
        match self {
            Self::Element(element) => element.converted().map(Cow::Owned),
            other => Some(Cow::Borrowed(other)),
        }
    }

    /// The element, if it is one.
    #[must_use]
    pub fn element(&self) -> Option<&Element<'a>> {
        match self {
            Self::Element(element) => Some(element),
            _ => None,
        }
    }

    /// Its type, if it is no element.
    pub(super) fn system(&self) -> Option<System> {
        Some(match self {
            Self::Boolean(_) => System::Boolean,
            Self::Integer(_) => System::Integer,
            Self::Decimal(_) => System::Decimal,
            Self::Text(_) => System::String,
            Self::Moment(moment) => moment.system(),
            Self::Quantity(_) => System::Quantity,
            Self::Element(_) | Self::Type(_) => return None,
        })
    }

    /// Namespace and name of its type.
    #[must_use]
    pub fn type_info(&self) -> TypeInfo {
        match self {
            Self::Element(element) => {
                // What has no name of its own is called by its base: `Patient.contact`.
                let kind = element.kind();
                let definition = kind.definition();
                let base = definition
                    .filter(|definition| definition.name.contains('.'))
                    .and_then(TypeDefinition::base);
                let name = base.map_or(kind.name(), |base| base.name);
                TypeInfo { namespace: "FHIR", name }
            }
            Self::Type(_) => TypeInfo { namespace: "System", name: "TypeInfo" },
            other => {
                let name = other.system().map_or("", System::name);
                TypeInfo { namespace: "System", name }
            }
        }
    }

    /// For errors: `System.Boolean`, `FHIR.HumanName`.
    pub(super) fn type_name(&self) -> String {
        let TypeInfo { namespace, name } = self.type_info();
        format!("{namespace}.{name}")
    }

    /// The truth that it is, as an element or computed.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            Self::Element(element) => match element.node().kind() {
                Kind::True => Some(true),
                Kind::False => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The whole number that it is.
    pub(super) fn integer(&self) -> Option<i32> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Element(element) => match element.converted() {
                Some(Self::Integer(integer)) => Some(integer),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text that it is. Dates in a resource are none.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Element(element) => match element.converted() {
                Some(Self::Text(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Text<'_> {
    /// The same, by itself.
    pub(super) fn shared(text: impl Into<Arc<str>>) -> Self {
        Self::Shared(text.into())
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Borrowed(text),
            Cow::Owned(text) => Self::shared(text),
        }
    }
}

/// A text, computed.
pub(super) fn text<'a>(text: impl Into<Arc<str>>) -> Value<'a> {
    Value::Text(Text::shared(text))
}

/// A collection of that item, or none.
pub(super) fn one<'a>(value: impl Into<Option<Value<'a>>>) -> Collection<'a> {
    value.into().into_iter().collect()
}
