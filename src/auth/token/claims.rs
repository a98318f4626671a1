//! From the claims of a verified token to a caller (RFC 7519 §4).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Thumbprint, TokenError};
use crate::access::Identity;
use crate::auth::{Caller, Scopes};

/// The most characters a name from a token may have: it is stored with every access.
const NAME_LENGTH_MAX: usize = 256;

/// The most characters of the rights in a token that an access entry repeats.
const GRANTED_LENGTH_MAX: usize = 512;

/// The most characters of a FHIR id (R4 §datatypes, id).
const FHIR_ID_LENGTH_MAX: usize = 64;

/// The claims this server reads, as they stand in the token. Values are examined one by one, so
/// that a refusal can name the claim.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<Value>,
    sub: Option<Value>,
    aud: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    jti: Option<Value>,
    scope: Option<Value>,
    client_id: Option<Value>,
    azp: Option<Value>,
    patient: Option<Value>,
    act: Option<Value>,
    name: Option<Value>,
    role: Option<Value>,
    organization: Option<Value>,
    #[serde(rename = "fhirUser")]
    fhir_user: Option<Value>,
    purpose_of_use: Option<Value>,
    extensions: Option<Value>,
    /// Also `null`, which binds it to nothing that could be shown.
    #[serde(default, deserialize_with = "present")]
    cnf: Option<Value>,
}

/// The value of a member that is there, whatever it is.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

impl Claims {
    /// Who says they issued the token.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        let issuer = self.iss.as_ref().ok_or(TokenError::MissingClaim("iss"))?;
        issuer.as_str().ok_or(TokenError::InvalidClaim("iss"))
    }

    /// Adds to what an issuer says of a token what goes without saying, as it was asked by this server, which told it
    /// who it is: whose token it is, and for whom. A token without a person speaks for the program.
    pub(super) fn complete(&mut self, issuer: &str, audiences: &[String]) {
        self.iss.get_or_insert_with(|| issuer.into());
        self.aud.get_or_insert_with(|| audiences.into());
        if self.sub.is_none() {
            self.sub.clone_from(&self.client_id);
        }
    }

    /// The certificate that the token is bound to, if it is bound.
    pub(super) fn bound_to(&self) -> Result<Option<Thumbprint>, TokenError> {
        Thumbprint::bound(self.cnf.as_ref())
    }

    /// The caller these claims describe, when they are meant for one of `audiences`. The times are
    /// not compared with any clock here.
    ///
    /// # Errors
    ///
    /// When a required claim is missing, a claim has no acceptable value, or the audience is
    /// another.
    pub(super) fn into_caller(self, audiences: &[String]) -> Result<Caller, TokenError> {
        check_audience(self.aud.as_ref(), audiences)?;
        let client = match optional_name("client_id", self.client_id.as_ref())? {
            Some(client) => Some(client),
            None => optional_name("azp", self.azp.as_ref())?,
        };
        let identity = Identity {
            issuer: self.issuer()?.to_owned(),
            subject: optional_name("sub", self.sub.as_ref())?
                .ok_or(TokenError::MissingClaim("sub"))?,
            client,
            scopes: Some(granted(self.scope.as_ref())),
            name: self.described("name", "subject_name"),
            role: self.described("role", "subject_role"),
            organization: self.described("organization", "subject_organization"),
            fhir_user: self
                .fhir_user
                .as_ref()
                .and_then(described)
                .filter(|user| is_acceptable_name(user)),
            acting: match self.act.as_ref().map(|act| act.get("sub")) {
                None => None,
                Some(acting) => optional_name("act", acting)?,
            },
            token_id: optional_name("jti", self.jti.as_ref())?,
        };
        Ok(Caller {
            identity: identity.into(),
            scopes: scopes(self.scope.as_ref())?,
            patient: patient(self.patient.as_ref())?,
            purpose: self.described("purpose_of_use", "purpose_of_use"),
            expires_at: numeric_date("exp", self.exp.as_ref())?
                .ok_or(TokenError::MissingClaim("exp"))?,
            // Nobody has issued a token before it was issued.
            not_before: numeric_date("nbf", self.nbf.as_ref())?
                .max(numeric_date("iat", self.iat.as_ref())?),
        })
    }
}

impl Claims {
    /// What the token says about its subject besides: a claim of that name, or one of the extension of
    /// IHE's IUA profile (ITI-71 section 3.71.4.2.2.1). Nothing rests on it, so one that makes no sense is left out.
    fn described(&self, name: &str, in_iua: &str) -> Option<String> {
        let claim = match name {
            "name" => self.name.as_ref(),
            "role" => self.role.as_ref(),
            "organization" => self.organization.as_ref(),
            _ => self.purpose_of_use.as_ref(),
        };
        let in_iua = || self.extensions.as_ref()?.get("ihe_iua")?.get(in_iua);
        let text = described(claim.or_else(in_iua)?)?;
        is_acceptable_name(&text).then_some(text)
    }
}

/// A text, or the codes of a coding, or all of a list.
fn described(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Object(coding) => {
            let part = |name| coding.get(name).and_then(Value::as_str);
            let code = part("code").or_else(|| part("value"))?;
            Some(match part("system") {
                Some(system) => format!("{system}|{code}"),
                None => code.to_owned(),
            })
        }
        Value::Array(all) => {
            let all: Vec<String> = all.iter().filter_map(described).collect();
            (!all.is_empty()).then(|| all.join(" "))
        }
        _ => None,
    }
}

/// The rights granted in the words of the token, as far as a log has room for them.
fn granted(claim: Option<&Value>) -> String {
    let all = claim.and_then(one_or_many).map(|all| all.join(" ")).unwrap_or_default();
    all.chars().filter(|letter| !spoils_lines(*letter)).take(GRANTED_LENGTH_MAX).collect()
}

/// Whether `name` may stand for a person, a program or a token in the logs.
pub(super) fn is_acceptable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= NAME_LENGTH_MAX && !name.chars().any(spoils_lines)
}

/// Whether a character could make a line of a log look like another, or like several: controls,
/// separators of lines and paragraphs, and what reverses the direction of what follows.
fn spoils_lines(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether `id` has the form of a FHIR resource id.
pub(super) fn is_fhir_id(id: &str) -> bool {
    (1..=FHIR_ID_LENGTH_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// One of the token's audiences must be one of ours (RFC 7519 §4.1.3).
fn check_audience(claim: Option<&Value>, audiences: &[String]) -> Result<(), TokenError> {
    let claim = claim.ok_or(TokenError::MissingClaim("aud"))?;
    let named = one_or_many(claim).ok_or(TokenError::InvalidClaim("aud"))?;
    if named.iter().any(|name| audiences.iter().any(|audience| audience == name)) {
        Ok(())
    } else {
        Err(TokenError::WrongAudience)
    }
}

/// The rights granted: one string with spaces (RFC 8693 §4.2), or the array that some issuers send.
fn scopes(claim: Option<&Value>) -> Result<Scopes, TokenError> {
    let mut scopes = Scopes::default();
    if let Some(claim) = claim {
        for scope in one_or_many(claim).ok_or(TokenError::InvalidClaim("scope"))? {
            scopes.extend(scope);
        }
    }
    Ok(scopes)
}

/// The patient of the launch context.
fn patient(claim: Option<&Value>) -> Result<Option<String>, TokenError> {
    match claim {
        None => Ok(None),
        Some(Value::String(id)) if is_fhir_id(id) => Ok(Some(id.clone())),
        Some(_) => Err(TokenError::InvalidClaim("patient")),
    }
}

/// A name that will stand in the logs.
fn optional_name(name: &'static str, claim: Option<&Value>) -> Result<Option<String>, TokenError> {
    match claim {
        None => Ok(None),
        Some(Value::String(text)) if is_acceptable_name(text) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::InvalidClaim(name)),
    }
}

/// A NumericDate in whole Unix seconds, a fraction cut off (RFC 7519 §2).
fn numeric_date(name: &'static str, claim: Option<&Value>) -> Result<Option<i64>, TokenError> {
    let Some(claim) = claim else { return Ok(None) };
    // The cast saturates: a moment beyond the range of seconds is still far away.
    let seconds = claim.as_i64().or_else(|| claim.as_f64().map(|seconds| seconds.floor() as i64));
    seconds.map(Some).ok_or(TokenError::InvalidClaim(name))
}

/// The strings of a claim that is a string or an array of strings.
fn one_or_many(claim: &Value) -> Option<Vec<&str>> {
    match claim {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
