//! Tokens that say nothing themselves: what their issuer says of them (RFC 7662), for as long as that may be believed.
//!
//! An answer is remembered for some seconds, a refusal too, so that a client's next request costs one hash instead of
//! a question to the issuer. Who asks is not here: see `issuers/introspection.rs`.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;
use serde_json::Value;

use super::claims::Claims;
use super::{
    Fingerprint, TOKEN_LENGTH_MAX, Thumbprint, TokenError, Verified, check_use, fingerprint,
};
use crate::auth::Caller;
use crate::json::Document;

/// Most answers that are remembered, approximately.
const ANSWERS_MAX: usize = 10_000;

/// Decides on opaque tokens of one issuer.
pub struct Introspected {
    issuer: String,
    audiences: Vec<String>,
    leeway_seconds: i64,
    requires_binding: bool,
    /// How long an answer may be believed, in seconds.
    believed_seconds: i64,
    answers: Cache<Fingerprint, Answer>,
}

/// What was said of a token, and until when that may be believed.
#[derive(Clone)]
struct Answer {
    said: Result<Verified, TokenError>,
    until: i64,
}

/// Whether a token has the form of one that says itself what it grants (RFC 7515 §7.1): that one is verified, and
/// nobody is asked about it.
#[must_use]
pub fn is_signed(token: &str) -> bool {
    token.matches('.').count() == 2
}

impl Introspected {
    /// For the tokens of an issuer that are meant for one of these audiences. Its answers are believed for so many
    /// seconds.
    #[must_use]
    pub fn new(
        issuer: &str,
        requires_binding: bool,
        audiences: &[String],
        leeway_seconds: u64,
        believed_seconds: u64,
    ) -> Self {
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        Self {
            issuer: issuer.to_owned(),
            audiences: audiences.to_owned(),
            leeway_seconds: seconds(leeway_seconds),
            requires_binding,
            believed_seconds: seconds(believed_seconds),
            answers: Cache::new(ANSWERS_MAX),
        }
    }

    /// Who its issuer says it is, if that is known at `now` (Unix seconds); `None`: the issuer has to be asked.
    ///
    /// # Errors
    ///
    /// It is not good, or not for who shows this certificate.
    pub fn known(
        &self,
        token: &str,
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Option<Arc<Caller>>, TokenError> {
        // Before hashing, as of tokens that are verified.
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(TokenError::TooLong);
        }
        let answer = self.answers.get(&fingerprint(token)).filter(|answer| now < answer.until);
        answer.map(|answer| self.decided(answer.said, now, shown)).transpose()
    }

    /// Who it is by an answer of the issuer that came at `now`, and is remembered.
    ///
    /// # Errors
    ///
    /// As [`Introspected::known`]; the answer is none.
    pub fn learned(
        &self,
        token: &str,
        answer: &[u8],
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Arc<Caller>, TokenError> {
        let said = self.read(answer);
        // What is no answer is no reason to believe anything.
        if said.as_ref().err() != Some(&TokenError::NotIntrospected) {
            let until = now.saturating_add(self.believed_seconds);
            self.answers.insert(fingerprint(token), Answer { said: said.clone(), until });
        }
        self.decided(said, now, shown)
    }

    fn decided(
        &self,
        said: Result<Verified, TokenError>,
        now: i64,
        shown: Option<Thumbprint>,
    ) -> Result<Arc<Caller>, TokenError> {
        let verified = said?;
        check_use(&verified, now, self.leeway_seconds, shown)?;
        Ok(verified.caller)
    }

    fn read(&self, answer: &[u8]) -> Result<Verified, TokenError> {
        let none = TokenError::NotIntrospected;
        // A member that occurs twice would leave it to chance which one counts.
        let document = Document::parse(answer).map_err(|_| none)?;
        let answer: Value = serde_json::from_str(document.text()).map_err(|_| none)?;
        match answer.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(TokenError::Inactive),
            _ => return Err(none),
        }
        let mut claims: Claims = serde_json::from_value(answer).map_err(|_| none)?;
        claims.complete(&self.issuer, &self.audiences);
        if claims.issuer()? != self.issuer {
            return Err(TokenError::UnknownIssuer);
        }
        let bound_to = claims.bound_to()?;
        if self.requires_binding && bound_to.is_none() {
            return Err(TokenError::NotBound);
        }
        let caller = Arc::new(claims.into_caller(&self.audiences)?);
        Ok(Verified { caller, bound_to })
    }
}

impl fmt::Debug for Introspected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Introspected").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str = "https://login.example.org";

    fn introspected() -> Introspected {
        Introspected::new(NAME, false, &["chartlog".to_owned()], 0, 30)
    }

    fn said(answer: &Value) -> Result<Arc<Caller>, TokenError> {
        introspected().learned("opaque", answer.to_string().as_bytes(), 100, None)
    }

    #[test]
    fn an_answer_is_believed_for_a_while_and_not_beyond_the_end_of_the_token() {
        let issuer = introspected();
        let answer = |exp: i64| json!({ "active": true, "sub": "a", "exp": exp }).to_string();
        assert_eq!(issuer.known("opaque", 100, None), Ok(None));
        issuer.learned("opaque", answer(1_000).as_bytes(), 100, None).unwrap();
        assert!(issuer.known("opaque", 129, None).unwrap().is_some());
        assert_eq!(issuer.known("opaque", 130, None), Ok(None));
        assert_eq!(issuer.known("other", 101, None), Ok(None));
        issuer.learned("short", answer(110).as_bytes(), 100, None).unwrap();
        assert!(issuer.known("short", 109, None).unwrap().is_some());
        assert_eq!(issuer.known("short", 110, None), Err(TokenError::Expired));
        // So is a refusal, but not what is no answer.
        let refused = issuer.learned("bad", br#"{"active":false}"#, 100, None);
        assert_eq!(refused, Err(TokenError::Inactive));
        assert_eq!(issuer.known("bad", 129, None), Err(TokenError::Inactive));
        assert_eq!(issuer.known("bad", 130, None), Ok(None));
        let none = issuer.learned("odd", b"<html>", 100, None);
        assert_eq!(none, Err(TokenError::NotIntrospected));
        assert_eq!(issuer.known("odd", 101, None), Ok(None));
    }

    #[test]
    fn an_answer_must_make_sense() {
        let with = |changes: Value| {
            let mut answer =
                json!({ "active": true, "client_id": "app", "exp": 200, "scope": "user/*.rs" });
            answer.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            said(&answer)
        };
        let caller = with(json!({})).unwrap();
        // A token of a program alone speaks for the program.
        assert_eq!((&*caller.identity.subject, &*caller.identity.issuer), ("app", NAME));
        assert_eq!(with(json!({ "sub": "dr" })).unwrap().identity.subject, "dr");
        assert!(with(json!({ "iss": NAME, "aud": ["chartlog", "x"] })).is_ok());
        for (changes, expected) in [
            (json!({ "active": "true" }), TokenError::NotIntrospected),
            (json!({ "active": null }), TokenError::NotIntrospected),
            (json!({ "iss": "https://other" }), TokenError::UnknownIssuer),
            (json!({ "aud": "other" }), TokenError::WrongAudience),
            (json!({ "aud": [] }), TokenError::WrongAudience),
            (json!({ "exp": null }), TokenError::MissingClaim("exp")),
            (json!({ "exp": 100 }), TokenError::Expired),
            (json!({ "nbf": 101 }), TokenError::NotYetValid),
            (json!({ "patient": "a/b" }), TokenError::InvalidClaim("patient")),
            (json!({ "cnf": { "jkt": "x" } }), TokenError::UnsupportedBinding),
            (json!({ "cnf": { "x5t#S256": "A".repeat(43) } }), TokenError::WrongCertificate),
        ] {
            assert_eq!(with(changes.clone()).err(), Some(expected), "{changes}");
        }
        let twice = br#"{"active":false,"active":true,"sub":"a","exp":200}"#;
        let twice = introspected().learned("opaque", twice, 100, None);
        assert_eq!(twice, Err(TokenError::NotIntrospected));
    }
}
