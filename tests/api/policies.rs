//! Who may see what by policies and Consents: a leak matrix. Each cell is a token at a door, and names exactly what may appear
//! there: what the door shows to who may see everything, and the token reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chartlog::auth::About;
use serde_json::{Value, json};

use crate::harness::{Actor, Response, Server, Setup, bundle, entry, guard};

const POLICIES: &str = r#"
@id("directory")
permit (principal, action, resource) when { resource.directory };
@id("own")
permit (principal, action in Chartlog::Action::"view", resource) when { resource.relation.self };
@id("treating")
permit (principal, action in [Chartlog::Action::"view", Chartlog::Action::"change"], resource)
when { resource.relation.careTeam || resource.relation.generalPractitioner };
@id("visiting")
permit (principal, action in Chartlog::Action::"view", resource)
when { resource.relation.currentEncounter && resource.type != "Condition" };
@id("house")
permit (principal in Chartlog::Role::"nurse", action in Chartlog::Action::"view", resource)
when { resource.relation.managingOrganization };
@id("family")
permit (principal, action in Chartlog::Action::"view", resource) when { resource.relation.relatedPerson };
@id("warehouse")
permit (principal in Chartlog::Client::"warehouse", action, resource);
@id("desk")
permit (principal in Chartlog::Role::"registrar", action, resource)
when { resource.type == "Patient" };
@id("restricted")
forbid (principal, action, resource) when { resource.labels.contains("urn:label|R") }
unless { resource.relation.generalPractitioner || principal in Chartlog::Client::"warehouse" };
"#;

/// Who may see and change everything.
fn all(server: &Server) -> Actor {
    let client = About { client: Some("warehouse".into()), ..About::default() };
    server.with_token(server.token_about("all", "system/*.cruds", None, client))
}

/// Four patients with linked data. The id of each is also a word in it that appears nowhere else.
fn fill(server: &Server) {
    let all = all(server);
    let put = |resource: Value| {
        let mut resource = resource;
        let mark = format!("mark-{}", resource["id"].as_str().unwrap());
        resource["text"] = json!({
            "status": "generated",
            "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{mark}</div>"),
        });
        all.put(&resource).expect(201);
    };
    let to = |key: &str| json!({ "reference": key });
    for id in ["pam", "gil", "eva"] {
        put(json!({ "resourceType": "Practitioner", "id": id }));
    }
    put(json!({ "resourceType": "Organization", "id": "house" }));
    for id in ["p", "q", "r", "s"] {
        let mut patient = json!({
            "resourceType": "Patient", "id": id, "name": [{ "family": format!("Fam{id}") }],
            "link": [],
        });
        patient.as_object_mut().unwrap().remove("link");
        if id == "q" {
            patient["generalPractitioner"] = json!([to("Practitioner/gil")]);
        }
        if id == "r" {
            patient["managingOrganization"] = to("Organization/house");
        }
        put(patient);
        let label = |label: &str| json!({ "security": [{ "system": "urn:label", "code": label }] });
        for (suffix, code, mark) in [("1", "k", "N"), ("2", "na", "R")] {
            put(json!({
                "resourceType": "Observation", "id": format!("o-{id}{suffix}"), "status": "final",
                "meta": label(mark), "code": { "coding": [{ "code": code }] },
                "subject": to(&format!("Patient/{id}")), "performer": [to("Practitioner/pam")],
                "effectiveDateTime": format!("202{suffix}-01-01"),
            }));
        }
        put(json!({
            "resourceType": "Condition", "id": format!("c-{id}"),
            "subject": to(&format!("Patient/{id}")),
            "evidence": [{ "detail": [to(&format!("Observation/o-{id}2"))] }],
        }));
    }
    let team = |id: &str, patient: &str, status: &str, period: Value| {
        put(json!({
            "resourceType": "CareTeam", "id": id, "status": status, "period": period,
            "subject": to(&format!("Patient/{patient}")),
            "participant": [{ "member": to("Practitioner/pam") }],
        }));
    };
    team("t-p", "p", "active", json!({ "start": "2020" }));
    team("t-q", "q", "inactive", json!({ "start": "2020" }));
    team("t-r", "r", "active", json!({ "start": "2020", "end": "2021" }));
    let visit = |id: &str, patient: &str, status: &str| {
        put(json!({
            "resourceType": "Encounter", "id": id, "status": status, "class": { "code": "AMB" },
            "subject": to(&format!("Patient/{patient}")),
            "participant": [{ "individual": to("Practitioner/eva") }],
        }));
    };
    visit("v-p", "p", "finished");
    visit("v-s", "s", "in-progress");
    put(json!({ "resourceType": "RelatedPerson", "id": "rel", "patient": to("Patient/s") }));
    let denied = |id: &str, patient: &str, provision: Value| {
        put(json!({
            "resourceType": "Consent", "id": id, "status": "active",
            "scope": { "coding": [{ "code": "patient-privacy" }] },
            "category": [{ "coding": [{ "code": "INFA" }] }],
            "policyRule": { "coding": [{ "code": "OPTIN" }] },
            "patient": to(&format!("Patient/{patient}")), "provision": provision,
        }));
    };
    let role = json!({ "coding": [{ "code": "PRCP" }] });
    let class = json!([{ "system": "http://hl7.org/fhir/resource-types", "code": "Condition" }]);
    denied(
        "k-p",
        "p",
        json!({
            "type": "deny", "class": class,
            "actor": [{ "role": role, "reference": to("Practitioner/pam") }],
        }),
    );
    denied(
        "k-q",
        "q",
        json!({
            "type": "permit",
            "provision": [{ "type": "deny", "actor": [{ "role": role, "reference": to("Practitioner/gil") }] }],
        }),
    );
    denied(
        "k-s",
        "s",
        json!({
            "type": "deny", "data": [{ "meaning": "instance", "reference": to("Observation/o-s1") }],
            "provision": [{
                "type": "permit", "actor": [{ "role": role, "reference": to("RelatedPerson/rel") }],
            }],
        }),
    );
}

fn clinic(consent: bool) -> Server {
    let server = Setup::default().file("care.cedar", POLICIES);
    let server = server.set("policies.directory=.").set(&format!("policies.consent={consent}"));
    let server = server.start();
    guard(&server);
    fill(&server);
    server
}

static WITHOUT: LazyLock<Server> = LazyLock::new(|| clinic(false));
static WITH: LazyLock<Server> = LazyLock::new(|| clinic(true));

const DIRECTORY: &str = "Practitioner/pam Practitioner/gil Practitioner/eva Organization/house";
const ALL: &str = "Practitioner/pam Practitioner/gil Practitioner/eva Organization/house \
    Patient/p Observation/o-p1 Observation/o-p2 Condition/c-p CareTeam/t-p Encounter/v-p Consent/k-p \
    Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q Consent/k-q \
    Patient/r Observation/o-r1 Observation/o-r2 Condition/c-r CareTeam/t-r \
    Patient/s Observation/o-s1 Observation/o-s2 Condition/c-s Encounter/v-s RelatedPerson/rel Consent/k-s";

/// A kind of token, and what it reaches without and with Consents in force.
struct Kind {
    name: &'static str,
    scope: &'static str,
    patient: Option<&'static str>,
    about: About,
    /// Without the directory, where `in_directory` brings that.
    reaches: &'static str,
    in_directory: bool,
    denied_by_consent: &'static str,
}

fn kinds() -> Vec<Kind> {
    let user = |fhir_user: &str| About { fhir_user: Some(fhir_user.into()), ..About::default() };
    let client = About { client: Some("warehouse".into()), ..About::default() };
    let role = |role: &str| About {
        role: Some(role.into()),
        organization: Some("Organization/house".into()),
        ..About::default()
    };
    let kind = |name, scope, about, reaches, denied_by_consent| Kind {
        name,
        scope,
        patient: None,
        about,
        reaches,
        in_directory: true,
        denied_by_consent,
    };
    let of_p = "Patient/p Observation/o-p1 Condition/c-p CareTeam/t-p Encounter/v-p Consent/k-p";
    let of_q = "Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q Consent/k-q";
    let without_q = "Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q";
    let of_s = "Patient/s Observation/o-s1 Encounter/v-s RelatedPerson/rel Consent/k-s";
    let family =
        "Patient/s Observation/o-s1 Condition/c-s Encounter/v-s RelatedPerson/rel Consent/k-s";
    let of_r = "Patient/r Observation/o-r1 Condition/c-r CareTeam/t-r";
    let own_q = "Patient/q Observation/o-q1 Condition/c-q CareTeam/t-q Consent/k-q";
    let launched = |name, patient, about, reaches| Kind {
        patient: Some(patient),
        in_directory: false,
        ..kind(name, "patient/*.rs", about, reaches, "")
    };
    vec![
        kind("warehouse", "system/*.rs", client, ALL, ""),
        kind("care team", "user/*.rs", user("Practitioner/pam"), of_p, "Condition/c-p"),
        kind("general practitioner", "user/*.rs", user("Practitioner/gil"), of_q, without_q),
        kind("current encounter", "user/*.rs", user("Practitioner/eva"), of_s, "Observation/o-s1"),
        kind("organisation", "user/*.rs", role("nurse"), of_r, ""),
        kind(
            "registrar",
            "user/*.rs",
            role("registrar"),
            "Patient/p Patient/q Patient/r Patient/s",
            "",
        ),
        kind("family", "user/*.rs", user("RelatedPerson/rel"), family, ""),
        kind("stranger", "user/*.rs", user("Practitioner/nobody"), "", ""),
        kind(
            "another server's",
            "user/*.rs",
            user("https://other.example/fhir/Practitioner/pam"),
            "",
            "",
        ),
        launched("patient", "p", user("Patient/p"), of_p),
        launched("other patient", "q", user("Patient/q"), own_q),
        launched("launched by nobody", "p", About::default(), ""),
        kind("without search", "user/*.r", user("Practitioner/pam"), of_p, "Condition/c-p"),
        Kind {
            in_directory: false,
            ..kind(
                "one type",
                "user/Observation.rs",
                user("Practitioner/pam"),
                "Observation/o-p1",
                "",
            )
        },
        Kind {
            in_directory: false,
            ..kind(
                "restricted",
                "user/Observation.rs?code=k",
                user("Practitioner/gil"),
                "Observation/o-q1",
                "Observation/o-q1",
            )
        },
    ]
}

impl Kind {
    fn reach(&self, consent: bool) -> BTreeSet<String> {
        let denied = if consent { self.denied_by_consent } else { "" };
        let directory = if self.in_directory { DIRECTORY } else { "" };
        let denied = of(denied);
        of(self.reaches)
            .union(&of(directory))
            .filter(|key| !denied.contains(*key))
            .cloned()
            .collect()
    }

    fn grants(&self, kind: &str, search: bool) -> bool {
        let (_, scope) = self.scope.split_once('/').unwrap();
        let (types, rest) = scope.split_once('.').unwrap();
        (types == "*" || types == kind) && (!search || rest.contains('s'))
    }
}

fn of(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// A door, the types that it searches, and what it shows of what is reached.
struct Door {
    url: &'static str,
    searches: &'static [&'static str],
    shows: fn(&BTreeSet<String>) -> BTreeSet<String>,
}

fn only(reach: &BTreeSet<String>, is_shown: impl Fn(&str) -> bool) -> BTreeSet<String> {
    reach.iter().filter(|key| is_shown(key)).cloned().collect()
}

/// The patient in whose chart the examples of this test lie: the letter behind the last hyphen, or the id.
fn chart_of(key: &str) -> char {
    match key {
        "RelatedPerson/rel" => 's',
        _ => key
            .rsplit_once('-')
            .map_or(key.rsplit_once('/').unwrap().1, |(_, id)| id)
            .chars()
            .next()
            .unwrap(),
    }
}

fn of_kind(reach: &BTreeSet<String>, kind: &str) -> BTreeSet<String> {
    only(reach, |key| key.split_once('/').unwrap().0 == kind)
}

fn in_chart(reach: &BTreeSet<String>, chart: char) -> BTreeSet<String> {
    only(reach, |key| !of(DIRECTORY).contains(key) && chart_of(key) == chart)
}

const DOORS: &[Door] = &[
    Door {
        url: "Observation",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door { url: "Patient", searches: &["Patient"], shows: |all| of_kind(all, "Patient") },
    Door {
        url: "Condition?_count=1",
        searches: &["Condition"],
        shows: |all| of_kind(all, "Condition"),
    },
    Door {
        url: "CareTeam?status=active,inactive",
        searches: &["CareTeam"],
        shows: |all| of_kind(all, "CareTeam"),
    },
    Door { url: "Consent", searches: &["Consent"], shows: |all| of_kind(all, "Consent") },
    Door {
        url: "Encounter?status:not=planned",
        searches: &["Encounter"],
        shows: |all| of_kind(all, "Encounter"),
    },
    Door {
        url: "Practitioner",
        searches: &["Practitioner"],
        shows: |all| of_kind(all, "Practitioner"),
    },
    Door {
        url: "Observation?code=k",
        searches: &["Observation"],
        shows: |all| only(all, |key| key.starts_with("Observation/") && key.ends_with('1')),
    },
    Door {
        url: "Observation?_sort=-date",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Observation?_sort=_lastUpdated&_count=2",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Observation?_security=urn:label|R",
        searches: &["Observation"],
        shows: |all| only(all, |key| key.starts_with("Observation/") && key.ends_with('2')),
    },
    Door {
        url: "Observation?_id=o-p1,o-p2,o-q1,o-q2",
        searches: &["Observation"],
        shows: |all| {
            only(all, |key| key.starts_with("Observation/") && "pq".contains(chart_of(key)))
        },
    },
    Door {
        url: "Observation?_include=Observation:subject&_include=Observation:performer",
        searches: &["Observation"],
        shows: |all| {
            let found = of_kind(all, "Observation");
            only(all, |key| {
                let is_subject = key.starts_with("Patient/")
                    && found.iter().any(|one| chart_of(one) == chart_of(key));
                found.contains(key) || is_subject || key == "Practitioner/pam" && !found.is_empty()
            })
        },
    },
    Door {
        url: "Patient?_revinclude=Observation:subject&_revinclude=Condition:subject",
        searches: &["Patient"],
        shows: |all| {
            only(all, |key| {
                let is_found = all.contains(&format!("Patient/{}", chart_of(key)));
                let kind = key.split_once('/').unwrap().0;
                is_found && ["Patient", "Observation", "Condition"].contains(&kind)
            })
        },
    },
    Door {
        url: "Observation?patient.name=Famp",
        searches: &["Observation", "Patient"],
        shows: |all| of_kind(&in_chart(all, 'p'), "Observation"),
    },
    Door {
        url: "Patient?_has:Observation:patient:code=na",
        searches: &["Patient", "Observation"],
        shows: |all| {
            only(all, |key| {
                key.starts_with("Patient/")
                    && all.contains(&format!("Observation/o-{}2", chart_of(key)))
            })
        },
    },
    Door {
        url: "Condition?evidence-detail:Observation.code=na",
        searches: &["Condition", "Observation"],
        shows: |all| {
            only(all, |key| {
                key.starts_with("Condition/")
                    && all.contains(&format!("Observation/o-{}2", chart_of(key)))
            })
        },
    },
    Door {
        url: "Observation/_history",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Patient/p/Observation",
        searches: &["Observation"],
        shows: |all| of_kind(&in_chart(all, 'p'), "Observation"),
    },
    Door {
        url: "Patient/q/Condition",
        searches: &["Condition"],
        shows: |all| of_kind(&in_chart(all, 'q'), "Condition"),
    },
    Door {
        url: "Observation?patient=s&_asOf=NOW",
        searches: &["Observation"],
        shows: |all| of_kind(&in_chart(all, 's'), "Observation"),
    },
];

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
            for url in [
                "/fhir/Patient/ID/$everything",
                "/v1/patients/ID/chart",
                "/v1/patients/ID/diff?from=0",
                "/v1/patients/ID/events",
            ] {
                let url = url.replace("ID", &chart.to_string());
                let answer = visitor.ask("GET", &url, None);
                if !is_own {
                    assert_eq!(answer.status, 403, "{} at {url}", kind.name);
                } else if expected.is_empty() {
                    assert_eq!(answer.status, 404, "{} at {url}: {}", kind.name, answer.text());
                } else {
                    let found = keys(&answer.expect(200));
                    assert_eq!(found, expected, "{} at {url}", kind.name);
                }
            }
        }
    }
    let entries: Vec<Value> = of(ALL).iter().map(|key| entry("GET", key, Value::Null)).collect();
    let answer = visitor.ask("POST", "/fhir", Some(&bundle("batch", &entries))).expect(200);
    assert_eq!(keys(&answer), reach, "{} in a batch", kind.name);
    check_entries(server, &visitor);
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
