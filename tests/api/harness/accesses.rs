//! Finding the access entries of a request.

use serde_json::Value;

use super::Server;

/// All access entries that carry this request id.
#[track_caller]
pub fn accesses_of_request(server: &Server, request: &str) -> Vec<Value> {
    let auditor = server.auditor();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = auditor.get(&format!("/v1/accesses?count=1000{cursor}")).expect(200).json();
        let accesses = page["accesses"].as_array().unwrap();
        found.extend(accesses.iter().filter(|access| access["request"] == request).cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// The access entry that carries this request id, if there is exactly one.
#[track_caller]
pub fn only_access_of_request(server: &Server, request: &str) -> Value {
    let mut found = accesses_of_request(server, request);
    assert_eq!(found.len(), 1, "entries of request {request}: {found:?}");
    found.remove(0)
}
