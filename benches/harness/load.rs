//! A load generator for HTTP/1.1: some connections, each of which sends a request when the answer to
//! the one before is complete.
//!
//! One thread carries all connections. It does the same system calls per request as `wrk` and
//! little else: an answer's head is searched for its status and its length.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests as bytes; connection `n` starts at the n-th part of them and goes round.
pub type Requests = Arc<Vec<Vec<u8>>>;

/// The bytes of a GET.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// The bytes of a POST of JSON.
pub fn post(path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    with_body("POST", path, token, body)
}

/// The bytes of a PUT of JSON.
pub fn put(path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    with_body("PUT", path, token, body)
}

fn with_body(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/fhir+json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Sends requests for some time; how many were answered, and in what time.
pub fn for_time(
    address: SocketAddr,
    connections: usize,
    requests: &Requests,
    turn: Duration,
) -> (u64, Duration) {
    let requests = Arc::clone(requests);
    alone(async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await);
        }
        let started = Instant::now();
        let tasks = open.into_iter().enumerate().map(|(at, mut connection)| {
            let requests = Arc::clone(&requests);
            let first = at * requests.len() / connections;
            tokio::spawn(async move {
                let mut answers = 0u64;
                for request in requests.iter().cycle().skip(first) {
                    if started.elapsed() >= turn {
                        break;
                    }
                    connection.exchange(request).await;
                    answers += 1;
                }
                answers
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut answers = 0;
        for task in tasks {
            answers += task.await.expect("a connection");
        }
        (answers, started.elapsed())
    })
}

/// Sends each queue over a connection of its own; the time until all is answered.
pub fn to_the_end(address: SocketAddr, queues: Vec<Vec<Vec<u8>>>) -> Duration {
    alone(async move {
        let mut open = Vec::new();
        for queue in queues {
            open.push((Connection::open(address).await, queue));
        }
        let started = Instant::now();
        let tasks = open.into_iter().map(|(mut connection, queue)| {
            tokio::spawn(async move {
                for request in &queue {
                    connection.exchange(request).await;
                }
                queue
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut sent = Vec::new();
        for task in tasks {
            sent.push(task.await.expect("a connection"));
        }
        started.elapsed()
    })
}

/// Sends requests over one connection, one by one; the seconds that each took.
pub fn one_by_one(address: SocketAddr, requests: Vec<Vec<u8>>) -> Vec<f64> {
    alone(async move {
        let mut connection = Connection::open(address).await;
        let mut times = Vec::with_capacity(requests.len());
        for request in &requests {
            let started = Instant::now();
            connection.exchange(request).await;
            times.push(started.elapsed().as_secs_f64());
        }
        times
    })
}

/// Sends requests for some time, each connection with a pause between two; the seconds that each took.
pub fn paced(
    address: SocketAddr,
    connections: usize,
    requests: &Requests,
    pause: Duration,
    turn: Duration,
) -> Vec<f64> {
    let requests = Arc::clone(requests);
    alone(async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await);
        }
        let begun = Instant::now();
        let tasks = open.into_iter().enumerate().map(|(at, mut connection)| {
            let requests = Arc::clone(&requests);
            let first = at * requests.len() / connections;
            tokio::spawn(async move {
                let mut times = Vec::new();
                for request in requests.iter().cycle().skip(first) {
                    if begun.elapsed() >= turn {
                        break;
                    }
                    let started = Instant::now();
                    connection.exchange(request).await;
                    times.push(started.elapsed().as_secs_f64());
                    tokio::time::sleep(pause).await;
                }
                times
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("a connection"));
        }
        times
    })
}

/// What came of a request: its status, whether it says when to come again, and the seconds that it took.
pub struct Outcome {
    pub status: u16,
    pub says_when: bool,
    pub seconds: f64,
}

/// Offers so many requests a second for some time, whatever is answered: a connection that waits for its answer when it
/// is its turn catches up later.
pub fn offered(
    address: SocketAddr,
    connections: usize,
    requests: &Requests,
    per_second: f64,
    turn: Duration,
) -> Vec<Outcome> {
    let requests = Arc::clone(requests);
    let pause = Duration::from_secs_f64(connections as f64 / per_second);
    alone(async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await);
        }
        let begun = tokio::time::Instant::now();
        let tasks = open.into_iter().enumerate().map(|(number, mut connection)| {
            let requests = Arc::clone(&requests);
            let first = begun + pause.mul_f64(number as f64 / connections as f64);
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                let mut ticks = tokio::time::interval_at(first, pause);
                for request in requests.iter().cycle().skip(number * 7 % requests.len()) {
                    ticks.tick().await;
                    if begun.elapsed() >= turn {
                        break;
                    }
                    let started = Instant::now();
                    connection.ask(request).await;
                    outcomes.push(connection.outcome(started));
                }
                outcomes
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.extend(task.await.expect("a connection"));
        }
        outcomes
    })
}

/// Sends requests for some time, each connection one in each pause; what each was called, and when it was answered.
pub fn at_a_pace(
    address: SocketAddr,
    connections: usize,
    request: impl Fn(usize, usize) -> (String, Vec<u8>) + Send + Sync + 'static,
    pause: Duration,
    turn: Duration,
) -> Vec<(String, Instant)> {
    let request = Arc::new(request);
    alone(async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await);
        }
        let begun = Instant::now();
        let tasks = open.into_iter().enumerate().map(|(number, mut connection)| {
            let request = Arc::clone(&request);
            tokio::spawn(async move {
                let mut answers = Vec::new();
                let mut ticks = tokio::time::interval(pause);
                for at in 0.. {
                    ticks.tick().await;
                    if begun.elapsed() >= turn {
                        break;
                    }
                    let (name, bytes) = request(number, at);
                    connection.exchange(&bytes).await;
                    answers.push((name, Instant::now()));
                }
                answers
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.extend(task.await.expect("a connection"));
        }
        answers
    })
}

/// Runs on a thread of its own, and ends with it.
fn alone<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work)
    };
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(run);
    thread.expect("a thread").join().expect("the load generator")
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self { stream, buffer: Vec::with_capacity(64 << 10) }
    }

    /// Sends a request and reads the whole answer, which must be a good one.
    async fn exchange(&mut self, request: &[u8]) {
        self.ask(request).await;
        let answer = String::from_utf8_lossy(&self.buffer);
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    /// What the answer in the buffer is, to what was sent then.
    fn outcome(&self, started: Instant) -> Outcome {
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        let status = status.and_then(|digits| digits.parse().ok()).expect("a status");
        let says_when = self.buffer.windows(15).any(|text| text == b"\r\nretry-after: ");
        Outcome { status, says_when, seconds: started.elapsed().as_secs_f64() }
    }

    /// Sends a request and reads the whole answer, whatever it is.
    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("a request goes out");
        self.buffer.clear();
        let mut length = None;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("an answer comes");
            assert!(read > 0, "the server closed the connection");
            if length.is_none() {
                length = whole(&self.buffer);
            }
            if length.is_some_and(|length| self.buffer.len() >= length) {
                return;
            }
        }
    }
}

/// The length of the answer that begins so, once its head is there.
fn whole(answer: &[u8]) -> Option<usize> {
    const MARK: &[u8] = b"\r\ncontent-length: ";
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mark = answer[..head].windows(MARK.len()).position(|text| text == MARK);
    let digits = answer[mark.expect("a length") + MARK.len()..].iter();
    let body = digits
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Some(head + 4 + body)
}
