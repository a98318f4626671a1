//! Asking an issuer about a token that says nothing itself (RFC 7662).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::fetch::Fetcher;
use crate::auth::{Caller, Introspected, Thumbprint, TokenError};
use crate::config::{AuthConfig, Introspection as Settings, Issuer};
use crate::disk::{self, RealDisk};

/// The issuer that is asked about opaque tokens.
#[derive(Debug)]
pub struct Introspection {
    issuer: String,
    address: String,
    credentials: Credentials,
    fetcher: Fetcher,
    known: Introspected,
}

/// What this server shows to the issuer: the value of `Authorization`.
struct Credentials(Zeroizing<String>);

impl Introspection {
    /// Reads the secret with which this server shows who it is.
    pub(super) fn read(
        issuer: &Issuer,
        settings: &Settings,
        config: &AuthConfig,
        fetcher: &Fetcher,
    ) -> Result<Self, String> {
        let path = &settings.secret_file;
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let secret =
            disk::read(&RealDisk, path).map(Zeroizing::new).map_err(|error| wrong(&error))?;
        let secret = str::from_utf8(&secret).map_err(|_| wrong(&"it is no text"))?.trim();
        if secret.is_empty() {
            return Err(wrong(&"it holds no secret"));
        }
        // RFC 6749 §2.3.1: each encoded as in a form, then together as a password.
        let pair = Zeroizing::new(format!("{}:{}", encoded(&settings.client_id), encoded(secret)));
        let credentials = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        Ok(Self {
            issuer: issuer.name.clone(),
            address: settings.url.clone(),
            credentials: Credentials(credentials),
            fetcher: fetcher.clone(),
            known: Introspected::new(
                &issuer.name,
                issuer.require_bound,
                &config.audience,
                config.leeway_seconds,
                settings.cache_seconds,
            ),
        })
    }

    /// Who it is, as far as that is known without asking. As [`Introspected::known`].
    ///
    /// # Errors
    ///
    /// It is not good.
    pub fn known(
        &self,
        token: &str,
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Option<Arc<Caller>>, TokenError> {
        self.known.known(token, now, shown)
    }

    /// Asks the issuer, and waits for its answer.
    ///
    /// # Errors
    ///
    /// It is not good, or the issuer does not say whether it is.
    pub fn ask(
        &self,
        token: &str,
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Arc<Caller>, TokenError> {
        let form = Zeroizing::new(format!("token={}&token_type_hint=access_token", encoded(token)));
        let answer = self.fetcher.post(&self.address, &self.credentials.0, &form);
        match answer {
            Ok(answer) => self.known.learned(token, &answer, now, shown),
            Err(problem) => {
                let issuer = &self.issuer;
                tracing::warn!(issuer, problem, "an issuer could not be asked about a token");
                Err(TokenError::NotIntrospected)
            }
        }
    }
}

/// As a value of a form: nothing but letters, digits and `-._` stands for itself.
fn encoded(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    each.collect()
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials")
    }
}
