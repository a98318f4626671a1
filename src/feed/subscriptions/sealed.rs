//! What a file says sealed: only this server, with its vault, can read it, and only where it belongs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::feed::webhook::NoKey;
use crate::seal::CursorKey;

/// Seals something of a subscription.
///
/// # Errors
///
/// [`NoKey`]: the cryptographic library refused.
pub fn seal(key: &CursorKey, what: &str, id: &str, bytes: &[u8]) -> Result<String, NoKey> {
    let sealed = key.seal(label(what, id).as_bytes(), bytes).map_err(|_| NoKey)?;
    Ok(STANDARD.encode(sealed))
}

/// Opens it.
///
/// # Errors
///
/// [`NoKey`]: another server sealed it, or it is something else, or of another subscription.
pub fn open(key: &CursorKey, what: &str, id: &str, sealed: &str) -> Result<Vec<u8>, NoKey> {
    let bytes = STANDARD.decode(sealed).map_err(|_| NoKey)?;
    key.open(label(what, id).as_bytes(), &bytes).ok_or(NoKey)
}

fn label(what: &str, id: &str) -> String {
    format!("chartlog subscription v1 {what} {id}")
}
