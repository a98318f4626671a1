//! XML as far as narrative has it: tags, attributes, text, comments, references to characters.
//!
//! Declarations, processing instructions and sections of character data are refused.

use std::borrow::Cow;

/// A piece of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An element begins; its attributes follow.
    Open(&'a str),
    /// An attribute, its value as written.
    Attribute(&'a str, &'a str),
    /// An element ends: how many are still open.
    Close(usize),
    /// Text between tags, as written.
    Text(&'a str),
}

/// A reader of tokens, which sees to it that every element is closed.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Elements that are still open.
    open: Vec<&'a str>,
    /// Attributes of the tag that is being read; `None` between tags.
    attributes: Option<Vec<&'a str>>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, open: Vec::new(), attributes: None }
    }

    /// Where the next token begins, in characters from 1.
    pub(super) fn character(&self) -> usize {
        self.text.get(..self.at).unwrap_or_default().chars().count() + 1
    }

    /// The next token; `None` at the end.
    pub(super) fn token(&mut self) -> Read<Option<Token<'a>>> {
        if let Some(attributes) = self.attributes.take() {
            return self.within_tag(attributes).map(Some);
        }
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return if self.open.is_empty() {
                    Ok(None)
                } else {
                    Err("an element is not closed")
                };
            }
            if let Some(comment) = rest.strip_prefix("<!--") {
                let (comment, _) = comment.split_once("--").ok_or("a comment does not end")?;
                self.at += "<!--".len() + comment.len();
                self.expect("-->", "a comment has -- in it")?;
            } else if rest.starts_with("</") {
                return self.closing_tag().map(Some);
            } else if rest.starts_with('<') {
                self.at += 1;
                let name = self.name()?;
                self.open.push(name);
                self.attributes = Some(Vec::new());
                return Ok(Some(Token::Open(name)));
            } else {
                let text = rest.split('<').next().unwrap_or_default();
                references(text)?;
                self.at += text.len();
                return Ok(Some(Token::Text(text)));
            }
        }
    }

    fn closing_tag(&mut self) -> Read<Token<'a>> {
        self.at += "</".len();
        let name = self.name()?;
        if self.open.pop() != Some(name) {
            return Err("a closing tag has no opening tag of its name");
        }
        self.white();
        self.expect(">", "expected > at the end of a tag")?;
        Ok(Token::Close(self.open.len()))
    }

    /// An attribute, or the end of an element without content; else what follows the tag.
    fn within_tag(&mut self, mut attributes: Vec<&'a str>) -> Read<Token<'a>> {
        let before = self.at;
        self.white();
        if self.rest().starts_with("/>") {
            self.at += "/>".len();
            self.open.pop();
            return Ok(Token::Close(self.open.len()));
        }
        if self.rest().starts_with('>') {
            self.at += 1;
            // An empty text, so that a tag is told from what follows it.
            return Ok(Token::Text(""));
        }
        if self.at == before {
            return Err("expected white space, > or /> in a tag");
        }
        let name = self.name()?;
        if attributes.contains(&name) {
            return Err("an element has an attribute twice");
        }
        attributes.push(name);
        self.attributes = Some(attributes);
        self.white();
        self.expect("=", "expected = and the value of an attribute")?;
        self.white();
        let quote = self.rest().chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let quote = quote.ok_or("the value of an attribute stands in quotes")?;
        self.at += 1;
        let (value, _) = self.rest().split_once(quote).ok_or("an attribute does not end")?;
        if value.contains('<') {
            return Err("the value of an attribute has < in it: write &lt;");
        }
        references(value)?;
        self.at += value.len() + 1;
        Ok(Token::Attribute(name, value))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn name(&mut self) -> Read<&'a str> {
        let is_part = |part: char| part.is_ascii_alphanumeric() || matches!(part, ':' | '-' | '_');
        let rest = self.rest();
        let length = rest.find(|part| !is_part(part)).unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err("expected a name behind <: write &lt; for the character");
        }
        self.at += length;
        Ok(name)
    }

    fn white(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_white).len();
    }

    fn expect(&mut self, wanted: &str, otherwise: &'static str) -> Read<()> {
        if !self.rest().starts_with(wanted) {
            return Err(otherwise);
        }
        self.at += wanted.len();
        Ok(())
    }
}

/// White space of XML.
pub(super) fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Each `&` begins a reference to a character: by number, or by one of the names of HTML.
fn references(text: &str) -> Read<()> {
    let wrong = "& does not begin a reference to a character: write &amp;";
    for behind in text.split('&').skip(1) {
        let (reference, _) = behind.split_once(';').ok_or(wrong)?;
        character(reference).ok_or(wrong)?;
    }
    Ok(())
}

/// The character to which a reference leads; for names beyond those of XML, any that is no part of
/// a URL.
fn character(reference: &str) -> Option<char> {
    if let Some(number) = reference.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|found| *found >= ' ' || is_white(*found));
    }
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let is_name = (2..=8).contains(&reference.len())
                && reference.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && reference.starts_with(|first: char| first.is_ascii_alphabetic());
            is_name.then_some('\u{a0}')
        }
    }
}

/// A value with the characters to which its references lead.
pub(super) fn resolved(value: &str) -> Cow<'_, str> {
    let Some((first, rest)) = value.split_once('&') else { return Cow::Borrowed(value) };
    let mut resolved = first.to_owned();
    for part in rest.split('&') {
        let (reference, text) = part.split_once(';').unwrap_or(("", part));
        resolved.extend(character(reference));
        resolved.push_str(text);
    }
    Cow::Owned(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Token<'_>>, &'static str> {
        let mut scanner = Scanner::new(text);
        let mut tokens = Vec::new();
        while let Some(token) = scanner.token()? {
            tokens.push(token);
        }
        Ok(tokens)
    }

    #[test]
    fn reads_elements() {
        use Token::{Attribute, Close, Open, Text};
        let tokens = read("<a b='1' c=\"&lt;\"><!-- x -->é &#233;<br/></a >");
        let expected = [
            Open("a"),
            Attribute("b", "1"),
            Attribute("c", "&lt;"),
            Text(""),
            Text("é &#233;"),
            Open("br"),
            Close(1),
            Close(0),
        ];
        assert_eq!(tokens.unwrap(), expected);
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        let cases = [
            "<a>",
            "<a></b>",
            "</a>",
            "<a",
            "<a b>",
            "<a b=1/>",
            "<a b='1/>",
            "<a b='<'/>",
            "<a b='1'c='2'/>",
            "<a b='1' b='2'/>",
            "< a/>",
            "<1/>",
            "<!DOCTYPE a>",
            "<?a?>",
            "<![CDATA[x]]>",
            "<!-- a -- b -->",
            "<!-- a",
            "a & b",
            "&;",
            "&#0;",
            "&#xD800;",
            "&#x;",
            "&a b;",
            "&lt",
            "<a></a",
        ];
        for text in cases {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn resolves_references() {
        assert_eq!(resolved("java&#115;cript&#x3A;x&amp;"), "javascript:x&");
        assert_eq!(resolved("plain"), "plain");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[<>/a&;#x'\"= é!-]{0,40}") {
            let _ = (read(&text), resolved(&text));
        }
    }
}
