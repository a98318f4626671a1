//! From text to [`Expr`]: the levels of precedence are climbed, FHIRPath N1 §6.8.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use rust_decimal::Decimal;

use super::PathError;
use super::function::{Function, OnText, OnTree};
use super::moment::Moment;
use super::precision::Precision;
use super::quantity::Quantity;
use super::syntax::{Call, Expr, Name, Operation, Operator, Start, Step};
use super::token::{Placed, Token, tokens};
use super::types::TypeName;
use super::value::{Text, Value};
use crate::fhir::definitions::elements::ElementsNamed;

/// Deepest nesting of parentheses, arguments and signs; the invariants of R4 need eight.
const DEPTH_MAX: usize = 32;
/// Longest expression.
pub(super) const LENGTH_BYTES_MAX: usize = 64 * 1_024;
/// Most memory that a regular expression may take.
const PATTERN_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Parses a whole expression.
pub(super) fn expression(text: &str) -> Result<Expr, PathError> {
    if text.len() > LENGTH_BYTES_MAX {
        let problem = format!("longer than {LENGTH_BYTES_MAX} bytes");
        return Err(PathError { problem, offset: LENGTH_BYTES_MAX });
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let expr = parser.level(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.error("expected an operator")),
    }
}

/// The operators of each level, loosest first. Between two of them, `is` and `as` bind.
const LEVELS: [&[(Operator, &str)]; 10] = {
    use Operator::*;
    [
        &[(Implies, "implies")],
        &[(Or, "or"), (Xor, "xor")],
        &[(And, "and")],
        &[(In, "in"), (Contains, "contains")],
        &[(Equal, "="), (NotEqual, "!="), (Equivalent, "~"), (NotEquivalent, "!~")],
        &[(Less, "<"), (LessOrEqual, "<="), (Greater, ">"), (GreaterOrEqual, ">=")],
        &[(Union, "|")],
        &[],
        &[(Add, "+"), (Subtract, "-"), (Concatenate, "&")],
        &[(Multiply, "*"), (Divide, "/"), (WholeDivide, "div"), (Remainder, "mod")],
    ]
};

struct Parser<'a> {
    tokens: &'a [Placed<'a>],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token<'a> {
        self.tokens.first().map_or(&Token::End, |(token, _)| token)
    }

    fn offset(&self) -> usize {
        self.tokens.first().map_or(0, |(_, offset)| *offset)
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn accept(&mut self, symbol: &'static str) -> bool {
        let accepted = *self.peek() == Token::Symbol(symbol);
        if accepted {
            self.skip();
        }
        accepted
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), PathError> {
        if self.accept(symbol) {
            return Ok(());
        }
        Err(self.error(format!("expected '{symbol}'")))
    }

    fn error(&self, problem: impl Into<String>) -> PathError {
        PathError { problem: problem.into(), offset: self.offset() }
    }

    /// Operators of a level and of those that bind closer.
    fn level(&mut self, level: usize) -> Result<Expr, PathError> {
        let Some(operators) = LEVELS.get(level) else { return self.signed() };
        let first = self.level(level + 1)?;
        if operators.is_empty() {
            return self.typed(first);
        }
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(operators) {
            let at = self.offset();
            self.skip();
            rest.push(Operation { operator, operand: self.level(level + 1)?, at });
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr::Chain { first: Box::new(first), rest: rest.into() })
    }

    fn operator(&self, operators: &[(Operator, &str)]) -> Option<Operator> {
        let (Token::Symbol(word) | Token::Name(word)) = self.peek() else { return None };
        operators.iter().find(|(_, known)| known == word).map(|(operator, _)| *operator)
    }

    /// `is Type` and `as Type` behind an expression, as steps.
    fn typed(&mut self, mut expr: Expr) -> Result<Expr, PathError> {
        loop {
            let at = self.offset();
            let step: fn(TypeName, usize) -> Step = match self.peek() {
                Token::Name("is") => Step::Is,
                Token::Name("as") => Step::As,
                _ => return Ok(expr),
            };
            self.skip();
            let step = step(self.type_name()?, at);
            expr = match expr {
                Expr::Path { start, steps } => {
                    let mut steps = steps.into_vec();
                    add_step(&mut steps, step);
                    Expr::Path { start, steps: steps.into() }
                }
                group => Expr::Path { start: Start::Group(Box::new(group)), steps: [step].into() },
            };
        }
    }

    /// `-a`
    fn signed(&mut self) -> Result<Expr, PathError> {
        let is_negative = match self.peek() {
            Token::Symbol("-") => true,
            Token::Symbol("+") => false,
            _ => return self.path(),
        };
        let at = self.offset();
        self.skip();
        let operand = Box::new(self.nested(Self::signed)?);
        Ok(Expr::Signed { operand, is_negative, at })
    }

    /// What stands inside of something else.
    fn nested<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, PathError>,
    ) -> Result<T, PathError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let inside = inside(self);
        self.depth -= 1;
        inside
    }

    /// `a.b[0].c()`
    fn path(&mut self) -> Result<Expr, PathError> {
        let mut steps = Vec::new();
        let start = self.start(&mut steps)?;
        loop {
            let at = self.offset();
            if self.accept(".") {
                add_step(&mut steps, self.step()?);
            } else if self.accept("[") {
                let index = self.nested(|parser| parser.level(0))?;
                steps.push(Step::Item(Box::new(index), at));
                self.expect("]")?;
            } else {
                return Ok(Expr::Path { start, steps: steps.into() });
            }
        }
    }

    fn start(&mut self, steps: &mut Vec<Step>) -> Result<Start, PathError> {
        let at = self.offset();
        let literal = |value| Ok(Start::Literal(value));
        match self.peek() {
            Token::Symbol("(") => {
                self.skip();
                let inside = self.nested(|parser| parser.level(0))?;
                self.expect(")")?;
                match inside {
                    Expr::Path { start, steps: inside } => {
                        steps.extend(inside);
                        Ok(start)
                    }
                    group => Ok(Start::Group(Box::new(group))),
                }
            }
            Token::Symbol("{") => {
                self.skip();
                self.expect("}")?;
                Ok(Start::Nothing)
            }
            Token::Name("true") => {
                self.skip();
                literal(Value::Boolean(true))
            }
            Token::Name("false") => {
                self.skip();
                literal(Value::Boolean(false))
            }
            Token::Text(text) => {
                self.skip();
                literal(Value::Text(Text::shared(&**text)))
            }
            Token::Number(digits) => {
                self.skip();
                self.number(digits, at).map(Start::Literal)
            }
            Token::Moment(text) => {
                let moment = Moment::literal(text);
                let moment = moment.ok_or_else(|| self.error("there is no such date or time"))?;
                self.skip();
                literal(Value::Moment(moment))
            }
            Token::Special(name) => {
                self.skip();
                Ok(match *name {
                    "index" => Start::Index,
                    "total" => Start::Total,
                    _ => Start::Focus,
                })
            }
            Token::Variable(name) => {
                self.skip();
                Ok(Start::Variable((**name).into(), at))
            }
            Token::Name(_) | Token::Quoted(_) => {
                if let Some(start) = self.type_at_start()? {
                    return Ok(start);
                }
                steps.push(self.step()?);
                Ok(Start::Focus)
            }
            _ => Err(self.error("expected a path")),
        }
    }

    /// Elements begin with a small letter, types with a capital one.
    fn type_at_start(&mut self) -> Result<Option<Start>, PathError> {
        let (Token::Name(_) | Token::Quoted(_)) = self.peek() else { return Ok(None) };
        let name = self.identifier()?;
        let is_call = matches!(self.tokens.get(1), Some((Token::Symbol("("), _)));
        if is_call || !name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Ok(None);
        }
        let known = TypeName::of(None, &name).filter(|known| known.definition().is_some());
        let known = known.ok_or_else(|| self.error(format!("there is no type '{name}' in R4")))?;
        let at = self.offset();
        self.skip();
        Ok(Some(Start::Type(known, at)))
    }

    /// A number, and the unit behind it if it is a quantity.
    fn number(&mut self, digits: &str, at: usize) -> Result<Value<'static>, PathError> {
        let beyond = |problem: &str| PathError { problem: problem.to_owned(), offset: at };
        let unit = match self.peek() {
            Token::Text(unit) => Some(unit.clone()),
            Token::Name(unit) if Precision::named(unit).is_some() => Some(Cow::Borrowed(*unit)),
            _ => None,
        };
        let decimal = || {
            let decimal = Decimal::from_str_exact(digits);
            decimal.map_err(|_| beyond("the number has more than 28 digits"))
        };
        if let Some(unit) = unit {
            self.skip();
            return Ok(Value::Quantity(Quantity::literal(decimal()?, &unit).into()));
        }
        if digits.contains('.') {
            return decimal().map(Value::Decimal);
        }
        let integer = digits.parse().map_err(|_| beyond("a whole number has at most 32 bits"));
        integer.map(Value::Integer)
    }

    /// An element or a function.
    fn step(&mut self) -> Result<Step, PathError> {
        let at = self.offset();
        if let Token::Special("this") = self.peek() {
            return Err(self.error("$this stands at the beginning of a path"));
        }
        let name = self.identifier()?;
        self.skip();
        if !self.accept("(") {
            let elements = ElementsNamed::of(&name);
            return Ok(Step::Member(Name { text: name.into(), elements, at }));
        }
        let step: Option<fn(TypeName, usize) -> Step> = match &*name {
            "is" => Some(Step::Is),
            "as" => Some(Step::As),
            "ofType" => Some(|name, _| Step::OfType(name)),
            _ => None,
        };
        if let Some(step) = step {
            let type_name = self.type_name()?;
            self.expect(")")?;
            return Ok(step(type_name, at));
        }
        self.call(&name, at).map(|call| Step::Call(Box::new(call)))
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Call, PathError> {
        let wrong = |problem| Err(PathError { problem, offset: at });
        let Some((function, min, max)) = Function::named(name) else {
            return wrong(format!("there is no function '{name}'"));
        };
        let mut arguments = Vec::new();
        if !self.accept(")") {
            loop {
                arguments.push(self.nested(|parser| parser.level(0))?);
                if self.accept(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if !(min..=max).contains(&arguments.len()) {
            let expected = if min == max { format!("{min}") } else { format!("{min} to {max}") };
            let count = arguments.len();
            return wrong(format!("the function '{name}' takes {expected} arguments, not {count}"));
        }
        let pattern = match (function, arguments.first()) {
            (Function::Text(function), Some(Expr::Path { start: Start::Literal(text), steps }))
                if steps.is_empty() && text.text().is_some() =>
            {
                let text = text.text().map(|text| pattern(function, &text));
                let text = text.flatten().transpose();
                text.map_err(|problem| PathError { problem, offset: at })?
            }
            _ => None,
        };
        Ok(Call { function, arguments: arguments.into(), pattern, at })
    }

    fn type_name(&mut self) -> Result<TypeName, PathError> {
        let offset = self.offset();
        let name = self
            .identifier()
            .map_err(|error| PathError { problem: "expected a type".to_owned(), ..error })?;
        self.skip();
        let (namespace, name) = if self.accept(".") {
            let own = self.identifier()?;
            self.skip();
            (Some(name), own)
        } else {
            (None, name)
        };
        TypeName::of(namespace.as_deref(), &name).ok_or_else(|| {
            let namespace = namespace.map_or_else(String::new, |namespace| format!("{namespace}."));
            PathError { problem: format!("there is no type '{namespace}{name}' in R4"), offset }
        })
    }

    fn identifier(&self) -> Result<Cow<'a, str>, PathError> {
        match self.peek() {
            Token::Name(name) => Ok(Cow::Borrowed(name)),
            Token::Quoted(name) => Ok(name.clone()),
            _ => Err(self.error("expected an element or function")),
        }
    }
}

/// Adds a step to a path; `resolve()` and the question for its type become one.
fn add_step(steps: &mut Vec<Step>, step: Step) {
    let is_resolve = matches!(steps.last(), Some(Step::Call(call))
        if call.function == Function::Tree(OnTree::Resolve));
    match step {
        Step::Is(name, at) if is_resolve => {
            steps.pop();
            steps.push(Step::ResolvesTo(name, at));
        }
        step => steps.push(step),
    }
}

/// The regular expression of a function; `None` if it takes none.
pub(super) fn pattern(function: OnText, text: &str) -> Option<Result<Regex, String>> {
    let whole = match function {
        OnText::Matches | OnText::ReplaceMatches => text.to_owned(),
        OnText::MatchesFull => format!("^(?:{text})$"),
        _ => return None,
    };
    // A dot is any character, of a new line too: N1 §5.6.9.
    let mut builder = RegexBuilder::new(&whole);
    builder.dot_matches_new_line(true).size_limit(PATTERN_BYTES_MAX);
    let built = builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!("the regular expression takes more than {PATTERN_BYTES_MAX} bytes of memory")
        }
        _ => "the regular expression is not understood; looking ahead, looking behind and \
              referring back are not supported"
            .to_owned(),
    });
    Some(built)
}
