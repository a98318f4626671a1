//! What an entry of a Bundle can ask for besides a write: all that a request of its own can.

use futures_util::future::{FutureExt, LocalBoxFuture};

use super::super::{
    Call, Failure, Reply, capability, encounter, everyone, everything, fhirpath, history, meta,
    read, search, subscription, subscription_socket, validate,
};

/// An operation that stores nothing.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its id in the OpenAPI document.
    pub(super) id: &'static str,
    /// Method and pattern of the path.
    pub(super) route: &'static str,
    /// Carries it out.
    pub(super) answer: fn(Call) -> LocalBoxFuture<'static, Result<Reply, Failure>>,
}

impl Operation {
    /// Whether it is a search whose parameters would come as a form.
    pub(super) fn is_search(&self) -> bool {
        self.route.ends_with("/_search")
    }
}

/// The named parts of a path.
pub(super) type Segments = Vec<(&'static str, String)>;

/// Before all paths.
const BASE: &str = "/fhir";

macro_rules! operations {
    ($($id:literal $route:literal $handler:expr,)*) => {
        &[$(Operation { id: $id, route: $route, answer: |call| $handler(call).boxed_local() }),*]
    };
}

/// Fixed paths come before patterns that would match them too.
#[rustfmt::skip]
const OPERATIONS: &[Operation] = operations! {
    "capabilities" "GET /fhir/metadata" capability::within,
    "evaluatePath" "POST /fhir/$fhirpath" fhirpath::evaluate,
    "validateResource" "POST /fhir/{type}/$validate" validate::validate,
    "validateInstance" "POST /fhir/{type}/{id}/$validate" validate::validate_instance,
    "subscriptionStatuses" "GET /fhir/Subscription/$status" subscription::statuses,
    "subscriptionStatusesByPost" "POST /fhir/Subscription/$status" subscription::statuses,
    "subscriptionStatus" "GET /fhir/Subscription/{id}/$status" subscription::status,
    "subscriptionStatusByPost" "POST /fhir/Subscription/{id}/$status" subscription::status,
    "subscriptionEvents" "GET /fhir/Subscription/{id}/$events" subscription::events,
    "subscriptionEventsByPost" "POST /fhir/Subscription/{id}/$events" subscription::events,
    "bindingTokens" "GET /fhir/Subscription/$get-ws-binding-token" subscription_socket::tokens,
    "bindingTokensByPost" "POST /fhir/Subscription/$get-ws-binding-token" subscription_socket::tokens,
    "bindingToken" "GET /fhir/Subscription/{id}/$get-ws-binding-token" subscription_socket::token,
    "bindingTokenByPost" "POST /fhir/Subscription/{id}/$get-ws-binding-token" subscription_socket::token,
    "patientsEverything" "GET /fhir/Patient/$everything" everyone::everything,
    "patientsEverythingByPost" "POST /fhir/Patient/$everything" everyone::everything,
    "patientEverything" "GET /fhir/Patient/{id}/$everything" everything::everything,
    "patientEverythingByPost" "POST /fhir/Patient/{id}/$everything" everything::everything,
    "encounterEverything" "GET /fhir/Encounter/{id}/$everything" encounter::everything,
    "encounterEverythingByPost" "POST /fhir/Encounter/{id}/$everything" encounter::everything,
    "resourceMeta" "GET /fhir/{type}/{id}/$meta" meta::meta,
    "readResourceHistory" "GET /fhir/{type}/{id}/_history" history::history,
    "readTypeHistory" "GET /fhir/{type}/_history" history::type_history,
    "readSystemHistory" "GET /fhir/_history" history::system_history,
    "searchSystemByPost" "POST /fhir/_search" search::search_system,
    "searchResourcesByPost" "POST /fhir/{type}/_search" search::search,
    "searchCompartmentByPost" "POST /fhir/{compartment}/{id}/{type}/_search" search::search_compartment,
    "readResourceVersion" "GET /fhir/{type}/{id}/_history/{version}" read::read_version,
    "readResource" "GET /fhir/{type}/{id}" read::read,
    "searchCompartment" "GET /fhir/{compartment}/{id}/{type}" search::search_compartment,
    "searchResources" "GET /fhir/{type}" search::search,
    "searchSystem" "GET /fhir" search::search_system,
};

/// The operation at a path below the base, and the named parts of the path.
pub(super) fn find(method: &str, path: &str) -> Option<(&'static Operation, Segments)> {
    OPERATIONS.iter().find_map(|operation| {
        let (own_method, pattern) = operation.route.split_once(' ')?;
        let pattern = pattern.strip_prefix(BASE).filter(|_| own_method == method)?;
        let segments = segments(pattern.strip_prefix('/').unwrap_or_default(), path)?;
        Some((operation, segments))
    })
}

fn segments(pattern: &'static str, path: &str) -> Option<Segments> {
    let mut segments = Segments::new();
    let mut parts = path.split('/');
    for pattern in pattern.split('/') {
        let part = parts.next()?;
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !part.is_empty() => segments.push((name, part.to_owned())),
            None if part == pattern => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What writes is understood by itself.
    const WRITES: [&str; 9] = [
        "createResource",
        "updateResource",
        "patchResource",
        "deleteResource",
        "conditionalUpdate",
        "conditionalPatch",
        "conditionalDelete",
        // Not within another.
        "transaction",
        // Not of the FHIR API.
        "smartConfiguration",
    ];

    #[test]
    fn an_entry_can_ask_for_all_that_a_request_can() {
        let document: serde_json::Value =
            serde_json::from_str(&crate::http::document_text()).unwrap();
        let mut missing = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap_or_default();
                if !path.starts_with(BASE) || WRITES.contains(&id) {
                    continue;
                }
                let route = format!("{} {path}", method.to_uppercase());
                if !OPERATIONS.iter().any(|known| known.id == id && known.route == route) {
                    missing.push(format!("{id} {route}"));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
