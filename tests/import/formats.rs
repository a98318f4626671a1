//! Every kind of file and Bundle.

use serde_json::json;

use crate::support::{Place, Server, code, counts, stderr};

fn fill(place: &Place) {
    place.file(
        "in/0-staff.json",
        b"\xEF\xBB\xBF{ \"resourceType\" : \"Practitioner\",\n \"id\": \"dr\" }",
    );
    place.packed("in/a.json.gz", r#"{"resourceType":"Patient","id":"a"}"#);
    let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"}}"#;
    let lines =
        [observation, observation, "", r#"{"resourceType":"Basic","id":"b1","code":{"text":"1"}}"#];
    place.file("in/lines.ndjson", lines.join("\r\n"));
    place.packed("in/sub/more.NDJSON.gz", (0..450).map(|number| format!("{{\"resourceType\":\"Basic\",\"id\":\"n{number}\",\"code\":{{\"text\":\"n\"}}}}\n")).collect::<String>());
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:1", "request": {"method": "POST", "url": "Encounter"},
         "resource": {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
                      "subject": {"reference": "Patient?identifier=s|v"}}}]});
    place.file("in/b-transaction.json", transaction.to_string());
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "POST", "url": "Organization", "ifNoneExist": "identifier=s|o"},
         "resource": {"resourceType": "Organization", "name": "O", "identifier": [{"system": "s", "value": "o"}]}}]});
    place.file("in/c-batch.json", batch.to_string());
    let collection = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Basic", "id": "c1", "code": {"text": "1"}}},
        {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}]});
    place.file("in/d-collection.json", collection.to_string());
    let composition = json!({"resourceType": "Composition", "status": "final", "date": "2024",
        "type": {"text": "x"}, "author": [{"display": "x"}], "title": "x"});
    let document = json!({"resourceType": "Bundle", "type": "document", "id": "doc",
        "identifier": {"system": "s", "value": "doc"}, "timestamp": "2024-01-01T00:00:00Z",
        "entry": [{"resource": composition}]});
    place.file("in/e-document.json", document.to_string());
    let history = json!({"resourceType": "Bundle", "type": "history", "entry": [
        {"request": {"method": "DELETE", "url": "Basic/h2"}},
        {"resource": {"resourceType": "Basic", "id": "h1", "code": {"text": "new"}}},
        {"resource": {"resourceType": "Basic", "id": "h2", "code": {"text": "gone"}}},
        {"resource": {"resourceType": "Basic", "id": "h1", "code": {"text": "old"}}}]});
    place.file("in/f-history.json", history.to_string());
    place.file("in/readme.txt", "not for the import");
    // Comes last; the transaction waits for it.
    place.file(
        "in/z.json",
        r#"{"resourceType":"Patient","id":"z","identifier":[{"system":"s","value":"v"}]}"#,
    );
}

#[test]
fn everything_arrives_in_the_right_order_and_only_once() {
    let place = Place::new();
    fill(&place);
    let output = place.import("in");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(counts(&output, "all"), [463, 0, 1, 0]);
    assert_eq!(counts(&output, "Observation"), [2, 0, 0, 0]);
    assert!(!place.path("chartlog-import-refused.ndjson").exists());
    let held = place.held();
    let find = |kind: &str, id: &str| {
        held.resources.iter().find(|one| one["resourceType"] == kind && one["id"] == id)
    };
    assert_eq!(find("Basic", "h1").unwrap()["code"]["text"], "new");
    assert_eq!(find("Basic", "h1").unwrap()["meta"]["versionId"], "2");
    assert!(find("Basic", "h2").is_none());
    assert!(find("Bundle", "doc").is_some());
    let encounter = held.resources.iter().find(|one| one["resourceType"] == "Encounter").unwrap();
    assert_eq!(encounter["subject"]["reference"], "Patient/z");

    // In pieces, in another order, and pretty-printed differently: the same.
    place.file("in/0-staff.json", r#"{"resourceType":"Practitioner","id":"dr"}"#);
    let again = place.import("in/z.json in/lines.ndjson in in/z.json --parallel 1");
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(counts(&again, "all"), [0, 464, 0, 0]);
    assert_eq!(place.held(), held);
}

#[test]
fn a_running_server_gets_the_same_as_a_data_directory() {
    let place = Place::new();
    fill(&place);
    assert_eq!(code(&place.import("in --parallel 1")), 0);
    let other = Place::new();
    let server = Server::start(&other.path("data"));
    let mut command = place.command("in --parallel 1");
    command.args(["--server", &format!("{}/fhir/", server.base)]);
    let output = command.env("CHARTLOG_TOKEN", &server.token).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(!stderr(&output).contains(&server.token));
    assert_eq!(server.held(), place.held());
}

#[test]
fn an_old_file_does_not_undo_what_was_changed_since() {
    let place = Place::new();
    place.file("old.json", r#"{"resourceType":"Basic","id":"b","code":{"text":"old"}}"#);
    place.file("new.json", r#"{"resourceType":"Basic","id":"b","code":{"text":"new"}}"#);
    for file in ["old.json", "new.json", "old.json"] {
        assert_eq!(code(&place.import(file)), 0);
    }
    let held = place.held();
    assert_eq!(held.resources[0]["code"]["text"], "new");
    assert_eq!(held.position, 2);
}
