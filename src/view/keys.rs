//! The keys of the views.

use crate::fhir::terms::Term;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;

/// Index parameter under which the charts of a resource are indexed; search parameters have codes
/// below it.
const COMPARTMENT: u16 = u16::MAX;

/// `resources`: type code, id.
pub fn resource(key: &ResourceKey) -> Vec<u8> {
    let mut out = key.kind.code().to_be_bytes().to_vec();
    out.extend_from_slice(key.id.as_str().as_bytes());
    out
}

/// Reads a key of `resources`, which is also the value of `numbers`.
pub fn read_resource(bytes: &[u8]) -> Option<ResourceKey> {
    let (code, id) = bytes.split_first_chunk::<2>()?;
    let kind = ResourceType::from_code(u16::from_be_bytes(*code))?;
    let id: ResourceId = std::str::from_utf8(id).ok()?.parse().ok()?;
    Some(ResourceKey { kind, id })
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

/// `terms` without the resource number: what a search looks for.
pub fn term(kind: ResourceType, term: &Term) -> Vec<u8> {
    term_of(kind, term.parameter, &term.value)
}

/// `terms` for "lies in this chart", without the resource number.
pub fn compartment(kind: ResourceType, alias: StreamAlias) -> Vec<u8> {
    term_of(kind, COMPARTMENT, &alias.0.to_be_bytes())
}

fn term_of(kind: ResourceType, parameter: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + value.len() + 8);
    out.extend_from_slice(&kind.code().to_be_bytes());
    out.extend_from_slice(&parameter.to_be_bytes());
    // Terms are bounded far below this.
    let value = value.get(..255).unwrap_or(value);
    out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(value);
    out
}

/// A key of `terms`.
pub fn with_number(mut prefix: Vec<u8>, number: u64) -> Vec<u8> {
    prefix.extend_from_slice(&number.to_be_bytes());
    prefix
}
