//! smartConfiguration: where clients get tokens (SMART App Launch 2.2, §conformance).

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::{Fault, OpenCall};
use super::{Failure, Reply};
use crate::issuers::{About, BINDS};

/// What this server does with scopes, whoever grants them.
const PERMISSIONS: [&str; 4] =
    ["permission-v1", "permission-v2", "permission-patient", "permission-user"];
/// The grants that SMART knows.
const GRANTS: [&str; 2] = ["authorization_code", "client_credentials"];
/// How clients may show who they are, and what SMART calls that.
const CLIENTS: [(&str, &str); 4] = [
    ("none", "client-public"),
    ("client_secret_basic", "client-confidential-symmetric"),
    ("client_secret_post", "client-confidential-symmetric"),
    ("private_key_jwt", "client-confidential-asymmetric"),
];
/// With this, a client may find out who has signed in.
const SSO: &str = "sso-openid-connect";
/// How long others may keep it, as short as keys are kept.
const FOR_MINUTES: &str = "public, max-age=300";

/// Where clients get tokens, and what for. Needs no token.
#[utoipa::path(get, path = "/fhir/.well-known/smart-configuration", operation_id = "smartConfiguration", tag = "fhir", security(()),
    responses(
        (status = 200, description = "As SMART App Launch describes it", content_type = "application/json"),
        (status = 400, description = "Not a valid request"),
        (status = 404, description = "No issuer is known that says where tokens are to be had"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn configuration(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let Some(about) = call.directory().first() else {
        let detail = "this server knows of no place where tokens are to be had: in its configuration, \
                      no issuer has an endpoint for tokens or says so itself";
        return Err(Failure::of(Fault::NotFound, detail));
    };
    let binds = about.binds_tokens && call.asks_for_certificates();
    let reply = Reply::json(StatusCode::OK, &document(&about, binds));
    Ok(reply.header("cache-control", FOR_MINUTES))
}

/// The same, where those look who know the host alone.
#[utoipa::path(get, path = "/.well-known/smart-configuration", operation_id = "smartConfigurationOfHost", tag = "fhir", security(()),
    responses(
        (status = 200, description = "As SMART App Launch describes it", content_type = "application/json"),
        (status = 400, description = "Not a valid request"),
        (status = 404, description = "No issuer is known that says where tokens are to be had")))]
pub async fn configuration_of_host(call: OpenCall) -> Result<Reply, Failure> {
    configuration(call).await
}

/// Says nothing that is not known; `binds` is whether tokens may be bound to certificates, and can be used here.
fn document(about: &About, binds: bool) -> Value {
    let mut members = Map::new();
    let mut address = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value.as_str().into());
        }
    };
    let capabilities = capabilities(about);
    if capabilities.contains(&SSO) {
        // Without single sign-on, the name of the issuer must not be said.
        address("issuer", &Some(about.issuer.clone()));
    }
    address("jwks_uri", &about.jwks_uri);
    address("authorization_endpoint", &about.authorization_endpoint);
    address("token_endpoint", &about.token_endpoint);
    address("introspection_endpoint", &about.introspection_endpoint);
    address("revocation_endpoint", &about.revocation_endpoint);
    address("management_endpoint", &about.management_endpoint);
    address("registration_endpoint", &about.registration_endpoint);
    let grants = about.grant_types.iter().filter(|grant| GRANTS.contains(&grant.as_str()));
    members.insert("grant_types_supported".to_owned(), json!(grants.collect::<Vec<_>>()));
    // Plain challenges must not be used, whoever takes them.
    let challenges = about.code_challenge_methods.iter().filter(|method| *method == "S256");
    let challenges: Vec<_> = challenges.collect();
    members.insert("code_challenge_methods_supported".to_owned(), json!(challenges));
    for (name, list) in [
        ("token_endpoint_auth_methods_supported", &about.token_endpoint_auth_methods),
        ("token_endpoint_auth_signing_alg_values_supported", &about.signing_algorithms),
        ("scopes_supported", &about.scopes),
        ("response_types_supported", &about.response_types),
    ] {
        if !list.is_empty() {
            members.insert(name.to_owned(), json!(list));
        }
    }
    if binds {
        members.insert(BINDS.to_owned(), true.into());
    }
    members.insert("capabilities".to_owned(), json!(capabilities));
    members.into()
}

/// What this server does, what the issuer says, and what the configuration adds.
fn capabilities(about: &About) -> Vec<&str> {
    let is_taken = |method: &str| about.token_endpoint_auth_methods.iter().any(|one| one == method);
    let clients = CLIENTS.iter().filter(|(method, _)| is_taken(method)).map(|(_, name)| *name);
    let added = about.capabilities.iter().map(String::as_str);
    let mut all: Vec<&str> = Vec::new();
    for one in PERMISSIONS.into_iter().chain(clients).chain(added) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}
