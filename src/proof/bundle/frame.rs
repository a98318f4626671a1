//! The header of a frame, as far as a bundle is checked against it.

use super::BundleLog;

/// Bytes before the body.
pub const FRAME_HEADER: usize = 50;
const FLAG_SEALED: u8 = 1 << 2;
/// Last of commit, carries a key wrap, sealed.
const FLAGS_KNOWN: u8 = 0b111;
const KIND_CHART: u8 = 1;
const KIND_ACCESS: u8 = 3;
const KIND_SOURCES: u8 = 4;

/// The fields that are not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: u8,
    pub flags: u8,
    pub version: u32,
    pub alias: u64,
    pub commitment: [u8; 32],
}

impl Header {
    /// Reads the header of a frame, which has to be just as long as it says.
    ///
    /// Little-endian: body length u32, kind u8, flags u8, stream version u32, stream alias u64,
    /// commitment 32 bytes.
    pub fn parse(frame: &[u8]) -> Result<Self, String> {
        let cut = || format!("the frame is cut off: {} bytes are no header", frame.len());
        let (length, rest) = frame.split_first_chunk::<4>().ok_or_else(cut)?;
        let (&[kind, flags], rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let (alias, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let (commitment, body) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length);
        if body.len() as u64 != u64::from(length) {
            return Err(format!(
                "the frame's header says {length} bytes of body; there are {}",
                body.len()
            ));
        }
        if flags & !FLAGS_KNOWN != 0 {
            return Err(format!("the frame has unknown flags ({flags:#010b})"));
        }
        Ok(Self {
            kind,
            flags,
            version: u32::from_le_bytes(*version),
            alias: u64::from_le_bytes(*alias),
            commitment: *commitment,
        })
    }

    pub fn is_sealed(&self) -> bool {
        self.flags & FLAG_SEALED != 0
    }

    pub fn is_of_a_chart(&self) -> bool {
        self.kind == KIND_CHART
    }

    /// Whether such a log contains frames of this kind.
    pub fn belongs_to(&self, log: BundleLog) -> bool {
        match log {
            BundleLog::Events => (KIND_CHART..KIND_ACCESS).contains(&self.kind),
            BundleLog::Access => (KIND_ACCESS..=KIND_SOURCES).contains(&self.kind),
        }
    }

    /// How many access entries it holds.
    pub fn access_entries(&self) -> u64 {
        match self.kind {
            // A frame of the first format is one entry, and does not say so.
            KIND_ACCESS => u64::from(self.version.max(1)),
            _ => 0,
        }
    }
}
