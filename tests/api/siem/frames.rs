//! Syslog as a strict receiver reads it: RFC 5424 in frames of RFC 5425, letter by letter.

use serde_json::Value;

/// A message, and what its header says.
#[derive(Debug, Clone)]
pub struct Message {
    pub facility: u8,
    pub severity: u8,
    pub time: String,
    pub id: String,
    pub entry: Value,
}

/// All messages of a stream. The last may be cut off if the stream was.
#[track_caller]
pub fn messages(stream: &[u8], is_cut: bool) -> Vec<Message> {
    let (mut rest, mut messages) = (stream, Vec::new());
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let whole =
            std::str::from_utf8(&rest[..digits]).unwrap().parse::<usize>().ok().filter(|length| {
                rest[0] != b'0' && rest.get(digits) == Some(&b' ') && rest.len() > digits + length
            });
        let Some(length) = whole else {
            assert!(is_cut, "no whole frame: {}", String::from_utf8_lossy(rest));
            assert!(
                digits == rest.len() || rest[digits] == b' ',
                "{}",
                String::from_utf8_lossy(rest)
            );
            break;
        };
        assert!(length <= 8_192, "a message of {length} octets");
        let end = digits + 1 + length;
        messages.push(message(&rest[digits + 1..end]));
        rest = &rest[end..];
    }
    messages
}

#[track_caller]
fn message(bytes: &[u8]) -> Message {
    // MSG-ANY of octets below 128: no byte order mark, and nothing that would need one.
    assert!(
        bytes.iter().all(|byte| (32..127).contains(byte)),
        "{}",
        String::from_utf8_lossy(bytes)
    );
    let text = std::str::from_utf8(bytes).unwrap();
    let (priority, rest) = text.strip_prefix('<').unwrap().split_once('>').unwrap();
    let priority: u8 = priority.parse().unwrap();
    let mut fields = rest.splitn(7, ' ');
    let mut next = || fields.next().unwrap_or_else(|| panic!("{text}"));
    assert_eq!(next(), "1", "version");
    let time = next().to_owned();
    assert_eq!((time.len(), time.as_bytes()[10], time.as_bytes()[26]), (27, b'T', b'Z'), "{time}");
    let host = next();
    assert!(!host.is_empty() && host.len() <= 255);
    assert_eq!(next(), "chartlog");
    let process: u32 = next().parse().unwrap();
    assert!(process > 0);
    let id = next().to_owned();
    assert!(!id.is_empty() && id.len() <= 32);
    let (element, text) = next().split_once("] ").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(element, format!("[origin software=\"chartlog\" swVersion=\"{version}\""));
    let entry = serde_json::from_str(text).unwrap();
    Message { facility: priority / 8, severity: priority % 8, time, id, entry }
}

/// All objects of a stream of lines. The last may be cut off if the stream was.
#[track_caller]
pub fn lines(stream: &[u8], is_cut: bool) -> Vec<Value> {
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap();
    assert!(is_cut || last.is_empty(), "no whole line: {}", String::from_utf8_lossy(last));
    lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}
