//! Tokens that this server gives itself: to programs that the configuration registers (SMART App Launch 2.2, "Backend
//! Services").
//!
//! In: what a program says at the token endpoint, and the moment. Out: a token of five minutes, signed with a key of the
//! server that anybody can verify by its public one; or why there is none, in the words of OAuth (RFC 6749 §5.2).
//!
//! Who asks shows who they are with an assertion that they signed (RFC 7523 §2.2): the keys of a program are kept up to
//! date and its assertions verified as tokens of an issuer are, and each is good once (`replay.rs`). What is granted is
//! what is asked for as far as it is allowed.
//!
//! Never: HTTP, a secret that is shared with anybody, a token for a person.

mod clients;
mod replay;

use crate::access::Identity;
use crate::auth::{AccessToken, Caller, Level, OwnIssuer, narrowed};
use crate::config::{AuthConfig, Client};
use crate::issuers::{About, Issuers};

pub use self::clients::Clients;

/// Life of a token that a program is given, in seconds: at most five minutes (SMART App Launch 2.2, "Issue access token").
pub const TTL_SECONDS: i64 = 300;
/// Where tokens are to be had, below the address of the server.
pub const TOKEN_PATH: &str = "/oauth/token";
/// Where the public keys are.
pub const KEYS_PATH: &str = "/oauth/keys";
/// The grant of programs that act on their own behalf (RFC 6749 §4.4).
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Why there is no token (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of the codes of OAuth.
    pub error: &'static str,
    /// One sentence about it, which repeats nothing that was sent.
    pub description: String,
}

impl Refusal {
    /// A refusal with one sentence about it.
    #[must_use]
    pub fn of(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into() }
    }
}

/// A token, and what it grants.
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub access_token: String,
    /// Its scopes.
    pub scope: String,
}

/// Gives tokens.
#[derive(Debug)]
pub struct Issuing {
    issuer: OwnIssuer,
    clients: Clients,
    audience: String,
}

impl Issuing {
    /// One that signs as `issuer`, and the keys of its clients, to be kept up to date. `started_at` is when this
    /// server began, in Unix seconds.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the files of keys and the scopes, a line for each.
    pub fn open(
        config: &AuthConfig,
        issuer: OwnIssuer,
        started_at: i64,
    ) -> Result<(Self, Issuers), String> {
        let endpoint = format!("{}{TOKEN_PATH}", issuer.name());
        let (clients, keys) = Clients::read(config, &endpoint, started_at)?;
        let audience = config.audience.first().cloned().unwrap_or_default();
        Ok((Self { issuer, clients, audience }, keys))
    }

    /// Who signs.
    #[must_use]
    pub fn issuer(&self) -> &OwnIssuer {
        &self.issuer
    }

    /// The programs that are registered.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// What it says about itself.
    #[must_use]
    pub fn about(&self) -> About {
        let name = self.issuer.name();
        About {
            issuer: name.to_owned(),
            jwks_uri: Some(format!("{name}{KEYS_PATH}")),
            token_endpoint: Some(format!("{name}{TOKEN_PATH}")),
            token_endpoint_auth_methods: vec!["private_key_jwt".to_owned()],
            signing_algorithms: clients::algorithms(),
            grant_types: vec![CLIENT_CREDENTIALS.to_owned()],
            ..About::default()
        }
    }

    /// Such a program as somebody who is known, for the access log.
    #[must_use]
    pub fn caller(&self, client: &Client) -> Caller {
        let identity = Identity {
            issuer: self.issuer.name().to_owned(),
            subject: client.id.clone(),
            client: Some(client.id.clone()),
            name: client.name.clone(),
            ..Identity::default()
        };
        Caller { identity: identity.into(), purpose: client.purpose.clone(), ..Caller::default() }
    }

    /// A token for a program that has shown who it is.
    ///
    /// # Errors
    ///
    /// `invalid_scope`: nothing of it is allowed.
    pub fn grant(&self, client: &Client, asked: &str, now: i64) -> Result<Granted, Refusal> {
        let invalid = |what: &str| Refusal::of("invalid_scope", what);
        let scope = narrowed(Level::System, asked, &client.scopes);
        if scope.is_empty() {
            return Err(invalid("nothing of what is asked for is allowed to this client"));
        }
        let token = AccessToken {
            subject: &client.id,
            client: &client.id,
            audience: &self.audience,
            scope: &scope,
            name: client.name.as_deref(),
            purpose: client.purpose.as_deref(),
        };
        let access_token = self.issuer.access_token(token, now, TTL_SECONDS);
        let access_token = access_token.map_err(|error| invalid(&error.to_string()))?;
        Ok(Granted { access_token, scope })
    }
}
