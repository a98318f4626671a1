//! Readers of an answer that comes in chunks and has no end, as cheap as clients can be that look at every line.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::turn;

/// Asks for an answer without an end, and reads its head.
pub fn open(address: SocketAddr, path: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {token}\r\naccept: application/x-ndjson\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of an answer");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Many who read an answer without an end, all on one thread and into one buffer.
pub struct Readers {
    thread: JoinHandle<Vec<Reader>>,
    /// The position up to which all are to read.
    until: Arc<AtomicU64>,
}

impl Readers {
    pub fn start(address: SocketAddr, path: &str, token: &str, count: usize) -> Self {
        let streams: Vec<TcpStream> = (0..count).map(|_| open(address, path, token)).collect();
        let until = Arc::new(AtomicU64::new(u64::MAX));
        let goal = Arc::clone(&until);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let work = tokio::task::LocalSet::new();
            work.block_on(&runtime.expect("a runtime"), Self::read(streams, goal))
        });
        Self { thread, until }
    }

    async fn read(streams: Vec<TcpStream>, goal: Arc<AtomicU64>) -> Vec<Reader> {
        let buffer = Rc::new(RefCell::new(vec![0; 256 << 10]));
        let readers: Vec<_> = streams.iter().map(|_| Rc::new(RefCell::default())).collect();
        for (stream, reader) in streams.into_iter().zip(&readers) {
            let (buffer, reader) = (Rc::clone(&buffer), Rc::<RefCell<Reader>>::clone(reader));
            stream.set_nonblocking(true).expect("a stream that does not block");
            let stream = tokio::net::TcpStream::from_std(stream).expect("a stream");
            tokio::task::spawn_local(async move {
                loop {
                    stream.readable().await.expect("a stream");
                    let mut buffer = buffer.borrow_mut();
                    match stream.try_read(&mut buffer) {
                        Ok(0) => panic!("the answer has ended"),
                        Ok(read) => reader.borrow_mut().add(&buffer[..read]),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                    }
                }
            });
        }
        let begun = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let goal = goal.load(Ordering::Relaxed);
            if readers.iter().all(|reader| reader.borrow().last >= goal) {
                return readers.iter().map(|reader| reader.take()).collect();
            }
            assert!(begun.elapsed() < turn() + Duration::from_secs(60), "not all events come");
        }
    }

    /// Stops when all have read up to a position.
    pub fn end(self, position: u64) -> Vec<Reader> {
        self.until.store(position, Ordering::Relaxed);
        self.thread.join().expect("the readers")
    }
}

/// What one has read of an answer in chunks, with an event on each line.
#[derive(Debug, Default)]
pub struct Reader {
    pub bytes: u64,
    /// Lines.
    pub count: u64,
    /// Positions.
    pub first: Option<u64>,
    pub last: u64,
    /// The beginning of the line that is not complete.
    line: Vec<u8>,
    /// Bytes of the chunk that are still to come.
    chunk: usize,
    /// The line before a chunk, as far as it has come.
    size: Vec<u8>,
}

impl Reader {
    /// Bytes at the beginning of a line that have its position.
    const HEAD: usize = 40;

    fn add(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.chunk > 0 {
                let (lines, rest) = bytes.split_at(self.chunk.min(bytes.len()));
                self.chunk -= lines.len();
                bytes = rest;
                self.add_lines(lines);
                continue;
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            self.size.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.size.ends_with(b"\n") {
                // One that is empty ends the chunk before.
                let size = std::str::from_utf8(&self.size).expect("a size").trim();
                if !size.is_empty() {
                    self.chunk = usize::from_str_radix(size, 16).expect("a size");
                }
                self.size.clear();
            }
        }
    }

    fn add_lines(&mut self, bytes: &[u8]) {
        let head_of = |bytes: &[u8]| bytes[..bytes.len().min(Self::HEAD)].to_vec();
        let Some(end) = memchr::memrchr(b'\n', bytes) else {
            if self.line.len() < Self::HEAD {
                self.line.extend(head_of(bytes));
            }
            return;
        };
        let begun = [std::mem::take(&mut self.line), head_of(bytes)].concat();
        self.line = head_of(&bytes[end + 1..]);
        if self.count == 0 {
            self.first = position(&begun);
        }
        let last = match memchr::memrchr(b'\n', &bytes[..end]) {
            Some(start) => position(&bytes[start + 1..end]),
            None => position(&begun),
        };
        self.last = last.unwrap_or(self.last);
        self.count += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }
}

/// Where the event on a line is.
fn position(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"position\":")?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
