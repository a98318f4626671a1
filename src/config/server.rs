//! Where the server listens, and with how many threads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The part `[server]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address under which clients reach the server, where it differs from the one it listens on.
    pub public_url: Option<String>,
    /// File with the certificate chain of the server, if it speaks TLS.
    pub tls_certificate_file: Option<String>,
    /// File with its private key.
    pub tls_key_file: Option<String>,
    /// Whether clients show a certificate of their own.
    pub tls_client_certificates: ClientCertificates,
    /// File with the authorities that certify clients.
    pub tls_client_ca_file: Option<String>,
    /// Threads that serve requests; 0 means one per processor core.
    pub workers: usize,
    /// Addresses and networks of the proxies whose word about a client's address counts.
    pub trusted_proxies: Vec<String>,
    /// The header in which they say it.
    pub proxy_header: ProxyHeader,
    /// Sites whose pages browsers let read answers.
    pub cors_origins: Vec<String>,
    /// Who gets the figures.
    pub metrics: MetricsAccess,
    /// Whether there are the OpenAPI document and its page.
    pub docs: bool,
}

/// Whether clients show a certificate of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// They are not asked for one.
    #[default]
    Off,
    /// They may.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// Who gets the figures, which are asked for without a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsAccess {
    /// Whoever asks.
    #[default]
    Open,
    /// Who asks from the machine of the server.
    Loopback,
    /// Nobody.
    Off,
}

/// Where proxies write which address a request came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A network, or an address that stands for the network of itself alone.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.into()))
}

/// Whether a text is a site as browsers name it in `Origin`: scheme, host, and a port that is not the usual one.
pub(super) fn is_site(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_odd = |letter: char| {
        !letter.is_ascii_lowercase() && !letter.is_ascii_digit() && !"-._:[]".contains(letter)
    };
    let usual = if text.starts_with("https") { ":443" } else { ":80" };
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(':')
            && !rest.contains(is_odd)
            && !rest.ends_with(usual)
    })
}

impl ServerConfig {
    /// The networks of trusted proxies.
    #[must_use]
    pub fn proxy_networks(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|text| network(text)).collect()
    }

    /// Threads that serve requests: at least one.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    /// Address under which clients reach a server that listens on `bound`, without a final slash.
    ///
    /// An unspecified address (`0.0.0.0`, `[::]`) is no address a client could use; the loopback
    /// address stands in for it until `server.public_url` is set.
    #[must_use]
    pub fn base_url(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let reachable = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(reachable, bound.port()))
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls_certificate_file.is_some()
    }

    /// Whether only this machine can reach the address to listen on.
    #[must_use]
    pub fn is_loopback_only(&self) -> bool {
        // An IPv4 address may be written as IPv6 (`::ffff:127.0.0.1`).
        self.listen.ip().to_canonical().is_loopback()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            tls_certificate_file: None,
            tls_key_file: None,
            tls_client_certificates: ClientCertificates::default(),
            tls_client_ca_file: None,
            workers: 0,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            metrics: MetricsAccess::default(),
            docs: true,
            proxy_header: ProxyHeader::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerConfig;

    #[test]
    fn clients_are_told_an_address_they_can_use() {
        let mut server = ServerConfig::default();
        for (bound, expected) in [
            ("127.0.0.1:4711", "http://127.0.0.1:4711"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
        ] {
            assert_eq!(server.base_url(bound.parse().unwrap()), expected);
        }
        server.tls_certificate_file = Some("server.pem".into());
        assert_eq!(server.base_url("[::]:443".parse().unwrap()), "https://[::1]:443");
        server.public_url = Some("https://charts.example.org/r4/".into());
        let bound = "0.0.0.0:80".parse().unwrap();
        assert_eq!(server.base_url(bound), "https://charts.example.org/r4");
    }

    #[test]
    fn there_is_always_a_worker() {
        let mut server = ServerConfig::default();
        assert!(server.worker_count() >= 1);
        server.workers = 3;
        assert_eq!(server.worker_count(), 3);
    }

    #[test]
    fn loopback_is_recognised_in_both_families() {
        for (listen, expected) in [
            ("127.0.0.1:0", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("10.0.0.7:80", false),
        ] {
            let listen = listen.parse().unwrap();
            let server = ServerConfig { listen, ..ServerConfig::default() };
            assert_eq!(server.is_loopback_only(), expected, "{listen}");
        }
    }
}
