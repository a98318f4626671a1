//! Generated histories under upcasters: views, histories, charts, searches and the feed say what a plain replay of the same events
//! says that tells them in its own way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chartlog::chart::{UpcasterFile, Upcasters};
use chartlog::clock::Instant;
use chartlog::engine::{EngineError, EngineOptions, ViewsCompared};
use chartlog::feed::projection::{Batch, LocalFeed, Projection, follow};
use chartlog::fhir::ResourceId;
use chartlog::numbers::{ChartVersion, Position};
use chartlog::records::{
    Action, At, Change as Wanted, EventFilter, LogFilter, Records, RecordsError, Target, Write,
};
use chartlog::view::Comparison;

use crate::clinic::{block_on, grant, key, open, options, put};
use crate::fold::{Event, Fold};
use crate::histories::{self, all_of, find, held, play};
use crate::history::{PATIENTS, history, runner, seed};

/// A version: number, time, content as served.
type Version = (u64, Instant, Option<String>);

/// What the feed tells of an event: chart version, resource, content.
type ToldEvent = (u64, Option<String>, Option<String>);

/// One that changes, one that splits, and one that drops, all of Observations.
const CHAIN: [&str; 3] = [
    r#"
        type = "Observation"
        from = 1
        [[mapping]]
        path = "Observation.code.text"
        from = "x"
        to = "y"
        [[example]]
        before = '{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"}}'
        after = '{"resourceType":"Observation","id":"a","status":"final","code":{"text":"y"}}'
    "#,
    r#"
        type = "Observation"
        from = 2
        where = "Observation.status = 'final'"
        [[split]]
        id = "{id}-s"
        [[split.mapping]]
        path = "Observation.code.text"
        to = "s"
        [[example]]
        before = '{"resourceType":"Observation","id":"a","status":"final","code":{"text":"y"}}'
        after = '[{"resourceType":"Observation","id":"a","status":"final","code":{"text":"y"}},{"resourceType":"Observation","id":"a-s","status":"final","code":{"text":"s"}}]'
    "#,
    r#"
        type = "Observation"
        from = 3
        where = "Observation.identifier.value = 'i2'"
        drop = true
        [[example]]
        before = '{"resourceType":"Observation","id":"a","identifier":[{"value":"i2"}],"status":"final","code":{"text":"y"}}'
        after = '[]'
    "#,
];

fn under_upcasters(options: &EngineOptions) -> EngineOptions {
    let files = (1..).zip(CHAIN).map(|(number, text)| UpcasterFile {
        name: format!("{number}.toml"),
        text: text.to_owned(),
    });
    let upcasters = Upcasters::read(files.collect()).unwrap();
    EngineOptions { upcasters: Arc::new(upcasters), ..options.clone() }
}

/// What a resource is as served; with a part in its name and code, if it is one.
fn told_as(served: &str, name: &str, code: &str) -> String {
    let id = name.split_once('/').unwrap().1;
    let own = id.trim_end_matches("-s");
    let named = served.replacen(&format!(r#""id":"{own}""#), &format!(r#""id":"{id}""#), 1);
    named.replace(r#""code":{"text":"x"}"#, &format!(r#""code":{{"text":"{code}"}}"#))
}

/// A history, told anew.
#[derive(Debug, Default)]
struct Retold {
    /// By chart, the events that are told, each with the chart version that it has.
    charts: BTreeMap<String, Vec<(u64, Event)>>,
    /// By resource, its versions: number, time, content as served.
    resources: BTreeMap<String, Vec<Version>>,
    /// Where each part is now.
    parts: BTreeMap<String, BTreeSet<String>>,
}

/// What becomes of the versions of one Observation that a commit made.
struct Change<'a> {
    name: &'a str,
    number: u64,
    recorded_at: Instant,
    served: Option<&'a str>,
    /// The chart of the event that brings the version.
    home: Option<&'a str>,
    /// The events that say it: chart, chart version, event.
    events: Vec<(&'a str, u64, &'a Event)>,
}

impl Retold {
    fn of(fold: &Fold) -> Self {
        let mut retold = Self::default();
        // In the order of commits, and of resources within them, as charts have them.
        let mut changes: BTreeMap<(u64, String), Change<'_>> = BTreeMap::new();
        for (name, versions) in &fold.resources {
            for (number, version) in (1..).zip(versions) {
                let position = version.commit.0;
                let change = Change {
                    name,
                    number,
                    recorded_at: version.recorded_at,
                    served: version.served.as_deref(),
                    home: version.patients.first().map(String::as_str),
                    events: Vec::new(),
                };
                changes.insert((position, name.clone()), change);
            }
        }
        for (patient, events) in &fold.charts {
            for (chart_version, event) in (1u64..).zip(events) {
                match &event.resource {
                    Some(name) => {
                        let change = changes.get_mut(&(event.commit.0, name.clone())).unwrap();
                        change.events.push((patient, chart_version, event));
                    }
                    None => retold.tell(patient, chart_version, event.clone()),
                }
            }
        }
        for change in changes.into_values() {
            match change.name.starts_with("Observation/") {
                true => retold.observation(&change),
                false => retold.plain(&change),
            }
        }
        for events in retold.charts.values_mut() {
            events.sort_by_key(|(version, _)| *version);
        }
        retold
    }

    fn tell(&mut self, patient: &str, chart_version: u64, event: Event) {
        self.charts.entry(patient.to_owned()).or_default().push((chart_version, event));
    }

    fn plain(&mut self, change: &Change<'_>) {
        let versions = self.resources.entry(change.name.to_owned()).or_default();
        versions.push((change.number, change.recorded_at, change.served.map(str::to_owned)));
        for (patient, chart_version, event) in &change.events {
            self.tell(patient, *chart_version, (*event).clone());
        }
    }

    fn observation(&mut self, change: &Change<'_>) {
        let part = format!("{}-s", change.name);
        let word = |event: &Event| event.word.split_once('.').unwrap().1.to_owned();
        let moves = change.events.iter().any(|(_, _, event)| word(event).starts_with("moved"));
        // Moves into or out of the directory are in no chart; the other side of them is.
        let is_dropped = change.served.is_some_and(|served| served.contains(r#""value":"i2""#));
        let is_dropped = is_dropped && !moves;
        if !is_dropped {
            let served = change.served.map(|served| told_as(served, change.name, "y"));
            let versions = self.resources.entry(change.name.to_owned()).or_default();
            versions.push((change.number, change.recorded_at, served));
            for (patient, chart_version, event) in &change.events {
                let served = event.served.as_ref().map(|it| told_as(it, change.name, "y"));
                self.tell(patient, *chart_version, Event { served, ..(*event).clone() });
            }
        }
        let is_final = change.served.is_some_and(|served| served.contains(r#""status":"final""#));
        let before = self.parts.get(&part).cloned();
        if is_final && is_dropped || !is_final && before.is_none() {
            return;
        }
        let served = change.served.filter(|_| is_final).map(|it| told_as(it, &part, "s"));
        let versions = self.resources.entry(part.clone()).or_default();
        versions.push((change.number, change.recorded_at, served));
        let before = before.unwrap_or_default();
        let mut now = BTreeSet::new();
        for (patient, chart_version, event) in &change.events {
            let served = event.served.as_ref().filter(|_| is_final);
            let served = served.map(|it| told_as(it, &part, "s"));
            if served.is_some() {
                now.insert((*patient).to_owned());
            } else if !before.contains(*patient) && change.home != Some(*patient) {
                continue;
            }
            let resource = Some(part.clone());
            self.tell(patient, *chart_version, Event { served, resource, ..(*event).clone() });
        }
        match is_final {
            true => self.parts.insert(part, now),
            false => self.parts.remove(&part),
        };
    }

    fn chart_at(&self, patient: &str, version: u64) -> Vec<(String, String)> {
        let mut held: Vec<(String, String)> = Vec::new();
        let events = self.charts[patient].iter().take_while(|(number, _)| *number <= version);
        for (_, event) in events {
            let Some(key) = &event.resource else { continue };
            held.retain(|(known, _)| known != key);
            held.extend(event.served.clone().map(|served| (key.clone(), served)));
        }
        held
    }

    fn live(&self, kind: &str, text: &str) -> BTreeSet<String> {
        let is_live = |(name, versions): &(&String, &Vec<Version>)| {
            let last = versions.last().unwrap().2.as_ref();
            name.starts_with(&format!("{kind}/")) && last.is_some_and(|last| last.contains(text))
        };
        self.resources.iter().filter(is_live).map(|(name, _)| name.clone()).collect()
    }
}

/// Compares all that the store says with the history that is told anew.
fn compare(store: &Arc<Records>, fold: &Fold, retold: &Retold) {
    assert_eq!(store.engine().applied_position().get(), fold.position, "number of events");
    for patient in PATIENTS.iter().filter(|patient| fold.charts.contains_key(**patient)) {
        let id: ResourceId = patient.parse().unwrap();
        let (mut found, mut after) = (Vec::new(), ChartVersion::new(0));
        loop {
            let (page, next) =
                store.events(&grant(), &id, &EventFilter::default(), after, 3).unwrap();
            found.extend(page);
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let served =
            |one: &chartlog::records::Resource| String::from_utf8(one.bytes(&grant())).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|event| {
                let content = event.resource.as_ref().map(served);
                (event.version.get(), event.envelope.resource.clone(), content)
            })
            .collect();
        let expected: Vec<_> = retold.charts[*patient]
            .iter()
            .map(|(version, event)| (*version, event.resource.clone(), event.served.clone()))
            .collect();
        assert_eq!(found, expected, "events of {patient}");
        let events = &fold.charts[*patient];
        for version in 0..=events.len() as u64 {
            let at = At::Version(ChartVersion::new(version));
            assert_eq!(
                held(store, patient, at),
                (version, retold.chart_at(patient, version)),
                "{patient} at version {version}"
            );
        }
        for event in events {
            let moment = event.recorded_at;
            let version = events.iter().filter(|event| event.recorded_at <= moment).count() as u64;
            let at = At::Moment(block_on(store.settled(moment)).unwrap());
            assert_eq!(held(store, patient, at), (version, retold.chart_at(patient, version)));
        }
        let subject = format!(r#""subject":{{"reference":"Patient/{patient}"}}"#);
        let of_patient = find(store, &grant(), "Observation", &format!("patient={patient}"));
        assert_eq!(distinct(of_patient), retold.live("Observation", &subject));
    }
    for kind in ["Patient", "Observation", "Condition", "Appointment", "Practitioner"] {
        assert_eq!(distinct(find(store, &grant(), kind, "")), retold.live(kind, ""), "all {kind}");
    }
    for tag in 0..6 {
        let found = find(store, &grant(), "Observation", &format!("identifier=i{tag}"));
        let value = format!(r#""value":"i{tag}""#);
        assert_eq!(distinct(found), retold.live("Observation", &value), "identifier i{tag}");
    }
    for (name, versions) in &retold.resources {
        let history = store.history(&grant(), &all_of(name)).unwrap().versions;
        let found: Vec<_> = history
            .iter()
            .rev()
            .map(|one| {
                let served =
                    one.resource.as_ref().map(|it| String::from_utf8(it.bytes(&grant())).unwrap());
                (one.version.get(), one.recorded_at, served)
            })
            .collect();
        assert_eq!(found, *versions, "history of {name}");
        match (store.read(&grant(), &key(name)), &versions.last().unwrap().2) {
            (Ok(one), Some(served)) => {
                assert_eq!(String::from_utf8(one.bytes(&grant())).unwrap(), *served);
            }
            (Err(RecordsError::Gone { .. }), None) => {}
            (read, expected) => panic!("{name}: {read:?} and not {expected:?}"),
        }
    }
}

/// Of each chart, all that the feed tells: chart version, resource, content.
#[derive(Default)]
struct Told(BTreeMap<String, Vec<ToldEvent>>, Position);

impl Projection for Told {
    type Error = String;

    fn position(&self) -> Result<Position, String> {
        Ok(self.1)
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), String> {
        for event in &batch.events {
            assert!(event.position >= self.1, "positions run backwards");
            let Some(patient) = &event.patient else { continue };
            let content = event.body.as_ref().map(|body| body.get().to_owned());
            let told = (event.version.unwrap(), event.resource.clone(), content);
            self.0.entry(patient.clone()).or_default().push(told);
        }
        self.1 = batch.next;
        Ok(())
    }
}

fn compare_feed(store: &Arc<Records>, retold: &Retold) {
    let wanted = LogFilter { with_bodies: true, ..LogFilter::default() };
    let mut feed = LocalFeed::new(Arc::clone(store), grant(), wanted).unwrap().to_the_end();
    let mut told = Told::default();
    follow(&mut feed, &mut told, |_| true).unwrap();
    for (patient, events) in &retold.charts {
        let expected = events
            .iter()
            .map(|(version, event)| (*version, event.resource.clone(), event.served.clone()));
        assert_eq!(told.0[patient], expected.collect::<Vec<_>>(), "feed of {patient}");
    }
}

/// What each event of the log commits to: what was written.
fn raw(store: &Arc<Records>) -> Vec<Vec<u8>> {
    let wanted = LogFilter { with_payloads: true, with_bodies: true, ..LogFilter::default() };
    let sight = store.sight(&grant(), wanted).unwrap();
    let end = store.engine().applied_position().get();
    let one = |position| store.event_at(&grant(), &sight, Position::new(position)).unwrap();
    (0..end).map(|position| one(position).unwrap().payload.unwrap()).collect()
}

/// Opens a store, and waits until its views are those of the upcasters that are wanted.
fn opened(root: &Path, options: &EngineOptions) -> Arc<Records> {
    let store = open(root, options).unwrap();
    let files = options.upcasters.files();
    while store.engine().views().serving().upcasters().files() != files {
        match store.engine().rebuild(|_, _| {}) {
            // The store does it itself.
            Ok(_) | Err(EngineError::Busy) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    store
}

fn assert_views_follow_from_the_log(store: &Records) {
    match store.engine().compare_views(|_, _| {}).unwrap() {
        ViewsCompared::With { comparison: Comparison::Same { .. }, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_upcasters_tell_is_what_a_plain_replay_tells() {
    let plain = options(3, 20_000);
    let upcast = under_upcasters(&plain);
    let run = runner(seed(), 6).run(&history(8..24), |rounds| {
        let root = tempfile::tempdir().unwrap();
        let mut fold = Fold::default();
        let store = open(root.path(), &plain).unwrap();
        play(&store, &mut fold, &rounds);
        let written = raw(&store);
        drop(store);
        let retold = Retold::of(&fold);
        // Built beside the views that are there, read again after a restart, and built from nothing.
        for way in 0..3 {
            let store = opened(root.path(), &upcast);
            compare(&store, &fold, &retold);
            compare_feed(&store, &retold);
            assert!(raw(&store) == written, "what was written is shown as something else");
            assert_views_follow_from_the_log(&store);
            drop(store);
            if way == 1 {
                fs::remove_dir_all(root.path().join("views")).unwrap();
            }
        }
        // The log is what it was.
        let store = opened(root.path(), &plain);
        histories::compare(&store, &fold);
        Ok(())
    });
    run.unwrap();
}

fn write(store: &Arc<Records>, change: Wanted) {
    let write = Write { changes: vec![change], ..Write::default() };
    block_on(store.write(&grant(), Arc::new(write))).unwrap();
}

fn observation(id: &str, status: &str, text: &str) -> Wanted {
    let content = format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"{status}","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p0"}}}}"#
    );
    put(&content, Target::Key(key(&format!("Observation/{id}"))))
}

#[test]
fn parts_are_resources_like_others_and_what_is_new_is_told_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let plain = options(3, 1 << 20);
    let store = open(root.path(), &plain).unwrap();
    let patient = r#"{"resourceType":"Patient","id":"p0"}"#;
    write(&store, put(patient, Target::Key(key("Patient/p0"))));
    for id in ["a", "b"] {
        write(&store, observation(id, "final", "x"));
    }
    drop(store);
    let upcast = under_upcasters(&plain);
    let store = opened(root.path(), &upcast);
    let texts = |store: &Arc<Records>| -> Vec<String> {
        let (_, held) = held(store, "p0", At::Now);
        let text = |served: &str| {
            let resource: serde_json::Value = serde_json::from_str(served).unwrap();
            resource["code"]["text"].as_str().unwrap_or_default().to_owned()
        };
        let held = held.iter().map(|(key, served)| format!("{key} {}", text(served)));
        held.filter(|line| !line.starts_with("Patient")).collect()
    };
    let before = ["Observation/a y", "Observation/a-s s", "Observation/b y", "Observation/b-s s"];
    assert_eq!(texts(&store), before);
    // A change of the whole is none of the part, and the other way round.
    write(&store, observation("a", "final", "x"));
    write(&store, observation("b-s", "amended", "t"));
    write(&store, Wanted::new(Target::Key(key("Observation/b")), Action::Remove));
    write(&store, observation("c", "final", "x"));
    let now = ["Observation/a-s s", "Observation/a x", "Observation/b-s t", "Observation/c x"];
    assert_eq!(texts(&store), now);
    let part = store.history(&grant(), &all_of("Observation/b-s")).unwrap().versions;
    assert_eq!(part.iter().map(|one| one.version.get()).collect::<Vec<_>>(), [2, 1]);
    let found = distinct(find(&store, &grant(), "Observation", "patient=p0"));
    assert_eq!(found.len(), 4);
    assert_views_follow_from_the_log(&store);
    drop(store);
    fs::remove_dir_all(root.path().join("views")).unwrap();
    let store = opened(root.path(), &upcast);
    assert_eq!(texts(&store), now);
    assert_views_follow_from_the_log(&store);
}

#[test]
fn a_part_with_the_id_of_another_resource_is_refused_and_the_views_stay() {
    let root = tempfile::tempdir().unwrap();
    let plain = options(3, 1 << 20);
    let store = open(root.path(), &plain).unwrap();
    for id in ["a-s", "a"] {
        write(&store, observation(id, "final", "x"));
    }
    drop(store);
    let store = open(root.path(), &under_upcasters(&plain)).unwrap();
    let error = store.engine().rebuild(|_, _| {}).unwrap_err().to_string();
    assert!(error.contains("Observation/a-s, which is there already"), "{error}");
    assert!(store.read(&grant(), &key("Observation/a")).is_ok());
    assert!(store.engine().is_writable());
}

fn distinct(found: Vec<String>) -> BTreeSet<String> {
    let count = found.len();
    let distinct: BTreeSet<String> = found.into_iter().collect();
    assert_eq!(distinct.len(), count, "something was found twice");
    distinct
}
