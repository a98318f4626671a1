//! Programs that this server itself gives tokens to.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::address::is_safe_address;

/// Most programs that may be registered: each has a thread that keeps its keys.
const CLIENTS_MAX: usize = 100;
/// Most scopes of one, and most characters of its id.
const SCOPES_MAX: usize = 100;
const ID_LENGTH_MAX: usize = 200;

/// A program that gets tokens for what it does on its own behalf (SMART App Launch 2.2, "Backend Services").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File with the JSON Web Key Set of the keys with which it shows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Address of that set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// What it may be given: scopes of the level `system/`.
    pub scopes: Vec<String>,
    /// The purpose of use that stands in its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// What is wrong with these clients.
pub(super) fn problems(clients: &[Client]) -> Vec<String> {
    let mut problems = Vec::new();
    if clients.len() > CLIENTS_MAX {
        problems.push(format!("auth.clients: there may be {CLIENTS_MAX} of them"));
    }
    let mut ids = BTreeSet::new();
    for client in clients {
        if !ids.insert(&client.id) {
            problems.push(format!("auth.clients: {:?} is named twice", client.id));
        }
        let wrong = client.problems().into_iter();
        problems.extend(wrong.map(|what| format!("auth.clients: {:?} {what}", client.id)));
    }
    problems
}

impl Client {
    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        let is_visible = |text: &str| text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        if !(1..=ID_LENGTH_MAX).contains(&self.id.len()) || !is_visible(&self.id) {
            problems.push("is no id: it has 1 to 200 visible characters of ASCII");
        }
        if self.jwks_file.is_some() == self.jwks_url.is_some() {
            problems.push("needs its keys in one place: jwks_file or jwks_url");
        }
        if self.jwks_url.as_deref().is_some_and(|address| !is_safe_address(address)) {
            problems.push(
                "has a jwks_url that must not be used; it begins with https:// (http:// on this \
                 machine) and has no password and no fragment",
            );
        }
        let is_wrong = |scope: &String| !scope.starts_with("system/") || !is_visible(scope);
        if self.scopes.is_empty() || self.scopes.len() > SCOPES_MAX {
            problems.push("needs scopes, 100 at most");
        } else if self.scopes.iter().any(is_wrong) {
            problems
                .push("has a scope that is not of the level system/, such as system/Patient.rs");
        }
        let described = [&self.name, &self.purpose].into_iter().flatten();
        let is_name = |text: &String| {
            (1..=ID_LENGTH_MAX).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !described.into_iter().all(is_name) {
            problems.push("has a name or a purpose that is empty, or longer than 200 bytes");
        }
        problems
    }
}
