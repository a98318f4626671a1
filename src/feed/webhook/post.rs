//! Sending, by HTTP.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::Agent;
use ureq::http::HeaderMap;
use ureq::unversioned::transport::DefaultConnector;

use super::Target;
use super::address::CheckedResolver;
use crate::clock::Instant;
use crate::config::FeedConfig;

/// What this server calls itself.
const USER_AGENT: &str = concat!("chartlog/", env!("CARGO_PKG_VERSION"));
/// How much of an answer is read, to use the connection again.
const ANSWER_BYTES_MAX: u64 = 16 << 10;
/// Longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// How something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// What is sent.
#[derive(Debug)]
pub struct Shipment<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub target: &'a Target,
    /// With what.
    pub headers: &'a [(&'a str, String)],
    /// What.
    pub body: &'a [u8],
    /// For how long at most, if that is less than what is configured.
    pub timeout: Option<Duration>,
}

/// Sends requests, and keeps connections.
#[derive(Debug)]
pub struct Poster {
    agent: Agent,
    /// Longest time for one request.
    timeout: Duration,
}

impl Poster {
    /// Sends as the configuration says.
    #[must_use]
    pub fn new(config: &FeedConfig) -> Self {
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would look the name up once more, unchecked.
            .proxy(None)
            .user_agent(USER_AGENT)
            .build();
        let resolver = CheckedResolver::new(config.networks());
        let agent = Agent::with_parts(settings, DefaultConnector::default(), resolver);
        Self { agent, timeout: Duration::from_secs(config.webhook_timeout_seconds) }
    }

    /// Sends something; waits for the answer.
    ///
    /// # Errors
    ///
    /// Why there was none. It does not name the address.
    pub fn send(&self, shipment: &Shipment<'_>) -> Result<Answer, &'static str> {
        let Shipment { method, target, headers, body, timeout } = *shipment;
        let mut request = match method {
            Method::Post => self.agent.post(target.as_str()),
            Method::Put => self.agent.put(target.as_str()),
        };
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let most = timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout));
        let request = request.config().timeout_global(Some(most)).build();
        let mut response = request.send(body).map_err(|error| reason(&error))?;
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers(), Instant::now()),
        };
        // What it says beside the status is of no interest; unread, the connection could not be used again.
        let _ = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(answer)
    }
}

fn reason(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "there is no such host",
        ureq::Error::ConnectionFailed => "the connection failed",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "no secure connection",
        ureq::Error::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
            "the host has no address that may be connected to: it is not public, and feed.webhook_networks does not \
             allow it"
        }
        ureq::Error::Io(_) => "the connection broke or was refused",
        _ => "the request failed",
    }
}

/// In seconds, or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: Instant) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            u64::try_from(date.timestamp() - now.seconds()).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_to_come_again_in_seconds_or_as_a_date() {
        let now = Instant::parse("2026-11-29T15:00:00Z").unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 29 Nov 2026 15:01:00 GMT", Some(60)),
            ("Sun, 29 Nov 2026 14:00:00 GMT", Some(0)),
            ("99999999", Some(86_400)),
            ("soon", None),
            ("-5", None),
        ] {
            let headers =
                HeaderMap::from_iter([("retry-after".parse().unwrap(), text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
