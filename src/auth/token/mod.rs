//! Verification of bearer tokens: JSON Web Tokens (RFC 7519), with the precautions of RFC 8725.
//!
//! In goes the text of a token and the present moment; out comes a [`Caller`], or the reason why
//! not. The order of the checks:
//!
//! 1. length and form, with nothing trusted yet;
//! 2. `iss` names a configured issuer, which decides whose keys may be tried;
//! 3. the header's `alg` is one that these keys are for. The header is never obeyed: a key is bound
//!    to its algorithm when it is configured, so `none` finds no key, and an RSA public key is
//!    never taken for the secret of an HMAC;
//! 4. the signature;
//! 5. the claims: `aud`, `sub`, `exp` and the rest, which are examined only after the signature
//!    holds;
//! 6. that the connection shows the certificate that the token is bound to, if it is bound to one.
//!
//! A token that passed is remembered by its SHA-256, so that a client's next request costs one hash
//! instead of one signature; its times are compared with the present moment, and its certificate with
//! that of the connection, on every use. A refused
//! token is not remembered. Keys and memory belong together and are exchanged together: with other
//! keys the memory starts empty, so a withdrawn key is worthless at once, and a token that was being
//! verified meanwhile is remembered by nobody. Who verifies takes no lock.

mod algorithm;
mod binding;
mod claims;
mod compact;
mod error;
mod introspected;
mod key;
mod local;
mod narrowing;
mod own;

use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use quick_cache::sync::Cache;

use self::compact::CompactToken;
use crate::auth::Caller;

pub use algorithm::Algorithm;
pub use binding::Thumbprint;
pub use error::{ConfigurationError, TokenError};
pub use introspected::{Introspected, is_signed};
pub use key::{KEYS_PER_SET_MAX, VerificationKey};
pub use local::{About, LocalIssuer, SigningError, TTL_SECONDS_MAX, TokenRequest};
pub use narrowing::{is_understood, narrowed};
pub use own::{AccessToken, IdToken, OwnIssuer};

/// The longest token that is accepted, in bytes.
pub const TOKEN_LENGTH_MAX: usize = 16 * 1024;

/// The most that clocks may be allowed to differ, in seconds (RFC 7519 §4.1.4: a few minutes).
pub const LEEWAY_SECONDS_MAX: u64 = 300;

/// Claim `iss` of tokens signed with the key of the data directory.
const LOCAL_ISSUER: &str = "chartlog-local";

/// Verifies bearer tokens.
pub struct Verifier {
    audiences: Vec<String>,
    leeway_seconds: i64,
    cache_entries: usize,
    known: ArcSwap<Known>,
    tell: OnceLock<Tell>,
}

/// The keys of a moment, and the tokens that were verified with them.
struct Known {
    issuers: Vec<Issuer>,
    verified: Cache<Fingerprint, Verified>,
}

/// What a signature has shown: whom a token describes, and who may use it.
#[derive(Debug, Clone)]
struct Verified {
    caller: Arc<Caller>,
    /// The certificate without which it is worth nothing.
    bound_to: Option<Thumbprint>,
}

/// Told the name of an issuer whose keys do not suffice.
type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// What a [`Verifier`] accepts.
#[derive(Debug, Clone)]
pub struct VerifierOptions {
    /// The names of this server: claim `aud` must contain one of them.
    pub audience: Vec<String>,
    /// How far clocks may differ, in seconds; at most [`LEEWAY_SECONDS_MAX`].
    pub leeway_seconds: u64,
    /// Whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// How many verified tokens are remembered, approximately; 0 for none.
    pub cache_entries: usize,
}

/// An issuer of tokens that is trusted.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its name, exactly as it stands in the claim `iss`.
    pub name: String,
    /// The keys with which it signs.
    pub keys: Vec<VerificationKey>,
    /// Whether its tokens are accepted only when they are bound to a certificate (RFC 8705 §3).
    pub requires_binding: bool,
}

/// SHA-256 of a token's text.
type Fingerprint = [u8; SHA256_OUTPUT_LEN];

impl Verifier {
    /// A verifier that accepts what `options` say.
    ///
    /// # Errors
    ///
    /// When there is no audience, an issuer's name is empty or used twice, an issuer other than
    /// [`LocalIssuer`] has a shared secret, or the leeway is too long.
    pub fn new(options: VerifierOptions) -> Result<Self, ConfigurationError> {
        if options.audience.is_empty() || options.audience.iter().any(String::is_empty) {
            return Err(ConfigurationError::NoAudience);
        }
        check_issuers(&options.issuers)?;
        let leeway_seconds = match i64::try_from(options.leeway_seconds) {
            Ok(seconds) if options.leeway_seconds <= LEEWAY_SECONDS_MAX => seconds,
            _ => return Err(ConfigurationError::LeewayTooLong),
        };
        Ok(Self {
            audiences: options.audience,
            leeway_seconds,
            cache_entries: options.cache_entries,
            known: ArcSwap::from_pointee(Known::new(options.issuers, options.cache_entries)),
            tell: OnceLock::new(),
        })
    }

    /// From now on an issuer signs with these keys and no others. Of an issuer that is not trusted,
    /// nothing is taken.
    ///
    /// # Errors
    ///
    /// One of them is a shared secret. Then the keys stay as they were.
    pub fn renew(
        &self,
        issuer: &str,
        keys: Vec<VerificationKey>,
    ) -> Result<(), ConfigurationError> {
        check_secrets(issuer, &keys)?;
        self.known.rcu(|known| {
            let renewed = |one: &Issuer| Issuer { keys: keys.clone(), ..one.clone() };
            let own = |one: &Issuer| if one.name == issuer { renewed(one) } else { one.clone() };
            Known::new(known.issuers.iter().map(own).collect(), self.cache_entries)
        });
        Ok(())
    }

    /// Lets somebody know of each token that would need another key of its issuer than those that
    /// are known; the first who asks. Anybody can make such tokens, so it must cost little.
    pub fn tell_of_unknown_keys(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.tell.set(Box::new(tell));
    }

    /// The caller whom `token` describes, if it is valid at `now` (Unix seconds) for who shows this
    /// certificate, or none.
    ///
    /// # Errors
    ///
    /// When anything at all is wrong with the token: see [`TokenError`].
    pub fn verify(
        &self,
        token: &str,
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Arc<Caller>, TokenError> {
        // Before hashing: an endless header must not cost a hash.
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(TokenError::TooLong);
        }
        let fingerprint = fingerprint(token);
        let known = self.known.load();
        if let Some(verified) = known.verified.get(&fingerprint) {
            check_use(&verified, now, self.leeway_seconds, shown)?;
            return Ok(verified.caller);
        }
        let verified = self.verify_signed(&known, token)?;
        check_use(&verified, now, self.leeway_seconds, shown)?;
        known.verified.insert(fingerprint, verified.clone());
        Ok(verified.caller)
    }

    /// Everything that holds for every use of the token.
    fn verify_signed(&self, known: &Known, token: &str) -> Result<Verified, TokenError> {
        let token = CompactToken::parse(token)?;
        let name = token.claims.issuer()?;
        let issuer = known
            .issuers
            .iter()
            .find(|issuer| issuer.name == name)
            .ok_or(TokenError::UnknownIssuer)?;
        let checked = issuer.check_signature(&token);
        if let (Err(error), Some(tell)) = (checked, self.tell.get())
            && error.is_for_want_of_keys()
        {
            tell(&issuer.name);
        }
        checked?;
        let bound_to = token.claims.bound_to()?;
        if issuer.requires_binding && bound_to.is_none() {
            return Err(TokenError::NotBound);
        }
        let caller = Arc::new(token.claims.into_caller(&self.audiences)?);
        Ok(Verified { caller, bound_to })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("audiences", &self.audiences)
            .field("leeway_seconds", &self.leeway_seconds)
            .field("issuers", &self.known.load().issuers)
            .finish_non_exhaustive()
    }
}

impl Known {
    fn new(issuers: Vec<Issuer>, cache_entries: usize) -> Self {
        Self { issuers, verified: Cache::new(cache_entries) }
    }
}

impl Issuer {
    /// Whether one of this issuer's keys, for the algorithm and of the name that the header gives,
    /// made the signature.
    fn check_signature(&self, token: &CompactToken<'_>) -> Result<(), TokenError> {
        if self.keys.is_empty() {
            return Err(TokenError::NoKeysYet);
        }
        let for_algorithm = || self.keys.iter().filter(|key| key.algorithm() == token.algorithm);
        if for_algorithm().next().is_none() {
            return Err(TokenError::UnsupportedAlgorithm);
        }
        let key_id = token.key_id.as_deref();
        let mut candidates = for_algorithm().filter(|key| key.answers_to(key_id)).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        if candidates.any(|key| key.verifies(token.signed, token.signature)) {
            Ok(())
        } else {
            Err(TokenError::BadSignature)
        }
    }
}

/// Names must tell issuers apart.
fn check_issuers(issuers: &[Issuer]) -> Result<(), ConfigurationError> {
    for (index, issuer) in issuers.iter().enumerate() {
        let taken = issuers.iter().take(index).any(|earlier| earlier.name == issuer.name);
        if issuer.name.is_empty() || taken {
            return Err(ConfigurationError::AmbiguousIssuer);
        }
        check_secrets(&issuer.name, &issuer.keys)?;
    }
    Ok(())
}

/// Only this server may share a secret with itself.
fn check_secrets(issuer: &str, keys: &[VerificationKey]) -> Result<(), ConfigurationError> {
    let shares_secret = keys.iter().any(|key| key.algorithm() == Algorithm::Hs256);
    match shares_secret && issuer != LocalIssuer::ISSUER {
        true => Err(ConfigurationError::SharedSecret),
        false => Ok(()),
    }
}

/// What holds for one use of a token: who uses it, and the moment: it is valid already (RFC 7519 §4.1.5; issued, §4.1.6),
/// and has not expired (§4.1.4).
fn check_use(
    verified: &Verified,
    now: i64,
    leeway_seconds: i64,
    shown: Option<Thumbprint>,
) -> Result<(), TokenError> {
    let Verified { caller, bound_to } = verified;
    if bound_to.is_some() && *bound_to != shown {
        return Err(TokenError::WrongCertificate);
    }
    if now >= caller.expires_at.saturating_add(leeway_seconds) {
        return Err(TokenError::Expired);
    }
    match caller.not_before {
        Some(begin) if now.saturating_add(leeway_seconds) < begin => Err(TokenError::NotYetValid),
        _ => Ok(()),
    }
}

/// The cache key of a token, so that the token itself is not kept.
fn fingerprint(token: &str) -> Fingerprint {
    let mut fingerprint = [0; SHA256_OUTPUT_LEN];
    fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    fingerprint
}

#[cfg(test)]
mod test_keys;
#[cfg(test)]
mod tests;
