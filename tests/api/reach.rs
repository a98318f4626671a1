//! A token for one patient: what it reaches, and that it learns nothing of the rest.

use serde_json::json;

use crate::harness::{
    Actor, Response, bundle, entry, observation, patient, practitioner, shared, unique,
};

/// An answer without what names the request or the moment.
fn anonymised(response: &Response, secret: &str) -> String {
    let mut headers: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let request = response.header("x-request-id").unwrap_or_default();
    let body = String::from_utf8_lossy(&response.body)
        .replace(request, "REQUEST")
        .replace(secret, "SECRET");
    format!("{}\n{}\n{body}", response.status, headers.join("\n").replace(secret, "SECRET"))
}

/// A patient app; and two ids of equal length, of which one exists in another chart.
fn outsider() -> (Actor, String, String, String) {
    let server = shared();
    let clinician = server.clinician();
    let (own, other) = (unique("own"), unique("other"));
    clinician.put(&patient(&own)).expect(201);
    clinician.put(&patient(&other)).expect(201);
    let there = unique("value");
    let mut value = observation(&there, &other);
    value["identifier"] = json!([{ "system": "urn:test", "value": there }]);
    clinician.put(&value).expect(201);
    let not_there = format!("{}X", &there[..there.len() - 1]);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some(&own)));
    (app, other, there, not_there)
}

#[test]
fn a_patient_token_cannot_tell_what_exists_elsewhere_from_what_does_not() {
    let (app, other, there, not_there) = outsider();
    let own = app.get("/fhir/Patient").expect(200).json()["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let same = |what: &str, ask: &dyn Fn(&str) -> Response| {
        let (yes, no) = (ask(&there), ask(&not_there));
        assert!(
            matches!(yes.status, 200 | 201 | 204 | 400 | 403 | 404 | 412),
            "{what}: {}",
            yes.status
        );
        assert_eq!(anonymised(&yes, &there), anonymised(&no, &not_there), "{what}");
    };
    let url = |id: &str| format!("/fhir/Observation/{id}");
    same("read", &|id| app.get(&url(id)).refused(404, &[]));
    same("vread", &|id| app.get(&format!("{}/_history/1", url(id))).refused(404, &[]));
    same("history", &|id| app.get(&format!("{}/_history", url(id))).refused(404, &[]));
    same("delete", &|id| app.delete(&url(id)));
    for tag in ["W/\"1\"", "W/\"2\""] {
        same("If-None-Match", &|id| {
            app.request("GET", &url(id)).header("if-none-match", tag).send().refused(404, &[])
        });
        same("delete If-Match", &|id| {
            app.request("DELETE", &url(id)).header("if-match", tag).send()
        });
        let elsewhere = |id: &str| observation(id, &other);
        same("update If-Match", &|id| {
            app.request("PUT", &url(id)).header("if-match", tag).json(&elsewhere(id)).send()
        });
    }
    same("search", &|id| app.get(&format!("/fhir/Observation?_id={id}")).expect(200));
    same("identifier", &|id| app.get(&format!("/fhir/Observation?identifier={id}")).expect(200));
    same("If-None-Exist", &|id| {
        let request = app
            .request("POST", "/fhir/Observation")
            .header("if-none-exist", format!("identifier=urn:test|{id}"));
        // A new one, in the own chart.
        request.json(&observation("x", &own)).send().expect(201);
        app.get(&format!("/fhir/Observation?identifier=urn:test|{id}")).expect(200)
    });
    same("ifNoneExist", &|id| {
        let mut one = entry("POST", "Observation", observation("x", &own));
        one["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{id}"));
        app.post("/fhir", &bundle("transaction", &[one])).expect(200);
        app.get(&format!("/fhir/Observation?identifier=urn:test|{id}")).expect(200)
    });
    same("conditional reference", &|id| {
        let mut one = observation("x", &own);
        one["derivedFrom"] =
            json!([{ "reference": format!("Observation?identifier=urn:test|{id}") }]);
        app.post("/fhir", &bundle("transaction", &[entry("POST", "Observation", one)]))
            .refused(400, &["finds nothing"])
    });
    same("delete in a batch", &|id| {
        app.post(
            "/fhir",
            &bundle("batch", &[entry("DELETE", &format!("Observation/{id}"), json!(null))]),
        )
    });
    same("removed", &|id| {
        let body = json!({ "events": [{ "type": "Observation.removed", "resource": format!("Observation/{id}") }] });
        app.post(&format!("/v1/patients/{own}/events"), &body)
    });
    // Nothing of all this did anything.
    let value = shared().clinician().get(&url(&there)).expect(200);
    assert_eq!(value.header("etag"), Some("W/\"1\""));
}

#[test]
fn a_patient_token_cannot_take_over_what_lies_elsewhere() {
    let (app, _, there, not_there) = outsider();
    let own = app.get("/fhir/Patient").expect(200).json()["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let put = |id: &str| app.put(&observation(id, &own));
    put(&there).refused(404, &[]);
    let value = shared().clinician().get(&format!("/fhir/Observation/{there}")).expect(200);
    assert_eq!(value.header("etag"), Some("W/\"1\""));
    // An id that is free may be taken; that it was free is then no secret.
    put(&not_there).expect(201);
}

#[test]
fn a_patient_token_cannot_tell_other_charts_from_none() {
    let server = shared();
    let (own, there) = (unique("own"), unique("chart"));
    let clinician = server.clinician();
    clinician.put(&patient(&own)).expect(201);
    clinician.put(&patient(&there)).expect(201);
    let not_there = format!("{}X", &there[..there.len() - 1]);
    let app = server.patient_app(&own);
    for (target, status) in [
        ("/v1/patients/{id}/chart", 403),
        ("/v1/patients/{id}/chart?version=1", 403),
        ("/v1/patients/{id}/events", 403),
        ("/v1/patients/{id}/diff?from=0", 403),
        ("/v1/patients/{id}/accesses", 403),
        ("/fhir/Patient/{id}/$everything", 403),
        ("/fhir/Patient/{id}", 404),
        ("/fhir/Patient/{id}/_history", 404),
    ] {
        let ask = |id: &str| app.get(&target.replace("{id}", id));
        let (yes, no) = (ask(&there), ask(&not_there));
        assert_eq!(yes.status, status, "{target}");
        assert_eq!(anonymised(&yes, &there), anonymised(&no, &not_there), "{target}");
        app.get(&target.replace("{id}", &own)).expect(200);
    }
}

#[test]
fn a_patient_token_writes_only_into_its_own_chart() {
    let server = shared();
    let (own, other) = (unique("own"), unique("other"));
    server.clinician().put(&patient(&own)).expect(201);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some(&own)));
    let value = unique("o");
    app.put(&observation(&value, &own)).expect(201);
    app.put(&observation(&value, &other)).refused(403, &["own chart"]);
    app.put(&practitioner(&unique("d"))).refused(403, &["own chart"]);
    app.put(&patient(&other)).refused(403, &["own chart"]);
    app.post("/fhir/Observation", &observation("x", &other)).refused(403, &["own chart"]);
    app.delete(&format!("/fhir/Observation/{value}")).expect(204);
    // Without a patient in the token there is no own chart.
    let lost = server.actor("app", "patient/*.cruds");
    lost.get(&format!("/fhir/Patient/{own}")).refused(403, &[]);
}
