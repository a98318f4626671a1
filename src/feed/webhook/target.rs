//! Where a webhook leads to.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use super::address::may_connect;
use crate::config::FeedConfig;

/// Longest address, in bytes.
const LENGTH_MAX: usize = 2_000;

/// An address that events may be sent to, as far as its text says.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// Checks an address against the configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    pub fn new(text: &str, config: &FeedConfig) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("longer than {LENGTH_MAX} bytes"));
        }
        let no_address =
            || "must be an address such as https://hooks.example.org/chartlog".to_owned();
        let uri: Uri = text.parse().map_err(|_| no_address())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(no_address());
        };
        match scheme {
            "https" => {}
            "http" if config.webhook_insecure => {}
            "http" => {
                return Err("must be https://, for events would travel in the clear \
                            (feed.webhook_insecure allows that)"
                    .to_owned());
            }
            _ => return Err(no_address()),
        }
        if authority.as_str().contains('@') {
            return Err("must not hold a password: the receiver knows the sender by the signature"
                .to_owned());
        }
        if text.contains('#') {
            return Err("must not have a fragment".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if !config.allows_host(host) {
            return Err(format!(
                "events may not be sent to {host:?}: feed.webhook_hosts does not name it"
            ));
        }
        if let Ok(address) = host.parse::<IpAddr>()
            && !may_connect(address, &config.networks())
        {
            return Err(format!(
                "{address} is not public, and feed.webhook_networks does not allow it"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// An address below this one: what may stand behind a question mark stays at the end.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let (place, query) =
            self.0.split_once('?').map_or((&*self.0, None), |(place, query)| (place, Some(query)));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Self(format!("{}/{path}{query}", place.trim_end_matches('/')))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without its path, which may be a secret.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.split('/').nth(2).unwrap_or_default();
        write!(formatter, "Target({authority})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_safe_address_of_an_allowed_host() {
        let config = |insecure: bool| FeedConfig {
            webhook_hosts: ["hooks.example.org", "10.0.0.7", "10.1.0.7", "fd00::1"]
                .map(str::to_owned)
                .to_vec(),
            webhook_networks: vec!["10.1.0.0/16".to_owned()],
            webhook_insecure: insecure,
            ..FeedConfig::default()
        };
        for (text, insecure, wrong) in [
            ("https://hooks.example.org/a?b=c", false, None),
            ("https://HOOKS.example.org:8443", false, None),
            ("https://10.1.0.7/", false, None),
            ("http://hooks.example.org/", true, None),
            ("http://hooks.example.org/", false, Some("https")),
            ("ftp://hooks.example.org/", true, Some("must be an address")),
            ("hooks.example.org", true, Some("must be an address")),
            ("/a", true, Some("must be an address")),
            ("", true, Some("must be an address")),
            ("https://other.example.org/", true, Some("webhook_hosts")),
            ("https://hooks.example.org@other.example.org/", true, Some("password")),
            ("https://a:b@hooks.example.org/", true, Some("password")),
            ("https://10.0.0.7/", true, Some("webhook_networks")),
            ("https://[fd00::1]/", true, Some("webhook_networks")),
        ] {
            let told = Target::new(text, &config(insecure)).err();
            match (&told, wrong) {
                (None, None) => {}
                (Some(told), Some(word)) if told.contains(word) => {}
                _ => panic!("{text}: {told:?}"),
            }
        }
        let long = format!("https://hooks.example.org/{}", "a".repeat(LENGTH_MAX));
        assert!(Target::new(&long, &config(true)).unwrap_err().contains("longer"));
        let target = Target::new("https://hooks.example.org/secret", &config(true)).unwrap();
        assert_eq!(target.below("A/1").as_str(), "https://hooks.example.org/secret/A/1");
        let target_with_query =
            Target::new("https://hooks.example.org/a/?b=c", &config(true)).unwrap();
        assert_eq!(target_with_query.below("A/1").as_str(), "https://hooks.example.org/a/A/1?b=c");
        assert_eq!(format!("{target:?}"), "Target(hooks.example.org)");
    }
}
