//! Requests: Bundles, each with an idempotency key made of its content.

use std::ops::Range;

use super::place::Place;
use crate::chart::fingerprint;
use crate::json::{Compactor, Node};

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
    /// Bytes that were read from files for it: since the request before.
    pub bytes_read: u64,
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

/// A batch of ours, to which entries are added one by one.
#[derive(Debug)]
pub struct Batch {
    body: Vec<u8>,
    parts: Vec<Part>,
}

impl Request {
    /// `Type/id` of all entries that say it.
    pub fn addresses(&self) -> impl Iterator<Item = &String> {
        self.parts.iter().filter_map(|part| part.address.as_ref())
    }

    /// A request for some of the parts of a batch of ours: each has a key of its own. A Bundle of
    /// others stays whole.
    pub fn only(&self, wanted: impl Fn(usize) -> bool) -> Self {
        if self.place.is_some() {
            return self.clone();
        }
        let mut batch = Batch::default();
        for (_, part) in self.parts.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            let entry = self.body.get(part.range.clone()).unwrap_or_default();
            batch.add(part.place.clone(), part.kind.clone(), part.address.clone(), entry);
        }
        batch.finish()
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
        Self { body, key, parts, place: Some(place), bytes_read: 0 }
    }
}

impl Batch {
    /// Adds an entry.
    pub fn add(&mut self, place: Place, kind: String, address: Option<String>, entry: &[u8]) {
        if !self.parts.is_empty() {
            self.body.push(b',');
        }
        let start = self.body.len();
        self.body.extend_from_slice(entry);
        self.parts.push(Part { place, kind, address, range: start..self.body.len() });
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Bytes of the Bundle so far.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Whether an entry has this address.
    pub fn has(&self, address: &str) -> bool {
        self.parts.iter().any(|part| part.address.as_deref() == Some(address))
    }

    /// The request for all entries.
    pub fn finish(mut self) -> Request {
        self.body.extend_from_slice(BATCH_TAIL.as_bytes());
        let key = fingerprint(&[&self.body]);
        Request { key, body: self.body, parts: self.parts, place: None, bytes_read: 0 }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { body: BATCH_HEAD.as_bytes().to_vec(), parts: Vec::new() }
    }
}
