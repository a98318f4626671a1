//! What one request may take: memory, work, and a place among those that take much.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, Server, Setup, accesses_of_request, bundle, entry, observation, patient,
    practitioner, shared, unique,
};

#[test]
fn a_body_of_very_many_values_is_refused() {
    let clinician = shared().clinician();
    let many = format!("[0{}]", ",0".repeat(3_000_000));
    for target in ["/fhir", "/fhir/Observation"] {
        let request = clinician.request("POST", target).text(many.clone());
        request.send().refused(400, &["more than 3000000 values"]);
    }
}

/// The status of each entry of a batch's answer, and the code of its outcome.
fn outcomes(answer: &Value) -> Vec<(String, Option<String>)> {
    let entries = answer["entry"].as_array().unwrap().iter();
    let outcome = |entry: &Value| {
        let response = &entry["response"];
        let code = response["outcome"]["issue"][0]["code"].as_str();
        (response["status"].as_str().unwrap().to_owned(), code.map(str::to_owned))
    };
    entries.map(outcome).collect()
}

#[test]
fn a_batch_has_one_budget_for_all_its_entries() {
    let limited = Setup::default().set("limits.request_records_max=20000").start();
    let clinician = limited.clinician();
    clinician.put(&patient("p")).expect(201);
    clinician.put(&practitioner("w")).expect(201);
    for number in 0..10 {
        let mut value = observation(&format!("o{number}"), "p");
        value["performer"] = json!([{ "reference": "Practitioner/w" }]);
        clinician.put(&value).expect(201);
    }
    let target = "Observation?patient=p&_include=*";
    let alone = clinician.get(&format!("/fhir/{target}")).expect(200).json();
    assert_eq!(alone["entry"].as_array().unwrap().len(), 12);
    let searches = vec![entry("GET", target, Value::Null); 200];
    let answer = clinician.post("/fhir", &bundle("batch", &searches)).expect(200).json();
    let outcomes = outcomes(&answer);
    let done = outcomes.iter().take_while(|(status, _)| status == "200").count();
    assert!((1..200).contains(&done), "{done} of 200 are answered");
    let costly = ("400".to_owned(), Some("too-costly".to_owned()));
    assert_eq!(outcomes[done..], vec![costly; 200 - done]);
    for entry in &answer["entry"].as_array().unwrap()[..done] {
        assert_eq!(entry["resource"]["entry"], alone["entry"]);
    }
    // Nothing is left behind: the next request has a budget of its own.
    clinician.get(&format!("/fhir/{target}")).expect(200);
}

#[test]
fn a_batch_does_not_read_more_bytes_than_one_request_may() {
    let limited = Setup::default().set("limits.request_bytes_max=100000").start();
    let clinician = limited.clinician();
    let mut large = patient("p");
    large["name"][0]["family"] = json!("x".repeat(10_000));
    clinician.put(&large).expect(201);
    for target in [
        "Patient/p",
        "Patient/p/_history/1",
        "Patient/p/_history",
        "Patient/_history",
        "Patient/p/$everything",
        "Patient?_id=p",
    ] {
        clinician.get(&format!("/fhir/{target}")).expect(200);
        let reads = vec![entry("GET", target, Value::Null); 20];
        let answer = clinician.post("/fhir", &bundle("batch", &reads)).expect(200).json();
        let done = outcomes(&answer).iter().filter(|(status, _)| status == "200").count();
        assert_eq!(done, 9, "{target}");
    }
}

/// A patient with that many observations, each of that many bytes.
fn large_chart(clinician: &Actor, count: usize, bytes: usize) -> String {
    let owner = unique("large");
    clinician.put(&patient(&owner)).expect(201);
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(50) {
        let entries: Vec<Value> = some
            .iter()
            .map(|number| {
                let id = format!("{owner}-{number}");
                let mut value = observation(&id, &owner);
                value["note"] = json!([{ "text": format!("{number} {}", "é".repeat(bytes / 2)) }]);
                entry("PUT", &format!("Observation/{id}"), value)
            })
            .collect();
        clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    }
    owner
}

/// The entries of all pages.
fn paged(clinician: &Actor, target: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut page = Some(target.to_owned());
    while let Some(target) = page {
        let bundle = clinician.get(&target).expect(200).json();
        entries.extend(bundle["entry"].as_array().unwrap().clone());
        let links = bundle["link"].as_array().unwrap();
        let next = links.iter().find(|link| link["relation"] == "next");
        let url = next.map(|link| link["url"].as_str().unwrap().to_owned());
        page = url.map(|url| url.get(url.find("/fhir").unwrap()..).unwrap().to_owned());
    }
    entries
}

#[test]
fn a_large_chart_comes_part_by_part_and_whole_in_every_form() {
    let clinician = shared().clinician();
    let owner = large_chart(&clinician, 200, 20_000);
    let target = format!("/fhir/Patient/{owner}/$everything");
    for form in ["", "_summary=true", "_elements=status", "_pretty=true", "_type=Observation"] {
        let expected = paged(&clinician, &format!("{target}?_count=90&{form}"));
        let all = clinician.get(&format!("{target}?{form}")).expect(200);
        assert_eq!(all.header("transfer-encoding"), Some("chunked"), "{form}");
        let text = all.text();
        assert_eq!(
            (text.ends_with('\n'), text.contains("\n  ")),
            (form == "_pretty=true", form == "_pretty=true")
        );
        let bundle = all.json();
        assert_eq!(bundle["link"][0]["relation"], "self");
        assert_eq!(bundle["entry"].as_array().unwrap(), &expected, "{form}");
        let compressed = clinician.request("GET", &format!("{target}?{form}"));
        let compressed = compressed.header("accept-encoding", "gzip").send().expect(200);
        assert_eq!(compressed.header("content-encoding"), Some("gzip"));
        let mut unpacked = Vec::new();
        GzDecoder::new(compressed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, all.body, "{form}");
        let [access] = &accesses_of_request(shared(), all.header("x-request-id").unwrap())[..]
        else {
            panic!("one entry for all parts");
        };
        assert_eq!((&access["patients"], &access["status"]), (&json!([owner]), &json!(200)));
    }
    let counted = clinician.get(&format!("{target}?_summary=count")).expect(200).json();
    assert_eq!((&counted["total"], counted.get("entry")), (&json!(201), None));
    let head = clinician.request("HEAD", &target).send().expect(200);
    assert!(head.body.is_empty());
    let read = entry("GET", &format!("Patient/{owner}/$everything"), Value::Null);
    let batch = clinician.post("/fhir", &bundle("batch", &[read])).expect(200).json();
    let within = &batch["entry"][0]["resource"];
    assert_eq!((&within["total"], within["entry"].as_array().unwrap().len()), (&json!(201), 201));
}

/// Sends a request, and gives the connection when the head of the answer and some of its body are there.
fn begun(server: &Server, token: &str, target: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 4_096];
    stream.read_exact(&mut answer).unwrap();
    (stream, answer)
}

#[test]
fn an_answer_that_cannot_be_finished_never_looks_whole() {
    let server = Server::start();
    let owner = large_chart(&server.clinician(), 800, 40_000);
    let token = server.token("reader", "user/*.rs", None);
    let (mut stream, mut answer) =
        begun(&server, &token, &format!("/fhir/Patient/{owner}/$everything"));
    let head = String::from_utf8_lossy(&answer).into_owned();
    let request = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    let statuses = || -> Vec<u64> {
        let accesses = accesses_of_request(&server, request);
        accesses.iter().map(|access| access["status"].as_u64().unwrap()).collect()
    };
    assert_eq!(statuses(), [200], "it is recorded before the first byte is there");
    let reasons = json!({ "reason": "asked for", "basis": "GDPR Art. 17(1)(b)" });
    server.entitled().post(&format!("/v1/patients/{owner}/erasure"), &reasons).expect(200);
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(!answer.ends_with(b"0\r\n\r\n"), "it ends as a whole answer does");
    assert!(!String::from_utf8_lossy(&answer).contains("-799\""), "the last is not there");
    assert_eq!(statuses(), [410, 200], "and why it ended is recorded too");
}

#[test]
fn of_many_heavy_requests_some_are_told_to_come_again() {
    let limited = Setup::default()
        .set("limits.heavy_requests_max=1")
        .set("limits.heavy_waiting_max=0")
        .start();
    let clinician = limited.clinician();
    let owner = large_chart(&clinician, 20, 10);
    let target = format!("/v1/patients/{owner}/chart");
    let whole = clinician.get(&target).expect(200);
    let ask = || -> Vec<Response> { (0..20).map(|_| clinician.get(&target)).collect() };
    let mut refused = 0;
    for _ in 0..50 {
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
        });
        for answer in answers {
            if answer.status == 200 {
                assert_eq!(answer.body, whole.body);
                continue;
            }
            let answer = answer.problem(503, &["at the same time"]);
            assert!(answer.header("retry-after").is_some());
            refused += 1;
        }
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0, "one at a time is worked on, and none may wait");
    // A request takes one place, however many of its entries need it; and gives it back.
    let searches = vec![entry("GET", &format!("Patient/{owner}/$everything"), Value::Null); 40];
    let answer = clinician.post("/fhir", &bundle("batch", &searches)).expect(200).json();
    assert!(outcomes(&answer).iter().all(|(status, _)| status == "200"));
    clinician.get(&target).expect(200);
}
