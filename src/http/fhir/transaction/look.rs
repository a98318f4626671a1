//! Entries that store nothing: the same operations as those of requests of their own.

use std::sync::Arc;

use super::super::{Call, Failure, Reply};
use super::operations::{Operation, Segments, find};
use super::reader::Reader;
use crate::auth::Grant;
use crate::fhir::check::IssueCode;
use crate::fhir::{ResourceKey, ResourceType, parse_query};
use crate::http::body::Body;
use crate::http::call::Asked;
use crate::http::query::drop_empty;
use crate::http::rendering::Rendering;
use crate::http::reply::FHIR_JSON;
use crate::http::visit;
use crate::json::{Document, Node};
use crate::numbers::ResourceVersion;
use crate::records::{ReadBehind, ReadPart, Records};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Look {
    operation: &'static Operation,
    segments: Segments,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    /// Where in the document its body is.
    body: Option<usize>,
    /// Its address, as a request of its own would have it.
    words: String,
    /// HEAD: how it is answered, without the content.
    pub(super) is_head: bool,
    /// `Bundle.entry[3]`
    pub(super) place: String,
}

impl Look {
    /// Understands an entry, if it asks for an operation that stores nothing.
    pub(super) fn read(
        reader: Reader<'_>,
        entry: Node<'_>,
        request: Node<'_>,
        method: &str,
        url: &str,
    ) -> Result<Option<Self>, Failure> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let is_head = method == "HEAD";
        let found = find(if is_head { "GET" } else { method }, path);
        let Some((operation, segments)) = found else {
            if !is_head && method != "GET" {
                return Ok(None);
            }
            let diagnostics = format!("\"{path}\" is not what a Bundle can read");
            return Err(reader.wrong(IssueCode::NotSupported, "request.url", diagnostics));
        };
        let mut query = parse_query(query)
            .map_err(|error| reader.wrong(IssueCode::Value, "request.url", error.to_string()))?;
        drop_empty(&mut query);
        let mut headers = Vec::new();
        for (header, member) in
            [("if-none-match", "ifNoneMatch"), ("if-modified-since", "ifModifiedSince")]
        {
            let text = reader.text(request, member)?;
            headers.extend(text.map(|text| (header, text.into_owned())));
        }
        let body = entry.get("resource");
        if body.is_some() && operation.is_search() {
            let diagnostics = "a search has no resource: its parameters stand in request.url";
            return Err(reader.wrong(IssueCode::Invariant, "resource", diagnostics));
        }
        Ok(Some(Self {
            operation,
            segments,
            query,
            headers,
            body: body.map(|body| body.index()),
            words: format!("/fhir/{url}"),
            is_head,
            place: reader.place.to_owned(),
        }))
    }

    /// What it asks for, as the access entry says it.
    pub(super) fn asked(&self) -> visit::Asked<'_> {
        let Operation { id: operation, route, .. } = *self.operation;
        visit::Asked { operation, route, words: &self.words, has_query: !self.query.is_empty() }
    }

    /// The one resource that it reads, if that may be one that the same request writes.
    pub(super) fn behind(&self, is_there: bool) -> Option<ReadBehind> {
        let segment = |name: &str| {
            let segment = self.segments.iter().find(|(known, _)| *known == name);
            segment.map(|(_, text)| text.as_str())
        };
        let part = match self.operation.id {
            "readResource" | "resourceMeta" => ReadPart::Current,
            "patientEverything" | "patientEverythingByPost" => ReadPart::Current,
            "encounterEverything" | "encounterEverythingByPost" => ReadPart::Current,
            "readResourceHistory" => ReadPart::History,
            "readResourceVersion" => {
                ReadPart::Version(ResourceVersion::named(segment("version")?)?)
            }
            _ => return None,
        };
        let kind = || self.operation.route.split('/').nth(2);
        let kind = segment("type").or_else(kind)?;
        let key = ResourceKey::new(kind.parse().ok()?, segment("id")?.parse().ok()?);
        let is_of_past = self.query.iter().any(|(name, _)| name == "_asOf");
        // What is made here is never written.
        let is_made_here = key.kind == ResourceType::AUDIT_EVENT;
        let place = self.place.clone();
        (!is_of_past && !is_made_here).then_some(ReadBehind { place, key, part, is_there })
    }

    /// Carries it out on a state of the store, with the rights of the whole request.
    pub(super) async fn answer(
        &self,
        call: &Call,
        document: &Document,
        grant: &Arc<Grant>,
        records: &Arc<Records>,
    ) -> Result<Reply, Failure> {
        let mut query = self.query.clone();
        let rendering = Rendering::take(Some(FHIR_JSON), &mut query)?;
        let mut headers = self.headers.clone();
        headers.extend(call.list_header("prefer").map(|prefer| ("prefer", prefer.into_owned())));
        let body = self.body.map(|index| document.node(index).text().as_bytes().to_vec());
        let inner = Call {
            state: Arc::clone(&call.state),
            records: Arc::clone(records),
            grant: Arc::clone(grant),
            asked: Asked::Entry { segments: self.segments.clone(), headers },
            query,
            rendering: rendering.clone(),
            body: Body::of_entry(body.unwrap_or_default()),
            place: Arc::clone(&call.place),
        };
        (self.operation.answer)(inner).await.map(|reply| rendering.apply(reply))
    }
}
