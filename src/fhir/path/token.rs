//! The words of an expression.

use super::PathError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An element, type, function or operator that is written in letters.
    Name(&'a str),
    /// The characters between single quotes.
    Text(&'a str),
    /// Digits.
    Number(&'a str),
    /// One of `. ( ) [ ] | = %`, and `!` for `!=`.
    Symbol(u8),
    End,
}

/// A token and the byte offset where it begins.
pub(super) type Placed<'a> = (Token<'a>, usize);

/// Splits an expression into tokens; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, PathError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        let offset = text.len() - rest.len();
        let (token, length) = first(rest).map_err(|problem| PathError { problem, offset })?;
        tokens.push((token, offset));
        if token == Token::End {
            return Ok(tokens);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// The token at the beginning of a text, and how many bytes it takes.
fn first(text: &str) -> Result<(Token<'_>, usize), String> {
    let Some(character) = text.chars().next() else {
        return Ok((Token::End, 0));
    };
    Ok(match character {
        'a'..='z' | 'A'..='Z' | '_' => {
            let name = leading(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (Token::Name(name), name.len())
        }
        '0'..='9' => {
            let digits = leading(text, |byte| byte.is_ascii_digit());
            (Token::Number(digits), digits.len())
        }
        '\'' => {
            let inside = text.get(1..).and_then(|behind| behind.split_once('\''));
            let (inside, _) = inside.ok_or("the text in quotes has no end")?;
            if inside.contains('\\') {
                return Err("escapes in quotes are not supported".to_owned());
            }
            (Token::Text(inside), inside.len() + 2)
        }
        '.' | '(' | ')' | '[' | ']' | '|' | '=' | '%' => (Token::Symbol(character as u8), 1),
        '!' if text.starts_with("!=") => (Token::Symbol(b'!'), 2),
        _ => return Err(format!("unexpected character '{character}'")),
    })
}

fn leading(text: &str, belongs: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take_while(|byte| belongs(*byte)).count();
    text.get(..length).unwrap_or_default()
}
