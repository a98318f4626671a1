//! From pieces to requests: Bundles, each with idempotency keys made of what they say.

use std::collections::HashMap;
use std::ops::Range;

use super::super::Failure;
use super::pass::Lane;
use super::piece::Piece;
use super::tally::Place;
use crate::chart::fingerprint;
use crate::http::fhir::KEY_EXTENSION;
use crate::json::{Compactor, Node, quote};

/// Most resources in one batch of ours.
const BATCH_ENTRIES_MAX: usize = 200;
/// Bytes after which a batch of ours takes no further resource.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// What stands before and behind the entries of a batch of ours.
const BATCH_HEAD: &str = r#"{"resourceType":"Bundle","type":"batch","entry":["#;
const BATCH_TAIL: &str = "]}";

/// A Bundle to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The Bundle, compact.
    pub body: Vec<u8>,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its entries, in their order.
    pub parts: Vec<Part>,
    /// The place of the Bundle in a file; `None` for a batch of ours.
    pub place: Option<Place>,
}

/// One entry of a request.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where it was found.
    pub place: Place,
    /// The resource's type.
    pub kind: String,
    /// `Type/id`, if the request says it.
    pub address: Option<String>,
    /// Where the entry lies in the body; empty if the Bundle is not ours.
    range: Range<usize>,
}

impl Request {
    fn of_parts(body: Vec<u8>, parts: Vec<Part>) -> Self {
        Self { key: fingerprint(&[&body]), body, parts, place: None }
    }

    /// A request for some of the parts of a batch of ours: each has a key of its own. A Bundle of
    /// others stays whole.
    pub fn only(&self, wanted: impl Fn(usize) -> bool) -> Self {
        if self.place.is_some() {
            return self.clone();
        }
        let (mut body, mut parts) = (BATCH_HEAD.as_bytes().to_vec(), Vec::new());
        for (_, part) in self.parts.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            let entry = self.body.get(part.range.clone()).unwrap_or_default();
            parts.push(Part { range: append(&mut body, entry, parts.is_empty()), ..part.clone() });
        }
        body.extend_from_slice(BATCH_TAIL.as_bytes());
        Self::of_parts(body, parts)
    }

    /// A transaction or batch Bundle as it is. `occurrence` tells equal ones apart.
    pub fn whole(place: Place, bundle: Node<'_>, occurrence: impl FnOnce(&str) -> u32) -> Self {
        let mut body = Compactor::new(bundle.text().len(), &|_, _| None);
        body.value("", bundle);
        let body = body.finish();
        let content = fingerprint(&[&body]);
        let key = format!("{content}-{}", occurrence(&content));
        let entries = bundle.get("entry");
        let entries = entries.into_iter().flat_map(|entries| entries.items()).enumerate();
        let part = |(at, entry): (usize, Node<'_>)| {
            let request = entry.get("request");
            let text = |name| request.and_then(|request| request.get_str(name));
            let url = text("url").unwrap_or_default().into_owned();
            let kind = url.split(['/', '?']).next().unwrap_or_default().to_owned();
            let is_create = text("method").as_deref() == Some("POST");
            let address = (!is_create).then_some(url);
            Part { place: place.entry(at), kind, address, range: 0..0 }
        };
        let parts = entries.map(part).collect();
        Self { body, key, parts, place: Some(place) }
    }
}

/// Gathers resources into batches.
#[derive(Debug, Default)]
pub struct Batcher {
    body: Vec<u8>,
    parts: Vec<Part>,
    /// How often content without an identity of its own has come up.
    occurrences: HashMap<String, u32>,
}

impl Batcher {
    /// Takes a piece, and sends what is ready.
    ///
    /// # Errors
    ///
    /// Those of sending.
    pub fn add(&mut self, place: Place, piece: &Piece<'_>, lane: &Lane<'_>) -> Result<(), Failure> {
        let Piece::Bundle(bundle) = piece else {
            let (kind, address, entry) = self.entry(piece);
            // The entries of a batch are worked on in no order.
            let repeats =
                address.is_some() && self.parts.iter().any(|part| part.address == address);
            if repeats || self.body.len() + entry.len() > BATCH_BYTES_MAX {
                self.flush(lane)?;
            }
            if self.parts.is_empty() {
                self.body.extend_from_slice(BATCH_HEAD.as_bytes());
            }
            let range = append(&mut self.body, entry.as_bytes(), self.parts.is_empty());
            self.parts.push(Part { place, kind, address, range });
            return if self.parts.len() < BATCH_ENTRIES_MAX { Ok(()) } else { self.flush(lane) };
        };
        self.flush(lane)?;
        let occurrences = &mut self.occurrences;
        lane.send(Request::whole(place, *bundle, |content| count(occurrences, content)))
    }

    /// Sends what was gathered.
    ///
    /// # Errors
    ///
    /// Those of sending.
    pub fn flush(&mut self, lane: &Lane<'_>) -> Result<(), Failure> {
        if self.parts.is_empty() {
            return Ok(());
        }
        self.body.extend_from_slice(BATCH_TAIL.as_bytes());
        let (body, parts) = (std::mem::take(&mut self.body), std::mem::take(&mut self.parts));
        lane.send(Request::of_parts(body, parts))
    }

    /// Type, address and text of the entry for a piece.
    fn entry(&mut self, piece: &Piece<'_>) -> (String, Option<String>, String) {
        let (resource, url) = match piece {
            Piece::Bundle(resource) | Piece::Resource(resource) => (Some(resource), None),
            Piece::Deletion(url) => (None, url.as_str().map(std::borrow::Cow::into_owned)),
        };
        let text = |name| resource.and_then(|resource| resource.get_str(name));
        let of_url = url.as_deref().and_then(|url| url.split('/').next());
        let kind = text("resourceType").as_deref().or(of_url).unwrap_or_default().to_owned();
        let address = url.or_else(|| text("id").map(|id| format!("{kind}/{id}")));
        let method = match (&address, resource) {
            (_, None) => "DELETE",
            (Some(_), _) => "PUT",
            (None, _) => "POST",
        };
        let body = resource.map(|resource| {
            let mut compact = Compactor::new(resource.text().len(), &|_, _| None);
            compact.value("", *resource);
            String::from_utf8_lossy(&compact.finish()).into_owned()
        });
        let body = body.unwrap_or_default();
        let url = address.as_ref().unwrap_or(&kind);
        let content =
            fingerprint(&[method.as_bytes(), b" ", url.as_bytes(), b"\n", body.as_bytes()]);
        let occurrence = match address {
            // The same content at the same address is the same twice over.
            Some(_) => 1,
            None => count(&mut self.occurrences, &content),
        };
        let member = if body.is_empty() { String::new() } else { format!(r#""resource":{body},"#) };
        let entry = format!(
            r#"{{{member}"request":{{"method":"{method}","url":{},"extension":[{{"url":"{KEY_EXTENSION}","valueString":"{content}-{occurrence}"}}]}}}}"#,
            quote(url)
        );
        (kind, address, entry)
    }
}

fn append(body: &mut Vec<u8>, entry: &[u8], is_first: bool) -> Range<usize> {
    if !is_first {
        body.push(b',');
    }
    let start = body.len();
    body.extend_from_slice(entry);
    start..body.len()
}

fn count(occurrences: &mut HashMap<String, u32>, content: &str) -> u32 {
    let count = occurrences.entry(content.to_owned()).or_default();
    *count += 1;
    *count
}
