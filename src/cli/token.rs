//! `chartlog token`: a development token, signed with the store's own key; also while the server
//! runs.

use super::{Failure, TokenArguments, out};
use crate::auth::{About, LocalIssuer, TokenRequest};
use crate::clock::Instant;
use crate::config::Config;
use crate::engine::read_local_issuer_secret;

/// Prints a token; it is the last line of stdout.
///
/// # Errors
///
/// [`Failure`]: no store there, or a subject, patient or lifetime that no token may have.
pub fn run(config: Config, arguments: TokenArguments) -> Result<(), Failure> {
    let secret = read_local_issuer_secret(&config.store.data).map_err(Failure::failed)?;
    let about = About {
        fhir_user: arguments.fhir_user,
        role: arguments.role,
        organization: arguments.organization,
        client: arguments.client,
        purpose: arguments.purpose,
    };
    let request = TokenRequest {
        subject: arguments.sub,
        scope: arguments.scope,
        patient: arguments.patient,
        audience: config.auth.audience.first().cloned().unwrap_or_default(),
        ttl_seconds: arguments.ttl.as_secs(),
        about,
    };
    let token = LocalIssuer::new(secret).sign(&request, Instant::now().seconds());
    out::hand_over(&format!("{}\n", token.map_err(Failure::usage)?))
}
