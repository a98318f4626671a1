//! Asking an issuer, by HTTP.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::config::is_safe_address;
use crate::disk::{self, RealDisk};

/// Time for a whole answer, and for connecting.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer: a set of the most keys, each with a chain of certificates.
pub const ANSWER_BYTES_MAX: u64 = 512 << 10;
/// What this server calls itself.
const USER_AGENT: &str = concat!("chartlog/", env!("CARGO_PKG_VERSION"));

/// Gets documents from issuers.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: Agent,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::over(RootCerts::WebPki)
    }
}

impl Fetcher {
    /// Believes the authorities in a file, or the public ones.
    ///
    /// # Errors
    ///
    /// What is wrong with that file.
    pub fn new(authorities: Option<&Path>) -> Result<Self, String> {
        let Some(path) = authorities else { return Ok(Self::default()) };
        let wrong =
            |what: &dyn std::fmt::Display| format!("auth.ca_file: {}: {what}", path.display());
        let text = disk::read(&RealDisk, path).map_err(|error| wrong(&error))?;
        let mut certificates = Vec::new();
        for item in parse_pem(&text) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(&error))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(wrong(&"it holds no certificate; it must be PEM"));
        }
        Ok(Self::over(RootCerts::from(certificates.into_iter())))
    }

    fn over(roots: RootCerts) -> Self {
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            // Who may move an issuer's keys elsewhere could as well sign with them.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(ANSWER_TIMEOUT))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(USER_AGENT);
        Self { agent: settings.build().new_agent() }
    }

    /// What stands at an address.
    ///
    /// # Errors
    ///
    /// Why it cannot be had, with the address.
    pub fn get(&self, address: &str) -> Result<Vec<u8>, String> {
        let failed = |what: &str| format!("{address}: {what}");
        if !is_safe_address(address) {
            return Err(failed("it must be an address with https://"));
        }
        let request = self.agent.get(address).header("accept", "application/json");
        read(address, request.call())
    }

    /// What an address answers to a form, from who shows these credentials.
    ///
    /// # Errors
    ///
    /// Why it cannot be had, with the address.
    pub fn post(&self, address: &str, credentials: &str, form: &str) -> Result<Vec<u8>, String> {
        if !is_safe_address(address) {
            return Err(format!("{address}: it must be an address with https://"));
        }
        let request = self.agent.post(address).header("accept", "application/json");
        let request = request.header("authorization", credentials);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        read(address, request.send(form))
    }
}

fn read(address: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<Vec<u8>, String> {
    let failed = |what: &str| format!("{address}: {what}");
    let mut answer = answer.map_err(|error| failed(reason(&error)))?;
    match answer.status().as_u16() {
        200 => {}
        300..400 => return Err(failed("it leads elsewhere, and is not followed")),
        status => return Err(failed(&format!("it answered {status}"))),
    }
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    body.map_err(|error| failed(reason(&error)))
}

fn reason(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "there is no such host",
        ureq::Error::ConnectionFailed => "the connection failed",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "no secure connection",
        // A certificate that is not believed, as it comes out of the handshake.
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => "no secure connection",
        ureq::Error::BodyExceedsLimit(_) => "the answer is too long",
        ureq::Error::Io(_) => "the connection broke or was refused",
        _ => "the request failed",
    }
}
