//! A running server as what a backup is taken from.

use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;

use super::super::Secret;
use super::super::agent::Way;
use crate::backup::{BackupError, Manifest, STRETCH_BYTES_MAX, Source};
use crate::log::LogKind;

/// How often a request is sent before the backup gives up.
const ATTEMPTS_MAX: u32 = 6;
/// Wait before the second attempt; doubles with each.
const WAIT_MS_MIN: u64 = 250;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// Most bytes of a description or of an error.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// A running server.
#[allow(missing_debug_implementations)] // It holds a token.
pub struct ServerSource {
    agent: Agent,
    base: String,
    authorization: String,
}

impl ServerSource {
    /// The one at that address.
    pub fn new(url: &str, token: &Secret, way: &Way) -> Self {
        let agent = way.agent(|config| {
            config.timeout_connect(Some(CONNECT_TIMEOUT)).timeout_global(Some(ANSWER_TIMEOUT))
        });
        let authorization = format!("Bearer {}", token.expose());
        Self { agent, base: url.trim_end_matches('/').to_owned(), authorization }
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, BackupError> {
        let mut last = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                // The server is busy or unreachable for a moment; there is nothing else to do.
                #[allow(clippy::disallowed_methods)]
                std::thread::sleep(Duration::from_millis(WAIT_MS_MIN << attempt));
            }
            match self.attempt(path) {
                Ok((200, body)) => return Ok(body),
                Ok((status @ (429 | 503), body)) => last = said(status, &body),
                Ok((status, body)) => return Err(self.failed(path, &said(status, &body))),
                Err(error) => last = error,
            }
        }
        Err(self.failed(path, &last))
    }

    fn attempt(&self, path: &str) -> Result<(u16, Vec<u8>), String> {
        let answer = self.agent.get(format!("{}{path}", self.base));
        let answer = answer.header("authorization", &self.authorization).call();
        let mut answer = answer.map_err(|error| error.to_string())?;
        let most = STRETCH_BYTES_MAX.max(TEXT_BYTES_MAX);
        let body = answer.body_mut().with_config().limit(most).read_to_vec();
        Ok((answer.status().as_u16(), body.map_err(|error| error.to_string())?))
    }

    fn failed(&self, path: &str, why: &str) -> BackupError {
        BackupError::Server(format!("{}{path}: {why}", self.base))
    }
}

/// Status and, if it is a problem of RFC 9457, what it says.
fn said(status: u16, body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem.get("detail").and_then(|detail| detail.as_str());
    match (status, detail) {
        (403, Some(detail)) => {
            format!("status 403: {detail}; the token needs the scope system/Backup.r")
        }
        (_, Some(detail)) => format!("status {status}: {detail}"),
        (_, None) => format!("status {status}: this is not the address of a chartlog server"),
    }
}

impl Source for ServerSource {
    fn manifest(&mut self) -> Result<Manifest, BackupError> {
        let text = self.get("/v1/backup")?;
        Manifest::parse(&text, &format!("{}/v1/backup", self.base))
    }

    fn stretch(
        &self,
        kind: LogKind,
        segment: u32,
        from: u64,
        to: u64,
    ) -> Result<Vec<u8>, BackupError> {
        let path = format!("/v1/backup/{}/{segment}?from={from}&to={to}", kind.name());
        let bytes = self.get(&path)?;
        if bytes.len() as u64 == to - from {
            Ok(bytes)
        } else {
            Err(self.failed(&path, &format!("{} bytes came", bytes.len())))
        }
    }

    fn name(&self, kind: LogKind) -> PathBuf {
        format!("{}/v1/backup/{}", self.base, kind.name()).into()
    }
}
