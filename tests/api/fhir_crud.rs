//! One resource at a time: create, read, vread, update, delete, history, and their conditions.

use serde_json::{Value, json};

use crate::harness::{Actor, observation, patient, practitioner, shared, unique};

/// A patient of its own for a test, already stored.
fn stored(clinician: &Actor) -> (String, Value) {
    let id = unique("crud");
    let resource = patient(&id);
    clinician.put(&resource).expect(201);
    (id, resource)
}

fn without_meta(mut resource: Value) -> Value {
    resource.as_object_mut().unwrap().remove("meta");
    resource
}

#[test]
fn a_created_resource_gets_an_id_and_is_read_back_as_it_was_sent() {
    let clinician = shared().clinician();
    let sent =
        json!({ "resourceType": "Patient", "name": [{ "family": "Quist" }], "active": false });
    let created = clinician.post("/fhir/Patient", &sent).expect(201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        created.header("location"),
        Some(format!("{}/fhir/Patient/{id}/_history/1", shared().base).as_str())
    );
    let read = clinician.get(&format!("/fhir/Patient/{id}")).expect(200);
    assert_eq!(read.body, created.body);
    let mut body = without_meta(read.json());
    assert_eq!(body.as_object_mut().unwrap().remove("id"), Some(json!(id)));
    assert_eq!(body, sent);
}

#[test]
fn create_ignores_the_id_that_was_sent() {
    let clinician = shared().clinician();
    let id = unique("ignored");
    let created = clinician.post("/fhir/Patient", &patient(&id)).expect(201).json();
    assert_ne!(created["id"], id.as_str());
    clinician.get(&format!("/fhir/Patient/{id}")).refused(404, &[&id]);
}

#[test]
fn versions_and_times_stand_in_the_body_and_in_the_headers() {
    let clinician = shared().clinician();
    let (id, _) = stored(&clinician);
    let read = clinician.get(&format!("/fhir/Patient/{id}")).expect(200);
    assert_eq!(read.header("etag"), Some("W/\"1\""));
    assert_eq!(read.header("content-type"), Some("application/fhir+json"));
    let body = read.json();
    assert_eq!(body["meta"]["versionId"], "1");
    let updated = body["meta"]["lastUpdated"].as_str().unwrap();
    let updated = chartlog::clock::Instant::parse(updated).expect("a FHIR instant");
    assert_eq!(read.header("last-modified"), Some(updated.http_date().as_str()));
}

#[test]
fn an_update_makes_the_next_version_and_old_versions_stay() {
    let clinician = shared().clinician();
    let (id, mut resource) = stored(&clinician);
    resource["active"] = json!(false);
    let updated = clinician.put(&resource).expect(200);
    assert_eq!(updated.header("etag"), Some("W/\"2\""));
    assert!(updated.header("location").unwrap().ends_with("/_history/2"));
    let version = |number: u32| clinician.get(&format!("/fhir/Patient/{id}/_history/{number}"));
    assert_eq!(version(1).expect(200).json()["active"], true);
    assert_eq!(version(2).expect(200).json()["active"], false);
    assert_eq!(version(2).header("etag"), Some("W/\"2\""));
    version(3).refused(404, &["version 3"]);
    version(0).refused(404, &[]);
    clinician
        .get(&format!("/fhir/Patient/{id}/_history/first"))
        .refused(404, &["first", "numbers"]);
}

#[test]
fn an_update_under_a_new_id_creates() {
    let clinician = shared().clinician();
    let id = unique("fresh");
    let created = clinician.put(&patient(&id)).expect(201);
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    assert_eq!(created.json()["id"], id.as_str());
    clinician.get(&format!("/fhir/Patient/{id}")).expect(200);
}

#[test]
fn an_update_that_changes_nothing_makes_no_version() {
    let clinician = shared().clinician();
    let (id, resource) = stored(&clinician);
    let first = clinician.get(&format!("/fhir/Patient/{id}")).expect(200);
    let again = clinician.put(&resource).expect(200);
    assert_eq!(again.header("etag"), Some("W/\"1\""));
    assert_eq!(again.body, first.body);
    // What came from the server goes back: its own version and time are not content.
    clinician.put(&first.json()).expect(200);
    assert_eq!(clinician.get(&format!("/fhir/Patient/{id}")).body, first.body);
    assert_eq!(clinician.events(&id).len(), 2, "chart.opened and Patient.recorded");
}

#[test]
fn the_id_in_the_body_must_be_the_one_in_the_address() {
    let clinician = shared().clinician();
    let (id, mut resource) = stored(&clinician);
    let target = format!("/fhir/Patient/{id}");
    resource["id"] = json!("another");
    clinician
        .request("PUT", &target)
        .json(&resource)
        .send()
        .refused(400, &["Patient.id", "another"]);
    resource.as_object_mut().unwrap().remove("id");
    clinician
        .request("PUT", &target)
        .json(&resource)
        .send()
        .refused(400, &["Patient.id", "missing"]);
    assert_eq!(clinician.get(&target).header("etag"), Some("W/\"1\""));
}

#[test]
fn a_deleted_resource_is_gone_but_its_versions_are_not() {
    let clinician = shared().clinician();
    let (id, _) = stored(&clinician);
    let target = format!("/fhir/Patient/{id}");
    let deleted = clinician.delete(&target).expect(204);
    assert_eq!(deleted.header("etag"), Some("W/\"2\""));
    assert!(deleted.body.is_empty());
    clinician.get(&target).refused(410, &[&id]);
    clinician.get(&format!("{target}/_history/2")).refused(410, &[&id]);
    clinician.get(&format!("{target}/_history/1")).expect(200);
    // Deleting again changes nothing.
    clinician.delete(&target).expect(204);
    clinician.get(&format!("{target}/_history/3")).refused(404, &[]);
    clinician.delete(&format!("/fhir/Patient/{}", unique("never"))).expect(204);
}

#[test]
fn a_resource_stored_again_continues_its_versions() {
    let clinician = shared().clinician();
    let (id, resource) = stored(&clinician);
    clinician.delete(&format!("/fhir/Patient/{id}")).expect(204);
    let again = clinician.put(&resource).expect(201);
    assert_eq!(again.header("etag"), Some("W/\"3\""));
    assert_eq!(
        clinician.get(&format!("/fhir/Patient/{id}")).expect(200).json()["meta"]["versionId"],
        "3"
    );
}

#[test]
fn the_history_holds_every_version_newest_first() {
    let clinician = shared().clinician();
    let (id, mut resource) = stored(&clinician);
    resource["active"] = json!(false);
    clinician.put(&resource).expect(200);
    clinician.delete(&format!("/fhir/Patient/{id}")).expect(204);
    clinician.put(&resource).expect(201);
    let history = clinician.get(&format!("/fhir/Patient/{id}/_history")).expect(200).json();
    assert_eq!((&history["resourceType"], &history["type"]), (&json!("Bundle"), &json!("history")));
    let told: Vec<String> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let version = entry["resource"]["meta"]["versionId"].as_str().unwrap_or("-");
            let etag = entry["response"]["etag"].as_str().unwrap();
            let method = entry["request"]["method"].as_str().unwrap();
            format!("{method} {} {etag} {version}", entry["response"]["status"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        ["PUT 201 W/\"4\" 4", "DELETE 204 W/\"3\" -", "PUT 200 W/\"2\" 2", "PUT 201 W/\"1\" 1"]
    );
    clinician.get(&format!("/fhir/Patient/{}/_history", unique("never"))).refused(404, &[]);
}

#[test]
fn a_history_read_in_pages_has_neither_gaps_nor_repeats() {
    let clinician = shared().clinician();
    let (id, mut resource) = stored(&clinician);
    for number in 2..=7 {
        resource["multipleBirthInteger"] = json!(number);
        clinician.put(&resource).expect(200);
    }
    let mut next = Some(format!("/fhir/Patient/{id}/_history?_count=3"));
    let mut versions = Vec::new();
    let mut pages = 0;
    while let Some(target) = next {
        let page = clinician.get(&target).expect(200).json();
        pages += 1;
        let entries = page["entry"].as_array().unwrap();
        versions.extend(entries.iter().map(|one| one["resource"]["meta"]["versionId"].clone()));
        let links = page["link"].as_array().unwrap();
        let link = links.iter().find(|link| link["relation"] == "next");
        next = link.map(|link| link["url"].as_str().unwrap().replace(&shared().base, ""));
    }
    assert_eq!(json!(versions), json!(["7", "6", "5", "4", "3", "2", "1"]));
    assert_eq!(pages, 3);
}

#[test]
fn if_match_lets_only_the_expected_version_change() {
    let clinician = shared().clinician();
    let (id, mut resource) = stored(&clinician);
    let target = format!("/fhir/Patient/{id}");
    let put = |resource: &Value, tag: &str| {
        clinician.request("PUT", &target).header("if-match", tag).json(resource).send()
    };
    resource["active"] = json!(false);
    for wrong in ["W/\"2\"", "\"0\"", "7"] {
        put(&resource, wrong).refused(412, &["If-Match", &id, "version 1"]);
    }
    // Versions are texts.
    for wrong in ["W/\"01\"", "\"+1\"", "W/\"x\"", "W/\"\"", "W/\"2\", W/\"3\""] {
        put(&resource, wrong).refused(412, &["If-Match", &id, "version 1"]);
    }
    for unreadable in ["W/\"1\", *", "W/1\"", "one"] {
        put(&resource, unreadable).refused(400, &["If-Match", "W/\"3\""]);
    }
    assert_eq!(clinician.get(&target).header("etag"), Some("W/\"1\""));
    for (number, tag) in ["W/\"1\"", "\"2\"", "3"].into_iter().enumerate() {
        resource["multipleBirthInteger"] = json!(number + 1);
        put(&resource, tag).expect(200);
    }
    let delete = |tag: &str| clinician.request("DELETE", &target).header("if-match", tag).send();
    delete("W/\"3\"").refused(412, &["version 4"]);
    delete("W/\"4\"").expect(204);
    put(&resource, "W/\"5\"").refused(412, &["does not exist"]);
    let never = patient(&unique("never"));
    let target = format!("/fhir/Patient/{}", never["id"].as_str().unwrap());
    clinician
        .request("PUT", &target)
        .header("if-match", "W/\"1\"")
        .json(&never)
        .send()
        .refused(412, &["does not exist"]);
    clinician.get(&target).refused(404, &[]);
}

#[test]
fn a_write_with_if_none_match_star_creates_only() {
    let clinician = shared().clinician();
    let id = unique("first");
    let put = |tag: &str| {
        let target = format!("/fhir/Patient/{id}");
        clinician.request("PUT", &target).header("if-none-match", tag).json(&patient(&id)).send()
    };
    put("*").expect(201);
    put("*").refused(412, &["If-None-Match", "exists"]);
}

#[test]
fn a_read_with_a_known_version_answers_304_without_a_body() {
    let clinician = shared().clinician();
    let (id, _) = stored(&clinician);
    let target = format!("/fhir/Patient/{id}");
    let get = |target: &str, tag: &str| {
        clinician.request("GET", target).header("if-none-match", tag).send()
    };
    for known in ["W/\"1\"", "\"1\"", "W/\"7\", W/\"1\""] {
        let response = get(&target, known).expect(304);
        assert!(response.body.is_empty());
        assert_eq!(response.header("etag"), Some("W/\"1\""));
    }
    get(&target, "W/\"2\"").expect(200);
    get(&format!("{target}/_history/1"), "W/\"1\"").expect(304);
}

#[test]
fn a_read_with_if_none_match_star_answers_304_when_there_is_something() {
    // RFC 9110 §13.1.2: "*" is false when a current representation exists.
    let clinician = shared().clinician();
    let (id, _) = stored(&clinician);
    let get = |id: &str| {
        let target = format!("/fhir/Patient/{id}");
        clinician.request("GET", &target).header("if-none-match", "*").send()
    };
    get(&id).expect(304);
    get(&unique("never")).refused(404, &[]);
}

#[test]
fn numbers_order_and_letters_stay_as_they_were_sent() {
    let clinician = shared().clinician();
    let id = unique("digits");
    let sent = format!(
        r#"{{"resourceType":"Observation","id":"{id}","valueQuantity":{{"unit":"kg","value":72.50}},"status":"final","code":{{"text":"Körpergröße 身長 🩺 \u00e9"}},"referenceRange":[{{"low":{{"value":1.0E-2}},"high":{{"value":-0.00}}}}]}}"#
    );
    clinician.request("PUT", &format!("/fhir/Observation/{id}")).text(&sent).send().expect(201);
    let read = clinician.get(&format!("/fhir/Observation/{id}")).expect(200);
    let (_, members) = sent.split_once(&format!(r#""id":"{id}","#)).unwrap();
    assert!(read.text().ends_with(members), "{}\n{members}", read.text());
}

#[test]
fn what_the_client_put_into_meta_stays_beside_version_and_time() {
    let clinician = shared().clinician();
    let id = unique("meta");
    let mut resource = patient(&id);
    let tag = json!([{ "system": "http://example.org/tags", "code": "vip" }]);
    let profile = json!(["http://example.org/StructureDefinition/p"]);
    resource["meta"] = json!({
        "versionId": "99", "lastUpdated": "1999-01-01T00:00:00Z", "profile": profile, "tag": tag,
    });
    clinician.put(&resource).expect(201);
    let meta = clinician.get(&format!("/fhir/Patient/{id}")).expect(200).json()["meta"].clone();
    assert_eq!(meta["tag"], tag);
    assert_eq!(meta["profile"], profile);
    assert_eq!(meta["versionId"], "1");
    assert!(!meta["lastUpdated"].as_str().unwrap().starts_with("1999"), "{meta}");
}

#[test]
fn every_resource_type_can_be_stored_and_read() {
    let clinician = shared().clinician();
    let metadata = shared().anonymous().get("/fhir/metadata").expect(200).json();
    let types: Vec<String> = metadata["rest"][0]["resource"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap().to_owned())
        .collect();
    assert!(types.len() > 140, "{}", types.len());
    let smallest = include_str!("smallest_resources.ndjson").lines();
    let smallest: Vec<Value> = smallest.map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> =
        smallest.iter().map(|one| one["resourceType"].as_str().unwrap()).collect();
    assert_eq!(kinds, types);
    let id = unique("any");
    for mut resource in smallest {
        resource["id"] = json!(id);
        if resource["resourceType"] == "AuditEvent" {
            // The server makes these itself.
            clinician.put(&resource).refused(405, &["AuditEvent"]);
            continue;
        }
        clinician.put(&resource).expect(201);
        let target = format!("/fhir/{}/{id}", resource["resourceType"].as_str().unwrap());
        // Of a Binary the content is given, unless the resource is asked for.
        let read = clinician.request("GET", &target).header("accept", "application/fhir+json");
        assert_eq!(without_meta(read.send().expect(200).json()), resource);
    }
}

#[test]
fn a_conditional_create_stores_once_and_gives_back_what_it_found() {
    let clinician = shared().clinician();
    let value = unique("mrn");
    let mut resource = practitioner("ignored");
    resource["identifier"] = json!([{ "system": "urn:mrn", "value": value }]);
    let create = |query: &str| {
        let request = clinician.request("POST", "/fhir/Practitioner");
        request.header("if-none-exist", query).json(&resource).send()
    };
    let query = format!("identifier=urn:mrn|{value}");
    let first = create(&query).expect(201);
    let second = create(&query).expect(200);
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("location"), first.header("location"));
    clinician.post("/fhir/Practitioner", &resource).expect(201);
    create(&query).refused(412, &["If-None-Exist", "several"]);
    create("nonsense=1").refused(400, &["If-None-Exist", "nonsense"]);
    create("?").refused(400, &["If-None-Exist"]);
}

#[test]
fn concurrent_conditional_creates_store_once() {
    let value = unique("race");
    let mut resource = practitioner("ignored");
    resource["identifier"] = json!([{ "system": "urn:mrn", "value": value }]);
    let clinician = shared().clinician();
    let create = || {
        let request = clinician.request("POST", "/fhir/Practitioner");
        let query = format!("identifier=urn:mrn|{value}");
        request.header("if-none-exist", query).json(&resource).send()
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| create().status)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
}

#[test]
fn of_concurrent_updates_with_one_expected_version_one_wins() {
    let clinician = shared().clinician();
    let (id, resource) = stored(&clinician);
    let update = |number: usize| {
        let mut resource = resource.clone();
        resource["multipleBirthInteger"] = json!(number);
        let request = clinician.request("PUT", &format!("/fhir/Patient/{id}"));
        request.header("if-match", "W/\"1\"").json(&resource).send().status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|at| scope.spawn(move || update(at))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
}

#[test]
fn everything_gives_the_whole_chart_and_nothing_else() {
    let clinician = shared().clinician();
    let (id, _) = stored(&clinician);
    let (own, foreign) = (unique("own"), unique("foreign"));
    let (other, _) = stored(&clinician);
    clinician.put(&observation(&own, &id)).expect(201);
    clinician.put(&observation(&foreign, &other)).expect(201);
    let target = format!("/fhir/Patient/{id}/$everything");
    let ids = |target: &str| -> Vec<String> {
        let bundle = clinician.get(target).expect(200).json();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        assert_eq!(bundle["total"], entries.len());
        entries.iter().map(|one| one["resource"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&target), [id.clone(), own.clone()]);
    assert_eq!(ids(&format!("{target}?_type=Observation")), [own]);
    clinician.get(&format!("{target}?_type=Observacion")).refused(400, &["_type", "Observacion"]);
    clinician.get(&format!("/fhir/Patient/{}/$everything", unique("never"))).refused(404, &[]);
}

#[test]
fn a_write_repeated_with_its_idempotency_key_happens_once() {
    let clinician = shared().clinician();
    let (key, family) = (unique("key"), unique("family"));
    let create = |family: &str| {
        let body = json!({ "resourceType": "Patient", "name": [{ "family": family }] });
        clinician
            .request("POST", "/fhir/Patient")
            .header("idempotency-key", &key)
            .json(&body)
            .send()
    };
    let first = create(&family).expect(201);
    let second = create(&family).expect(201);
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("location"), first.header("location"));
    create("Someone-else").refused(422, &["Idempotency-Key"]);
}
