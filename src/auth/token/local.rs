//! Tokens this server signs itself: for a first try, for tests, and for a clinic without an
//! identity provider.

use std::fmt;

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use thiserror::Error;

use super::claims::{is_acceptable_name, is_fhir_id};
use super::{LOCAL_ISSUER, TOKEN_LENGTH_MAX, VerificationKey};

/// The longest life of a token that nobody can revoke: a year and a day, in seconds.
pub const TTL_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// Signs tokens with a secret of this server (HS256).
///
/// The secret is never printed, and is overwritten in memory when dropped.
pub struct LocalIssuer {
    secret: EncodingKey,
    verification_key: VerificationKey,
}

/// What a local token shall say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// The person or program it speaks for: 1 to 256 characters, none of them control characters.
    pub subject: String,
    /// Scopes with spaces between them; they are not examined here.
    pub scope: String,
    /// The logical id of the patient whose chart `patient/` scopes reach.
    pub patient: Option<String>,
    /// The server it is meant for: one of the verifier's audiences.
    pub audience: String,
    /// Its life in seconds, at least 1 and at most [`TTL_SECONDS_MAX`].
    pub ttl_seconds: u64,
    /// What policies ask about whom it speaks for.
    pub about: About,
}

/// What a token says of whom it speaks for, besides their name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// The resource that stands for them: claim `fhirUser`.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// Their role: claim `role`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Their organisation: claim `organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The application: claim `client_id`.
    #[serde(rename = "client_id", skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What they look for: claim `purpose_of_use`.
    #[serde(rename = "purpose_of_use", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

impl About {
    fn all(&self) -> [Option<&str>; 5] {
        let Self { fhir_user, role, organization, client, purpose } = self;
        [fhir_user, role, organization, client, purpose].map(Option::as_deref)
    }
}

/// Why no token was signed. A local issuer signs nothing that the verifier would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SigningError {
    /// A name could not stand in a log.
    #[error(
        "The subject, and what is said about it, must have 1 to 256 characters, none of them control characters."
    )]
    InvalidSubject,
    /// The patient is no FHIR id.
    #[error("The patient must be a FHIR id: 1 to 64 letters, digits, '-' and '.'.")]
    InvalidPatient,
    /// The audience is empty.
    #[error("The audience must not be empty.")]
    InvalidAudience,
    /// The life of the token is nothing, or too long.
    #[error("The time to live must be 1 to {TTL_SECONDS_MAX} seconds.")]
    InvalidTimeToLive,
    /// The token would be longer than any server accepts.
    #[error("The token would be longer than {TOKEN_LENGTH_MAX} bytes; request fewer scopes.")]
    TooLong,
    /// The cryptographic library refused.
    #[error("The token could not be signed.")]
    Refused,
}

impl LocalIssuer {
    /// The name of the local issuer: claim `iss`.
    pub const ISSUER: &'static str = LOCAL_ISSUER;

    /// An issuer that signs with `secret`.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self {
            secret: EncodingKey::from_secret(&secret),
            verification_key: VerificationKey::hmac(&secret),
        }
    }

    /// A token as requested, issued at `now` (Unix seconds).
    ///
    /// # Errors
    ///
    /// When the request asks for something a verifier would refuse.
    pub fn sign(&self, grant: &TokenRequest, now: i64) -> Result<String, SigningError> {
        let claims = LocalClaims::new(grant, now)?;
        let header = Header::new(jsonwebtoken::Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, &claims, &self.secret)
            .map_err(|_| SigningError::Refused)?;
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(SigningError::TooLong);
        }
        Ok(token)
    }

    /// The key that verifies this issuer's tokens.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        self.verification_key.clone()
    }
}

impl fmt::Debug for LocalIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalIssuer").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct LocalClaims<'grant> {
    iss: &'static str,
    sub: &'grant str,
    aud: &'grant str,
    iat: i64,
    exp: i64,
    scope: &'grant str,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<&'grant str>,
    #[serde(flatten)]
    about: &'grant About,
}

impl<'grant> LocalClaims<'grant> {
    fn new(grant: &'grant TokenRequest, now: i64) -> Result<Self, SigningError> {
        let about = grant.about.all();
        if !about.into_iter().flatten().chain([grant.subject.as_str()]).all(is_acceptable_name) {
            return Err(SigningError::InvalidSubject);
        }
        if !grant.patient.as_deref().is_none_or(is_fhir_id) {
            return Err(SigningError::InvalidPatient);
        }
        if grant.audience.is_empty() {
            return Err(SigningError::InvalidAudience);
        }
        if !(1..=TTL_SECONDS_MAX).contains(&grant.ttl_seconds) {
            return Err(SigningError::InvalidTimeToLive);
        }
        Ok(Self {
            iss: LocalIssuer::ISSUER,
            sub: &grant.subject,
            aud: &grant.audience,
            iat: now,
            exp: now
                .checked_add_unsigned(grant.ttl_seconds)
                .ok_or(SigningError::InvalidTimeToLive)?,
            scope: &grant.scope,
            patient: grant.patient.as_deref(),
            about: &grant.about,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn request() -> TokenRequest {
        TokenRequest {
            subject: "dr-who".to_owned(),
            scope: "user/*.cruds".to_owned(),
            patient: None,
            audience: "http://localhost:8080".to_owned(),
            ttl_seconds: 3600,
            ..TokenRequest::default()
        }
    }

    #[test]
    fn nothing_is_signed_that_a_verifier_would_refuse() {
        let issuer = LocalIssuer::new([7; 32]);
        let refused = |change: fn(&mut TokenRequest)| {
            let mut request = request();
            change(&mut request);
            issuer.sign(&request, 1_000).unwrap_err()
        };
        assert_eq!(refused(|r| r.subject = String::new()), SigningError::InvalidSubject);
        assert_eq!(refused(|r| r.subject = "x".repeat(257)), SigningError::InvalidSubject);
        assert_eq!(refused(|r| r.subject = "a\nb".to_owned()), SigningError::InvalidSubject);
        assert_eq!(refused(|r| r.patient = Some("a/b".to_owned())), SigningError::InvalidPatient);
        assert_eq!(refused(|r| r.audience = String::new()), SigningError::InvalidAudience);
        assert_eq!(refused(|r| r.ttl_seconds = 0), SigningError::InvalidTimeToLive);
        assert_eq!(
            refused(|r| r.ttl_seconds = TTL_SECONDS_MAX + 1),
            SigningError::InvalidTimeToLive
        );
        assert_eq!(refused(|r| r.scope = "x ".repeat(20_000)), SigningError::TooLong);
        assert_eq!(issuer.sign(&request(), i64::MAX).unwrap_err(), SigningError::InvalidTimeToLive);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let issuer = LocalIssuer::new([171; 32]);
        let printed = format!("{issuer:?} {:?}", issuer.verification_key());
        assert!(!printed.contains("171"), "{printed}");
        assert!(!printed.to_lowercase().contains("abab"), "{printed}");
    }
}
