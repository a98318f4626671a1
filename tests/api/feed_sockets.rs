//! The feed over a WebSocket: who may open one, what is said on it, how it ends, and kills.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use tungstenite::Message;

use crate::feed::clinic;
use crate::feed_streams::entries;
use crate::harness::{
    Actor, Line, Server, Setup, Socket, Stream, Told, accesses_of_request, bundle, entry,
    observation, patient, shared, unique,
};

const EVENTS: &str = "/v1/events";

/// All events that an HTTP reader gets, as lines.
fn lines(actor: &Actor, query: &str) -> Vec<Value> {
    crate::feed::lines(actor, query).into_iter().filter(|line| line["position"].is_u64()).collect()
}

/// Waits until the server has told a reader who waits so often how far the log goes.
fn heartbeats(actor: &Actor, count: usize) {
    let request = actor.request("GET", "/v1/events?from=head&live=true");
    let mut lines = Stream::open(request.header("accept", "application/x-ndjson")).unwrap();
    for _ in 0..count {
        assert!(matches!(lines.line(), Line::Text(_)));
    }
}

#[test]
fn a_socket_tells_what_lines_tell() {
    let server = clinic();
    let clinician = server.clinician();
    let query = "kind=recorded,chart.opened&include=resource&criteria=Observation&criteria=Patient";
    let expected = lines(&clinician, query);
    assert!(expected.len() > 3, "{expected:?}");
    let wanted = json!({ "kind": ["recorded", "chart.opened"], "include": "resource", "criteria": ["Observation", "Patient"] });
    let mut by_header = Socket::opened(&clinician, &format!("{EVENTS}?{query}"));
    let mut by_message = Socket::introduced(&clinician, wanted);
    let mut by_both = Socket::opened(&server.anonymous(), &format!("{EVENTS}?{query}"));
    by_both.say(&json!({ "token": server.token("x", "user/*.rs", None) }).to_string());
    for event in &expected {
        assert_eq!(by_header.event(), *event);
        assert_eq!(by_message.event(), *event);
        assert_eq!(by_both.event(), *event);
    }
    clinician.put(&observation("later", "p")).expect(201);
    for socket in [&mut by_header, &mut by_message, &mut by_both] {
        let event = socket.event();
        assert_eq!(event["resource"], "Observation/later");
        assert_eq!(event["body"]["id"], "later");
    }
    // A further connection goes on where it was.
    let seen = expected[2]["position"].as_u64().unwrap();
    let mut again = Socket::introduced(&clinician, json!({ "after": seen, "live": false }));
    for event in lines(&clinician, &format!("after={seen}")) {
        assert_eq!(again.event(), event);
    }
    let head = server.log_length();
    let reason = "the end of the log was reached";
    let end = json!({ "next": head, "head": head, "end": reason });
    assert_eq!(again.next(), Told::Message(end));
    assert_eq!(again.next(), Told::Closed(1000, reason.to_owned()));
    assert!(again.is_gone());
}

#[test]
fn a_socket_tells_cloud_events_to_who_asks_for_that_subprotocol() {
    let server = clinic();
    let clinician = server.clinician();
    let target = "/v1/events?live=false";
    let offered = [("sec-websocket-protocol", "cloudevents.avro, cloudevents.json")];
    let mut socket = Socket::open(&clinician, target, &offered).unwrap();
    assert_eq!(socket.header("sec-websocket-protocol"), Some("cloudevents.json"));
    for event in lines(&clinician, "") {
        let Told::Message(told) = socket.next() else { panic!("no event") };
        assert_eq!(told["specversion"], "1.0");
        assert_eq!(told["id"], event["position"].to_string());
        assert_eq!(told["type"], format!("chartlog.{}", event["type"].as_str().unwrap()));
    }
    assert_eq!(socket.closed().0, 1000);
    let other = [("sec-websocket-protocol", "graphql-ws")];
    // A client takes the missing agreement for a refusal.
    assert!(std::panic::catch_unwind(|| Socket::open(&clinician, target, &other)).is_err());
}

#[test]
fn who_can_send_a_header_is_refused_as_any_request_is() {
    let server = clinic();
    let refused = |actor: &Actor, target: &str| {
        let id = unique("socket");
        let answer = Socket::open(actor, target, &[("x-request-id", &id)]).err().unwrap();
        let [entry] = accesses_of_request(&server, &id).try_into().unwrap();
        assert_eq!(entry["operation"], "followEvents");
        assert_eq!(
            (&entry["status"], entry["outcome"] != "granted"),
            (&json!(answer.status), true)
        );
        answer
    };
    refused(&server.with_token("bad"), EVENTS).problem(401, &["token"]);
    refused(&server.actor("nobody", "openid"), EVENTS).problem(403, &[]);
    let wrong = "/v1/events?nonsense=1&type=Nothing&from=x";
    refused(&server.clinician(), wrong).problem(400, &["nonsense", "Nothing", "from"]);
    refused(&server.clinician(), "/v1/events?from=1000000").problem(400, &["restored"]);
    // A token has no place in an address.
    let target = format!("/v1/events?token={}", server.token("x", "user/*.rs", None));
    refused(&server.clinician(), &target).problem(400, &["token"]);
    // Not whole: a proxy has taken a header away.
    let request = server.clinician().request("GET", EVENTS).header("upgrade", "websocket");
    request.send().problem(400, &["WebSocket"]);
}

#[test]
fn who_sends_none_is_refused_by_a_message_and_a_code() {
    let server = Setup::default().set("limits.client_request_timeout_ms=60000").start();
    server.clinician().put(&patient("p")).expect(201);
    let token = |scope: &str| server.token("x", scope, None);
    let good = token("user/*.rs");
    let expired = server.token_with("x", "user/*.rs", None, "chartlog", 60, 3_600);
    for (said, status, words) in [
        (json!({ "after": 1 }).to_string(), 401, "begin with"),
        (json!({ "token": "bad" }).to_string(), 401, "token"),
        (json!({ "token": expired }).to_string(), 401, "expired"),
        (json!({ "token": token("openid") }).to_string(), 403, ""),
        (json!({ "token": token("user/Patient.r") }).to_string(), 403, ""),
        (json!({ "token": good, "nonsense": 1, "type": "Nothing" }).to_string(), 400, "nonsense"),
        (json!({ "token": good, "after": 1, "from": 1 }).to_string(), 400, "one of"),
        (json!({ "token": good, "after": {} }).to_string(), 400, "after"),
        (json!({ "token": good, "from": 1_000_000 }).to_string(), 400, "restored"),
        (json!({ "token": good, "patient": "nobody" }).to_string(), 404, ""),
        (good.clone(), 400, "begin with"),
        ("[".to_owned(), 400, "line 1"),
        (format!("\"{}\"", "x".repeat(140_000)), 413, "larger"),
    ] {
        let id = unique("socket");
        let opened = Socket::open(&server.anonymous(), EVENTS, &[("x-request-id", &id)]);
        let mut socket = opened.ok().unwrap();
        assert_eq!(socket.header("x-correlation-id"), Some(id.as_str()));
        socket.say(&said);
        let Told::Message(problem) = socket.next() else { panic!("{said}: no problem is told") };
        assert_eq!(problem["status"], status, "{said}: {problem}");
        assert!(problem.to_string().contains(words), "{said}: {problem}");
        assert!(!problem.to_string().contains(&good), "{problem}");
        assert_eq!(socket.closed().0, 4_000 + status, "{said}");
        let [entry] = accesses_of_request(&server, &id).try_into().unwrap();
        assert_eq!(
            (&entry["operation"], &entry["status"]),
            (&json!("followEvents"), &json!(status))
        );
        assert!(!entry.to_string().contains(&good), "{entry}");
    }
    let mut binary = Socket::opened(&server.anonymous(), EVENTS);
    binary.send(Message::binary(vec![1, 2, 3]));
    assert_eq!(binary.closed().0, 4400);
    assert!(!server.log().contains(&good), "a token is in the log");
}

#[test]
fn who_says_nothing_is_sent_away() {
    let mut silent = Socket::opened(&shared().anonymous(), EVENTS);
    let Told::Message(problem) = silent.next() else { panic!("nothing is told") };
    assert!(problem["detail"].as_str().unwrap().contains("in time"), "{problem}");
    assert_eq!(silent.closed(), (4408, "Request Timeout".to_owned()));
}

#[test]
fn a_socket_ends_with_its_token_the_server_and_what_is_not_expected() {
    let mut server = Setup::default().set("limits.follower_heartbeat_seconds=1").start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let token = server.token_with("short", "user/*.rs", None, "chartlog", 3, 0);
    let mut short = Socket::introduced(&server.with_token(token), json!({ "from": "head" }));
    // A reader to whom nothing is sent hears how far the log goes.
    assert_eq!(short.next(), Told::Message(json!({ "next": 2, "head": 2 })));
    assert_eq!(short.closed(), (4401, "the token has expired".to_owned()));
    let mut talker = Socket::introduced(&clinician, json!({}));
    talker.event();
    talker.say("and another thing");
    assert_eq!(talker.closed().0, 4400);
    let mut large = Socket::introduced(&clinician, json!({}));
    large.event();
    large.say(&"x".repeat(140_000));
    assert_eq!(large.closed().0, 1009);
    let mut polite = Socket::opened(&clinician, EVENTS);
    polite.event();
    polite.send(Message::Ping(b"here"[..].into()));
    polite.send(Message::Close(None));
    assert_eq!(polite.closed().0, 1000);
    assert!(polite.is_gone());
    let mut last = Socket::opened(&clinician, "/v1/events?from=head");
    heartbeats(&clinician, 1);
    server.terminate();
    assert_eq!(last.closed(), (1001, "the server is stopping".to_owned()));
    drop((last, large, talker, short));
    assert!(server.ended().success());
}

#[test]
fn no_more_may_wait_or_be_strange_than_is_configured() {
    let server = Setup::default()
        .set("limits.followers_max=1")
        .set("limits.stranger_sockets_max=1")
        .set("limits.client_request_timeout_ms=60000")
        .start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let mut stranger = Socket::opened(&server.anonymous(), EVENTS);
    let refused = Socket::open(&server.anonymous(), EVENTS, &[]).err().unwrap();
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.problem(503, &["who they are"]);
    // Who says at once who it is needs no such place, and gives it back when that is said.
    stranger.say(&json!({ "token": server.token("x", "user/*.rs", None) }).to_string());
    stranger.event();
    let mut next = Socket::introduced(&clinician, json!({}));
    let Told::Message(problem) = next.next() else { panic!("nothing is told") };
    assert_eq!(problem["status"], 503, "{problem}");
    assert_eq!(next.closed().0, 4503);
    let refused = Socket::open(&clinician, EVENTS, &[]).err().unwrap();
    refused.problem(503, &["follow the log"]);
    // Those that end are not among them.
    let mut page = Socket::opened(&clinician, "/v1/events?live=false");
    assert_eq!(page.closed().0, 1000);
}

#[test]
fn a_socket_is_told_of_at_its_start_in_batches_and_at_its_end() {
    let server = clinic();
    let clinician = server.clinician();
    let id = unique("socket");
    let opened = Socket::open(&server.anonymous(), EVENTS, &[("x-request-id", &id)]);
    let mut socket = opened.ok().unwrap();
    let token = server.token("dr-weiss", "user/*.rs", None);
    let kinds = ["recorded", "amended", "removed"];
    socket.say(&json!({ "token": token, "patient": "p", "kind": kinds }).to_string());
    let mut seen: Vec<u64> = (0..6).map(|_| socket.event()["position"].as_u64().unwrap()).collect();
    clinician.put(&observation("o8", "p")).expect(201);
    seen.push(socket.event()["position"].as_u64().unwrap());
    socket.send(Message::Close(None));
    assert_eq!(socket.closed().0, 1000);
    let entries = entries(&server, &id, 4);
    for entry in &entries {
        assert_eq!(
            (&entry["operation"], &entry["outcome"]),
            (&json!("followEvents"), &json!("granted"))
        );
        assert!(!entry.to_string().contains(&token), "{entry}");
    }
    let shown = |entry: &Value| {
        let shown = entry["resources"].as_array().unwrap().iter();
        shown.map(|one| one["position"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let asked = "GET /v1/events?patient=p&kind=recorded&kind=amended&kind=removed";
    assert_eq!(entries[0]["query"], asked);
    assert_eq!((shown(&entries[0]), &entries[0]["patients"]), (vec![], &json!(["p"])));
    assert_eq!(shown(&entries[1]), seen[..6]);
    assert_eq!(shown(&entries[2]), seen[6..]);
    assert_eq!(entries[3]["reason"], "ended after 7 events: the client has closed the socket");
}

#[test]
fn a_reader_who_does_not_take_what_it_is_sent_is_dropped_and_told() {
    let server = Setup::default()
        .set("limits.follower_heartbeat_seconds=1")
        .set("limits.follower_patience_seconds=2")
        .start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let id = unique("socket");
    let target = "/v1/events?include=resource";
    let opened = Socket::open(&clinician, target, &[("x-request-id", &id)]);
    let mut slow = opened.ok().unwrap();
    let text = "x".repeat(40_000);
    // More than the buffers on the way hold.
    for round in 0..10 {
        let resources: Vec<Value> = (0..100)
            .map(|at| {
                let id = format!("s{round}-{at}");
                let mut value = observation(&id, "p");
                value["note"] = json!([{ "text": text }]);
                entry("PUT", &format!("Observation/{id}"), value)
            })
            .collect();
        clinician.post("/fhir", &bundle("transaction", &resources)).expect(200);
    }
    heartbeats(&clinician, 5);
    let mut seen = BTreeSet::new();
    let (code, reason) = loop {
        match slow.next() {
            // A mark, sent while there was room for it, has none.
            Told::Message(message) => seen.extend(message["position"].as_u64()),
            Told::Closed(code, reason) => break (code, reason),
            Told::Broken => panic!("broken off without a word"),
        }
    };
    assert_eq!((code, reason.contains("did not take")), (4408, true), "{reason}");
    let count = u64::try_from(seen.len()).unwrap();
    assert!(count < 1_002 && seen == (0..count).collect(), "{count}");
    // Nothing is lost: it goes on behind the last that it has.
    let mut again = Socket::opened(&clinician, &format!("{target}&after={}", count - 1));
    assert_eq!(again.event()["position"], count);
    let page = server.auditor().get("/v1/accesses?actor=dr-weiss&count=300").expect(200).json();
    let all = page["accesses"].as_array().unwrap().iter();
    let last = all.clone().find(|one| one["clientRequest"] == id.as_str()).unwrap();
    let ended = format!("ended after {count} events: {reason}");
    assert_eq!(last["reason"], ended);
}

#[test]
fn a_socket_sees_every_position_once_and_in_order_through_kills() {
    let mut server = Server::start();
    server.clinician().put(&patient("p")).expect(201);
    let token = server.token("dr-weiss", "user/*.cruds", None);
    let number = AtomicU64::new(0);
    let mut seen = Vec::<u64>::new();
    for round in 0..5 {
        let address = server.address;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let actor = Actor::new(address, Some(token.clone()));
                    while !is_over.load(Ordering::Relaxed) {
                        let id = format!("k{}", number.fetch_add(1, Ordering::Relaxed));
                        let target = format!("/fhir/Observation/{id}");
                        let request = actor.request("PUT", &target).json(&observation(&id, "p"));
                        let Some(mut answer) = Stream::open(request) else { break };
                        while matches!(answer.line(), Line::Text(_)) {}
                    }
                });
            }
            let actor = Actor::new(address, Some(token.clone()));
            let wanted = match seen.last() {
                None => json!({ "from": 0 }),
                Some(last) => json!({ "after": last, "include": "resource" }),
            };
            let mut socket = Socket::introduced(&actor, wanted);
            let enough = seen.len() + 40 + 13 * round;
            while seen.len() < enough {
                seen.push(socket.event()["position"].as_u64().unwrap());
            }
            server.signal("-KILL");
            // What is still on the way counts as well.
            while let Told::Message(message) = socket.next() {
                seen.extend(message["position"].as_u64());
            }
            is_over.store(true, Ordering::Relaxed);
        });
        server = server.restart();
    }
    let last = seen.last().unwrap();
    let rest = lines(&server.clinician(), &format!("after={last}"));
    seen.extend(rest.iter().filter_map(|event| event["position"].as_u64()));
    assert_eq!(seen, (0..server.log_length()).collect::<Vec<_>>());
}
