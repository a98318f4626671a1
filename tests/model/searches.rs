//! Searches of a moment: as of then, and page by page from then on, they say what a server says whose
//! log ends there.
//!
//! A history of changes is played in parts. After each part a copy of the data directory without its
//! views is kept: opened later, it replays the log as it was. Whatever is written afterwards, the
//! store must answer for that moment as the copy answers for its present.

use std::path::Path;
use std::sync::Arc;

use chartlog::clock::Instant;
use chartlog::engine::EngineOptions;
use chartlog::records::{Action, Change, PageStart, Records, Target, Write};
use proptest::prelude::*;
use proptest::test_runner::TestError;

use crate::clinic::{block_on, grant, grant_of, key, open, options, put, search};
use crate::history::{runner, seed};

/// What a resource becomes: one of a few contents, so that terms come and go.
#[derive(Debug, Clone)]
enum Step {
    Patient { id: u8, name: u8, born: u8 },
    Practitioner { id: u8, name: u8 },
    Observation { id: u8, patient: u8, performer: u8, code: u8, day: u8, value: u8 },
    Condition { id: u8, patient: u8, code: u8 },
    Provenance { id: u8, observation: u8, agent: u8 },
    Removed { kind: u8, id: u8 },
}

const NAMES: [&str; 4] = ["Ångström", "Smith", "Smythe", "van der Berg"];
const KINDS: [&str; 5] = ["Patient", "Practitioner", "Observation", "Condition", "Provenance"];

impl Step {
    fn change(&self) -> Change {
        let (name, text) = match self {
            Self::Patient { id, name, born } => (
                format!("Patient/p{id}"),
                format!(
                    r#""name":[{{"family":"{}"}}],"birthDate":"19{:02}-0{}-11""#,
                    NAMES[usize::from(*name)],
                    40 + born,
                    1 + born % 9
                ),
            ),
            Self::Practitioner { id, name } => (
                format!("Practitioner/d{id}"),
                format!(r#""name":[{{"family":"{}"}}]"#, NAMES[usize::from(*name)]),
            ),
            Self::Observation { id, patient, performer, code, day, value } => (
                format!("Observation/o{id}"),
                format!(
                    r#""status":"final","code":{{"coding":[{{"system":"urn:c","code":"c{code}"}}]}},
                    "subject":{{"reference":"Patient/p{patient}"}},
                    "performer":[{{"reference":"Practitioner/d{performer}"}}],
                    "effectiveDateTime":"2024-03-0{}","valueQuantity":{{"value":{value},"unit":"mg"}}"#,
                    1 + day
                ),
            ),
            Self::Condition { id, patient, code } => (
                format!("Condition/c{id}"),
                format!(
                    r#""code":{{"coding":[{{"system":"urn:c","code":"c{code}"}}]}},
                    "subject":{{"reference":"Patient/p{patient}"}}"#
                ),
            ),
            Self::Provenance { id, observation, agent } => (
                format!("Provenance/v{id}"),
                format!(
                    r#""recorded":"2024-03-01T00:00:00Z","target":[{{"reference":"Observation/o{observation}"}}],
                    "agent":[{{"who":{{"reference":"Practitioner/d{agent}"}}}}]"#
                ),
            ),
            Self::Removed { kind, id } => {
                let letter = ["p", "d", "o", "c", "v"][usize::from(*kind)];
                let name = format!("{}/{letter}{id}", KINDS[usize::from(*kind)]);
                return Change::new(Target::Key(key(&name)), Action::Remove);
            }
        };
        let (kind, id) = name.split_once('/').unwrap();
        put(&format!(r#"{{"resourceType":"{kind}","id":"{id}",{text}}}"#), Target::Key(key(&name)))
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u8..3, 0u8..4, 0u8..20).prop_map(|(id, name, born)| Step::Patient { id, name, born }),
        1 => (0u8..2, 0u8..4).prop_map(|(id, name)| Step::Practitioner { id, name }),
        6 => (0u8..9, 0u8..3, 0u8..2, 0u8..3, 0u8..5, 0u8..9).prop_map(
            |(id, patient, performer, code, day, value)| {
                Step::Observation { id, patient, performer, code, day, value }
            },
        ),
        2 => (0u8..4, 0u8..3, 0u8..3)
            .prop_map(|(id, patient, code)| Step::Condition { id, patient, code }),
        1 => (0u8..3, 0u8..9, 0u8..2)
            .prop_map(|(id, observation, agent)| Step::Provenance { id, observation, agent }),
        1 => (1u8..5, 0u8..9).prop_map(|(kind, id)| Step::Removed { kind, id }),
    ]
}

/// Searches within the chart of a patient; `@` stands for the id.
const IN_CHART: [(&str, &str); 22] = [
    ("Patient", "_id=@"),
    ("Patient", "_id=@&family=smi"),
    ("Patient", "_id=@&_has:Observation:patient:code=c1"),
    ("Patient", "_id=@&_has:Observation:subject:performer.family=smith"),
    ("Patient", "_id=@&_revinclude=Observation:patient&_revinclude=Condition:subject"),
    ("Observation", "patient=@"),
    ("Observation", "subject=Patient/@&code=urn:c|c1"),
    ("Observation", "patient=@&code:not=c1"),
    ("Observation", "patient=@&date=ge2024-03-03"),
    ("Observation", "patient=@&date=2024-03"),
    ("Observation", "patient=@&value-quantity=gt4&_sort=-date"),
    ("Observation", "patient=@&code-value-quantity=c1$lt5"),
    ("Observation", "patient=@&performer:Practitioner.family=sm"),
    ("Observation", "patient=@&patient.birthdate=lt1950&_sort=code,-value-quantity"),
    ("Observation", "patient=@&performer:missing=true"),
    ("Observation", "patient=@&_include=Observation:performer&_include=Observation:subject"),
    ("Observation", "patient=@&_has:Provenance:target:agent=Practitioner/d1"),
    ("Observation", "patient=@&_revinclude=Provenance:target&_include:iterate=Provenance:agent"),
    ("Observation", "patient=@&_id=o1,o2,o3&_sort=_lastUpdated"),
    ("Observation", "patient=@&_sort=_id"),
    ("Condition", "patient=@"),
    ("Condition", "patient=@&code=c2,c0"),
];

/// Searches of everything.
const EVERYWHERE: [(&str, &str); 12] = [
    ("Patient", ""),
    ("Patient", "family:contains=er,th"),
    ("Patient", "name:exact=Smith"),
    ("Patient", "birthdate=lt1950-01-01&_sort=birthdate"),
    ("Patient", "_has:Condition:patient:code=c1"),
    ("Observation", "code=c0"),
    ("Observation", "code:not=c0&_sort=-_lastUpdated"),
    ("Observation", "date=gt2024-03-01&date=le2024-03-04"),
    ("Observation", "patient.family=smith"),
    ("Observation", "value-quantity=ne4&_include=Observation:patient"),
    ("Observation", "subject:missing=false&combo-code=c1"),
    ("Provenance", "target=Observation/o1"),
];

/// Everything that a search finds from a page on, and goes with it: names, versions and contents.
fn walk(
    store: &Records,
    patient: Option<&str>,
    (kind, query): (&str, &str),
    as_of: Option<Instant>,
    from: Option<PageStart>,
) -> (Vec<String>, Option<PageStart>) {
    let grant = match patient {
        // The same within the reach of a patient.
        Some(patient) => grant_of("patient/*.rs", Some(patient)),
        None => grant(),
    };
    let mut request = search(kind, query, 2);
    let as_of = as_of.map(|moment| block_on(store.settled(moment)).unwrap());
    (request.as_of, request.start) = (as_of, from);
    let (mut found, mut first) = (Vec::new(), None);
    loop {
        let page = store.search(&grant, &request).unwrap();
        let all = page.matches.iter().chain(&page.included);
        found.extend(all.map(|one| String::from_utf8(one.bytes(&grant)).unwrap()));
        match page.next {
            Some(next) => {
                first.get_or_insert_with(|| next.clone());
                request.start = Some(next);
            }
            None => return (found, first),
        }
    }
}

/// What there was at a moment, and the second pages that were begun then.
struct Moment {
    copy: tempfile::TempDir,
    time: Instant,
    begun: Vec<((&'static str, &'static str), Option<PageStart>)>,
}

fn remember(root: &Path, store: Arc<Records>, sizes: &EngineOptions) -> (Arc<Records>, Moment) {
    let begin = |asked| (asked, walk(&store, None, asked, None, None).1);
    let begun = EVERYWHERE.map(begin).to_vec();
    let time = Instant::now();
    drop(store);
    let copy = tempfile::tempdir().unwrap();
    crate::crash::copy(root, copy.path());
    std::fs::remove_dir_all(copy.path().join("views")).unwrap();
    (open(root, sizes).unwrap(), Moment { copy, time, begun })
}

fn compare(store: &Records, moment: &Moment, sizes: &EngineOptions) {
    let then = open(moment.copy.path(), sizes).unwrap();
    for (kind, query) in IN_CHART {
        for patient in ["p0", "p1", "p2"] {
            let query = query.replace('@', patient);
            for own in [None, Some(patient)] {
                let (expected, _) = walk(&then, own, (kind, &query), None, None);
                let (found, _) = walk(store, own, (kind, &query), Some(moment.time), None);
                assert_eq!(found, expected, "{kind}?{query} as of {}", moment.time);
            }
        }
    }
    for (asked, second) in &moment.begun {
        let (expected, second_then) = walk(&then, None, *asked, None, None);
        assert_eq!(second.is_some(), second_then.is_some(), "{asked:?}");
        if let Some(second) = second {
            let (rest, _) = walk(store, None, *asked, None, Some(second.clone()));
            let included = asked.1.contains("_include");
            let firsts = expected.len() - rest.len().min(expected.len());
            assert!(included || firsts == 2, "{asked:?}: {firsts} before the second page");
            assert_eq!(rest, expected[firsts..], "{asked:?} from the second page on");
        }
    }
}

#[test]
fn what_was_true_at_a_moment_stays_so() {
    let strategy = prop::collection::vec(prop::collection::vec(step(), 4..16), 2..5);
    let sizes = options(4, 1 << 16);
    let cases = std::env::var("CHARTLOG_SEARCH_CASES").ok().and_then(|text| text.parse().ok());
    let played = runner(seed(), cases.unwrap_or(4)).run(&strategy, |parts| {
        let root = tempfile::tempdir().unwrap();
        let mut store = open(root.path(), &sizes).unwrap();
        let mut moments = Vec::new();
        for part in parts {
            for step in part {
                let write = Write { changes: vec![step.change()], ..Write::default() };
                block_on(store.write(&grant(), Arc::new(write))).unwrap();
            }
            let (opened, moment) = remember(root.path(), store, &sizes);
            store = opened;
            moments.push(moment);
        }
        for moment in &moments {
            compare(&store, moment, &sizes);
        }
        Ok(())
    });
    if let Err(TestError::Fail(why, parts)) = played {
        panic!("{why}\n{parts:#?}");
    }
}
