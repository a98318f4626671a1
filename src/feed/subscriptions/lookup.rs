//! What the store says about Subscriptions and topics, as the server itself reads it.

use super::server::Server;
use crate::auth::Grant;
use crate::feed::fhir::{TOPIC_CODE, TOPIC_SYSTEM, Topic};
use crate::fhir::ResourceType;
use crate::fhir::search::Query;
use crate::json::Document;
use crate::numbers::{Position, ResourceVersion};
use crate::records::{LogFilter, Records, RecordsError, Resource, SearchRequest};

/// Resources that one look finds.
const PAGE: usize = 500;
/// Topics that there may be: all are read when a Subscription is written.
const TOPICS_MAX: usize = 1_000;

/// What the log says about a Subscription.
#[derive(Debug)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// The version that says so.
    pub version: ResourceVersion,
    /// Where the log says so.
    pub position: Position,
    /// Under whose rights it is carried out.
    pub rights: Option<String>,
    /// What it says.
    pub resource: Document,
}

/// The topics, those that cannot be subscribed to among them: the first that were stored, if there are very many.
///
/// # Errors
///
/// The store's.
pub fn topics(server: &Server, records: &Records) -> Result<Vec<Topic>, RecordsError> {
    let code = ("code".to_owned(), format!("{TOPIC_SYSTEM}|{TOPIC_CODE}"));
    let grant = server.grant(records.engine());
    let found = find(server, records, ResourceType::BASIC, &[code], TOPICS_MAX)?;
    let read = |basic: &Resource| Ok(Topic::read(parse(basic, &grant)?.root()));
    let topics = found.iter().map(read).collect::<Result<Vec<_>, RecordsError>>()?;
    Ok(topics.into_iter().flatten().collect())
}

/// All Subscriptions.
///
/// # Errors
///
/// The store's.
pub fn subscriptions(server: &Server, records: &Records) -> Result<Vec<Told>, RecordsError> {
    let found = find(server, records, ResourceType::SUBSCRIPTION, &[], usize::MAX)?;
    let told = found.iter().map(|resource| told_of(server, records, resource));
    Ok(told.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What the log says about a Subscription that was read; `None`: it is another by now.
///
/// # Errors
///
/// The store's.
pub fn told_of(
    server: &Server,
    records: &Records,
    resource: &Resource,
) -> Result<Option<Told>, RecordsError> {
    let grant = server.grant(records.engine());
    let sight = records.sight(&grant, LogFilter::default())?;
    let Some(position) = resource.position() else { return Ok(None) };
    let Some(event) = records.follow_one(&grant, &sight, position)? else { return Ok(None) };
    Ok(Some(Told {
        id: resource.key.id.to_string(),
        version: resource.version,
        position,
        rights: event.rights,
        resource: parse(resource, &grant)?,
    }))
}

/// What a resource says.
///
/// # Errors
///
/// It does not read back.
pub fn parse(resource: &Resource, grant: &Grant) -> Result<Document, RecordsError> {
    let unreadable = |_| RecordsError::unreadable(format!("{} does not read back", resource.key));
    Document::parse(resource.bytes(grant)).map_err(unreadable)
}

/// So many resources of a type that a search finds, about.
fn find(
    server: &Server,
    records: &Records,
    kind: ResourceType,
    criteria: &[(String, String)],
    most: usize,
) -> Result<Vec<Resource>, RecordsError> {
    let unreadable = |_| RecordsError::unreadable("a search of this server's own is wrong");
    let query = Query::parse(&records.parameters(), kind, criteria, None).map_err(unreadable)?;
    let grant = server.grant(records.engine());
    let mut request = SearchRequest {
        queries: vec![(kind, query)],
        within: None,
        as_of: None,
        start: None,
        limit: PAGE,
        with_total: false,
    };
    let mut found = Vec::new();
    loop {
        let page = records.search(&grant, &request)?;
        found.extend(page.matches);
        match page.next {
            Some(next) if found.len() < most => request.start = Some(next),
            _ => return Ok(found),
        }
    }
}
