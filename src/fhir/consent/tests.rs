//! What rules of Consents deny.

use serde_json::{Value, json};

use super::*;
use crate::json::Document;

const NOW: &str = "2026-11-30T12:00:00Z";

fn key(text: &str) -> ResourceKey {
    text.parse().unwrap()
}

/// Whether a Consent with that provision denies a look at an Observation to a practitioner.
fn denies(provision: &Value, resource: &Value, act_for: (bool, Option<&str>)) -> bool {
    let consent = json!({
        "resourceType": "Consent", "status": "active",
        "policyRule": { "coding": [{ "code": "OPTIN" }] }, "provision": provision,
    });
    denied_by(&consent, resource, act_for)
}

fn denied_by(consent: &Value, resource: &Value, (is_look, purpose): (bool, Option<&str>)) -> bool {
    let document = Document::parse(consent.to_string()).unwrap();
    let mut follow = |team: &ResourceKey| match team.to_string().as_str() {
        "CareTeam/team" => vec![key("Practitioner/amy")],
        "Encounter/visit" => vec![key("Patient/p"), key("Observation/o")],
        _ => Vec::new(),
    };
    let denials = Denial::of(document.root(), None, &mut follow);
    let resource = Document::parse(resource.to_string()).unwrap();
    let (actors, now) =
        ([key("Practitioner/amy"), key("Organization/house")], Instant::parse(NOW).unwrap());
    let deed = Deed { actors: &actors, is_look, purpose, now };
    let observation = key("Observation/o");
    let affected = Affected { key: &observation, content: resource.root(), base_url: None };
    denials.iter().any(|denial| denial.applies(&deed, &affected))
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "o", "effectiveDateTime": "2025-05-05",
        "meta": {
            "security": [{ "system": "urn:label", "code": "HIV" }],
            "profile": ["http://a.example/Lab"],
        },
        "code": { "coding": [{ "system": "http://loinc.org", "code": "1-8" }] },
        "encounter": { "reference": "Encounter/visit" },
        "performer": [{ "reference": "Practitioner/author" }],
    })
}

#[test]
fn a_rule_denies_what_meets_all_that_it_says() {
    let actor = |reference: &str| json!([{ "reference": { "reference": reference } }]);
    let class = |system: &str, code: &str| json!([{ "system": system, "code": code }]);
    let types = "http://hl7.org/fhir/resource-types";
    let code = |code: &str| json!([{ "coding": [{ "system": "http://loinc.org", "code": code }] }]);
    let data = |meaning: &str, reference: &str| json!([{ "meaning": meaning, "reference": { "reference": reference } }]);
    for (rule, expected) in [
        (json!({}), true),
        (json!({ "type": "permit" }), false),
        (json!({ "actor": actor("Practitioner/amy") }), true),
        (json!({ "actor": actor("Organization/house") }), true),
        (json!({ "actor": actor("CareTeam/team") }), true),
        (json!({ "actor": actor("CareTeam/other") }), false),
        (json!({ "actor": actor("Practitioner/bob") }), false),
        (json!({ "actor": [] }), false),
        (json!({ "period": { "start": "2026", "end": "2026-11" } }), true),
        (json!({ "period": { "end": "2026-10" } }), false),
        (json!({ "period": { "start": "2027" } }), false),
        (json!({ "securityLabel": class("urn:label", "HIV") }), true),
        (json!({ "securityLabel": class("urn:other", "HIV") }), false),
        (json!({ "class": class(types, "Observation") }), true),
        (json!({ "class": class(types, "Condition") }), false),
        (json!({ "class": class("urn:ietf:rfc:3986", "http://a.example/Lab") }), true),
        (json!({ "class": class("urn:ietf:rfc:3986", "http://a.example/Image") }), false),
        (json!({ "class": class("urn:of-documents", "letter") }), true),
        (json!({ "code": code("1-8") }), true),
        (json!({ "code": code("2-0") }), false),
        (json!({ "dataPeriod": { "start": "2025", "end": "2025" } }), true),
        (json!({ "dataPeriod": { "start": "2020", "end": "2021" } }), false),
        (json!({ "data": data("instance", "Observation/o") }), true),
        (json!({ "data": data("instance", "Observation/x") }), false),
        (json!({ "data": data("instance", "Encounter/visit") }), false),
        (json!({ "data": data("dependents", "Encounter/visit") }), true),
        (json!({ "data": data("related", "Encounter/visit") }), true),
        (json!({ "data": data("authoredby", "Practitioner/author") }), true),
        (json!({ "class": class(types, "Observation"), "code": code("2-0") }), false),
        (json!({ "provision": [{ "type": "permit", "actor": actor("Practitioner/amy") }] }), false),
        (json!({ "provision": [{ "type": "permit", "actor": actor("Practitioner/bob") }] }), true),
        (json!({ "type": "permit", "provision": [{ "type": "deny", "code": code("1-8") }] }), true),
        (
            json!({
                "type": "permit", "period": { "end": "2020" },
                "provision": [{ "type": "deny", "code": code("1-8") }],
            }),
            false,
        ),
    ] {
        let mut rule = rule;
        if rule.get("type").is_none() {
            rule["type"] = "deny".into();
        }
        assert_eq!(denies(&rule, &observation(), (true, None)), expected, "{rule}");
    }
}

#[test]
fn what_is_done_and_what_for_count() {
    let action =
        |code: &str| json!({ "type": "deny", "action": [{ "coding": [{ "code": code }] }] });
    for (code, looking, recording) in [
        ("access", true, false),
        ("use", true, false),
        ("collect", false, true),
        ("correct", false, true),
    ] {
        assert_eq!(denies(&action(code), &observation(), (true, None)), looking, "{code}");
        assert_eq!(denies(&action(code), &observation(), (false, None)), recording, "{code}");
    }
    let research = json!({ "type": "deny", "purpose": [{ "code": "HRESCH" }] });
    assert!(denies(&research, &observation(), (true, Some("HRESCH"))));
    assert!(denies(&research, &observation(), (true, None)));
    assert!(!denies(&research, &observation(), (true, Some("TREAT"))));
}

#[test]
fn only_a_consent_in_force_denies_and_who_opts_out_denies_all() {
    let consent = |status: &str, policy: &str| {
        json!({
            "resourceType": "Consent", "status": status,
            "policyRule": { "coding": [{ "code": policy }] },
        })
    };
    let denies = |consent: &Value| denied_by(consent, &observation(), (true, None));
    assert!(denies(&consent("active", "OPTOUT")));
    assert!(!denies(&consent("inactive", "OPTOUT")));
    assert!(!denies(&consent("active", "OPTIN")));
    let mut but = consent("active", "OPTOUT");
    but["provision"] = json!({
        "provision": [{ "type": "permit", "class": [{ "code": "Observation" }] }],
    });
    assert!(!denies(&but));
    but["provision"]["provision"][0]["class"][0]["code"] = "Condition".into();
    assert!(denies(&but));
}

#[test]
fn a_rule_tells_when_it_will_begin_or_cease_to_apply() {
    let consent = json!({
        "status": "active",
        "provision": { "type": "deny", "period": { "start": "2027", "end": "2027" } },
    });
    let document = Document::parse(consent.to_string()).unwrap();
    let denials = Denial::of(document.root(), None, &mut |_| Vec::new());
    let after = |text: &str| {
        denials[0].changes_after(Instant::parse(text).unwrap()).map(|at| at.to_string())
    };
    assert_eq!(after(NOW), Some("2027-01-01T00:00:00.000000Z".to_owned()));
    assert_eq!(after("2027-06-01T00:00:00Z"), Some("2028-01-01T00:00:00.000000Z".to_owned()));
    assert_eq!(after("2028-06-01T00:00:00Z"), None);
}

proptest::proptest! {
    #[test]
    fn any_json_is_read_without_harm(text in "(\\{|\\}|\\[|\\]|\"provision\":|\"type\":\"deny\"|,|\"actor\":|\"coding\":|\"code\":\"x\"){0,40}") {
        if let Ok(document) = Document::parse(text) {
            let _ = Denial::of(document.root(), None, &mut |_| Vec::new());
        }
    }
}
