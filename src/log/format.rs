//! The bytes of a segment. Every code in this file is frozen: never reused, never changed.
//!
//! | part | bytes, little-endian |
//! |---|---|
//! | segment header, 32 | magic `CHARTLOG`, format u16, log kind u8, flags u8, segment number u32, first position u64, 0 u32, crc32c u32 of the 28 bytes before |
//! | group header, 36 | magic `GRUP`, payload length u32, first position u64, recorded at i64 (µs since 1970), frame count u32, crc32c u32 of the payload, crc32c u32 of the 32 bytes before |
//! | frame header, 50 | body length u32, kind u8, flags u8, stream version u32, stream alias u64, commitment 32 bytes |
//! | frame body | the wrapped key if flag 2 is set, 129 bytes; then the content |
//!
//! A segment with flag 1 is what disposal left: its one group counts the frames that were there, and its
//! payload is a statement and the hash of each of them (`disposal.rs`).
//!
//! Flags of a frame: 1 last of its commit, 2 a wrapped key, 4 sealed. The log does not interpret sealed
//! contents and wrapped keys. A content in the clear has its crc32c (with kind, flags, version and
//! alias before it) where the commitment would be, and zeros behind. `docs/format.md` specifies
//! this for other programs.

/// Version of the layout in this file.
pub const FORMAT: u16 = 2;
/// Bytes of the header of a segment.
pub const SEGMENT_HEADER: usize = 32;
pub const GROUP_HEADER: usize = 36;
pub const FRAME_HEADER: usize = 50;
const SEGMENT_MAGIC: &[u8; 8] = b"CHARTLOG";
pub const GROUP_MAGIC: &[u8; 4] = b"GRUP";
/// Bytes of a wrapped key.
pub const WRAP_BYTES: usize = 129;
const FLAG_LAST_OF_COMMIT: u8 = 1;
const FLAG_WRAP: u8 = 2;
const FLAG_SEALED: u8 = 4;

/// Which of the two logs a segment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LogKind {
    /// Every change to a record.
    Events = 1,
    /// Every access to a record.
    Access = 2,
}

impl LogKind {
    /// Both logs.
    pub const ALL: [Self; 2] = [Self::Events, Self::Access];

    /// Its name, in paths and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Access => "access",
        }
    }
}

/// The kind of a frame; not encrypted on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// An event of a chart.
    Chart = 1,
    /// An event of a directory resource.
    Directory = 2,
    /// The access entries that became durable together.
    Access = 3,
    /// Sources of access entries, which frames behind it in the same segment quote.
    Sources = 4,
}

impl FrameKind {
    /// The log that holds such frames.
    #[must_use]
    pub fn log(self) -> LogKind {
        match self {
            Self::Chart | Self::Directory => LogKind::Events,
            Self::Access | Self::Sources => LogKind::Access,
        }
    }
}

/// A random number that stands for a chart wherever bytes are in the clear. Zero: no chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamAlias(pub u64);

impl StreamAlias {
    /// The alias of what belongs to no chart: the directory.
    pub const NONE: Self = Self(0);
    /// The alias under which the key of the access log is kept; no frame carries it.
    pub const ACCESS: Self = Self(1);

    /// Whether charts may have it.
    #[must_use]
    pub fn is_of_chart(self) -> bool {
        self > Self::ACCESS
    }
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

/// One frame, to be written or read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// True for the last frame of its commit.
    pub last_of_commit: bool,
    /// The stream it belongs to.
    pub alias: StreamAlias,
    /// Its number in that stream, from 1.
    pub version: u32,
    /// Its content.
    pub content: Content,
}

/// The content of a frame, as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    is_sealed: bool,
    commitment: [u8; 32],
    wrap: Option<Box<[u8; WRAP_BYTES]>>,
    body: Vec<u8>,
}

impl Content {
    /// Sealed bytes, with the commitment to their payload.
    #[must_use]
    pub fn sealed(commitment: [u8; 32], body: Vec<u8>) -> Self {
        Self { is_sealed: true, commitment, wrap: None, body }
    }

    /// Bytes that anyone can read.
    #[must_use]
    pub fn clear(body: Vec<u8>) -> Self {
        Self { is_sealed: false, commitment: [0; 32], wrap: None, body }
    }

    /// The same, together with the wrapped key of its stream.
    #[must_use]
    pub fn with_wrap(self, wrap: [u8; WRAP_BYTES]) -> Self {
        Self { wrap: Some(Box::new(wrap)), ..self }
    }

    /// Whether a key is needed to read it.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// The commitment to the payload of a sealed content.
    #[must_use]
    pub fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }

    /// The wrapped key of the stream, in its first frame.
    #[must_use]
    pub fn wrap(&self) -> Option<&[u8; WRAP_BYTES]> {
        self.wrap.as_deref()
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl Frame {
    /// Bytes that the frame takes.
    #[must_use]
    pub fn length(&self) -> usize {
        FRAME_HEADER
            + self.content.wrap.as_ref().map_or(0, |_| WRAP_BYTES)
            + self.content.body.len()
    }

    /// Appends the frame as it stands on disk.
    pub fn put(&self, out: &mut Vec<u8>) {
        let content = &self.content;
        let length = self.length() - FRAME_HEADER;
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        let start = out.len();
        let flag = |flag, is_set| if is_set { flag } else { 0 };
        let flags = flag(FLAG_LAST_OF_COMMIT, self.last_of_commit)
            | flag(FLAG_WRAP, content.wrap.is_some())
            | flag(FLAG_SEALED, content.is_sealed);
        out.extend_from_slice(&[self.kind as u8, flags]);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.alias.0.to_le_bytes());
        if content.is_sealed {
            out.extend_from_slice(&content.commitment);
        } else {
            let check = clear_check(out.get(start..).unwrap_or_default(), &content.body);
            out.extend_from_slice(&check);
        }
        out.extend_from_slice(content.wrap.as_deref().map_or(&[], <[u8; WRAP_BYTES]>::as_slice));
        out.extend_from_slice(&content.body);
    }

    /// Reads the frame that starts `bytes`; the second value is its length. The content of a
    /// sealed frame is checked by whoever opens it.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn get(bytes: &[u8]) -> Result<(Self, usize), &'static str> {
        let (parts, length) = FrameParts::get(bytes)?;
        Ok((parts.to_frame(), length))
    }
}

/// A frame borrowed from the bytes of its segment, every field checked.
#[derive(Debug, Clone, Copy)]
pub struct FrameParts<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// True for the last frame of its commit.
    pub last_of_commit: bool,
    /// The stream it belongs to.
    pub alias: StreamAlias,
    /// Its number in that stream, from 1.
    pub version: u32,
    is_sealed: bool,
    commitment: [u8; 32],
    wrap: Option<&'a [u8; WRAP_BYTES]>,
    body: &'a [u8],
}

impl<'a> FrameParts<'a> {
    /// As [`Frame::get`], without a copy.
    pub fn get(bytes: &'a [u8]) -> Result<(Self, usize), &'static str> {
        let cut_off = "a frame header is cut off";
        let mut fields = Fields(bytes);
        let length = fields.u32().ok_or(cut_off)? as usize;
        let checked = fields.0;
        let [kind, flags] = fields.take().ok_or(cut_off)?;
        let version = fields.u32().ok_or(cut_off)?;
        let alias = StreamAlias(fields.u64().ok_or(cut_off)?);
        let commitment: [u8; 32] = fields.take().ok_or(cut_off)?;
        let mut body = fields.slice(length).ok_or("a frame is longer than its place")?;
        let kind = match kind {
            1 => FrameKind::Chart,
            2 => FrameKind::Directory,
            3 => FrameKind::Access,
            4 => FrameKind::Sources,
            _ => return Err("a frame of unknown kind"),
        };
        if flags & !(FLAG_LAST_OF_COMMIT | FLAG_WRAP | FLAG_SEALED) != 0 {
            return Err("a frame with unknown flags");
        }
        let mut wrap = None;
        if flags & FLAG_WRAP != 0 {
            let (first, rest) =
                body.split_first_chunk().ok_or("a frame is too short for its key")?;
            (wrap, body) = (Some(first), rest);
        }
        let is_sealed = flags & FLAG_SEALED != 0;
        if !is_sealed
            && clear_check(checked.get(..CLEAR_CHECKED).unwrap_or_default(), body) != commitment
        {
            return Err("the checksum of a frame does not match");
        }
        let last_of_commit = flags & FLAG_LAST_OF_COMMIT != 0;
        let parts =
            Self { kind, last_of_commit, alias, version, is_sealed, commitment, wrap, body };
        Ok((parts, FRAME_HEADER + length))
    }

    /// The wrapped key of the stream, in its first frame.
    #[must_use]
    pub fn wrap(&self) -> Option<&'a [u8; WRAP_BYTES]> {
        self.wrap
    }

    /// The frame on its own.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let Self { kind, last_of_commit, alias, version, is_sealed, .. } = *self;
        let content = Content {
            is_sealed,
            commitment: if is_sealed { self.commitment } else { [0; 32] },
            wrap: self.wrap.map(|wrap| Box::new(*wrap)),
            body: self.body.to_vec(),
        };
        Frame { kind, last_of_commit, alias, version, content }
    }
}

/// Bytes of the header that the checksum of a clear content covers: kind, flags, version, alias.
const CLEAR_CHECKED: usize = 14;

fn clear_check(header: &[u8], body: &[u8]) -> [u8; 32] {
    let mut check = [0; 32];
    if let Some(place) = check.first_chunk_mut() {
        *place = crc32c::crc32c_append(crc32c::crc32c(header), body).to_le_bytes();
    }
    check
}

/// The length of a frame, from the first bytes of its header.
pub fn frame_length(header: &[u8]) -> Option<u32> {
    let length = header.first_chunk().copied().map(u32::from_le_bytes)?;
    length.checked_add(u32::try_from(FRAME_HEADER).ok()?)
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

    /// `None` when the bytes are not a group header, complete and undamaged.
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
    /// Whether the frames were disposed of.
    pub disposed: bool,
    pub number: u32,
    pub first_position: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = Vec::with_capacity(SEGMENT_HEADER);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&self.format.to_le_bytes());
        out.extend_from_slice(&[self.kind, u8::from(self.disposed)]);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first_position.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        checked(out)
    }

    /// `None` when the bytes are not a segment header, complete and undamaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(verified(bytes.get(..SEGMENT_HEADER)?)?);
        if &fields.take::<8>()? != SEGMENT_MAGIC {
            return None;
        }
        let format = u16::from_le_bytes(fields.take()?);
        let [kind, flags] = fields.take()?;
        let disposed = match flags {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { format, kind, disposed, number: fields.u32()?, first_position: fields.u64()? })
    }
}

/// Appends the crc32c of the bytes so far; the length is the caller's constant.
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
    fn a_frame_reads_back_and_every_flipped_bit_of_a_clear_one_is_found() {
        for content in [
            Content::clear(b"payload".to_vec()),
            Content::sealed([3; 32], b"payload".to_vec()),
            Content::sealed([3; 32], b"payload".to_vec()).with_wrap([4; WRAP_BYTES]),
        ] {
            let is_sealed = content.is_sealed();
            let frame = Frame {
                kind: FrameKind::Chart,
                last_of_commit: true,
                alias: StreamAlias(7),
                version: 3,
                content,
            };
            let mut bytes = Vec::new();
            frame.put(&mut bytes);
            assert_eq!(frame_length(&bytes), u32::try_from(bytes.len()).ok());
            assert_eq!(Frame::get(&bytes), Ok((frame.clone(), frame.length())));
            for bit in (0..bytes.len() * 8).filter(|_| !is_sealed) {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let read = Frame::get(&damaged).map(|(frame, _)| frame);
                assert!(read != Ok(frame.clone()), "bit {bit}");
            }
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
        let segment = SegmentHeader {
            format: FORMAT,
            kind: 1,
            disposed: false,
            number: 2,
            first_position: 3,
        };
        assert_eq!(GroupHeader::decode(&group.encode()), Some(group));
        assert_eq!(SegmentHeader::decode(&segment.encode()), Some(segment));
        let mut damaged = group.encode();
        damaged[9] ^= 1;
        assert_eq!(GroupHeader::decode(&damaged), None);
    }
}
