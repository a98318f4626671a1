//! Bad input: a clear refusal that names the place, nothing stored, and a server that lives on.
//!
//! All tests share one server on which nothing is ever stored after its start, so that any event
//! that bad input leaves behind is found, whichever test runs beside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Actor, Response, Server, Setup, guard, observation, patient, raw_exchange};

const BODY_BYTES_MAX: usize = 64 << 10;

struct Quiet {
    server: Server,
    clinician: Actor,
    length: u64,
}

fn quiet() -> &'static Quiet {
    static QUIET: LazyLock<Quiet> = LazyLock::new(|| {
        let server = Setup::default()
            .set(&format!("limits.body_bytes_max={BODY_BYTES_MAX}"))
            .set("limits.request_timeout_seconds=1")
            .set("limits.client_request_timeout_ms=1000")
            .start();
        guard(&server);
        let clinician = server.entitled();
        clinician.put(&patient("p")).expect(201);
        let length = server.log_length();
        Quiet { server, clinician, length }
    });
    &QUIET
}

impl Quiet {
    /// Asserts that nothing has been stored since the start.
    #[track_caller]
    fn untouched(&self) {
        assert_eq!(self.server.log_length(), self.length, "something was stored");
        let read = self.clinician.get("/fhir/Patient/p").expect(200);
        assert_eq!(read.header("etag"), Some("W/\"1\""));
    }

    /// Sends a body to both faces and asserts that both refuse it alike.
    #[track_caller]
    fn refused(&self, body: impl Into<Vec<u8>>, words: &[&str]) {
        let body = body.into();
        for target in ["/fhir/Observation", "/fhir"] {
            self.post(target, &body).refused(400, words);
        }
        self.clinician
            .request("PUT", "/fhir/Patient/p")
            .header("content-type", "application/fhir+json")
            .bytes(body.clone())
            .send()
            .refused(400, words);
        self.post("/v1/patients/p/events", &body).problem(400, words);
        self.untouched();
    }

    fn post(&self, target: &str, body: &[u8]) -> Response {
        let request = self.clinician.request("POST", target);
        request.header("content-type", "application/json").bytes(body).send()
    }
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column() {
    for (body, place) in [
        ("{\n  \"resourceType\": Observation }", "line 2, column 19"),
        ("{", "line 1, column 2"),
        ("{\"a\":1,}", "line 1, column 8"),
        ("{\"a\" 1}", "line 1, column 6"),
        ("{'a': 1}", "line 1, column 2"),
        ("[1 2]", "line 1, column 4"),
        ("{} x", "line 1, column 4"),
        ("{}{}", "line 1, column 3"),
        ("{\"a\": \"x\n\"}", "line 1, column 9"),
        ("{\"a\": 01}", "line 1, column 8"),
        ("{\"a\": +1}", "line 1, column 7"),
        ("{\"a\": 1.}", "line 1, column 9"),
        ("{\"a\": NaN}", "line 1, column 7"),
        ("{\"a\": \"\\x\"}", "line 1, column 8"),
        ("{\"a\": \"\\ud800\"}", "surrogate"),
        ("nul", "line 1, column 1"),
        ("\u{feff}{}", "line 1, column 1"),
        ("<Patient/>", "line 1, column 1"),
        ("   ", "line 1, column 4"),
        ("", "line 1, column 1"),
    ] {
        quiet().refused(body, &[place, "not acceptable JSON"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    quiet().refused(b"{\"resourceType\":\n\"\xff\xfe\"}".to_vec(), &["line 2, column 2", "UTF-8"]);
    quiet().refused(b"{\"a\":\"\xc0\xaf\"}".to_vec(), &["UTF-8"]);
    quiet().refused(b"{\"a\":\"\xed\xa0\x80\"}".to_vec(), &["UTF-8"]);
    quiet().refused(b"{\"a\":\"x\0y\"}".to_vec(), &["line 1, column 8", "control character"]);
    quiet().refused(b"\0".to_vec(), &["line 1, column 1"]);
}

#[test]
fn a_member_that_occurs_twice_is_refused_and_named() {
    let twice = r#"{"resourceType":"Observation","status":"final","status":"amended"}"#;
    quiet().refused(twice, &["status", "twice", "line 1, column"]);
    let escaped = r#"{"resourceType":"Observation","status":"final","st\u0061tus":"amended"}"#;
    quiet().refused(escaped, &["status", "twice"]);
    quiet().refused(r#"{"a":{"b":[{"c":1,"c":1}]}}"#, &["c", "twice"]);
}

#[test]
fn depth_bombs_are_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [101, 10_000] {
            let bomb = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            quiet().refused(bomb, &["nested deeper than 100"]);
            quiet().refused(open.repeat(depth), &["nested deeper than 100"]);
        }
    }
}

#[test]
fn values_that_are_no_resource_are_refused() {
    for body in ["null", "true", "17", "\"text\"", "[]", "[{}]"] {
        let target = "/fhir/Patient";
        quiet().post(target, body.as_bytes()).refused(400, &["JSON object"]);
        quiet().post("/fhir", body.as_bytes()).refused(400, &["Bundle"]);
        quiet().post("/v1/patients/p/events", body.as_bytes()).problem(400, &["events"]);
    }
    quiet().untouched();
}

#[test]
fn what_breaks_the_rules_of_fhir_json_is_refused_with_its_path() {
    let cases = [
        (json!({}), vec!["resourceType is missing"]),
        (
            json!({ "resourceType": "Patient" }),
            vec!["Patient.resourceType", "expected a resource of type Observation"],
        ),
        (json!({ "resourceType": "Observacion" }), vec!["resourceType", "Observacion"]),
        (json!({ "resourceType": "observation" }), vec!["resourceType", "observation"]),
        (json!({ "resourceType": 7 }), vec!["resourceType", "string"]),
        (json!({ "resourceType": "Observation", "id": "a_b" }), vec!["Observation.id", "a_b"]),
        (json!({ "resourceType": "Observation", "id": "x".repeat(65) }), vec!["Observation.id"]),
        (json!({ "resourceType": "Observation", "id": 7 }), vec!["Observation.id", "string"]),
        (json!({ "resourceType": "Observation", "meta": "x" }), vec!["Observation.meta"]),
        (
            json!({ "resourceType": "Observation", "status": null }),
            vec!["Observation.status", "null"],
        ),
        (
            json!({ "resourceType": "Observation", "status": "" }),
            vec!["Observation.status", "empty string"],
        ),
        (
            json!({ "resourceType": "Observation", "note": [] }),
            vec!["Observation.note", "empty array"],
        ),
        (
            json!({ "resourceType": "Observation", "code": {} }),
            vec!["Observation.code", "empty object"],
        ),
        (
            json!({ "resourceType": "Observation", "note": [{ "text": "a" }, { "text": null }] }),
            vec!["Observation.note[1].text"],
        ),
        (json!({ "resourceType": "Observation", "note": [[1]] }), vec!["Observation.note[0]"]),
        (json!({ "resourceType": "Observation", "contained": {} }), vec!["Observation.contained"]),
        (
            json!({ "resourceType": "Observation", "contained": [{ "resourceType": "Group", "contained": [{ "resourceType": "Group" }] }] }),
            vec!["Observation.contained[0].contained"],
        ),
        (
            json!({ "resourceType": "Observation", "status": null, "code": {} }),
            vec!["Observation.status", "Observation.code"],
        ),
    ];
    for (body, words) in cases {
        quiet().post("/fhir/Observation", body.to_string().as_bytes()).refused(400, &words);
    }
    quiet().untouched();
}

#[test]
fn a_resource_full_of_mistakes_is_answered_with_a_bounded_list() {
    let body = json!({ "resourceType": "Observation", "note": vec![json!({}); 2_000] });
    let response = quiet()
        .post("/fhir/Observation", body.to_string().as_bytes())
        .refused(400, &["Observation.note[0]"]);
    let issues = response.json()["issue"].as_array().unwrap().len();
    assert!((2..=200).contains(&issues), "{issues} issues");
}

#[test]
fn types_and_ids_in_addresses_are_checked() {
    let get = |target: &str| quiet().clinician.get(target);
    get("/fhir/Observacion/x").refused(404, &["Observacion"]);
    get("/fhir/observation/x").refused(404, &["observation"]);
    get("/fhir/Observacion").refused(404, &["Observacion"]);
    get("/fhir/Patient/a_b").refused(400, &["a_b"]);
    get(&format!("/fhir/Patient/{}", "x".repeat(65))).refused(400, &[]);
    get("/fhir/Patient/%C3%A9").refused(400, &["é"]);
    get("/fhir/Patient/a%20b").refused(400, &["a b"]);
    get("/fhir/Patient/a%00b").refused(400, &[]);
    get("/fhir/Patient/%ff").refused(400, &[]);
    get("/fhir/Patient/p/_history/x").refused(404, &["x"]);
    get("/fhir/Patient/p/_history/-1").refused(404, &["-1"]);
    get("/fhir/Patient/p/_history/99999999999999999999999").refused(404, &[]);
    get("/v1/patients/a_b/chart").problem(400, &["a_b"]);
    get("/v1/patients/%2e%2e/chart").problem(404, &[]);
    quiet().untouched();
}

#[test]
fn encoded_paths_mean_what_they_decode_to_and_lead_nowhere_else() {
    let get = |target: &str| quiet().clinician.get(target);
    get("/fhir/Patient/%70").expect(200);
    get("/fhir/%50atient/p").expect(200);
    get("/fhir/Patient/p/").expect(200);
    for target in [
        "/fhir/Patient%2Fp",
        "/fhir/Patient/p%2F_history",
        "/fhir/Patient/..%2f..%2fmetrics",
        "/fhir/Patient/../../metrics",
        "/fhir//Patient/p",
        "/fhir/Patient/p//",
        "/fhir/Patient/p%00",
        "/fhir/Patient/p%",
        "/fhir/Patient/p%zz",
        "/fhir/Patient/p;x=1",
        "/fhir/./Patient/p",
    ] {
        let response = get(target);
        assert!(
            (400..500).contains(&response.status),
            "{target}: {} {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        );
        assert!(!String::from_utf8_lossy(&response.body).contains("Quist"), "{target}");
    }
    quiet().untouched();
}

#[test]
fn queries_that_cannot_be_read_are_refused() {
    let get = |target: &str| quiet().clinician.get(target);
    get("/fhir/Patient?_id=%").refused(400, &["hexadecimal"]);
    get("/fhir/Patient?_id=%zz").refused(400, &["%zz"]);
    get("/fhir/Patient?_id=%ff").refused(400, &["UTF-8"]);
    get("/v1/accesses?actor=%ff").problem(400, &["UTF-8"]);
    get(&format!("/fhir/Patient?{}", "_id=p&".repeat(257))).refused(400, &["256"]);
    get(&format!("/fhir/Patient?{}", "_id=p&".repeat(256))).expect(200);
    get(&format!("/fhir/Patient?identifier={}", "x".repeat(20_000))).expect(200);
    let long = get(&format!("/fhir/Patient?identifier={}", "x".repeat(200_000)));
    assert!((400..500).contains(&long.status), "{}", long.status);
    get("/fhir/Patient/p?_revision=1").refused(400, &["_revision"]);
    quiet().untouched();
}

#[test]
fn cursors_of_others_are_refused() {
    let get = |target: &str| quiet().clinician.get(target);
    for cursor in ["x", "", "!!!", "AAAAAAAAAAA=", "AAAAAAAAAAAAAAAA", "%00"] {
        get(&format!("/fhir/Patient?_cursor={cursor}")).refused(400, &["_cursor"]);
        get(&format!("/fhir/Patient/p/_history?_cursor={cursor}")).refused(400, &["_cursor"]);
        get(&format!("/v1/patients/p/events?cursor={cursor}")).problem(400, &["cursor"]);
        get(&format!("/v1/accesses?cursor={cursor}")).problem(400, &["cursor"]);
    }
    // Well-formed but far away: an empty page, no fault.
    for far in ["AAAAAAAAAAA", "__________8"] {
        get(&format!("/v1/patients/p/events?cursor={far}")).expect(200);
    }
    for far in ["0-0", "9223372036854775807-4294967295"] {
        get(&format!("/v1/accesses?cursor={far}")).expect(200);
    }
    for target in [
        "/fhir/Patient",
        "/fhir/Patient/p/_history",
        "/fhir/_history",
        "/fhir/Patient/p/$everything",
    ] {
        for forged in ["AAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA", "_____________________w"] {
            get(&format!("{target}?_cursor={forged}")).refused(400, &["_cursor"]);
        }
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let over = vec![b' '; BODY_BYTES_MAX + 1];
    for target in ["/fhir/Observation", "/fhir"] {
        quiet().post(target, &over).refused(413, &[&BODY_BYTES_MAX.to_string()]);
    }
    quiet().post("/v1/patients/p/events", &over).problem(413, &[&BODY_BYTES_MAX.to_string()]);
    // Also when the length is announced only piece by piece, and never ends.
    let token = quiet().server.token("dr-weiss", "user/*.cruds", None);
    let mut chunked = format!("POST /fhir HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b' '; 0x1000]);
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = Response::parse(&raw_exchange(quiet().server.address, &chunked), "POST");
    answer.expect("an answer").refused(413, &[]);
    quiet().untouched();
}

#[test]
fn other_media_types_and_encodings_are_refused() {
    let body = observation("o", "p").to_string();
    let send = |headers: &[(&str, &str)]| {
        let request = quiet().clinician.request("POST", "/fhir/Observation");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        request.bytes(body.clone()).send()
    };
    for media_type in [
        "application/fhir+xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "*/*",
        "\u{e9}",
    ] {
        send(&[("content-type", media_type)]).refused(415, &["application/fhir+json"]);
    }
    for encoding in ["br", "deflate", "nonsense"] {
        send(&[("content-type", "application/json"), ("content-encoding", encoding)])
            .refused(415, &["Content-Encoding"]);
    }
    quiet().untouched();
}

#[test]
fn headers_that_cannot_be_used_are_refused_or_ignored() {
    let send = |name: &str, value: &str| {
        let request = quiet().clinician.request("PUT", "/fhir/Patient/p").header(name, value);
        request.json(&patient("p")).send()
    };
    for condition in ["If-Match", "If-None-Match"] {
        for unreadable in ["one", "W/\"1", "*, W/\"1\"", ",", "\u{e9}"] {
            send(condition, unreadable).refused(400, &[condition, "W/\"3\""]);
        }
    }
    send("if-match", "W/\"99999999999999999999999\"").refused(412, &["If-Match"]);
    for once in ["idempotency-key", "if-none-exist"] {
        let twice = quiet().clinician.request("POST", "/fhir/Patient");
        let twice = twice.header(once, "identifier=a").header(once, "identifier=b");
        twice.json(&patient("p")).send().refused(400, &[once, "once"]);
    }
    send("idempotency-key", &"k".repeat(300)).refused(400, &["Idempotency-Key"]);
    for unusual in ["x-purpose-of-use", "x-request-id"] {
        send(unusual, &"x".repeat(5_000)).expect(200);
        send(unusual, "\u{1F489}").expect(200);
    }
    quiet().untouched();
}

#[test]
fn numbers_of_any_size_are_kept_or_refused_but_never_bent() {
    let server = Server::start();
    let clinician = server.clinician();
    for (at, number) in [
        "1e400",
        "-1E-400",
        "123456789012345678901234567890",
        "0.1000000000000000000000000001",
        "-0",
    ]
    .iter()
    .enumerate()
    {
        let body = format!(
            r#"{{"resourceType":"Observation","id":"n{at}","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{number}}}}}"#
        );
        clinician
            .request("PUT", &format!("/fhir/Observation/n{at}"))
            .text(&body)
            .send()
            .expect(201);
        let read = clinician.get(&format!("/fhir/Observation/n{at}")).expect(200);
        assert!(read.text().contains(&format!(r#""value":{number}}}"#)), "{}", read.text());
    }
    let long = "9".repeat(100_000);
    let body = format!(
        r#"{{"resourceType":"Observation","id":"long","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{long}}}}}"#
    );
    clinician.request("PUT", "/fhir/Observation/long").text(&body).send().expect(201);
    assert!(clinician.get("/fhir/Observation/long").expect(200).text().contains(&long));
    let version = json!({ "expectedVersion": 0, "events": [] }).to_string().replace(":0", ":1e400");
    clinician
        .request("POST", "/v1/patients/p/events")
        .text(version)
        .send()
        .problem(400, &["expectedVersion"]);
}

#[test]
fn a_body_that_does_not_arrive_whole_is_not_stored() {
    let token = quiet().server.token("dr-weiss", "user/*.cruds", None);
    let body = observation("o", "p").to_string();
    let head = format!(
        "PUT /fhir/Observation/o HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len() + 1
    );
    // The client goes away.
    let mut stream = TcpStream::connect(quiet().server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    drop(stream);
    // The client stays, and is silent.
    let mut stream = TcpStream::connect(quiet().server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = [0; 16 << 10];
    let count = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("OperationOutcome") && answer.contains("timeout"), "{answer}");
    quiet().clinician.get("/fhir/Observation/o").refused(404, &[]);
    quiet().untouched();
}

#[test]
fn what_is_not_http_does_no_harm() {
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST /fhir HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST /fhir HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx".to_vec(),
        b"POST /fhir HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        [b"GET / HTTP/1.1\r\n".to_vec(), b"x: y\r\n".repeat(500), b"\r\n".to_vec()].concat(),
        vec![0; 1 << 20],
        b"GET /fhir/Patient HTTP/1.1\r\nhost: x\r\n".to_vec(),
    ] {
        let answer = raw_exchange(quiet().server.address, &bytes);
        if let Some(response) = Response::parse(&answer, "GET") {
            assert!(
                (400..500).contains(&response.status),
                "{} to {:?}",
                response.status,
                String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
            );
        }
    }
    quiet().untouched();
}

mod random {
    //! Mutations of a good body: whatever comes in, the answer is a success or a clear refusal.

    use proptest::prelude::*;

    use crate::harness::{bundle, entry, observation, shared, unique};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn mutilated_bundles_never_make_the_server_fail(
            at in any::<prop::sample::Index>(),
            replacement in prop::collection::vec(any::<u8>(), 0..4),
            length in 0..12_usize,
        ) {
            let id = unique("mutant");
            let sent = bundle("transaction", &[entry("PUT", &format!("Observation/{id}"), observation(&id, &id))]);
            let mut bytes = sent.to_string().into_bytes();
            let start = at.index(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, replacement);
            let response = shared().clinician().request("POST", "/fhir").bytes(bytes).send();
            prop_assert!(matches!(response.status, 200 | 400 | 412), "{} {}", response.status, response.text());
            if response.status != 200 {
                prop_assert_eq!(&response.json()["resourceType"], "OperationOutcome");
            }
        }
    }
}
