//! A small HTTP/1.1 client that sends exactly what it is told to, one request per connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest wait for an answer; only a server that hangs lets a test run into it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request for a target, written as it is into the request line.
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { address, method, target, headers: Vec::new(), body: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends these bytes, without saying what they are.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends this text as JSON, whether it is or not.
    pub fn text(self, body: impl Into<String>) -> Self {
        self.header("content-type", "application/json").bytes(body.into())
    }

    /// Sends this value as JSON.
    pub fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// The bytes of the request, and to where they go.
    pub fn written(self) -> (SocketAddr, Vec<u8>) {
        let mut out = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.method, self.target, self.address
        );
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.unwrap_or_default();
        let has_length =
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !has_length && (!body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT")) {
            out.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&body);
        (self.address, bytes)
    }

    /// Sends the request and reads the whole answer.
    #[track_caller]
    pub fn send(self) -> Response {
        let (method, target) = (self.method.clone(), self.target.clone());
        let (address, bytes) = self.written();
        let answer = raw_exchange(address, &bytes);
        Response::parse(&answer, &method)
            .unwrap_or_else(|| panic!("no answer to {method} {target}"))
    }
}

/// Writes these bytes and reads a whole answer, or until the server closes the connection.
pub fn raw_exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the server accepts connections");
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
    // A server that has already refused a large body may close before it was read.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
        if is_whole(&answer) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    answer
}

/// Whether as much has come as the answer's `Content-Length` says.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    // An answer to HEAD has no body: the end of the connection ends it.
    length.is_some_and(|length| length.parse() == Ok(answer.len() - end - 4))
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Reads an answer; `None` when the bytes are not a whole one.
    pub fn parse(bytes: &[u8], method: &str) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut response = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if response.header("transfer-encoding") == Some("chunked") && method != "HEAD" {
            response.body = unchunked(&response.body)?;
        } else if let Some(length) = response.header("content-length")
            && method != "HEAD"
            && status != 304
        {
            assert_eq!(length.parse(), Ok(response.body.len()), "the body is not whole");
        }
        Some(response)
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The same, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts that this is an OperationOutcome with that status, and that its text names all of
    /// `words`. Behind the errors of a validation may stand warnings.
    #[track_caller]
    pub fn refused(self, status: u16, words: &[&str]) -> Self {
        let response = self.expect(status);
        assert_eq!(response.header("content-type"), Some("application/fhir+json"));
        let outcome = response.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
        let issues = outcome["issue"].as_array().expect("an outcome has issues");
        assert_eq!(outcome["issue"][0]["severity"], "error", "{outcome}");
        for issue in issues {
            let is_warning = status == 200 && issue["severity"] == "warning";
            assert!(is_warning || issue["severity"] == "error", "{outcome}");
            assert!(issue["code"].is_string() && issue["diagnostics"].is_string(), "{outcome}");
        }
        response.names(words)
    }

    /// Asserts that these are problem details with that status, and that their text names all of
    /// `words`.
    #[track_caller]
    pub fn problem(self, status: u16, words: &[&str]) -> Self {
        let response = self.expect(status);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem = response.json();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        response.names(words)
    }

    #[track_caller]
    fn names(self, words: &[&str]) -> Self {
        let text = serde_json::to_string(&self.json()).unwrap().replace(r#"\""#, "\"");
        for word in words {
            assert!(text.contains(word), "{word:?} is not named: {text}");
        }
        self
    }
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}
