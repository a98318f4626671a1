//! Binary: content in its own form, in and out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::{Actor, Response, Server, patient, shared, unique};

const FHIR: &str = "application/fhir+json";

fn posted(actor: &Actor, content_type: &str, content: &[u8]) -> String {
    let request = actor.request("POST", "/fhir/Binary").header("content-type", content_type);
    let response = request.bytes(content).send().expect(201);
    let location = response.header("location").unwrap();
    let id = location.split("/Binary/").nth(1).unwrap().split('/').next().unwrap();
    id.to_owned()
}

fn got(actor: &Actor, id: &str, accept: Option<&str>) -> Response {
    let request = actor.request("GET", &format!("/fhir/Binary/{id}"));
    match accept {
        Some(accept) => request.header("accept", accept).send(),
        None => request.send(),
    }
}

#[test]
fn content_of_any_type_comes_out_as_it_went_in() {
    let clinician = shared().clinician();
    let every: Vec<u8> = (0..=u8::MAX).collect();
    for (content_type, content) in [
        ("image/png", every.as_slice()),
        ("text/plain; charset=utf-8", b"Gr\xc3\xbc\xc3\x9fe"),
        ("application/json", b"[1, 2]"),
        ("application/fhir+xml", b"<Patient/>"),
        ("application/octet-stream", b"\0"),
    ] {
        let id = posted(&clinician, content_type, content);
        for accept in [None, Some("*/*"), Some(content_type)] {
            let response = got(&clinician, &id, accept).expect(200);
            assert_eq!(response.header("content-type"), Some(content_type), "{accept:?}");
            assert_eq!(response.body, content, "{content_type} {accept:?}");
            assert_eq!(response.header("etag"), Some("W/\"1\""));
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
            let policy = response.header("content-security-policy").unwrap();
            assert!(policy.contains("sandbox"), "{policy}");
        }
        let resource = got(&clinician, &id, Some(FHIR)).expect(200);
        assert_eq!(resource.header("content-type"), Some(FHIR));
        let resource = resource.json();
        assert_eq!(resource["contentType"], content_type);
        assert_eq!(resource["data"], STANDARD.encode(content));
        let version = clinician.get(&format!("/fhir/Binary/{id}/_history/1")).expect(200);
        assert_eq!(version.body, content);
        let in_query = clinician.get(&format!("/fhir/Binary/{id}?_format=json")).expect(200);
        assert_eq!(in_query.json(), resource);
        let found = clinician.get(&format!("/fhir/Binary?_id={id}")).expect(200).json();
        assert_eq!(found["entry"][0]["resource"], resource);
    }
}

#[test]
fn a_client_gets_the_form_that_it_takes() {
    let clinician = shared().clinician();
    let id = posted(&clinician, "image/png", b"png");
    // R4 §2.40.1: whatever else is asked for, the content is what there is.
    for other in ["text/css", "image/gif", "text/html, application/xml;q=0.9", "nonsense"] {
        let image = got(&clinician, &id, Some(other)).expect(200);
        assert_eq!(image.header("content-type"), Some("image/png"), "{other}");
        assert_eq!(image.body, b"png");
        let version = clinician.request("GET", &format!("/fhir/Binary/{id}/_history/1"));
        let version = version.header("accept", other).send().expect(200);
        assert_eq!(version.body, b"png");
        let head = clinician.request("HEAD", &format!("/fhir/Binary/{id}")).header("accept", other);
        assert_eq!(head.send().expect(200).header("content-type"), Some("image/png"));
    }
    // The resource in a form that is not spoken here.
    for unspoken in ["application/fhir+xml", "application/fhir+turtle"] {
        got(&clinician, &id, Some(unspoken)).refused(406, &[FHIR]);
    }
    let image = got(&clinician, &id, Some("image/avif,image/*,*/*;q=0.8")).expect(200);
    assert_eq!(image.header("content-type"), Some("image/png"));
    // JSON cannot be a picture, but the resource around it.
    let json = got(&clinician, &id, Some("application/json")).expect(200);
    assert_eq!(json.json()["contentType"], "image/png");
    let both = got(&clinician, &id, Some("application/fhir+json, */*;q=0.1")).expect(200);
    assert_eq!(both.json()["resourceType"], "Binary");
}

#[test]
fn content_can_be_replaced_and_says_whose_it_is() {
    let clinician = shared().clinician();
    let id = unique("b");
    let put = |content_type: &str, content: &str| {
        let request = clinician.request("PUT", &format!("/fhir/Binary/{id}"));
        let request = request.header("content-type", content_type);
        request.header("x-security-context", "Patient/p").bytes(content).send()
    };
    put("text/plain", "one").expect(201);
    put("text/plain", "two").expect(200);
    assert_eq!(got(&clinician, &id, None).expect(200).text(), "two");
    let resource = got(&clinician, &id, Some(FHIR)).expect(200).json();
    assert_eq!(resource["securityContext"], json!({ "reference": "Patient/p" }));
    assert_eq!((&resource["id"], &resource["meta"]["versionId"]), (&json!(id), &json!("2")));
    // The resource itself, as FHIR or as plain JSON.
    for content_type in [FHIR, "application/json"] {
        let data = STANDARD.encode(content_type);
        let resource =
            json!({ "resourceType": "Binary", "id": id, "contentType": "text/css", "data": data });
        put(content_type, &resource.to_string()).expect(200);
        assert_eq!(got(&clinician, &id, None).expect(200).text(), content_type);
    }
    put(FHIR, "{").refused(400, &[]);
}

#[test]
fn content_about_a_patient_lies_in_the_chart_and_goes_with_it() {
    let server = Server::start();
    let (owner, other, id) = (unique("p"), unique("p"), unique("b"));
    for owner in [&owner, &other] {
        server.clinician().put(&patient(owner)).expect(201);
    }
    let put = server.clinician().request("PUT", &format!("/fhir/Binary/{id}"));
    let put = put.header("content-type", "text/plain");
    put.header("x-security-context", format!("Patient/{owner}")).bytes("secret").send().expect(201);
    assert_eq!(got(&server.patient_app(&owner), &id, None).expect(200).text(), "secret");
    got(&server.patient_app(&other), &id, None).expect(404);
    let everything = format!("/fhir/Patient/{owner}/$everything");
    let everything = server.clinician().get(&everything).expect(200);
    let everything = everything.text();
    assert!(everything.contains(&format!("Binary/{id}")), "{everything}");
    let reasons = json!({ "reason": "asked for by the patient", "basis": "GDPR Art. 17(1)(b)" });
    server.entitled().post(&format!("/v1/patients/{owner}/erasure"), &reasons).expect(200);
    got(&server.clinician(), &id, None).expect(410);
}

#[test]
fn a_media_type_that_is_no_header_is_not_sent_as_one() {
    let clinician = shared().clinician();
    let resource = json!({ "resourceType": "Binary", "contentType": "text", "data": "eA==" });
    let created = clinician.post("/fhir/Binary", &resource).expect(201).json();
    let content = got(&clinician, created["id"].as_str().unwrap(), None).expect(200);
    assert_eq!(content.header("content-type"), Some("application/octet-stream"));
    assert_eq!(content.body, b"x");
}
