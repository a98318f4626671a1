//! What a server says on a WebSocket, as bytes.

use actix_http::ws::{CloseReason, OpCode, Parser};
use actix_web::web::{Bytes, BytesMut};

/// Most bytes that a frame adds to its message.
const FRAME_BYTES: usize = 10;
/// Longest reason of a close frame, in bytes: a control frame has 125, the code takes two.
const REASON_BYTES_MAX: usize = 123;

/// Each line as a message. Empty lines are none.
pub fn messages(lines: &[u8]) -> Bytes {
    let lines = || lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let bytes = lines().map(|line| line.len() + FRAME_BYTES).sum();
    let mut out = BytesMut::with_capacity(bytes);
    lines().for_each(|line| Parser::write_message(&mut out, line, OpCode::Text, true, false));
    out.freeze()
}

/// A question whether somebody is there.
pub fn ping() -> Bytes {
    control(OpCode::Ping, b"")
}

/// The answer to such a question.
pub fn pong(payload: &[u8]) -> Bytes {
    control(OpCode::Pong, payload)
}

/// The end, and why.
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default();
    let mut out = BytesMut::new();
    let reason = CloseReason { code: code.into(), description: Some(reason.to_owned()) };
    Parser::write_close(&mut out, Some(reason), false);
    out.freeze()
}

fn control(code: OpCode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(FRAME_BYTES + payload.len());
    Parser::write_message(&mut out, payload, code, true, false);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_message() {
        let long = "x".repeat(70_000);
        let bytes = messages(format!("a\n\n{long}\n").as_bytes());
        let (first, second) = bytes.split_at(3);
        assert_eq!(first, b"\x81\x01a");
        let (head, text) = second.split_at(10);
        assert_eq!(head, [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(text, long.as_bytes());
        assert!(messages(b"\n").is_empty());
    }

    #[test]
    fn a_reason_is_cut_between_letters() {
        let bytes = close(4401, &"é".repeat(100));
        assert_eq!(bytes.get(..4), Some(&[0x88, 124, 0x11, 0x31][..]));
        assert_eq!(bytes.get(4..), Some("é".repeat(61).as_bytes()));
    }
}
