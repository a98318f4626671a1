//! Users whom everybody on this machine may sign in as, for development, and the apps for which they do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Config;
use super::address::is_safe_address;

/// Most apps and most users: a page shows all of the latter.
const ENTRIES_MAX: usize = 100;
/// Most scopes, addresses and patients of one.
const LIST_MAX: usize = 100;
/// Most bytes of an id, a name or a role.
const NAME_LENGTH_MAX: usize = 200;
/// Most bytes of an address.
const ADDRESS_LENGTH_MAX: usize = 1_000;
/// Types of resources that a user may be (SMART App Launch 2.2, "fhirUser").
const USER_TYPES: [&str; 5] =
    ["Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"];

/// An app that gets tokens for what users allow it: one that has no secret (RFC 6749 §2.1, "public").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its `client_id`.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where browsers go with a code. The port of an address of this machine does not count (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
}

/// Somebody whom everybody on this machine may sign in as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The claim `sub` of their tokens.
    pub sub: String,
    /// What people call them.
    pub name: String,
    /// The resource that stands for them, as `Practitioner/x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// Their role, for policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What apps may be given for them: scopes of the levels `user/` and `patient/`.
    pub scopes: Vec<String>,
    /// Ids of the patients that they may choose one of for an app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<String>,
}

/// Why nobody may sign in without a password where the server stands, if that is so.
pub(super) fn exposure(config: &Config) -> Option<&'static str> {
    let public = config.server.public_url.as_deref();
    let is_local = |url: &str| url.starts_with("http://") && is_safe_address(url);
    if !config.auth.local_issuer {
        return Some("auth.local_issuer is off");
    }
    if !config.server.is_loopback_only() {
        return Some("other machines can reach server.listen");
    }
    if !public.is_none_or(is_local) || !config.server.trusted_proxies.is_empty() {
        return Some("other machines can reach it by server.public_url or a proxy");
    }
    None
}

/// What is wrong with these users and apps; each with the key that it is about.
pub(super) fn problems(config: &Config) -> Vec<(Vec<&'static str>, String)> {
    let (apps, users) = (&config.auth.apps, &config.auth.users);
    let mut problems = Vec::new();
    let mut wrong = |key: &'static str, what: String| problems.push((vec![key], what));
    if apps.len() > ENTRIES_MAX || users.len() > ENTRIES_MAX {
        wrong("auth.users", format!("auth.users and auth.apps: there may be {ENTRIES_MAX} each"));
    }
    if apps.is_empty() != users.is_empty() {
        let what = "auth.users sign in for auth.apps: there must be some of both, or none";
        wrong("auth.users", what.to_owned());
    }
    let mut ids: BTreeSet<&str> = config.auth.clients.iter().map(|one| one.id.as_str()).collect();
    for app in apps {
        if !ids.insert(&app.id) {
            wrong("auth.apps", format!("auth.apps: {:?} is named twice, or a client", app.id));
        }
        if config.auth.audience.contains(&app.id) {
            let what = "is a name of this server (auth.audience): tokens for the two must differ";
            wrong("auth.apps", format!("auth.apps: {:?} {what}", app.id));
        }
        let found = app.problems().into_iter();
        found.for_each(|what| wrong("auth.apps", format!("auth.apps: {:?} {what}", app.id)));
    }
    let mut subs = BTreeSet::new();
    for user in users {
        if !subs.insert(&user.sub) {
            wrong("auth.users", format!("auth.users: {:?} is named twice", user.sub));
        }
        let found = user.problems().into_iter();
        found.for_each(|what| wrong("auth.users", format!("auth.users: {:?} {what}", user.sub)));
    }
    if let Some(why) = exposure(config).filter(|_| !users.is_empty() || !apps.is_empty()) {
        let what = format!(
            "auth.users is for development: whoever reaches the server can be any of them, without a password. \
             It needs auth.local_issuer and a server that nobody beyond this machine reaches, but {why}; name \
             an OpenID Connect provider in auth.issuers instead"
        );
        problems.push((vec!["auth.users", "auth.apps", "server.listen"], what));
    }
    problems
}

impl App {
    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if !is_id(&self.id) {
            problems.push("is no id: it has 1 to 200 visible characters of ASCII");
        }
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            problems.push("has a name that is empty, or longer than 200 bytes");
        }
        if self.redirect_uris.is_empty() || self.redirect_uris.len() > LIST_MAX {
            problems.push("needs redirect_uris, 100 at most");
        } else if !self.redirect_uris.iter().all(|address| is_redirect(address)) {
            problems.push(
                "has a redirect_uri to which no code should be sent: it begins with https://, with http:// on this \
                 machine, or with a scheme of the app's own that has a dot (com.example.app:/back), and has no fragment",
            );
        }
        problems
    }
}

impl User {
    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        let described = [Some(&self.sub), Some(&self.name), self.role.as_ref()];
        if !described.into_iter().flatten().all(|text| is_name(text)) {
            problems.push("has a sub, a name or a role that is empty, or longer than 200 bytes");
        }
        if self.fhir_user.as_deref().is_some_and(|user| !is_user(user)) {
            problems.push("has a fhir_user that is none, such as Practitioner/x or Patient/x");
        }
        let is_scope = |scope: &String| {
            ["user/", "patient/"].iter().any(|level| scope.starts_with(level))
                && scope.bytes().all(is_visible)
        };
        if self.scopes.is_empty() || self.scopes.len() > LIST_MAX {
            problems.push("needs scopes, 100 at most");
        } else if !self.scopes.iter().all(is_scope) {
            problems.push("has a scope of another level than user/ and patient/");
        }
        if self.patients.len() > LIST_MAX || !self.patients.iter().all(|id| is_fhir_id(id)) {
            problems.push("has patients that are no ids of FHIR, or more than 100");
        }
        problems
    }
}

fn is_visible(byte: u8) -> bool {
    (b'!'..=b'~').contains(&byte)
}

fn is_id(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_visible)
}

fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

fn is_fhir_id(id: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&id.len()) && id.bytes().all(is_letter)
}

fn is_user(reference: &str) -> bool {
    let parts = reference.split_once('/');
    parts.is_some_and(|(kind, id)| USER_TYPES.contains(&kind) && is_fhir_id(id))
}

/// Whether a code may be sent to an address. Its scheme and its host stand in what pages tell browsers, so they are of
/// plain letters.
fn is_redirect(address: &str) -> bool {
    if address.len() > ADDRESS_LENGTH_MAX || !address.bytes().all(is_visible) {
        return false;
    }
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    if scheme == "http" || scheme == "https" {
        let host = rest.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        return is_safe_address(address) && host.bytes().all(is_plain);
    }
    // RFC 8252 §7.1: the reverse of a name of a domain; nothing that a browser runs or opens itself.
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.+".contains(&byte);
    scheme.contains('.')
        && scheme.starts_with(|letter: char| letter.is_ascii_lowercase())
        && scheme.bytes().all(is_letter)
        && rest.starts_with('/')
        && !rest.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sent_where_only_the_app_gets_them() {
        for (address, expected) in [
            ("https://app.example.org/back?x=1", true),
            ("http://127.0.0.1/back", true),
            ("http://[::1]/back", true),
            ("http://localhost/", true),
            ("com.example.app:/back", true),
            ("http://app.example.org/back", false),
            ("https://app.example.org/back#x", false),
            ("https://a;script-src.example/", false),
            ("https://user@app.example.org/", false),
            ("com.example.app:/back#x", false),
            ("com.example.app:back", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("//app.example.org", false),
            ("", false),
        ] {
            assert_eq!(is_redirect(address), expected, "{address}");
        }
    }
}
