//! Where checkpoints are pushed, so that they are out of reach of who could change the log.
//!
//! A rewrite of the log is found by comparing it with a checkpoint that the rewriter could not
//! change too. Each sink has a thread of its own and remembers one checkpoint to deliver, always the
//! newest; a slow or dead sink never holds up the server.

mod post;
mod thread;
mod witness;

pub use thread::SinkHandle;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{ProofError, Verifier};

/// A place for checkpoints, as settings name it.
///
/// | text | what happens to a checkpoint |
/// |---|---|
/// | `folder:/path` | written to `<origin>-<size>.checkpoint` there, `/` in the origin as `_` |
/// | `webhook:https://host/path` | sent by POST as `text/plain; charset=utf-8` |
/// | `witness:<vkey>@https://host/prefix` | cosigned as C2SP tlog-witness says |
///
/// Plain `http:` is taken too, for the local network: a checkpoint is no secret and is signed.
#[derive(Clone, PartialEq, Eq)]
pub enum Sink {
    /// A directory, such as a mounted share or a medium that is written once.
    Folder(PathBuf),
    /// An HTTP service that takes the note.
    Webhook(Address),
    /// A witness (C2SP tlog-witness), whose cosignatures are put below the note.
    Witness {
        /// Its key; the signature type is 4 (tlog-cosignature).
        verifier: Verifier,
        /// Its submission prefix.
        prefix: Address,
    },
}

/// A URL. Its path may be a secret, so only scheme and host are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    fn parse(url: &str) -> Result<Self, ProofError> {
        let refuse = |why: &str| Err(ProofError::SinkSetting(why.to_owned()));
        let Some((scheme @ ("https" | "http"), rest)) = url.split_once("://") else {
            return refuse("an address begins with https:// or http://");
        };
        if url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return refuse("an address has no spaces");
        }
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return refuse("an address needs a host");
        }
        if rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')) {
            return refuse(
                "an address has no user name or password here; its path may carry a token",
            );
        }
        Ok(Self(format!("{scheme}://{rest}")))
    }

    /// The whole URL, to call it.
    fn url(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        write!(formatter, "{scheme}://{host}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Sink {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let refuse = |why: &str| Err(ProofError::SinkSetting(why.to_owned()));
        match text.split_once(':') {
            Some(("folder", path)) if path.starts_with('/') => Ok(Self::Folder(path.into())),
            Some(("folder", _)) => refuse("a folder is named by its whole path: folder:/path"),
            Some(("webhook", url)) => Address::parse(url).map(Self::Webhook),
            Some(("witness", rest)) => {
                // Neither the key nor the address has an @ followed by a scheme of its own.
                let Some(at) = rest.find("@http") else {
                    return refuse("a witness is named witness:<vkey>@https://…");
                };
                let (verifier, prefix) = rest.split_at(at);
                let prefix = prefix.trim_start_matches('@').trim_end_matches('/');
                let (verifier, prefix) = (verifier.parse()?, Address::parse(prefix)?);
                Ok(Self::Witness { verifier, prefix })
            }
            _ => refuse("it begins with folder:, webhook: or witness:"),
        }
    }
}

impl fmt::Display for Sink {
    /// For log lines: without what may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(formatter, "folder:{}", path.display()),
            Self::Webhook(address) => write!(formatter, "webhook:{address}"),
            Self::Witness { verifier, prefix } => {
                write!(formatter, "witness:{}@{prefix}", verifier.name())
            }
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
