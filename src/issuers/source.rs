//! The keys of one issuer: in files, and at an address that it names itself or the configuration
//! does.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::Value;

use super::about::About;
use super::fetch::Fetcher;
use crate::auth::{Algorithm, VerificationKey};
use crate::config::{self, Issuer};
use crate::disk::{self, RealDisk};

/// Where an issuer says about itself what is needed to use it (OpenID Connect Discovery 1.0 §4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The keys of one issuer, as they were read last.
#[derive(Debug)]
pub struct Source {
    issuer: Issuer,
    fetcher: Fetcher,
    filed: Part,
    fetched: Part,
    about: Arc<ArcSwapOption<About>>,
}

/// What came from files, or from an address.
#[derive(Debug, Default)]
struct Part {
    /// All that was read, to see whether it has changed.
    texts: Vec<Vec<u8>>,
    keys: Vec<VerificationKey>,
}

/// What another reading has led to.
#[derive(Debug)]
pub struct Outcome {
    /// The keys are others than before.
    pub is_changed: bool,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

impl Source {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn read(issuer: &Issuer, fetcher: &Fetcher) -> Result<Self, Vec<String>> {
        let filed = Part::filed(issuer)?;
        let about = Arc::new(ArcSwapOption::from(About::configured(issuer).map(Arc::new)));
        let (issuer, fetcher) = (issuer.clone(), fetcher.clone());
        Ok(Self { issuer, fetcher, filed, fetched: Part::default(), about })
    }

    /// Who it is: claim `iss`.
    pub fn name(&self) -> &str {
        &self.issuer.name
    }

    /// Whether its tokens must be bound to a certificate.
    pub fn requires_binding(&self) -> bool {
        self.issuer.require_bound
    }

    /// Where clients get tokens, as far as it is known at each moment.
    pub fn about(&self) -> Arc<ArcSwapOption<About>> {
        Arc::clone(&self.about)
    }

    /// All keys that are known.
    pub fn keys(&self) -> Vec<VerificationKey> {
        [&self.filed, &self.fetched]
            .into_iter()
            .flat_map(|part| part.keys.iter().cloned())
            .collect()
    }

    /// Whether somebody has to be asked.
    pub fn is_remote(&self) -> bool {
        self.issuer.discovery || self.issuer.jwks_url.is_some()
    }

    /// Reads everything again. What cannot be read stays as it was.
    pub fn renew(&mut self) -> Outcome {
        let mut outcome = Outcome { is_changed: false, problems: Vec::new() };
        match Part::filed(&self.issuer) {
            Ok(part) => outcome.is_changed |= self.filed.take(part),
            Err(problems) => outcome.problems.extend(problems),
        }
        match self.fetch() {
            Ok(part) => outcome.is_changed |= self.fetched.take(part),
            Err(problem) => outcome.problems.push(problem),
        }
        outcome
    }

    fn fetch(&self) -> Result<Part, String> {
        let address = match &self.issuer.jwks_url {
            Some(address) => address.clone(),
            None if self.issuer.discovery => self.discovered()?,
            None => return Ok(Part::default()),
        };
        let text = self.fetcher.get(&address)?;
        let keys = key_set(&text).map_err(|what| format!("{address}: {what}"))?;
        Ok(Part { texts: vec![text], keys })
    }

    /// The address of the keys, as the issuer names it. What else it says is kept.
    fn discovered(&self) -> Result<String, String> {
        let name = self.issuer.name.as_str();
        let address = format!("{}{DISCOVERY}", name.trim_end_matches('/'));
        let text = self.fetcher.get(&address)?;
        let wrong = |what: &str| format!("{address}: {what}");
        let about: Value = serde_json::from_slice(&text).map_err(|_| wrong("this is no JSON"))?;
        let member = |name: &str| about.get(name).and_then(Value::as_str);
        // Else one issuer could be made to vouch for the tokens of another (§4.3).
        if member("issuer") != Some(name) {
            return Err(wrong("its member 'issuer' is not the name of the issuer"));
        }
        let keys = member("jwks_uri").ok_or_else(|| wrong("it has no member 'jwks_uri'"))?;
        self.about.store(About::discovered(&self.issuer, &about).map(Arc::new));
        Ok(keys.to_owned())
    }
}

impl Part {
    fn filed(issuer: &Issuer) -> Result<Self, Vec<String>> {
        let (mut part, mut problems) = (Self::default(), Vec::new());
        if let Some(path) = &issuer.jwks_file {
            let read =
                part.read(path).and_then(|text| key_set(text).map_err(|what| at(path, &what)));
            match read {
                Ok(keys) => part.keys.extend(keys),
                Err(problem) => problems.push(problem),
            }
        }
        for key in &issuer.keys {
            let path = &key.pem_file;
            let parsed = part.read(path).and_then(|pem| {
                VerificationKey::from_pem(algorithm(key.algorithm), key.kid.clone(), pem)
                    .map_err(|error| at(path, &error))
            });
            match parsed {
                Ok(key) => part.keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(part) } else { Err(problems) }
    }

    fn read(&mut self, path: &Path) -> Result<&[u8], String> {
        self.texts.push(disk::read(&RealDisk, path).map_err(|error| at(path, &error))?);
        Ok(self.texts.last().map_or(&[], Vec::as_slice))
    }

    /// Takes the place of what was read before. Whether it is something else.
    fn take(&mut self, other: Self) -> bool {
        let is_changed = self.texts != other.texts;
        *self = other;
        is_changed
    }
}

fn at(path: &Path, what: &dyn Display) -> String {
    format!("{}: {what}", path.display())
}

/// The keys of a set that can be used.
fn key_set(text: &[u8]) -> Result<Vec<VerificationKey>, String> {
    let set = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    VerificationKey::from_jwk_set(&set).map_err(|error| error.to_string())
}

fn algorithm(configured: config::Algorithm) -> Algorithm {
    match configured {
        config::Algorithm::Rs256 => Algorithm::Rs256,
        config::Algorithm::Rs384 => Algorithm::Rs384,
        config::Algorithm::Rs512 => Algorithm::Rs512,
        config::Algorithm::Ps256 => Algorithm::Ps256,
        config::Algorithm::Ps384 => Algorithm::Ps384,
        config::Algorithm::Ps512 => Algorithm::Ps512,
        config::Algorithm::Es256 => Algorithm::Es256,
        config::Algorithm::Es384 => Algorithm::Es384,
        config::Algorithm::EdDsa => Algorithm::EdDsa,
    }
}
