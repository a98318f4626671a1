//! The real program in a process of its own, and a client for it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chartlog::auth::{LocalIssuer, TokenRequest};
use chartlog::clock::Instant;
use chartlog::engine::read_local_issuer_secret;
use serde_json::Value;

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    pub base: String,
    pub token: String,
}

/// Status, headers of interest and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Server {
    /// Starts the program on a data directory and waits until it listens.
    pub fn start(data: &Path, settings: &[&str]) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_chartlog")), data, settings)
    }

    /// The same, by a command that ends in the program's name.
    pub fn launch(mut command: Command, data: &Path, settings: &[&str]) -> Self {
        // Variables of the tests are none of the program's.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHARTLOG_") {
                command.env_remove(name);
            }
        }
        command.current_dir(data.parent().unwrap()).args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--workers", "2", "--log-filter", "error", "--data"]).arg(data);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the server ended before it listened").unwrap();
            if let Some(base) = line.strip_prefix("listening on ") {
                break base.to_owned();
            }
        };
        let token = token(data);
        Self { process, base, token }
    }

    /// Ends the process at once: SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn client(&self) -> Client {
        Client::new(self.base.clone(), self.token.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A token signed with the store's own key.
fn token(data: &Path) -> String {
    let issuer = LocalIssuer::new(read_local_issuer_secret(data).unwrap());
    let request = TokenRequest {
        subject: "tester".to_owned(),
        scope: "system/*.cruds system/AuditEvent.rs".to_owned(),
        patient: None,
        audience: "chartlog".to_owned(),
        ttl_seconds: 12 * 3_600,
        ..TokenRequest::default()
    };
    issuer.sign(&request, Instant::now().seconds()).unwrap()
}

/// One thread's way to speak to a server.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    pub fn new(base: String, token: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.into(), base, token }
    }

    /// Sends a request. `None`: no answer came, so the outcome is unknown.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Option<Answer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.unwrap_or_default().to_owned()).unwrap();
        let mut response = match body {
            Some(_) => self.agent.run(request).ok()?,
            None => self.agent.run(request.map(|_| ())).ok()?,
        };
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let (retry_after, location) = (header("retry-after"), header("location"));
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_string().ok()?;
        Some(Answer { status, retry_after, location, body })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).expect("an answer")
    }

    pub fn put(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        self.send("PUT", path, headers, Some(body))
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
        self.send("POST", path, headers, Some(body))
    }
}

/// An Observation about a patient, whose value is a number.
pub fn observation(id: &str, patient: &str, value: u64) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}},"valueInteger":{value}}}"#
    )
}

/// The id and version in a Location header.
pub fn located(location: &str) -> (String, u64) {
    let (resource, version) = location.split_once("/_history/").unwrap();
    let (_, id) = resource.rsplit_once('/').unwrap();
    (id.to_owned(), version.parse().unwrap())
}
