//! What is refused, how it is reported, and what the exit code says.

use serde_json::json;

use crate::support::{Place, Server, code, counts, stderr};

#[test]
fn a_report_of_an_earlier_import_does_not_stay() {
    let place = Place::new();
    place.file("wrong.ndjson", r#"{"resourceType":"Patient","id":"not good"}"#);
    place.file("right.ndjson", r#"{"resourceType":"Patient","id":"good"}"#);
    for (report, option) in
        [("chartlog-import-refused.ndjson", ""), ("other.ndjson", "--report other.ndjson")]
    {
        assert_eq!(code(&place.import(&format!("wrong.ndjson {option}"))), 3);
        assert_eq!(place.report(report).len(), 1);
        let output = place.import(&format!("right.ndjson {option}"));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(!place.path(report).exists(), "{report}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with("1 resource in "), "{told}");
    }
}

#[test]
fn what_is_wrong_is_reported_and_the_rest_is_stored() {
    let place = Place::new();
    place.file("in/a-noise.json.gz", "this is not gzip");
    place.file("in/b-broken.json", "{\"resourceType\": \"Patient\",\n \"id\": }");
    place.file("in/c-list.json", "[1, 2]");
    place.file("in/d-other.json", r#"{"name": "package.json"}"#);
    place.file("in/e-empty.json", "");
    place.file("in/f-latin.json", b"{\"resourceType\":\"Patient\",\"id\":\"\xE4\"}");
    let lines = [
        r#"{"resourceType":"Patient","id":"good"}"#,
        r#"{"resourceType":"Patient","id":"not good"}"#,
        "oops",
        r#"{"resourceType":"Nothing","id":"x"}"#,
        r#"{"resourceType":"Basic","id":"r","code":{"text":"x"},"subject":{"reference":"Patient?identifier=s|nobody"}}"#,
    ];
    place.file("in/g.ndjson", lines.join("\n"));
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "PUT", "url": "Patient/whole"}, "resource": {"resourceType": "Patient", "id": "whole"}},
        {"request": {"method": "PUT", "url": "Patient/wrong"}, "resource": {"resourceType": "Patient", "id": "right"}}]});
    place.file("in/h.json", transaction.to_string());
    let output = place.import("in --report report.ndjson");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("12 refused; report.ndjson says what and why"));
    assert_eq!(counts(&output, "all"), [1, 0, 0, 12]);
    let report = place.report("report.ndjson");
    let told: Vec<(String, String)> = report
        .iter()
        .map(|one| {
            let file = one["file"].as_str().unwrap().rsplit('/').next().unwrap();
            let text = |name: &str| one[name].as_str().unwrap();
            (format!("{file} {} {}", text("place"), one["status"]), text("diagnostics").to_owned())
        })
        .collect();
    let expected = [
        ("a-noise.json.gz  null", "cannot be read on: "),
        ("b-broken.json  null", "line 2, column 8"),
        ("c-list.json  null", "not a JSON object"),
        ("d-other.json  null", "resourceType is missing"),
        ("e-empty.json  null", "is not acceptable JSON"),
        ("f-latin.json  null", "not valid UTF-8"),
        ("g.ndjson line 2 400", "not good"),
        ("g.ndjson line 3 null", "is not acceptable JSON"),
        ("g.ndjson line 4 400", "Nothing"),
        ("g.ndjson line 5 400", "finds nothing"),
        ("h.json  400", "Bundle.entry[1].resource.id"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for ((place, diagnostics), (wanted_place, wanted)) in told.iter().zip(expected) {
        assert_eq!(place, wanted_place);
        assert!(diagnostics.contains(wanted), "{place}: {diagnostics}");
    }

    // What was mended is stored; its neighbours are recognised.
    place.file(
        "in/g.ndjson",
        [lines[0], r#"{"resourceType":"Patient","id":"now-good"}"#].join("\n"),
    );
    let output = place.import("in/g.ndjson");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(counts(&output, "Patient"), [1, 1, 0, 0]);
}

#[test]
fn references_to_later_files_are_tried_again_until_nothing_helps() {
    let place = Place::new();
    // a needs b, b needs c: each pass brings one more.
    for (name, needs) in [("a", Some("b")), ("b", Some("c")), ("c", None)] {
        let mut resource =
            json!({"resourceType": "Organization", "identifier": [{"system": "s", "value": name}]});
        if let Some(needs) = needs {
            resource["partOf"] = json!({"reference": format!("Organization?identifier=s|{needs}")});
        }
        place.file(&format!("in/{name}.json"), resource.to_string());
    }
    let output = place.import("in");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(counts(&output, "Organization"), [3, 0, 0, 0]);
    assert_eq!(place.held().position, 3);
}

#[test]
fn what_cannot_go_on_says_so() {
    let place = Place::new();
    place.file("a.json", r#"{"resourceType":"Patient","id":"a"}"#);
    for (what, exit, message) in [
        ("nowhere.json --data data", 2, "nowhere.json"),
        ("a.json", 2, "where to"),
        ("a.json --server http://127.0.0.1:9 --token t0p-s3cret", 1, "127.0.0.1:9"),
    ] {
        let output = place.command(what).output().unwrap();
        assert_eq!(code(&output), exit, "{}", stderr(&output));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        assert!(!stderr(&output).contains("t0p-s3cret"));
    }
    let server = Server::start(&place.path("data"));
    let address = format!("a.json --server {} --token wrong", server.base);
    let output = place.command(&address).output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("the token is not accepted"), "{}", stderr(&output));
    // The store is open: nobody else may have it.
    assert_eq!(code(&place.import("a.json")), 1);
}
