//! Finding the access entries of a request.

use serde_json::Value;

use super::Server;

/// All entries of the access log that carry the id of a request that has just been answered: the server's or the
/// client's.
///
/// They are among the newest: no test makes this many requests between asking and looking.
#[track_caller]
pub fn accesses_of_request(server: &Server, request: &str) -> Vec<Value> {
    let page = server.auditor().get("/v1/accesses?count=300").expect(200).json();
    let accesses = page["accesses"].as_array().unwrap();
    let is_of = |access: &&Value| {
        let is_commit = access["id"].as_str().unwrap().starts_with('e');
        !is_commit && (access["request"] == request || access["clientRequest"] == request)
    };
    accesses.iter().filter(is_of).cloned().collect()
}

/// The access entry that carries this request id, if there is exactly one.
#[track_caller]
pub fn only_access_of_request(server: &Server, request: &str) -> Value {
    let mut found = accesses_of_request(server, request);
    assert_eq!(found.len(), 1, "entries of request {request}: {found:?}");
    found.remove(0)
}
