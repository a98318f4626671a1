//! Sealing: from the payload of an event to bytes that only the chart's key opens, and back.
//!
//! A payload is packed (UUIDs as 16 bytes), compressed (zstd with a [`Dictionary`] of its
//! kind) and encrypted (AES-256-GCM under the data key of its chart). A commitment, in the clear,
//! binds the payload: who is later shown payload and salt can check both against the log without
//! any key, and whoever is not learns nothing from it.
//!
//! | made | from |
//! |---|---|
//! | encryption key, salt key | HKDF-SHA-256 (RFC 5869) of the data key |
//! | text | dictionary id, packed and compressed payload; before it, what is quoted from an earlier frame (`quote.rs`) |
//! | salt | HMAC-SHA-256 (RFC 2104) of the text under the salt key, 16 bytes |
//! | commitment | SHA-256 of a label, the salt and the payload |
//! | nonce | the first 12 bytes of the commitment |
//!
//! So nothing has to be stored besides commitment and ciphertext, and a nonce repeats only if the
//! text does. **Invariant:** no key is ever printed; keys are overwritten in memory when dropped.

mod cursor;
mod dictionary;
mod pack;
mod quote;

pub use cursor::CursorKey;
pub use dictionary::Dictionary;
pub use quote::{Lines, Quotes};

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac};
use zeroize::Zeroizing;

use crate::log::{Content, FrameKind, StreamAlias};
use crate::numbers::Position;
use quote::Quoted;

/// Bytes of a data key.
pub const KEY_BYTES: usize = 32;
/// Bytes of the salt of a commitment.
pub const SALT_BYTES: usize = 16;
const COMMITMENT_LABEL: &[u8] = b"chartlog commitment v1\0";
const FRAME_LABEL: &[u8] = b"chartlog frame v2\0";

/// Why a frame does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is another one, or the bytes were changed.
    #[error("the frame does not open with the key of its chart")]
    Key,
    /// It opened, but what is in it is not a payload that this program reads.
    #[error("the frame holds text of an unknown form")]
    Text,
    /// The payload is not the one that was committed to.
    #[error("the payload does not match its commitment")]
    Commitment,
}

/// The keys of one chart, of the directory, or of the access log.
pub struct SealingKey {
    aead: LessSafeKey,
    salt: hmac::Key,
    tombstone: hmac::Key,
    /// The id that stands in most of its payloads: the patient's.
    owner: String,
    /// False: leaves everything readable, to measure what sealing costs.
    seals: bool,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealingKey")
    }
}

/// A payload with the salt of its commitment: what is disclosed to whoever is to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The payload.
    pub payload: Vec<u8>,
    /// The salt.
    pub salt: [u8; SALT_BYTES],
}

impl SealingKey {
    /// The keys that follow from a data key. `owner`: the patient's id, empty if there is none.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`]: the cryptographic library refused.
    pub fn new(data_key: &[u8; KEY_BYTES], owner: &str) -> Result<Self, SealError> {
        let encryption = derive(data_key, b"chartlog encryption")?;
        let salt = derive(data_key, b"chartlog salt")?;
        let aead = UnboundKey::new(&AES_256_GCM, &*encryption).map_err(|_| SealError::Key)?;
        let salt = hmac::Key::new(hmac::HMAC_SHA256, &*salt);
        let tombstone = derive(data_key, b"chartlog tombstone")?;
        let tombstone = hmac::Key::new(hmac::HMAC_SHA256, &*tombstone);
        Ok(Self {
            aead: LessSafeKey::new(aead),
            salt,
            tombstone,
            owner: owner.to_owned(),
            seals: true,
        })
    }

    /// The same, but leaving everything readable: only to measure what sealing costs.
    #[must_use]
    pub fn in_the_clear(self) -> Self {
        Self { seals: false, ..self }
    }

    /// A key that follows from several: who lacks one of them does not have it.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`]: the cryptographic library refused.
    pub fn joint<'a>(keys: impl Iterator<Item = &'a Self>) -> Result<CursorKey, SealError> {
        let mut all = digest::Context::new(&digest::SHA256);
        for key in keys {
            all.update(hmac::sign(&key.tombstone, b"chartlog words").as_ref());
        }
        let all = all.finish();
        let all = all.as_ref().first_chunk().ok_or(SealError::Key)?;
        CursorKey::new(&*derive(all, b"chartlog words")?)
    }

    /// The patient whose chart these keys open; empty for the directory and the access log.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Seals a payload for a frame of that kind and stream.
    ///
    /// # Errors
    ///
    /// [`SealError`]: a library refused; never for a reason in the payload.
    pub fn seal(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        dictionary: Dictionary,
        payload: &[u8],
    ) -> Result<Content, SealError> {
        if !self.seals {
            return Ok(Content::clear(payload.to_vec()));
        }
        let text = dictionary.compress(&pack::pack(payload, &self.owner))?;
        self.encrypt(kind, alias, text, payload)
    }

    /// Seals a payload that quotes lines of an earlier frame.
    ///
    /// # Errors
    ///
    /// As [`SealingKey::seal`]; [`SealError::Text`] if the quotes do not stand in the payload.
    pub fn seal_quoting(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        dictionary: Dictionary,
        payload: &[u8],
        quotes: &Quotes,
    ) -> Result<Content, SealError> {
        if !self.seals {
            return Ok(Content::clear(payload.to_vec()));
        }
        let rest = quotes.take_out(payload).ok_or(SealError::Text)?;
        let rest = dictionary.compress(&pack::pack(&rest, &self.owner))?;
        let mut text = quotes.prefix();
        text.extend_from_slice(&rest);
        self.encrypt(kind, alias, text, payload)
    }

    fn encrypt(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        mut text: Vec<u8>,
        payload: &[u8],
    ) -> Result<Content, SealError> {
        let commitment = commit(&self.salt_of(&text), payload);
        let aad = Aad::from(associated(kind, alias));
        self.aead
            .seal_in_place_append_tag(nonce(&commitment)?, aad, &mut text)
            .map_err(|_| SealError::Key)?;
        Ok(Content::sealed(commitment, text))
    }

    /// Opens the content of a frame that quotes nothing. The cipher's tag proves that it is unchanged.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`], [`SealError::Text`].
    pub fn open(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        content: Content,
    ) -> Result<Vec<u8>, SealError> {
        self.open_quoting(kind, alias, content, |_| Err(SealError::Text))
    }

    /// The same of one that may quote; `lines` are those of the payload of the frame at a position.
    ///
    /// # Errors
    ///
    /// As [`SealingKey::open`]; those of `lines`.
    pub fn open_quoting<E: From<SealError>>(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        content: Content,
        lines: impl FnOnce(Position) -> Result<Arc<Lines>, E>,
    ) -> Result<Vec<u8>, E> {
        if !content.is_sealed() {
            return Ok(content.into_body());
        }
        let text = self.decrypt(kind, alias, content)?;
        self.expand(&text, lines)
    }

    /// Opens the content of a frame that quotes nothing, and checks it against its commitment.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn disclose(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        content: Content,
    ) -> Result<Disclosed, SealError> {
        self.disclose_quoting(kind, alias, content, |_| Err(SealError::Text))
    }

    /// The same of one that may quote, as [`SealingKey::open_quoting`].
    ///
    /// # Errors
    ///
    /// [`SealError`]; those of `lines`.
    pub fn disclose_quoting<E: From<SealError>>(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        content: Content,
        lines: impl FnOnce(Position) -> Result<Arc<Lines>, E>,
    ) -> Result<Disclosed, E> {
        let commitment = *content.commitment();
        let text = self.decrypt(kind, alias, content)?;
        let salt = self.salt_of(&text);
        let payload = self.expand(&text, lines)?;
        if commit(&salt, &payload) == commitment {
            Ok(Disclosed { payload, salt })
        } else {
            Err(SealError::Commitment.into())
        }
    }

    /// A keyed hash of a name: it identifies the name again, but reveals nothing.
    #[must_use]
    pub fn tombstone(&self, name: &str) -> [u8; 16] {
        let tag = hmac::sign(&self.tombstone, name.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The key of the cursors that are given out between two pages.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`]: the cryptographic library refused.
    pub fn cursor_key(&self) -> Result<CursorKey, SealError> {
        // No name of a tombstone begins like this.
        CursorKey::new(hmac::sign(&self.tombstone, b"\0chartlog cursor").as_ref())
    }

    fn decrypt(
        &self,
        kind: FrameKind,
        alias: StreamAlias,
        content: Content,
    ) -> Result<Vec<u8>, SealError> {
        let nonce = nonce(content.commitment())?;
        let mut text = content.into_body();
        let aad = Aad::from(associated(kind, alias));
        let opened = self.aead.open_in_place(nonce, aad, &mut text).map_err(|_| SealError::Key)?;
        let length = opened.len();
        text.truncate(length);
        Ok(text)
    }

    fn expand<E: From<SealError>>(
        &self,
        text: &[u8],
        lines: impl FnOnce(Position) -> Result<Arc<Lines>, E>,
    ) -> Result<Vec<u8>, E> {
        let unpacked = |text: &[u8]| {
            let packed = dictionary::expand(text)?;
            pack::unpack(&packed, &self.owner).ok_or(SealError::Text)
        };
        let Some(quoted) = Quoted::parse(text).map_err(|()| SealError::Text)? else {
            return Ok(unpacked(text)?);
        };
        let rest = unpacked(quoted.rest)?;
        Ok(quoted.put_in(&rest, &*lines(quoted.from)?).ok_or(SealError::Text)?)
    }

    fn salt_of(&self, text: &[u8]) -> [u8; SALT_BYTES] {
        let tag = hmac::sign(&self.salt, text);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// The packed text of a payload: what dictionaries are trained on.
#[must_use]
pub fn sample(payload: &[u8], owner: &str) -> Vec<u8> {
    pack::pack(payload, owner).text
}

/// The commitment to a payload, as in a frame's header.
#[must_use]
pub fn commit(salt: &[u8; SALT_BYTES], payload: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(COMMITMENT_LABEL);
    context.update(salt);
    context.update(payload);
    context.finish().as_ref().try_into().unwrap_or_default()
}

fn derive(key: &[u8; KEY_BYTES], label: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"chartlog")
        .extract(key)
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut()))
        .map_err(|_| SealError::Key)?;
    Ok(out)
}

fn nonce(commitment: &[u8; 32]) -> Result<Nonce, SealError> {
    let bytes = commitment.get(..12).ok_or(SealError::Key)?;
    Nonce::try_assume_unique_for_key(bytes).map_err(|_| SealError::Key)
}

fn associated(kind: FrameKind, alias: StreamAlias) -> Vec<u8> {
    let mut out = FRAME_LABEL.to_vec();
    out.push(kind as u8);
    out.extend_from_slice(&alias.0.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWNER: &str = "0a1b2c3d-0000-4000-8000-00000000000f";

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(&[byte; KEY_BYTES], OWNER).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_is_what_was_committed_to(
            text in r#"(0a1b2c3d-0000-4000-8000-00000000000f|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}|[a-zA-Z0-9 :",{}é-]{0,40}){0,12}"#,
            dictionary in prop::sample::select(Dictionary::all().collect::<Vec<_>>()),
        ) {
            let (kind, alias) = (FrameKind::Chart, StreamAlias(7));
            let content = key(1).seal(kind, alias, dictionary, text.as_bytes()).unwrap();
            prop_assert_eq!(key(1).open(kind, alias, content.clone()).unwrap(), text.as_bytes());
            let shown = key(1).disclose(kind, alias, content.clone()).unwrap();
            prop_assert_eq!(&commit(&shown.salt, text.as_bytes()), content.commitment());
        }
    }

    #[test]
    fn what_quotes_opens_with_the_lines_that_it_quotes() {
        let (kind, alias, from) = (FrameKind::Access, StreamAlias::NONE, Position::new(9));
        let uuid = "11111111-2222-4333-8444-555555555555";
        let (first, second) = (format!("{{\"id\":\"{uuid}\"}}"), "{\"a\":1}");
        let payload = format!("[{second},{first},\"{uuid}\"]");
        let places =
            vec![(1..1 + second.len(), 1), (second.len() + 2..second.len() + 2 + first.len(), 0)];
        let quotes = Quotes { from, places };
        let seal = |quotes| {
            key(1).seal_quoting(kind, alias, Dictionary::of("access"), payload.as_bytes(), quotes)
        };
        let content = seal(&quotes).unwrap();
        let lines = Arc::new(Lines::of(format!("{first}\n{second}").into_bytes()));
        let asked = |position| match position == from {
            true => Ok::<_, SealError>(Arc::clone(&lines)),
            false => Err(SealError::Text),
        };
        let opened = key(1).open_quoting(kind, alias, content.clone(), asked).unwrap();
        assert_eq!(opened, payload.as_bytes());
        let shown = key(1).disclose_quoting(kind, alias, content.clone(), asked).unwrap();
        assert_eq!(&commit(&shown.salt, payload.as_bytes()), content.commitment());
        let other = Arc::new(Lines::of(format!("{first}\n{{}}").into_bytes()));
        let shown = key(1).disclose_quoting(kind, alias, content.clone(), |_| Ok(other));
        assert_eq!(shown, Err(SealError::Commitment), "lines of another frame");
        assert_eq!(key(1).open(kind, alias, content), Err(SealError::Text));
        let beyond = Quotes { from, places: vec![(0..payload.len() + 1, 0)] };
        assert_eq!(seal(&beyond), Err(SealError::Text));
    }

    #[test]
    fn nothing_else_opens_it() {
        let (kind, alias) = (FrameKind::Chart, StreamAlias(7));
        let content = key(1).seal(kind, alias, Dictionary::NONE, b"{\"a\":1}").unwrap();
        assert_eq!(key(2).open(kind, alias, content.clone()), Err(SealError::Key));
        assert_eq!(key(1).open(kind, StreamAlias(8), content.clone()), Err(SealError::Key));
        assert_eq!(key(1).open(FrameKind::Access, alias, content.clone()), Err(SealError::Key));
        let body = content.clone().into_body();
        for bit in 0..body.len() * 8 {
            let mut damaged = body.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let content = Content::sealed(*content.commitment(), damaged);
            assert_eq!(key(1).open(kind, alias, content), Err(SealError::Key), "bit {bit}");
        }
    }

    #[test]
    fn equal_texts_of_two_charts_do_not_look_equal() {
        let seal = |key: &SealingKey| {
            key.seal(FrameKind::Chart, StreamAlias(7), Dictionary::NONE, b"{}").unwrap()
        };
        assert_ne!(seal(&key(1)).commitment(), seal(&key(2)).commitment());
    }
}
