//! The bytes of a segment. Every code in this file is frozen: never reused, never changed.
//!
//! | part | bytes, little-endian |
//! |---|---|
//! | segment header, 32 | magic `CHARTLOG`, format u16, log kind u8, 0 u8, segment number u32, first position u64, 0 u32, crc32c u32 of the 28 bytes before |
//! | group header, 36 | magic `GRUP`, payload length u32, first position u64, recorded at i64 (µs since 1970), frame count u32, crc32c u32 of the payload, crc32c u32 of the 32 bytes before |
//! | frame, 24 + payload + check | payload length u32, kind u8, codec u8, flags u8, dictionary u8, stream alias u64, stream version u64, payload, check by codec |
//!
//! Codec 0 (clear) is followed by a crc32c u32 over frame header and payload. Sealed payloads get
//! a codec of their own, whose check is the cipher's tag and the commitment to the plaintext.

/// Version of the layout in this file.
pub const FORMAT: u16 = 1;
pub const SEGMENT_HEADER: usize = 32;
pub const GROUP_HEADER: usize = 36;
pub const FRAME_HEADER: usize = 24;
const SEGMENT_MAGIC: &[u8; 8] = b"CHARTLOG";
pub const GROUP_MAGIC: &[u8; 4] = b"GRUP";
const FLAG_LAST_OF_COMMIT: u8 = 1;

/// Which of the two logs a segment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LogKind {
    /// Every change to a record.
    Events = 1,
    /// Every look at a record.
    Access = 2,
}

/// What a frame is; clear on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// An event of a chart.
    Chart = 1,
    /// An event of a directory resource.
    Directory = 2,
    /// An access entry.
    Access = 3,
}

/// How a payload is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// As it is, with a crc32c.
    Clear = 0,
}

/// A random number that stands for a chart wherever bytes are in the clear. Zero: no chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamAlias(pub u64);

impl StreamAlias {
    /// The alias of what belongs to no chart.
    pub const NONE: Self = Self(0);
}

impl std::fmt::Display for StreamAlias {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl std::str::FromStr for StreamAlias {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// Where a frame lies: enough to read it with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Location {
    /// Number of the segment, from 0.
    pub segment: u32,
    /// Byte offset of the frame in its file.
    pub offset: u32,
    /// Bytes of the whole frame.
    pub length: u32,
}

/// One frame, read back and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// True for the last frame of its commit.
    pub last_of_commit: bool,
    /// The stream it belongs to.
    pub alias: StreamAlias,
    /// Its number in that stream, from 1.
    pub version: u64,
    /// The payload, opened.
    pub payload: Vec<u8>,
}

pub fn put_frame(out: &mut Vec<u8>, frame: FrameView<'_>) {
    let start = out.len();
    out.extend_from_slice(&u32::try_from(frame.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let flags = if frame.last_of_commit { FLAG_LAST_OF_COMMIT } else { 0 };
    out.extend_from_slice(&[frame.kind as u8, Codec::Clear as u8, flags, 0]);
    out.extend_from_slice(&frame.alias.0.to_le_bytes());
    out.extend_from_slice(&frame.version.to_le_bytes());
    out.extend_from_slice(frame.payload);
    let check = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&check.to_le_bytes());
}

/// What a writer puts into a frame.
#[derive(Debug, Clone, Copy)]
pub struct FrameView<'a> {
    pub kind: FrameKind,
    pub last_of_commit: bool,
    pub alias: StreamAlias,
    pub version: u64,
    pub payload: &'a [u8],
}

/// Bytes that a frame with such a payload takes.
pub fn frame_length(payload: usize) -> usize {
    FRAME_HEADER + payload + 4
}

/// Reads the frame that starts `bytes`; the second value is its length.
pub fn get_frame(bytes: &[u8]) -> Result<(Frame, usize), &'static str> {
    let mut fields = Fields(bytes);
    let payload_length = fields.u32().ok_or("a frame header is cut off")? as usize;
    let [kind, codec, flags, dictionary] = fields.take().ok_or("a frame header is cut off")?;
    let alias = StreamAlias(fields.u64().ok_or("a frame header is cut off")?);
    let version = fields.u64().ok_or("a frame header is cut off")?;
    let payload = fields.slice(payload_length).ok_or("a frame is longer than its place")?;
    let check = fields.u32().ok_or("a frame is longer than its place")?;
    let covered = bytes.get(..FRAME_HEADER + payload_length).unwrap_or_default();
    if crc32c::crc32c(covered) != check {
        return Err("the checksum of a frame does not match");
    }
    let kind = match kind {
        1 => FrameKind::Chart,
        2 => FrameKind::Directory,
        3 => FrameKind::Access,
        _ => return Err("a frame of unknown kind"),
    };
    if codec != Codec::Clear as u8 || dictionary != 0 {
        return Err("a frame of unknown codec");
    }
    let last_of_commit = flags & FLAG_LAST_OF_COMMIT != 0;
    let frame = Frame { kind, last_of_commit, alias, version, payload: payload.to_vec() };
    Ok((frame, frame_length(payload_length)))
}

/// The header of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    pub payload_length: u32,
    pub first_position: u64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    pub frames: u32,
    pub payload_check: u32,
}

impl GroupHeader {
    pub fn encode(&self) -> [u8; GROUP_HEADER] {
        let mut out = Vec::with_capacity(GROUP_HEADER);
        out.extend_from_slice(GROUP_MAGIC);
        out.extend_from_slice(&self.payload_length.to_le_bytes());
        out.extend_from_slice(&self.first_position.to_le_bytes());
        out.extend_from_slice(&self.recorded_at.to_le_bytes());
        out.extend_from_slice(&self.frames.to_le_bytes());
        out.extend_from_slice(&self.payload_check.to_le_bytes());
        checked(out)
    }

    /// `None` when the bytes are not a group header, whole and unharmed.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(verified(bytes.get(..GROUP_HEADER)?)?);
        if &fields.take::<4>()? != GROUP_MAGIC {
            return None;
        }
        Some(Self {
            payload_length: fields.u32()?,
            first_position: fields.u64()?,
            recorded_at: i64::from_le_bytes(fields.take()?),
            frames: fields.u32()?,
            payload_check: fields.u32()?,
        })
    }
}

/// The header of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    pub format: u16,
    pub kind: u8,
    pub number: u32,
    pub first_position: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = Vec::with_capacity(SEGMENT_HEADER);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&self.format.to_le_bytes());
        out.extend_from_slice(&[self.kind, 0]);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first_position.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        checked(out)
    }

    /// `None` when the bytes are not a segment header, whole and unharmed.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(verified(bytes.get(..SEGMENT_HEADER)?)?);
        if &fields.take::<8>()? != SEGMENT_MAGIC {
            return None;
        }
        let format = u16::from_le_bytes(fields.take()?);
        let [kind, _] = fields.take()?;
        Some(Self { format, kind, number: fields.u32()?, first_position: fields.u64()? })
    }
}

/// Appends the crc32c of what is there; the length is the caller's constant.
fn checked<const N: usize>(mut out: Vec<u8>) -> [u8; N] {
    let check = crc32c::crc32c(&out);
    out.extend_from_slice(&check.to_le_bytes());
    out.try_into().unwrap_or([0; N])
}

/// The bytes before the trailing crc32c, if it matches.
fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    (crc32c::crc32c(body).to_le_bytes() == check).then_some(body)
}

/// Reads fixed-width fields from the front of a slice.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_and_every_flipped_bit_is_found() {
        let mut bytes = Vec::new();
        let view = FrameView {
            kind: FrameKind::Chart,
            last_of_commit: true,
            alias: StreamAlias(7),
            version: 3,
            payload: b"payload",
        };
        put_frame(&mut bytes, view);
        let (frame, length) = get_frame(&bytes).unwrap();
        assert_eq!(
            (length, frame.version, frame.payload.as_slice()),
            (bytes.len(), 3, &b"payload"[..])
        );
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(get_frame(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn headers_read_back_and_refuse_damage() {
        let group = GroupHeader {
            payload_length: 5,
            first_position: 6,
            recorded_at: -7,
            frames: 8,
            payload_check: 9,
        };
        let segment = SegmentHeader { format: FORMAT, kind: 1, number: 2, first_position: 3 };
        assert_eq!(GroupHeader::decode(&group.encode()), Some(group));
        assert_eq!(SegmentHeader::decode(&segment.encode()), Some(segment));
        let mut damaged = group.encode();
        damaged[9] ^= 1;
        assert_eq!(GroupHeader::decode(&damaged), None);
    }
}
