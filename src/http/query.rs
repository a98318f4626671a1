//! The query of a request: decoded, its parameters, and put together for links.

use std::str::FromStr;

use super::{Failure, Fault};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::parse_query;

/// The one value of a parameter.
pub(super) fn parameter<T: FromStr>(
    query: &[(String, String)],
    name: &str,
    must_be: &str,
) -> Result<Option<T>, Failure> {
    let mut values = query.iter().filter(|(known, _)| known == name);
    let Some((_, text)) = values.next() else { return Ok(None) };
    let wrong = |why: String| {
        let problem =
            Problem { code: IssueCode::Value, expression: name.to_owned(), diagnostics: why };
        Failure::invalid(vec![problem])
    };
    if values.next().is_some() {
        return Err(wrong(format!("{name} may be given once")));
    }
    text.parse().map(Some).map_err(|_| wrong(format!("{name} must be {must_be}")))
}

/// Refuses parameters outside a list, naming them all.
pub(super) fn allow_parameters(
    query: &[(String, String)],
    allowed: &[&str],
) -> Result<(), Failure> {
    let unknown = query.iter().filter(|(name, _)| !allowed.contains(&name.as_str()));
    let problem = |(name, _): &(String, String)| Problem {
        code: IssueCode::NotSupported,
        expression: name.clone(),
        diagnostics: match allowed {
            [] => "this operation takes no query parameters".to_owned(),
            _ => format!("this operation takes only {}", allowed.join(", ")),
        },
    };
    let problems: Vec<Problem> = unknown.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure::invalid(problems)) }
}

/// Leaves out the parameters of a read or a search that are empty (FHIR R4 §3.1.1.3), as those of a form
/// that was not filled in. Not those of this server that say which state is asked for: an answer of
/// another state than was meant would look the same.
pub(super) fn drop_empty(query: &mut Vec<(String, String)>) {
    query.retain(|(name, value)| !value.is_empty() || matches!(&**name, "_asOf" | "_cursor"));
}

/// Decodes a query string.
pub(super) fn decoded(query: &str) -> Result<Vec<(String, String)>, Failure> {
    parse_query(query)
        .map_err(|error| Failure::of(Fault::Invalid, format!("the query cannot be read: {error}")))
}

/// The query that these come from.
pub(super) fn joined<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let pairs = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encodes what may not stand in a query as it is (RFC 3986 §3.4).
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'/'
            | b',' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
