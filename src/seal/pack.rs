//! Packing: UUIDs, which no compressor makes smaller, as the 16 bytes that they are.
//!
//! A payload is JSON without line breaks but one, so that the bytes 1 to 3 never stand in it. In
//! the packed text they stand for UUIDs (RFC 9562 §4, lower case, 36 characters):
//!
//! | byte | stands for |
//! |---|---|
//! | 1 | the id of the chart's patient, if that is a UUID |
//! | 2 | the next UUID of the table |
//! | 3, u16 | the UUID with that number in the table, which stood in the text before |
//!
//! The whole is the number of UUIDs (u16, little-endian), the UUIDs, the text.

const OWNER: u8 = 1;
const NEXT: u8 = 2;
const AGAIN: u8 = 3;
const UUID_CHARACTERS: usize = 36;
/// How far back in the table a repeated UUID is looked for.
const WINDOW: usize = 256;

type Uuid = [u8; 16];

/// The table and the text of a packed payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    pub uuids: Vec<Uuid>,
    pub text: Vec<u8>,
}

/// Packs a payload; `owner` is the id of the chart's patient, or empty.
pub fn pack(payload: &[u8], owner: &str) -> Packed {
    let owner = (owner.len() == UUID_CHARACTERS).then(|| parse(owner.as_bytes())).flatten();
    let mut packed = Packed { uuids: Vec::new(), text: Vec::with_capacity(payload.len()) };
    let mut copied = 0;
    for dash in memchr::memchr_iter(b'-', payload) {
        // The first dash of a UUID stands behind its first eight digits.
        let Some(start) = dash.checked_sub(8).filter(|start| *start >= copied) else { continue };
        let Some(uuid) = payload.get(start..start + UUID_CHARACTERS).and_then(parse) else {
            continue;
        };
        if !packed.put(&uuid, owner.as_ref(), payload.get(copied..start).unwrap_or_default()) {
            break;
        }
        copied = start + UUID_CHARACTERS;
    }
    packed.text.extend_from_slice(payload.get(copied..).unwrap_or_default());
    packed
}

impl Packed {
    /// Puts the text before a UUID and the UUID itself; false if the table is full.
    fn put(&mut self, uuid: &Uuid, owner: Option<&Uuid>, before: &[u8]) -> bool {
        if self.uuids.len() == usize::from(u16::MAX) {
            return false;
        }
        self.text.extend_from_slice(before);
        if owner == Some(uuid) {
            self.text.push(OWNER);
            return true;
        }
        let oldest = self.uuids.len().saturating_sub(WINDOW);
        let known = self.uuids.iter().skip(oldest).position(|known| known == uuid);
        match known.and_then(|place| u16::try_from(oldest + place).ok()) {
            Some(place) => {
                self.text.push(AGAIN);
                self.text.extend_from_slice(&place.to_le_bytes());
            }
            None => {
                self.text.push(NEXT);
                self.uuids.push(*uuid);
            }
        }
        true
    }
}

/// The payload that was packed; `None` if this is none.
pub fn unpack(packed: &Packed, owner: &str) -> Option<Vec<u8>> {
    let mut uuids = packed.uuids.iter();
    let mut out = Vec::with_capacity(packed.text.len() + UUID_CHARACTERS * packed.uuids.len() * 2);
    let mut rest = packed.text.as_slice();
    while let Some(at) = rest.iter().position(|byte| (OWNER..=AGAIN).contains(byte)) {
        out.extend_from_slice(rest.get(..at)?);
        let code = *rest.get(at)?;
        rest = rest.get(at + 1..)?;
        match code {
            OWNER => out.extend_from_slice(owner.as_bytes()),
            NEXT => write(&mut out, uuids.next()?),
            _ => {
                let (place, behind) = rest.split_first_chunk()?;
                write(&mut out, packed.uuids.get(usize::from(u16::from_le_bytes(*place)))?);
                rest = behind;
            }
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Reads a UUID in its one canonical form.
fn parse(text: &[u8]) -> Option<Uuid> {
    let text: &[u8; UUID_CHARACTERS] = text.try_into().ok()?;
    let mut uuid = [0; 16];
    let mut digits = text.iter().enumerate();
    for byte in &mut uuid {
        let mut digit = || loop {
            match digits.next()? {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                (_, digit @ b'0'..=b'9') => return Some(digit - b'0'),
                (_, digit @ b'a'..=b'f') => return Some(digit - b'a' + 10),
                _ => return None,
            }
        };
        *byte = digit()? << 4 | digit()?;
    }
    Some(uuid)
}

fn write(out: &mut Vec<u8>, uuid: &Uuid) {
    let mut text = [0; UUID_CHARACTERS];
    uuid::Uuid::from_bytes_ref(uuid).hyphenated().encode_lower(&mut text);
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9";
    const TWO: &str = "ffffffff-ffff-4fff-8fff-ffffffffffff";

    #[test]
    fn uuids_are_sixteen_bytes_once_and_the_owner_none() {
        let payload = format!("a{ONE}b{TWO}c{ONE}d{TWO}{TWO}");
        let packed = pack(payload.as_bytes(), TWO);
        assert_eq!(packed.text, b"a\x02b\x01c\x03\0\0d\x01\x01");
        assert_eq!(packed.uuids.len(), 1);
        assert_eq!(unpack(&packed, TWO).unwrap(), payload.as_bytes());
    }

    #[test]
    fn what_only_resembles_a_uuid_stays() {
        let almost = [
            ONE.to_uppercase(),
            ONE.replace('-', "_"),
            ONE[1..].to_owned(),
            format!("-{}", &ONE[1..]),
            "--------------------------------------".to_owned(),
        ];
        for payload in almost {
            let packed = pack(payload.as_bytes(), "");
            assert_eq!((packed.uuids.len(), &packed.text[..]), (0, payload.as_bytes()));
        }
        // Too many digits before the first dash: the last eight belong to the UUID.
        let payload = format!("0{ONE}-");
        assert_eq!(unpack(&pack(payload.as_bytes(), ""), "").unwrap(), payload.as_bytes());
    }

    #[test]
    fn more_uuids_than_the_table_holds_stay_text() {
        let payload: String =
            (0..70_000u128).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
        let packed = pack(payload.as_bytes(), "");
        assert_eq!(packed.uuids.len(), 65_535);
        assert_eq!(unpack(&packed, "").unwrap(), payload.as_bytes());
    }

    #[test]
    fn texts_that_were_never_packed_are_refused() {
        for text in [&b"\x02"[..], b"\x03", b"\x03\0", b"\x03\0\0"] {
            assert_eq!(unpack(&Packed { uuids: Vec::new(), text: text.to_vec() }, ""), None);
        }
    }
}
