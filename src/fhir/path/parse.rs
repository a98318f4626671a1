//! From text to [`Expr`]: one function for each level of precedence, loosest first.

use super::PathError;
use super::syntax::{Expr, Literal, Start, Step};
use super::token::{Placed, Token, tokens};

/// Deepest nesting of parentheses; R4 needs two.
const DEPTH_MAX: usize = 16;

/// Parses a whole expression.
pub(super) fn expression(text: &str) -> Result<Expr, PathError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let expr = parser.conjunction()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.error("expected an operator")),
    }
}

struct Parser<'a> {
    tokens: &'a [Placed<'a>],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.first().map_or(Token::End, |(token, _)| *token)
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn accept(&mut self, token: Token<'_>) -> bool {
        let accepted = self.peek() == token;
        if accepted {
            self.skip();
        }
        accepted
    }

    fn expect(&mut self, symbol: u8) -> Result<(), PathError> {
        if self.accept(Token::Symbol(symbol)) {
            return Ok(());
        }
        Err(self.error(format!("expected '{}'", char::from(symbol))))
    }

    fn error(&self, problem: impl Into<String>) -> PathError {
        let offset = self.tokens.first().map_or(0, |(_, offset)| *offset);
        PathError { problem: problem.into(), offset }
    }

    /// `a and b`
    fn conjunction(&mut self) -> Result<Expr, PathError> {
        let mut terms = vec![self.equality()?];
        while self.accept(Token::Name("and")) {
            terms.push(self.equality()?);
        }
        Ok(single_or(terms, Expr::And))
    }

    /// `a = 'literal'`
    fn equality(&mut self) -> Result<Expr, PathError> {
        let left = self.union()?;
        let negated = match self.peek() {
            Token::Symbol(b'=') => false,
            Token::Symbol(b'!') => true,
            _ => return Ok(left),
        };
        self.skip();
        let right = match self.peek() {
            Token::Text(text) => Literal::Text(text.into()),
            Token::Number(digits) => Literal::Number(digits.into()),
            Token::Name("true") => Literal::Boolean(true),
            Token::Name("false") => Literal::Boolean(false),
            _ => return Err(self.error("expected a literal")),
        };
        self.skip();
        Ok(Expr::Equal { left: Box::new(left), right, negated })
    }

    /// `a | b`
    fn union(&mut self) -> Result<Expr, PathError> {
        let mut alternatives = vec![self.path()?];
        while self.accept(Token::Symbol(b'|')) {
            alternatives.push(self.path()?);
        }
        Ok(single_or(alternatives, Expr::Union))
    }

    /// `a.b.c`, with `as Type` or `is Type` behind it.
    fn path(&mut self) -> Result<Expr, PathError> {
        let (start, mut steps) = self.start()?;
        loop {
            match self.peek() {
                Token::Symbol(b'.') => {
                    self.skip();
                    self.step(&mut steps)?;
                }
                Token::Symbol(b'[') => {
                    self.skip();
                    steps.push(self.index()?);
                    self.expect(b']')?;
                }
                Token::Name("as") => self.cast(&mut steps, Self::type_name)?,
                Token::Name("is") => self.test(&mut steps, Self::type_name)?,
                _ => return Ok(Expr::Path { start, steps }),
            }
        }
    }

    fn start(&mut self) -> Result<(Start, Vec<Step>), PathError> {
        let mut steps = Vec::new();
        match self.peek() {
            Token::Symbol(b'(') => {
                self.skip();
                let inside = self.nested()?;
                self.expect(b')')?;
                return Ok(match inside {
                    Expr::Path { start, steps } => (start, steps),
                    group => (Start::Group(Box::new(group)), steps),
                });
            }
            // Elements begin with a small letter, types with a capital one.
            Token::Name(name) if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
                self.skip();
                return Ok((Start::Type(name.into()), steps));
            }
            Token::Name(_) => self.step(&mut steps)?,
            Token::Symbol(b'%') => {
                self.skip();
                if !self.accept(Token::Name("resource")) {
                    return Err(self.error("the only variable is %resource"));
                }
                return Ok((Start::Resource, steps));
            }
            _ => return Err(self.error("expected a path")),
        }
        Ok((Start::Focus, steps))
    }

    /// What stands in parentheses.
    fn nested(&mut self) -> Result<Expr, PathError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let inside = self.conjunction();
        self.depth -= 1;
        inside
    }

    /// An element or a function.
    fn step(&mut self, steps: &mut Vec<Step>) -> Result<(), PathError> {
        let Token::Name(name) = self.peek() else {
            return Err(self.error("expected an element or function"));
        };
        let is_function = matches!(self.tokens.get(1), Some((Token::Symbol(b'('), _)));
        if !is_function {
            self.skip();
            steps.push(Step::Member(name.into()));
            return Ok(());
        }
        match name {
            "as" | "ofType" => return self.cast(steps, Self::type_in_parentheses),
            "is" => return self.test(steps, Self::type_in_parentheses),
            "resolve" => return self.resolve(steps),
            "where" | "exists" | "extension" | "hasExtension" => {}
            _ => return Err(self.error(format!("the function '{name}' is not supported"))),
        }
        self.skip();
        self.expect(b'(')?;
        let step = match name {
            "where" => Step::Where(Box::new(self.nested()?)),
            "exists" => Step::Exists,
            "extension" => Step::Extension(self.text()?),
            _ => Step::HasExtension(self.text()?),
        };
        self.expect(b')')?;
        steps.push(step);
        Ok(())
    }

    /// `resolve() is Type`
    fn resolve(&mut self, steps: &mut Vec<Step>) -> Result<(), PathError> {
        let misplaced = self.error("'resolve()' is supported before 'is' only");
        self.skip();
        self.expect(b'(')?;
        self.expect(b')')?;
        if self.peek() != Token::Name("is") {
            return Err(misplaced);
        }
        self.skip();
        steps.push(Step::ResolvesTo(self.name()?));
        Ok(())
    }

    /// Narrows the choice element before `as` to one of its types.
    fn cast(
        &mut self,
        steps: &mut Vec<Step>,
        type_name: impl FnOnce(&mut Self) -> Result<Box<str>, PathError>,
    ) -> Result<(), PathError> {
        let Some(Step::Member(element)) = steps.pop() else {
            return Err(self.error("'as' needs an element before it"));
        };
        let type_name = type_name(self)?;
        let specialized = SPECIALIZED.iter().find(|(general, _)| **general == *type_name);
        let specialized = specialized.map_or(&[][..], |(_, types)| types);
        let names = std::iter::once(&*type_name).chain(specialized.iter().copied());
        steps.push(Step::Choice(names.map(|name| name_in_json(&element, name)).collect()));
        Ok(())
    }

    /// Whether the choice element before `is` has that type.
    fn test(
        &mut self,
        steps: &mut Vec<Step>,
        type_name: impl FnOnce(&mut Self) -> Result<Box<str>, PathError>,
    ) -> Result<(), PathError> {
        self.cast(steps, type_name)?;
        steps.push(Step::Exists);
        Ok(())
    }

    fn type_name(&mut self) -> Result<Box<str>, PathError> {
        self.skip();
        self.name()
    }

    fn type_in_parentheses(&mut self) -> Result<Box<str>, PathError> {
        self.skip();
        self.expect(b'(')?;
        let name = self.name()?;
        self.expect(b')')?;
        Ok(name)
    }

    fn name(&mut self) -> Result<Box<str>, PathError> {
        let Token::Name(name) = self.peek() else {
            return Err(self.error("expected a type"));
        };
        self.skip();
        Ok(name.into())
    }

    fn text(&mut self) -> Result<Box<str>, PathError> {
        let Token::Text(text) = self.peek() else {
            return Err(self.error("expected a text in quotes"));
        };
        self.skip();
        Ok(text.into())
    }

    fn index(&mut self) -> Result<Step, PathError> {
        if let Token::Number(digits) = self.peek()
            && let Ok(index) = digits.parse()
        {
            self.skip();
            return Ok(Step::Index(index));
        }
        Err(self.error("expected a number"))
    }
}

/// Types whose values are of the more general type too, as choice elements have them: FHIR R4 §2.24.0
/// and §2.24.0.1. A choice element asked for as `uri` is also found when it is a `canonical`.
const SPECIALIZED: [(&str, &[&str]); 4] = [
    ("Quantity", &["Age", "Count", "Distance", "Duration"]),
    ("integer", &["positiveInt", "unsignedInt"]),
    ("string", &["code", "id", "markdown"]),
    ("uri", &["canonical", "oid", "url", "uuid"]),
];

fn name_in_json(element: &str, type_name: &str) -> Box<str> {
    let (first, rest) = type_name.split_at_checked(1).unwrap_or(("", type_name));
    format!("{element}{}{rest}", first.to_ascii_uppercase()).into()
}

/// The only one of several expressions, or all of them combined.
fn single_or(mut several: Vec<Expr>, combined: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match (several.pop(), several.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            several.extend(last);
            combined(several)
        }
    }
}
