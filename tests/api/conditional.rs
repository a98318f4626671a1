//! Writes to the resource that criteria find: FHIR R4 §3.1.0.4.3, §3.1.0.6 and §3.1.0.7.1.

use serde_json::{Value, json};

use crate::harness::{Actor, Response, patient, shared, unique};

/// A patient without an id, found by that value.
fn identified(value: &str, family: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:test", "value": value }],
        "name": [{ "family": family }],
    })
}

fn target(value: &str) -> String {
    format!("/fhir/Patient?identifier=urn:test|{value}")
}

#[track_caller]
fn put(actor: &Actor, value: &str, resource: &Value) -> Response {
    actor.request("PUT", &target(value)).json(resource).send()
}

#[track_caller]
fn patch(actor: &Actor, value: &str, family: &str) -> Response {
    let change = json!([{ "op": "replace", "path": "/name/0/family", "value": family }]);
    actor
        .request("PATCH", &target(value))
        .header("content-type", "application/json-patch+json")
        .bytes(change.to_string())
        .send()
}

#[track_caller]
fn found(value: &str) -> Vec<Value> {
    let found = shared().clinician().get(&target(value)).expect(200).json();
    let entries = found["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"].clone()).collect()
}

#[test]
fn an_update_by_criteria_creates_then_updates_then_changes_nothing() {
    let clinician = shared().clinician();
    let value = unique("value");
    let first = put(&clinician, &value, &identified(&value, "A")).expect(201);
    assert_eq!(first.header("etag"), Some(r#"W/"1""#));
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let location = format!("{}/fhir/Patient/{id}/_history/1", shared().base);
    assert_eq!(first.header("location"), Some(location.as_str()));
    let second = put(&clinician, &value, &identified(&value, "B")).expect(200);
    assert_eq!((&second.json()["id"], second.header("etag")), (&json!(id), Some(r#"W/"2""#)));
    let third = put(&clinician, &value, &identified(&value, "B")).expect(200);
    assert_eq!(third.header("etag"), Some(r#"W/"2""#));
    let mut same = identified(&value, "C");
    same["id"] = json!(id);
    assert_eq!(put(&clinician, &value, &same).expect(200).header("etag"), Some(r#"W/"3""#));
    assert_eq!(found(&value).len(), 1);
}

#[test]
fn an_update_by_criteria_takes_an_id_only_if_it_fits() {
    let clinician = shared().clinician();
    let (value, id) = (unique("value"), unique("p"));
    let mut resource = identified(&value, "A");
    resource["id"] = json!(id);
    put(&clinician, &value, &resource).expect(201);
    assert_eq!(found(&value)[0]["id"], id.as_str());
    // The criteria find one, and the body says another.
    resource["id"] = json!(unique("p"));
    put(&clinician, &value, &resource).refused(400, &[&id, resource["id"].as_str().unwrap()]);
    // The criteria find none, and the id is that of another.
    let other = unique("p");
    clinician.put(&patient(&other)).expect(201);
    let taken = unique("value");
    let mut resource = identified(&taken, "A");
    resource["id"] = json!(other);
    put(&clinician, &taken, &resource).refused(409, &[&other, "taken"]);
    assert_eq!(
        clinician.get(&format!("/fhir/Patient/{other}")).expect(200).json()["name"][0]["family"],
        "Quist"
    );
    // It is free again after a deletion, and its versions go on.
    clinician.delete(&format!("/fhir/Patient/{other}")).expect(204);
    let restored = put(&clinician, &taken, &resource).expect(201);
    assert_eq!(restored.header("etag"), Some(r#"W/"3""#));
}

#[test]
fn criteria_that_find_several_change_nothing() {
    let clinician = shared().clinician();
    let value = unique("value");
    for _ in 0..2 {
        clinician.post("/fhir/Patient", &identified(&value, "A")).expect(201);
    }
    put(&clinician, &value, &identified(&value, "B")).refused(412, &["several"]);
    patch(&clinician, &value, "B").refused(412, &["several"]);
    clinician.delete(&target(&value)).refused(412, &["several"]);
    let versions: Vec<Value> =
        found(&value).iter().map(|one| one["meta"]["versionId"].clone()).collect();
    assert_eq!(versions, ["1", "1"]);
}

#[test]
fn a_patch_by_criteria_changes_the_one_that_they_find() {
    let clinician = shared().clinician();
    let value = unique("value");
    patch(&clinician, &value, "B").refused(404, &["Patient"]);
    put(&clinician, &value, &identified(&value, "A")).expect(201);
    let changed = patch(&clinician, &value, "B").expect(200);
    assert_eq!(changed.json()["name"][0]["family"], "B");
    assert_eq!(changed.header("etag"), Some(r#"W/"2""#));
}

#[test]
fn a_deletion_by_criteria_deletes_the_one_that_they_find() {
    let clinician = shared().clinician();
    let value = unique("value");
    let nothing = clinician.delete(&target(&value)).expect(204);
    assert_eq!((nothing.header("etag"), nothing.header("chartlog-position")), (None, None));
    put(&clinician, &value, &identified(&value, "A")).expect(201);
    let id = found(&value)[0]["id"].as_str().unwrap().to_owned();
    let deleted = clinician.delete(&target(&value)).expect(204);
    assert_eq!(deleted.header("etag"), Some(r#"W/"2""#));
    clinician.get(&format!("/fhir/Patient/{id}")).refused(410, &[]);
    clinician.delete(&target(&value)).expect(204);
    let told =
        clinician.request("DELETE", &target(&value)).header("prefer", "return=OperationOutcome");
    assert!(told.send().expect(200).text().contains("find nothing"));
}

#[test]
fn criteria_that_say_nothing_are_refused() {
    let clinician = shared().clinician();
    let body = identified("x", "A");
    for query in ["", "?", "?_format=json", "?_lastUpdated=gt2000-01-01"] {
        let target = format!("/fhir/Patient{query}");
        clinician.delete(&target).refused(400, &["criteria"]);
        clinician.request("PUT", &target).json(&body).send().refused(400, &["criteria"]);
    }
    clinician.delete("/fhir/Patient?nonsense=1").refused(400, &["nonsense"]);
}

#[test]
fn a_write_by_criteria_may_name_the_version_that_it_is_for() {
    let clinician = shared().clinician();
    let value = unique("value");
    let with = |name: &str, text: &str, family: &str| {
        let request = clinician.request("PUT", &target(&value)).header(name, text);
        request.json(&identified(&value, family)).send()
    };
    with("if-match", "W/\"1\"", "A").refused(412, &["does not exist"]);
    with("if-none-match", "*", "A").expect(201);
    with("if-none-match", "*", "B").refused(412, &["exists"]);
    with("if-match", "W/\"2\"", "B").refused(412, &["version 1"]);
    with("if-match", "W/\"1\"", "B").expect(200);
    let stale = clinician.request("DELETE", &target(&value)).header("if-match", "W/\"1\"");
    stale.send().refused(412, &["version 2"]);
}

#[test]
fn repeated_writes_by_criteria_are_harmless() {
    let clinician = shared().clinician();
    let value = unique("value");
    let keys = [unique("key"), unique("key"), unique("key")];
    let create = || {
        let request = clinician.request("PUT", &target(&value)).json(&identified(&value, "A"));
        request.header("idempotency-key", &keys[0]).send().expect(201)
    };
    let update = || {
        let request = clinician.request("PUT", &target(&value)).json(&identified(&value, "B"));
        request.header("idempotency-key", &keys[1]).send().expect(200)
    };
    let delete = || {
        let request = clinician.request("DELETE", &target(&value));
        request.header("idempotency-key", &keys[2]).send().expect(204)
    };
    let (created, updated) = (create(), update());
    assert_eq!((create().text(), update().text()), (created.text(), updated.text()));
    let deleted = delete();
    assert_eq!(deleted.header("etag"), Some(r#"W/"3""#));
    // The criteria find nothing now; the answers are those of then.
    assert_eq!(delete().header("etag"), Some(r#"W/"3""#));
    assert_eq!((create().text(), update().text()), (created.text(), updated.text()));
    assert_eq!(found(&value), Vec::<Value>::new());
}

#[test]
fn writes_by_criteria_need_the_right_to_search() {
    let value = unique("value");
    let body = identified(&value, "A");
    for scope in ["user/*.cud", "user/*.s", "user/Observation.cruds"] {
        let actor = shared().actor("somebody", scope);
        put(&actor, &value, &body).refused(403, &["Patient"]);
        patch(&actor, &value, "B").refused(403, &["Patient"]);
        actor.delete(&target(&value)).refused(403, &["Patient"]);
    }
    let own = shared().with_token(shared().token("app", "patient/*.cruds", Some("p")));
    // With the right to search in one chart, criteria find nothing elsewhere, and nothing is written there.
    put(&own, &value, &body).refused(403, &["outside the own chart"]);
    own.delete(&target(&value)).expect(204);
}
