//! An answer that is read as it comes: its lines, and Server-Sent Events as the HTML standard has them read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Request;

/// Longest wait for a line; only a server that hangs lets a test run into it.
const LINE_TIMEOUT: Duration = Duration::from_secs(60);

/// What comes next in an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Text(String),
    /// The answer is whole.
    End,
    /// The connection ended before the answer did.
    Broken,
}

/// An answer that is read as it comes.
pub struct Stream {
    input: BufReader<TcpStream>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Of the chunk that is being read.
    chunk_left: usize,
    /// Of the line that is being read.
    line: Vec<u8>,
}

impl Stream {
    /// Sends a request and reads the head of its answer; `None`: there is no server, or it goes down.
    pub fn open(request: Request) -> Option<Self> {
        let (address, bytes) = request.written();
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(LINE_TIMEOUT)).unwrap();
        stream.write_all(&bytes).ok()?;
        let mut input = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if input.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let status = head.first()?.split(' ').nth(1)?.parse().ok()?;
        let headers = head.iter().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: Vec<_> = headers.collect();
        Some(Self { input, status, headers, chunk_left: 0, line: Vec::new() })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The next line of the body.
    pub fn line(&mut self) -> Line {
        loop {
            match self.byte() {
                Some(Some(b'\n')) => {
                    let line = std::mem::take(&mut self.line);
                    return Line::Text(String::from_utf8(line).unwrap());
                }
                Some(Some(byte)) => self.line.push(byte),
                Some(None) => {
                    assert!(self.line.is_empty(), "the last line has no end");
                    return Line::End;
                }
                None => return Line::Broken,
            }
        }
    }

    /// The next byte of the body; inside `None`: its end.
    fn byte(&mut self) -> Option<Option<u8>> {
        if self.chunk_left == 0 {
            let mut size = String::new();
            self.input.read_line(&mut size).ok().filter(|read| *read > 0)?;
            self.chunk_left = usize::from_str_radix(size.trim_end(), 16).ok()?;
            if self.chunk_left == 0 {
                return Some(None);
            }
        }
        let mut byte = [0];
        self.input.read_exact(&mut byte).ok()?;
        self.chunk_left -= 1;
        if self.chunk_left == 0 {
            self.input.read_exact(&mut [0; 2]).ok()?;
        }
        Some(Some(byte[0]))
    }
}

/// An event that was dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    pub id: String,
    pub kind: String,
    pub data: String,
}

/// Server-Sent Events: HTML standard, section 9.2.6. Whatever is not a known field is an error here.
pub struct Sse {
    pub stream: Stream,
    /// What a reader sends as `Last-Event-ID` when it connects again.
    pub last_id: String,
    /// Comments that have come so far.
    pub comments: Vec<String>,
    pub retry: Option<u64>,
    buffer: SseEvent,
}

impl Sse {
    pub fn open(request: Request) -> Option<Self> {
        let stream = Stream::open(request.header("accept", "text/event-stream"))?;
        assert_eq!(stream.status, 200, "{:?}", stream.headers);
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        let buffer = SseEvent { id: String::new(), kind: String::new(), data: String::new() };
        let (last_id, comments) = (String::new(), Vec::new());
        Some(Self { stream, last_id, comments, retry: None, buffer })
    }

    /// Goes on behind what another connection has seen: until an id comes, that is the last one.
    pub fn resume(&mut self, last_id: &str) {
        last_id.clone_into(&mut self.last_id);
        last_id.clone_into(&mut self.buffer.id);
    }

    /// The next event that is dispatched; `Err`: how the stream has ended.
    pub fn event(&mut self) -> Result<SseEvent, Line> {
        loop {
            if let Some(event) = self.step()? {
                return Ok(event);
            }
        }
    }

    /// Reads on until a comment has come that begins so, and returns it.
    pub fn comment(&mut self, start: &str) -> String {
        loop {
            if let Some(found) = self.comments.iter().position(|one| one.starts_with(start)) {
                return self.comments.remove(found);
            }
            let step = self.step();
            assert!(matches!(step, Ok(None)), "{step:?} before a comment {start}");
        }
    }

    fn step(&mut self) -> Result<Option<SseEvent>, Line> {
        let line = match self.stream.line() {
            Line::Text(line) => line,
            end => return Err(end),
        };
        if line.is_empty() {
            self.last_id.clone_from(&self.buffer.id);
            let (kind, data) =
                (std::mem::take(&mut self.buffer.kind), std::mem::take(&mut self.buffer.data));
            let id = self.last_id.clone();
            return Ok((!data.is_empty()).then_some(SseEvent { id, kind, data }));
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments.push(value.to_owned()),
            "id" => self.buffer.id = value.to_owned(),
            "event" => self.buffer.kind = value.to_owned(),
            "data" => {
                assert!(self.buffer.data.is_empty(), "an event has one line of data");
                self.buffer.data = value.to_owned();
            }
            "retry" => self.retry = Some(value.parse().unwrap()),
            other => panic!("{other:?} is no field of an event stream"),
        }
        Ok(None)
    }
}
