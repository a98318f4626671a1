//! Where and how events are published to NATS.

use std::net::IpAddr;
use std::str::FromStr;

use super::{NoTarget, SiemHost};

/// The part `[nats]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsConfig {
    /// Servers of one cluster: see [`NatsServer`]. Without any, nothing is published.
    pub servers: Vec<String>,
    /// Whether servers of other machines may be reached in the clear.
    pub insecure: bool,
    /// Name of the stream.
    pub stream: String,
    /// The second token of all subjects.
    pub tenant: String,
    /// Whether a stream that is not there is made.
    pub create_stream: bool,
    /// Replicas of one that is made.
    pub replicas: usize,
    /// Seconds for which one that is made knows the ids of messages.
    pub duplicate_window_seconds: u64,
    /// Whether a new stream gets what the log holds already.
    pub from_start: bool,
    /// Under which scopes events are published.
    pub scopes: String,
    /// Which events are wanted, as the query of the pull feed.
    pub filter: String,
    /// The form of what is published.
    pub form: NatsForm,
    /// File with a JWT and a seed, as `nsc` writes them.
    pub credentials_file: Option<String>,
    /// File with the seed of an NKey.
    pub nkey_file: Option<String>,
    /// Name of a user.
    pub user: Option<String>,
    /// File with the password of that user.
    pub password_file: Option<String>,
    /// File with the certificates of the authorities that servers are certified by, as PEM; `None`: the public ones.
    pub ca_file: Option<String>,
    /// File with the certificate that is shown to servers, as PEM.
    pub certificate_file: Option<String>,
    /// File with its private key, as PEM.
    pub key_file: Option<String>,
}

/// The form of what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NatsForm {
    /// As the pull feed tells events.
    Json,
    /// CloudEvents 1.0, structured.
    CloudEvents,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            insecure: false,
            stream: "chartlog".to_owned(),
            tenant: "default".to_owned(),
            create_stream: false,
            replicas: 1,
            duplicate_window_seconds: 120,
            from_start: false,
            scopes: String::new(),
            filter: String::new(),
            form: NatsForm::Json,
            credentials_file: None,
            nkey_file: None,
            user: None,
            password_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

/// A server: `tls://HOST:PORT`, or `nats://HOST:PORT` in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsServer {
    /// Whether TLS is demanded.
    pub is_secure: bool,
    /// Where it is.
    pub host: SiemHost,
}

impl FromStr for NatsServer {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let (scheme, place) = text.split_once("://").ok_or(NoTarget)?;
        let is_secure = match scheme {
            "tls" => true,
            "nats" => false,
            _ => return Err(NoTarget),
        };
        Ok(Self { is_secure, host: place.parse()? })
    }
}

impl NatsServer {
    /// Whether what is sent to it can be read on the way by other machines.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let name = self.host.name.as_str();
        let is_here = name == "localhost"
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        !self.is_secure && !is_here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_read_and_know_whether_they_are_exposed() {
        for (text, is_exposed) in [
            ("nats://127.0.0.1:4222", false),
            ("nats://localhost:4222", false),
            ("nats://[::1]:4222", false),
            ("tls://nats.example.org:4222", false),
            ("nats://nats.example.org:4222", true),
            ("nats://10.0.0.7:4222", true),
        ] {
            assert_eq!(text.parse::<NatsServer>().unwrap().is_exposed(), is_exposed, "{text}");
        }
        for text in ["", "nats.example.org:4222", "nats://a", "ws://a:1", "nats://user:word@a:1"] {
            assert!(text.parse::<NatsServer>().is_err(), "{text}");
        }
    }
}
