//! A receiver of webhooks that can fail in every way, and remembers what came in which order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the receiver does with a delivery.
pub enum Reaction {
    /// Answers with this status, and further lines of the head.
    Answer(u16, &'static str),
    /// Says nothing until the sender has given up.
    Hang,
    /// Closes the connection.
    Break,
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub raw: Vec<u8>,
    pub body: Value,
}

/// What happened, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    Came(u64),
    Acknowledged(u64),
}

type React = dyn Fn(&Delivery, usize) -> Reaction + Send + Sync;

struct Shared {
    react: Box<React>,
    deliveries: Mutex<Vec<Delivery>>,
    happened: Mutex<Vec<Happened>>,
    is_over: AtomicBool,
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    /// One that reacts to each delivery, and the number of those before it.
    pub fn start(react: impl Fn(&Delivery, usize) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            react: Box::new(react),
            deliveries: Mutex::default(),
            happened: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || serve(&shared, stream.unwrap()));
            }
        });
        Self { port, shared }
    }

    /// One that takes everything.
    pub fn taking() -> Self {
        Self::start(|_, _| Reaction::Answer(200, ""))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().unwrap().clone()
    }

    pub fn happened(&self) -> Vec<Happened> {
        self.shared.happened.lock().unwrap().clone()
    }

    /// How many deliveries have come.
    pub fn came(&self) -> usize {
        self.shared.deliveries.lock().unwrap().len()
    }

    /// Waits until so many deliveries have come.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Delivery> {
        wait_for(&format!("{count} deliveries"), || (self.came() >= count).then_some(()));
        self.deliveries()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Delivery {
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map_or("", |(_, value)| value.as_str())
    }

    /// The position of a webhook; 0: it is something else.
    pub fn position(&self) -> u64 {
        let cloud = || self.body["id"].as_str()?.parse().ok();
        self.body["position"].as_u64().or_else(cloud).unwrap_or_default()
    }

    /// Which of some secrets have signed it, by a computation of its own; each signature is by one of them.
    #[track_caller]
    pub fn signed_by(&self, secrets: &[&str]) -> Vec<usize> {
        let of = |secret: &&str| {
            let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let head =
                format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
            let tag = hmac_sha256(&key, &[head.as_bytes(), &self.raw].concat());
            format!("v1,{}", STANDARD.encode(tag))
        };
        let expected: Vec<String> = secrets.iter().map(of).collect();
        let signatures = self.header("webhook-signature").split(' ');
        let number = |text: &str| expected.iter().position(|known| known == text);
        signatures.map(|text| number(text).unwrap_or_else(|| panic!("{text} by nobody"))).collect()
    }
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn serve(shared: &Shared, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(delivery) = read(&mut reader) {
        let position = delivery.position();
        let number = {
            let mut deliveries = shared.deliveries.lock().unwrap();
            deliveries.push(delivery.clone());
            shared.happened.lock().unwrap().push(Happened::Came(position));
            deliveries.len() - 1
        };
        match (shared.react)(&delivery, number) {
            Reaction::Answer(status, lines) => {
                if (200..300).contains(&status) {
                    shared.happened.lock().unwrap().push(Happened::Acknowledged(position));
                }
                let answer = format!("HTTP/1.1 {status} x\r\n{lines}content-length: 2\r\n\r\nok");
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Reaction::Hang => {
                let _ = reader.read(&mut [0]);
                return;
            }
            Reaction::Break => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Delivery> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut raw = vec![0; length];
    reader.read_exact(&mut raw).ok()?;
    let body = if raw.is_empty() { Value::Null } else { serde_json::from_slice(&raw).unwrap() };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    Some(Delivery { method, path, headers, raw, body })
}
