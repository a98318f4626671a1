//! Terms: the bytes under which an index keeps a resource, a format on disk.
//!
//! A value's first byte is its tag, which says what follows and how it is found again. Tags are
//! frozen: none gets a second meaning.

use aws_lc_rs::digest;

/// One thing by which a resource is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The frozen code of the search parameter; 0 in the term that every resource has.
    pub parameter: u16,
    /// Tag and value, at most [`VALUE_LENGTH_MAX`] bytes.
    pub value: Vec<u8>,
}

/// Longest value in bytes. What would be longer is cut or hashed where the value is made.
pub const VALUE_LENGTH_MAX: usize = 64;

/// Bytes of a folded text that a term keeps.
pub(super) const KEPT_BYTES: usize = 24;

/// How an index keeps a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Looked up by equality, or by how it begins: many resources share one value. No value of a
    /// parameter is the beginning of another one.
    Exact,
    /// Looked up by ranges: the order of the bytes is the order of the values.
    Ordered,
}

impl Term {
    /// The term of all resources of a type.
    #[must_use]
    pub fn every() -> Self {
        Self { parameter: 0, value: Vec::new() }
    }

    /// How an index keeps it.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match self.value.first() {
            Some(tag) if tag & ORDERED != 0 => Layout::Ordered,
            _ => Layout::Exact,
        }
    }
}

/// Set in the tags of values that are kept in their order.
const ORDERED: u8 = 0x80;

/// The tags; 0x05 was one. Behind them stand, in this order:
pub(super) mod tag {
    /// Hash of the code, hash of the system, in which the case of the code counts.
    pub const TOKEN: u8 = 0x01;
    /// Hash of the system.
    pub const TOKEN_SYSTEM: u8 = 0x02;
    /// Beginning of the folded text of a token, [`TEXT_END`](super::TEXT_END).
    pub const TOKEN_TEXT: u8 = 0x03;
    /// Hash of `Type/id` or of the URL.
    pub const REFERENCE: u8 = 0x04;
    /// The URI and [`TEXT_END`](super::TEXT_END), or its beginning, `TEXT_CUT` and its hash.
    pub const URI: u8 = 0x06;
    /// Short hash of three neighbouring characters of a folded text, or zeros for a long text.
    pub const STRING_TRIGRAM: u8 = 0x07;
    /// Nothing: the parameter has a value.
    pub const PRESENT: u8 = 0x08;
    /// Hash of the code with its case folded, hash of the system.
    pub const TOKEN_FOLDED: u8 = 0x09;
    /// Of an identifier in place of a reference: as of a token.
    pub const REFERENCE_IDENTIFIER: u8 = 0x0A;
    /// Of a reference to a resource within the resource: hash of its type.
    pub const REFERENCE_WITHIN: u8 = 0x0B;
    /// Beginning of the folded text.
    pub const STRING: u8 = 0x81;
    /// First instant, length of the period.
    pub const DATE: u8 = 0x82;
    /// Of a long or open period: first instant, last instant.
    pub const DATE_FROM: u8 = 0x83;
    /// Of a long or open period: last instant, first instant.
    pub const DATE_TO: u8 = 0x84;
    /// The number.
    pub const NUMBER: u8 = 0x85;
    /// Of a range: lowest, highest number.
    pub const NUMBER_FROM: u8 = 0x86;
    /// Of a range: highest, lowest number.
    pub const NUMBER_TO: u8 = 0x87;
    /// Hash of the unit, then as without.
    pub const QUANTITY: u8 = 0x88;
    /// Hash of the unit, then as without.
    pub const QUANTITY_FROM: u8 = 0x89;
    /// Hash of the unit, then as without.
    pub const QUANTITY_TO: u8 = 0x8A;
}

/// Ends a text; no byte of UTF-8, so that no text with its end is the beginning of another.
pub(super) const TEXT_END: u8 = 0xFF;
/// Ends the beginning of a text that is longer.
pub(super) const TEXT_CUT: u8 = 0xFE;

/// Stands for a text: SHA-256, cut. The function and its width are part of the format. Texts with
/// the same hash count as equal, so finding a second text for a hash must be infeasible.
pub(super) fn hash(text: &str) -> [u8; 8] {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Stands for a text in look-ups whose results are checked against the resource.
pub(super) fn short_hash(text: &str) -> [u8; 4] {
    let [first, second, third, fourth, ..] = hash(text);
    [first, second, third, fourth]
}

/// A value of a tag and what stands behind it.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    value.push(tag);
    parts.iter().for_each(|part| value.extend_from_slice(part));
    value
}

/// The beginning of a text, no longer than so many bytes; it may end within a character.
pub(super) fn cut(text: &str, length_max: usize) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(..length_max).unwrap_or(bytes)
}
