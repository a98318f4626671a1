//! Breaking the glass of a chart: for a reason, for a while, flagged, and reviewed by somebody else.

use chartlog::auth::About;
use serde_json::{Value, json};

use crate::harness::{Actor, Response, Server, Setup, only_access_of_request};
use crate::webhooks::receiver::Receiver;

const POLICIES: &str = r#"
@id("team") permit (principal, action, resource) when { resource.relation.careTeam };
@id("glass") permit (principal, action in Chartlog::Action::"view", resource) when { context.glassBroken };
@id("ignores-consent") permit (principal, action == Chartlog::Action::"overrideConsent", resource)
when { context.glassBroken };
@id("filler") permit (principal in Chartlog::Role::"filler", action, resource);
"#;

fn clinic(minutes: u64) -> Server {
    let server = Setup::default()
        .file("care.cedar", POLICIES)
        .set("policies.directory=.")
        .set("policies.consent=true")
        .set(&format!("policies.break_glass_minutes={minutes}"))
        .set("feed.webhook_hosts=127.0.0.1")
        .set("feed.webhook_networks=127.0.0.0/8")
        .set("feed.webhook_insecure=true")
        // Who breaks a glass cannot read yet what the review refers to.
        .set("store.referential_integrity=refuse")
        .start();
    let filler = filler(&server);
    for patient in ["p", "q"] {
        filler.put(&json!({ "resourceType": "Patient", "id": patient })).expect(201);
        filler
            .put(&json!({
                "resourceType": "Observation", "id": format!("o-{patient}"), "status": "final",
                "code": { "text": "x" }, "subject": { "reference": format!("Patient/{patient}") },
            }))
            .expect(201);
    }
    filler
        .put(&json!({
            "resourceType": "Consent", "id": "no", "status": "active",
            "scope": { "coding": [{ "code": "patient-privacy" }] },
            "category": [{ "coding": [{ "code": "INFA" }] }],
            "policyRule": { "coding": [{ "code": "OPTOUT" }] }, "patient": { "reference": "Patient/p" },
        }))
        .expect(201);
    server
}

/// Who may do everything.
fn filler(server: &Server) -> Actor {
    let about = About { role: Some("filler".into()), ..About::default() };
    let scope = "user/*.cruds system/*.rs system/Feed.crud";
    server.with_token(server.token_about("filler", scope, None, about))
}

fn physician(server: &Server, name: &str, scope: &str) -> Actor {
    server.with_token(server.token(name, scope, None))
}

fn break_glass(actor: &Actor, url: &str, reason: &str) -> Response {
    actor.request("GET", url).header("x-break-glass", reason).send()
}

const MAY: &str = "user/*.rs user/BreakGlass.c";

#[test]
fn who_says_why_sees_the_chart_for_a_while_and_it_is_told() {
    let server = clinic(10);
    let amy = physician(&server, "amy", MAY);
    amy.get("/fhir/Observation/o-p").expect(404);
    amy.get("/v1/patients/p/chart").expect(404);
    break_glass(&amy, "/fhir/Patient/p", "unconscious, no history").expect(200);
    // From now on without saying it again, by each door, and nowhere else.
    amy.get("/fhir/Observation/o-p").expect(200);
    let found = amy.get("/fhir/Observation?_summary=count").expect(200).json();
    assert_eq!(found["total"], 1);
    amy.get("/fhir/Observation/o-q").expect(404);
    let looked = amy.request("GET", "/v1/patients/p/chart").header("x-request-id", "look").send();
    looked.expect(200);
    let entry = only_access_of_request(&server, "look");
    assert_eq!(entry["breakGlass"], true, "{entry}");
    let flagged = server.auditor().get("/v1/accesses?breakGlass=true").expect(200).json();
    let flagged = flagged["accesses"].as_array().unwrap();
    assert!(flagged.iter().all(|entry| entry["subject"] == "amy"), "{flagged:?}");
    assert_eq!(flagged.iter().filter(|entry| entry["operation"] == "readResource").count(), 2);
    // Others see as little as before.
    physician(&server, "bob", MAY).get("/fhir/Observation/o-p").expect(404);
    // It is an event of the chart, in the name of who caused it.
    let reviewer = physician(&server, "eva", "user/BreakGlass.ru");
    let queue = reviewer.get("/v1/break-glass").expect(200).json();
    let glasses = queue["glasses"].as_array().unwrap();
    assert_eq!(glasses.len(), 1, "{queue}");
    assert_eq!(glasses[0]["requester"]["identifier"]["value"], "amy");
    assert_eq!(glasses[0]["reasonCode"][0]["text"], "unconscious, no history");
    assert_eq!(glasses[0]["subject"]["reference"], "Patient/p");
    // The queue too is a look at charts.
    let told = server.auditor().get("/v1/accesses?actor=eva").expect(200).json();
    assert_eq!(told["accesses"][0]["patients"], json!(["p"]), "{told}");
}

#[test]
fn it_is_reviewed_by_somebody_else_and_once() {
    let server = clinic(10);
    let amy = physician(&server, "amy", "user/*.rs user/BreakGlass.cru");
    for patient in ["p", "q"] {
        break_glass(&amy, &format!("/fhir/Patient/{patient}"), "no time to ask").expect(200);
    }
    // The second time nothing new is written.
    let before = server.log_length();
    break_glass(&amy, "/fhir/Patient/p", "no time to ask").expect(200);
    assert_eq!(server.log_length(), before);
    let eva = physician(&server, "eva", "user/BreakGlass.ru");
    let first = eva.get("/v1/break-glass?count=1").expect(200).json();
    let next = first["next"].as_str().unwrap();
    let second = eva.get(&format!("/v1/break-glass?count=1&cursor={next}")).expect(200).json();
    assert_ne!(first["glasses"][0]["id"], second["glasses"][0]["id"]);
    let id = first["glasses"][0]["id"].as_str().unwrap();
    let url = format!("/v1/break-glass/{id}/acknowledge");
    amy.post(&url, &json!({})).expect(403);
    eva.post(&url, &json!({ "note": "there was no time" })).expect(204);
    eva.post(&url, &json!({})).expect(409);
    eva.post("/v1/break-glass/break-glass-nothing/acknowledge", &json!({})).expect(404);
    eva.post("/v1/break-glass/o-p/acknowledge", &json!({})).expect(404);
    eva.post(&url, &json!({ "remark": "x" })).expect(400);
    let open = eva.get("/v1/break-glass").expect(200).json();
    assert_eq!(open["glasses"].as_array().unwrap().len(), 1);
    let of = first["glasses"][0]["subject"]["reference"].as_str().unwrap().replace("Patient/", "");
    let all = eva.get(&format!("/v1/break-glass?status=all&patient={of}")).expect(200).json();
    assert_eq!(all["glasses"][0]["sender"]["identifier"]["value"], "eva", "{all}");
    assert_eq!(all["glasses"][0]["note"][0]["text"], "there was no time");
    // Nobody but the server writes there, be it to hide something.
    let filler = filler(&server);
    filler.get(&format!("/fhir/CommunicationRequest/{id}")).expect(200);
    filler.delete(&format!("/fhir/CommunicationRequest/{id}")).expect(403);
    let mut review: Value = all["glasses"][0].clone();
    review["status"] = "revoked".into();
    filler.put(&review).expect(403);
    review["id"] = "break-glass-of-my-own".into();
    filler.put(&review).expect(403);
}

#[test]
fn without_the_right_a_reason_and_one_chart_there_is_no_breaking() {
    let server = clinic(10);
    let bob = physician(&server, "bob", "user/*.cruds");
    break_glass(&bob, "/fhir/Patient/p", "curiosity of mine").expect(403);
    bob.get("/v1/break-glass").expect(403);
    let amy = physician(&server, "amy", MAY);
    for (url, reason, status) in [
        ("/fhir/Patient/p", "why", 400),
        ("/fhir/Patient/p", &*"x".repeat(501), 400),
        ("/fhir/Observation?patient=p", "unconscious", 400),
        ("/fhir/Patient", "unconscious", 400),
        ("/v1/accesses", "unconscious", 400),
        ("/fhir/Patient/nobody", "unconscious", 404),
    ] {
        let answer = break_glass(&amy, url, reason);
        assert_eq!(answer.status, status, "{url} {reason}: {}", answer.text());
    }
    amy.get("/fhir/Patient/p").expect(404);
    // An app of a patient breaks nothing, whatever its token says.
    let app =
        server.with_token(server.token("app", "patient/*.rs patient/BreakGlass.c", Some("p")));
    break_glass(&app, "/fhir/Patient/p", "unconscious").expect(403);
    let off = clinic(0);
    break_glass(&physician(&off, "amy", MAY), "/fhir/Patient/p", "unconscious").expect(403);
}

#[test]
fn a_webhook_is_told_at_once() {
    let server = clinic(10);
    let receiver = Receiver::taking();
    let wish =
        json!({ "name": "glasses", "url": receiver.url(), "type": ["CommunicationRequest"] });
    filler(&server).post("/v1/subscriptions", &wish).expect(201);
    break_glass(&physician(&server, "amy", MAY), "/fhir/Patient/p", "unconscious").expect(200);
    let told = receiver.wait_for(1).remove(0).body;
    assert_eq!(told["type"], "CommunicationRequest.recorded", "{told}");
}

#[test]
fn a_restart_makes_all_glasses_whole_and_keeps_the_queue() {
    let server = clinic(10);
    let token = server.token("amy", MAY, None);
    break_glass(&server.with_token(token.clone()), "/fhir/Patient/p", "unconscious").expect(200);
    let server = server.restart();
    let amy = server.with_token(token);
    amy.get("/fhir/Observation/o-p").expect(404);
    let eva = physician(&server, "eva", "user/BreakGlass.ru");
    let queue = eva.get("/v1/break-glass").expect(200).json();
    assert_eq!(queue["glasses"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_in_force_is_kept_with_its_history_and_changes_without_a_restart() {
    let server = clinic(10);
    let filler = filler(&server);
    let library = "/fhir/Library/chartlog-access";
    let first = wait(|| filler.get(library), |answer| answer.status == 200);
    let titles: Vec<_> = first.json()["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["title"].clone())
        .collect();
    assert_eq!(titles, ["care.cedar", "settings.json"]);
    let bob = physician(&server, "bob", "user/*.rs");
    bob.get("/fhir/Observation/o-q").expect(404);
    // What is wrong is not put in force.
    let file = server.home().join("care.cedar");
    std::fs::write(&file, "nonsense").unwrap();
    wait(|| server.log(), |log| log.contains("stay in force"));
    bob.get("/fhir/Observation/o-q").expect(404);
    let more = "@id(\"all\") permit (principal, action, resource);";
    std::fs::write(&file, format!("{POLICIES}{more}")).unwrap();
    wait(|| bob.get("/fhir/Observation/o-q"), |answer| answer.status == 200);
    let history = || filler.get(&format!("{library}/_history")).expect(200).json();
    let history = wait(history, |history| history["total"] == 2);
    assert_eq!(history["entry"].as_array().unwrap().len(), 2);
    filler.delete(library).expect(403);
}

/// Asks again until it is so.
fn wait<T>(ask: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let answer = ask();
        if is_so(&answer) {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "it does not become so");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
