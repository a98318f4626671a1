//! From pieces to requests: resources are gathered into batches, Bundles are sent as they are.

use std::collections::HashMap;

use super::super::Failure;
use super::piece::Piece;
use super::place::Place;
use super::queue::Queue;
use super::request::{Batch, Request};
use crate::chart::fingerprint;
use crate::http::fhir::KEY_EXTENSION;
use crate::json::{Compactor, quote};

/// Most resources in one batch of ours.
const BATCH_ENTRIES_MAX: usize = 200;
/// Bytes after which a batch of ours takes no further resource.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Gathers resources into batches.
#[derive(Debug, Default)]
pub struct Batcher {
    batch: Batch,
    /// How often content without an identity of its own has come up.
    occurrences: HashMap<String, u32>,
}

impl Batcher {
    /// Takes a piece, and sends what is ready.
    ///
    /// # Errors
    ///
    /// Those of sending.
    pub fn add(
        &mut self,
        place: Place,
        piece: &Piece<'_>,
        queue: &Queue<'_>,
    ) -> Result<(), Failure> {
        let Piece::Bundle(bundle) = piece else {
            let (kind, address, entry) = self.entry(piece);
            // The entries of a batch are worked on in no order.
            let repeats = address.as_ref().is_some_and(|address| self.batch.has(address));
            if repeats || self.batch.bytes() + entry.len() > BATCH_BYTES_MAX {
                self.flush(queue)?;
            }
            self.batch.add(place, kind, address, entry.as_bytes());
            return if self.batch.len() < BATCH_ENTRIES_MAX { Ok(()) } else { self.flush(queue) };
        };
        self.flush(queue)?;
        let occurrences = &mut self.occurrences;
        queue.send(Request::whole(place, *bundle, |content| count(occurrences, content)))
    }

    /// Sends what was gathered.
    ///
    /// # Errors
    ///
    /// Those of sending.
    pub fn flush(&mut self, queue: &Queue<'_>) -> Result<(), Failure> {
        if self.batch.len() == 0 {
            return Ok(());
        }
        queue.send(std::mem::take(&mut self.batch).finish())
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

fn count(occurrences: &mut HashMap<String, u32>, content: &str) -> u32 {
    let count = occurrences.entry(content.to_owned()).or_default();
    *count += 1;
    *count
}
