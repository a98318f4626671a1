//! Erased charts: what is left is exactly the rest, on disk there is nothing of them, and an erasure
//! that was interrupted is finished at the next start.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use chartlog::auth::Grant;
use chartlog::disk::RealDisk;
use chartlog::engine::{EngineError, EngineOptions};
use chartlog::fhir::ResourceId;
use chartlog::log::{self, LogKind, StreamAlias};
use chartlog::numbers::{ChartVersion, Position, ResourceVersion};
use chartlog::records::{
    At, Erased, ErasureRequest, EventFilter, HistoryOf, HistoryRequest, Records, RecordsError,
};
use chartlog::vault::{MasterKey, MasterKeySource, Vault, Wrap};

use crate::clinic::{block_on, grant, grant_of, key, open, options, put, send, write_of};
use crate::fold::Fold;
use crate::histories::{play, records};
use crate::history::{PATIENTS, SLOTS, Transaction, history, one, runner, seed};

fn sizes() -> EngineOptions {
    options(3, 20_000)
}

fn officer() -> Arc<Grant> {
    grant_of("system/ChartErasure.c system/ChartHold.cd", None)
}

fn request(patient: &str) -> ErasureRequest {
    ErasureRequest {
        patient: patient.parse().unwrap(),
        reason: "asked for".to_owned(),
        basis: "GDPR Art. 17(1)(b)".to_owned(),
        dry_run: false,
    }
}

fn erase(store: &Arc<Records>, patient: &str) -> Result<Erased, RecordsError> {
    block_on(store.erase(&officer(), request(patient)))
}

/// What the charts say at each of their versions, and what can be read and found now.
#[derive(Debug, PartialEq, Eq)]
struct Portrait {
    charts: BTreeMap<(String, u64), Vec<String>>,
    events: BTreeMap<(String, u64), (String, Option<String>)>,
    now: BTreeMap<String, Option<String>>,
}

impl Portrait {
    fn of(store: &Records, but: &str) -> Self {
        let mut portrait =
            Self { charts: BTreeMap::new(), events: BTreeMap::new(), now: BTreeMap::new() };
        for patient in PATIENTS.into_iter().filter(|patient| *patient != but) {
            let id: ResourceId = patient.parse().unwrap();
            let Ok(chart) = store.chart(&grant(), &id, At::Now, None) else { continue };
            for version in 0..=chart.version.get() {
                let at = store
                    .chart(&grant(), &id, At::Version(ChartVersion::new(version)), None)
                    .unwrap();
                let texts = at.resources.iter().map(|one| text(one.bytes(&grant()))).collect();
                portrait.charts.insert((patient.to_owned(), version), texts);
            }
            let filter = EventFilter::default();
            for event in
                store.events(&grant(), &id, &filter, ChartVersion::new(0), 100_000).unwrap().0
            {
                let said = (
                    event.envelope.event_type.to_string(),
                    event.resource.map(|one| text(one.bytes(&grant()))),
                );
                portrait.events.insert((patient.to_owned(), event.version.get()), said);
            }
        }
        for name in SLOTS {
            let read = store.read(&grant(), &key(name)).ok().map(|one| text(one.bytes(&grant())));
            portrait.now.insert(name.to_owned(), read);
        }
        portrait
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// What is missing in one portrait beside another must speak of the erased patient.
fn compare(before: &Portrait, after: &Portrait, erased: &str) {
    let speaks = |text: &str| {
        text.contains(&format!("Patient/{erased}"))
            || text.starts_with(&format!(r#"{{"resourceType":"Patient","id":"{erased}""#))
    };
    assert_eq!(before.charts.len(), after.charts.len());
    for (at, texts) in &before.charts {
        let left = &after.charts[at];
        assert!(left.iter().all(|text| texts.contains(text)), "{at:?} says something new");
        for lost in texts.iter().filter(|text| !left.contains(text)) {
            assert!(speaks(lost), "{at:?} lost {lost}");
        }
    }
    assert_eq!(before.events.len(), after.events.len());
    for (at, (word, body)) in &before.events {
        let (left, rest) = &after.events[at];
        assert_eq!(word, left, "{at:?}");
        if body != rest {
            assert!(rest.is_none() && body.as_deref().is_some_and(speaks), "{at:?}: {body:?}");
        }
    }
    for (name, body) in &before.now {
        let rest = &after.now[name];
        if body != rest {
            let its_own = name == &format!("Patient/{erased}");
            assert!(rest.is_none(), "{name}: {rest:?}");
            assert!(its_own || body.as_deref().is_some_and(speaks), "{name}: {body:?}");
        }
    }
}

fn refuses(store: &Arc<Records>, patient: &str) {
    let id: ResourceId = patient.parse().unwrap();
    let gone = |error: &RecordsError| matches!(error, RecordsError::Engine(EngineError::Erased(_)));
    for at in [
        At::Now,
        At::Version(ChartVersion::new(1)),
        At::Moment(block_on(store.settled(chartlog::clock::Instant::now())).unwrap()),
    ] {
        assert!(store.chart(&grant(), &id, at, None).is_err_and(|error| gone(&error)));
    }
    let name = format!("Patient/{patient}");
    assert!(store.read(&grant(), &key(&name)).is_err_and(|error| gone(&error)));
    let history = HistoryRequest::newest(HistoryOf::Resource(key(&name)), 9);
    assert!(store.history(&grant(), &history).is_err_and(|error| gone(&error)));
    assert!(
        store
            .read_version(&grant(), &key(&name), ResourceVersion::new(1))
            .is_err_and(|error| gone(&error))
    );
    let text = format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#);
    let target = chartlog::records::Target::Key(key(&name));
    let write =
        chartlog::records::Write { changes: vec![put(&text, target)], ..Default::default() };
    let answer = send(store, vec![write]).pop().unwrap();
    assert!(answer.as_ref().is_err_and(gone), "{answer:?}");
    assert!(erase(store, patient).is_err_and(|error| gone(&error)));
}

#[test]
fn what_is_left_is_the_rest_before_and_after_the_purge_and_after_a_rebuild() {
    let seed = seed();
    let mut runner = runner(seed, 24);
    let strategy = (history(8..20), 0..PATIENTS.len());
    let check = |(rounds, victim): (Vec<_>, usize)| {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path(), &sizes()).unwrap();
        let mut fold = Fold::default();
        play(&store, &mut fold, &rounds);
        let erased = PATIENTS[victim];
        if !fold.charts.contains_key(erased) {
            return Ok(());
        }
        let before = Portrait::of(&store, erased);
        let answer = erase(&store, erased).unwrap();
        assert_eq!(answer.events, fold.charts[erased].len() as u64);
        refuses(&store, erased);
        let hidden = Portrait::of(&store, erased);
        compare(&before, &hidden, erased);
        assert_eq!(store.engine().purge().unwrap(), 1);
        assert_eq!(store.engine().purge().unwrap(), 0, "there is nothing left to purge");
        refuses(&store, erased);
        assert_eq!(Portrait::of(&store, erased), hidden, "the purge took more, or brought back");
        drop(store);
        let purged = records(root.path());
        std::fs::remove_dir_all(root.path().join("views")).unwrap();
        let store = open(root.path(), &sizes()).unwrap();
        refuses(&store, erased);
        assert_eq!(Portrait::of(&store, erased), hidden, "the replay takes more, or brings back");
        drop(store);
        assert!(records(root.path()) == purged, "a replay builds other views than the purge");
        Ok(())
    };
    runner.run(&strategy, check).unwrap();
}

/// A chart full of words that occur nowhere else.
const MARKS: [&str; 6] = [
    "Quetzalbergson",
    "Xanthippolyta",
    "1937-11-29",
    "urn:oid:2.999.777.4711",
    "zyzzyva-code-88",
    "quagga-observation-1",
];

fn marked(store: &Arc<Records>) {
    let changes = [
        (
            "Patient/quetzal-1",
            r#"{"resourceType":"Patient","id":"quetzal-1","name":[{"family":"Quetzalbergson","given":["Xanthippolyta"]}],"birthDate":"1937-11-29","identifier":[{"system":"urn:oid:2.999.777.4711","value":"77"}]}"#,
        ),
        (
            "Observation/quagga-observation-1",
            r#"{"resourceType":"Observation","id":"quagga-observation-1","status":"final","code":{"coding":[{"system":"urn:x","code":"zyzzyva-code-88"}]},"subject":{"reference":"Patient/quetzal-1"}}"#,
        ),
        (
            "Patient/other-2",
            r#"{"resourceType":"Patient","id":"other-2","name":[{"family":"Ordinary"}],"identifier":[{"system":"urn:a","value":"kept-value"}]}"#,
        ),
    ];
    for (name, text) in changes {
        let change = put(text, chartlog::records::Target::Key(key(name)));
        let write = chartlog::records::Write { changes: vec![change], ..Default::default() };
        send(store, vec![write]).pop().unwrap().unwrap();
    }
}

/// Every file below a directory that holds one of the marks.
fn found(directory: &Path, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path, marks));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for mark in marks.iter().copied().chain(["quetzal-1"]) {
            if memchr::memmem::find(&bytes, mark.as_bytes()).is_some() {
                found.push(format!("{} holds {mark}", path.display()));
            }
        }
    }
    found
}

/// The payloads of a log that the keys of a data directory open, and the number of those that they
/// do not.
fn opened(log: &Path, data: &Path) -> (Vec<Vec<u8>>, usize) {
    let source = MasterKeySource::Environment("MASTER".to_owned());
    let (master, _) = MasterKey::load(&RealDisk, &source, sizes().variable, false).unwrap();
    let vault = Vault::open(RealDisk::handle(), &data.join("vault"), master, false, true).unwrap();
    let mut wraps: HashMap<StreamAlias, Wrap> = vault.wraps().unwrap().into_iter().collect();
    let log = log::open(RealDisk::handle(), log, LogKind::Events, 1 << 20, 0).unwrap();
    let (mut payloads, mut closed) = (Vec::new(), 0);
    for group in log.reader.scan(Position::new(0), log.writer.next_position()) {
        for (frame, _) in group.unwrap().frames {
            if let Some(wrap) = frame.content.wrap() {
                wraps.entry(frame.alias).or_insert_with(|| Wrap::from_bytes(*wrap));
            }
            match vault.key(frame.alias, &wraps[&frame.alias]) {
                Ok(key) => {
                    payloads.push(key.open(frame.kind, frame.alias, frame.content).unwrap());
                }
                Err(_) => closed += 1,
            }
        }
    }
    (payloads, closed)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn neither_the_data_directory_nor_an_older_backup_holds_anything_of_an_erased_chart() {
    let (root, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(root.path(), &sizes()).unwrap();
    marked(&store);
    drop(store);
    // What a backup holds: the log, and no keys.
    copy(&root.path().join("log"), &backup.path().join("log"));
    let (payloads, closed) = opened(&backup.path().join("log/events"), root.path());
    let holds = |payloads: &[Vec<u8>], mark: &str| {
        payloads.iter().any(|payload| memchr::memmem::find(payload, mark.as_bytes()).is_some())
    };
    assert_eq!(closed, 0);
    assert!(MARKS.iter().all(|mark| holds(&payloads, mark)), "the test does not look right");
    assert!(!found(root.path(), &["quagga-observation-1"]).is_empty(), "nor here: the views");

    let store = open(root.path(), &sizes()).unwrap();
    erase(&store, "quetzal-1").unwrap();
    store.engine().purge().unwrap();
    drop(store);
    for log in [backup.path().join("log/events"), root.path().join("log/events")] {
        let (payloads, closed) = opened(&log, root.path());
        assert_eq!(closed, 3, "chart.opened, and two resources");
        assert!(MARKS.iter().all(|mark| !holds(&payloads, mark)));
        assert!(!holds(&payloads, "quetzal-1"));
        assert!(holds(&payloads, "kept-value"));
    }
    assert_eq!(found(root.path(), &MARKS), [""; 0]);
    assert_eq!(found(backup.path(), &MARKS), [""; 0]);
}

#[test]
fn a_held_chart_is_not_erased() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &sizes()).unwrap();
    marked(&store);
    let id: ResourceId = "quetzal-1".parse().unwrap();
    let hold = |held| block_on(store.hold(&officer(), &id, held, "case 7")).unwrap();
    let first = hold(true);
    assert!(first.held && first.position.is_some());
    assert_eq!(hold(true).position, None, "it is held already");
    let refused = erase(&store, "quetzal-1");
    assert!(matches!(refused, Err(RecordsError::Conflict { .. })), "{refused:?}");
    hold(false);
    assert!(block_on(store.erase(&grant(), request("quetzal-1"))).is_err(), "a scope by name");
    let plan = ErasureRequest { dry_run: true, ..request("quetzal-1") };
    let plan = block_on(store.erase(&officer(), plan)).unwrap();
    assert_eq!((plan.events, plan.resources, plan.shared, plan.done.is_none()), (5, 2, 0, true));
    let done = erase(&store, "quetzal-1").unwrap();
    assert_eq!((done.events, done.resources, done.shared), (5, 2, 0));
}

#[test]
fn an_interrupted_erasure_is_finished_at_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let vault = root.path().join("vault");
    let store = open(root.path(), &sizes()).unwrap();
    marked(&store);
    drop(store);
    let first = tempfile::tempdir().unwrap();
    copy(&vault, first.path());

    // Ended when only the new epoch key was there: nothing is lost, and nothing erased.
    let source = MasterKeySource::Environment("MASTER".to_owned());
    let (master, _) = MasterKey::load(&RealDisk, &source, sizes().variable, false).unwrap();
    let begun = Vault::open(RealDisk::handle(), &vault, master, false, true).unwrap();
    assert_eq!(begun.begin_epoch().unwrap(), 2);
    drop(begun);
    let store = open(root.path(), &sizes()).unwrap();
    store.read(&grant(), &key("Patient/quetzal-1")).unwrap();
    assert!(!vault.join("epoch-00000001.key").exists(), "the rotation was not finished");
    drop(store);

    // Ended when chart.erased was in the log, but the older key still there.
    let store = open(root.path(), &sizes()).unwrap();
    let second = tempfile::tempdir().unwrap();
    copy(&vault, second.path());
    let chart = erase(&store, "quetzal-1").unwrap().chart;
    drop(store);
    for name in ["epoch-00000002.key", "epoch-00000002.wraps"] {
        std::fs::copy(second.path().join(name), vault.join(name)).unwrap();
    }
    std::fs::remove_file(vault.join("epoch-00000003.wraps")).unwrap();
    std::fs::remove_file(root.path().join(format!("certificates/{chart}.erasure"))).unwrap();
    let store = open(root.path(), &sizes()).unwrap();
    assert!(!vault.join("epoch-00000002.key").exists(), "the older key is still there");
    refuses(&store, "quetzal-1");
    store.read(&grant(), &key("Patient/other-2")).unwrap();
    assert!(store.engine().certificates(chart).unwrap().0.contains(&format!("chart: {chart}")));
    assert!(store.engine().certificates(chart).unwrap().1.is_none(), "the purge is still to come");
    assert_eq!(store.engine().purge().unwrap(), 1);
    assert!(store.engine().certificates(chart).unwrap().1.is_some());
}

#[test]
fn others_write_while_a_chart_is_erased() {
    let seed = seed();
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &sizes()).unwrap();
    let mut fold = Fold::default();
    play(&store, &mut fold, &one(seed, 12));
    let Some(victim) = PATIENTS.into_iter().find(|patient| fold.charts.contains_key(*patient))
    else {
        return;
    };
    let rounds: Vec<Transaction> = one(seed ^ 1, 30).into_iter().flatten().collect();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for transaction in &rounds {
                let write = write_of(transaction, |_| None);
                match send(&store, vec![write]).pop().unwrap() {
                    Ok(_)
                    | Err(
                        RecordsError::Engine(EngineError::Erased(_))
                        | RecordsError::Precondition { .. },
                    ) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        erase(&store, victim).unwrap();
        writing.join().unwrap();
    });
    refuses(&store, victim);
    let hidden = Portrait::of(&store, victim);
    store.engine().purge().unwrap();
    refuses(&store, victim);
    assert_eq!(Portrait::of(&store, victim), hidden);
}
