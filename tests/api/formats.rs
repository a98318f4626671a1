//! In which form an answer is written: formats, parts, compression, and answers without a body.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, Setup, bundle, entry, observation, only_access_of_request, patient, shared,
    unique,
};

/// A patient with a narrative, and an observation that is more than its summary.
fn chart(clinician: &Actor) -> (String, String) {
    let (owner, value) = (unique("p"), unique("o"));
    let mut resource = patient(&owner);
    resource["text"] = json!({ "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Quist</div>" });
    clinician.put(&resource).expect(201);
    let text = observation(&value, &owner).to_string().replace(r#""value":72"#, r#""value":72.50"#);
    let text = text.replacen('{', r#"{"note":[{"text":"calm"}],"#, 1);
    clinician.request("PUT", &format!("/fhir/Observation/{value}")).text(text).send().expect(201);
    (owner, value)
}

fn with_accept(actor: &Actor, target: &str, accept: &str) -> Response {
    actor.request("GET", target).header("accept", accept).send()
}

#[test]
fn json_is_spoken_under_all_its_names_and_nothing_else() {
    let clinician = shared().clinician();
    let (owner, _) = chart(&clinician);
    let target = format!("/fhir/Patient/{owner}");
    let fhir = "application/fhir+json";
    for (accept, content_type) in [
        ("*/*", fhir),
        (fhir, fhir),
        ("application/fhir+json; fhirVersion=4.0", fhir),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", fhir),
        ("application/json;q=0.9, application/fhir+json;q=0.8", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", fhir),
        ("application/fhir+xml;q=1.0, application/fhir+json;q=0.5", fhir),
    ] {
        let response = with_accept(&clinician, &target, accept).expect(200);
        assert_eq!(response.header("content-type"), Some(content_type), "{accept}");
    }
    for accept in [
        "application/fhir+xml",
        "text/turtle",
        "application/fhir+json;fhirVersion=3.0",
        "application/fhir+json;q=0",
    ] {
        with_accept(&clinician, &target, accept).refused(406, &["Accept", fhir]);
    }
    for (format, content_type) in [
        ("json", fhir),
        ("application/fhir%2Bjson", fhir),
        ("application/fhir+json", fhir),
        ("application/json", "application/json"),
    ] {
        let target = format!("{target}?_format={format}");
        let response = with_accept(&clinician, &target, "application/fhir+xml").expect(200);
        assert_eq!(response.header("content-type"), Some(content_type), "{format}");
    }
    for format in ["xml", "text/xml", "application/fhir+xml", "ttl", "html"] {
        clinician.get(&format!("{target}?_format={format}")).refused(406, &["_format", fhir]);
    }
    let refused = unique("p");
    let request = clinician.request("PUT", &format!("/fhir/Patient/{refused}?_format=xml"));
    request.json(&patient(&refused)).send().refused(406, &[]);
    clinician.get(&format!("/fhir/Patient/{refused}")).refused(404, &[]);
}

#[test]
fn pretty_answers_have_lines_and_the_same_content() {
    let clinician = shared().clinician();
    let (_, value) = chart(&clinician);
    for target in [format!("/fhir/Observation/{value}"), format!("/fhir/Observation?_id={value}")] {
        let plain = clinician.get(&target).expect(200);
        let separator = if target.contains('?') { '&' } else { '?' };
        let pretty = clinician.get(&format!("{target}{separator}_pretty=true")).expect(200);
        assert!(!plain.text().contains('\n') && pretty.text().lines().count() > 20);
        assert!(pretty.text().contains("\"value\": 72.50"), "{}", pretty.text());
        if !target.contains('?') {
            assert_eq!(plain.json(), pretty.json());
        }
    }
    let refused = clinician.get("/fhir/Patient/never?_pretty=true").refused(404, &[]);
    assert!(refused.text().contains("\n  "), "{}", refused.text());
    clinician.get("/fhir/Patient/never?_pretty=yes").refused(400, &["_pretty", "true or false"]);
}

/// Names of the members of a resource, and its tags.
fn shape(resource: &Value) -> (Vec<String>, usize) {
    let mut members: Vec<String> = resource.as_object().unwrap().keys().cloned().collect();
    members.sort_unstable();
    let tags = resource["meta"]["tag"].as_array().map_or(0, Vec::len);
    if tags > 0 {
        assert_eq!(resource["meta"]["tag"][0]["code"], "SUBSETTED", "{resource}");
    }
    (members, tags)
}

#[test]
fn parts_of_resources_come_from_every_interaction_that_gives_some() {
    let clinician = shared().clinician();
    let (owner, value) = chart(&clinician);
    let all = ["code", "id", "meta", "note", "resourceType", "status", "subject", "valueQuantity"];
    let without = |left_out: &[&str]| -> Vec<String> {
        let kept = all.iter().filter(|name| !left_out.contains(name));
        kept.map(|name| (*name).to_owned()).collect()
    };
    let cases = [
        ("_summary=false", without(&[]), 0),
        ("_summary=true", without(&["note"]), 1),
        ("_summary=text", without(&["note", "subject", "valueQuantity"]), 1),
        ("_summary=data", without(&[]), 1),
        ("_elements=value,Patient.name", without(&["note", "subject"]), 1),
        ("_elements=subject&_elements=note", without(&["valueQuantity"]), 1),
    ];
    for (query, members, tags) in cases {
        for target in [
            format!("/fhir/Observation/{value}?"),
            format!("/fhir/Observation/{value}/_history/1?"),
            format!("/fhir/Observation/{value}/_history?"),
            format!("/fhir/Observation?_id={value}&"),
            format!("/fhir/Patient/{owner}/$everything?_type=Observation&"),
        ] {
            let answer = clinician.get(&format!("{target}{query}")).expect(200).json();
            let resource = answer["entry"].get(0).map_or(&answer, |entry| &entry["resource"]);
            assert_eq!(shape(resource), (members.clone(), tags), "{target}{query}");
        }
        let target = format!("/fhir/Observation/{value}?{query}");
        let mut resource = observation(&value, &owner);
        resource["note"] = json!([{ "text": "calm" }]);
        resource["valueQuantity"]["unit"] = json!(query);
        let written = clinician.request("PUT", &target).json(&resource).send().expect(200).json();
        assert_eq!(shape(&written), (members, tags), "{query}");
    }
    let narrative = clinician.get(&format!("/fhir/Patient/{owner}?_summary=data")).expect(200);
    assert!(narrative.json().get("text").is_none());
    let number = clinician.get(&format!("/fhir/Observation/{value}/_history/1?_elements=value"));
    assert!(number.text().contains(":72.50"), "{}", number.text());
}

#[test]
fn a_count_has_no_entries() {
    let clinician = shared().clinician();
    let (_, value) = chart(&clinician);
    let target = format!("/fhir/Observation/{value}/_history?_summary=count");
    let counted = clinician.get(&target).expect(200).json();
    assert_eq!((&counted["total"], counted.get("entry")), (&json!(1), None), "{counted}");
    assert_eq!(counted["link"].as_array().unwrap().len(), 1, "{counted}");
    clinician.get("/fhir/Observation/_history?_summary=count").refused(400, &["_summary"]);
}

#[test]
fn the_next_page_comes_in_the_same_form() {
    let clinician = shared().clinician();
    let (_, value) = chart(&clinician);
    clinician.delete(&format!("/fhir/Observation/{value}")).expect(204);
    let target =
        format!("/fhir/Observation/{value}/_history?_count=1&_elements=status&_pretty=true");
    let first = clinician.get(&target).expect(200).json();
    let next = first["link"][1]["url"].as_str().unwrap();
    let next = clinician.get(&next[next.find("/fhir").unwrap()..]).expect(200);
    assert!(next.text().contains("\n  "));
    assert_eq!(shape(&next.json()["entry"][0]["resource"]).1, 1, "{}", next.text());
}

#[test]
fn a_part_that_there_is_not_is_refused_by_name() {
    let clinician = shared().clinician();
    let (owner, _) = chart(&clinician);
    for (query, words) in [
        ("_summary=some", ["_summary", "true, text, data, count or false"]),
        ("_elements=nmae", ["_elements", "nmae"]),
        ("_elements=Patient.nmae", ["_elements", "Patient.nmae"]),
        ("_elements=name.family", ["_elements", "deeper"]),
        ("_elements=name,", ["_elements", "\"\""]),
        ("_elements=name&_summary=true", ["_elements", "not both"]),
        ("_summary=true&_summary=text", ["_summary", "once"]),
    ] {
        clinician.get(&format!("/fhir/Patient/{owner}?{query}")).refused(400, &words);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn answers_are_compressed_for_who_takes_that_unless_they_are_small() {
    let clinician = shared().clinician();
    let owner = unique("p");
    let mut resource = patient(&owner);
    resource["name"] = (0..50).map(|at| json!({ "family": format!("Quist-{at}") })).collect();
    clinician.put(&resource).expect(201);
    let target = format!("/fhir/Patient/{owner}");
    let plain = clinician.get(&target).expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    let request = clinician.request("GET", &target).header("accept-encoding", "br, gzip;q=0.8");
    let compressed = request.send().expect(200);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(compressed.header("content-type"), plain.header("content-type"));
    assert!(compressed.header("vary").unwrap().contains("accept-encoding"));
    assert!(compressed.body.len() * 2 < plain.body.len());
    let mut bytes = Vec::new();
    GzDecoder::new(compressed.body.as_slice()).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, plain.body);
    for coding in ["identity", "br", "gzip;q=0", "*;q=0"] {
        let request = clinician.request("GET", &target).header("accept-encoding", coding);
        assert_eq!(request.send().expect(200).header("content-encoding"), None, "{coding}");
    }
    let small = clinician.request("GET", &format!("{target}?_elements=active"));
    let small = small.header("accept-encoding", "gzip").send().expect(200);
    assert_eq!(small.header("content-encoding"), None);
}

#[test]
fn bodies_may_come_compressed() {
    let clinician = shared().clinician();
    let owner = unique("p");
    let sent = |coding: &str, body: Vec<u8>| {
        let request = clinician.request("PUT", &format!("/fhir/Patient/{owner}"));
        let request = request.header("content-type", "application/fhir+json");
        request.header("content-encoding", coding).bytes(body).send()
    };
    let resource = patient(&owner).to_string();
    sent("gzip", gzip(resource.as_bytes())).expect(201);
    sent("identity", resource.clone().into_bytes()).expect(200);
    for coding in ["br", "deflate", "gzip, gzip", "nonsense"] {
        sent(coding, gzip(resource.as_bytes())).refused(415, &["gzip"]);
    }
    sent("gzip", resource.into_bytes()).refused(400, &["not gzip"]);
    assert_eq!(
        clinician.get(&format!("/fhir/Patient/{owner}")).expect(200).json()["meta"]["versionId"],
        "1"
    );
}

#[test]
fn a_compressed_body_is_bounded_by_what_it_holds() {
    let server = Setup::default().set("limits.body_bytes_max=100000").start();
    let clinician = server.clinician();
    let spaces = " ".repeat(100_001);
    let bomb = gzip(format!("{spaces}{}", patient("p")).as_bytes());
    assert!(bomb.len() < 1_000);
    let sent = |body: Vec<u8>| {
        let request = clinician.request("PUT", "/fhir/Patient/p");
        request.header("content-encoding", "gzip").bytes(body).send()
    };
    sent(bomb).refused(413, &["100000", "decompressed"]);
    let fits = format!("{}{}", " ".repeat(90_000), patient("p"));
    sent(gzip(fits.as_bytes())).expect(201);
}

#[test]
fn head_is_get_without_its_body_and_leaves_the_same_trace() {
    let clinician = shared().clinician();
    let (owner, value) = chart(&clinician);
    for target in [
        format!("/fhir/Observation/{value}"),
        format!("/fhir/Observation/{value}/_history/1"),
        format!("/fhir/Observation/{value}/_history"),
        format!("/fhir/Observation?_id={value}"),
        format!("/v1/patients/{owner}/chart"),
        "/fhir/metadata".to_owned(),
    ] {
        let get = clinician.get(&target).expect(200);
        let id = unique("head");
        let head =
            clinician.request("HEAD", &target).header("x-request-id", &id).send().expect(200);
        assert_eq!(head.body, b"", "{target}");
        let others = ["x-request-id", "x-correlation-id", "date"];
        let headers = |response: &Response| -> Vec<(String, String)> {
            let mut headers = response.headers.clone();
            headers.retain(|(name, _)| !others.contains(&name.as_str()));
            headers.sort();
            headers
        };
        assert_eq!(headers(&head), headers(&get), "{target}");
        if target != "/fhir/metadata" {
            let access = only_access_of_request(shared(), &id);
            assert_eq!(access["outcome"], "granted", "{access}");
            assert!(access["query"].as_str().unwrap().starts_with("HEAD "), "{access}");
        }
    }
    let missing = format!("/fhir/Patient/{}", unique("never"));
    assert_eq!(clinician.request("HEAD", &missing).send().status, 404);
    assert_eq!(shared().anonymous().request("HEAD", &missing).send().status, 401);
}

#[test]
fn the_capability_statement_comes_in_the_form_that_is_asked_for() {
    let nobody = shared().anonymous();
    let whole = nobody.get("/fhir/metadata").expect(200);
    let compressed = nobody.request("GET", "/fhir/metadata").header("accept-encoding", "gzip");
    let compressed = compressed.send().expect(200);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    GzDecoder::new(compressed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, whole.body);
    let pretty = nobody.get("/fhir/metadata?_pretty=true&_format=json").expect(200);
    assert!(pretty.text().starts_with("{\n"), "{}", pretty.text());
    assert_eq!(pretty.json(), whole.json());
    let some = nobody.get("/fhir/metadata?_elements=fhirVersion").expect(200).json();
    assert_eq!((&some["fhirVersion"], &some["rest"]), (&json!("4.0.1"), &json!(null)));
    nobody.get("/fhir/metadata?_format=xml").refused(406, &["application/fhir+json"]);
    let xml = nobody.request("GET", "/fhir/metadata").header("accept", "application/fhir+xml");
    xml.send().refused(406, &["application/fhir+json"]);
}

#[test]
fn options_says_which_methods_there_are() {
    let nobody = shared().anonymous();
    for (target, methods) in [
        ("/fhir", vec!["POST", "OPTIONS"]),
        ("/fhir/Patient", vec!["GET", "HEAD", "POST", "OPTIONS"]),
        ("/fhir/Patient/p", vec!["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ("/fhir/metadata", vec!["GET", "HEAD", "OPTIONS"]),
    ] {
        let response = nobody.request("OPTIONS", target).send().expect(204);
        let allow: Vec<&str> = response.header("allow").unwrap().split(", ").collect();
        for method in methods {
            assert!(allow.contains(&method), "{target}: {allow:?}");
        }
    }
}

#[test]
fn a_read_is_answered_304_when_the_client_has_that_version() {
    let clinician = shared().clinician();
    let (_, value) = chart(&clinician);
    let target = format!("/fhir/Observation/{value}");
    let time = clinician.get(&target).expect(200).header("last-modified").unwrap().to_owned();
    for target in [target.clone(), format!("{target}/_history/1")] {
        let status = |name: &str, value: &str| {
            let response = clinician.request("GET", &target).header(name, value).send();
            assert_eq!(response.header("etag"), Some("W/\"1\""));
            assert_eq!(response.header("last-modified"), Some(time.as_str()));
            assert_eq!(response.body.is_empty(), response.status == 304);
            response.status
        };
        assert_eq!(status("if-none-match", "W/\"1\""), 304);
        assert_eq!(status("if-none-match", "W/\"7\", \"1\""), 304);
        assert_eq!(status("if-none-match", "W/\"2\""), 200);
        assert_eq!(status("if-modified-since", &time), 304);
        assert_eq!(status("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"), 304);
        assert_eq!(status("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT"), 200);
        assert_eq!(status("if-modified-since", "yesterday"), 200);
        // What is said of the version counts more.
        let request = clinician.request("GET", &target).header("if-modified-since", &time);
        assert_eq!(request.header("if-none-match", "W/\"2\"").send().status, 200);
    }
}

#[test]
fn a_bundle_that_is_stored_is_cut_as_the_resource_that_it_is() {
    let clinician = shared().clinician();
    let mut stored = bundle("collection", &[entry("GET", "x", Value::Null)]);
    stored["entry"] = json!([{ "resource": patient("inside") }]);
    let created = clinician.post("/fhir/Bundle", &stored).expect(201).json();
    let target = format!("/fhir/Bundle/{}?_elements=timestamp", created["id"].as_str().unwrap());
    let cut = clinician.get(&target).expect(200).json();
    assert_eq!(shape(&cut).0, ["id", "meta", "resourceType", "type"]);
}
