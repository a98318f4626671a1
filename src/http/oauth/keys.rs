//! tokenKeys: what verifies the tokens that are given here.

use actix_web::http::StatusCode;

use super::super::{Failure, Fault, OpenCall, Reply};

/// How long others may keep it, as short as keys of issuers are kept here.
const FOR_MINUTES: &str = "public, max-age=300";

/// The public keys with which this server signs tokens.
#[utoipa::path(get, path = "/oauth/keys", operation_id = "tokenKeys", tag = "tokens", security(()),
    responses(
        (status = 200, description = "A JSON Web Key Set (RFC 7517)", content_type = "application/json"),
        (status = 400, description = "Not a valid request"),
        (status = 404, description = "Nobody is given tokens here")))]
pub async fn keys(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let Some(issuing) = call.issuing() else {
        let detail = "this server signs no tokens: no client is registered in its configuration";
        return Err(Failure::of(Fault::NoRoute, detail));
    };
    let reply = Reply::json(StatusCode::OK, &issuing.issuer().key_set());
    Ok(reply.header("cache-control", FOR_MINUTES))
}
