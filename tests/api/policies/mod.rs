//! Who may see what by policies and Consents: a leak matrix. Each cell is a token at a door, and names exactly what may appear
//! there: what the door shows to who may see everything, and the token reaches.

mod clinic;
mod doors;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chartlog::auth::About;
use serde_json::{Value, json};

use self::clinic::{all, clinic};
use self::doors::{DOORS, everything_of, in_chart};
use self::kinds::{ALL, Kind, kinds, of};
use crate::harness::{Actor, Response, Server, bundle, entry};

static WITHOUT: LazyLock<Server> = LazyLock::new(|| clinic(false));
static WITH: LazyLock<Server> = LazyLock::new(|| clinic(true));

fn keys_in(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| keys_in(one, into)),
        Value::Object(members) => {
            if let (Some(kind), Some(id)) = (members.get("resourceType"), members.get("id"))
                && kind != "Bundle"
                && kind != "OperationOutcome"
            {
                into.insert(format!("{}/{}", kind.as_str().unwrap(), id.as_str().unwrap()));
                return;
            }
            members.values().for_each(|one| keys_in(one, into));
        }
        _ => {}
    }
}

/// All resources in an answer.
fn keys(answer: &Response) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    if let Ok(value) = serde_json::from_str(answer.text()) {
        keys_in(&value, &mut all);
    }
    all
}

/// Who asks, what they may see, and what each of their requests showed.
struct Visitor<'a> {
    kind: &'a Kind,
    actor: Actor,
    reach: BTreeSet<String>,
    shown: BTreeMap<String, BTreeSet<String>>,
}

impl Visitor<'_> {
    /// Asks, and looks that the answer says nothing of what is out of reach.
    fn ask(&mut self, method: &str, url: &str, body: Option<&Value>) -> Response {
        let name = format!("{}-{}", self.kind.name.replace([' ', '\''], "-"), self.shown.len());
        let request = self.actor.request(method, url).header("x-request-id", &name);
        let answer = match body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        };
        for hidden in of(ALL).difference(&self.reach) {
            let id = hidden.rsplit_once('/').unwrap().1;
            let mark = format!("mark-{id}<");
            let place = || format!("{} at {url}: {hidden}: {}", self.kind.name, answer.text());
            assert!(!answer.text().contains(&mark), "{}", place());
            let is_asked = url.contains(id);
            for header in ["location", "content-location", "etag", "link"] {
                let said = answer.header(header).unwrap_or_default();
                assert!(is_asked || !said.contains(hidden.as_str()), "{}", place());
            }
        }
        self.shown.insert(name, keys(&answer));
        answer
    }

    fn expect(&mut self, url: &str, expected: &BTreeSet<String>) {
        let answer = self.ask("GET", url, None).expect(200);
        // Page by page: all of them, and none twice.
        let mut found = keys(&answer);
        let mut next = next_of(&answer);
        while let Some(url) = next {
            let page = self.ask("GET", &url, None).expect(200);
            found.extend(keys(&page));
            next = next_of(&page);
        }
        assert_eq!(found, *expected, "{} at {url}", self.kind.name);
    }
}

fn next_of(answer: &Response) -> Option<String> {
    let json = answer.json();
    let links = json["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == "next")?;
    let url = link["url"].as_str()?;
    Some(url[url.find("/fhir")?..].to_owned())
}

/// All doors for one kind of token.
fn visit(server: &Server, kind: &Kind, consent: bool) {
    let token = server.token_about(kind.name, kind.scope, kind.patient, kind.about.clone());
    let reach = kind.reach(consent);
    let actor = server.with_token(token);
    let mut visitor = Visitor { kind, actor, reach: reach.clone(), shown: BTreeMap::new() };
    for key in of(ALL) {
        let type_name = key.split_once('/').unwrap().0;
        let expected = match (kind.grants(type_name, false), reach.contains(&key)) {
            (false, _) => 403,
            (true, true) => 200,
            (true, false) => 404,
        };
        for rest in ["", "/_history/1", "/_history"] {
            let url = format!("/fhir/{key}{rest}");
            let answer = visitor.ask("GET", &url, None);
            assert_eq!(answer.status, expected, "{} at {url}: {}", kind.name, answer.text());
        }
        // As if there were nothing of that name.
        if expected == 404 {
            let hidden = visitor.ask("GET", &format!("/fhir/{key}"), None);
            let absent = visitor.ask("GET", &format!("/fhir/{key}0"), None);
            let told = |answer: &Response| {
                let text = answer.text().replace(&format!("{key}0"), &key);
                text.lines().filter(|line| !line.contains("request")).collect::<String>()
            };
            let (hidden, absent) = (told(&hidden), told(&absent));
            assert_eq!(
                hidden.split("\"id\"").next(),
                absent.split("\"id\"").next(),
                "{}",
                kind.name
            );
        }
    }
    let last = all(server).get("/fhir/Consent/k-s").expect(200).json();
    let moment = last["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    for door in DOORS {
        let url = format!("/fhir/{}", door.url).replace("NOW", &moment);
        if !door.searches.iter().all(|one| kind.grants(one, true)) {
            visitor.ask("GET", &url, None).expect(403);
            continue;
        }
        // One type of a token that grants one type says nothing of others.
        let expected = (door.shows)(&reach);
        visitor.expect(&url, &expected);
        if !door.url.contains("include") && !door.url.contains("_history") {
            let separator = if door.url.contains('?') { '&' } else { '?' };
            let counted = visitor.ask("GET", &format!("{url}{separator}_summary=count"), None);
            let total = counted.expect(200).json()["total"].as_u64();
            assert_eq!(total, Some(expected.len() as u64), "{} at {url}", kind.name);
        }
    }
    if kind.grants("Patient", true) {
        for chart in ['p', 'q', 'r', 's'] {
            let expected = in_chart(&reach, chart);
            let is_own = kind.patient.is_none_or(|own| own == chart.to_string());
            let everything = everything_of(&reach, chart);
            for (method, url, expected) in [
                ("GET", "/fhir/Patient/ID/$everything", &everything),
                ("POST", "/fhir/Patient/ID/$everything", &everything),
                ("GET", "/v1/patients/ID/chart", &expected),
                ("GET", "/v1/patients/ID/diff?from=0", &expected),
                ("GET", "/v1/patients/ID/events", &expected),
            ] {
                let url = url.replace("ID", &chart.to_string());
                let answer = visitor.ask(method, &url, None);
                if !is_own {
                    assert_eq!(answer.status, 403, "{} at {url}", kind.name);
                } else if expected.is_empty() {
                    assert_eq!(answer.status, 404, "{} at {url}: {}", kind.name, answer.text());
                } else {
                    let found = keys(&answer.expect(200));
                    assert_eq!(found, *expected, "{} at {url}", kind.name);
                }
            }
        }
    }
    visit_everything(&mut visitor);
    let entries: Vec<Value> = of(ALL).iter().map(|key| entry("GET", key, Value::Null)).collect();
    let answer = visitor.ask("POST", "/fhir", Some(&bundle("batch", &entries))).expect(200);
    assert_eq!(keys(&answer), reach, "{} in a batch", kind.name);
    check_entries(server, &visitor);
}

/// Everything of encounters, and of all patients.
fn visit_everything(visitor: &mut Visitor<'_>) {
    let (kind, reach) = (visitor.kind, visitor.reach.clone());
    for encounter in ["Encounter/v-p", "Encounter/v-s"] {
        let url = format!("/fhir/{encounter}/$everything");
        match (kind.grants("Encounter", true), reach.contains(encounter)) {
            (false, _) => drop(visitor.ask("GET", &url, None).expect(403)),
            (true, false) => drop(visitor.ask("GET", &url, None).expect(404)),
            (true, true) => {
                let patient = format!("Patient/{}", encounter.rsplit_once('-').unwrap().1);
                let all = of(&format!("{encounter} {patient} Practitioner/eva"));
                visitor.expect(&url, &all.intersection(&reach).cloned().collect());
            }
        }
    }
    let url = "/fhir/Patient/$everything";
    let of_each = ['p', 'q', 'r', 's'].into_iter().filter(|chart| match kind.patient {
        Some(own) => own == chart.to_string(),
        None => reach.contains(&format!("Patient/{chart}")),
    });
    let all: BTreeSet<String> = of_each.flat_map(|chart| everything_of(&reach, chart)).collect();
    match kind.grants("Patient", true) {
        true if all.is_empty() && kind.patient.is_some() => {
            visitor.ask("GET", url, None).expect(404);
        }
        true => visitor.expect(url, &all),
        false if kind.patient.is_none() => drop(visitor.ask("GET", url, None).expect(403)),
        false => {}
    }
}

/// Each request has exactly one entry, whose resources are those of the answer.
fn check_entries(server: &Server, visitor: &Visitor<'_>) {
    let mut entries: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    let actor = visitor.kind.name.replace(' ', "%20").replace('\'', "%27");
    let first = format!("/v1/accesses?count=500&actor={actor}");
    let mut url = first.clone();
    loop {
        let page = server.auditor().get(&url).expect(200).json();
        for access in page["accesses"].as_array().unwrap() {
            // Of a Bundle each entry tells of what it showed.
            let parts = access["parts"].as_array().into_iter().flatten();
            let looks = parts.chain([access]).map(|look| &look["resources"]);
            let resources = looks.filter_map(Value::as_array).flatten();
            // What is about a chart alone names no resource.
            let named = |one: &Value| one["resource"].as_str().map(str::to_owned);
            let resources = resources.filter_map(named).collect();
            let request = access["clientRequest"].as_str();
            let request = request.unwrap_or_else(|| panic!("{access}")).to_owned();
            entries.entry(request).or_default().push(resources);
        }
        match page["next"].as_str() {
            Some(next) => url = format!("{first}&cursor={next}"),
            None => break,
        }
    }
    for (request, shown) in &visitor.shown {
        let told = entries.get(request);
        assert_eq!(told, Some(&vec![shown.clone()]), "{} {request}", visitor.kind.name);
    }
}

#[test]
fn each_token_sees_at_each_door_exactly_what_policies_permit() {
    kinds().iter().for_each(|kind| visit(&WITHOUT, kind, false));
}

#[test]
fn and_nothing_that_a_consent_denies() {
    kinds().iter().for_each(|kind| visit(&WITH, kind, true));
}

#[test]
fn who_has_no_good_token_sees_nothing() {
    let server = &WITHOUT;
    let expired = server.token_with("late", "user/*.rs", None, "chartlog", 60, 3600);
    let good = server.token("pam", "user/*.rs", None);
    let broken = format!("{}x", &good[..good.len() - 4]);
    for token in [expired, broken, "nonsense".to_owned()] {
        let actor = server.with_token(token);
        for url in DOORS.iter().map(|door| format!("/fhir/{}", door.url)) {
            assert!(keys(&actor.get(&url).expect(401)).is_empty());
        }
    }
}

#[test]
fn a_write_is_decided_on_what_is_there_and_on_what_will_be_in_each_chart() {
    let server = clinic(true);
    let about = About { fhir_user: Some("Practitioner/pam".into()), ..About::default() };
    let pam = server.with_token(server.token_about("pam", "user/*.cruds", None, about));
    let observation = |id: &str, patient: &str, label: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "x" },
            "meta": { "security": [{ "system": "urn:label", "code": label }] },
            "subject": { "reference": format!("Patient/{patient}") },
        })
    };
    pam.put(&observation("new", "p", "N")).expect(201);
    pam.put(&observation("new", "p", "M")).expect(200);
    // Neither into what is hidden nor out of it, by label or by chart.
    pam.put(&observation("new", "p", "R")).expect(403);
    pam.put(&observation("new", "q", "N")).expect(403);
    pam.put(&observation("other", "q", "N")).expect(403);
    pam.put(&observation("o-p2", "p", "N")).expect(404);
    pam.put(&observation("o-q1", "p", "N")).expect(404);
    pam.delete("/fhir/Observation/o-p2").expect(404);
    pam.delete("/fhir/Observation/o-q1").expect(404);
    // What a Consent denies her is denied for writing too.
    let condition = json!({
        "resourceType": "Condition", "id": "c-p", "subject": { "reference": "Patient/p" },
    });
    pam.put(&condition).expect(403);
    // A hidden resource answers a condition like one that is not there.
    let found = |id: &str| {
        let mut one = observation("x", "p", "N");
        one.as_object_mut().unwrap().remove("id");
        let request = pam.request("POST", "/fhir/Observation");
        request.header("if-none-exist", format!("_id={id}")).json(&one).send().status
    };
    assert_eq!(
        (found("new"), found("o-q1"), found("o-p2"), found("nothing")),
        (200, 201, 201, 201)
    );
    // One entry that is denied keeps all of a transaction from being stored.
    let both = [
        entry("PUT", "Observation/new", observation("new", "p", "L")),
        entry("PUT", "Observation/other", observation("other", "s", "N")),
    ];
    pam.post("/fhir", &bundle("transaction", &both)).expect(403);
    let new = pam.get("/fhir/Observation/new").expect(200).json();
    assert_eq!(new["meta"]["versionId"], "2");
    // A right ends with what it rests on, at once.
    let team =
        all(&server).get("/fhir/CareTeam/t-p").expect(200).text().replace("active", "inactive");
    let team: Value = serde_json::from_str(&team).unwrap();
    all(&server).put(&team).expect(200);
    pam.get("/fhir/Observation/new").expect(404);
    pam.put(&observation("new", "p", "N")).expect(403);
    let left = pam.get("/fhir/Observation").expect(200);
    assert!(keys(&left).is_empty());
}

#[test]
fn a_label_is_one_however_its_name_is_written() {
    let server = clinic(false);
    let text = r#"{"resourceType":"Observation","id":"spelt","status":"final","code":{"text":"mark-spelt<"},
        "meta":{"s\u0065curity":[{"system":"urn:label","code":"R"}]},"subject":{"reference":"Patient/p"}}"#;
    let put = all(&server).request("PUT", "/fhir/Observation/spelt");
    put.header("content-type", "application/fhir+json").bytes(text).send().expect(201);
    let about = About { fhir_user: Some("Practitioner/pam".into()), ..About::default() };
    let pam = server.with_token(server.token_about("pam", "user/*.rs", None, about));
    pam.get("/fhir/Observation/spelt").expect(404);
    pam.get("/fhir/Observation/o-p1").expect(200);
}

#[test]
fn what_comes_into_a_chart_is_found_at_once() {
    let server = clinic(false);
    let about = About { fhir_user: Some("Practitioner/pam".into()), ..About::default() };
    let pam = server.with_token(server.token_about("pam", "user/*.rs", None, about));
    let all = all(&server);
    let found = || keys(&pam.get("/fhir/Observation").expect(200));
    assert_eq!(found(), of("Observation/o-p1"));
    let observation = |id: &str, patient: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "x" },
            "subject": { "reference": format!("Patient/{patient}") },
        })
    };
    // Created, moved in, moved out, and deleted.
    all.put(&observation("late", "p")).expect(201);
    assert_eq!(found(), of("Observation/o-p1 Observation/late"));
    all.put(&observation("o-q1", "p")).expect(200);
    assert_eq!(found(), of("Observation/o-p1 Observation/late Observation/o-q1"));
    all.put(&observation("late", "q")).expect(200);
    assert_eq!(found(), of("Observation/o-p1 Observation/o-q1"));
    all.delete("/fhir/Observation/o-q1").expect(204);
    assert_eq!(found(), of("Observation/o-p1"));
    // Another chart that she has to do with from now on.
    let team = json!({
        "resourceType": "CareTeam", "id": "t-new", "status": "active", "subject": { "reference": "Patient/s" },
        "participant": [{ "member": { "reference": "Practitioner/pam" } }],
    });
    all.put(&team).expect(201);
    assert_eq!(found(), of("Observation/o-p1 Observation/o-s1"));
}
