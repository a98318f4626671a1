//! The chart as a stream: append, events, any past state, differences.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, appointment, observation, patient, practitioner, shared, unique,
    with_reference,
};

pub fn event(event_type: &str, resource: Value) -> Value {
    json!({ "type": event_type, "resource": resource })
}

pub fn append(actor: &Actor, patient: &str, body: &Value) -> Response {
    actor.post(&format!("/v1/patients/{patient}/events"), body)
}

/// A chart with the patient and one observation, at version 3.
pub fn charted(actor: &Actor) -> (String, String) {
    let (owner, value) = (unique("p"), unique("o"));
    let events = json!({ "events": [
        event("Patient.recorded", patient(&owner)),
        event("Observation.recorded", observation(&value, &owner)),
    ] });
    append(actor, &owner, &events).expect(201);
    (owner, value)
}

/// `type resource versionId` of each event.
pub fn told(actor: &Actor, patient: &str) -> Vec<String> {
    let tell = |event: &Value| {
        let text = |member: &str| event[member].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("type"), text("resource"), text("versionId"))
    };
    actor.events(patient).iter().map(tell).collect()
}

/// `Type/id/version` of each resource in a chart.
pub fn held(chart: &Value) -> Vec<String> {
    let name = |resource: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{}/{}/{}",
            text(&resource["resourceType"]),
            text(&resource["id"]),
            text(&resource["meta"]["versionId"])
        )
    };
    chart["resources"].as_array().unwrap().iter().map(name).collect()
}

pub fn status(value: &str, owner: &str, status: &str) -> Value {
    let mut resource = observation(value, owner);
    resource["status"] = json!(status);
    resource
}

#[test]
fn any_past_version_and_moment_of_a_chart_reads_as_it_was() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    clinician.put(&status(&value, &owner, "amended")).expect(200);
    clinician.delete(&format!("/fhir/Observation/{value}")).expect(204);
    clinician.put(&observation(&value, &owner)).expect(201);
    let own = format!("Patient/{owner}/1");
    let version = |number: u64| format!("Observation/{value}/{number}");
    let expected = [
        vec![],
        vec![],
        vec![own.clone()],
        vec![own.clone(), version(1)],
        vec![own.clone(), version(2)],
        vec![own.clone()],
        vec![own.clone(), version(4)],
    ];
    for (number, expected) in expected.iter().enumerate() {
        let chart = clinician.chart(&owner, &format!("?version={number}"));
        assert_eq!(&held(&chart), expected, "version {number}");
        assert_eq!(chart["version"], number);
        assert_eq!(chart["patient"], owner.as_str());
    }
    let events = clinician.events(&owner);
    for at in 3..6 {
        let moment = events[at - 1]["recordedAt"].as_str().unwrap();
        let chart = clinician.chart(&owner, &format!("?asOf={moment}"));
        assert_eq!(held(&chart), expected[at], "as of {moment}");
        assert_eq!(chart["recordedAt"], moment);
    }
    // The first three events have one moment: a reader has all of them or none.
    let first = events[0]["recordedAt"].as_str().unwrap();
    let before = chartlog::clock::Instant::parse(first).unwrap().micros() - 1;
    let before = chartlog::clock::Instant::from_micros(before);
    assert_eq!(clinician.chart(&owner, &format!("?asOf={before}"))["version"], 0);
    assert_eq!(clinician.chart(&owner, &format!("?asOf={first}"))["version"], 3);
    let now = clinician.chart(&owner, "");
    assert_eq!((now["version"].clone(), held(&now)), (json!(6), expected[6].clone()));
}

#[test]
fn states_that_are_not_there_are_refused() {
    let clinician = shared().entitled();
    let (owner, _) = charted(&clinician);
    let get = |query: &str| clinician.get(&format!("/v1/patients/{owner}/chart?{query}"));
    get("version=4").problem(404, &["version 4"]);
    get("asOf=2999-01-01T00:00:00Z").problem(400, &["asOf", "future"]);
    get("asOf=2020-01-01").problem(400, &["asOf", "instant"]);
    get("asOf=2020-01-01T00:00:00").problem(400, &["asOf", "time zone"]);
    get("asOf=2020-01-01T00:00:00+02:00").problem(400, &["asOf", "%2B"]);
    get("version=-1").problem(400, &["version"]);
    get("version=1&version=2").problem(400, &["version", "once"]);
    get("version=1&asOf=2020-01-01T00:00:00Z").problem(400, &["asOf", "version", "both"]);
    get("at=1").problem(400, &["at", "asOf"]);
    let old = get("asOf=2020-01-01T00:00:00%2B02:00").expect(200).json();
    assert_eq!(
        (&old["version"], &old["recordedAt"], &old["resources"]),
        (&json!(0), &json!(null), &json!([]))
    );
    for target in ["chart", "events", "diff?from=0", "accesses"] {
        clinician
            .get(&format!("/v1/patients/{}/{target}", unique("never")))
            .problem(404, &["chart"]);
        clinician.get(&format!("/v1/patients/a_b/{target}")).problem(400, &["a_b"]);
    }
}

#[test]
fn a_chart_has_an_etag_that_follows_its_version() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let target = format!("/v1/patients/{owner}/chart");
    assert_eq!(clinician.get(&target).expect(200).header("etag"), Some("\"3\""));
    let known = |tag: &str| clinician.request("GET", &target).header("if-none-match", tag).send();
    let unchanged = known("\"3\"").expect(304);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), Some("\"3\""));
    known("\"2\"").expect(200);
    clinician.delete(&format!("/fhir/Observation/{value}")).expect(204);
    assert_eq!(known("\"3\"").expect(200).header("etag"), Some("\"4\""));
    let past = clinician.request("GET", &format!("{target}?version=2"));
    past.header("if-none-match", "\"2\"").send().expect(304);
}

#[test]
fn events_are_filtered_by_type_resource_actor_and_time() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let other = shared().actor("dr-blau", "user/*.cruds");
    other.put(&status(&value, &owner, "amended")).expect(200);
    other.delete(&format!("/fhir/Observation/{value}")).expect(204);
    let events = clinician.events(&owner);
    let versions = |filter: &str| -> Vec<u64> {
        let page =
            clinician.get(&format!("/v1/patients/{owner}/events?{filter}")).expect(200).json();
        let events = page["events"].as_array().unwrap();
        events.iter().map(|event| event["version"].as_u64().unwrap()).collect()
    };
    let moment = events[3]["recordedAt"].as_str().unwrap();
    assert_eq!(versions(""), [1, 2, 3, 4, 5]);
    assert_eq!(versions("type=Observation.amended"), [4]);
    assert_eq!(versions("type=chart.opened"), [1]);
    assert_eq!(versions(&format!("resource=Observation/{value}")), [3, 4, 5]);
    assert_eq!(versions(&format!("resource=Patient/{value}")), [0; 0]);
    assert_eq!(versions("actor=dr-blau"), [4, 5]);
    assert_eq!(versions("actor=dr-blau&type=Observation.removed"), [5]);
    assert_eq!(versions(&format!("since={moment}")), [4, 5]);
    assert_eq!(versions(&format!("until={moment}")), [1, 2, 3]);
    assert_eq!(versions(&format!("since={moment}&until={moment}")), [0; 0]);
    for (wrong, word) in [
        ("type=written", "type"),
        ("resource=x", "resource"),
        ("since=2020", "since"),
        ("until=x", "until"),
        ("count=x", "count"),
        ("cursor=x", "cursor"),
        ("kind=x", "kind"),
    ] {
        clinician.get(&format!("/v1/patients/{owner}/events?{wrong}")).problem(400, &[word]);
    }
}

#[test]
fn events_come_in_pages_without_gaps_or_repeats() {
    let clinician = shared().clinician();
    let (owner, _) = charted(&clinician);
    for _ in 0..6 {
        clinician.put(&observation(&unique("o"), &owner)).expect(201);
    }
    for filter in ["", "&type=Observation.recorded"] {
        let (mut versions, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let target = format!("/v1/patients/{owner}/events?count=2{filter}{cursor}");
            let page = clinician.get(&target).expect(200).json();
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 2);
            versions.extend(events.iter().map(|event| event["version"].as_u64().unwrap()));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let first = if filter.is_empty() { 1 } else { 3 };
        assert_eq!(versions, (first..=9).collect::<Vec<u64>>());
        assert!(pages >= 4, "{pages}");
    }
}

#[test]
fn a_difference_tells_what_was_added_changed_and_removed() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let (gone, new) = (unique("gone"), unique("new"));
    clinician.put(&observation(&gone, &owner)).expect(201);
    clinician.put(&status(&value, &owner, "amended")).expect(200);
    clinician.delete(&format!("/fhir/Observation/{gone}")).expect(204);
    clinician.put(&observation(&new, &owner)).expect(201);
    let diff = |query: &str| clinician.get(&format!("/v1/patients/{owner}/diff?{query}"));
    let tell = |difference: &Value| -> Vec<String> {
        let changes = difference["changes"].as_array().unwrap();
        let mut told: Vec<String> = changes
            .iter()
            .map(|change| {
                let version = |side: &str| {
                    change[side]["meta"]["versionId"].as_str().unwrap_or("-").to_owned()
                };
                format!(
                    "{} {} {}>{}",
                    change["kind"].as_str().unwrap(),
                    change["resource"].as_str().unwrap(),
                    version("before"),
                    version("after")
                )
            })
            .collect();
        told.sort();
        told
    };
    let whole = diff("from=4").expect(200).json();
    assert_eq!((&whole["from"], &whole["to"]), (&json!(4), &json!(7)));
    assert_eq!(
        tell(&whole),
        [
            format!("added Observation/{new} ->1"),
            format!("changed Observation/{value} 1>2"),
            format!("removed Observation/{gone} 1>-"),
        ]
    );
    // What came and went in between is no difference.
    assert_eq!(
        tell(&diff("from=3&to=6").expect(200).json()),
        [format!("changed Observation/{value} 1>2")]
    );
    assert_eq!(tell(&diff("from=7&to=3").expect(200).json()).len(), 2);
    assert_eq!(tell(&diff("from=5&to=5").expect(200).json()), [""; 0]);
    let events = clinician.events(&owner);
    let moments = format!(
        "from={}&to={}",
        events[4]["recordedAt"].as_str().unwrap(),
        events[6]["recordedAt"].as_str().unwrap()
    );
    assert_eq!(tell(&diff(&moments).expect(200).json()).len(), 2);
    diff("").problem(400, &["from"]);
    diff("from=8").problem(404, &["version 8"]);
    diff("from=0&to=99").problem(404, &["version 99"]);
    diff("from=x").problem(400, &["from"]);
    diff("from=2999-01-01T00:00:00Z").problem(400, &["from", "future"]);
    diff("from=0&upto=1").problem(400, &["upto"]);
}

#[test]
fn a_resource_that_moves_leaves_one_chart_and_enters_the_other() {
    let clinician = shared().clinician();
    let (wrong, value) = charted(&clinician);
    let (right, _) = charted(&clinician);
    let was = clinician.chart(&wrong, "");
    clinician.put(&observation(&value, &right)).expect(200);
    let name = format!("Observation/{value}");
    assert_eq!(told(&clinician, &wrong)[3], format!("chart.moved-out {name} 2"));
    assert_eq!(told(&clinician, &right)[3], format!("chart.moved-in {name} 2"));
    assert_eq!(held(&clinician.chart(&wrong, "")), [format!("Patient/{wrong}/1")]);
    assert!(held(&clinician.chart(&right, "")).contains(&format!("{name}/2")));
    assert_eq!(clinician.chart(&wrong, "?version=3"), was);
    assert!(!held(&clinician.chart(&right, "?version=3")).contains(&format!("{name}/2")));
    // Who may see only one of the charts sees only what lay there.
    let moved_out = clinician.events(&wrong).pop().unwrap();
    assert!(moved_out.get("body").is_none(), "{moved_out}");
    let (old, new) = (shared().patient_app(&wrong), shared().patient_app(&right));
    old.get(&format!("/fhir/{name}")).refused(404, &[]);
    new.get(&format!("/fhir/{name}")).expect(200);
    old.get(&format!("/fhir/{name}/_history/1")).expect(200);
    new.get(&format!("/fhir/{name}/_history/1")).refused(404, &[]);
    assert_eq!(
        new.get(&format!("/fhir/{name}/_history")).expect(200).json()["entry"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        old.get(&format!("/fhir/{name}/_history")).expect(200).json()["entry"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let found = clinician.get(&format!("/fhir/Observation?patient={wrong}")).expect(200).json();
    assert!(found.get("entry").is_none());
}

#[test]
fn amending_a_resource_of_another_chart_moves_it_into_this_one() {
    let clinician = shared().clinician();
    let (wrong, value) = charted(&clinician);
    let (right, _) = charted(&clinician);
    let amended = json!({ "events": [event("Observation.amended", observation(&value, &right))] });
    append(&clinician, &right, &amended).expect(201);
    let moved = format!("Observation/{value} 2");
    assert_eq!(told(&clinician, &right).last().unwrap(), &format!("chart.moved-in {moved}"));
    assert_eq!(told(&clinician, &wrong).last().unwrap(), &format!("chart.moved-out {moved}"));
}

#[test]
fn a_resource_about_two_patients_lies_in_both_charts() {
    let clinician = shared().clinician();
    let (one, value) = charted(&clinician);
    let (two, _) = charted(&clinician);
    let (three, _) = charted(&clinician);
    let shared_id = unique("appointment");
    let name = format!("Appointment/{shared_id}");
    clinician.put(&appointment(&shared_id, &[&one, &two])).expect(201);
    for owner in [&one, &two] {
        assert_eq!(told(&clinician, owner)[3], format!("Appointment.recorded {name} 1"));
        assert!(held(&clinician.chart(owner, "")).contains(&format!("{name}/1")));
        shared().patient_app(owner).get(&format!("/fhir/{name}")).expect(200);
    }
    // One leaves, one stays, one comes.
    clinician.put(&appointment(&shared_id, &[&two, &three])).expect(200);
    assert_eq!(told(&clinician, &one)[4], format!("chart.moved-out {name} 2"));
    assert_eq!(told(&clinician, &two)[4], format!("Appointment.amended {name} 2"));
    assert_eq!(told(&clinician, &three)[3], format!("chart.moved-in {name} 2"));
    assert!(held(&clinician.chart(&three, "")).contains(&format!("{name}/2")));
    clinician.delete(&format!("/fhir/{name}")).expect(204);
    for owner in [&two, &three] {
        assert_eq!(told(&clinician, owner).pop(), Some(format!("Appointment.removed {name} 3")));
        assert!(!held(&clinician.chart(owner, "")).iter().any(|held| held.starts_with(&name)));
    }
    assert_eq!(told(&clinician, &one).len(), 5);

    // A patient may also be who performed an observation of another.
    let mut helped = observation(&value, &one);
    helped["performer"] = json!([{ "reference": format!("Patient/{two}") }]);
    clinician.put(&helped).expect(200);
    assert!(held(&clinician.chart(&one, "")).contains(&format!("Observation/{value}/2")));
    assert!(held(&clinician.chart(&two, "")).contains(&format!("Observation/{value}/2")));
}

#[test]
fn what_belongs_to_no_patient_lies_in_the_directory() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let doctor = unique("doctor");
    clinician.put(&practitioner(&doctor)).expect(201);
    clinician.get(&format!("/fhir/Practitioner/{doctor}/_history")).expect(200);
    shared().patient_app(&owner).get(&format!("/fhir/Practitioner/{doctor}")).refused(404, &[]);
    // From a chart to the directory and back.
    clinician.put(&with_reference(observation(&value, "x"), "Group/g1")).expect(200);
    assert_eq!(
        told(&clinician, &owner).pop(),
        Some(format!("chart.moved-out Observation/{value} 2"))
    );
    assert_eq!(held(&clinician.chart(&owner, "")), [format!("Patient/{owner}/1")]);
    shared().patient_app(&owner).get(&format!("/fhir/Observation/{value}")).refused(404, &[]);
    clinician.put(&observation(&value, &owner)).expect(200);
    assert_eq!(
        told(&clinician, &owner).pop(),
        Some(format!("chart.moved-in Observation/{value} 3"))
    );
    assert!(held(&clinician.chart(&owner, "")).contains(&format!("Observation/{value}/3")));
}

#[test]
fn a_chart_exists_as_soon_as_something_refers_to_its_patient() {
    let clinician = shared().clinician();
    let (owner, value) = (unique("unseen"), unique("o"));
    clinician.put(&observation(&value, &owner)).expect(201);
    assert_eq!(held(&clinician.chart(&owner, "")), [format!("Observation/{value}/1")]);
    clinician.get(&format!("/fhir/Patient/{owner}")).refused(404, &[]);
}

#[test]
fn a_caller_sees_of_a_chart_only_the_types_within_its_scopes() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let narrow = shared().actor("lab", "user/Observation.rs");
    assert_eq!(held(&narrow.chart(&owner, "")), [format!("Observation/{value}/1")]);
    let events = narrow.events(&owner);
    assert!(events.iter().all(|event| event["type"] != "Patient.recorded"), "{events:?}");
    let difference = narrow.get(&format!("/v1/patients/{owner}/diff?from=0")).expect(200).json();
    assert_eq!(difference["changes"].as_array().unwrap().len(), 1);
    let everything = narrow.get(&format!("/fhir/Patient/{owner}/$everything")).expect(200).json();
    assert_eq!(everything["total"], 1);
}

#[test]
fn writes_carry_who_why_and_which_request() {
    let clinician = shared().clinician();
    let (owner, value) = (unique("p"), unique("o"));
    let request = clinician.request("PUT", &format!("/fhir/Observation/{value}"));
    let request = request.header("x-request-id", "req-17").header("x-purpose-of-use", "TREAT");
    request.json(&observation(&value, &owner)).send().expect(201);
    for event in clinician.events(&owner) {
        let actor = &event["actor"];
        assert_eq!(
            *actor,
            json!({
                "subject": "dr-weiss", "issuer": "chartlog-local", "purpose": "TREAT",
                "address": "127.0.0.1", "clientRequest": "req-17",
                "request": actor["request"],
            })
        );
        assert_eq!(actor["request"].as_str().unwrap().len(), 36);
    }
}
