//! Where subscriptions may lead, and how much they may take.

use std::net::IpAddr;

use ipnet::IpNet;

use super::server::network;

/// The part `[feed]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedConfig {
    /// Hosts that events may be sent to: names, `*.example.org` for all below one, addresses. Without any, nothing is
    /// sent.
    pub webhook_hosts: Vec<String>,
    /// Networks that these may lie in although they are not public.
    pub webhook_networks: Vec<String>,
    /// Whether targets may be `http://`.
    pub webhook_insecure: bool,
    /// Seconds for one delivery, from connecting to the answer.
    pub webhook_timeout_seconds: u64,
    /// Bytes of the largest event that is sent.
    pub webhook_bytes_max: usize,
    /// Charts of which one subscription delivers at the same time.
    pub webhook_charts_max: usize,
    /// Subscriptions that there may be: of those that are resources, and of the others.
    pub subscriptions_max: usize,
    /// Seconds that a Subscription may fail before its status says so.
    pub subscription_error_seconds: u64,
    /// Events that one subscription may park.
    pub parked_events_max: usize,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            webhook_hosts: Vec::new(),
            webhook_networks: Vec::new(),
            webhook_insecure: false,
            webhook_timeout_seconds: 15,
            webhook_bytes_max: 4 * 1024 * 1024,
            webhook_charts_max: 16,
            subscriptions_max: 200,
            subscription_error_seconds: 60,
            parked_events_max: 1_000,
        }
    }
}

impl FeedConfig {
    /// The networks that targets may lie in although they are not public.
    #[must_use]
    pub fn networks(&self) -> Vec<IpNet> {
        self.webhook_networks.iter().filter_map(|text| network(text)).collect()
    }

    /// Whether events may be sent to a host, as far as its name says.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.webhook_hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(above) => host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
            None => host == *allowed,
        })
    }
}

/// Whether a text is a host, or all hosts below one.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_odd = |letter: char| {
        !letter.is_ascii_lowercase() && !letter.is_ascii_digit() && !"-._".contains(letter)
    };
    text.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && !name.contains(is_odd) && !name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_name_or_by_one_above_it() {
        let hosts = ["hooks.example.org", "*.clinic.example", "192.0.2.7", "fd00::1"];
        assert!(hosts.iter().all(|host| is_host(host)));
        let webhook_hosts = hosts.map(str::to_owned).to_vec();
        let config = FeedConfig { webhook_hosts, ..FeedConfig::default() };
        for host in [
            "hooks.example.org",
            "HOOKS.example.org",
            "a.clinic.example",
            "a.b.clinic.example",
            "192.0.2.7",
        ] {
            assert!(config.allows_host(host), "{host}");
        }
        for host in [
            "example.org",
            "x.hooks.example.org",
            "clinic.example",
            "evilclinic.example",
            "192.0.2.70",
            "",
        ] {
            assert!(!config.allows_host(host), "{host}");
        }
        assert!(!FeedConfig::default().allows_host("hooks.example.org"));
        for text in ["", "*", "*.", "https://a", "a:443", "a/b", "A.example", "a b", ".a"] {
            assert!(!is_host(text), "{text}");
        }
    }
}
