//! What the access entry says of each entry of a Bundle.

use super::reader::relative;
use crate::access::Part;
use crate::auth::Seen;
use crate::http::Failure;
use crate::http::state::State;
use crate::http::visit::{Asked, Ending, look};
use crate::json::Node;

/// The part about the entry with that number.
pub(super) fn part(
    state: &State,
    at: usize,
    asked: &Asked<'_>,
    seen: Seen,
    ending: Ending,
) -> Part {
    // A Bundle has far fewer entries.
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    Part { at, look: look(state, asked, seen, ending) }
}

/// The part about an entry that writes, or that was not understood.
pub(super) fn of_write(
    state: &State,
    at: usize,
    entry: Node<'_>,
    result: Result<Seen, &Failure>,
) -> Part {
    let text = |name: &str| entry.get("request").and_then(|request| request.get_str(name));
    let method = text("method").unwrap_or_default();
    let url = text("url").unwrap_or_default();
    let mut words = format!("/fhir/{}", relative(&state.fhir_base, &url));
    if let Some(criteria) = text("ifNoneExist") {
        words.push('?');
        words.push_str(&criteria);
    }
    let has_query = words.contains('?');
    let (operation, route) = match (&*method, has_query) {
        ("POST", _) => ("createResource", "POST /fhir/{type}"),
        ("PUT", false) => ("updateResource", "PUT /fhir/{type}/{id}"),
        ("PUT", true) => ("conditionalUpdate", "PUT /fhir/{type}"),
        ("PATCH", false) => ("patchResource", "PATCH /fhir/{type}/{id}"),
        ("PATCH", true) => ("conditionalPatch", "PATCH /fhir/{type}"),
        ("DELETE", false) => ("deleteResource", "DELETE /fhir/{type}/{id}"),
        ("DELETE", true) => ("conditionalDelete", "DELETE /fhir/{type}"),
        _ => ("transaction", "POST /fhir"),
    };
    let asked = Asked { operation, route, words: &words, has_query: true };
    match result {
        Ok(seen) => {
            part(state, at, &asked, seen, Ending::granted(actix_web::http::StatusCode::OK, 0))
        }
        Err(failure) => part(state, at, &asked, Seen::default(), Ending::failed(failure)),
    }
}
