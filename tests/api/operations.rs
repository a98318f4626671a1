//! For operators: health, figures, docs, commands, stopping and starting, and the process's log.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Response, Server, Setup, binary, bundle, entry, observation, patient, run, shared, unique,
};

#[test]
fn liveness_and_readiness_need_no_token() {
    let anonymous = shared().anonymous();
    assert_eq!(anonymous.get("/health/live").expect(200).json(), json!({ "status": "live" }));
    assert_eq!(anonymous.get("/health/ready").expect(200).json(), json!({ "status": "ready" }));
}

#[test]
fn the_capability_statement_needs_no_token_and_tells_what_there_is() {
    let statement = shared().anonymous().get("/fhir/metadata").expect(200);
    assert_eq!(statement.header("content-type"), Some("application/fhir+json"));
    let statement = statement.json();
    assert_eq!(
        (&statement["resourceType"], &statement["fhirVersion"]),
        (&json!("CapabilityStatement"), &json!("4.0.1"))
    );
    assert_eq!(statement["implementation"]["url"], format!("{}/fhir", shared().base));
    // Each search parameter that it promises is there.
    let clinician = shared().entitled();
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let kind = resource["type"].as_str().unwrap();
        for parameter in resource["searchParam"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let value = match parameter["type"].as_str().unwrap() {
                "date" | "number" | "quantity" => "lt2000",
                // Made of others, which are asked for by themselves.
                "composite" => continue,
                _ => "x",
            };
            // AuditEvents are not counted.
            let count = if kind == "AuditEvent" { 1 } else { 0 };
            clinician.get(&format!("/fhir/{kind}?{name}={value}&_count={count}")).expect(200);
        }
    }
}

#[test]
fn figures_count_requests_and_show_nothing_clinical() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("secretive-id")).expect(201);
    clinician.get("/fhir/Patient/secretive-id").expect(200);
    clinician.get("/fhir/Patient/secretive-id").expect(200);
    server.anonymous().get("/fhir/Patient/secretive-id").refused(401, &[]);
    let figures = server.anonymous().get("/metrics").expect(200);
    assert!(figures.header("content-type").unwrap().starts_with("text/plain"));
    let text = figures.text();
    for line in [
        r#"chartlog_requests_total{operation="readResource",status="2xx"} 2"#,
        r#"chartlog_requests_total{operation="readResource",status="4xx"} 1"#,
        "chartlog_applied_position 2",
        "chartlog_writable 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is missing in\n{text}");
    }
    for secret in ["secretive", "Quist", "dr-weiss", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is shown");
    }
}

#[test]
fn the_docs_and_everything_they_need_come_from_the_server() {
    let anonymous = shared().anonymous();
    assert_eq!(anonymous.get("/docs").expect(302).header("location"), Some("/docs/"));
    let page = anonymous.get("/docs/").expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let mut addresses = Vec::new();
    for marker in ["src=\"", "href=\""] {
        let parts = page.text().split(marker).skip(1);
        addresses.extend(parts.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    assert!(addresses.len() >= 3, "{addresses:?}");
    for address in addresses {
        assert!(!address.contains("//"), "{address} lies elsewhere");
        let asset =
            anonymous.get(&format!("/docs/{}", address.trim_start_matches("./"))).expect(200);
        assert!(!asset.body.is_empty(), "{address}");
        if address.ends_with("initializer.js") {
            assert!(asset.text().contains("/openapi.json"), "{}", asset.text());
            assert!(!asset.text().contains("http"), "{}", asset.text());
        }
    }
}

#[test]
fn the_committed_openapi_document_is_the_one_that_the_server_serves() {
    let committed = include_str!("../../openapi/chartlog.json");
    let printed = run(&["openapi"]);
    assert!(printed.status.success());
    assert!(
        String::from_utf8(printed.stdout).unwrap() == committed,
        "repeat: chartlog openapi --output openapi/chartlog.json"
    );
    let served = shared().anonymous().get("/openapi.json").expect(200).json();
    assert_eq!(served, serde_json::from_str::<Value>(committed).unwrap());
}

#[test]
fn a_stopping_server_finishes_what_it_has_begun() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start();
        let token = server.token("dr-weiss", "user/*.cruds", None);
        let body = patient("late").to_string();
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "PUT /fhir/Patient/late HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
        // The server has begun with the request when it asks for the body.
        let mut begun = [0; 25];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
        server.signal(signal);
        // It takes no new connections from some moment on.
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(server.address).is_ok() {
            assert!(std::time::Instant::now() < deadline, "it still takes connections");
            std::thread::sleep(Duration::from_millis(5));
        }
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Response::parse(&answer, "PUT").expect("an answer").expect(201);
        assert_eq!(server.ended().code(), Some(0), "{signal}");
        let server = server.restart();
        server.clinician().get("/fhir/Patient/late").expect(200);
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let server = Server::start();
    let data = server.data();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("in use by another chartlog") && stderr.contains(data.to_str().unwrap()),
        "{stderr}"
    );
    assert!(!String::from_utf8(output.stdout).unwrap().contains("listening"));
    server.anonymous().get("/health/live").expect(200);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::TempDir::new().unwrap();
    let output = run(&["serve", "--listen", &address, "--data", data.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&address) && stderr.contains("in use"), "{stderr}");
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    let server = Server::start();
    let clinician = server.clinician();
    let values: Vec<String> = (0..20).map(|number| format!("o{number}")).collect();
    let entries: Vec<Value> = values
        .iter()
        .map(|id| entry("PUT", &format!("Observation/{id}"), observation(id, "p")))
        .collect();
    clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    clinician.put(&patient("p")).expect(201);
    clinician.delete("/fhir/Observation/o3").expect(204);
    clinician.put(&observation("o4", "q")).expect(200);
    let targets = [
        "/v1/patients/p/chart",
        "/v1/patients/p/chart?version=9",
        "/v1/patients/p/events",
        "/v1/patients/q/chart",
        "/v1/patients/p/diff?from=2",
        "/fhir/Observation/o5/_history",
        "/fhir/Observation/o3/_history/1",
    ];
    let all = |server: &Server| -> Vec<String> {
        let read = |target: &&str| server.clinician().get(target).expect(200).text().to_owned();
        // The port of the server, which full URLs repeat, is another after a restart.
        targets.iter().map(|target| read(target).replace(&server.base, "")).collect()
    };
    let before = all(&server);
    let search = "/fhir/Observation?subject=Patient/p";
    let found =
        server.clinician().get(search).expect(200).json()["entry"].as_array().unwrap().len();
    let length = server.log_length();
    let accesses = |server: &Server| {
        server.auditor().get("/v1/accesses?actor=dr-weiss").expect(200).json()["accesses"].clone()
    };
    let looked = accesses(&server);

    let server = server.restart();
    assert_eq!(accesses(&server), looked);
    assert_eq!(all(&server), before);
    assert_eq!(server.log_length(), length);
    assert_eq!(
        server.clinician().get(search).expect(200).json()["entry"].as_array().unwrap().len(),
        found
    );
    // And it goes on where it was.
    server.clinician().put(&observation("o3", "p")).expect(201);
    assert_eq!(server.log_length(), length + 1);
}

#[test]
fn without_its_views_a_store_comes_back_the_same() {
    let mut server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    clinician.put(&observation("o", "p")).expect(201);
    clinician.delete("/fhir/Observation/o").expect(204);
    let targets =
        ["/v1/patients/p/chart", "/v1/patients/p/events", "/v1/patients/p/chart?version=3"];
    let all = |server: &Server| -> Vec<String> {
        let read = |target: &&str| server.clinician().get(target).expect(200).text().to_owned();
        // The port of the server, which full URLs repeat, is another after a restart.
        targets.iter().map(|target| read(target).replace(&server.base, "")).collect()
    };
    let before = all(&server);
    let accesses = |server: &Server| {
        server.auditor().get("/v1/accesses?actor=dr-weiss").expect(200).json()["accesses"].clone()
    };
    let looked = accesses(&server);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    std::fs::remove_dir_all(server.data().join("views")).unwrap();
    let server = server.restart();
    assert_eq!(accesses(&server), looked);
    assert_eq!(all(&server), before);
}

#[test]
fn tokens_are_signed_while_the_server_runs() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let data = server.data();
    let token = |more: &[&str]| {
        let mut arguments = vec!["token", "--data", data.to_str().unwrap(), "--sub", "dr-weiss"];
        arguments.extend(more);
        let output = run(&arguments);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, stdout, _) = token(&["--scope", "user/*.cruds", "--ttl", "15m"]);
    assert_eq!(code, Some(0));
    let last = stdout.lines().last().unwrap();
    server.with_token(last).get(&format!("/fhir/Patient/{owner}")).expect(200);
    let (code, stdout, _) = token(&["--scope", "patient/*.rs", "--patient", &owner]);
    assert_eq!(code, Some(0));
    let app = server.with_token(stdout.lines().last().unwrap());
    app.get(&format!("/fhir/Patient/{owner}")).expect(200);
    app.get("/v1/patients/another/chart").problem(403, &[]);
    for (wrong, word) in [
        (vec!["--scope", "x", "--patient", "a/b"], "patient"),
        (vec!["--scope", "x", "--ttl", "0s"], ""),
        (vec!["--scope", "x", "--ttl", "soon"], "soon"),
        (vec![], "--scope"),
    ] {
        let (code, stdout, stderr) = token(&wrong);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(word), "{stderr}");
    }
    let empty = tempfile::TempDir::new().unwrap();
    let output =
        run(&["token", "--data", empty.path().to_str().unwrap(), "--sub", "x", "--scope", "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
}

#[test]
fn exit_codes_tell_a_wrong_command_line_from_a_failure() {
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["serve", "--help"], 0),
        (vec!["--version"], 0),
        (vec!["config"], 0),
        (vec!["config", "--example"], 0),
        (vec![], 2),
        (vec!["sing"], 2),
        (vec!["serve", "--loud"], 2),
        (vec!["serve", "--listen", "nowhere"], 2),
        (vec!["serve", "--set", "limits.colour=red"], 2),
        (vec!["serve", "--set", "limits.page_size_max=many"], 2),
        (vec!["serve", "--config", "missing.toml"], 2),
        (vec!["serve", "--listen", "127.0.0.1:0", "--data", "/proc/none"], 1),
    ] {
        let output = run(&arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.is_empty(), code == 0, "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn the_configuration_is_shown_with_its_sources_and_without_the_token() {
    let home = tempfile::TempDir::new().unwrap();
    std::fs::write(
        home.path().join("c.toml"),
        "[limits]\npage_size_max = 77\npage_size_default = 7\n",
    )
    .unwrap();
    let output = binary()
        .current_dir(home.path())
        .args(["config", "--config", "c.toml", "--listen", "127.0.0.1:4711"])
        .env("CHARTLOG_LIMITS_PAGE_SIZE_DEFAULT", "8")
        .env("CHARTLOG_TOKEN", "top-secret-token")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "listen = \"127.0.0.1:4711\"  # flag --listen",
        "page_size_default = 8  # environment CHARTLOG_LIMITS_PAGE_SIZE_DEFAULT",
        "page_size_max = 77  # file c.toml, line 2",
        "workers = 0  # default",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("top-secret-token"));
}

#[test]
fn the_log_never_holds_a_token_or_a_body() {
    let server = Setup::default()
        .argument("--log-format")
        .argument("json")
        .argument("--log-filter")
        .argument("trace")
        .start();
    let token = server.token("dr-weiss", "user/*.cruds", None);
    let clinician = server.with_token(&token);
    let mut secretive = patient("p");
    secretive["name"][0]["family"] = json!("Verschwiegen");
    clinician.put(&secretive).expect(201);
    clinician.get("/fhir/Patient/p").expect(200);
    clinician
        .post(
            "/fhir",
            &bundle(
                "transaction",
                &[entry("PUT", "Patient/p2", {
                    let mut other = secretive.clone();
                    other["id"] = json!("p2");
                    other
                })],
            ),
        )
        .expect(200);
    clinician
        .request("PUT", "/fhir/Patient/p")
        .text(r#"{"resourceType":"Patient","id":"p","name":"Verschwiegen""#)
        .send()
        .refused(400, &[]);
    clinician.get("/v1/patients/p/events").expect(200);
    let bad = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    server.with_token(bad).get("/fhir/Patient/p").refused(401, &[]);
    clinician
        .request("GET", "/fhir/Patient/p")
        .header("x-request-id", "req-in-log")
        .send()
        .expect(200);
    let log = server.log();
    assert!(log.contains("req-in-log"), "requests are logged by id: {log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    for secret in [token.as_str(), token.rsplit('.').next().unwrap(), bad, "Verschwiegen"] {
        let at = log.find(secret);
        assert!(
            at.is_none(),
            "{secret} is in {}",
            log.lines().find(|line| line.contains(secret)).unwrap_or_default()
        );
    }
}
