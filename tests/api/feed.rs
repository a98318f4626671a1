//! The feed: the whole log in its order, as pages, lines and Server-Sent Events.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, Server, Sse, appointment, bundle, entry, observation, patient, practitioner,
};

/// A server with the charts `p` and `q`, an appointment of both, a deletion, and a practitioner.
pub fn clinic() -> Server {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&practitioner("w")).expect(201);
    for id in ["p", "q"] {
        clinician.put(&patient(id)).expect(201);
    }
    for (id, owner) in [("o1", "p"), ("o2", "p"), ("o3", "q")] {
        clinician.put(&observation(id, owner)).expect(201);
    }
    clinician.put(&appointment("a", &["p", "q"])).expect(201);
    let mut other = observation("o1", "p");
    other["code"]["coding"][0]["code"] = json!("718-7");
    clinician.put(&other).expect(200);
    clinician.delete("/fhir/Observation/o2").expect(204);
    server
}

/// All events that a query finds, page by page; and the requests that it took.
fn pages(actor: &Actor, query: &str, limit: usize) -> Vec<Value> {
    let (mut events, mut next) = (Vec::new(), 0);
    loop {
        let target = format!("/v1/events?from={next}&limit={limit}{query}");
        let page = actor.get(&target).expect(200).json();
        let found = page["events"].as_array().unwrap();
        if let Some(last) = found.last() {
            assert_eq!(last["endsCommit"], true, "a page has whole commits");
        }
        events.extend(found.iter().cloned());
        let head = page["head"].as_u64().unwrap();
        match page["next"].as_u64().unwrap() {
            end if end == head => return events,
            further => {
                assert!(further > next, "{page}");
                next = further;
            }
        }
    }
}

pub fn lines(actor: &Actor, query: &str) -> Vec<Value> {
    let target = format!("/v1/events?{query}");
    let request = actor.request("GET", &target).header("accept", "application/x-ndjson");
    let response = request.send().expect(200);
    assert_eq!(response.header("content-type"), Some("application/x-ndjson"));
    response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn positions(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<String> {
    let told = |event: &Value| {
        let resource = event["resource"].as_str().unwrap_or_default();
        format!("{} {resource}", event["type"].as_str().unwrap()).trim_end().to_owned()
    };
    events.iter().map(told).collect()
}

#[test]
fn pages_lines_and_events_tell_the_same_log_from_any_position() {
    let server = clinic();
    let clinician = server.clinician();
    let length = server.log_length();
    let all = pages(&clinician, "&include=resource", 1_000);
    assert_eq!(positions(&all), (0..length).collect::<Vec<_>>());
    for limit in [1, 2, 5] {
        assert_eq!(pages(&clinician, "&include=resource", limit), all, "{limit}");
    }
    for from in 0..=length {
        let mut found = lines(&clinician, &format!("from={from}&include=resource"));
        let end = found.pop().unwrap();
        let reason = "the end of the log was reached";
        assert_eq!(end, json!({ "next": length, "head": length, "end": reason }));
        assert_eq!(found, all[usize::try_from(from).unwrap()..], "{from}");
    }
    let mut sse = Sse::open(clinician.request("GET", "/v1/events?include=resource")).unwrap();
    for event in &all {
        let sent = sse.event().unwrap();
        assert_eq!(sent.id, event["position"].to_string());
        assert_eq!(sent.kind, event["type"].as_str().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&sent.data).unwrap(), *event);
    }
    assert!(sse.retry.is_some());
    // Live, in the same answer.
    let put = clinician.put(&observation("o9", "p")).expect(201).json();
    let sent = sse.event().unwrap();
    let event: Value = serde_json::from_str(&sent.data).unwrap();
    assert_eq!((&event["resource"], &event["body"]), (&json!("Observation/o9"), &put));
    assert_eq!(sent.id, length.to_string());
}

#[test]
fn an_event_says_what_the_chart_says() {
    let server = clinic();
    let clinician = server.clinician();
    let all = pages(&clinician, "&include=resource", 100);
    for owner in ["p", "q"] {
        let chart = clinician.events(owner);
        let own: Vec<&Value> = all.iter().filter(|event| event["patient"] == owner).collect();
        assert_eq!(own.len(), chart.len());
        let aliases: BTreeSet<&str> =
            own.iter().map(|event| event["chart"].as_str().unwrap()).collect();
        assert_eq!(aliases.len(), 1);
        for (own, told) in own.iter().zip(&chart) {
            for name in
                ["version", "position", "recordedAt", "type", "resource", "versionId", "body"]
            {
                assert_eq!(own[name], told[name], "{name} of {own}");
            }
        }
    }
    // A commit ends once, and the events of one stand together.
    let ends: Vec<bool> = all.iter().map(|event| event["endsCommit"] == true).collect();
    let mut commits = BTreeSet::new();
    for owner in ["p", "q"] {
        for event in clinician.events(owner) {
            commits.insert(event["actor"]["request"].as_str().unwrap().to_owned());
        }
    }
    // And the one of the practitioner, who is in no chart.
    assert_eq!(ends.iter().filter(|ends| **ends).count(), commits.len() + 1);
}

#[test]
fn filters_find_what_a_model_finds() {
    let server = clinic();
    let clinician = server.clinician();
    let all = pages(&clinician, "&include=resource", 100);
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    let is_of = |event: &Value, name: &str| {
        event["resource"].as_str().is_some_and(|key| key.starts_with(&format!("{name}/")))
    };
    type Model<'a> = &'a dyn Fn(&Value) -> bool;
    let cases: [(&str, Model); 8] = [
        ("kind=Observation.recorded", &|event| kind(event) == "Observation.recorded"),
        ("kind=opened,Observation.removed", &|event| {
            ["chart.opened", "Observation.removed"].contains(&kind(event).as_str())
        }),
        ("type=Observation", &|event| is_of(event, "Observation")),
        ("type=Patient,Practitioner", &|event| {
            is_of(event, "Patient") || is_of(event, "Practitioner")
        }),
        ("patient=q", &|event| event["patient"] == "q"),
        ("patient=p&type=Observation&kind=amended", &|event| {
            event["patient"] == "p" && kind(event) == "Observation.amended"
        }),
        ("criteria=Appointment", &|event| is_of(event, "Appointment")),
        ("type=Encounter", &|_| false),
    ];
    for (query, model) in cases {
        let expected: Vec<&Value> = all.iter().filter(|event| model(event)).collect();
        let found = pages(&clinician, &format!("&include=resource&{query}"), 2);
        let unmarked = |event: &Value| {
            let mut event = event.clone();
            event["endsCommit"] = json!(null);
            event
        };
        let found: Vec<Value> = found.iter().map(unmarked).collect();
        let expected: Vec<Value> = expected.into_iter().map(unmarked).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn criteria_tell_what_comes_what_stays_and_what_leaves() {
    let server = clinic();
    let clinician = server.clinician();
    let found = |query: &str| {
        let events = pages(&clinician, query, 3);
        let told = |event: &Value| {
            let leaves = if event["leaves"] == true { " leaves" } else { "" };
            format!("{}{leaves}", types(std::slice::from_ref(event))[0])
        };
        events.iter().map(told).collect::<Vec<_>>()
    };
    let rates = [
        "Observation.recorded Observation/o1",
        "Observation.recorded Observation/o2",
        "Observation.recorded Observation/o3",
        "Observation.amended Observation/o1 leaves",
        "Observation.removed Observation/o2 leaves",
    ];
    assert_eq!(found("&criteria=Observation%3Fcode%3D8867-4"), rates);
    let of_p = "&criteria=Observation%3Fcode%3D8867-4%26patient%3Dp";
    assert_eq!(found(of_p), [rates[0], rates[1], rates[3], rates[4]]);
    let either = "&criteria=Observation%3Fcode%3D718-7&criteria=Patient%3F_id%3Dq";
    assert_eq!(found(either), ["Patient.recorded Patient/q", "Observation.amended Observation/o1"]);
    let mut wrong = observation("o3", "q");
    wrong["status"] = json!("entered-in-error");
    clinician.put(&wrong).expect(200);
    let last = found("&criteria=Observation%3Fstatus%3Dfinal").pop();
    assert_eq!(last.as_deref(), Some("Observation.retracted Observation/o3 leaves"));
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let server = clinic();
    let clinician = server.clinician();
    let query = "?from=x&after=1&limit=y&live=perhaps&kind=born&type=Nothing&criteria=Observation%3Fx%3D1&wrong=1";
    let words = ["from", "limit", "live", "kind", "Nothing", "criteria", "wrong"];
    clinician.get(&format!("/v1/events{query}")).problem(400, &words);
    clinician.get("/v1/events?from=100000").problem(400, &["restored"]);
    clinician.get("/v1/events?patient=nobody").problem(404, &["nobody"]);
    let asked = |name: &str, value: &str| {
        clinician.request("GET", "/v1/events?from=1").header(name, value).send()
    };
    asked("last-event-id", "x").problem(400, &["Last-Event-ID"]);
    asked("accept", "text/html").problem(406, &["text/event-stream"]);
    let lab = server.actor("lab", "user/Observation.rs");
    lab.get("/v1/events?type=Patient").problem(403, &["Patient"]);
}

#[test]
fn a_token_sees_what_it_reaches_and_nothing_else() {
    let server = clinic();
    let all = pages(&server.clinician(), "&include=resource", 100);
    let model = |keeps: &dyn Fn(&Value) -> bool| {
        positions(&all.iter().filter(|event| keeps(event)).cloned().collect::<Vec<_>>())
    };
    let app = server.patient_app("p");
    let own = pages(&app, "&include=resource", 2);
    assert_eq!(positions(&own), model(&|event| event["patient"] == "p"));
    assert!(own.iter().all(|event| event["chart"] == own[0]["chart"]));
    app.get("/v1/events?patient=q").problem(403, &[]);
    let lab = server.actor("lab", "user/Observation.rs");
    let is_observation = |event: &Value| {
        event["resource"].as_str().is_some_and(|key| key.starts_with("Observation/"))
    };
    assert_eq!(positions(&pages(&lab, "", 100)), model(&is_observation));
    // Who may read but not search, or the other way round, sees nothing.
    server.actor("half", "user/Observation.r").get("/v1/events").problem(403, &[]);
    // A follower of one chart is told how far the log goes, and resumes there.
    let mut sse = Sse::open(app.request("GET", "/v1/events?live=false")).unwrap();
    let mut seen = 0;
    while sse.event().is_ok() {
        seen += 1;
    }
    assert_eq!(seen, own.len());
    let head = server.log_length();
    assert_eq!(sse.last_id, (head - 1).to_string());
    assert!(sse.comments.contains(&format!("head {head}")), "{:?}", sse.comments);
}

#[test]
fn what_was_erased_says_so_and_stalls_nobody() {
    let server = clinic();
    let clinician = server.clinician();
    let before = pages(&clinician, "", 100);
    let alias = before.iter().find(|event| event["patient"] == "q").unwrap()["chart"].clone();
    let mut live = Sse::open(clinician.request("GET", "/v1/events?from=head")).unwrap();
    let body = json!({ "reason": "asked for", "basis": "GDPR Art. 17" });
    server.entitled().post("/v1/patients/q/erasure", &body).expect(200);
    let told: Value = serde_json::from_str(&live.event().unwrap().data).unwrap();
    assert_eq!((&told["type"], &told["chart"]), (&json!("chart.erased"), &alias));
    let check = |server: &Server| {
        let after = pages(&server.clinician(), "&include=resource", 2);
        assert_eq!(positions(&after), (0..server.log_length()).collect::<Vec<_>>());
        for (event, before) in after.iter().zip(&before) {
            if before["patient"] == "q" {
                let position = &before["position"];
                let expected = json!({
                    "position": position, "recordedAt": before["recordedAt"], "chart": alias,
                    "type": "chart.erased", "endsCommit": event["endsCommit"],
                });
                assert_eq!(*event, expected);
            } else {
                assert_eq!(event["type"], before["type"]);
            }
        }
        let app = server.patient_app("p");
        assert!(pages(&app, "", 100).iter().all(|event| event["patient"] == "p"));
        // Whoever keeps something of a type hears that it has to go.
        for query in ["&type=Encounter", "&criteria=Encounter", "&kind=chart.erased"] {
            let told = pages(&server.clinician(), query, 100);
            let erased = after.iter().filter(|event| event["type"] == "chart.erased");
            assert!(
                positions(&told)
                    .into_iter()
                    .eq(erased.map(|event| event["position"].as_u64().unwrap())),
                "{query}"
            );
        }
        assert!(pages(&server.clinician(), "&type=Encounter&kind=recorded", 100).is_empty());
    };
    check(&server);
    check(&server.restart());
}

#[test]
fn cloud_events_come_structured_and_in_batches() {
    let server = clinic();
    let clinician = server.clinician();
    let own = pages(&clinician, "&include=resource", 100);
    let asked = |accept: &str| -> Response {
        let request = clinician.request("GET", "/v1/events?include=resource&limit=1000");
        let request = match accept.contains("batch") {
            true => request,
            false => clinician.request("GET", "/v1/events?include=resource"),
        };
        request.header("accept", accept).send().expect(200)
    };
    let batch = asked("application/cloudevents-batch+json");
    assert_eq!(batch.header("content-type"), Some("application/cloudevents-batch+json"));
    assert_eq!(batch.header("chartlog-next"), Some(own.len().to_string().as_str()));
    let batch = batch.json().as_array().unwrap().clone();
    assert_eq!(batch.len(), own.len());
    for (cloud, own) in batch.iter().zip(&own) {
        assert_eq!(cloud["specversion"], "1.0");
        assert_eq!(cloud["id"], own["position"].to_string());
        assert_eq!(cloud["type"], format!("chartlog.{}", own["type"].as_str().unwrap()));
        assert_eq!(cloud["source"], format!("{}/v1/events", server.base));
        assert_eq!((&cloud["time"], &cloud["data"]), (&own["recordedAt"], &own["body"]));
        for (name, value) in cloud.as_object().unwrap() {
            let is_allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            assert!(name.len() <= 20 && name.chars().all(is_allowed), "{name}");
            assert!(name == "data" || value.is_string() || value.is_boolean(), "{name}: {value}");
        }
    }
    let structured = asked("application/cloudevents+json");
    let structured: Vec<Value> =
        structured.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends = |events: &[Value]| {
        let without = |event: &Value| {
            let mut event = event.clone();
            event["endscommit"] = json!(null);
            event
        };
        events.iter().map(without).collect::<Vec<_>>()
    };
    assert_eq!(ends(&structured), ends(&batch));
}

#[test]
fn a_commit_is_never_cut_in_two() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let resources: Vec<Value> = (0..40)
        .map(|at| {
            let id = format!("t{at}");
            entry("PUT", &format!("Observation/{id}"), observation(&id, "p"))
        })
        .collect();
    clinician.post("/fhir", &bundle("transaction", &resources)).expect(200);
    let page = clinician.get("/v1/events?limit=5").expect(200).json();
    let events = page["events"].as_array().unwrap();
    assert_eq!(events.len(), 42, "the page ends with the commit that it has reached");
    let ends: Vec<usize> = (0..42).filter(|at| events[*at]["endsCommit"] == true).collect();
    assert_eq!(ends, [1, 41]);
    // The mark stands on the last that a reader sees.
    let some = "/v1/events?criteria=Observation%3F_id%3Dt3,t20";
    let page = clinician.get(some).expect(200).json();
    let ends = page["events"].as_array().unwrap().iter().map(|event| event["endsCommit"].clone());
    assert_eq!(ends.collect::<Vec<_>>(), [json!(false), json!(true)]);
}

#[test]
fn an_event_says_who_caused_it_and_is_found_by_that_by_its_time_and_by_its_position() {
    let server = clinic();
    let clinician = server.clinician();
    let deputy = server.actor("deputy", "user/*.cruds");
    let two =
        ["t1", "t2"].map(|id| entry("PUT", &format!("Observation/{id}"), observation(id, "p")));
    deputy.post("/fhir", &bundle("transaction", &two)).expect(200);
    deputy.put(&practitioner("v")).expect(201);
    let all = pages(&clinician, "&include=resource,actor", 100);
    for owner in ["p", "q"] {
        let own = all.iter().filter(|event| event["patient"] == owner);
        for (own, told) in own.zip(clinician.events(owner)) {
            assert_eq!(own["actor"], told["actor"]);
        }
    }
    let by_deputy: Vec<Value> =
        all.iter().filter(|event| event["actor"]["subject"] == "deputy").cloned().collect();
    assert_eq!(by_deputy.len(), 3, "two in a chart, one in the directory");
    assert_eq!(pages(&clinician, "&include=resource,actor&actor=deputy", 100), by_deputy);
    assert!(pages(&clinician, "", 100).iter().all(|event| event.get("actor").is_none()));
    for event in &all {
        let since = event["recordedAt"].as_str().unwrap();
        let first = all.iter().find(|other| other["recordedAt"].as_str().unwrap() >= since);
        let found = lines(&clinician, &format!("since={since}"));
        assert_eq!(found[0]["position"], first.unwrap()["position"]);
        let target = format!("/v1/events/{}", event["position"]);
        assert_eq!(clinician.get(&target).expect(200).json(), *event);
        let raw = clinician.get(&format!("{target}?raw=true")).expect(200).json();
        let payload = raw["payload"].as_str().unwrap();
        let (envelope, body) = payload.split_once('\n').unwrap_or((payload, "null"));
        let envelope: Value = serde_json::from_str(envelope).unwrap();
        assert_eq!((&envelope["type"], &envelope["schema"]), (&event["type"], &json!(2)));
        let body: Value = serde_json::from_str(body).unwrap();
        // Where a resource lies in several charts, it stands in the event of one.
        if envelope.get("home").is_none() {
            assert_eq!(body["id"], event["body"]["id"], "{target}");
        }
    }
    clinician.get("/v1/events?since=x&from=3").problem(400, &["instant", "one of"]);
    clinician.get("/v1/events?since=2999-01-01T00:00:00Z").problem(400, &["future"]);
}

#[test]
fn one_event_is_not_there_for_who_does_not_reach_it() {
    let server = clinic();
    let clinician = server.clinician();
    let of_q = pages(&clinician, "&patient=q", 100);
    let target = |event: &Value| format!("/v1/events/{}?raw=true", event["position"]);
    let (app, lab) = (server.patient_app("p"), server.actor("lab", "user/Observation.rs"));
    for event in &of_q {
        app.get(&target(event)).problem(404, &["not known"]);
        let is_observation =
            event["resource"].as_str().is_some_and(|key| key.starts_with("Observation/"));
        lab.get(&target(event)).expect(if is_observation { 200 } else { 404 });
    }
    for position in ["999", "18446744073709551615", "x"] {
        clinician.get(&format!("/v1/events/{position}")).problem(404, &["not known"]);
    }
    let reasons = json!({ "reason": "asked for", "basis": "GDPR Art. 17" });
    server.entitled().post("/v1/patients/q/erasure", &reasons).expect(200);
    for event in &of_q {
        let left = clinician.get(&target(event)).expect(200).json();
        let told = left.as_object().unwrap().keys().map(String::as_str);
        let expected = ["chart", "endsCommit", "position", "recordedAt", "type"];
        assert_eq!(told.collect::<BTreeSet<_>>(), expected.into());
    }
    assert!(lines(&clinician, "actor=nobody").iter().all(|line| line.get("type").is_none()));
}
