//! Somebody who sends requests: anonymous, or with a token.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Request, Response};

/// A client with its token.
#[derive(Debug, Clone)]
pub struct Actor {
    pub address: SocketAddr,
    pub token: Option<String>,
}

impl Actor {
    pub fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token }
    }

    /// A request that carries the token.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let request = Request::new(self.address, method, target);
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target).send()
    }

    #[track_caller]
    pub fn delete(&self, target: &str) -> Response {
        self.request("DELETE", target).send()
    }

    #[track_caller]
    pub fn post(&self, target: &str, body: &Value) -> Response {
        self.request("POST", target).json(body).send()
    }

    /// Stores a resource under its own type and id.
    #[track_caller]
    pub fn put(&self, resource: &Value) -> Response {
        let target = format!(
            "/fhir/{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        self.request("PUT", &target).json(resource).send()
    }

    /// The events of a chart, all on one page.
    #[track_caller]
    pub fn events(&self, patient: &str) -> Vec<Value> {
        let page =
            self.get(&format!("/v1/patients/{patient}/events?count=1000")).expect(200).json();
        assert!(page.get("next").is_none(), "more events than one page holds");
        page["events"].as_array().unwrap().clone()
    }

    /// The chart now, or as the query says.
    #[track_caller]
    pub fn chart(&self, patient: &str, query: &str) -> Value {
        self.get(&format!("/v1/patients/{patient}/chart{query}")).expect(200).json()
    }
}
