//! Compression: zstd (RFC 8878) with trained dictionaries, one for each kind of payload that is
//! frequent. Their ids are frozen: a dictionary is never changed, only joined by a new one.
//!
//! A text is the id of the dictionary (u8), the number of UUIDs (u16, little-endian), the UUIDs,
//! and one zstd frame with its content size, without its first four bytes, which are always the same.

use std::cell::RefCell;
use std::sync::OnceLock;

use zstd::zstd_safe::{CCtx, CDict, CParameter, DCtx, DDict, get_frame_content_size};

use super::SealError;
use super::pack::Packed;

const LEVEL: i32 = 1;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Room for the cipher's tag, which is appended.
const TAG_BYTES: usize = 16;
/// Longest payload that is opened; far above the largest that is accepted.
const PAYLOAD_BYTES_MAX: u64 = 1 << 30;

/// What a payload is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dictionary(u8);

struct Trained {
    /// The kind of payload: a resource type, `access`, or nothing for all others.
    name: &'static str,
    bytes: &'static [u8],
    compress: OnceLock<CDict<'static>>,
    expand: OnceLock<DDict<'static>>,
}

macro_rules! trained {
    ($($name:literal $file:literal,)*) => {
        [$(Trained {
            name: $name,
            bytes: include_bytes!(concat!("dictionaries/", $file)),
            compress: OnceLock::new(),
            expand: OnceLock::new(),
        },)*]
    };
}

/// Id 1 and following, in this order forever.
static TRAINED: [Trained; 16] = trained! {
    "" "general-1.zdict",
    "access" "access-1.zdict",
    "CarePlan" "CarePlan-1.zdict",
    "CareTeam" "CareTeam-1.zdict",
    "Claim" "Claim-1.zdict",
    "Condition" "Condition-1.zdict",
    "DiagnosticReport" "DiagnosticReport-1.zdict",
    "DocumentReference" "DocumentReference-1.zdict",
    "Encounter" "Encounter-1.zdict",
    "ExplanationOfBenefit" "ExplanationOfBenefit-1.zdict",
    "Immunization" "Immunization-1.zdict",
    "MedicationRequest" "MedicationRequest-1.zdict",
    "Observation" "Observation-1.zdict",
    "Procedure" "Procedure-1.zdict",
    "SupplyDelivery" "SupplyDelivery-1.zdict",
    "access" "access-2.zdict",
};

impl Dictionary {
    /// No dictionary.
    pub const NONE: Self = Self(0);

    /// All that exist.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::try_from(TRAINED.len()).unwrap_or(u8::MAX)).map(Self)
    }

    /// The best one for a payload about a resource of that type, or for `access` entries.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        let place = |wanted: &str| TRAINED.iter().rposition(|one| one.name == wanted);
        let place = place(kind).or_else(|| place(""));
        place.and_then(|place| u8::try_from(place + 1).ok()).map_or(Self::NONE, Self)
    }

    fn trained(self) -> Option<&'static Trained> {
        TRAINED.get(usize::from(self.0).checked_sub(1)?)
    }

    /// The text of a packed payload.
    pub(super) fn compress(self, packed: &Packed) -> Result<Vec<u8>, SealError> {
        let uuids = u16::try_from(packed.uuids.len()).map_err(|_| SealError::Text)?;
        let frame = self.frame(&packed.text).ok_or(SealError::Text)?;
        let frame = frame.strip_prefix(&ZSTD_MAGIC).ok_or(SealError::Text)?;
        let table = packed.uuids.as_flattened();
        let mut out = Vec::with_capacity(3 + table.len() + frame.len() + TAG_BYTES);
        out.push(self.0);
        out.extend_from_slice(&uuids.to_le_bytes());
        out.extend_from_slice(table);
        out.extend_from_slice(frame);
        Ok(out)
    }

    fn frame(self, text: &[u8]) -> Option<Vec<u8>> {
        thread_local! {
            static CONTEXT: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
        }
        let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(text.len()));
        CONTEXT.with_borrow_mut(|context| {
            let context = match context {
                Some(context) => context,
                None => context.insert(new_context()?),
            };
            let dictionary = self.trained().map(|trained| {
                trained.compress.get_or_init(|| CDict::create(trained.bytes, LEVEL))
            });
            match dictionary {
                Some(dictionary) => context.ref_cdict(dictionary).ok()?,
                None => context.disable_dictionary().ok()?,
            };
            context.compress2(&mut out, text).ok()
        })?;
        Some(out)
    }
}

fn new_context() -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
        CParameter::ContentSizeFlag(true),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    Some(context)
}

/// The packed payload in a text.
pub fn expand(text: &[u8]) -> Result<Packed, SealError> {
    parse(text).ok_or(SealError::Text)
}

fn parse(text: &[u8]) -> Option<Packed> {
    thread_local! {
        static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    }
    let (id, rest) = text.split_first()?;
    let (uuids, rest) = rest.split_first_chunk::<2>()?;
    let (uuids, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*uuids)) * 16)?;
    let mut frame = Vec::with_capacity(ZSTD_MAGIC.len() + rest.len());
    frame.extend_from_slice(&ZSTD_MAGIC);
    frame.extend_from_slice(rest);
    let size = get_frame_content_size(&frame).ok().flatten()?;
    if size > PAYLOAD_BYTES_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(usize::try_from(size).ok()?);
    let trained = match id {
        0 => None,
        id => Some(Dictionary(*id).trained()?),
    };
    CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(DCtx::try_create()?),
        };
        let done = match trained {
            Some(trained) => {
                let dictionary = trained.expand.get_or_init(|| DDict::create(trained.bytes));
                context.decompress_using_ddict(&mut out, &frame, dictionary)
            }
            None => context.decompress(&mut out, &frame),
        };
        done.ok()
    })?;
    Some(Packed { uuids: uuids.as_chunks().0.to_vec(), text: out })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each file, in the order of the ids: a line is added, none is ever changed.
    #[rustfmt::skip]
    const CHECKSUMS: [u32; 16] = [
        0x253b_b17e, 0x4136_5088, 0x8995_88e7, 0x5975_b9e8,
        0x54ce_e40e, 0x77a2_ac0a, 0xda24_c602, 0x9185_b249,
        0x64bf_91cd, 0xcb44_c639, 0x08c9_d5c6, 0x7229_055c,
        0x936a_d621, 0xad69_5e80, 0x03f4_838e, 0x9437_3e9f,
    ];

    #[test]
    fn a_dictionary_stays_as_it_is_for_ever() {
        assert_eq!(TRAINED.each_ref().map(|one| crc32c::crc32c(one.bytes)), CHECKSUMS);
    }
}
