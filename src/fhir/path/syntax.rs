//! What the parser makes of an expression, and the evaluator walks through.

/// An expression over the resource or, inside of `where`, over one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    /// What the steps lead to, one after the other.
    Path { start: Start, steps: Vec<Step> },
    /// `a | b | …`
    Union(Vec<Expr>),
    /// `a and b and …`
    And(Vec<Expr>),
    /// `a = literal`, or `a != literal` if negated.
    Equal { left: Box<Expr>, right: Literal, negated: bool },
}

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// At the element in question.
    Focus,
    /// At the resource, whatever its type: `%resource`.
    Resource,
    /// At the resource, if it has that type: `Observation.…`.
    Type(Box<str>),
    /// At each element of an expression in parentheses.
    Group(Box<Expr>),
}

/// From some elements to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`: the member, or the choice element of any type with that name.
    Member(Box<str>),
    /// `.name as Type`: the choice element under its names in JSON, such as `valueQuantity`; several
    /// if other types specialize that one.
    Choice(Box<[Box<str>]>),
    /// `[n]`, counted from 0.
    Index(usize),
    /// `.where(…)`
    Where(Box<Expr>),
    /// `.exists()`
    Exists,
    /// `.extension(url)`
    Extension(Box<str>),
    /// `.hasExtension(url)`
    HasExtension(Box<str>),
    /// `.resolve() is Type`
    ResolvesTo(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(Box<str>),
    Number(Box<str>),
    Boolean(bool),
}
