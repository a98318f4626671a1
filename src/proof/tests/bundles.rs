//! Evidence bundles: a good one, and what its report says.

use super::super::{
    BUNDLE_FORMAT, Base64, Bundle, BundleLog, Checkpoint, Disclosed, Entry, Hash, commitment,
    inclusion, leaf, verify_bundle,
};
use super::{Memory, signer};

pub const CHART: u64 = 0x0123_4567_89ab_cdef;
pub const OTHER_CHART: u64 = 0xfedc_ba98_7654_3210;
/// Entries of the log; enough for two tile levels.
const SIZE: u64 = 300;
/// What the bundle shows.
const SHOWN: [u64; 7] = [2, 3, 7, 150, 255, 256, 299];
const LAST_OF_COMMIT: u8 = 1;
const SEALED: u8 = 4;

/// The frame of a synthetic log.
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub version: u32,
    pub alias: u64,
    pub commitment: Hash,
    pub body: Vec<u8>,
}

impl Frame {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = u32::try_from(self.body.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.alias.to_le_bytes());
        bytes.extend(self.commitment.0);
        bytes.extend(&self.body);
        bytes
    }
}

pub fn payload(position: u64) -> String {
    format!("{{\"type\":\"Observation.recorded\",\"note\":\"grün {position}\"}}")
}

pub fn salt(position: u64) -> Vec<u8> {
    Hash::of(&position.to_le_bytes()).0[..16].to_vec()
}

/// Every tenth is unsealed and of the directory, except in the log of accesses.
pub fn frame(log: BundleLog, position: u64) -> Frame {
    let chart = if position.is_multiple_of(2) { CHART } else { OTHER_CHART };
    let (kind, flags) = match log {
        BundleLog::Access => (3, SEALED),
        BundleLog::Events if position % 10 == 3 => (2, LAST_OF_COMMIT),
        BundleLog::Events => (1, LAST_OF_COMMIT | SEALED),
    };
    Frame {
        kind,
        flags,
        version: u32::try_from(position / 2 + 1).unwrap(),
        alias: chart,
        commitment: commitment(&salt(position), payload(position).as_bytes()),
        body: position.to_le_bytes().repeat(4),
    }
}

pub fn recorded_at(position: u64) -> i64 {
    1_750_000_000_000_000 + i64::try_from(position / 4).unwrap() * 1_000
}

/// A bundle over any frames; the tree is over the whole log.
pub fn bundle_of(log: BundleLog, origin: &str, frame: impl Fn(u64) -> Vec<u8>) -> Bundle {
    let leaves = (0..SIZE).map(|position| leaf(position, recorded_at(position), &frame(position)));
    let memory = Memory::of(&leaves.collect::<Vec<_>>());
    let signed = Checkpoint::sign(&signer(origin), SIZE, memory.tree.root()).unwrap();
    let entry = |position: u64| {
        let bytes = frame(position);
        let sealed = bytes[5] & SEALED != 0 && position != 7;
        let (salt, payload) = (Base64(salt(position)), payload(position));
        Entry {
            position,
            recorded_at: recorded_at(position),
            frame: Base64(bytes),
            proof: inclusion(&memory, position, SIZE).unwrap().hashes,
            disclosed: sealed.then_some(Disclosed { salt, payload }),
        }
    };
    Bundle {
        format: BUNDLE_FORMAT.to_owned(),
        log,
        checkpoint: signed.note().to_string(),
        entries: SHOWN.into_iter().map(entry).collect(),
    }
}

pub const ORIGIN: &str = "example.org/clinic/events";

pub fn good() -> Bundle {
    bundle_of(BundleLog::Events, ORIGIN, |position| frame(BundleLog::Events, position).bytes())
}

pub fn text(bundle: &Bundle) -> String {
    serde_json::to_string_pretty(bundle).unwrap()
}

pub fn key(origin: &str) -> String {
    signer(origin).verifier().to_string()
}

#[test]
fn a_good_bundle_says_what_it_proves() {
    let report = verify_bundle(&text(&good()), &key(ORIGIN)).unwrap();
    assert_eq!((report.size, report.entries, report.disclosed), (300, 7, 5));
    assert_eq!(report.origin, ORIGIN);
    let spans: Vec<_> = report
        .charts
        .iter()
        .map(|span| (span.alias.as_str(), span.first, span.last, span.entries))
        .collect();
    let expected = [("0123456789abcdef", 2, 129, 3), ("fedcba9876543210", 4, 150, 3)];
    assert_eq!(spans, expected);
}

#[test]
fn accesses_have_a_log_of_their_own() {
    let origin = "example.org/clinic/access";
    let accesses = |position| frame(BundleLog::Access, position).bytes();
    let bundle = bundle_of(BundleLog::Access, origin, accesses);
    let report = verify_bundle(&text(&bundle), &key(origin)).unwrap();
    assert_eq!((report.log, report.entries, report.charts.len()), (BundleLog::Access, 7, 0));
}

/// The log itself is wrong, and was signed so: no bit was changed since.
#[test]
fn what_a_log_may_not_hold_is_refused_even_if_it_is_signed() {
    type Change = fn(&mut Frame);
    let changes: [(&str, Change); 7] = [
        ("kind 3 does not belong to /events", |frame| frame.kind = 3),
        ("kind 0 does not belong to /events", |frame| frame.kind = 0),
        ("kind 4 does not belong to /events", |frame| frame.kind = 4),
        ("unknown flags", |frame| frame.flags |= 8),
        ("chart version is 0", |frame| (frame.kind, frame.version) = (1, 0)),
        ("stands after version", |frame| (frame.kind, frame.version) = (1, 1)),
        ("is not the one that the frame commits to", |frame| {
            (frame.flags, frame.commitment) = (SEALED, Hash::empty());
        }),
    ];
    for (message, change) in changes {
        let bundle = bundle_of(BundleLog::Events, ORIGIN, |position| {
            let mut frame = frame(BundleLog::Events, position);
            if position == 256 {
                change(&mut frame);
            }
            frame.bytes()
        });
        let error = verify_bundle(&text(&bundle), &key(ORIGIN)).unwrap_err().to_string();
        assert!(error.starts_with("position 256: ") && error.contains(message), "{error}");
    }
    for (message, cut) in [("32 bytes of body; there are 31", 81), ("are no header", 49)] {
        let bundle = bundle_of(BundleLog::Events, ORIGIN, |position| {
            let mut bytes = frame(BundleLog::Events, position).bytes();
            bytes.truncate(if position == 256 { cut } else { bytes.len() });
            bytes
        });
        let error = verify_bundle(&text(&bundle), &key(ORIGIN)).unwrap_err().to_string();
        assert!(error.starts_with("position 256: ") && error.contains(message), "{error}");
    }
}
