//! Sending a Bundle: patient with a busy server and a broken connection, with the same key.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;

use super::super::agent::Way;
use super::super::{Failure, Secret};
use super::answer::Answer;
use super::request::Request;

/// How often one request is sent before the import gives up.
const ATTEMPTS_MAX: u32 = 8;
/// Wait before the second attempt; doubles with each, up to the longest.
const WAIT_MS_MIN: u64 = 250;
const WAIT_MS_MAX: u64 = 15_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a server to work on one Bundle.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(10);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// One connection to a server.
#[allow(missing_debug_implementations)] // It holds a token.
pub struct Client {
    agent: Agent,
    base: String,
    authorization: String,
}

impl Client {
    /// As many clients as wanted, once the server has answered.
    ///
    /// # Errors
    ///
    /// [`Failure`]: there is no FHIR server.
    pub fn several(
        count: usize,
        url: &str,
        token: &Secret,
        way: &Way,
    ) -> Result<Vec<Self>, Failure> {
        let client = || {
            let agent = way.agent(|config| {
                config
                    .timeout_connect(Some(CONNECT_TIMEOUT))
                    .timeout_recv_response(Some(ANSWER_TIMEOUT))
            });
            let url = url.trim_end_matches('/');
            Self {
                agent,
                base: url.strip_suffix("/fhir").unwrap_or(url).to_owned(),
                authorization: format!("Bearer {}", token.expose()),
            }
        };
        let clients: Vec<_> = std::iter::repeat_with(client).take(count).collect();
        clients.first().map_or(Ok(()), Self::greet)?;
        Ok(clients)
    }

    fn greet(&self) -> Result<(), Failure> {
        let address = format!("{}/fhir/metadata", self.base);
        let status = self.agent.get(&address).call().map(|answer| answer.status().as_u16());
        match status {
            Ok(200) => Ok(()),
            Ok(status) => Err(Failure::failed(format!(
                "{address} answers {status}: there is no FHIR server at this address"
            ))),
            Err(error) => Err(Failure::failed(format!("{address}: {error}"))),
        }
    }

    /// Status of reading one resource.
    ///
    /// # Errors
    ///
    /// [`Failure`]: no answer.
    pub fn status_of(&self, address: &str) -> Result<u16, Failure> {
        let url = format!("{}/fhir/{address}", self.base);
        let answer = self.agent.get(&url).header("authorization", &self.authorization).call();
        answer.map(|answer| answer.status().as_u16()).map_err(Failure::failed)
    }

    /// Sends a request until there is an answer to each of its parts.
    ///
    /// # Errors
    ///
    /// [`Failure`]: the token is not accepted, the server is unreachable or too busy for too long.
    pub fn send(&self, request: &Request, stopped: impl Fn() -> bool) -> Result<Answer, Failure> {
        let mut last = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            if stopped() {
                return Err(gave_up("interrupted"));
            }
            let after = match self.attempt(request) {
                Ok((401, answer, _)) => {
                    let why = answer.whole.map(|refused| refused.diagnostics).unwrap_or_default();
                    return Err(gave_up(&format!("the token is not accepted: {why}")));
                }
                Ok((status, answer, after)) if answer.is_to_be_repeated() => {
                    last = format!("the server could not take it yet (status {status})");
                    if attempt + 1 == ATTEMPTS_MAX && answer.is_of_a_working_server() {
                        return Ok(answer);
                    }
                    after
                }
                Ok((_, answer, _)) => return Ok(answer),
                Err(error) => {
                    last = error;
                    None
                }
            };
            let doubled = WAIT_MS_MIN.saturating_mul(1 << attempt).min(WAIT_MS_MAX);
            // The server asked to wait; this thread has nothing else to do.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(after.unwrap_or(Duration::from_millis(doubled)));
        }
        Err(gave_up(&last))
    }

    /// Status, answer, and how long the server asks to wait.
    fn attempt(&self, request: &Request) -> Result<(u16, Answer, Option<Duration>), String> {
        let answer = self
            .agent
            .post(format!("{}/fhir", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/fhir+json")
            .header("idempotency-key", &request.key)
            .header("prefer", "return=OperationOutcome")
            .send(request.body.as_slice());
        let mut answer = answer.map_err(|error| format!("{}: {error}", self.base))?;
        let (status, after) = (answer.status().as_u16(), retry_after(&answer));
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| format!("{}: {error}", self.base))?;
        Ok((status, Answer::read(status, body, request), after))
    }
}

fn retry_after<B>(answer: &Response<B>) -> Option<Duration> {
    let seconds = answer.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(Duration::from_millis(WAIT_MS_MAX)))
}

fn gave_up(why: &str) -> Failure {
    Failure::failed(format!(
        "the import stopped half-way: {why}; the same command takes it up again and stores nothing twice"
    ))
}
