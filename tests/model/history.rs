//! What may happen: generated histories over four patients and eight further resources, so few
//! that the same resource is met again and again.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The resources that histories are about, by number.
pub const SLOTS: [&str; 12] = [
    "Patient/p0",
    "Patient/p1",
    "Patient/p2",
    "Patient/p3",
    "Observation/o0",
    "Observation/o1",
    "Observation/o2",
    "Condition/c0",
    "Appointment/a0",
    "Appointment/a1",
    "Practitioner/d0",
    "Location/l0",
];

pub const PATIENTS: [&str; 4] = ["p0", "p1", "p2", "p3"];

/// One change.
#[derive(Debug, Clone)]
pub enum Op {
    /// The resource gets new content.
    Put { slot: usize, patients: Vec<usize>, note: u8, in_error: bool, condition: Condition },
    /// It is deleted.
    Remove { slot: usize, condition: Condition },
    /// An Observation is created unless one with that identifier exists.
    CreateUnlessThere { patient: usize, tag: u8 },
}

/// A condition of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    None,
    /// `If-Match` with the live version, if there is one.
    Right,
    /// `If-Match` with another version.
    Wrong,
    /// `If-None-Match: *`.
    NotThere,
}

/// Changes of one commit: no resource twice.
pub type Transaction = Vec<Op>;
/// Transactions that are sent at the same time.
pub type Round = Vec<Transaction>;

impl Op {
    /// Type/id, unless the store chooses the id.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Put { slot, .. } | Self::Remove { slot, .. } => Some(SLOTS[*slot].to_owned()),
            Self::CreateUnlessThere { .. } => None,
        }
    }

    /// The content without type, id and meta; `None` for a deletion.
    pub fn content(&self) -> Option<String> {
        let (slot, patients, note, in_error) = match self {
            Self::Remove { .. } => return None,
            Self::CreateUnlessThere { patient, tag } => (4, vec![*patient], *tag, false),
            Self::Put { slot, patients, note, in_error, .. } => {
                (*slot, patients.clone(), *note, *in_error)
            }
        };
        let reference = |patient: &usize| format!(r#"{{"reference":"Patient/p{patient}"}}"#);
        let list = |patients: &[usize], before: &str, after: &str| {
            let one = |patient| format!("{before}{}{after}", reference(patient));
            patients.iter().map(one).collect::<Vec<_>>().join(",")
        };
        let mut out = format!(r#""identifier":[{{"system":"urn:t","value":"i{note}"}}]"#);
        let (first, rest) = patients.split_at(patients.len().min(1));
        match slot {
            0..=3 => {
                let links = list(&patients, r#"{"other":"#, r#","type":"seealso"}"#);
                if !links.is_empty() {
                    out.push_str(&format!(r#","link":[{links}]"#));
                }
            }
            4..=6 => {
                let status = if in_error { "entered-in-error" } else { "final" };
                out.push_str(&format!(r#","status":"{status}","code":{{"text":"x"}}"#));
                if let [subject] = first {
                    out.push_str(&format!(r#","subject":{}"#, reference(subject)));
                }
                if !rest.is_empty() {
                    out.push_str(&format!(r#","performer":[{}]"#, list(rest, "", "")));
                }
            }
            7 => {
                let status = if in_error { "entered-in-error" } else { "confirmed" };
                let status = format!(r#"{{"coding":[{{"code":"{status}"}}]}}"#);
                out.push_str(&format!(r#","verificationStatus":{status}"#));
                if let [subject] = first {
                    out.push_str(&format!(r#","subject":{}"#, reference(subject)));
                }
                if let Some(asserter) = rest.first() {
                    out.push_str(&format!(r#","asserter":{}"#, reference(asserter)));
                }
            }
            8 | 9 => {
                let status = if in_error { "entered-in-error" } else { "proposed" };
                let actors = list(&patients, r#"{"actor":"#, r#","status":"accepted"}"#);
                out.push_str(&format!(r#","status":"{status}","participant":[{actors}]"#));
            }
            _ => {}
        }
        Some(out)
    }

    /// The charts in which that content lies.
    pub fn patients(&self) -> Vec<String> {
        let numbers = match self {
            Self::Remove { .. } => Vec::new(),
            Self::CreateUnlessThere { patient, .. } => vec![*patient],
            Self::Put { slot, patients, .. } => match slot {
                0..=3 => {
                    let others = patients.iter().copied().filter(|patient| patient != slot);
                    std::iter::once(*slot).chain(others).collect()
                }
                4..=6 | 8 | 9 => patients.clone(),
                7 => patients.iter().copied().take(2).collect(),
                _ => Vec::new(),
            },
        };
        numbers.into_iter().map(|number| format!("p{number}")).collect()
    }

    /// Whether the content says `entered-in-error`.
    pub fn is_in_error(&self) -> bool {
        matches!(self, Self::Put { slot: 4..=9, in_error: true, .. })
    }

    /// The resource as a client sends it.
    pub fn sent(&self, key: &str) -> String {
        let (kind, id) = key.split_once('/').unwrap();
        let content = self.content().unwrap();
        format!(r#"{{"resourceType":"{kind}","id":"{id}",{content}}}"#)
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        12 => Just(Condition::None),
        3 => Just(Condition::Right),
        1 => Just(Condition::Wrong),
        1 => Just(Condition::NotThere),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let slot = 0..SLOTS.len();
    let put = (slot.clone(), prop::collection::vec(0..4usize, 0..4), 0..3u8, 0..5u8, condition())
        .prop_map(|(slot, patients, note, in_error, condition)| {
            let mut distinct = Vec::new();
            for patient in patients {
                if !distinct.contains(&patient) {
                    distinct.push(patient);
                }
            }
            Op::Put { slot, patients: distinct, note, in_error: in_error == 0, condition }
        });
    let remove = (slot, condition()).prop_map(|(slot, condition)| Op::Remove { slot, condition });
    let create =
        (0..4usize, 0..6u8).prop_map(|(patient, tag)| Op::CreateUnlessThere { patient, tag });
    prop_oneof![12 => put, 3 => remove, 2 => create]
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let sizes = prop_oneof![4 => 1..2usize, 2 => 2..6usize];
    let ops = sizes.prop_flat_map(|size| prop::collection::vec(op(), size));
    ops.prop_map(|ops| {
        let mut seen = Vec::new();
        let mut distinct = Vec::new();
        for op in ops {
            let key = op.key();
            if !seen.contains(&key) {
                seen.push(key);
                distinct.push(op);
            }
        }
        distinct
    })
}

/// A history of some rounds; most rounds are one transaction.
pub fn history(rounds: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Round>> {
    let alone = prop::collection::vec(transaction(), 1..2);
    let together = prop::collection::vec(transaction(), 2..9);
    prop::collection::vec(prop_oneof![2 => alone, 1 => together], rounds)
}

/// The seed of this run: `CHARTLOG_SEED`, or a new one; printed, and shown when a test fails.
pub fn seed() -> u64 {
    let given = std::env::var("CHARTLOG_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("to repeat: CHARTLOG_SEED={seed}");
    seed
}

/// A runner whose cases follow from the seed alone.
pub fn runner(seed: u64, cases: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// One history that follows from the seed alone.
pub fn one(seed: u64, rounds: usize) -> Vec<Round> {
    history(rounds..rounds + 1).new_tree(&mut runner(seed, 1)).unwrap().current()
}
