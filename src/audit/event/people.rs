//! The agents of an AuditEvent: client, server, user, and who else took part.

use serde_json::{Map, Value, json};

use super::codes::Pattern;
use crate::access::{Identity, Source};

/// Codes of the purpose of use without a system are of this one.
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// The agents; and whether client and server are told as a profile wants them.
pub(super) fn agents(source: &Source, pattern: Pattern, server: &str) -> (Vec<Value>, bool) {
    let [client_type, server_type, user_type] = pattern.agents();
    let mut agents = Vec::new();
    let identity = source.identity.as_ref();
    let client = identity.and_then(|identity| identity.client.as_deref());
    let mut who = Map::new();
    if let Some(client) = client {
        who.insert("identifier".to_owned(), json!({ "value": client }));
    }
    let display = client.or(source.user_agent.as_deref()).or(source.address.as_deref());
    who.insert("display".to_owned(), json!(display.unwrap_or("unknown")));
    let mut agent =
        json!({ "type": { "coding": [client_type] }, "who": who, "requestor": identity.is_none() });
    if let Some(address) = &source.address {
        set(&mut agent, "network", json!({ "address": address, "type": "2" }));
    }
    agents.push(agent);
    agents.push(json!({
        "type": { "coding": [server_type] }, "who": device(server), "requestor": false,
        "network": { "address": server, "type": "5" },
    }));
    if let Some(identity) = identity {
        agents.push(user(identity, source.purpose.as_deref(), &user_type, pattern));
        agents.extend(others(identity));
    }
    if let Some(proxy) = &source.proxy {
        agents.push(json!({
            "type": { "text": "proxy" }, "requestor": false,
            "network": { "address": proxy, "type": "2" },
        }));
    }
    (agents, source.address.is_some())
}

/// Adds a member to an object.
pub(super) fn set(object: &mut Value, name: &str, member: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}

/// This server, as a reference.
pub(super) fn device(server: &str) -> Value {
    json!({ "type": "Device", "identifier": { "system": "urn:ietf:rfc:3986", "value": server }, "display": "Chartlog" })
}

fn user(identity: &Identity, purpose: Option<&str>, kind: &Value, pattern: Pattern) -> Value {
    let mut user = json!({
        "type": { "coding": [kind] }, "who": person(identity, &identity.subject), "requestor": true,
    });
    if let Some(name) = &identity.name {
        if let Some(who) = user.get_mut("who") {
            set(who, "display", json!(name));
        }
        set(&mut user, "name", json!(name));
    }
    if let Some(role) = &identity.role {
        set(&mut user, "role", json!([role_of(role)]));
    }
    if pattern != Pattern::Delete {
        // The profile of deletions forbids both.
        set(&mut user, "altId", json!(identity.subject));
        let token = identity.token_id.as_ref();
        if let Some(token) = token.filter(|token| !token.contains(char::is_whitespace)) {
            set(&mut user, "policy", json!([token]));
        }
    }
    let purposes = purposes(purpose);
    if !purposes.is_empty() {
        set(&mut user, "purposeOfUse", json!(purposes));
    }
    user
}

/// Whoever acts for the user, and the organisation that the user is of.
fn others(identity: &Identity) -> Vec<Value> {
    let mut agents = Vec::new();
    if let Some(acting) = &identity.acting {
        agents.push(json!({
            "type": { "text": "acts on behalf of the user" }, "requestor": false,
            "who": person(identity, acting), "altId": acting,
        }));
    }
    if let Some(organization) = &identity.organization {
        agents.push(json!({
            "type": { "text": "organisation of the user" }, "requestor": false,
            "who": { "type": "Organization", "identifier": { "value": organization }, "display": organization },
        }));
    }
    agents
}

/// Whoever an issuer of tokens knows by that name.
fn person(identity: &Identity, name: &str) -> Value {
    match identity.issuer.is_empty() || identity.issuer.contains(char::is_whitespace) {
        true => json!({ "identifier": { "value": name } }),
        false => json!({ "identifier": { "system": identity.issuer, "value": name } }),
    }
}

/// A role as a code, if it can be one, so that it is found as one.
fn role_of(role: &str) -> Value {
    match role.contains(char::is_whitespace) || role.is_empty() {
        true => json!({ "text": role }),
        false => json!({ "coding": [{ "code": role }], "text": role }),
    }
}

/// The purposes of use that a text names: codes, each with its system or of the usual one, or words.
pub(super) fn purposes(text: Option<&str>) -> Vec<Value> {
    let parts = text.unwrap_or_default().split([' ', ',']).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_uppercase());
    let codes = parts.iter().map(|part| part.rsplit_once('|').unwrap_or((REASONS, part)));
    let mut codes = codes.peekable();
    match codes.clone().all(|(system, code)| is_code(code) && !system.is_empty()) {
        true => codes
            .map(|(system, code)| json!({ "coding": [{ "system": system, "code": code }] }))
            .collect(),
        false => codes.peek().map(|_| json!({ "text": text })).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_codes_or_words() {
        let reason = |code: &str| json!({ "coding": [{ "system": REASONS, "code": code }] });
        assert_eq!(purposes(None), Vec::<Value>::new());
        assert_eq!(purposes(Some("TREAT BTG")), [reason("TREAT"), reason("BTG")]);
        assert_eq!(
            purposes(Some("urn:x|TREAT")),
            [json!({ "coding": [{ "system": "urn:x", "code": "TREAT" }] })]
        );
        assert_eq!(purposes(Some("a second look")), [json!({ "text": "a second look" })]);
    }
}
