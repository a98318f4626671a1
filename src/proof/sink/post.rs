//! HTTP, as sinks need it.

use std::time::Duration;

use ureq::Agent;

use super::Address;
use crate::proof::ProofError;

/// Time for a whole delivery, and for connecting.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read: 100 signatures of post-quantum size.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The response.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Sends requests to one server; keeps the connection.
pub struct Poster {
    agent: Agent,
    address: Address,
}

impl Poster {
    pub fn new(address: Address) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(DELIVERY_TIMEOUT));
        Self { agent: config.build().new_agent(), address }
    }

    /// Posts a text to the address, or to a place below it. Messages name only scheme and host.
    pub fn post(&self, below: &str, text: &str) -> Result<Answer, ProofError> {
        let url = format!("{}{below}", self.address.url());
        let failed = |what: &str| ProofError::Delivery(format!("{}: {what}", self.address));
        let request = self.agent.post(&url).header("content-type", "text/plain; charset=utf-8");
        let mut answer = request.send(text).map_err(|error| failed(reason(&error)))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        Ok(Answer { status, body: body.map_err(|_| failed("the answer cannot be read"))? })
    }

    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// An error message that cannot contain the URL.
fn reason(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "there is no such host",
        ureq::Error::ConnectionFailed => "the connection failed",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "no secure connection",
        ureq::Error::Io(_) => "the connection broke or was refused",
        _ => "the request failed",
    }
}
