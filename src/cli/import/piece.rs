//! From a document to what is to be sent for it: a Bundle whole, or resources one by one.

use std::ops::ControlFlow;

use super::super::Failure;
use super::place::Place;
use crate::json::{Document, Node};

/// One operation that a document asks for.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// A Bundle of type transaction or batch: a request as it is.
    Bundle(Node<'a>),
    /// A resource: PUT if it has an id, POST otherwise.
    Resource(Node<'a>),
    /// A deletion in a history: the `Type/id` of the entry's request.
    Deletion(Node<'a>),
}

/// What takes the pieces, or the reason why there is none at a place.
type Sink<'s> = dyn FnMut(Place, Result<Piece<'_>, String>) -> Result<(), Failure> + 's;

/// Splits a document into its pieces, in the order in which they are to be carried out.
///
/// # Errors
///
/// Those of the sink.
pub fn split(document: &Document, place: &Place, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let root = document.root();
    if !root.is_object() {
        return sink(place.clone(), Err("is not a resource: not a JSON object".to_owned()));
    }
    let Some(kind) = root.get_str("resourceType") else {
        let reason = "is not a resource: resourceType is missing, or not a string";
        return sink(place.clone(), Err(reason.to_owned()));
    };
    if kind != "Bundle" {
        return sink(place.clone(), Ok(Piece::Resource(root)));
    }
    match root.get_str("type").as_deref() {
        Some("transaction" | "batch") => sink(place.clone(), Ok(Piece::Bundle(root))),
        // These are one statement as a whole (FHIR R4 §3.3, §2.32).
        Some("document" | "message") => sink(place.clone(), Ok(Piece::Resource(root))),
        bundle_type => entries(root, bundle_type == Some("history"), place, sink),
    }
}

fn entries(
    bundle: Node<'_>,
    is_history: bool,
    place: &Place,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let list = bundle.get("entry");
    let mut entries: Vec<_> = list.into_iter().flat_map(|list| list.items()).enumerate().collect();
    if is_history {
        // Newest first (FHIR R4 §3.1.0.13); what happened first is to be stored first.
        entries.reverse();
    }
    for (at, entry) in entries {
        let piece = match entry_piece(entry, is_history) {
            ControlFlow::Continue(piece) => piece,
            ControlFlow::Break(()) => continue,
        };
        sink(place.entry(at), piece)?;
    }
    Ok(())
}

/// The operation of an entry; breaks off for an outcome of a search, which is no data.
fn entry_piece(entry: Node<'_>, is_history: bool) -> ControlFlow<(), Result<Piece<'_>, String>> {
    let mode = entry.get("search").and_then(|search| search.get_str("mode"));
    if mode.as_deref() == Some("outcome") {
        return ControlFlow::Break(());
    }
    let request = entry.get("request").filter(|_| is_history);
    ControlFlow::Continue(match (entry.get("resource"), request) {
        (Some(resource), _) if resource.get_str("resourceType").is_some() => {
            Ok(Piece::Resource(resource))
        }
        (Some(_), _) => Err("the entry's resource has no resourceType".to_owned()),
        (None, Some(request)) if request.get_str("method").as_deref() == Some("DELETE") => {
            request.get("url").map(Piece::Deletion).ok_or_else(|| "request.url is missing".into())
        }
        (None, _) => Err("the entry has no resource".to_owned()),
    })
}
