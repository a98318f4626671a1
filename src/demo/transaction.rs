//! One commit in the making: a FHIR transaction `Bundle` of `PUT` and `DELETE` entries.
//!
//! In: resources and ids, in the order in which they are to be read. Out: the `Bundle`
//! (R4 Bundle, `type` = `transaction`). Never: `POST`, because every id here is known beforehand.

use serde_json::{Value, json};

use super::element::{set, text};

#[derive(Default)]
pub struct Transaction {
    resources: Vec<Value>,
    removed: Vec<String>,
}

impl Transaction {
    /// Adds `PUT kind/id` of something new. `body` is the resource without its type and id.
    pub fn put(&mut self, kind: &'static str, id: &str, mut body: Value) {
        set(&mut body, "resourceType", json!(kind));
        set(&mut body, "id", json!(id));
        self.resources.push(body);
    }

    /// Adds a `PUT` of a complete resource that may be in this commit already. The later wins, since
    /// a transaction may name a resource only once.
    pub fn put_again(&mut self, resource: Value) {
        let is_same = |known: &&mut Value| {
            text(known, "id") == text(&resource, "id")
                && text(known, "resourceType") == text(&resource, "resourceType")
        };
        match self.resources.iter_mut().find(is_same) {
            Some(known) => *known = resource,
            None => self.resources.push(resource),
        }
    }

    /// Adds `DELETE kind/id`.
    pub fn delete(&mut self, resource: &Value) {
        self.removed.push(url(resource));
    }

    /// What has been put so far.
    pub fn resources(&self) -> impl Iterator<Item = &Value> {
        self.resources.iter()
    }

    /// The finished Bundle. `timestamp` is a FHIR instant: when the clinic would have sent it.
    pub fn finish(self, timestamp: &str) -> Value {
        let deletions = self
            .removed
            .into_iter()
            .map(|url| json!({"request": {"method": "DELETE", "url": url}}));
        let puts = self.resources.into_iter().map(|resource| {
            let request = json!({"method": "PUT", "url": url(&resource)});
            json!({"request": request, "resource": resource})
        });
        let entries: Vec<Value> = puts.chain(deletions).collect();
        json!({
            "resourceType": "Bundle",
            "type": "transaction",
            "timestamp": timestamp,
            "entry": entries,
        })
    }
}

/// `Type/id` of a resource.
fn url(resource: &Value) -> String {
    format!("{}/{}", text(resource, "resourceType"), text(resource, "id"))
}
