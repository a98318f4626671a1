//! Users of the configuration, whom everybody on this machine may sign in as, and what they allow to apps: authorization
//! code with PKCE (RFC 6749 §4.1, RFC 7636, SMART App Launch 2.2 "Standalone launch"). For development.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Refusal;
use super::codes::Codes;
use super::redirect::is_registered;
use crate::auth::{Level, is_understood, narrowed};
use crate::config::{App, AuthConfig, User};

/// Most bytes of a parameter that is kept until its code is exchanged, or given back.
const PARAMETER_BYTES_MAX: usize = 4_096;
/// Length of a challenge: a SHA-256 in base64url.
const CHALLENGE_LENGTH: usize = 43;
/// Scopes that everybody may have who signs in: who they are, and one patient.
const OF_SIGN_IN: [&str; 4] = ["openid", "fhirUser", "profile", LAUNCH_PATIENT];
const LAUNCH_PATIENT: &str = "launch/patient";

/// The users and the apps.
#[derive(Debug)]
pub struct SignIn {
    users: Vec<User>,
    apps: Vec<App>,
    codes: Codes<Allowed>,
}

/// What an app asks for, when it may ask.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The app.
    pub app: &'a App,
    /// Where the browser goes with the answer.
    pub redirect_uri: &'a str,
    /// What the app wants back.
    pub state: Option<&'a str>,
    asked: Asked<'a>,
}

/// The parameters of a request at the authorization endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `client_id`.
    pub client_id: Option<&'a str>,
    /// `redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// `response_type`.
    pub response_type: Option<&'a str>,
    /// `scope`.
    pub scope: Option<&'a str>,
    /// `state`.
    pub state: Option<&'a str>,
    /// `aud`: the FHIR API that the token shall be for.
    pub aud: Option<&'a str>,
    /// `code_challenge`.
    pub code_challenge: Option<&'a str>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<&'a str>,
    /// `nonce`.
    pub nonce: Option<&'a str>,
}

/// What a user has allowed to an app.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// The user.
    pub user: User,
    /// The app.
    pub app: App,
    /// The scopes, with spaces between them.
    pub scope: String,
    /// The patient.
    pub patient: Option<String>,
    /// What stands in the ID token, so that the app knows it again.
    pub nonce: Option<String>,
    redirect_uri: String,
    challenge: String,
}

impl Allowed {
    /// Whether a scope is among those that are allowed.
    pub fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|one| one == scope)
    }
}

impl SignIn {
    /// Those of the configuration; `None`: there are none.
    pub(super) fn read(config: &AuthConfig) -> Result<Option<Self>, String> {
        let (users, apps) = (config.users.clone(), config.apps.clone());
        if users.is_empty() {
            return Ok(None);
        }
        let is_odd = |scope: &&String| {
            !is_understood(Level::User, scope) && !is_understood(Level::Patient, scope)
        };
        let odd = users.iter().flat_map(|user| {
            let odd = user.scopes.iter().filter(is_odd);
            odd.map(|scope| {
                format!("auth.users: {:?}: {scope} is not understood as a scope", user.sub)
            })
        });
        let odd: Vec<String> = odd.collect();
        match odd.is_empty() {
            true => Ok(Some(Self { users, apps, codes: Codes::default() })),
            false => Err(odd.join("\n")),
        }
    }

    /// Everybody who can be chosen.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// Whether users sign in for the app with this `client_id`.
    #[must_use]
    pub fn knows(&self, client_id: &str) -> bool {
        self.apps.iter().any(|app| app.id == client_id)
    }

    /// The app that asks, and where it wants the answer.
    ///
    /// # Errors
    ///
    /// It is not registered, or the address is not: then nobody must be sent there.
    pub fn wish<'a>(&'a self, asked: Asked<'a>) -> Result<Wish<'a>, &'static str> {
        let app = self.apps.iter().find(|app| Some(app.id.as_str()) == asked.client_id);
        let app = app.ok_or("client_id names no app that is registered here (auth.apps)")?;
        let redirect_uri = asked.redirect_uri.filter(|asked| {
            app.redirect_uris.iter().any(|registered| is_registered(registered, asked))
        });
        let redirect_uri = redirect_uri.ok_or(
            "redirect_uri is none that is registered for this app (auth.apps): it must be the same, letter by \
             letter; on this machine, the port may be another",
        )?;
        Ok(Wish { app, redirect_uri, state: asked.state, asked })
    }

    /// What a user allows to an app that asks for it, as a code.
    ///
    /// # Errors
    ///
    /// `access_denied`: there is no such user, or they may not choose that patient. `invalid_scope`: they may allow
    /// nothing of it. `temporarily_unavailable`: too many codes wait to be exchanged.
    pub fn allow(
        &self,
        wish: &Wish<'_>,
        user: &User,
        patient: Option<&str>,
        now: i64,
    ) -> Result<String, Refusal> {
        let scope = wish.scope_of(user);
        let denied = |what: &str| Refusal::of("access_denied", what);
        let patient = match patient {
            _ if !wish.needs_patient(user) => None,
            Some(id) if user.patients.iter().any(|one| one == id) => Some(id.to_owned()),
            _ => return Err(denied("the user has to choose one of their patients")),
        };
        if scope.is_empty() {
            return Err(Refusal::of(
                "invalid_scope",
                "nothing of what is asked for is allowed to this user",
            ));
        }
        let allowed = Allowed {
            user: user.clone(),
            app: wish.app.clone(),
            scope,
            patient,
            nonce: wish.asked.nonce.map(str::to_owned),
            redirect_uri: wish.redirect_uri.to_owned(),
            challenge: wish.asked.code_challenge.unwrap_or_default().to_owned(),
        };
        let full = || Refusal::of("temporarily_unavailable", "too many codes wait to be exchanged");
        self.codes.give(allowed, now).ok_or_else(full)
    }

    /// What a code stands for, for the app that it was given to. It is worth nothing from then on.
    ///
    /// # Errors
    ///
    /// `invalid_grant`: it was exchanged, is too old, or was given to another app, for another address or for another
    /// secret.
    pub fn exchange(
        &self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
        now: i64,
    ) -> Result<Allowed, Refusal> {
        let refused = |what: &str| Refusal::of("invalid_grant", what);
        let allowed = self.codes.take(code, now).ok_or_else(|| {
            refused("code: there is none such, it was exchanged, or it is older than a minute")
        })?;
        if allowed.app.id != client_id {
            return Err(refused("code: it was given to another client"));
        }
        if allowed.redirect_uri != redirect_uri {
            return Err(refused("redirect_uri must be the one that the code was sent to"));
        }
        let shown = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        if allowed.challenge != shown {
            return Err(refused("code_verifier is not the one of code_challenge"));
        }
        Ok(allowed)
    }
}

impl Wish<'_> {
    /// Whether it makes sense, but for who allows it; `fhir_base` is the address of the FHIR API.
    ///
    /// # Errors
    ///
    /// What is to be told to the app (RFC 6749 §4.1.2.1).
    pub fn check(&self, fhir_base: &str) -> Result<(), Refusal> {
        let Asked { response_type, scope, aud, code_challenge, code_challenge_method, .. } =
            self.asked;
        let invalid = |what: &str| Err(Refusal::of("invalid_request", what));
        if response_type != Some("code") {
            return Err(Refusal::of("unsupported_response_type", "response_type must be code"));
        }
        if aud.map(|aud| aud.trim_end_matches('/')) != Some(fhir_base) {
            return invalid(&format!("aud must be {fhir_base}"));
        }
        if code_challenge_method != Some("S256") {
            return invalid(
                "code_challenge_method must be S256: this server wants PKCE (RFC 7636)",
            );
        }
        let is_challenge = |text: &str| {
            text.len() == CHALLENGE_LENGTH
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !code_challenge.is_some_and(is_challenge) {
            return invalid("code_challenge must be a SHA-256 in base64url: 43 characters");
        }
        let kept = [scope, self.state, self.asked.nonce, Some(self.redirect_uri)];
        if kept.into_iter().flatten().any(|text| text.len() > PARAMETER_BYTES_MAX) {
            return invalid("a parameter is longer than 4096 bytes");
        }
        match scope {
            Some(_) => Ok(()),
            None => Err(Refusal::of("invalid_scope", "scope is missing, such as patient/*.rs")),
        }
    }

    /// What of it a user may allow.
    #[must_use]
    pub fn scope_of(&self, user: &User) -> String {
        let asked = self.asked.scope.unwrap_or_default();
        let of_sign_in = asked.split(' ').filter(|scope| OF_SIGN_IN.contains(scope));
        let mut scopes: Vec<String> = of_sign_in.map(str::to_owned).collect();
        scopes.sort();
        scopes.dedup();
        for level in [Level::Patient, Level::User] {
            let narrowed = narrowed(level, asked, &user.scopes);
            scopes.extend((!narrowed.is_empty()).then_some(narrowed));
        }
        scopes.join(" ")
    }

    /// Whether a patient is to be chosen for that.
    #[must_use]
    pub fn needs_patient(&self, user: &User) -> bool {
        let scope = self.scope_of(user);
        scope.split(' ').any(|one| one == LAUNCH_PATIENT || one.starts_with("patient/"))
    }
}
