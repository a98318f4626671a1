//! The words of an expression: FHIRPath N1 §3, and the lexer of its grammar.

use std::borrow::Cow;

use super::PathError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An element, type, function or operator that is written in letters.
    Name(&'a str),
    /// A name in backticks, which is never an operator.
    Quoted(Cow<'a, str>),
    /// The characters between single quotes.
    Text(Cow<'a, str>),
    /// Digits, perhaps with a decimal point among them.
    Number(&'a str),
    /// A date, time or both, without the `@` in front.
    Moment(&'a str),
    /// `$this`, `$index` or `$total`, without the dollar.
    Special(&'a str),
    /// `%name`, `` %`name` `` or `%'name'`, without the percent sign.
    Variable(Cow<'a, str>),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

/// A token and the byte offset where it begins.
pub(super) type Placed<'a> = (Token<'a>, usize);

/// The longer ones stand before those with which they begin.
const SYMBOLS: [&str; 25] = [
    "<=", ">=", "!=", "!~", ".", "(", ")", "[", "]", "{", "}", ",", "|", "=", "~", "<", ">", "+",
    "-", "*", "/", "&", "!", "%", "$",
];

/// Splits an expression into tokens; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, PathError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let at = |rest: &str| text.len() - rest.len();
        rest = behind_blanks(rest)
            .map_err(|problem| PathError { problem: problem.to_owned(), offset: at(rest) })?;
        let offset = at(rest);
        let (token, length) = first(rest).map_err(|problem| PathError { problem, offset })?;
        let is_end = token == Token::End;
        tokens.push((token, offset));
        if is_end {
            return Ok(tokens);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// What follows white space and comments.
fn behind_blanks(mut text: &str) -> Result<&str, &'static str> {
    loop {
        text = text.trim_ascii_start();
        if let Some(comment) = text.strip_prefix("//") {
            text = comment.find(['\n', '\r']).and_then(|end| comment.get(end..)).unwrap_or("");
        } else if let Some(comment) = text.strip_prefix("/*") {
            let (_, behind) = comment.split_once("*/").ok_or("the comment has no end")?;
            text = behind;
        } else {
            return Ok(text);
        }
    }
}

/// The token at the beginning of a text, and how many bytes it takes.
fn first(text: &str) -> Result<(Token<'_>, usize), String> {
    let Some(character) = text.chars().next() else {
        return Ok((Token::End, 0));
    };
    let behind = text.get(1..).unwrap_or_default();
    match character {
        'a'..='z' | 'A'..='Z' | '_' => {
            let name = name(text);
            Ok((Token::Name(name), name.len()))
        }
        '0'..='9' => {
            let number = number(text);
            Ok((Token::Number(number), number.len()))
        }
        '\'' => quoted(text, '\'').map(|(inside, length)| (Token::Text(inside), length)),
        '`' => quoted(text, '`').map(|(inside, length)| (Token::Quoted(inside), length)),
        '@' => {
            let moment = moment(behind);
            match moment {
                "" => {
                    Err("behind '@' a date or a time is expected, such as @2026-03-01".to_owned())
                }
                _ => Ok((Token::Moment(moment), moment.len() + 1)),
            }
        }
        '$' => match name(behind) {
            special @ ("this" | "index" | "total") => {
                Ok((Token::Special(special), special.len() + 1))
            }
            _ => Err("behind '$' only this, index and total are known".to_owned()),
        },
        '%' => variable(behind),
        _ => match SYMBOLS.iter().find(|symbol| text.starts_with(**symbol)) {
            Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
            None => Err(format!("unexpected character '{character}'")),
        },
    }
}

fn variable(behind: &str) -> Result<(Token<'_>, usize), String> {
    if let Some(quote @ ('\'' | '`' | '"')) = behind.chars().next() {
        let (inside, length) = quoted(behind, quote)?;
        return Ok((Token::Variable(inside), length + 1));
    }
    match name(behind) {
        "" => Err("behind '%' the name of a variable is expected".to_owned()),
        name => Ok((Token::Variable(name.into()), name.len() + 1)),
    }
}

fn name(text: &str) -> &str {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return "";
    }
    leading(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn number(text: &str) -> &str {
    let whole = digits(text).len();
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or("", digits);
    let length = if fraction.is_empty() { whole } else { whole + 1 + fraction.len() };
    text.get(..length).unwrap_or_default()
}

/// As much as can belong to a date or time; whether it is one is seen when it is read.
fn moment(text: &str) -> &str {
    let mut length = 0;
    let mut take = |pattern: &str| {
        let rest = text.as_bytes().get(length..).unwrap_or_default();
        let fits = pattern.bytes().zip(rest).filter(|(pattern, byte)| match pattern {
            b'0' => byte.is_ascii_digit(),
            other => other == *byte,
        });
        let found = fits.count() == pattern.len();
        length += if found { pattern.len() } else { 0 };
        found
    };
    let is_time = take("T00");
    if !is_time {
        let _ = take("0000") && take("-00") && take("-00");
        if !take("T") {
            return text.get(..length).unwrap_or_default();
        }
        if !take("00") {
            return text.get(..length).unwrap_or_default();
        }
    }
    if take(":00") && take(":00") && take(".0") {
        while take("0") {}
    }
    let _ = !is_time && (take("Z") || take("+00:00") || take("-00:00"));
    text.get(..length).unwrap_or_default()
}

fn digits(text: &str) -> &str {
    leading(text, |byte| byte.is_ascii_digit())
}

fn leading(text: &str, belongs: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take_while(|byte| belongs(*byte)).count();
    text.get(..length).unwrap_or_default()
}

/// What stands between quotes, and how many bytes it takes with them: FHIRPath N1 §4.1.2.
fn quoted(text: &str, quote: char) -> Result<(Cow<'_, str>, usize), String> {
    let inside = text.get(1..).unwrap_or_default();
    let end = inside.find([quote, '\\']).ok_or("the text in quotes has no end")?;
    let plain = inside.get(..end).unwrap_or_default();
    if inside.get(end..).is_some_and(|rest| rest.starts_with(quote)) {
        return Ok((Cow::Borrowed(plain), end + 2));
    }
    let mut characters = inside.char_indices();
    let mut read = String::new();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Ok((Cow::Owned(read), at + 2));
        }
        if character != '\\' {
            read.push(character);
            continue;
        }
        let escaped = characters.next().map(|(_, escaped)| escaped);
        read.push(match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('f') => '\u{c}',
            Some('u') => {
                let code = characters.as_str().get(..4);
                let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
                let character = code.and_then(char::from_u32);
                let _ = characters.nth(3);
                character.ok_or("behind \\u four hexadecimal digits of a character are expected")?
            }
            Some(mark @ ('\'' | '"' | '`' | '\\' | '/')) => mark,
            Some(other) => return Err(format!("\\{other} is no escape of FHIRPath")),
            None => break,
        });
    }
    Err("the text in quotes has no end".to_owned())
}
