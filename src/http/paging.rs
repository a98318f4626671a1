//! Pages: how many, and where the next one starts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Call, Failure};
use crate::fhir::check::IssueCode;

/// The page size that a request asks for under that name, within the server's limits.
///
/// # Errors
///
/// 400: not a number.
pub fn page_size(call: &Call, name: &str) -> Result<usize, Failure> {
    let options = call.options();
    let asked = call.parameter::<usize>(name, "a number, 0 or more")?;
    Ok(asked.unwrap_or(options.limits.page_size_default).min(options.limits.page_size_max))
}

/// The opaque text that stands for a place between two pages.
#[must_use]
pub fn cursor(number: u64) -> String {
    cursor_of([number])
}

/// The same of a place that takes several numbers.
#[must_use]
pub fn cursor_of<const NUMBERS: usize>(place: [u64; NUMBERS]) -> String {
    URL_SAFE_NO_PAD.encode(place.map(u64::to_be_bytes).as_flattened())
}

/// The place that a request's cursor stands for.
///
/// # Errors
///
/// 400: not a cursor that this server gave out.
pub fn read_cursor(call: &Call, name: &str) -> Result<Option<u64>, Failure> {
    Ok(read_cursor_of(call, name)?.map(|[number]| number))
}

/// The same of a place that takes several numbers.
///
/// # Errors
///
/// 400: not a cursor that this server gave out.
pub fn read_cursor_of<const NUMBERS: usize>(
    call: &Call,
    name: &str,
) -> Result<Option<[u64; NUMBERS]>, Failure> {
    let Some(text) = call.parameter::<String>(name, "a cursor")? else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap_or_default();
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: Vec<u64> = numbers.iter().copied().map(u64::from_be_bytes).collect();
    match numbers.try_into() {
        Ok(numbers) if rest.is_empty() => Ok(Some(numbers)),
        _ => Err(Failure::at(
            IssueCode::Value,
            name,
            "not a cursor of this server: take it from the link to the next page",
        )),
    }
}
