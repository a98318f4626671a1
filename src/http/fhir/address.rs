//! Queries of addresses, taken apart.

use super::Failure;
use crate::fhir::check::IssueCode;

/// Names and values of a query, decoded.
pub type Pairs = Vec<(String, String)>;

/// Takes the one value of a parameter out.
///
/// # Errors
///
/// 400: it is given twice.
pub fn take(pairs: &mut Pairs, name: &str) -> Result<Option<String>, Failure> {
    let mut values = pairs.extract_if(.., |(known, _)| known == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Failure::at(IssueCode::Value, name, format!("{name} may be given once"))),
    }
}

/// Takes out whether matches are to be counted.
///
/// # Errors
///
/// 400.
pub fn wants_total(pairs: &mut Pairs) -> Result<bool, Failure> {
    // A client of that name sends it so.
    match take(pairs, "_total")?.or(take(pairs, "_totalMethod")?).as_deref() {
        None | Some("none") => Ok(false),
        Some("accurate" | "estimate" | "count") => Ok(true),
        Some(_) => {
            let diagnostics = "must be none, estimate or accurate";
            Err(Failure::at(IssueCode::Value, "_total", diagnostics))
        }
    }
}
