//! A value inside a parsed document.

use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// What kind of JSON value a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number, kept as its text.
    Number,
    /// A string value.
    String,
    /// `[ … ]`
    Array,
    /// `{ … }`
    Object,
    /// A member's name; never seen through [`Node::members`] as a value.
    Name,
}

/// Where one value lies in the text, and where the next sibling's span is in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
    next: u32,
    kind: Kind,
    escaped: bool,
}

impl Span {
    // Offsets fit: the parser refuses texts of 4 GiB and more.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn new(kind: Kind, start: usize, end: usize, next: usize) -> Self {
        Self { start: start as u32, end: end as u32, next: next as u32, kind, escaped: false }
    }

    pub(super) fn set_escaped(&mut self) {
        self.escaped = true;
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn close(&mut self, end: usize, next: usize) {
        self.end = end as u32;
        self.next = next as u32;
    }
}

/// One value of a [`Document`](super::Document): a cheap cursor.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    text: &'a str,
    spans: &'a [Span],
    index: usize,
    span: Span,
}

impl<'a> Node<'a> {
    pub(super) fn at(text: &'a str, spans: &'a [Span], index: usize) -> Self {
        let nothing = Span::new(Kind::Null, 0, 0, index + 1);
        let span = spans.get(index).copied().unwrap_or(nothing);
        Self { text, spans, index, span }
    }

    /// The number under which [`Document::node`](super::Document::node) finds this value again.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The kind of this value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.span.kind
    }

    /// True for objects.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// The value's own text, exactly as sent.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text.get(self.start()..self.end()).unwrap_or_default()
    }

    /// Byte offset of the value's first character in the document.
    #[must_use]
    pub fn start(&self) -> usize {
        self.span.start as usize
    }

    /// Byte offset behind the value's last character.
    #[must_use]
    pub fn end(&self) -> usize {
        self.span.end as usize
    }

    /// The value of the same document with that [`Node::index`].
    #[must_use]
    pub fn elsewhere(&self, index: usize) -> Self {
        Self::at(self.text, self.spans, index)
    }

    /// A string's characters, unescaped; `None` for every other kind.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        matches!(self.kind(), Kind::String | Kind::Name).then(|| self.unquoted())
    }

    /// A number that is whole, however that is written: `12`, `12.0` and `1.2e1` are the same (JSON Schema, `integer`).
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        let text = self.text();
        let whole = || {
            let number = Decimal::from_scientific(text).or_else(|_| Decimal::from_str_exact(text));
            number.ok().filter(|number| number.fract().is_zero())?.to_u64()
        };
        if self.kind() == Kind::Number { text.parse().ok().or_else(whole) } else { None }
    }

    fn unquoted(&self) -> Cow<'a, str> {
        if self.span.escaped {
            // The parser has accepted the escapes already.
            Cow::Owned(serde_json::from_str(self.text()).unwrap_or_default())
        } else {
            Cow::Borrowed(self.text.get(self.start() + 1..self.end() - 1).unwrap_or_default())
        }
    }

    /// The member of that name; `None` for other kinds and absent members.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        let mut members = self.members_beginning(name);
        members.find(|(member, _)| member.len() == name.len()).map(|(_, value)| value)
    }

    /// The member of that name, and the one with an underscore in front of it.
    #[must_use]
    pub fn get_pair(&self, name: &str) -> (Option<Node<'a>>, Option<Node<'a>>) {
        let mut children = self.children(Kind::Object);
        let (mut value, mut beside) = (None, None);
        while let (Some(member), Some(found)) = (children.next(), children.next()) {
            let member = member.unquoted();
            if member == name {
                value = Some(found);
            } else if member.strip_prefix('_') == Some(name) {
                beside = Some(found);
            }
        }
        (value, beside)
    }

    /// The string member of that name.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(|node| node.as_str())
    }

    /// Name and value of each member of an object; nothing for other kinds.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || {
            let name = children.next()?;
            children.next().map(|value| (name.unquoted(), value))
        })
    }

    /// The members whose names begin so, without a look at what the others are called.
    pub fn members_beginning<'b>(
        &self,
        beginning: &'b str,
    ) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a, 'b> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || {
            loop {
                let name = children.next()?;
                let value = children.next()?;
                if name.begins(beginning) {
                    return Some((name.unquoted(), value));
                }
            }
        })
    }

    fn begins(&self, beginning: &str) -> bool {
        if self.span.escaped {
            return self.unquoted().starts_with(beginning);
        }
        let text = self.text.as_bytes().get(self.start() + 1..self.end() - 1);
        text.is_some_and(|text| text.starts_with(beginning.as_bytes()))
    }

    /// The values of an array; nothing for other kinds.
    pub fn items(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.children(Kind::Array)
    }

    fn children(&self, of: Kind) -> Children<'a> {
        let (next, end) =
            if self.kind() == of { (self.index + 1, self.span.next as usize) } else { (0, 0) };
        Children { text: self.text, spans: self.spans, next, end }
    }

    /// This value and everything inside it, in the order of the text, member names included.
    pub fn descend(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let (text, spans) = (self.text, self.spans);
        (self.index..self.span.next as usize).map(move |index| Node::at(text, spans, index))
    }

    /// The member's name if this is one.
    pub(super) fn as_name(&self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::Name).then(|| self.unquoted())
    }
}

struct Children<'a> {
    text: &'a str,
    spans: &'a [Span],
    next: usize,
    end: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.next >= self.end {
            return None;
        }
        let node = Node::at(self.text, self.spans, self.next);
        self.next = node.span.next as usize;
        Some(node)
    }
}
