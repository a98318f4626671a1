//! What can be wrong with a token, and what can be wrong with the configuration it is verified
//! against.

use thiserror::Error;

use super::{Algorithm, LEEWAY_SECONDS_MAX, LOCAL_ISSUER, TOKEN_LENGTH_MAX};

/// Why a token was refused.
///
/// A message never repeats anything the token said, and keeps to the characters allowed in the
/// `error_description` of a `WWW-Authenticate` header (RFC 6750 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_LENGTH_MAX`](super::TOKEN_LENGTH_MAX).
    #[error("The token is longer than the {TOKEN_LENGTH_MAX} bytes this server accepts.")]
    TooLong,
    /// Not three base64url parts of which the first two are JSON objects (RFC 7515 §7.1, RFC 7519
    /// §7.2).
    #[error("The token is not a signed JSON Web Token in compact form.")]
    Malformed,
    /// A header member asks for processing that this server does not do.
    #[error("The token's header member '{0}' asks for something this server does not support.")]
    UnsupportedHeader(&'static str),
    /// Claim `iss` names no issuer that this server trusts.
    #[error("The token comes from an issuer this server does not trust.")]
    UnknownIssuer,
    /// The header's `alg` is not one the issuer's configured keys are for (RFC 8725 §3.1).
    #[error("The token is signed with an algorithm that is not accepted from its issuer.")]
    UnsupportedAlgorithm,
    /// The header's `kid` is none of the issuer's keys; they may have been renewed since they were
    /// read.
    #[error("The token is signed with a key of its issuer that this server does not know.")]
    UnknownKey,
    /// No key of the issuer is known, as long as it cannot be reached.
    #[error(
        "The keys of the token's issuer could not be fetched yet; the token may be good later."
    )]
    NoKeysYet,
    /// The signature is not that of the issuer over this content.
    #[error("The token's signature is not valid.")]
    BadSignature,
    /// A required claim is absent.
    #[error("The token lacks the claim '{0}'.")]
    MissingClaim(&'static str),
    /// A claim has the wrong type, or is empty, too long or contains characters it must not
    /// contain.
    #[error("The token's claim '{0}' does not have an acceptable value.")]
    InvalidClaim(&'static str),
    /// The token is meant for another server (RFC 7519 §4.1.3).
    #[error("The token was issued for another server.")]
    WrongAudience,
    /// The expiry has passed (RFC 7519 §4.1.4).
    #[error("The token has expired; please obtain a new one.")]
    Expired,
    /// The token is not valid yet (RFC 7519 §4.1.5).
    #[error("The token is not valid yet.")]
    NotYetValid,
    /// The token is bound to a key in another way than by a certificate (RFC 7800 §3).
    #[error(
        "The token is bound to a key in a way that this server cannot check; it knows the \
         confirmation method x5t#S256 of RFC 8705 alone."
    )]
    UnsupportedBinding,
    /// The token is bound to a certificate that the connection does not show (RFC 8705 §3).
    #[error(
        "The token is bound to a client certificate; use it on a TLS connection to this server \
         itself that shows that certificate."
    )]
    WrongCertificate,
    /// The issuer says that the token is worth nothing (RFC 7662 §2.2).
    #[error(
        "The token is not active: it was revoked, has expired, or is none of the issuer that was asked; \
         please obtain a new one."
    )]
    Inactive,
    /// The issuer of an opaque token does not answer, or nothing that makes sense.
    #[error("The issuer of the token could not be asked about it; the token may be good later.")]
    NotIntrospected,
    /// Tokens of this issuer must be bound to a certificate.
    #[error(
        "The token is not bound to a client certificate (RFC 8705), as tokens of its issuer must \
         be here."
    )]
    NotBound,
}

impl TokenError {
    /// The value of `error` in a `WWW-Authenticate` header (RFC 6750 §3.1).
    #[must_use]
    pub const fn error_code(self) -> &'static str {
        "invalid_token"
    }

    /// Whether the issuer may have a key that is not known here.
    pub(super) const fn is_for_want_of_keys(self) -> bool {
        matches!(self, Self::NoKeysYet | Self::UnknownKey | Self::UnsupportedAlgorithm)
    }
}

/// What is wrong with a key, an issuer or the options of a verifier: for the operator, at start or
/// when keys are renewed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigurationError {
    /// A shared secret where a public key belongs.
    #[error(
        "Tokens signed with a shared secret (HS256) are accepted from {LOCAL_ISSUER} only; configure \
         a public key instead."
    )]
    SharedSecret,
    /// A private key was given; it does not belong on a server that only verifies.
    #[error("The key is a private key; configure the public key instead.")]
    PrivateKey,
    /// Not a PEM public key of the kind the algorithm needs, or one that is too weak.
    #[error(
        "The PEM text is not a public key (PUBLIC KEY or RSA PUBLIC KEY) for {0}: RS* and PS* need \
         RSA of 2048 to 8192 bits, ES256 the curve P-256, ES384 P-384, EdDSA the curve Ed25519."
    )]
    InvalidPem(Algorithm),
    /// Not a JWK that can verify signatures with a supported algorithm.
    #[error(
        "The JSON Web Key is not a public signature key for RS* or PS* (RSA of 2048 to 8192 bits), \
         ES256 (P-256), ES384 (P-384) or EdDSA (Ed25519)."
    )]
    InvalidJwk,
    /// Not a JWK set (RFC 7517 §5).
    #[error("The JSON Web Key set is not an object with an array 'keys'.")]
    InvalidJwkSet,
    /// More keys than any issuer needs.
    #[error("The JSON Web Key set holds more than {0} keys.")]
    TooManyKeys(usize),
    /// A verifier that could accept no token, or any.
    #[error("The list of audiences must name at least one, and none of them may be empty.")]
    NoAudience,
    /// Two issuers of the same name, or one without a name.
    #[error("Every issuer needs a name of its own, exactly as it stands in the claim 'iss'.")]
    AmbiguousIssuer,
    /// A leeway so generous that it defeats the expiry.
    #[error("The leeway is more than {LEEWAY_SECONDS_MAX} seconds.")]
    LeewayTooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fit_a_www_authenticate_header() {
        for error in [
            TokenError::TooLong,
            TokenError::Malformed,
            TokenError::UnsupportedHeader("crit"),
            TokenError::UnknownIssuer,
            TokenError::UnsupportedAlgorithm,
            TokenError::UnknownKey,
            TokenError::NoKeysYet,
            TokenError::BadSignature,
            TokenError::MissingClaim("sub"),
            TokenError::InvalidClaim("sub"),
            TokenError::WrongAudience,
            TokenError::Expired,
            TokenError::NotYetValid,
            TokenError::UnsupportedBinding,
            TokenError::WrongCertificate,
            TokenError::NotBound,
            TokenError::Inactive,
            TokenError::NotIntrospected,
        ] {
            let message = error.to_string();
            let allowed =
                |letter: char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
            assert!(message.chars().all(allowed), "{message}");
            assert!(message.ends_with('.'), "{message}");
            assert_eq!(error.error_code(), "invalid_token");
        }
    }
}
