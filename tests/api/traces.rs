//! Commits among the accesses: each filter finds one without looking at all others.

use serde_json::{Value, json};

use crate::harness::{Actor, Server, bundle, entry, observation, patient};
use crate::reports::with_claims;

/// More events than one page reads.
const BUNDLES: usize = 3;
const IN_BUNDLE: usize = 700;

/// What somebody else does.
fn write_much(clinician: &Actor, patient: &str) {
    for number in 0..BUNDLES {
        let entries: Vec<_> = (0..IN_BUNDLE)
            .map(|at| {
                let id = format!("{patient}-{number}-{at}");
                entry("PUT", &format!("Observation/{id}"), observation(&id, patient))
            })
            .collect();
        clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    }
}

/// Commits of the first page that a filter finds.
fn commits(auditor: &Actor, query: &str) -> Vec<Value> {
    let page = auditor.get(&format!("/v1/accesses?{query}")).expect(200).json();
    let accesses = page["accesses"].as_array().unwrap().iter();
    accesses.filter(|access| access["id"].as_str().unwrap().starts_with('e')).cloned().collect()
}

#[test]
fn a_filter_finds_one_commit_among_thousands_of_events_on_one_page() {
    let mut server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("many")).expect(201);
    write_much(&clinician, "many");
    let claims = json!({
        "sub": "rare", "organization": "Seldom Clinic", "client_id": "seldom-app",
        "act": { "sub": "helper" }, "purpose_of_use": "BTG",
    });
    let rare = with_claims(&server, &claims);
    rare.put(&patient("one")).expect(201);
    clinician.delete("/fhir/Observation/many-0-0").expect(204);
    write_much(&clinician, "many-more");
    let by_rare = [
        "actor=rare",
        "actor=helper",
        "client=seldom-app",
        "organization=Seldom%20Clinic",
        "purpose=BTG",
        "breakGlass=true",
        "patient=one",
        "patient=one&action=C",
        "client=seldom-app&outcome=granted&operation=createResource",
    ];
    let deletion = ["action=D", "operation=deleteResource", "action=D&patient=many&actor=dr-weiss"];
    let check = |auditor: Actor| {
        for sort in ["", "&sort=recordedAt"] {
            for query in by_rare {
                let found = commits(&auditor, &format!("{query}{sort}"));
                assert_eq!(found.len(), 1, "{query}{sort}: {found:?}");
                assert_eq!(found[0]["patients"], json!(["one"]), "{query}{sort}");
            }
            for query in deletion {
                let found = commits(&auditor, &format!("{query}{sort}"));
                assert_eq!(found.len(), 1, "{query}{sort}: {found:?}");
                assert_eq!(found[0]["operation"], "deleteResource", "{query}{sort}");
            }
            for query in ["patient=many&client=seldom-app", "action=D&organization=Seldom%20Clinic"]
            {
                let page = auditor.get(&format!("/v1/accesses?{query}{sort}")).expect(200).json();
                assert_eq!(
                    (&page["accesses"], &page["next"]),
                    (&json!([]), &Value::Null),
                    "{query}"
                );
            }
        }
    };
    check(server.auditor());
    // Views that are made anew from the log tell the same.
    server.signal("-KILL");
    server.ended();
    std::fs::remove_dir_all(server.data().join("views")).unwrap();
    check(server.restart().auditor());
}
