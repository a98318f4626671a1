//! The tables over HTTP, against the real server: one for each table.

use serde_json::Value;

use crate::harness::{Actor, Server};
use crate::table::{Expected, TABLES, Table};

#[test]
fn every_case_comes_out_over_http_as_the_table_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in TABLES {
        let server = Server::start();
        let table = Table::read(text, &format!("{}/fhir", server.base));
        let clinician = server.clinician();
        for resource in &table.resources {
            clinician.put(resource).expect(201);
        }
        for case in &table.cases {
            count += 1;
            if let Err(found) = outcome(&clinician, &case.query, &case.expected) {
                wrong.push(format!("{name}: {}\n    {found}", case.query));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn outcome(actor: &Actor, query: &str, expected: &Expected) -> Result<(), String> {
    let answer = actor.get(&format!("/fhir/{query}"));
    let body = answer.json();
    if let (400, Expected::Fail(word)) = (answer.status, expected) {
        let issues = body["issue"].as_array().cloned().unwrap_or_default();
        let messages: Vec<String> =
            issues.iter().map(|issue| issue["diagnostics"].to_string()).collect();
        let is_named = issues.iter().any(|issue| issue.to_string().contains(word.as_str()));
        return if is_named { Ok(()) } else { Err(format!("\"{word}\" is not in {messages:?}")) };
    }
    if answer.status != 200 {
        return Err(format!("{}: {body}", answer.status));
    }
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    let of_mode = |mode: &str| -> Vec<Value> {
        entries.iter().filter(|entry| entry["search"]["mode"] == mode).cloned().collect()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = |entry: &Value| text(&entry["resource"]["id"]);
    let key = |entry: &Value| format!("{}/{}", text(&entry["resource"]["resourceType"]), id(entry));
    let matches = of_mode("match");
    expected.compare(match expected {
        Expected::All(_) => matches.iter().chain(&of_mode("include")).map(key).collect(),
        _ => matches.iter().map(id).collect(),
    })
}
