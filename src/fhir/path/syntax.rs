//! What the parser makes of an expression, and the evaluator walks through.
//!
//! Nothing in it nests deeper than the parser allows: what an operator combines stands side by side,
//! and so do the steps of a path.

use regex::Regex;

use super::function::Function;
use super::types::TypeName;
use super::value::Value;
use crate::fhir::definitions::elements::ElementsNamed;

/// An expression over the resource or, inside of `where`, over one item.
#[derive(Debug)]
pub(super) enum Expr {
    /// What the steps lead to, one after the other.
    Path { start: Start, steps: Box<[Step]> },
    /// `a + b - c …`: operators of one level, carried out from the left.
    Chain { first: Box<Expr>, rest: Box<[Operation]> },
    /// `-a`, and `+a`, which must be a number too.
    Signed { operand: Box<Expr>, is_negative: bool, at: usize },
}

/// An operator with what stands behind it.
#[derive(Debug)]
pub(super) struct Operation {
    pub operator: Operator,
    pub operand: Expr,
    /// Byte offset of the operator.
    pub at: usize,
}

/// FHIRPath N1 §6, but for the operators on types, which are steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Multiply,
    Divide,
    WholeDivide,
    Remainder,
    Add,
    Subtract,
    Concatenate,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

/// Where a path begins.
#[derive(Debug)]
pub(super) enum Start {
    /// At the item in question: `$this`.
    Focus,
    /// At the item in question or else the resource, if it has that type: `Observation.…`.
    Type(TypeName, usize),
    /// `true`, `1`, `'a'`, `@2026`, `4 'mg'`
    Literal(Value<'static>),
    /// `{}`
    Nothing,
    /// `$index`
    Index,
    /// `$total`
    Total,
    /// `%name`
    Variable(Box<str>, usize),
    /// An expression in parentheses.
    Group(Box<Expr>),
}

/// From some items to others.
#[derive(Debug)]
pub(super) enum Step {
    /// `.name`
    Member(Name),
    /// `[n]`, counted from 0.
    Item(Box<Expr>, usize),
    /// `is Type`, `as Type`, and both as functions.
    Is(TypeName, usize),
    As(TypeName, usize),
    OfType(TypeName),
    /// `.resolve() is Type`, which the reference itself may say.
    ResolvesTo(TypeName, usize),
    /// `.function(…)`
    Call(Box<Call>),
}

/// The name of an element.
#[derive(Debug)]
pub(super) struct Name {
    pub text: Box<str>,
    /// The elements that have it, found once.
    pub elements: ElementsNamed,
    /// Byte offset of the name.
    pub at: usize,
}

/// A function with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub function: Function,
    pub arguments: Box<[Expr]>,
    /// The regular expression, if the function has one that is written down.
    pub pattern: Option<Regex>,
    /// Byte offset of the name.
    pub at: usize,
}
