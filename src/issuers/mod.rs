//! Where the keys of issuers come from: files and addresses, read again and again.
//!
//! In: the part `[auth]` of the configuration. Out: to a [`Verifier`], the keys that each issuer
//! signs with at present; and where clients get tokens (`about.rs`). Files are read when the server starts, and what is wrong with them keeps
//! it from starting. Addresses are asked by one thread per issuer (`keeper.rs`), so no request ever
//! waits for keys, and an issuer who cannot be reached keeps neither the server from starting
//! nor another issuer's keys from being renewed.
//!
//! Everything is read again after `auth.keys_refresh_seconds`, and when a token comes that is signed
//! with a key that is not known: then at most once in [`PAUSE`], whatever tokens say. What cannot be
//! read leaves the keys that were read last. What was read takes their place as a whole: a key that
//! an issuer has withdrawn opens nothing any more, not even for tokens that were verified before.
//!
//! Of a token that says nothing itself, its issuer is asked when it comes (`introspection.rs`).
//!
//! Never: following a redirect, asking in the clear beyond this machine, taking an answer of any
//! size or at any time, or believing what is said under another issuer's name.

mod about;
mod fetch;
mod introspection;
mod keeper;
mod schedule;
mod source;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::fetch::Fetcher;
use self::keeper::Keeper;
use self::source::Source;
use crate::auth::{Issuer, Verifier};
use crate::config::{self, AuthConfig};

pub use self::about::{About, BINDS, Directory};
pub use self::introspection::Introspection;
pub use self::schedule::PAUSE;

/// The configured issuers, and their keys as far as they lie in files.
#[derive(Debug, Default)]
pub struct Issuers {
    sources: Vec<Source>,
    introspection: Option<Arc<Introspection>>,
    refresh: Duration,
}

/// The threads that keep the keys of issuers up to date. They end when it is dropped, without being
/// waited for.
#[derive(Debug)]
pub struct Keeping {
    _keepers: Arc<HashMap<String, Keeper>>,
}

impl Issuers {
    /// Reads the files that the configuration names. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with these files, a line for each.
    pub fn read(config: &AuthConfig) -> Result<Self, String> {
        Self::of(&config.issuers, config)
    }

    /// The same of these, who need not be those whose tokens are accepted.
    ///
    /// # Errors
    ///
    /// As [`Issuers::read`].
    pub fn of(issuers: &[config::Issuer], config: &AuthConfig) -> Result<Self, String> {
        let fetcher = Fetcher::new(config.ca_file.as_deref().map(Path::new));
        let mut problems = Vec::new();
        let fetcher = fetcher.map_err(|problem| problems.push(problem)).unwrap_or_default();
        let (mut sources, mut introspection) = (Vec::new(), None);
        for issuer in issuers {
            match Source::read(issuer, &fetcher) {
                Ok(source) => sources.push(source),
                Err(more) => problems.extend(more),
            }
            if let Some(settings) = &issuer.introspection {
                match Introspection::read(issuer, settings, config, &fetcher) {
                    Ok(asked) => introspection = Some(Arc::new(asked)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        let refresh = Duration::from_secs(config.keys_refresh_seconds);
        if problems.is_empty() {
            Ok(Self { sources, introspection, refresh })
        } else {
            Err(problems.join("\n"))
        }
    }

    /// Each issuer with the keys that are known without asking anybody.
    pub fn known(&self) -> impl Iterator<Item = Issuer> {
        self.sources.iter().map(|source| Issuer {
            name: source.name().to_owned(),
            keys: source.keys(),
            requires_binding: source.requires_binding(),
        })
    }

    /// Asks all that have to be asked for their keys, once. Gives how many answered well, and what is wrong with the others.
    pub fn ask(&mut self) -> (usize, Vec<String>) {
        let (mut reached, mut problems) = (0, Vec::new());
        for source in self.sources.iter_mut().filter(|source| source.is_remote()) {
            let found = source.renew().problems;
            reached += usize::from(found.is_empty());
            problems.extend(found);
        }
        (reached, problems)
    }

    /// The one who is asked about tokens that say nothing themselves, if there is one.
    #[must_use]
    pub fn introspection(&self) -> Option<Arc<Introspection>> {
        self.introspection.clone()
    }

    /// What the issuers say about themselves, now and later.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::new(Directory::new(self.sources.iter().map(Source::about).collect()))
    }

    /// Starts to keep the keys of a verifier up to date.
    ///
    /// # Errors
    ///
    /// The operating system's: it has no thread to give.
    pub fn keep(self, verifier: &Arc<Verifier>) -> io::Result<Keeping> {
        let mut keepers = HashMap::new();
        for source in self.sources {
            let name = source.name().to_owned();
            keepers.insert(name, Keeper::start(source, self.refresh, Arc::clone(verifier))?);
        }
        let keepers = Arc::new(keepers);
        let asked = Arc::downgrade(&keepers);
        verifier.tell_of_unknown_keys(move |issuer| {
            if let Some(keeper) = asked.upgrade().as_ref().and_then(|all| all.get(issuer)) {
                keeper.want();
            }
        });
        Ok(Keeping { _keepers: keepers })
    }
}
