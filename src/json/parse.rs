//! The parser: one pass over the bytes, an explicit stack, no recursion.

use super::node::{Kind, Node, Span};

/// Deepest nesting of arrays and objects; real FHIR resources stay below 20.
pub const DEPTH_MAX: usize = 100;
/// Most values and member names in one document, each 16 bytes of [`Span`] beside the text. FHIR has one in
/// 16 to 21 bytes of text, so the largest body (32 MiB) is not kept from holding what it is meant for.
pub const NODES_MAX: usize = 3_000_000;

/// A parsed document: the text and one span per value, in the order of the text.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    spans: Vec<Span>,
}

/// Why a text is not acceptable JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (line {line}, column {column})")]
pub struct JsonError {
    /// What is wrong, as a sentence fragment.
    pub problem: String,
    /// Line of the place, counted from 1.
    pub line: usize,
    /// Column of the place in bytes, counted from 1.
    pub column: usize,
}

impl Document {
    /// Parses a whole document.
    ///
    /// # Errors
    ///
    /// The first place at which the text is not strict JSON, or breaks a limit.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, JsonError> {
        let text = String::from_utf8(bytes.into()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            located(error.as_bytes(), at, "the text is not valid UTF-8")
        })?;
        let spans = Parser::new(&text).run()?;
        Ok(Self { text, spans })
    }

    /// The whole text, as it was sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::at(&self.text, &self.spans, 0)
    }

    /// The value with that [`Node::index`].
    #[must_use]
    pub fn node(&self, index: usize) -> Node<'_> {
        Node::at(&self.text, &self.spans, index)
    }

    /// Line and column, from 1, of a byte offset in the text.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        line_column(self.text.as_bytes(), offset)
    }
}

fn line_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn located(bytes: &[u8], offset: usize, problem: impl Into<String>) -> JsonError {
    let (line, column) = line_column(bytes, offset);
    JsonError { problem: problem.into(), line, column }
}

/// An array or object that is still open.
struct Open {
    span: usize,
    is_object: bool,
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    spans: Vec<Span>,
    open: Vec<Open>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        // Dense FHIR has a value about every 16 bytes.
        let spans = Vec::with_capacity(bytes.len() / 16 + 8);
        Self { text, bytes, at: 0, spans, open: Vec::new() }
    }

    fn run(mut self) -> Result<Vec<Span>, JsonError> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(self.error("the text is longer than 4 GiB"));
        }
        self.skip_white();
        self.value()?;
        while let Some(open) = self.open.last() {
            let (is_object, first) = (open.is_object, self.spans.len() == open.span + 1);
            self.skip_white();
            match (self.peek(), is_object) {
                (Some(b']'), false) | (Some(b'}'), true) => {
                    self.at += 1;
                    self.close()?;
                    continue;
                }
                (Some(b','), _) if !first => {
                    self.at += 1;
                    self.skip_white();
                }
                (Some(_), _) if first => {}
                (None, _) => return Err(self.error("the text ends inside an array or object")),
                (Some(_), true) => return Err(self.error("expected ',' or '}'")),
                (Some(_), false) => return Err(self.error("expected ',' or ']'")),
            }
            if is_object {
                self.member_name()?;
            }
            self.value()?;
        }
        self.skip_white();
        if self.at < self.bytes.len() {
            return Err(self.error("text after the end of the document"));
        }
        Ok(self.spans)
    }

    fn error(&self, problem: &str) -> JsonError {
        located(self.bytes, self.at, problem)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn push(&mut self, kind: Kind, start: usize) -> Result<(), JsonError> {
        if self.spans.len() >= NODES_MAX {
            return Err(self.error(&format!("the document holds more than {NODES_MAX} values")));
        }
        let next = self.spans.len() + 1;
        self.spans.push(Span::new(kind, start, self.at, next));
        Ok(())
    }

    fn member_name(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a member name in double quotes"));
        }
        self.string(Kind::Name)?;
        self.skip_white();
        if self.peek() != Some(b':') {
            return Err(self.error("expected ':' after the member name"));
        }
        self.at += 1;
        self.skip_white();
        Ok(())
    }

    fn value(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        match self.peek() {
            Some(open @ (b'{' | b'[')) => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(self.error(&format!("nested deeper than {DEPTH_MAX} levels")));
                }
                self.at += 1;
                let is_object = open == b'{';
                self.open.push(Open { span: self.spans.len(), is_object });
                self.push(if is_object { Kind::Object } else { Kind::Array }, start)
            }
            Some(b'"') => self.string(Kind::String),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("expected a JSON value")),
            None => Err(self.error("the text ends where a value was expected")),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), JsonError> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.error("expected a JSON value"));
        }
        self.at += word.len();
        self.push(kind, start)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push(Kind::Number, start)
    }

    fn string(&mut self, kind: Kind) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1F) => {
                    return Err(self.error("a control character in a string must be escaped"));
                }
                Some(_) => self.at += 1,
                None => return Err(self.error("the text ends inside a string")),
            }
        }
        self.at += 1;
        self.push(kind, start)?;
        if escaped && let Some(span) = self.spans.last_mut() {
            span.set_escaped();
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let first = self.hex_unit()?;
                match first {
                    0xD800..=0xDBFF => match self.hex_unit() {
                        Ok(0xDC00..=0xDFFF) => Ok(()),
                        _ => Err(self.error("a lone surrogate escape is not a character")),
                    },
                    0xDC00..=0xDFFF => {
                        Err(self.error("a lone surrogate escape is not a character"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Err(self.error("unknown escape in a string")),
        }
    }

    /// Reads `\uXXXX` at the current place.
    fn hex_unit(&mut self) -> Result<u32, JsonError> {
        let unit = self
            .bytes
            .get(self.at..self.at + 6)
            .filter(|text| text.starts_with(b"\\u"))
            .and_then(|text| text.get(2..))
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("expected \\u and four hexadecimal digits"))?;
        self.at += 6;
        Ok(unit)
    }

    fn close(&mut self) -> Result<(), JsonError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let next = self.spans.len();
        if let Some(span) = self.spans.get_mut(open.span) {
            span.close(self.at, next);
        }
        if open.is_object { self.refuse_duplicates(open.span) } else { Ok(()) }
    }

    fn refuse_duplicates(&self, object: usize) -> Result<(), JsonError> {
        let node = Node::at(self.text, &self.spans, object);
        let mut names: Vec<_> = node.members().map(|(name, value)| (name, value.start())).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [(first, _), (second, at)] = pair
                && first == second
            {
                let problem = format!("the member {} occurs twice", super::quote(second));
                return Err(located(self.bytes, *at, problem));
            }
        }
        Ok(())
    }
}
