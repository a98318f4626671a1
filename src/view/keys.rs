//! The keys of the views.

use std::ops::RangeInclusive;

use aws_lc_rs::digest;

use super::postings::CHUNK_BITS;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{Position, ResourceNumber};

/// Index parameter under which the charts of a resource are indexed; search parameters have codes
/// below it.
const COMPARTMENT: u16 = u16::MAX;
/// Encoding of an id in a key: a lower-case UUID as its 16 bytes.
const ID_UUID: u8 = 0;
/// Encoding of an id in a key: any other, as its text.
const ID_TEXT: u8 = 1;
/// Bytes of a hash that stands for an idempotency key: SHA-256, cut off.
const MARK_BYTES: usize = 16;
/// Bytes of type code and parameter, with which the keys of the index begin.
pub const PARAMETER_BYTES: usize = 4;
/// Numbers in one block of `values`, as a power of two: a search within a range of values reads its
/// matches block by block, in the order of numbers.
const BLOCK_BITS: u32 = 12;
/// Bytes of a number within its block.
const IN_BLOCK_BYTES: usize = 2;

/// `names`: type code, encoding of the id, id.
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

/// Two numbers: `history`, `streams`, `snapshots`.
pub fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let (left, right) = out.split_at_mut(8);
    left.copy_from_slice(&first.to_be_bytes());
    right.copy_from_slice(&second.to_be_bytes());
    out
}

/// Bytes of a key of `access_terms` in front of the position: kind of term, and its value.
pub const ACCESS_TERM_BYTES: usize = 9;
/// Bytes of a key of `access_terms`.
pub const ACCESS_BYTES: usize = ACCESS_TERM_BYTES + 8;

/// `access_terms` up to the position.
pub fn access_term(tag: u8, value: [u8; 8]) -> [u8; ACCESS_TERM_BYTES] {
    let mut out = [tag; ACCESS_TERM_BYTES];
    let (_, rest) = out.split_at_mut(1);
    rest.copy_from_slice(&value);
    out
}

/// `access_terms`.
pub fn access(term: [u8; ACCESS_TERM_BYTES], position: Position) -> [u8; ACCESS_BYTES] {
    let mut out = [0; ACCESS_BYTES];
    let (left, right) = out.split_at_mut(ACCESS_TERM_BYTES);
    left.copy_from_slice(&term);
    right.copy_from_slice(&position.get().to_be_bytes());
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

/// `terms` without the chunk: what a search looks for. No value of a parameter begins with another.
pub fn term(kind: ResourceType, parameter: u16, value: &[u8]) -> Vec<u8> {
    // Terms are bounded far below this.
    let value = value.get(..255).unwrap_or(value);
    let mut out = Vec::with_capacity(PARAMETER_BYTES + value.len() + 5);
    out.extend_from_slice(&kind.code().to_be_bytes());
    out.extend_from_slice(&parameter.to_be_bytes());
    out.extend_from_slice(value);
    out
}

/// `terms` for "lies in this chart", without the chunk.
pub fn compartment(kind: ResourceType, alias: StreamAlias) -> Vec<u8> {
    term(kind, COMPARTMENT, &alias.0.to_be_bytes())
}

/// A key of `terms`, or of `blocks`: the chunk or block of numbers follows, its length first, so that keys sort as chunks do;
/// and at last the length of the value, so that a key can be read.
pub fn with_chunk(mut prefix: Vec<u8>, chunk: u64) -> Vec<u8> {
    let length = prefix.len().saturating_sub(PARAMETER_BYTES);
    push_digits(&mut prefix, chunk);
    prefix.push(u8::try_from(length).unwrap_or(u8::MAX));
    prefix
}

/// The chunk in a key of `terms`, or the block in one of `blocks`, that begins with `prefix` bytes.
pub fn read_chunk(key: &[u8], prefix: usize) -> Option<u64> {
    read_digits(key.get(prefix + 1..key.len().checked_sub(1)?)?)
}

/// Type code, parameter and value in a key of `terms` or `blocks`.
pub fn read_term(key: &[u8]) -> Option<&[u8]> {
    key.get(..PARAMETER_BYTES + usize::from(*key.last()?))
}

/// Behind all keys of `terms` with this value.
pub fn behind_term(mut prefix: Vec<u8>) -> Vec<u8> {
    prefix.push(u8::MAX);
    prefix
}

/// The block of `values` that a number falls into.
pub fn block_of(number: ResourceNumber) -> u64 {
    number.get() >> BLOCK_BITS
}

/// The chunk with which a block begins.
pub fn first_chunk(block: u64) -> u64 {
    block << (BLOCK_BITS - CHUNK_BITS)
}

/// The block that a chunk lies in.
pub fn block_of_chunk(chunk: u64) -> u64 {
    chunk >> (BLOCK_BITS - CHUNK_BITS)
}

/// `values` up to the block: type code, parameter, the value's tag, block.
pub fn block(kind: ResourceType, parameter: u16, tag: u8, block: u64) -> Vec<u8> {
    let mut out = term(kind, parameter, &[tag]);
    push_digits(&mut out, block);
    out
}

/// A key of `values`: the rest of the value and the number within the block follow.
pub fn value(kind: ResourceType, parameter: u16, value: &[u8], number: ResourceNumber) -> Vec<u8> {
    let (tag, rest) = value.split_first().unwrap_or((&0, &[]));
    let mut out = block(kind, parameter, *tag, block_of(number));
    out.extend_from_slice(rest);
    let bytes = number.get().to_be_bytes();
    let within = bytes.last_chunk::<IN_BLOCK_BYTES>().copied().unwrap_or_default();
    let mask = (1u16 << BLOCK_BITS) - 1;
    out.extend_from_slice(&(u16::from_be_bytes(within) & mask).to_be_bytes());
    out
}

/// A key of `values` without the number: what all resources of a block with one value share.
pub fn without_number(key: &[u8]) -> &[u8] {
    key.split_last_chunk::<IN_BLOCK_BYTES>().map_or(key, |(shared, _)| shared)
}

/// The keys of `values` that begin so, and differ in the number alone.
pub fn all_numbers(shared: &[u8]) -> RangeInclusive<Vec<u8>> {
    let with = |byte| [shared, &[byte; IN_BLOCK_BYTES]].concat();
    with(u8::MIN)..=with(u8::MAX)
}

/// `blocks`, from what keys of `values` share: the value in front of the block; and that block.
pub fn block_of_value(shared: &[u8]) -> Option<(Vec<u8>, u64)> {
    let block = read_block(shared)?;
    let digits = usize::from(*shared.get(PARAMETER_BYTES + 1)?);
    let mut term = shared.get(..=PARAMETER_BYTES)?.to_vec();
    term.extend_from_slice(shared.get(PARAMETER_BYTES + 2 + digits..)?);
    Some((with_chunk(term, block), block))
}

/// The block in a key of `values` that begins with type code, parameter and tag.
pub fn read_block(key: &[u8]) -> Option<u64> {
    let length = usize::from(*key.get(PARAMETER_BYTES + 1)?);
    read_digits(key.get(PARAMETER_BYTES + 2..PARAMETER_BYTES + 2 + length)?)
}

/// The value behind its tag, and the number, in a key of `values` that begins with `prefix` bytes up
/// to its block.
pub fn read_value(key: &[u8], prefix: usize, block: u64) -> Option<(&[u8], ResourceNumber)> {
    let (value, within) = key.get(prefix..)?.split_last_chunk::<IN_BLOCK_BYTES>()?;
    let number = block << BLOCK_BITS | u64::from(u16::from_be_bytes(*within));
    Some((value, ResourceNumber::new(number)))
}

fn push_digits(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = (number.leading_zeros() / 8) as usize;
    let digits = bytes.get(zeros..).unwrap_or_default();
    out.push(u8::try_from(digits.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(digits);
}

fn read_digits(digits: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    let zeros = bytes.len().checked_sub(digits.len())?;
    bytes.get_mut(zeros..)?.copy_from_slice(digits);
    Some(u64::from_be_bytes(bytes))
}

/// The highest chunk there can be.
pub const LAST_CHUNK: u64 = u64::MAX >> CHUNK_BITS;

/// A text of any length, as the beginning of its SHA-256.
pub fn hash<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
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
        fn a_key_of_a_value_leads_to_its_blocks(rest in prop::collection::vec(any::<u8>(), 0..20), number in any::<u64>(), bits in 12u32..64) {
            let number = ResourceNumber::new(number >> bits);
            let patient = ResourceType::PATIENT;
            let text = [&[0x80], rest.as_slice()].concat();
            let key = value(patient, 7, &text, number);
            let shared = without_number(&key);
            prop_assert!(all_numbers(shared).contains(&key));
            let (block_key, block) = block_of_value(shared).unwrap();
            prop_assert_eq!(block, block_of(number));
            let beginning = term(patient, 7, &text);
            prop_assert_eq!(read_term(&block_key), Some(beginning.as_slice()));
            prop_assert_eq!(read_chunk(&block_key, beginning.len()), Some(block));
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
