//! Syslog messages (RFC 5424) in frames for a stream (RFC 5425 section 4.3).

use std::fmt::Write;

use super::message::Message;

/// Log audit (RFC 5424 section 6.2.1).
const FACILITY: u8 = 13;
/// Longest host name and message id (RFC 5424 section 6).
const HOST_BYTES_MAX: usize = 255;
const MESSAGE_ID_BYTES_MAX: usize = 32;

/// Who sends: what all messages of this process have in common.
#[derive(Debug, Clone)]
pub struct Sender {
    host: String,
    process: u32,
}

impl Sender {
    /// This process.
    pub fn this() -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host: printable(&name, HOST_BYTES_MAX), process: std::process::id() }
    }

    /// Appends a message in its frame. All that it says is in the text, which is JSON; the one element of structured data
    /// is registered with IANA, for those of one's own take a number of one's own (RFC 5424 section 6.3.2).
    pub fn put(&self, message: &Message, out: &mut Vec<u8>) {
        let priority = FACILITY * 8 + message.severity as u8;
        let mut text = format!(
            "<{priority}>1 {} {} chartlog {} ",
            message.recorded_at, self.host, self.process
        );
        let id = printable(&message.operation, MESSAGE_ID_BYTES_MAX);
        let version = env!("CARGO_PKG_VERSION");
        let _ = write!(
            text,
            "{id} [origin software=\"chartlog\" swVersion=\"{version}\"] {}",
            message.json
        );
        out.extend(format!("{} ", text.len()).as_bytes());
        out.extend(text.as_bytes());
    }
}

/// A text as a field of the header: its printable characters of ASCII, or the sign for nothing.
fn printable(text: &str, bytes_max: usize) -> String {
    let letters: String = text.chars().filter(char::is_ascii_graphic).take(bytes_max).collect();
    if letters.is_empty() { "-".to_owned() } else { letters }
}

#[cfg(test)]
mod tests {
    use super::super::message::Severity;
    use super::*;
    use crate::clock::Instant;

    #[test]
    fn a_frame_counts_its_octets_and_its_fields_hold_no_spaces() {
        let sender = Sender { host: printable("", HOST_BYTES_MAX), process: 7 };
        let message = |operation: &str, severity| Message {
            operation: operation.to_owned(),
            recorded_at: Instant::from_micros(1),
            severity,
            json: "{}".to_owned(),
        };
        let mut out = Vec::new();
        sender.put(&message("read ü\n", Severity::Warning), &mut out);
        sender.put(&message(&"x".repeat(40), Severity::Error), &mut out);
        let version = env!("CARGO_PKG_VERSION");
        let end = format!("[origin software=\"chartlog\" swVersion=\"{version}\"] {{}}");
        let first = format!("<108>1 1970-01-01T00:00:00.000001Z - chartlog 7 read {end}");
        let second =
            format!("<107>1 1970-01-01T00:00:00.000001Z - chartlog 7 {} {end}", "x".repeat(32));
        let expected = format!("{} {first}{} {second}", first.len(), second.len());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(printable(&"h".repeat(300), HOST_BYTES_MAX).len(), 255);
    }
}
