//! The events of a chart: appending and reading.

use std::sync::Arc;

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::checked::checked;
use super::super::paging::{cursor, page_size, read_cursor};
use super::super::reply::Reply;
use super::super::{Call, Failure, shapes};
use super::{idempotency, instant, raw};
use crate::auth::Grant;
use crate::chart::{EventKind, EventType, Upcasters};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceId, ResourceKey};
use crate::json::{Document, Kind, Node};
use crate::numbers::ChartVersion;
use crate::records::{
    Action, Change, ChartEvent, Effect, EventFilter, Records, Target, Write, WriteResult,
};

/// Events to be appended, all or none.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct Append {
    /// The version that the chart must have; 0 for a chart that does not exist yet.
    expected_version: Option<u64>,
    /// 1 to 20,000 events; each resource at most once.
    #[schema(min_items = 1, max_items = 20_000)]
    events: Vec<NewEvent>,
}

/// One event to be appended.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
struct NewEvent {
    /// Type.recorded, .amended, .retracted, .restored or .removed. Amending a resource of another
    /// chart moves it into this one.
    #[schema(
        rename = "type",
        example = "Observation.recorded",
        pattern = r"^[A-Z][A-Za-z]+\.(recorded|amended|retracted|restored|removed)$"
    )]
    event_type: String,
    /// The FHIR resource; for removed: its Type/id. Without an id, a recorded resource gets one.
    #[schema(schema_with = shapes::resource_or_key)]
    resource: String,
}

/// What was appended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Appended {
    /// Position of the first event in the whole log: the receipt.
    position: Option<u64>,
    /// Number of events.
    events: u64,
    /// When they were recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    recorded_at: Option<Instant>,
    /// One entry per event of the request.
    resources: Vec<AppendedResource>,
}

/// What became of one event of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AppendedResource {
    /// Type/id.
    resource: String,
    /// Its version now.
    version_id: String,
    /// False when nothing changed.
    changed: bool,
}

/// Appends events to a chart: all or none, in one commit.
#[utoipa::path(post, path = "/v1/patients/{id}/events", operation_id = "appendEvents", tag = "charts",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("X-Purpose-Of-Use" = Option<String>, Header, description = "Why; kept in the events")),
    request_body(content = Append, content_type = "application/json"),
    responses(
        (status = 201, description = "Appended and durable", body = Appended),
        (status = 200, description = "Nothing changed: the chart says all of this already", body = Appended),
        (status = 400, description = "Not valid; nothing was stored"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not for this token"),
        (status = 409, description = "The chart has another version, or an event is not what it says"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON"),
        (status = 422, description = "The key was used for another request; or, by setting, a reference leads nowhere")))]
pub async fn append(mut call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&[])?;
    let idempotency = idempotency(&call, &["append", patient.as_str()])?;
    let size = call.body().len();
    let document = call.json().await?;
    let (expected, events) = read_request(&document, call.options().limits.bundle_entries_max)?;
    let mut changes = Vec::with_capacity(events.len());
    let mut failures = Vec::new();
    for (at, index) in events.into_iter().enumerate() {
        let upcasters = call.upcasters();
        match read_event(upcasters, &document, index, &format!("events[{at}]"), &patient) {
            Ok(change) => changes.push(change),
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        return Err(Failure::together(failures));
    }
    let expected_version = expected.map(|version| (patient, ChartVersion::new(version)));
    let write = Write { changes, expected_version, idempotency, size, ..Write::default() };
    let written = call.records().write(&call.grant, Arc::new(write)).await?;
    let answer = appended(&written);
    let changed = answer.resources.iter().any(|resource| resource.changed);
    let status = if changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::json(status, &answer))
}

fn appended(written: &WriteResult) -> Appended {
    let resources = written.done.iter().map(|done| AppendedResource {
        resource: done.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        version_id: done.version.to_string(),
        changed: !matches!(done.effect, Effect::Unchanged | Effect::Absent),
    });
    let changed =
        written.done.iter().find(|done| !matches!(done.effect, Effect::Unchanged | Effect::Absent));
    Appended {
        position: written.events.map(|(position, _)| position.get()),
        events: written.events.map_or(0, |(_, count)| count),
        recorded_at: changed.and_then(|done| done.recorded_at),
        resources: resources.collect(),
    }
}

/// The expected version, and the indexes of the events.
fn read_request(
    document: &Document,
    events_max: usize,
) -> Result<(Option<u64>, Vec<usize>), Failure> {
    let root = document.root();
    let mut problems = Vec::new();
    let mut wrong = |code, place: &str, text: String| {
        problems.push(Problem { code, expression: place.to_owned(), diagnostics: text });
    };
    if !root.is_object() {
        wrong(IssueCode::Structure, "", "expected an object with events".to_owned());
    }
    for (name, _) in root.members() {
        if !matches!(&*name, "expectedVersion" | "events") {
            wrong(
                IssueCode::Structure,
                &name,
                "unknown; known are expectedVersion and events".to_owned(),
            );
        }
    }
    let expected = root.get("expectedVersion").filter(|node| node.kind() != Kind::Null);
    let expected = expected.map(|node| {
        let number = node.as_u64();
        if number.is_none() {
            wrong(
                IssueCode::Value,
                "expectedVersion",
                "must be a whole number, 0 or more".to_owned(),
            );
        }
        number.unwrap_or_default()
    });
    let events: Vec<usize> = match root.get("events") {
        Some(list) if list.kind() == Kind::Array => {
            list.items().map(|event| event.index()).collect()
        }
        _ => Vec::new(),
    };
    if !(1..=events_max).contains(&events.len()) {
        wrong(IssueCode::Required, "events", format!("must be a list of 1 to {events_max} events"));
    }
    if problems.is_empty() { Ok((expected, events)) } else { Err(Failure::invalid(problems)) }
}

fn read_event(
    upcasters: &Upcasters,
    document: &Arc<Document>,
    index: usize,
    place: &str,
    patient: &ResourceId,
) -> Result<Change, Failure> {
    let event = document.node(index);
    let at = |member: &str| format!("{place}.{member}");
    let wrong = |code, member: &str, text: &str| Failure::at(code, at(member), text);
    let event_type =
        event.get_str("type").ok_or_else(|| wrong(IssueCode::Required, "type", "is missing"))?;
    let event_type: EventType =
        event_type.parse().map_err(|error: String| wrong(IssueCode::Value, "type", &error))?;
    let resource = event
        .get("resource")
        .ok_or_else(|| wrong(IssueCode::Required, "resource", "is missing"))?;
    let kind = event_type.subject.parse().map_err(|_| {
        wrong(
            IssueCode::Value,
            "type",
            "must begin with a resource type; charts open and move by themselves",
        )
    })?;
    let mut change = match event_type.event_kind {
        EventKind::Removed => {
            let key = removed_key(resource, &at("resource"))?;
            if key.kind != kind {
                return Err(wrong(
                    IssueCode::Value,
                    "resource",
                    "is of another type than the event",
                ));
            }
            Change::new(Target::Key(key), Action::Remove)
        }
        EventKind::Opened | EventKind::MovedIn | EventKind::MovedOut | EventKind::Answered => {
            return Err(wrong(IssueCode::Value, "type", "charts open and move by themselves"));
        }
        event_kind => {
            let checked = checked(upcasters, kind, resource, &at("resource"))?;
            let action = Action::Put(Arc::clone(document), resource.index());
            match checked.id {
                Some(id) => Change::new(Target::Key(ResourceKey::new(kind, id)), action),
                None if event_kind == EventKind::Recorded => {
                    Change::new(Target::New(kind, None), action)
                }
                None => return Err(wrong(IssueCode::Required, "resource.id", "is missing")),
            }
        }
    };
    change.declared = Some(event_type.event_kind);
    change.within = Some(patient.clone());
    change.place = place.to_owned();
    Ok(change)
}

fn removed_key(resource: Node<'_>, place: &str) -> Result<ResourceKey, Failure> {
    let wrong = |text: String| Failure::at(IssueCode::Value, place, text);
    let text =
        resource.as_str().ok_or_else(|| wrong("must be Type/id of what is removed".to_owned()))?;
    text.parse().map_err(|error| wrong(format!("{error}")))
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct EventPage {
    /// In the order of the chart.
    events: Vec<Event>,
    /// `cursor` of the next page, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One event of a chart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Event {
    /// Its number in the chart, from 1.
    version: u64,
    /// Its number in the whole log, from 0.
    position: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Instant,
    /// Such as Observation.amended or chart.moved-in.
    #[serde(rename = "type")]
    event_type: String,
    /// Type/id of the resource it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// Why: of chart.held and chart.released.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The resource's version that it brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    /// Who caused it.
    actor: Actor,
    /// The resource as it is from this event on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = shapes::resource, required = false)]
    body: Option<Box<RawValue>>,
}

/// Who caused an event, for what, in which request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Subject of the token.
    subject: String,
    /// Client application.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// Issuer of the token.
    issuer: String,
    /// Name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Role of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// Organisation of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// The resource that stands for the subject, such as Practitioner/x: claim fhirUser of SMART.
    #[serde(skip_serializing_if = "Option::is_none")]
    fhir_user: Option<String>,
    /// Who acted on behalf of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    acting: Option<String>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// Purpose of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// Network address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Id that the server gave the request.
    request: String,
    /// Id that the client gave the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request: Option<String>,
    /// traceparent (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// The events of a chart, oldest first.
#[utoipa::path(get, path = "/v1/patients/{id}/events", operation_id = "listEvents", tag = "charts",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("type" = Option<String>, Query, description = "Only this type of event", example = "Observation.amended"),
        ("resource" = Option<String>, Query, description = "Only about this resource: Type/id"),
        ("actor" = Option<String>, Query, description = "Only caused by this subject"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("count" = Option<u32>, Query, description = "Events on a page"),
        ("cursor" = Option<String>, Query, description = "next of the page before")),
    responses(
        (status = 200, description = "A page of events", body = EventPage),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such chart")))]
pub async fn list(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&["type", "resource", "actor", "since", "until", "count", "cursor"])?;
    let moment = |name: &str| -> Result<Option<Instant>, Failure> {
        let text = call.parameter::<String>(name, "an instant")?;
        text.map(|text| instant(&text, name)).transpose()
    };
    let filter = EventFilter {
        event_type: call.parameter("type", "a type of event such as Observation.recorded")?,
        resource: call.parameter("resource", "Type/id")?,
        actor: call.parameter("actor", "a subject")?,
        since: moment("since")?,
        until: moment("until")?,
    };
    let limit = page_size(&call, "count")?;
    let after = ChartVersion::new(read_cursor(&call, "cursor")?.unwrap_or(0));
    let read = move |records: &Records, grant: &Grant| {
        records.events(grant, &patient, &filter, after, limit)
    };
    let (events, next) = call.aside(read).await?;
    let events: Result<_, _> = events.iter().map(|one| event(&call, one)).collect();
    let next = next.map(|next| cursor(next.get()));
    Ok(Reply::json(StatusCode::OK, &EventPage { events: events?, next }))
}

fn event(call: &Call, event: &ChartEvent) -> Result<Event, Failure> {
    let envelope = &event.envelope;
    let actor = event.actor.clone();
    call.grant.showed(event.id());
    Ok(Event {
        version: event.version.get(),
        position: event.position.get(),
        recorded_at: event.recorded_at,
        event_type: envelope.event_type.to_string(),
        resource: envelope.resource.clone(),
        reason: envelope.reason.clone(),
        version_id: (event.resource_version.get() > 0).then(|| event.resource_version.to_string()),
        actor: Actor {
            subject: actor.subject,
            client: actor.client,
            issuer: actor.issuer,
            name: actor.name,
            role: actor.role,
            organization: actor.organization,
            fhir_user: actor.fhir_user,
            acting: actor.acting,
            token_id: actor.token_id,
            purpose: actor.purpose,
            address: actor.address,
            user_agent: actor.user_agent,
            request: actor.request,
            client_request: actor.client_request,
            trace: actor.trace,
        },
        body: event.resource.as_ref().map(|resource| raw(call, resource)).transpose()?,
    })
}
