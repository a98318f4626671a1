//! What a client sends, held against RFC 9112 where the parser is more patient: a line of a head ends in CR LF.
//!
//! RFC 9112 §2.2 lets a server take a bare LF for the end of a line, and the parser does. A proxy that does not sees one
//! header where the server sees two, and passes on a request that it never saw. The parser has no switch for it, so
//! each connection passes through here: heads, and bodies by what heads say of their lengths, are told apart, and a line
//! feed without its carriage return becomes a byte that the parser refuses with 400, which ends the connection.
//! Whatever else is wrong is for the parser: what it refuses needs no place here.

use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Result};

/// How much of a line is looked at; one that says where a body ends is shorter.
const LINE_BYTES_MAX: usize = 1_024;

/// A connection whose lines end in CR LF, or reach nobody.
#[derive(Debug)]
pub(super) struct Framed<T> {
    io: T,
    framing: Framing,
}

impl<T> Framed<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, framing: Framing::default() }
    }

    /// The connection itself.
    pub(super) fn get_ref(&self) -> &T {
        &self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Framed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        if let Some((_, come)) = buffer.filled_mut().split_at_mut_checked(before) {
            self.framing.check(come);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Framed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        to: &mut Context<'_>,
        out: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write(to, out)
    }

    fn poll_flush(mut self: Pin<&mut Self>, to: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(to)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, to: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(to)
    }
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    /// The line with the size of a chunk.
    Size,
    /// The lines behind the last chunk.
    Trailers,
    /// So many bytes of a body in one piece.
    Body(u64),
    /// So many bytes of a chunk, with its end.
    Chunk(u64),
    /// A WebSocket, until the connection ends.
    Socket,
}

/// What a head says about what follows it.
#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    length: u64,
    is_chunked: bool,
    is_socket: bool,
}

/// How far a connection has been read.
#[derive(Debug, Default)]
struct Framing {
    part: Part,
    head: Head,
    /// What has come of the line, as far as it is looked at.
    line: Vec<u8>,
    /// Whether more than that has come.
    is_cut: bool,
    /// The byte before.
    last: u8,
}

impl Framing {
    /// Makes refusable what must be refused of what has come.
    fn check(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let passed = match &mut self.part {
                Part::Socket => return,
                Part::Body(left) | Part::Chunk(left) => {
                    let passed =
                        usize::try_from(*left).map_or(bytes.len(), |all| all.min(bytes.len()));
                    *left -= passed as u64;
                    match self.part {
                        Part::Body(0) => self.part = Part::Head,
                        Part::Chunk(0) => self.part = Part::Size,
                        _ => {}
                    }
                    passed
                }
                Part::Head | Part::Size | Part::Trailers => self.line(bytes),
            };
            bytes = bytes.split_at_mut_checked(passed).map_or(&mut [], |(_, rest)| rest);
        }
    }

    /// Passes what there is of a line; how many bytes that is.
    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let end = memchr(b'\n', bytes);
        let (text, rest) = bytes.split_at_mut(end.unwrap_or(bytes.len()));
        let room = LINE_BYTES_MAX - self.line.len();
        self.line.extend(text.iter().take(room));
        self.is_cut |= text.len() > room;
        self.last = text.last().copied().unwrap_or(self.last);
        let Some(feed) = rest.first_mut() else { return text.len() };
        let line = take(&mut self.line);
        let (is_cut, is_ended) = (take(&mut self.is_cut), take(&mut self.last) == b'\r');
        let line_text = if is_cut { &line } else { line.strip_suffix(b"\r").unwrap_or(&line) };
        if !is_ended || !self.take_line(line_text, is_cut) {
            // Nothing of a head may be a zero byte. Behind the last chunk it would be let pass, and a bare CR is not.
            *feed = if self.part == Part::Trailers { b'\r' } else { 0 };
        }
        text.len() + 1
    }

    /// Whether a line can be one; what follows it.
    fn take_line(&mut self, line: &[u8], is_cut: bool) -> bool {
        match self.part {
            // Empty lines may stand before a request.
            Part::Head if line.is_empty() && !self.head.has_begun => {}
            Part::Head if line.is_empty() => self.part = take(&mut self.head).followed_by(),
            Part::Head if !self.head.has_begun => self.head.has_begun = true,
            Part::Head => return self.head.header(line, is_cut),
            Part::Trailers if line.is_empty() => self.part = Part::Head,
            Part::Size => {
                let size = line.split(|byte| b"; \t".contains(byte)).next().unwrap_or_default();
                let size = std::str::from_utf8(size).ok();
                let Some(size) = size.and_then(|size| u64::from_str_radix(size, 16).ok()) else {
                    return false;
                };
                self.part = match size {
                    0 => Part::Trailers,
                    _ => Part::Chunk(size.saturating_add(2)),
                };
            }
            _ => {}
        }
        true
    }
}

impl Head {
    /// Takes in a header, if it says where the body ends; false if it cannot be understood.
    fn header(&mut self, line: &[u8], is_cut: bool) -> bool {
        let Some((name, value)) = memchr(b':', line).and_then(|at| line.split_at_checked(at))
        else {
            return true;
        };
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.length = length.unwrap_or_default();
            !is_cut && length.is_some()
        } else if is("transfer-encoding") {
            self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            !is_cut && self.is_chunked
        } else if is("upgrade") {
            self.is_socket |= value.eq_ignore_ascii_case(b"websocket");
            !is_cut
        } else {
            true
        }
    }

    /// What comes behind it.
    fn followed_by(&self) -> Part {
        match self {
            Self { is_chunked: true, .. } => Part::Size,
            Self { is_socket: true, .. } => Part::Socket,
            Self { length: 0, .. } => Part::Head,
            Self { length, .. } => Part::Body(*length),
        }
    }
}
