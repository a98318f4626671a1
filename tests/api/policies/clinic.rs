//! Four patients with linked data, under policies and Consents.

use chartlog::auth::About;
use serde_json::{Value, json};

use crate::harness::{Actor, Server, Setup, guard};

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
pub fn all(server: &Server) -> Actor {
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
    put(json!({ "resourceType": "Organization", "id": "house", "name": "House" }));
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

pub fn clinic(consent: bool) -> Server {
    let server = Setup::default().file("care.cedar", POLICIES);
    let server = server.set("policies.directory=.").set(&format!("policies.consent={consent}"));
    let server = server.start();
    guard(&server);
    fill(&server);
    server
}
