//! Pages: how many, and where the next one starts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, Failure};
use crate::fhir::check::IssueCode;

/// The page size that a request of the native API asks for under that name.
///
/// # Errors
///
/// 400: not a number, or not within the server's limits.
pub fn page_size(call: &Call, name: &str) -> Result<usize, Failure> {
    let limits = &call.options().limits;
    let most = limits.page_size_max;
    let must_be = format!("a number from 1 to {most}");
    match call.parameter::<usize>(name, &must_be)? {
        None => Ok(limits.page_size_default),
        Some(size) if (1..=most).contains(&size) => Ok(size),
        Some(_) => Err(Failure::at(IssueCode::Value, name, format!("{name} must be {must_be}"))),
    }
}

/// The page size that a request of the FHIR API asks for under that name. Above the server's limit it is lowered:
/// a client must expect fewer than it asked for (R4 §3.1.1.5.6).
///
/// # Errors
///
/// 400: not a number.
pub fn lowered_page_size(call: &Call, name: &str) -> Result<usize, Failure> {
    page_size_of(call, name, call.parameter::<String>(name, "a number, 0 or more")?.as_deref())
}

/// The same of a parameter that was taken out of the query.
///
/// # Errors
///
/// 400: not a number.
pub fn page_size_of(call: &Call, name: &str, asked: Option<&str>) -> Result<usize, Failure> {
    let limits = &call.options().limits;
    let wrong =
        || Failure::at(IssueCode::Value, name, format!("{name} must be a number, 0 or more"));
    let asked = asked.map(|asked| asked.parse::<usize>().map_err(|_| wrong())).transpose()?;
    Ok(asked.unwrap_or(limits.page_size_default).min(limits.page_size_max))
}

/// Seals what the next page has to know, for a request that asks for the same.
///
/// # Errors
///
/// 500: the cryptographic library refused.
pub fn seal_cursor(call: &Call, request: &str, place: &impl Serialize) -> Result<String, Failure> {
    let bytes = postcard::to_stdvec(place).map_err(|_| Failure::internal())?;
    let sealed = call.records().engine().cursors().seal(request.as_bytes(), &bytes);
    Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(|_| Failure::internal())?))
}

/// What such a cursor says.
///
/// # Errors
///
/// 400: this server did not give it out, or for another request.
pub fn open_cursor<T: DeserializeOwned>(
    call: &Call,
    name: &str,
    request: &str,
    text: &str,
) -> Result<T, Failure> {
    let sealed = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let bytes = call.records().engine().cursors().open(request.as_bytes(), &sealed);
    bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).ok_or_else(|| {
        let diagnostics = "not a cursor that this server gave out for this search: take the link to the \
                           next page as it is";
        Failure::at(IssueCode::Value, name, diagnostics)
    })
}

/// The opaque text that stands for a place between two pages.
#[must_use]
pub fn cursor(number: u64) -> String {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

/// The place that a request's cursor stands for.
///
/// # Errors
///
/// 400: not a cursor that this server gave out.
pub fn read_cursor(call: &Call, name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = call.parameter::<String>(name, "a cursor")? else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(&text).ok();
    let number = bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map(u64::from_be_bytes);
    let wrong = || {
        Failure::at(
            IssueCode::Value,
            name,
            "not a cursor of this server: take it from the link to the next page",
        )
    };
    number.map(Some).ok_or_else(wrong)
}
