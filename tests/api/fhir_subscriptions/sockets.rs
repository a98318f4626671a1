//! Subscriptions that are told on WebSockets: who may bind one, what is said on it, and what is left to `$events`.

use serde_json::{Value, json};

use super::{
    GUIDE, TOPIC, clinic, encounter, notice, parameter, receiver, subscribe, subscription,
};
use crate::harness::{Actor, Server, Socket, Told, observation};
use crate::webhooks::wait_for;

/// A Subscription to the topic.
fn on_sockets(id: &str, content: &str) -> Value {
    json!({
        "resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
        "meta": { "profile": [format!("{GUIDE}backport-subscription")] },
        "criteria": TOPIC,
        "channel": {
            "type": "websocket", "payload": "application/fhir+json",
            "_payload": { "extension": [{ "url": format!("{GUIDE}backport-payload-content"), "valueCode": content }] },
        },
    })
}

/// A Subscription to criteria of R4.
fn on_criteria(id: &str) -> Value {
    json!({
        "resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
        "criteria": "Observation?code=8867-4", "channel": { "type": "websocket" },
    })
}

/// A token that binds, and where.
fn binding(actor: &Actor, query: &str) -> (String, String) {
    let told = actor.get(&format!("/fhir/Subscription/{query}")).expect(200).json();
    let text = |name: &str, kind: &str| parameter(&told, name)[kind].as_str().unwrap().to_owned();
    assert!(!text("expiration", "valueDateTime").is_empty());
    let url = text("websocket-url", "valueUrl");
    (text("token", "valueString"), url[url.find("/fhir").unwrap()..].to_owned())
}

fn bound(server: &Server, query: &str) -> Socket {
    let (token, place) = binding(&server.clinician(), query);
    let mut socket = Socket::opened(&server.anonymous(), &place);
    socket.say(&format!("bind-with-token {token}"));
    socket
}

fn message(socket: &mut Socket) -> Value {
    match socket.next() {
        Told::Message(message) => message,
        other => panic!("{other:?} is no message"),
    }
}

#[test]
fn a_topic_is_told_on_the_socket_that_its_owner_binds_and_events_has_what_was_missed() {
    let server = clinic();
    let clinician = server.clinician();
    subscribe(&clinician, &on_sockets("s", "id-only"));
    // Nobody listens: it is counted, and nothing leaves.
    clinician.put(&encounter("e1", "p", "planned")).expect(201);
    wait_for("the event is not counted", || {
        let status = clinician.get("/fhir/Subscription/s/$status").expect(200).json();
        let told = super::status(&status["entry"][0]["resource"]);
        (told.since_start == 1).then_some(())
    });
    let mut socket = bound(&server, "s/$get-ws-binding-token");
    let first = notice(&message(&mut socket));
    assert_eq!((first.notification_type.as_str(), first.since_start), ("handshake", 1));
    clinician.put(&encounter("e2", "p", "planned")).expect(201);
    // The first may just have been on its way.
    let mut told = notice(&message(&mut socket)).events;
    if told == [(1, Some("Encounter/e1".to_owned()))] {
        told.extend(notice(&message(&mut socket)).events);
    }
    assert_eq!(told.last(), Some(&(2, Some("Encounter/e2".to_owned()))));
    let missed = clinician.get("/fhir/Subscription/s/$events?eventsUntilNumber=1").expect(200);
    assert_eq!(notice(&missed.json()).events, [(1, Some("Encounter/e1".to_owned()))]);
    // What leaves stands in the access log, and nothing else.
    let page = server.auditor().get("/v1/accesses?actor=dr-weiss&count=300").expect(200).json();
    let all = page["accesses"].as_array().unwrap().iter();
    let delivered = all.filter(|one| one["operation"] == "deliverEvents").count();
    assert_eq!(delivered, told.len(), "{page}");
    // Two sockets are told the same.
    let mut other = bound(&server, "$get-ws-binding-token?id=s");
    assert_eq!(notice(&message(&mut other)).since_start, 2);
    clinician.put(&encounter("e3", "q", "planned")).expect(201);
    for socket in [&mut socket, &mut other] {
        assert_eq!(notice(&message(socket)).events, [(3, Some("Encounter/e3".to_owned()))]);
    }
    // With the Subscription, its sockets end.
    clinician.delete("/fhir/Subscription/s").expect(204);
    assert_eq!(socket.closed().0, 4410);
}

#[test]
fn criteria_of_r4_ping() {
    let server = clinic();
    let clinician = server.clinician();
    for id in ["a", "b"] {
        subscribe(&clinician, &on_criteria(id));
    }
    // Of all that the caller has.
    let mut socket = bound(&server, "$get-ws-binding-token");
    assert_eq!([message(&mut socket), message(&mut socket)], [json!("bound a"), json!("bound b")]);
    clinician.put(&observation("o", "p")).expect(201);
    let mut pings = [message(&mut socket), message(&mut socket)];
    pings.sort_by_key(ToString::to_string);
    assert_eq!(pings, [json!("ping a"), json!("ping b")]);
    socket.say("bind a");
    assert_eq!(socket.closed().0, 4400);
}

#[test]
fn nobody_but_the_owner_binds_and_a_token_serves_once() {
    let server = clinic();
    let clinician = server.clinician();
    subscribe(&clinician, &on_sockets("s", "full-resource"));
    let (receiver, _) = receiver();
    subscribe(&clinician, &subscription("hook", &receiver, "empty"));
    let other = server.actor("dr-other", "user/*.cruds");
    other.get("/fhir/Subscription/s/$get-ws-binding-token").refused(403, &["somebody else"]);
    other.get("/fhir/Subscription/$get-ws-binding-token?id=s").refused(403, &["somebody else"]);
    other.get("/fhir/Subscription/$get-ws-binding-token").refused(404, &["websocket"]);
    clinician.get("/fhir/Subscription/hook/$get-ws-binding-token").refused(422, &["websocket"]);
    clinician.get("/fhir/Subscription/none/$get-ws-binding-token").refused(404, &[]);
    let (token, place) = binding(&clinician, "s/$get-ws-binding-token");
    let said = |said: &str| {
        let mut socket = Socket::opened(&server.anonymous(), &place);
        socket.say(said);
        socket
    };
    // An id is no proof.
    for (text, code) in [("bind s", 4401), ("bind-with-token x", 4401), ("hello", 4400)] {
        let mut socket = said(text);
        assert_eq!(message(&mut socket)["resourceType"], "OperationOutcome", "{text}");
        assert_eq!(socket.closed().0, code, "{text}");
    }
    let mut socket = said(&format!("bind {token}"));
    assert_eq!(notice(&message(&mut socket)).notification_type, "handshake");
    assert_eq!(said(&format!("bind-with-token {token}")).closed().0, 4401);
    // Who can send a header needs no such token, and is refused by the same rule.
    let opened = |actor: &Actor| Socket::open(actor, &format!("{place}?id=s"), &[]);
    let mut by_header = opened(&clinician).ok().unwrap();
    assert_eq!(notice(&message(&mut by_header)).notification_type, "handshake");
    opened(&other).err().unwrap().refused(403, &["somebody else"]);
    server.anonymous().get(&place).refused(400, &["WebSocket"]);
    assert!(!server.log().contains(&token));
}
