//! Generated histories: the store says of every version and every moment what a plain replay says,
//! and says the same after a restart and after a rebuild of its views.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use chartlog::clock::Instant;
use chartlog::engine::EngineOptions;
use chartlog::fhir::ResourceId;
use chartlog::numbers::{ChartVersion, ResourceVersion};
use chartlog::records::{At, EventFilter, HistoryOf, HistoryRequest, Records, RecordsError};

use crate::clinic::{block_on, grant, grant_of, key, open, options, search, send, write_of};
use crate::fold::Fold;
use crate::history::{Condition, Op, PATIENTS, Round, history, runner, seed};

/// Plays rounds on a store, and in the fold in the order in which the store committed them.
pub fn play(store: &Arc<Records>, fold: &mut Fold, rounds: &[Round]) {
    for round in rounds {
        let version_of = |key: &str| fold.live_version(key);
        let writes = round.iter().map(|transaction| write_of(transaction, version_of)).collect();
        let answers = send(store, writes);
        if let ([transaction], [answer]) = (round.as_slice(), answers.as_slice()) {
            let refused = match answer {
                Ok(_) => false,
                Err(RecordsError::Precondition { .. }) => true,
                Err(error) => panic!("{error}: {transaction:?}"),
            };
            assert_eq!(refused, fold.refuses(transaction), "{transaction:?}");
            if let Ok(written) = answer {
                fold.take(transaction, written);
            }
            continue;
        }
        let mut committed = Vec::new();
        for (transaction, answer) in round.iter().zip(&answers) {
            match answer {
                Ok(written) => {
                    committed.extend(written.events.map(|at| (at, transaction, written)))
                }
                // Another of this round may have come first.
                Err(RecordsError::Precondition { .. }) => {}
                Err(error) => panic!("{error}: {transaction:?}"),
            }
        }
        committed.sort_by_key(|(at, ..)| *at);
        for (_, transaction, written) in committed {
            fold.take(transaction, written);
        }
    }
}

/// Compares everything that the store says with the fold.
pub fn compare(store: &Records, fold: &Fold) {
    assert_eq!(store.engine().applied_position().get(), fold.position, "number of events");
    let mut positions = BTreeSet::new();
    for patient in PATIENTS {
        let id: ResourceId = patient.parse().unwrap();
        if fold.charts.contains_key(patient) {
            compare_events(store, fold, patient, &mut positions);
            compare_charts(store, fold, patient);
            compare_differences(store, fold, patient);
        } else {
            let answer = store.chart(&grant(), &id, At::Now, None);
            assert!(matches!(answer, Err(RecordsError::NotFound(_))), "{answer:?}");
        }
        compare_searches(store, fold, patient);
    }
    for name in &fold.order {
        compare_versions(store, fold, name);
    }
}

fn compare_events(store: &Records, fold: &Fold, patient: &str, positions: &mut BTreeSet<u64>) {
    let id: ResourceId = patient.parse().unwrap();
    let expected = &fold.charts[patient];
    let mut found = Vec::new();
    let mut after = ChartVersion::new(0);
    loop {
        let (page, next) = store.events(&grant(), &id, &EventFilter::default(), after, 7).unwrap();
        found.extend(page);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(found.len(), expected.len(), "events of {patient}");
    let mut last = None;
    for ((version, event), expected) in (1..).zip(&found).zip(expected) {
        let said = (
            event.version.get(),
            event.envelope.event_type.to_string(),
            event.envelope.resource.clone(),
            event.resource_version.get(),
            event.resource.as_ref().map(|one| String::from_utf8(one.bytes(&grant())).unwrap()),
            event.recorded_at,
        );
        let expected_words = (
            version,
            expected.word.clone(),
            expected.resource.clone(),
            expected.resource_version,
            expected.served.clone(),
            expected.recorded_at,
        );
        assert_eq!(said, expected_words);
        let (first, end) = expected.commit;
        assert!((first..end).contains(&event.position.get()), "{event:?} is outside its commit");
        assert!(last < Some(event.position), "positions run backwards in {patient}");
        last = Some(event.position);
        assert!(positions.insert(event.position.get()), "position {} twice", event.position);
    }
    let about = found.last().and_then(|event| event.envelope.key());
    let filter = EventFilter { resource: about.clone(), ..EventFilter::default() };
    let (some, _) = store.events(&grant(), &id, &filter, ChartVersion::new(0), 100_000).unwrap();
    let about = about.map(|key| key.to_string());
    let count = expected.iter().filter(|event| about.is_none() || event.resource == about).count();
    assert_eq!(some.len(), count, "events of {patient} about {about:?}");
}

fn compare_charts(store: &Records, fold: &Fold, patient: &str) {
    let events = &fold.charts[patient];
    for version in 0..=events.len() {
        let expected = fold.chart_at(patient, version);
        let at = At::Version(ChartVersion::new(version as u64));
        assert_eq!(held(store, patient, at), (version as u64, expected));
    }
    assert_eq!(
        held(store, patient, At::Now),
        (events.len() as u64, fold.chart_at(patient, events.len()))
    );
    let beyond = At::Version(ChartVersion::new(events.len() as u64 + 1));
    let answer = store.chart(&grant(), &patient.parse().unwrap(), beyond, None);
    assert!(matches!(answer, Err(RecordsError::NotFound(_))), "{answer:?}");
    for event in events {
        for shift in [-1, 0, 1] {
            let moment = Instant::from_micros(event.recorded_at.micros() + shift);
            let version = events.iter().filter(|event| event.recorded_at <= moment).count();
            let expected = fold.chart_at(patient, version);
            assert_eq!(
                held(store, patient, At::Moment(block_on(store.settled(moment)).unwrap())),
                (version as u64, expected)
            );
        }
    }
}

/// Version and content of a chart.
pub fn held(store: &Records, patient: &str, at: At) -> (u64, Vec<(String, String)>) {
    let chart = store.chart(&grant(), &patient.parse().unwrap(), at, None).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let resources =
        chart.resources.iter().map(|one| (one.key.to_string(), text(one.bytes(&grant()))));
    (chart.version.get(), resources.collect())
}

fn compare_differences(store: &Records, fold: &Fold, patient: &str) {
    let id = patient.parse().unwrap();
    let last = fold.charts[patient].len();
    let pairs =
        (0..=last).flat_map(|at| [(0, at), (at, last), (last, at), (at, (at + 3).min(last))]);
    for (from, to) in pairs {
        let at = |version: usize| At::Version(ChartVersion::new(version as u64));
        let (first, second) = (at(from), at(to));
        let (_, _, found) = store.difference(&grant(), &id, first, second).unwrap();
        let bytes = |one: &Option<chartlog::records::Resource>| {
            one.as_ref().map(|one| String::from_utf8(one.bytes(&grant())).unwrap())
        };
        let found: BTreeMap<String, _> = found
            .iter()
            .map(|one| (one.key.to_string(), (bytes(&one.before), bytes(&one.after))))
            .collect();
        let before: BTreeMap<_, _> = fold.chart_at(patient, from).into_iter().collect();
        let after: BTreeMap<_, _> = fold.chart_at(patient, to).into_iter().collect();
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let differs = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
        // An event can bring a content again that the chart held already: then nothing differs,
        // though the events do; the store may say so or not, but never with other content.
        let expected: BTreeMap<String, _> = differs
            .map(|key| (key.clone(), (before.get(key).cloned(), after.get(key).cloned())))
            .collect();
        assert_eq!(found, expected, "{patient} from {from} to {to}");
    }
}

fn compare_versions(store: &Records, fold: &Fold, name: &str) {
    let expected = &fold.resources[name];
    let history = store.history(&grant(), &all_of(name)).unwrap().versions;
    assert_eq!(history.len(), expected.len(), "versions of {name}");
    for ((number, expected), found) in (1u64..).zip(expected).zip(history.iter().rev()) {
        let served =
            found.resource.as_ref().map(|one| String::from_utf8(one.bytes(&grant())).unwrap());
        assert_eq!(
            (found.version, found.recorded_at, found.first, &served),
            (ResourceVersion::new(number), expected.recorded_at, expected.first, &expected.served),
            "{name}"
        );
        match store.read_version(&grant(), &key(name), ResourceVersion::new(number)) {
            Ok(one) => {
                assert_eq!(Some(String::from_utf8(one.bytes(&grant())).unwrap()), expected.served)
            }
            Err(RecordsError::Gone { version, .. }) => {
                assert_eq!((version.get(), &expected.served), (number, &None));
            }
            Err(error) => panic!("{name} version {number}: {error}"),
        }
    }
    let now = expected.last().unwrap();
    match store.read(&grant(), &key(name)) {
        Ok(one) => assert_eq!(Some(String::from_utf8(one.bytes(&grant())).unwrap()), now.served),
        Err(RecordsError::Gone { version, .. }) => {
            assert_eq!((version.get() as usize, &now.served), (expected.len(), &None));
        }
        Err(error) => panic!("{name}: {error}"),
    }
    let beyond =
        store.read_version(&grant(), &key(name), ResourceVersion::new(expected.len() as u64 + 1));
    assert!(matches!(beyond, Err(RecordsError::NotFound(_))));
}

fn compare_searches(store: &Records, fold: &Fold, patient: &str) {
    let everything = grant();
    let subject = format!(r#""subject":{{"reference":"Patient/{patient}"}}"#);
    let actor = format!(r#""actor":{{"reference":"Patient/{patient}"}}"#);
    for (kind, query, text) in [
        ("Observation", format!("patient={patient}"), &subject),
        ("Observation", format!("subject=Patient/{patient}"), &subject),
        ("Condition", format!("patient={patient}"), &subject),
        ("Appointment", format!("patient={patient}"), &actor),
    ] {
        let found = find(store, &everything, kind, &query);
        assert_eq!(found, fold.scan(kind, text), "{kind}?{query}");
    }
    let own = grant_of("patient/*.cruds", Some(patient));
    for kind in ["Patient", "Observation", "Condition", "Appointment", "Practitioner"] {
        let found = find(store, &own, kind, "");
        assert_eq!(found, fold.in_chart(kind, patient), "{kind} within {patient}");
        let found = find(store, &everything, kind, "");
        assert_eq!(found, fold.scan(kind, ""), "all {kind}");
    }
    for tag in 0..6 {
        let value = format!(r#""value":"i{tag}""#);
        for kind in ["Patient", "Observation"] {
            for query in [format!("identifier=i{tag}"), format!("identifier=urn:t|i{tag}")] {
                let found = find(store, &everything, kind, &query);
                assert_eq!(found, fold.scan(kind, &value), "{kind}?{query}");
            }
        }
    }
}

/// All pages of a search, as keys.
pub fn find(
    store: &Records,
    grant: &chartlog::auth::Grant,
    kind: &str,
    query: &str,
) -> Vec<String> {
    let mut request = search(kind, query, 2);
    let mut found = Vec::new();
    loop {
        let page = store.search(grant, &request).unwrap();
        found.extend(page.matches.iter().map(|one| one.key.to_string()));
        match page.next {
            Some(next) => request.start = Some(next),
            None => return found,
        }
    }
}

/// Everything that the store says, as text.
fn portrait(store: &Records, fold: &Fold) -> String {
    let mut out = String::new();
    for patient in fold.charts.keys() {
        let id: ResourceId = patient.parse().unwrap();
        let (events, _) = store
            .events(&grant(), &id, &EventFilter::default(), ChartVersion::new(0), 1 << 20)
            .unwrap();
        for event in &events {
            writeln!(out, "{event:?}").unwrap();
            writeln!(out, "{:?}", held(store, patient, At::Version(event.version))).unwrap();
        }
    }
    for name in &fold.order {
        let history = store.history(&grant(), &all_of(name)).unwrap().versions;
        writeln!(out, "{name} {history:?}").unwrap();
    }
    out
}

const KEYSPACES: [&str; 19] = [
    "state",
    "charts",
    "aliases",
    "keys",
    "erased",
    "tombstones",
    "names",
    "heads",
    "history",
    "events",
    "streams",
    "parts",
    "snapshots",
    "terms",
    "values",
    "blocks",
    "idempotency",
    "access_groups",
    "access_terms",
];

/// A record of the views: its keyspace, key and value.
pub type Record = (&'static str, Vec<u8>, Vec<u8>);

/// Every record of the views of a closed store, in which there is one generation and no more.
pub fn records(root: &Path) -> Vec<Record> {
    let views = root.join("views");
    let current = std::fs::read_to_string(views.join("CURRENT")).unwrap();
    let mut names: Vec<_> =
        views.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [current.trim(), "CURRENT"]);
    let database = fjall::Database::builder(views.join(current.trim())).open().unwrap();
    assert_eq!(database.keyspace_count(), KEYSPACES.len());
    let mut records = Vec::new();
    for name in KEYSPACES {
        let space = database.keyspace(name, fjall::KeyspaceCreateOptions::default).unwrap();
        for entry in space.iter() {
            let (key, value) = entry.into_inner().unwrap();
            records.push((name, key.to_vec(), value.to_vec()));
        }
    }
    records
}

fn check(rounds: &[Round], options: &EngineOptions) {
    let root = tempfile::tempdir().unwrap();
    let mut fold = Fold::default();
    let store = open(root.path(), options).unwrap();
    let (first, second) = rounds.split_at(rounds.len() / 2);
    play(&store, &mut fold, first);
    drop(store);
    let store = open(root.path(), options).unwrap();
    play(&store, &mut fold, second);
    compare(&store, &fold);
    let before = portrait(&store, &fold);
    drop(store);
    let kept = records(root.path());
    std::fs::remove_dir_all(root.path().join("views")).unwrap();
    let store = open(root.path(), options).unwrap();
    assert!(portrait(&store, &fold) == before, "the views made anew say something else");
    compare(&store, &fold);
    drop(store);
    same_records(&kept, &records(root.path()));
    let store = open(root.path(), options).unwrap();
    assert_eq!(store.engine().rebuild(|_, _| {}).unwrap().events, fold.position);
    assert!(portrait(&store, &fold) == before, "the next generation says something else");
    compare(&store, &fold);
    drop(store);
    same_records(&kept, &records(root.path()));
}

pub fn same_records(kept: &[Record], rebuilt: &[Record]) {
    assert_eq!(kept.len(), rebuilt.len(), "number of records in the views");
    for (kept, rebuilt) in kept.iter().zip(rebuilt) {
        assert_eq!(kept, rebuilt, "a record of the views");
    }
}

#[test]
fn any_past_version_and_moment_is_what_a_plain_replay_says() {
    let seed = seed();
    let cases = std::env::var("CHARTLOG_CASES").ok().and_then(|text| text.parse().ok());
    let strategy = (history(8..40), proptest::sample::select(vec![1, 3, 8]));
    let outcome = runner(seed, cases.unwrap_or(8)).run(&strategy, |(rounds, snapshots)| {
        check(&rounds, &options(snapshots, 4_000));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("CHARTLOG_SEED={seed}: {error}");
    }
}

#[test]
fn a_long_chart_is_the_same_at_every_version() {
    let rounds = crate::history::one(seed(), 90);
    check(&rounds, &options(8, 20_000));
}

#[test]
fn what_a_transaction_deletes_is_gone_for_its_conditions_wherever_it_stands() {
    let put = Op::Put {
        slot: 4,
        patients: vec![0],
        note: 2,
        in_error: false,
        condition: Condition::None,
    };
    let create = Op::CreateUnlessThere { patient: 3, tag: 2 };
    let remove = Op::Remove { slot: 4, condition: Condition::None };
    for replaced in [[create.clone(), remove.clone()], [remove, create]] {
        check(&[vec![vec![put.clone()]], vec![replaced.to_vec()]], &options(8, 4_000));
    }
}

#[test]
fn an_append_to_one_chart_removes_nothing_from_another() {
    use chartlog::records::{Action, Change, Target, Write};
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &options(8, 4_000)).unwrap();
    let observation = r#"{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/a"}}"#;
    let stored = crate::clinic::put(observation, Target::Key(key("Observation/o")));
    send(&store, vec![Write { changes: vec![stored], ..Write::default() }]).pop().unwrap().unwrap();
    let removal = |within: &str| {
        let change = Change::new(Target::Key(key("Observation/o")), Action::Remove);
        let change = Change { within: Some(within.parse().unwrap()), ..change };
        send(&store, vec![Write { changes: vec![change], ..Write::default() }]).pop().unwrap()
    };
    let refused = removal("b").unwrap_err();
    assert!(matches!(refused, RecordsError::Invalid(_)), "{refused}");
    assert!(store.read(&grant(), &key("Observation/o")).is_ok());
    removal("a").unwrap();
}

pub fn all_of(name: &str) -> HistoryRequest {
    HistoryRequest::newest(HistoryOf::Resource(key(name)), usize::MAX)
}
