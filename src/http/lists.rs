//! Headers that are lists: their lines are one list (RFC 9110 §5.3).

use std::borrow::Cow;

use actix_web::http::header::HeaderMap;

/// The elements of a header, on however many lines they came.
#[must_use]
pub fn listed<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?;
    Some(lines.fold(first, |list, line| format!("{list}, {line}").into()))
}
