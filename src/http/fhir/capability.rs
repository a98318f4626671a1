//! capabilities: FHIR R4 §3.1.0.9.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::super::OpenCall;
use super::super::state::State;
use super::{Call, Failure, Reply};
use crate::feed::fhir::{PROFILE_SUBSCRIPTION, TOPIC_CANONICAL};
use crate::fhir::definitions::compartment;
use crate::fhir::search::SearchType;
use crate::fhir::{Parameters, ResourceType};
use crate::issuers::About;

/// What this server can do, as a CapabilityStatement. Needs no token.
#[utoipa::path(get, path = "/fhir/metadata", operation_id = "capabilities", tag = "fhir", security(()),
    params(
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas")),
    responses(
        (status = 200, description = "A CapabilityStatement", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn capabilities(call: OpenCall) -> Result<Reply, Failure> {
    answer(&call.state)
}

/// The same as an entry of a Bundle.
pub async fn within(call: Call) -> Result<Reply, Failure> {
    answer(&call.state)
}

fn answer(state: &State) -> Result<Reply, Failure> {
    Ok(Reply::resource(StatusCode::OK, statement(state).to_string().into_bytes()))
}

/// What the server holds, so that nobody takes the demo for more than it is.
fn description(state: &State) -> &'static str {
    match state.options.is_demo {
        false => "Chartlog",
        true => {
            "Chartlog with a synthetic clinic: its people are made up, and so are the times at which its past was recorded"
        }
    }
}

fn statement(state: &State) -> Value {
    let (base, parameters) = (&*state.fhir_base, &state.records.parameters());
    let topics = &state.subscriptions.kept().topic_urls();
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "instantiates": [format!("{BACKPORT}/CapabilityStatement/backport-subscription-server-r4")],
        "software": { "name": "Chartlog", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": description(state), "url": base },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json"],
        "rest": [{
            "mode": "server",
            "security": security(state.options.issuers.first().as_deref()),
            "resource": ResourceType::all().map(|kind| resource(kind, parameters, topics)).collect::<Vec<_>>(),
            "interaction": interactions(&["transaction", "batch", "history-system", "search-system"]),
            "compartment": compartments().collect::<Vec<_>>(),
            "operation": [{ "name": "fhirpath", "definition": PATH, "documentation": PATH_MEANS }],
            "extension": [
                { "url": AS_OF, "valueString": AS_OF_MEANS },
                { "url": WEBSOCKET, "valueUri": super::subscription_socket::url(base) },
            ],
        }],
    })
}

/// Who may ask, and where tokens are to be had if that is known.
fn security(about: Option<&About>) -> Value {
    let mut security = json!({
        "description": "Bearer tokens (JWT) with SMART App Launch v2 scopes. Every request leaves an access entry.",
        "service": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR",
        }] }],
    });
    let Some(about) = about else { return security };
    let known = [
        ("authorize", &about.authorization_endpoint),
        ("token", &about.token_endpoint),
        ("introspect", &about.introspection_endpoint),
        ("revoke", &about.revocation_endpoint),
        ("manage", &about.management_endpoint),
        ("register", &about.registration_endpoint),
    ];
    let known = known.into_iter().filter_map(|(name, address)| {
        address.as_ref().map(|address| json!({ "url": name, "valueUri": address }))
    });
    let endpoints = json!([{ "url": OAUTH_URIS, "extension": known.collect::<Vec<_>>() }]);
    if let Some(members) = security.as_object_mut() {
        members.insert("extension".to_owned(), endpoints);
    }
    security
}

/// Says where tokens are to be had.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
/// Says where WebSockets of Subscriptions are opened.
const WEBSOCKET: &str = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket";
/// The guide by which topics are subscribed to.
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport";

/// What can be done with every type.
const INTERACTIONS: [&str; 9] = [
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
/// Names the parameter `_asOf`, which the standard does not have.
const AS_OF: &str = "urn:chartlog:as-of";
const AS_OF_MEANS: &str = "_asOf=[instant] on read, Patient/[id]/$everything, and every search within one \
                           patient's chart: the answer that this server would have given at that moment";

/// Names the operation `$fhirpath`, which the standard does not have.
const PATH: &str = "urn:chartlog:fhirpath";
const PATH_MEANS: &str = "Evaluates a FHIRPath expression on a resource that is sent: Parameters with \
                          expression, resource, and where wanted context and variables";

fn interactions(codes: &[&str]) -> Vec<Value> {
    codes.iter().map(|code| json!({ "code": code })).collect()
}

/// The canonical URLs of the compartments that can be searched.
fn compartments() -> impl Iterator<Item = String> {
    let named = ResourceType::all().filter(|kind| compartment(*kind, *kind).is_some());
    let url = |name: String| format!("http://hl7.org/fhir/CompartmentDefinition/{name}");
    named.map(move |kind| url(kind.name().to_lowercase()))
}

fn resource(kind: ResourceType, parameters: &Parameters, topics: &[String]) -> Value {
    let common = [("_id", "token"), ("_lastUpdated", "date"), ("_list", "special")];
    let common = common.into_iter().map(|(name, kind)| json!({ "name": name, "type": kind }));
    let own = parameters.of(kind).filter(|known| known.search_type.is_supported());
    let own = own.map(|known| {
        json!({ "name": known.name, "definition": known.url, "type": known.search_type.name() })
    });
    let references = parameters.of(kind).filter(|known| known.search_type == SearchType::Reference);
    let includes = references.map(|known| Value::from(format!("{kind}:{}", known.name)));
    let includes: Vec<Value> = std::iter::once(Value::from("*")).chain(includes).collect();
    // Of AuditEvents none is stored.
    let sources = ResourceType::all().filter(|source| *source != ResourceType::AUDIT_EVENT);
    let referring = sources.flat_map(|source| {
        let references =
            parameters.of(source).filter(|known| known.search_type == SearchType::Reference);
        let leading = references.filter(|known| known.may_target(kind));
        leading.map(move |known| Value::from(format!("{source}:{}", known.name)))
    });
    let referring: Vec<Value> = referring.collect();
    if kind == ResourceType::AUDIT_EVENT {
        // Made when they are asked for: one version each, and nothing goes with them.
        let common = [("_id", "token"), ("_lastUpdated", "date")];
        let common = common.into_iter().map(|(name, kind)| json!({ "name": name, "type": kind }));
        return json!({
            "type": kind.name(),
            "interaction": interactions(&["read", "search-type"]),
            "versioning": "no-version",
            "searchParam": common.chain(own).collect::<Vec<_>>(),
        });
    }
    let mut resource = json!({
        "type": kind.name(),
        "interaction": interactions(&INTERACTIONS),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": true,
        "conditionalRead": "full-support",
        "conditionalUpdate": true,
        "conditionalDelete": "single",
        "searchParam": common.chain(own).collect::<Vec<_>>(),
        "searchInclude": includes,
        "searchRevInclude": referring,
        "operation": operations(kind),
    });
    if let Some(members) = resource.as_object_mut().filter(|_| kind == ResourceType::SUBSCRIPTION) {
        let topic = |url: &String| json!({ "url": TOPIC_CANONICAL, "valueCanonical": url });
        let topics: Vec<Value> = topics.iter().map(topic).collect();
        if !topics.is_empty() {
            members.insert("extension".to_owned(), topics.into());
        }
        members.insert("supportedProfile".to_owned(), json!([PROFILE_SUBSCRIPTION]));
    }
    resource
}

fn operations(kind: ResourceType) -> Vec<Value> {
    let operation = |(name, definition): (&str, &str)| {
        let definition = format!("http://hl7.org/fhir/OperationDefinition/{definition}");
        json!({ "name": name, "definition": definition })
    };
    let everything = match kind {
        ResourceType::PATIENT => Some(("everything", "Patient-everything")),
        ResourceType::ENCOUNTER => Some(("everything", "Encounter-everything")),
        _ => None,
    };
    let backport = |name: &str| json!({ "name": name, "definition": format!("{BACKPORT}/OperationDefinition/backport-subscription-{name}") });
    let of_subscription = ["status", "events", "get-ws-binding-token"].into_iter().map(backport);
    let of_subscription = of_subscription.filter(|_| kind == ResourceType::SUBSCRIPTION);
    let common = [("meta", "Resource-meta"), ("validate", "Resource-validate")];
    common.into_iter().chain(everything).map(operation).chain(of_subscription).collect()
}
