//! What an evaluation may know beside the item that it is about, and how much it may do.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::value::{Collection, Element, Text, Value};
use crate::clock::Instant;
use crate::json::Node;

/// Most items, comparisons and calls of functions of one evaluation, unless said otherwise.
pub const STEPS_MAX: u64 = 10_000_000;
/// Most items of a collection.
pub const ITEMS_MAX: usize = 1_000_000;
/// Longest text that an expression may put together.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Most notes that `trace()` leaves.
const TRACES_MAX: usize = 100;

/// Where an evaluation takes place: FHIR R4 §2.9.1.3 (variables), §2.9.1.2 (`resolve`, `memberOf`).
pub struct Context<'a> {
    resource: Option<Element<'a>>,
    root_resource: Option<Element<'a>>,
    variables: Vec<(Box<str>, Collection<'a>)>,
    resolver: Option<&'a dyn Resolver<'a>>,
    terminology: Option<&'a dyn Terminology>,
    now: Option<Instant>,
    is_filtering: bool,
    steps_left: Cell<u64>,
    traces: RefCell<Vec<Trace<'a>>>,
}

/// Finds resources outside of the one that an expression is about.
pub trait Resolver<'a> {
    /// The resource to which a reference leads, if it is within reach.
    fn resolve(&self, reference: &str) -> Option<Node<'a>>;
}

/// Knows what codes mean.
pub trait Terminology {
    /// Whether a code is in a value set; `None` if the value set is not known, or does not say so.
    fn is_member(&self, value_set: &str, system: Option<&str>, code: &str) -> Option<bool>;
}

/// What `trace()` was given.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    /// The name that the expression gives it.
    pub name: Text<'a>,
    /// The items.
    pub items: Collection<'a>,
}

/// Why an expression has no outcome, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    text: String,
    offset: Option<usize>,
    is_limit: bool,
}

impl<'a> Context<'a> {
    /// About a resource, which is `%resource` and `%rootResource`.
    #[must_use]
    pub fn of_resource(resource: Element<'a>) -> Self {
        Self { resource: Some(resource), root_resource: Some(resource), ..Self::empty() }
    }

    /// About nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            resource: None,
            root_resource: None,
            variables: Vec::new(),
            resolver: None,
            terminology: None,
            now: None,
            is_filtering: false,
            steps_left: Cell::new(STEPS_MAX),
            traces: RefCell::default(),
        }
    }

    /// The resource in which the resource is contained.
    #[must_use]
    pub fn within(mut self, root_resource: Element<'a>) -> Self {
        self.root_resource = Some(root_resource);
        self
    }

    /// Gives a variable its items.
    #[must_use]
    pub fn with_variable(mut self, name: &str, items: Collection<'a>) -> Self {
        self.variables.push((name.into(), items));
        self
    }

    /// Lets `resolve()` find resources elsewhere.
    #[must_use]
    pub fn with_resolver(mut self, resolver: &'a dyn Resolver<'a>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Lets `memberOf()` find value sets.
    #[must_use]
    pub fn with_terminology(mut self, terminology: &'a dyn Terminology) -> Self {
        self.terminology = Some(terminology);
        self
    }

    /// The moment of `now()`, `today()` and `timeOfDay()`, which fail without one.
    #[must_use]
    pub fn at(mut self, now: Instant) -> Self {
        self.now = Some(now);
        self
    }

    /// How much the evaluation may do: items, comparisons and calls of functions.
    #[must_use]
    pub fn with_steps(self, steps: u64) -> Self {
        self.steps_left.set(steps);
        self
    }

    /// `as` leaves out the items of other types, as the search parameters of R4 are written; otherwise
    /// it takes one item only.
    #[must_use]
    pub fn filtering(mut self) -> Self {
        self.is_filtering = true;
        self
    }

    /// What `trace()` was given, in the order in which it was called.
    #[must_use]
    pub fn traces(&self) -> Vec<Trace<'a>> {
        self.traces.take()
    }

    pub(super) fn is_filtering(&self) -> bool {
        self.is_filtering
    }

    pub(super) fn resource(&self) -> Option<Element<'a>> {
        self.resource
    }

    pub(super) fn root_resource(&self) -> Option<Element<'a>> {
        self.root_resource
    }

    pub(super) fn resolver(&self) -> Option<&'a dyn Resolver<'a>> {
        self.resolver
    }

    pub(super) fn terminology(&self) -> Option<&'a dyn Terminology> {
        self.terminology
    }

    pub(super) fn now(&self) -> Result<Instant, EvaluationError> {
        self.now.ok_or_else(|| error("the present time is not known here"))
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Collection<'a>> {
        self.variables.iter().find(|(known, _)| **known == *name).map(|(_, items)| items)
    }

    pub(super) fn trace(&self, name: Text<'a>, items: Collection<'a>) {
        let mut traces = self.traces.borrow_mut();
        if traces.len() < TRACES_MAX {
            traces.push(Trace { name, items });
        }
    }

    /// Takes steps from what the evaluation may do.
    pub(super) fn charge(&self, steps: usize) -> Result<(), EvaluationError> {
        let left = self.steps_left.get().checked_sub(steps as u64);
        let left = left.ok_or_else(|| limit("the evaluation takes more steps than it may"))?;
        self.steps_left.set(left);
        Ok(())
    }

    /// Takes the steps for a collection, which must not be larger than allowed.
    pub(super) fn charge_items(&self, items: &[Value<'a>]) -> Result<(), EvaluationError> {
        if items.len() > ITEMS_MAX {
            return Err(limit(format!("a collection has more than {ITEMS_MAX} items")));
        }
        self.charge(items.len() + 1)
    }

    /// Takes the steps for a text, which must not be longer than allowed.
    pub(super) fn charge_text(&self, bytes: usize) -> Result<(), EvaluationError> {
        /// Bytes that are copied in the time of one step.
        const STEP_BYTES: usize = 64;
        if bytes > TEXT_BYTES_MAX {
            return Err(limit(format!("a text has more than {TEXT_BYTES_MAX} bytes")));
        }
        self.charge(bytes / STEP_BYTES + 1)
    }
}

/// An error whose place is added by the one who knows it.
pub(super) fn error(text: impl Into<String>) -> EvaluationError {
    EvaluationError(Box::new(Problem { text: text.into(), offset: None, is_limit: false }))
}

pub(super) fn limit(text: impl Into<String>) -> EvaluationError {
    EvaluationError(Box::new(Problem { text: text.into(), offset: None, is_limit: true }))
}

impl EvaluationError {
    /// Says where, unless that is known more precisely.
    pub(super) fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Byte offset of the place in the expression, where there is one.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// True if the evaluation was cut off, rather than being without an outcome.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.0.is_limit
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.offset {
            Some(offset) => {
                write!(formatter, "{} (at byte {offset} of the expression)", self.0.text)
            }
            None => formatter.write_str(&self.0.text),
        }
    }
}

impl std::error::Error for EvaluationError {}
