//! Where clients get tokens, as an issuer or the configuration says.

use arc_swap::ArcSwapOption;
use serde_json::Value;

use std::sync::Arc;

use crate::config::{Issuer, is_safe_address};

/// Whether an issuer binds tokens to the certificates of clients, as it says it (RFC 8705 §3.3).
pub const BINDS: &str = "tls_client_certificate_bound_access_tokens";

/// What an issuer says about itself (RFC 8414 §2), as far as it is passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its name: claim `iss`.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// Where a person is asked.
    pub authorization_endpoint: Option<String>,
    /// Where tokens are to be had.
    pub token_endpoint: Option<String>,
    /// Where tokens are looked into.
    pub introspection_endpoint: Option<String>,
    /// Where tokens are given back.
    pub revocation_endpoint: Option<String>,
    /// Where persons manage what they granted.
    pub management_endpoint: Option<String>,
    /// Where clients are registered.
    pub registration_endpoint: Option<String>,
    /// How clients show who they are.
    pub token_endpoint_auth_methods: Vec<String>,
    /// With which algorithms they may sign for that.
    pub signing_algorithms: Vec<String>,
    /// In exchange for what tokens are given.
    pub grant_types: Vec<String>,
    /// What scopes it knows.
    pub scopes: Vec<String>,
    /// What its authorization endpoint answers with.
    pub response_types: Vec<String>,
    /// How it takes the challenges of PKCE (RFC 7636).
    pub code_challenge_methods: Vec<String>,
    /// Whether it binds tokens to the certificates of clients (RFC 8705 §3.3).
    pub binds_tokens: bool,
    /// What the configuration says it can do beside, in the words of SMART App Launch.
    pub capabilities: Vec<String>,
}

/// What the configured issuers say about themselves.
#[derive(Debug, Default)]
pub struct Directory {
    /// In the order of the configuration.
    issuers: Vec<Arc<ArcSwapOption<About>>>,
}

impl Directory {
    pub(super) fn new(issuers: Vec<Arc<ArcSwapOption<About>>>) -> Self {
        Self { issuers }
    }

    /// The same with an issuer that is asked for behind all others.
    #[must_use]
    pub fn followed_by(&self, about: About) -> Self {
        let last = Arc::new(ArcSwapOption::from_pointee(about));
        Self { issuers: self.issuers.iter().cloned().chain([last]).collect() }
    }

    /// The first issuer of whom it is known where clients get tokens.
    #[must_use]
    pub fn first(&self) -> Option<Arc<About>> {
        self.issuers.iter().find_map(|about| about.load_full())
    }
}

impl About {
    /// As the configuration says it; `None`: it names no endpoint for tokens.
    pub(super) fn configured(issuer: &Issuer) -> Option<Self> {
        issuer.token_endpoint.as_ref()?;
        let (code, client) = ("authorization_code".to_owned(), "client_credentials".to_owned());
        let is_asked = issuer.authorization_endpoint.is_some();
        Some(Self {
            issuer: issuer.name.clone(),
            jwks_uri: issuer.jwks_url.clone(),
            authorization_endpoint: issuer.authorization_endpoint.clone(),
            token_endpoint: issuer.token_endpoint.clone(),
            grant_types: vec![if is_asked { code } else { client }],
            response_types: is_asked.then(|| "code".to_owned()).into_iter().collect(),
            binds_tokens: issuer.require_bound,
            capabilities: issuer.capabilities.clone(),
            ..Self::default()
        })
    }

    /// As the issuer says it; `None`: it names no endpoint for tokens that is safe. What the
    /// configuration says goes before.
    pub(super) fn discovered(issuer: &Issuer, about: &Value) -> Option<Self> {
        let text = |name: &str| about.get(name).and_then(Value::as_str).map(str::to_owned);
        let address = |name: &str| text(name).filter(|address| is_safe_address(address));
        let list = |name: &str| {
            let listed = about.get(name).and_then(Value::as_array);
            let texts = listed.into_iter().flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        let configured = |own: &Option<String>, name| own.clone().or_else(|| address(name));
        let mut grant_types = list("grant_types_supported");
        if about.get("grant_types_supported").is_none() {
            // What it means to say nothing (OpenID Connect Discovery 1.0 §3).
            grant_types.push("authorization_code".to_owned());
        }
        Some(Self {
            issuer: issuer.name.clone(),
            jwks_uri: address("jwks_uri"),
            authorization_endpoint: configured(
                &issuer.authorization_endpoint,
                "authorization_endpoint",
            ),
            token_endpoint: Some(configured(&issuer.token_endpoint, "token_endpoint")?),
            introspection_endpoint: address("introspection_endpoint"),
            revocation_endpoint: address("revocation_endpoint"),
            management_endpoint: address("management_endpoint"),
            registration_endpoint: address("registration_endpoint"),
            token_endpoint_auth_methods: list("token_endpoint_auth_methods_supported"),
            signing_algorithms: list("token_endpoint_auth_signing_alg_values_supported"),
            grant_types,
            scopes: list("scopes_supported"),
            response_types: list("response_types_supported"),
            code_challenge_methods: list("code_challenge_methods_supported"),
            binds_tokens: issuer.require_bound
                || about.get(BINDS).is_some_and(|binds| binds == true),
            capabilities: issuer.capabilities.clone(),
        })
    }
}
