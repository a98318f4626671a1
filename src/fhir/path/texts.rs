//! Functions on texts: FHIRPath N1 §5.6, and those of the draft after it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::Regex;
use smallvec::smallvec;

use super::collection;
use super::context::{Context, EvaluationError, error};
use super::function::OnText;
use super::parse::pattern;
use super::value::{Collection, Text, Value, one, text};

type Outcome<'a> = Result<Collection<'a>, EvaluationError>;

/// Steps that a regular expression takes which is known only now.
const PATTERN_STEPS: usize = 1_000;

pub(super) fn call<'a>(
    context: &Context<'a>,
    function: OnText,
    items: &[Value<'a>],
    arguments: &[Collection<'a>],
    known_pattern: Option<&Regex>,
) -> Outcome<'a> {
    let first = || arguments.first().map_or(&[][..], |items| items.as_slice());
    if function == OnText::Join {
        return join(context, items, first());
    }
    let Some(input) = collection::text(items, "the input")? else { return Ok(Collection::new()) };
    context.charge_text(input.len())?;
    match function {
        OnText::Length => Ok(one(i32::try_from(input.chars().count()).ok().map(Value::Integer))),
        OnText::Upper => made(context, input.to_uppercase()),
        OnText::Lower => made(context, input.to_lowercase()),
        OnText::Trim => made(context, input.trim().to_owned()),
        OnText::ToChars => {
            let characters: Collection<'a> =
                input.chars().map(|one| text(one.to_string())).collect();
            context.charge_items(&characters)?;
            Ok(characters)
        }
        OnText::Substring => {
            let start = collection::integer(first(), "the start")?;
            let length = match arguments.get(1) {
                Some(length) => collection::integer(length, "the length")?,
                None => None,
            };
            Ok(one(start.and_then(|start| substring(&input, start, length)).map(text)))
        }
        _ => {
            let Some(argument) = collection::text(first(), "the argument")? else {
                return Ok(Collection::new());
            };
            with_argument(context, function, &input, &argument, arguments, known_pattern)
        }
    }
}

fn with_argument<'a>(
    context: &Context<'a>,
    function: OnText,
    input: &Text<'a>,
    argument: &Text<'a>,
    arguments: &[Collection<'a>],
    known_pattern: Option<&Regex>,
) -> Outcome<'a> {
    let truth = |truth| Ok(smallvec![Value::Boolean(truth)]);
    let replacement = || {
        let items = arguments.get(1).map_or(&[][..], |items| items.as_slice());
        collection::text(items, "the replacement")
    };
    match function {
        OnText::StartsWith => truth(input.starts_with(&**argument)),
        OnText::EndsWith => truth(input.ends_with(&**argument)),
        OnText::Contains => truth(input.contains(&**argument)),
        OnText::IndexOf => Ok(place(input, input.find(&**argument))),
        OnText::LastIndexOf => Ok(place(input, input.rfind(&**argument))),
        OnText::Split => {
            let parts: Collection<'a> = input.split(&**argument).map(text).collect();
            context.charge_items(&parts)?;
            Ok(parts)
        }
        OnText::Replace => {
            let Some(by) = replacement()? else { return Ok(Collection::new()) };
            let count = input.matches(&**argument).count();
            context.charge_text(input.len().saturating_add(count.saturating_mul(by.len())))?;
            made(context, input.replace(&**argument, &by))
        }
        OnText::Matches | OnText::MatchesFull | OnText::ReplaceMatches => {
            let built;
            let pattern = match known_pattern {
                Some(known) => known,
                None => {
                    context.charge(PATTERN_STEPS)?;
                    let pattern = pattern(function, argument);
                    built = pattern.transpose().map_err(error)?;
                    let Some(built) = &built else { return Ok(Collection::new()) };
                    built
                }
            };
            if function != OnText::ReplaceMatches {
                return truth(pattern.is_match(input));
            }
            let Some(by) = replacement()? else { return Ok(Collection::new()) };
            if argument.is_empty() {
                return made(context, (**input).to_owned());
            }
            replaced(context, pattern, input, &by)
        }
        OnText::Encode | OnText::Decode => {
            let coded = coded(function == OnText::Encode, input, argument).map_err(error)?;
            made(context, coded)
        }
        OnText::Escape | OnText::Unescape => {
            let is_escape = function == OnText::Escape;
            match (&**argument, is_escape) {
                ("html", true) => made(context, html_escaped(input)),
                ("html", false) => made(context, html_unescaped(input)),
                ("json", true) => {
                    let quoted = crate::json::quote(input);
                    let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                    made(context, inside.to_owned())
                }
                ("json", false) => {
                    let read = json_unescaped(input);
                    made(context, read.ok_or_else(|| error("the text is not escaped as in JSON"))?)
                }
                _ => Err(error("known are the escapes 'html' and 'json'")),
            }
        }
        _ => Ok(Collection::new()),
    }
}

fn made<'a>(context: &Context<'a>, made: String) -> Outcome<'a> {
    context.charge_text(made.len())?;
    Ok(smallvec![text(made)])
}

/// Quotes may stand without an escape, as in an expression, which has read its own escapes.
fn json_unescaped(input: &str) -> Option<String> {
    let mut quoted = String::from("\"");
    let mut is_escaped = false;
    for character in input.chars() {
        if character == '"' && !is_escaped {
            quoted.push('\\');
        }
        is_escaped = character == '\\' && !is_escaped;
        quoted.push(character);
    }
    quoted.push('"');
    serde_json::from_str(&quoted).ok()
}

/// Places are counted in characters.
fn place<'a>(input: &str, found: Option<usize>) -> Collection<'a> {
    let before = found.and_then(|at| input.get(..at)).map(|before| before.chars().count());
    let place = before.map_or(Some(-1), |count| i32::try_from(count).ok());
    one(place.map(Value::Integer))
}

fn substring(input: &str, start: i32, length: Option<i32>) -> Option<String> {
    let start = usize::try_from(start).ok()?;
    let mut characters = input.chars().skip(start).peekable();
    characters.peek()?;
    match length {
        None => Some(characters.collect()),
        Some(length) => Some(characters.take(usize::try_from(length).unwrap_or(0)).collect()),
    }
}

fn join<'a>(context: &Context<'a>, items: &[Value<'a>], separator: &[Value<'a>]) -> Outcome<'a> {
    let separator = collection::text(separator, "the separator")?;
    let separator = separator.as_deref().unwrap_or_default();
    if items.is_empty() {
        return Ok(Collection::new());
    }
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let part = item.text();
        let part = part.ok_or_else(|| {
            error(format!("texts can be joined, and one is a {}", item.type_name()))
        })?;
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&part);
        context.charge_text(joined.len())?;
    }
    Ok(smallvec![text(joined)])
}

/// Replaces what matches; the replacement may name groups as `$1`.
fn replaced<'a>(context: &Context<'a>, pattern: &Regex, input: &str, by: &str) -> Outcome<'a> {
    let mut made_text = String::new();
    let mut behind = 0;
    for captures in pattern.captures_iter(input) {
        let Some(whole) = captures.get(0) else { continue };
        made_text.push_str(input.get(behind..whole.start()).unwrap_or_default());
        captures.expand(by, &mut made_text);
        behind = whole.end();
        context.charge_text(made_text.len())?;
    }
    made_text.push_str(input.get(behind..).unwrap_or_default());
    made(context, made_text)
}

fn coded(is_encoded: bool, input: &str, how: &str) -> Result<String, String> {
    let bytes = match (how, is_encoded) {
        ("base64", true) => return Ok(STANDARD.encode(input)),
        ("urlbase64", true) => return Ok(URL_SAFE.encode(input)),
        ("hex", true) => return Ok(input.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("base64", false) => STANDARD.decode(input).ok(),
        ("urlbase64", false) => URL_SAFE.decode(input).ok(),
        ("hex", false) => hex(input),
        _ => return Err("known are the codings 'base64', 'urlbase64' and 'hex'".to_owned()),
    };
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| format!("the text is not the {how} of a text"))
}

fn hex(input: &str) -> Option<Vec<u8>> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = input.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    });
    pairs.collect()
}

const HTML: [(&str, char); 5] =
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];

fn html_escaped(input: &str) -> String {
    let mut escaped = String::with_capacity(input.len());
    for character in input.chars() {
        match HTML.iter().find(|(_, known)| *known == character) {
            Some((entity, _)) => escaped.push_str(entity),
            None => escaped.push(character),
        }
    }
    escaped
}

fn html_unescaped(input: &str) -> String {
    let mut read = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(character) = rest.chars().next() {
        let entity = HTML.iter().find(|(entity, _)| rest.starts_with(entity));
        let (character, length) = match entity {
            Some((entity, character)) => (*character, entity.len()),
            None => (character, character.len_utf8()),
        };
        read.push(character);
        rest = rest.get(length..).unwrap_or_default();
    }
    read
}
