//! The keys of the views.

use aws_lc_rs::digest;

use super::postings::CHUNK_BITS;
use crate::fhir::terms::Term;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;

/// Index parameter under which the charts of a resource are indexed; search parameters have codes
/// below it.
const COMPARTMENT: u16 = u16::MAX;
/// Form of an id in a key: a lower-case UUID as its 16 bytes.
const ID_UUID: u8 = 0;
/// Form of an id in a key: any other, as its text.
const ID_TEXT: u8 = 1;
/// Bytes of a hash that stands for a value or a key: SHA-256, cut off.
const VALUE_HASH_BYTES: usize = 8;
/// The same for idempotency keys.
const MARK_BYTES: usize = 16;

/// `names`: type code, form of the id, id.
pub fn resource(key: &ResourceKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(19);
    out.extend_from_slice(&key.kind.code().to_be_bytes());
    let id = key.id.as_str();
    match uuid::Uuid::try_parse(id) {
        // Other spellings of a UUID are other ids.
        Ok(uuid) if *uuid.as_hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) == *id => {
            out.push(ID_UUID);
            out.extend_from_slice(uuid.as_bytes());
        }
        _ => {
            out.push(ID_TEXT);
            out.extend_from_slice(id.as_bytes());
        }
    }
    out
}

/// `charts`: the patient's id.
pub fn patient(id: &ResourceId) -> &[u8] {
    id.as_str().as_bytes()
}

/// Two numbers: `history`, `streams`, `snapshots`, `access_charts`.
pub fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let (left, right) = out.split_at_mut(8);
    left.copy_from_slice(&first.to_be_bytes());
    right.copy_from_slice(&second.to_be_bytes());
    out
}

/// The last number of a key.
pub fn last_number(key: &[u8]) -> u64 {
    key.last_chunk::<8>().copied().map_or(0, u64::from_be_bytes)
}

/// `idempotency`, and what its record keeps of the request.
pub fn mark(text: &str) -> [u8; MARK_BYTES] {
    hash(text.as_bytes())
}

/// `terms` without the chunk: what a search looks for.
pub fn term(kind: ResourceType, term: &Term) -> Vec<u8> {
    term_of(kind, term.parameter, &term.value, term.is_exact())
}

/// `terms` for "lies in this chart", without the chunk.
pub fn compartment(kind: ResourceType, alias: StreamAlias) -> Vec<u8> {
    term_of(kind, COMPARTMENT, &alias.0.to_be_bytes(), false)
}

/// Type code, parameter, then the length of the value and the value. Of a longer value that is only
/// ever compared for equality there is [`u8::MAX`] and a hash instead.
fn term_of(kind: ResourceType, parameter: u16, value: &[u8], is_exact: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + VALUE_HASH_BYTES + 9);
    out.extend_from_slice(&kind.code().to_be_bytes());
    out.extend_from_slice(&parameter.to_be_bytes());
    if is_exact && value.len() > VALUE_HASH_BYTES {
        out.push(u8::MAX);
        out.extend_from_slice(&hash::<VALUE_HASH_BYTES>(value));
    } else {
        // Terms are bounded far below this.
        let value = value.get(..254).unwrap_or(value);
        out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(value);
    }
    out
}

/// A key of `terms`: the chunk of numbers follows, its length first, so that keys sort as chunks do.
pub fn with_chunk(mut prefix: Vec<u8>, chunk: u64) -> Vec<u8> {
    let bytes = chunk.to_be_bytes();
    let zeros = (chunk.leading_zeros() / 8) as usize;
    let digits = bytes.get(zeros..).unwrap_or_default();
    prefix.push(u8::try_from(digits.len()).unwrap_or(u8::MAX));
    prefix.extend_from_slice(digits);
    prefix
}

/// The chunk in a key of `terms` that begins with `prefix`.
pub fn read_chunk(key: &[u8], prefix: usize) -> Option<u64> {
    let digits = key.get(prefix + 1..)?;
    let mut bytes = [0; 8];
    let zeros = bytes.len().checked_sub(digits.len())?;
    bytes.get_mut(zeros..)?.copy_from_slice(digits);
    Some(u64::from_be_bytes(bytes))
}

/// The highest chunk there can be.
pub const LAST_CHUNK: u64 = u64::MAX >> CHUNK_BITS;

fn hash<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().first_chunk().copied().unwrap_or([0; BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_usual_spelling_of_a_uuid_is_shortened() {
        let length = |id: &str| resource(&format!("Patient/{id}").parse().unwrap()).len();
        assert_eq!(length("0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), 19);
        assert_eq!(length("0C3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), 39);
        assert_eq!(length("0c3151bd1cbf4d64b04dcd9187a4c6e0"), 35);
        assert_eq!(length("x"), 4);
    }

    proptest! {
        #[test]
        fn chunks_read_back_and_keep_their_order(one in any::<u64>(), other in any::<u64>(), bits in 0u32..64) {
            let (one, other) = (one >> bits, other >> bits);
            let key = |chunk| with_chunk(b"prefix".to_vec(), chunk);
            prop_assert_eq!(read_chunk(&key(one), 6), Some(one));
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn different_ids_have_different_keys(one in "[0-9a-f]{1,3}", other in "[0-9a-f]{1,3}", uuid in any::<bool>()) {
            let key = |end: &str| {
                let id = if uuid { format!("{end:0>8}-1cbf-4d64-b04d-cd9187a4c6e0") } else { end.to_owned() };
                resource(&format!("Patient/{id}").parse().unwrap())
            };
            let same = if uuid { format!("{one:0>8}") == format!("{other:0>8}") } else { one == other };
            prop_assert_eq!(key(&one) == key(&other), same);
        }
    }
}
