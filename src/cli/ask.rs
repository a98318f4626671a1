//! Asking a server: `GET` requests with a token, and what is said when one is refused.

use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use super::agent::Way;
use super::{Failure, Secret};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time until the answer begins.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// Most bytes of an error.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// Most bytes of an answer that is read as a whole.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A server that is asked.
#[allow(missing_debug_implementations)] // It holds a token.
pub struct Asked {
    agent: Agent,
    base: String,
    token: Secret,
}

impl Asked {
    /// The server at that address.
    pub fn new(server: &str, token: &Secret, way: &Way) -> Self {
        let agent = way.agent(|config| {
            config
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .timeout_recv_response(Some(ANSWER_TIMEOUT))
        });
        Self { agent, base: server.trim_end_matches('/').to_owned(), token: token.clone() }
    }

    /// An answer with status 200, to be read as it comes.
    ///
    /// # Errors
    ///
    /// [`Failure`]: no answer, or another one.
    pub fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
    ) -> Result<Response<Body>, Failure> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).query_pairs(query.iter().copied());
        let authorization = format!("Bearer {}", self.token.expose());
        let request = request.header("accept", accept).header("authorization", authorization);
        let answer = request.call();
        let mut answer = answer.map_err(|error| Failure::failed(format!("{url}: {error}")))?;
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(answer);
        }
        let body = answer.body_mut().with_config().limit(TEXT_BYTES_MAX).read_to_vec();
        let problem: serde_json::Value =
            serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
        let detail = problem.get("detail").and_then(|detail| detail.as_str());
        let detail = detail.unwrap_or("this is not the address of a chartlog server");
        Err(Failure::failed(format!("{url}: status {status}: {detail}")))
    }

    /// A whole answer in JSON.
    ///
    /// # Errors
    ///
    /// As [`Asked::get`]; it is too large, or breaks off.
    pub fn json(&self, path: &str, query: &[(&str, &str)]) -> Result<String, Failure> {
        let mut answer = self.get(path, query, "application/json")?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        body.map_err(|error| Failure::failed(format!("{}{path}: {error}", self.base)))
    }
}
