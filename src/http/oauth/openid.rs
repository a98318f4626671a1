//! openidConfiguration: how apps verify who has signed in (OpenID Connect Discovery 1.0 §3).

use actix_web::http::StatusCode;
use serde_json::json;

use super::super::{Failure, Fault, OpenCall, Reply};

/// How long others may keep it, as short as keys are kept.
const FOR_MINUTES: &str = "public, max-age=300";

/// What an app needs to verify ID tokens of the users of the configuration. Needs no token.
#[utoipa::path(get, path = "/.well-known/openid-configuration", operation_id = "openidConfiguration", tag = "tokens", security(()),
    responses(
        (status = 200, description = "As OpenID Connect Discovery describes it", content_type = "application/json"),
        (status = 400, description = "Not a valid request"),
        (status = 404, description = "Nobody signs in here")))]
pub async fn configuration(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let Some(issuing) = call.issuing().filter(|issuing| issuing.sign_in().is_some()) else {
        let detail =
            "nobody signs in here: no user is registered in the configuration of this server";
        return Err(Failure::of(Fault::NoRoute, detail));
    };
    let about = issuing.about();
    let document = json!({
        "issuer": about.issuer,
        "jwks_uri": about.jwks_uri,
        "authorization_endpoint": about.authorization_endpoint,
        "token_endpoint": about.token_endpoint,
        "token_endpoint_auth_methods_supported": about.token_endpoint_auth_methods,
        "grant_types_supported": about.grant_types,
        "response_types_supported": about.response_types,
        "code_challenge_methods_supported": about.code_challenge_methods,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "name", "fhirUser"],
    });
    Ok(Reply::json(StatusCode::OK, &document).header("cache-control", FOR_MINUTES))
}
