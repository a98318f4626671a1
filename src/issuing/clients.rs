//! The programs that are registered, and how they show who they are: `private_key_jwt` (SMART App Launch 2.2, "Client
//! authentication: asymmetric"; RFC 7523 §2.2).

use std::collections::HashMap;
use std::sync::Arc;

use super::Refusal;
use super::replay::{Memory, Seen};
use crate::auth::{Algorithm, Level, TokenError, Verifier, VerifierOptions, is_understood};
use crate::config::{AuthConfig, Client, Issuer};
use crate::issuers::Issuers;

/// Longest time that an assertion may be good for, in seconds (SMART App Launch 2.2).
const ASSERTION_SECONDS_MAX: i64 = 300;

/// The programs that are registered.
#[derive(Debug)]
pub struct Clients {
    /// Their keys: each is the issuer of its own assertions.
    verifier: Arc<Verifier>,
    registered: HashMap<String, Registered>,
    /// The first second of which it is sure that no assertion was used before this server began.
    fresh_from: i64,
    leeway_seconds: i64,
}

#[derive(Debug)]
struct Registered {
    client: Client,
    memory: Memory,
}

/// The names of the algorithms that assertions may be signed with.
pub fn algorithms() -> Vec<String> {
    Algorithm::ASYMMETRIC.iter().map(Algorithm::to_string).collect()
}

impl Clients {
    /// Those of the configuration, and their keys, to be kept up to date.
    pub(super) fn read(
        config: &AuthConfig,
        endpoint: &str,
        started_at: i64,
    ) -> Result<(Self, Issuers), String> {
        let sources: Vec<Issuer> = config.clients.iter().map(source).collect();
        let mut problems = Vec::new();
        let keys = Issuers::of(&sources, config).map_err(|error| problems.push(error));
        for client in &config.clients {
            let odd = client.scopes.iter().filter(|scope| !is_understood(Level::System, scope));
            problems.extend(odd.map(|scope| {
                format!("auth.clients: {:?}: {scope} is not understood as a scope", client.id)
            }));
        }
        let (Ok(keys), true) = (keys, problems.is_empty()) else {
            return Err(problems.join("\n"));
        };
        let verifier = Verifier::new(VerifierOptions {
            audience: vec![endpoint.to_owned()],
            leeway_seconds: config.leeway_seconds,
            issuers: keys.known().collect(),
            cache_entries: 0,
        });
        let leeway_seconds = i64::try_from(config.leeway_seconds).unwrap_or(i64::MAX);
        let registered = config.clients.iter().map(|client| {
            let registered = Registered { client: client.clone(), memory: Memory::default() };
            (client.id.clone(), registered)
        });
        let clients = Self {
            verifier: Arc::new(verifier.map_err(|error| format!("auth.clients: {error}"))?),
            registered: registered.collect(),
            // Whoever was let in before had a clock that was ahead by no more than that.
            fresh_from: started_at.saturating_add(leeway_seconds).saturating_add(1),
            leeway_seconds,
        };
        Ok((clients, keys))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// What verifies assertions, to keep its keys up to date.
    #[must_use]
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// Whose assertion this is, at `now` (Unix seconds). It is worth nothing from then on.
    ///
    /// # Errors
    ///
    /// `invalid_client`: anything at all is wrong with it, or it was used. `temporarily_unavailable`: whether it was
    /// used cannot be told.
    pub fn authenticate(&self, assertion: &str, now: i64) -> Result<&Client, Refusal> {
        let refused =
            |what: &str| Refusal::of("invalid_client", format!("client_assertion: {what}"));
        let shown = self.verifier.verify(assertion, now, None).map_err(|error| match error {
            TokenError::UnknownIssuer => refused("its iss is no client that is registered here"),
            TokenError::WrongAudience => refused("its aud must be the address of this endpoint"),
            error => refused(&error.to_string()),
        })?;
        let identity = &shown.identity;
        let registered = self.registered.get(&identity.issuer);
        let Some(Registered { client, memory }) =
            registered.filter(|_| identity.subject == identity.issuer)
        else {
            return Err(refused("its sub must be its iss, the client_id"));
        };
        if shown.expires_at > now.saturating_add(ASSERTION_SECONDS_MAX + self.leeway_seconds) {
            return Err(refused("its exp must lie at most five minutes ahead"));
        }
        let id = identity.token_id.as_deref().ok_or_else(|| refused("it lacks the claim 'jti'"))?;
        // Nobody could have used one earlier that says when it was issued, or how long it is good for.
        let earliest = shown.expires_at.saturating_sub(ASSERTION_SECONDS_MAX);
        if shown.not_before.unwrap_or(earliest).max(earliest) < self.fresh_from {
            let what = "this server began a moment ago, and cannot tell whether the assertion was used before: \
                        send one that was issued since (iat)";
            return Err(Refusal::of("temporarily_unavailable", what));
        }
        match memory.see(id, shown.expires_at.saturating_add(self.leeway_seconds), now) {
            Seen::First => Ok(client),
            Seen::Again => Err(refused("its jti was used before")),
            Seen::NoRoom => {
                let what = "too many assertions of this client are good at the same time";
                Err(Refusal::of("temporarily_unavailable", what))
            }
        }
    }
}

/// A program as the issuer of its assertions.
fn source(client: &Client) -> Issuer {
    Issuer {
        name: client.id.clone(),
        jwks_file: client.jwks_file.clone(),
        jwks_url: client.jwks_url.clone(),
        ..Issuer::default()
    }
}
