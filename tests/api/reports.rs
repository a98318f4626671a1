//! Reports about accesses: what they say, in which form, and to whom.

use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartlog::engine::read_local_issuer_secret;
use serde_json::{Value, json};

use crate::harness::{Actor, Server, Setup, bundle, entry, observation, patient, shared, unique};
use crate::tokens::{base64url, seconds_from_now};

/// Somebody with claims besides subject and scope.
pub fn with_claims(server: &Server, more: &Value) -> Actor {
    let mut claims = json!({
        "iss": "chartlog-local", "aud": "chartlog", "exp": seconds_from_now(600),
        "scope": "user/*.cruds",
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let header = base64url(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", base64url(claims.to_string()));
    let secret = read_local_issuer_secret(&server.data()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
    server.with_token(format!("{signed}.{}", base64url(tag.as_ref())))
}

/// A chart with one observation.
fn chart(server: &Server) -> (String, String) {
    let (owner, value) = (unique("p"), unique("o"));
    server.clinician().put(&patient(&owner)).expect(201);
    server.clinician().put(&observation(&value, &owner)).expect(201);
    (owner, value)
}

#[track_caller]
fn report(actor: &Actor, target: &str) -> Value {
    let response = actor.get(&format!("/v1/reports/{target}")).expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

#[track_caller]
pub fn rows(actor: &Actor, target: &str) -> Vec<Value> {
    report(actor, target)["rows"].as_array().unwrap().clone()
}

/// Of each row these columns, with null for what is not there.
pub fn columns<const N: usize>(rows: &[Value], names: [&str; N]) -> Vec<[Value; N]> {
    rows.iter().map(|row| names.map(|name| row[name].clone())).collect()
}

#[test]
fn disclosures_are_summed_by_recipient_and_purpose_without_what_is_exempt() {
    let server = shared();
    let (owner, value) = chart(server);
    let registry = with_claims(
        server,
        &json!({ "sub": "reg-1", "name": "Cancer Registry", "organization": "State", "client_id": "puller",
            "purpose_of_use": "PUBHLTH" }),
    );
    registry.get(&format!("/fhir/Observation/{value}")).expect(200);
    registry.get(&format!("/fhir/Observation?patient={owner}")).expect(200);
    let of_batch = bundle("batch", &[entry("GET", &format!("Patient/{owner}"), Value::Null)]);
    registry.post("/fhir", &of_batch).expect(200);
    // For another purpose, it is another series.
    let other = with_claims(server, &json!({ "sub": "reg-1", "purpose_of_use": "HRESCH" }));
    other.get(&format!("/v1/patients/{owner}/chart")).expect(200);
    // Nothing of the chart leaves.
    other.get(&format!("/fhir/Observation?patient={owner}&_summary=count")).expect(200);
    other.get(&format!("/fhir/Condition?patient={owner}")).expect(200);
    server.actor("lab", "user/Observation.r").get(&format!("/fhir/Patient/{owner}")).expect(403);
    // Treatment, and the patient: exempt.
    let treating = with_claims(server, &json!({ "sub": "dr-adams", "purpose_of_use": "TREAT" }));
    treating.get(&format!("/fhir/Patient/{owner}")).expect(200);
    let own = server.patient_app(&owner);
    own.get(&format!("/fhir/Patient/{owner}")).expect(200);

    let target = format!("disclosures?patient={owner}");
    let found = report(&server.auditor(), &target);
    let shown = found["rows"].as_array().unwrap().clone();
    let names = ["subject", "recipient", "organization", "client", "purpose", "count", "what"];
    assert_eq!(
        columns(&shown, names),
        [
            [
                json!("reg-1"),
                json!("Cancer Registry"),
                json!("State"),
                json!("puller"),
                json!("PUBHLTH"),
                json!(3),
                json!(["Observation (2)", "Patient (1)"]),
            ],
            [
                json!("reg-1"),
                json!("reg-1"),
                json!(null),
                json!(null),
                json!("HRESCH"),
                json!(1),
                json!(["Observation (1)", "Patient (1)"]),
            ],
        ]
    );
    let (first, last) = (shown[0]["first"].as_str().unwrap(), shown[0]["last"].as_str().unwrap());
    assert!(first < last, "{first} {last}");
    assert_eq!(shown[1]["first"], shown[1]["last"]);
    assert_eq!(found["patient"], owner.as_str());
    let notes = found["notes"].to_string();
    assert!(notes.contains("Left out are 2 accesses"), "{notes}");
    assert_eq!(shown, rows(&own, &target), "the patient reads the same");
    let all = rows(&server.auditor(), &format!("{target}&withExempt=true"));
    let subjects: Vec<_> = all.iter().map(|row| row["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["reg-1", "reg-1", "dr-adams", "app"]);
    // A period ends before its end.
    let within = format!("{target}&since={first}&until={last}");
    assert_eq!(columns(&rows(&server.auditor(), &within), ["count"])[0], [json!(2)]);
    assert_eq!(rows(&server.auditor(), &format!("{target}&until={first}")), Vec::<Value>::new());
}

#[test]
fn a_patient_is_told_in_plain_words_who_saw_what_and_why() {
    let server = shared();
    let (owner, value) = chart(server);
    let (other, _) = chart(server);
    let doctor = with_claims(
        server,
        &json!({ "sub": "dr-adams", "name": "Dr Adams", "role": "physician", "organization": "Clinic North",
            "purpose_of_use": "TREAT" }),
    );
    doctor.get(&format!("/fhir/Observation/{value}")).expect(200);
    doctor.get(&format!("/fhir/Patient?_id={owner},{other}")).expect(200);
    server.actor("lab", "user/Observation.r").get(&format!("/fhir/Patient/{owner}")).expect(403);
    let own = server.patient_app(&owner);
    own.get(&format!("/v1/patients/{owner}/accesses")).expect(200);
    let sentences = [
        "dr-weiss added to your personal details without saying why.",
        "dr-weiss added to your observations without saying why.",
        "Dr Adams (physician, Clinic North) read your observations for treatment.",
        "Dr Adams (physician, Clinic North) read your personal details for treatment.",
        "lab asked for something in your chart and was refused without saying why.",
        "app looked at who has seen your chart without saying why.",
    ];
    let found = rows(&own, &format!("patient-access?patient={owner}"));
    let told: Vec<_> = found.iter().map(|row| row["summary"].as_str().unwrap()).collect();
    assert_eq!(told, sentences);
    assert_eq!(
        columns(&found, ["who", "organization", "purpose", "what", "outcome"])[2],
        [
            json!("Dr Adams (physician, Clinic North)"),
            json!("Clinic North"),
            json!("for treatment"),
            json!(["observations"]),
            json!("granted"),
        ]
    );
    assert!(!json!(found).to_string().contains(&other), "other patients are not named");

    let page =
        own.get(&format!("/v1/patients/{owner}/accesses?sort=recordedAt")).expect(200).json();
    let told: Vec<_> = page["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|access| access["summary"].clone())
        .collect();
    assert_eq!(told[..6], sentences.map(Value::from));
    // Among all, a sentence for a patient has no place.
    let page = server.auditor().get(&format!("/v1/accesses?patient={owner}")).expect(200).json();
    assert!(page["accesses"][0].get("summary").is_none(), "{page}");
}

#[test]
fn what_a_user_did_is_counted() {
    let server = shared();
    let (one, value) = chart(server);
    let (two, _) = chart(server);
    let subject = unique("user");
    let user =
        with_claims(server, &json!({ "sub": subject, "name": "Nurse Bo", "client_id": "ward" }));
    user.get(&format!("/fhir/Observation/{value}")).expect(200);
    user.get(&format!("/fhir/Patient/{two}")).expect(200);
    user.get(&format!("/fhir/Patient/{}", unique("never"))).expect(404);
    user.get(&format!("/fhir/Observation?patient={one}")).expect(200);
    let scopes = json!({ "sub": subject, "scope": "user/Observation.r", "purpose_of_use": "BTG" });
    with_claims(server, &scopes).get(&format!("/fhir/Patient/{one}")).expect(403);
    let found = rows(&server.auditor(), &format!("user-activity?actor={subject}"));
    let names = [
        "subject",
        "name",
        "clients",
        "requests",
        "read",
        "execute",
        "delete",
        "refused",
        "failed",
        "breakGlass",
        "patients",
    ];
    assert_eq!(
        columns(&found, names),
        [[
            json!(subject),
            json!("Nurse Bo"),
            json!(["ward"]),
            json!(5),
            json!(4),
            json!(1),
            json!(0),
            json!(1),
            json!(1),
            json!(1),
            json!(2),
        ]]
    );
    // Everybody, and those who were not identified.
    server.anonymous().get(&format!("/fhir/Patient/{one}")).expect(401);
    let found = rows(&server.auditor(), &format!("user-activity?patient={one}"));
    let subjects: Vec<_> = found.iter().map(|row| row["subject"].clone()).collect();
    assert_eq!(subjects[0], json!(null));
    assert!(subjects.contains(&json!(subject)), "{subjects:?}");
}

#[test]
fn broken_glass_is_listed_with_who_whom_and_why() {
    let server = shared();
    let (owner, value) = chart(server);
    let subject = unique("user");
    let purpose = "http://terminology.hl7.org/CodeSystem/v3-ActReason|BTG";
    let actor = with_claims(
        server,
        &json!({ "sub": subject, "role": "resident", "fhirUser": "Practitioner/x1", "purpose_of_use": purpose }),
    );
    actor.get(&format!("/fhir/Observation/{value}")).expect(200);
    let calm = with_claims(server, &json!({ "sub": subject, "purpose_of_use": "TREAT" }));
    calm.get(&format!("/fhir/Observation/{value}")).expect(200);
    let found = rows(&server.auditor(), &format!("break-glass?patient={owner}"));
    let names =
        ["subject", "role", "patients", "purpose", "operation", "outcome", "what", "address"];
    assert_eq!(
        columns(&found, names),
        [[
            json!(subject),
            json!("resident"),
            json!([owner]),
            json!(purpose),
            json!("readResource"),
            json!("granted"),
            json!(["Observation (1)"]),
            json!("127.0.0.1"),
        ]]
    );
    let id = found[0]["access"].as_str().unwrap();
    let access = server.auditor().get(&format!("/v1/accesses/{id}")).expect(200).json();
    assert_eq!(access["subject"], subject.as_str());
    assert_eq!(access["fhirUser"], "Practitioner/x1");
}

#[test]
fn refusals_are_listed_with_the_reason_also_in_a_bundle() {
    let server = shared();
    let (owner, value) = chart(server);
    let subject = unique("user");
    let actor = server.actor(&subject, "user/Observation.r");
    actor.get(&format!("/fhir/Patient/{owner}")).expect(403);
    actor.get(&format!("/fhir/Observation/{value}")).expect(200);
    let parts = [
        entry("GET", &format!("Observation/{value}"), Value::Null),
        entry("DELETE", &format!("Observation/{value}"), Value::Null),
    ];
    actor.post("/fhir", &bundle("batch", &parts)).expect(200);
    let found = rows(&server.auditor(), &format!("refusals?actor={subject}"));
    assert_eq!(
        columns(&found, ["operation", "patients", "status"]),
        [
            [json!("readResource"), json!([owner]), json!(403)],
            [json!("deleteResource"), json!([owner]), json!(403)],
        ]
    );
    for (row, letter) in found.iter().zip(["'r'", "'d'"]) {
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.starts_with("forbidden: ") && reason.contains(letter), "{reason}");
    }
}

#[test]
fn a_spreadsheet_and_a_browser_carry_out_nothing() {
    let server = shared();
    let (owner, value) = chart(server);
    let formula = "=HYPERLINK(\"http://evil.example\",\"x\")";
    let markup = "<script>alert('x')</script>";
    let actor = with_claims(
        server,
        &json!({ "sub": unique("user"), "name": formula, "organization": markup, "purpose_of_use": "HRESCH" }),
    );
    actor.get(&format!("/fhir/Observation/{value}")).expect(200);
    let target = format!("/v1/reports/disclosures?patient={owner}");
    let csv = server.auditor().get(&format!("{target}&format=csv")).expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"disclosures.csv\""));
    let text = csv.text();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("first,last,count,recipient,organization,"), "{text}");
    let quoted = "\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\"";
    assert!(lines[1].contains(&format!(",1,{quoted},{markup},")), "{text}");

    let html = server.auditor().get(&format!("{target}&format=html")).expect(200);
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    let text = html.text();
    assert!(!text.contains("<script") && text.contains("&lt;script&gt;alert(&#39;x"), "{text}");
    assert!(text.contains("<title>Accounting of disclosures</title>"), "{text}");
    let policy = html.header("content-security-policy").unwrap();
    let style = text.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
}

#[test]
fn only_who_may_read_entries_reads_reports() {
    let server = shared();
    let (owner, _) = chart(server);
    let (other, _) = chart(server);
    let own = server.patient_app(&owner);
    for name in
        ["disclosures", "patient-access", "user-activity", "break-glass", "refusals", "unusual"]
    {
        let target = format!("/v1/reports/{name}?patient={owner}");
        server.actor("nobody", "user/Patient.rs").get(&target).problem(403, &["AuditEvent"]);
        server.actor("half", "user/AuditEvent.r").get(&target).expect(403);
        server.auditor().get(&target).expect(200);
        let is_of_patient = matches!(name, "disclosures" | "patient-access");
        own.get(&target).expect(if is_of_patient { 200 } else { 403 });
        own.get(&format!("/v1/reports/{name}?patient={other}")).expect(403);
        own.get(&format!("/v1/reports/{name}")).expect(403);
        let target = format!("/v1/reports/{name}");
        server.auditor().get(&target).expect(if is_of_patient { 400 } else { 200 });
        let never = unique("never");
        server.auditor().get(&format!("{target}?patient={never}")).problem(404, &[&never]);
        server
            .auditor()
            .get(&format!("{target}?patient={owner}&format=pdf"))
            .problem(400, &["html"]);
        let exempt = server.auditor().get(&format!("{target}?patient={owner}&withExempt=true"));
        exempt.expect(if name == "disclosures" { 200 } else { 400 });
    }
    server.auditor().get("/v1/reports/everything").problem(404, &["everything", "user-activity"]);
}

#[test]
fn a_report_about_too_much_is_refused_with_a_hint() {
    let server = Setup::default().set("limits.request_records_max=50").start();
    let user = server.actor("busy", "user/*.rs");
    for _ in 0..51 {
        user.get("/fhir/Patient/never").expect(404);
    }
    let since = chartlog::clock::Instant::now();
    let refused = server.auditor().get("/v1/reports/user-activity");
    let refused = refused.problem(400, &["too-costly", "narrow the period with since and until"]);
    assert_eq!(refused.json()["errors"][0]["place"], "since");
    let found = rows(&server.auditor(), &format!("user-activity?since={since}"));
    assert_eq!(columns(&found, ["subject", "failed"]), [[json!("auditor"), json!(1)]]);
}

#[test]
fn the_entry_of_a_request_is_found_by_either_of_its_ids() {
    let server = shared();
    let (owner, value) = chart(server);
    let id = unique("request");
    let target = format!("/fhir/Observation/{value}");
    let response = server.clinician().request("GET", &target).header("x-request-id", &id).send();
    server.clinician().get(&target).expect(200);
    let own = response.header("x-request-id").unwrap();
    for id in [own, &id] {
        let page = server.auditor().get(&format!("/v1/accesses?patient={owner}&request={id}"));
        let accesses = page.expect(200).json()["accesses"].as_array().unwrap().clone();
        let resources: Vec<_> = accesses.iter().map(|access| &access["resources"]).collect();
        assert_eq!(resources.len(), 1, "{accesses:?}");
        assert_eq!(resources[0][0]["resource"], format!("Observation/{value}"));
    }
    let page = server.auditor().get(&format!("/v1/accesses?patient={owner}&request=none"));
    assert_eq!(page.expect(200).json()["accesses"], json!([]));
}
