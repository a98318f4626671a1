//! From a look to an AuditEvent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::AuditEventId;
use super::codes::{self, Pattern, entity_role, entity_type};
use super::people::{agents, device, purposes, set};
use crate::access::{AccessEntry, Action, Look};
use crate::audit::NamedLook;
use crate::clock::Instant;

/// What stands for this server where it has no address.
const NO_ADDRESS: &str = "urn:chartlog";

/// What an AuditEvent is made of.
pub(super) struct Told<'a> {
    pub id: AuditEventId,
    pub recorded_at: Instant,
    pub entry: &'a AccessEntry,
    /// Of the request, or of the part of it that this is about.
    pub look: &'a Look,
    pub named: &'a NamedLook,
    /// Base URL of the FHIR API.
    pub server: Option<&'a str>,
}

impl Told<'_> {
    /// The resource, as JSON.
    pub(super) fn resource(&self) -> Value {
        let Self { look, entry, .. } = *self;
        let server = self.server.unwrap_or(NO_ADDRESS);
        let (pattern, code) = Pattern::of(&look.operation);
        let (kind, subtypes) = codes::types(look, pattern, code);
        let (outcome, description) = codes::outcome(look);
        let (agents, is_network_known) = agents(&entry.source, pattern, server);
        let data = self.data(pattern);
        let mut meta = json!({ "versionId": "1", "lastUpdated": self.recorded_at });
        let is_whole = match pattern {
            Pattern::Query => true,
            _ => data.len() == 1,
        };
        let is_of_patient = self.named.patients.len() + self.named.erased == 1;
        let profile = pattern.profile(is_of_patient);
        if let Some(profile) = profile.filter(|_| outcome == "0" && is_network_known && is_whole) {
            set(&mut meta, "profile", json!([profile]));
        }
        let mut event = json!({
            "resourceType": "AuditEvent",
            "id": self.id.to_string(),
            "meta": meta,
            "type": kind,
            "subtype": subtypes,
            "action": look.action(),
            "period": { "start": Instant::from_micros(entry.begun_at), "end": self.recorded_at },
            "recorded": self.recorded_at,
            "outcome": outcome,
            "agent": agents,
            "source": {
                "site": server,
                "observer": device(server),
                "type": [codes::coding(
                    "http://terminology.hl7.org/CodeSystem/security-source-type",
                    "4",
                    "Application Server",
                )],
            },
            "entity": self.entities(pattern, data),
        });
        if let Some(description) = description {
            set(&mut event, "outcomeDesc", json!(description));
        }
        let purposes = purposes(entry.source.purpose.as_deref());
        if !purposes.is_empty() {
            set(&mut event, "purposeOfEvent", json!(purposes));
        }
        event
    }

    fn entities(&self, pattern: Pattern, data: Vec<Value>) -> Vec<Value> {
        let entry = self.entry;
        let patient = |what: Value| json!({ "what": what, "type": entity_type("1"), "role": entity_role("1") });
        let named = self.named.patients.iter();
        let named = named.map(|id| patient(json!({ "reference": format!("Patient/{id}") })));
        let mut entities: Vec<Value> = named.collect();
        for _ in 0..self.named.erased {
            entities.push(patient(json!({ "type": "Patient", "display": "erased" })));
        }
        entities.extend(data);
        let query = self.named.query(self.look);
        if !query.is_empty() {
            if pattern == Pattern::Query {
                entities.push(json!({
                    "type": entity_type("2"), "role": entity_role("24"), "query": BASE64.encode(query),
                }));
            } else if self.look.action() == Action::Execute || pattern == Pattern::Other {
                // No query of the standard, but what was asked all the same.
                entities.push(json!({
                    "type": entity_type("4"), "role": entity_role("24"), "query": BASE64.encode(query),
                }));
            }
        }
        entities.push(json!({
            "what": { "identifier": { "value": entry.request.to_string() } },
            "type": codes::request_id_type(),
        }));
        let more =
            [("X-Request-Id of the client", &entry.client_request), ("traceparent", &entry.trace)];
        for (name, value) in more {
            if let Some(value) = value {
                entities.push(json!({
                    "what": { "identifier": { "type": { "text": name }, "value": value } },
                    "type": entity_type("4"),
                }));
            }
        }
        entities
    }

    /// The resources: those that left or were written, or the one that was asked for.
    fn data(&self, pattern: Pattern) -> Vec<Value> {
        // What a search found is of another type than the search: the profile of queries has one object.
        let kind = match pattern {
            Pattern::Query | Pattern::Other => "4",
            _ => "2",
        };
        let entity = |what: Value| json!({ "what": what, "type": entity_type(kind), "role": entity_role("4") });
        let NamedLook { about, shown, shown_count, .. } = self.named;
        let mut data: Vec<Value> = Vec::with_capacity(shown.len());
        for shown in shown {
            data.push(entity(match &shown.resource {
                Some((key, version)) => json!({ "reference": format!("{key}/_history/{version}") }),
                None => json!({ "display": "erased" }),
            }));
        }
        if let Some(about) = about.as_ref().filter(|_| shown.is_empty()) {
            data.push(entity(json!({ "reference": about.to_string() })));
        }
        let told = u64::try_from(shown.len()).unwrap_or(u64::MAX);
        if *shown_count > told {
            let more = format!("and {} more: read AuditEvent/{}", shown_count - told, self.id);
            data.push(json!({ "type": entity_type("4"), "name": more }));
        }
        data
    }
}
