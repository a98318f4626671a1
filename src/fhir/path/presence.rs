//! What the presence of members alone says of the truth of an expression.
//!
//! `a.empty() or b.exists()` needs no evaluation, and `a.exists() implies b > 0` none where `a` is
//! absent. Most objects have few of the members that invariants are about, so that most invariants
//! are decided here, by a few operations on bits.

use super::Expression;
use super::function::{Function, Lazy, OnCollection, OnTree};
use super::syntax::{Call, Expr, Operation, Operator, Start, Step};

/// A formula over which members an object has, as bits; `None` where they do not decide.
#[derive(Debug)]
pub enum Presence {
    /// Nothing is known without evaluating.
    Unknown,
    /// True if one of the members is there.
    Any(u64),
    /// True if it is false.
    Not(Box<Presence>),
    /// Both are true.
    And(Box<[Presence; 2]>),
    /// One is true.
    Or(Box<[Presence; 2]>),
    /// Both are true, or both are false.
    Same(Box<[Presence; 2]>),
}

impl Presence {
    /// Whether the expression is true of an object with these members, as far as they decide.
    #[must_use]
    pub fn truth(&self, members: u64) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Any(of) => Some(members & of != 0),
            Self::Not(part) => part.truth(members).map(|truth| !truth),
            Self::And(parts) => both(parts, members, false),
            Self::Or(parts) => both(parts, members, true),
            Self::Same(parts) => {
                let [one, other] = parts.each_ref().map(|part| part.truth(members));
                Some(one? == other?)
            }
        }
    }

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    fn and(self, other: Self) -> Self {
        Self::And(Box::new([self, other]))
    }

    fn or(self, other: Self) -> Self {
        Self::Or(Box::new([self, other]))
    }

    fn same_as(self, other: Self) -> Self {
        Self::Same(Box::new([self, other]))
    }
}

/// One of the parts decides alone if it has this value.
fn both(parts: &[Presence; 2], members: u64, decisive: bool) -> Option<bool> {
    let [one, other] = parts.each_ref().map(|part| part.truth(members));
    match (one, other) {
        _ if one == Some(decisive) || other == Some(decisive) => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    }
}

impl Expression {
    /// The formula of an expression about an object; `bit` gives the members their bits.
    #[must_use]
    pub fn presence(&self, bit: &dyn Fn(&str) -> Option<u64>) -> Presence {
        Reader { bit }.truth(&self.0.tree)
    }
}

struct Reader<'a> {
    bit: &'a dyn Fn(&str) -> Option<u64>,
}

/// Members without which an expression leads to nothing.
#[derive(Clone, Copy)]
struct Lead {
    members: u64,
    /// It leads to something as soon as one of them is there.
    is_all: bool,
}

impl Reader<'_> {
    fn truth(&self, expr: &Expr) -> Presence {
        match expr {
            Expr::Path { start, steps } => self.truth_of_path(start, steps),
            Expr::Chain { first, rest } => {
                let first = self.truth(first);
                rest.iter().fold(first, |left, operation| self.operation(left, operation))
            }
            Expr::Signed { .. } => Presence::Unknown,
        }
    }

    fn operation(&self, left: Presence, operation: &Operation) -> Presence {
        let right = self.truth(&operation.operand);
        match operation.operator {
            Operator::And => left.and(right),
            Operator::Or => left.or(right),
            Operator::Implies => left.not().or(right),
            Operator::Equal => left.same_as(right),
            Operator::NotEqual | Operator::Xor => left.same_as(right).not(),
            _ => Presence::Unknown,
        }
    }

    fn truth_of_path(&self, start: &Start, steps: &[Step]) -> Presence {
        let Some((last, before)) = steps.split_last() else {
            return match start {
                Start::Group(expr) => self.truth(expr),
                _ => Presence::Unknown,
            };
        };
        let Step::Call(call) = last else { return Presence::Unknown };
        match call.function {
            Function::Collection(OnCollection::Not) => self.truth_of_path(start, before).not(),
            Function::Lazy(Lazy::Exists) => self.exists(start, before, call.arguments.is_empty()),
            Function::Collection(OnCollection::Empty) => self.exists(start, before, true).not(),
            Function::Tree(OnTree::HasValue) => self.exists(start, before, false),
            // True of nothing.
            Function::Lazy(Lazy::All)
            | Function::Collection(
                OnCollection::AllTrue | OnCollection::AllFalse | OnCollection::IsDistinct,
            ) => self.exists(start, before, false).not(),
            _ => Presence::Unknown,
        }
    }

    /// Whether a path leads to something, or, unless that is `enough`, to something of a kind.
    fn exists(&self, start: &Start, steps: &[Step], enough: bool) -> Presence {
        match self.lead_of_path(start, steps) {
            Some(Lead { members, is_all }) if is_all && enough => Presence::Any(members),
            Some(Lead { members, .. }) => Presence::Any(members).and(Presence::Unknown),
            None => Presence::Unknown,
        }
    }

    fn lead(&self, expr: &Expr) -> Option<Lead> {
        match expr {
            Expr::Path { start, steps } => self.lead_of_path(start, steps),
            Expr::Chain { first, rest } => rest.iter().try_fold(self.lead(first)?, |one, next| {
                let other = self.lead(&next.operand)?;
                (next.operator == Operator::Union).then_some(Lead {
                    members: one.members | other.members,
                    is_all: one.is_all && other.is_all,
                })
            }),
            Expr::Signed { .. } => None,
        }
    }

    fn lead_of_path(&self, start: &Start, steps: &[Step]) -> Option<Lead> {
        let (first, rest) = match (start, steps) {
            (Start::Focus, [Step::Member(name), rest @ ..]) => {
                (Lead { members: (self.bit)(&name.text)?, is_all: true }, rest)
            }
            (Start::Group(expr), rest) => (self.lead(expr)?, rest),
            _ => return None,
        };
        rest.iter().try_fold(first, |lead, step| match step {
            Step::Call(call) if is_trace(call) => Some(lead),
            Step::Call(call) if !leads_on(call) => None,
            _ => Some(Lead { is_all: false, ..lead }),
        })
    }
}

fn is_trace(call: &Call) -> bool {
    matches!(call.function, Function::Lazy(Lazy::Trace))
}

/// True for functions that make nothing of nothing.
fn leads_on(call: &Call) -> bool {
    match call.function {
        Function::Lazy(function) => {
            matches!(function, Lazy::Where | Lazy::Select | Lazy::Repeat)
        }
        Function::Collection(function) => matches!(
            function,
            OnCollection::Distinct
                | OnCollection::First
                | OnCollection::Last
                | OnCollection::Single
                | OnCollection::Skip
                | OnCollection::Tail
                | OnCollection::Take
        ),
        Function::Text(_) | Function::Number(_) | Function::Moment(_) => true,
        Function::To(_) | Function::ConvertsTo(_) => true,
        Function::Tree(function) => {
            matches!(function, OnTree::Children | OnTree::Descendants | OnTree::Resolve)
        }
    }
}
