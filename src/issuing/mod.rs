//! Tokens that this server gives itself: to programs that the configuration registers (SMART App Launch 2.2, "Backend
//! Services"), and, for development, to apps for users of the configuration (`sign_in.rs`).
//!
//! In: what a program says at the token endpoint, and the moment. Out: a token of five minutes, signed with a key of the
//! server that anybody can verify by its public one; or why there is none, in the words of OAuth (RFC 6749 §5.2).
//!
//! Who asks shows who they are with an assertion that they signed (RFC 7523 §2.2): the keys of a program are kept up to
//! date and its assertions verified as tokens of an issuer are, and each is good once (`replay.rs`). What is granted is
//! what is asked for as far as it is allowed.
//!
//! Never: HTTP, a secret that is shared with anybody. And never a password: whoever reaches the server can be any of
//! the users, so there are none where other machines reach it.

mod clients;
mod codes;
mod redirect;
mod replay;
mod sign_in;

use crate::access::Identity;
use crate::auth::{AccessToken, Caller, IdToken, Level, OwnIssuer, SigningError, narrowed};
use crate::config::{App, AuthConfig, Client, User};
use crate::issuers::{About, Issuers};

pub use self::clients::Clients;
pub use self::redirect::origin;
pub use self::sign_in::{Allowed, Asked, SignIn, Wish};

/// Life of a token that a program is given, in seconds: at most five minutes (SMART App Launch 2.2, "Issue access token").
pub const TTL_SECONDS: i64 = 300;
/// Where tokens are to be had, below the address of the server.
pub const TOKEN_PATH: &str = "/oauth/token";
/// Life of a token that an app is given for a user, in seconds (SMART App Launch 2.2: at most an hour).
pub const USER_TTL_SECONDS: i64 = 3_600;
/// Where users are asked.
pub const AUTHORIZE_PATH: &str = "/oauth/authorize";
/// Where the public keys are.
pub const KEYS_PATH: &str = "/oauth/keys";
/// The grant of programs that act on their own behalf (RFC 6749 §4.4).
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// The grant of apps that a user allows something (RFC 6749 §4.1).
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// What the sign-in of users can do, in the words of SMART App Launch.
const CAPABILITIES: [&str; 3] =
    ["launch-standalone", "context-standalone-patient", "sso-openid-connect"];

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
    /// Who has signed in, for the app, if it asked for that.
    pub id_token: Option<String>,
}

/// Gives tokens.
#[derive(Debug)]
pub struct Issuing {
    issuer: OwnIssuer,
    clients: Clients,
    sign_in: Option<SignIn>,
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
        let sign_in = SignIn::read(config)?;
        Ok((Self { issuer, clients, sign_in, audience }, keys))
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

    /// The users and the apps for which they sign in, if there are any.
    #[must_use]
    pub fn sign_in(&self) -> Option<&SignIn> {
        self.sign_in.as_ref()
    }

    /// What it says about itself.
    #[must_use]
    pub fn about(&self) -> About {
        let name = self.issuer.name();
        let mut about = About {
            issuer: name.to_owned(),
            jwks_uri: Some(format!("{name}{KEYS_PATH}")),
            token_endpoint: Some(format!("{name}{TOKEN_PATH}")),
            ..About::default()
        };
        if self.sign_in.is_some() {
            about.authorization_endpoint = Some(format!("{name}{AUTHORIZE_PATH}"));
            about.grant_types.push(AUTHORIZATION_CODE.to_owned());
            about.response_types.push("code".to_owned());
            about.code_challenge_methods.push("S256".to_owned());
            about.token_endpoint_auth_methods.push("none".to_owned());
            about.capabilities.extend(CAPABILITIES.map(str::to_owned));
        }
        if !self.clients.is_empty() {
            about.grant_types.push(CLIENT_CREDENTIALS.to_owned());
            about.token_endpoint_auth_methods.push("private_key_jwt".to_owned());
            about.signing_algorithms = clients::algorithms();
        }
        about
    }

    /// A user as somebody who is known, with such an app, for the access log.
    #[must_use]
    pub fn user(&self, user: &User, app: &App) -> Caller {
        let identity = Identity {
            issuer: self.issuer.name().to_owned(),
            subject: user.sub.clone(),
            client: Some(app.id.clone()),
            name: Some(user.name.clone()),
            role: user.role.clone(),
            fhir_user: user.fhir_user.clone(),
            ..Identity::default()
        };
        Caller { identity: identity.into(), ..Caller::default() }
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
            ..AccessToken::default()
        };
        let access_token = self.issuer.access_token(token, now, TTL_SECONDS);
        let access_token = access_token.map_err(|error| invalid(&error.to_string()))?;
        Ok(Granted { access_token, scope, id_token: None })
    }

    /// Tokens for what a user has allowed; `fhir_base` is the address of the FHIR API.
    ///
    /// # Errors
    ///
    /// `invalid_scope`: they would be longer than any server accepts.
    pub fn hand_out(
        &self,
        allowed: &Allowed,
        fhir_base: &str,
        now: i64,
    ) -> Result<Granted, Refusal> {
        let Allowed { user, app, scope, .. } = allowed;
        let token = AccessToken {
            subject: &user.sub,
            client: &app.id,
            audience: &self.audience,
            scope,
            name: Some(&user.name),
            role: user.role.as_deref(),
            fhir_user: user.fhir_user.as_deref(),
            patient: allowed.patient.as_deref(),
            ..AccessToken::default()
        };
        let address = user.fhir_user.as_deref().map(|user| format!("{fhir_base}/{user}"));
        let id_token = IdToken {
            subject: &user.sub,
            client: &app.id,
            nonce: allowed.nonce.as_deref(),
            name: allowed.has("profile").then_some(&user.name),
            fhir_user: address.as_deref().filter(|_| allowed.has("fhirUser")),
        };
        let sign = || {
            let access_token = self.issuer.access_token(token, now, USER_TTL_SECONDS)?;
            let id_token = allowed
                .has("openid")
                .then(|| self.issuer.id_token(id_token, now, USER_TTL_SECONDS))
                .transpose()?;
            Ok(Granted { access_token, scope: scope.clone(), id_token })
        };
        sign().map_err(|error: SigningError| Refusal::of("invalid_scope", error.to_string()))
    }
}
