//! JSON Pointer: RFC 6901.

use std::fmt;

use crate::json::{Kind, Node};

/// A parsed pointer: the reference tokens, unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(tokens) = text.strip_prefix('/') else {
            return Err(format!(
                "\"{text}\" is not a JSON Pointer: it must be empty or begin with /"
            ));
        };
        let unescaped = |token: &str| {
            let mut parts = token.split('~');
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                match (part.strip_prefix('0'), part.strip_prefix('1')) {
                    (Some(rest), _) => out.extend(["~", rest]),
                    (_, Some(rest)) => out.extend(["/", rest]),
                    _ => return Err(format!("\"{text}\" is not a JSON Pointer: write ~ as ~0")),
                }
            }
            Ok(out)
        };
        tokens.split('/').map(unescaped).collect::<Result<_, _>>().map(Self)
    }

    /// The value to which it leads.
    pub(super) fn find<'a>(&self, root: Node<'a>) -> Option<Node<'a>> {
        self.0
            .iter()
            .try_fold(root, |node, token| place_of(node, token).and_then(|place| place.value))
    }

    /// The pointer to what holds the value, and the last token; `None` for the whole document.
    pub(super) fn split(&self) -> Option<(Self, &str)> {
        let (last, before) = self.0.split_last()?;
        Some((Self(before.to_vec()), last))
    }

    /// Whether it leads to a value that lies within the one to which the other leads.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("the whole resource");
        }
        for token in &self.0 {
            write!(formatter, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// What a token means in an array or object.
pub(super) struct Place<'a> {
    /// Place of the item or member, counted from 0; behind the last one where there is none yet.
    pub(super) place: usize,
    /// The value that stands there.
    pub(super) value: Option<Node<'a>>,
}

/// The place that a token names; `None` if it names none, now or for something to be added.
pub(super) fn place_of<'a>(parent: Node<'a>, token: &str) -> Option<Place<'a>> {
    match parent.kind() {
        Kind::Object => {
            let mut count = 0;
            for (name, value) in parent.members() {
                if name == token {
                    return Some(Place { place: count, value: Some(value) });
                }
                count += 1;
            }
            Some(Place { place: count, value: None })
        }
        Kind::Array => {
            let count = parent.items().count();
            let is_index = token == "0"
                || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
            let place = match token {
                "-" => count,
                _ if is_index => token.parse().ok().filter(|place| *place <= count)?,
                _ => return None,
            };
            Some(Place { place, value: parent.items().nth(place) })
        }
        _ => None,
    }
}
