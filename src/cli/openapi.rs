//! `chartlog openapi`: the document in `openapi/`.

use super::{Failure, OpenapiArguments, out};
use crate::http::document_text;

/// Writes the OpenAPI document to a file or to stdout.
///
/// # Errors
///
/// [`Failure`]: the file cannot be written, or is there already.
pub fn run(arguments: OpenapiArguments) -> Result<(), Failure> {
    let text = document_text();
    match arguments.output {
        Some(path) => {
            out::expect_absent(&path)?;
            std::fs::write(&path, text)
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
        }
        None => out::hand_over(&text),
    }
}
