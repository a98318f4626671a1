//! Reads within a Bundle: the same interactions as those of their own.

use std::sync::Arc;

use super::super::{Call, Failure, Reply, everything, history, read, search};
use super::reader::Reader;
use crate::auth::Grant;
use crate::fhir::check::IssueCode;
use crate::fhir::parse_query;
use crate::http::body::Body;
use crate::http::call::Asked;
use crate::http::rendering::Rendering;
use crate::http::reply::FHIR_JSON;
use crate::http::visit;
use crate::json::Node;
use crate::records::Records;

/// What is to be read.
#[derive(Debug)]
pub(super) struct Look {
    interaction: Interaction,
    segments: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    /// Its address, as a request of its own would have it.
    words: String,
    /// HEAD: how it is answered, without the content.
    pub(super) is_head: bool,
    /// `Bundle.entry[3]`
    pub(super) place: String,
}

#[derive(Debug, Clone, Copy)]
enum Interaction {
    Read,
    ReadVersion,
    Search,
    SearchSystem,
    SearchCompartment,
    History,
    TypeHistory,
    SystemHistory,
    Everything,
}

impl Look {
    /// Understands an entry with the method GET or HEAD.
    pub(super) fn read(
        reader: Reader<'_>,
        request: Node<'_>,
        url: &str,
        is_head: bool,
    ) -> Result<Self, Failure> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let parts: Vec<&str> = path.split('/').collect();
        let (interaction, parts) = match parts.as_slice() {
            [""] => (Interaction::SearchSystem, vec![]),
            ["_history"] => (Interaction::SystemHistory, vec![]),
            [kind] => (Interaction::Search, vec![("type", *kind)]),
            [kind, "_history"] => (Interaction::TypeHistory, vec![("type", *kind)]),
            [kind, id] => (Interaction::Read, vec![("type", *kind), ("id", *id)]),
            ["Patient", id, "$everything"] => (Interaction::Everything, vec![("id", *id)]),
            [kind, id, "_history"] => (Interaction::History, vec![("type", *kind), ("id", *id)]),
            [compartment, id, kind] => (
                Interaction::SearchCompartment,
                vec![("compartment", *compartment), ("id", *id), ("type", *kind)],
            ),
            [kind, id, "_history", version] => (
                Interaction::ReadVersion,
                vec![("type", *kind), ("id", *id), ("version", *version)],
            ),
            _ => {
                let diagnostics = format!("\"{path}\" is not what a Bundle can read");
                return Err(reader.wrong(IssueCode::NotSupported, "request.url", diagnostics));
            }
        };
        let query = parse_query(query)
            .map_err(|error| reader.wrong(IssueCode::Value, "request.url", error.to_string()))?;
        let conditions =
            [("if-none-match", "ifNoneMatch"), ("if-modified-since", "ifModifiedSince")];
        let condition = |(header, member): (&'static str, &str)| {
            request.get_str(member).map(|text| (header, text.into_owned()))
        };
        Ok(Self {
            interaction,
            segments: parts.into_iter().map(|(name, part)| (name, part.to_owned())).collect(),
            query,
            headers: conditions.into_iter().filter_map(condition).collect(),
            words: format!("/fhir/{url}"),
            is_head,
            place: reader.place.to_owned(),
        })
    }

    /// What it asks for, as the access entry says it.
    pub(super) fn asked(&self) -> visit::Asked<'_> {
        let (operation, route) = match self.interaction {
            Interaction::Read => ("readResource", "GET /fhir/{type}/{id}"),
            Interaction::ReadVersion => {
                ("readResourceVersion", "GET /fhir/{type}/{id}/_history/{version}")
            }
            Interaction::Search => ("searchResources", "GET /fhir/{type}"),
            Interaction::SearchSystem => ("searchSystem", "GET /fhir"),
            Interaction::SearchCompartment => {
                ("searchCompartment", "GET /fhir/{compartment}/{id}/{type}")
            }
            Interaction::History => ("readResourceHistory", "GET /fhir/{type}/{id}/_history"),
            Interaction::TypeHistory => ("readTypeHistory", "GET /fhir/{type}/_history"),
            Interaction::SystemHistory => ("readSystemHistory", "GET /fhir/_history"),
            Interaction::Everything => ("patientEverything", "GET /fhir/Patient/{id}/$everything"),
        };
        visit::Asked { operation, route, words: &self.words, has_query: !self.query.is_empty() }
    }

    /// Carries it out on a state of the store, with the rights of the whole request.
    pub(super) async fn answer(
        &self,
        call: &Call,
        grant: &Arc<Grant>,
        records: &Arc<Records>,
    ) -> Result<Reply, Failure> {
        let mut query = self.query.clone();
        let rendering = Rendering::take(Some(FHIR_JSON), &mut query)?;
        let mut headers = self.headers.clone();
        headers.extend(call.list_header("prefer").map(|prefer| ("prefer", prefer.into_owned())));
        let inner = Call {
            state: Arc::clone(&call.state),
            records: Arc::clone(records),
            grant: Arc::clone(grant),
            asked: Asked::Entry { segments: self.segments.clone(), headers },
            query,
            rendering: rendering.clone(),
            body: Body::default(),
            place: Arc::clone(&call.place),
        };
        let reply = match self.interaction {
            Interaction::Read => read::read(inner).await,
            Interaction::ReadVersion => read::read_version(inner).await,
            Interaction::Search => search::search(inner).await,
            Interaction::SearchSystem => search::search_system(inner).await,
            Interaction::SearchCompartment => search::search_compartment(inner).await,
            Interaction::History => history::history(inner).await,
            Interaction::TypeHistory => history::type_history(inner).await,
            Interaction::SystemHistory => history::system_history(inner).await,
            Interaction::Everything => everything::everything(inner).await,
        };
        reply.map(|reply| rendering.apply(reply))
    }
}
