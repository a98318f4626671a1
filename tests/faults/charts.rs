//! A store held against what was acknowledged.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use chartlog::audit::AccessFilter;
use chartlog::chart::{AccessEntry, Outcome};
use chartlog::fhir::ResourceId;
use chartlog::numbers::{ChartVersion, Position};
use chartlog::records::{At, ChartEvent, EventFilter, HistoryOf, HistoryRequest, Records, Version};

use crate::clinic::{grant, key};
use crate::fold::Fold;

fn events(store: &Records, patient: &str) -> Vec<ChartEvent> {
    let id: ResourceId = patient.parse().unwrap();
    store
        .events(&grant(), &id, &EventFilter::default(), ChartVersion::new(0), usize::MAX)
        .unwrap()
        .0
}

/// Versions of a resource, oldest first.
fn versions(store: &Records, name: &str) -> Vec<Version> {
    let history = HistoryRequest::newest(HistoryOf::Resource(key(name)), usize::MAX);
    let mut versions = store.history(&grant(), &history).unwrap().versions;
    versions.reverse();
    versions
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Everything that was acknowledged is there, byte for byte. If `exactly`, nothing else is.
pub fn compare(store: &Records, fold: &Fold, exactly: bool) {
    let mut positions = BTreeSet::new();
    for (patient, expected) in &fold.charts {
        let found = events(store, patient);
        assert!(found.len() >= expected.len(), "events of {patient} are lost");
        assert!(!exactly || found.len() == expected.len(), "{patient} has unknown events");
        for (at, event) in found.iter().enumerate() {
            assert_eq!(event.version.get(), at as u64 + 1, "versions of {patient} have a hole");
            assert!(positions.insert(event.position.get()), "position {} twice", event.position);
            let Some(expected) = expected.get(at) else { continue };
            let served = event.resource.as_ref().map(|one| text(one.bytes()));
            assert_eq!(event.envelope.event_type.to_string(), expected.word);
            assert_eq!(event.envelope.resource, expected.resource);
            assert_eq!(event.resource_version.get(), expected.resource_version);
            assert_eq!(
                (event.recorded_at, served),
                (expected.recorded_at, expected.served.clone())
            );
            let (first, end) = expected.commit;
            assert!(
                (first..end).contains(&event.position.get()),
                "{event:?} is outside its commit"
            );
        }
        let times: Vec<_> = found.iter().map(|event| event.recorded_at).collect();
        assert!(times.is_sorted(), "time runs backwards in {patient}");
        if exactly {
            let id = patient.parse().unwrap();
            let now = store.chart(&grant(), &id, At::Now, None).unwrap();
            let held = now.resources.iter().map(|one| (one.key.to_string(), text(one.bytes())));
            assert_eq!(held.collect::<Vec<_>>(), fold.chart_at(patient, expected.len()));
        }
    }
    for (name, expected) in &fold.resources {
        let found = versions(store, name);
        assert!(found.len() >= expected.len(), "versions of {name} are lost");
        assert!(!exactly || found.len() == expected.len(), "{name} has unknown versions");
        for ((number, expected), found) in (1..).zip(expected).zip(&found) {
            let served = found.resource.as_ref().map(|one| text(one.bytes()));
            assert_eq!((found.version.get(), found.recorded_at), (number, expected.recorded_at));
            assert_eq!(served, expected.served, "{name} version {number}");
        }
    }
}

/// Everything that the store says of these charts and resources, as text.
pub fn portrait(store: &Records, fold: &Fold) -> String {
    let mut out = String::new();
    for patient in fold.charts.keys() {
        writeln!(out, "{:?}", events(store, patient)).unwrap();
        let id: ResourceId = patient.parse().unwrap();
        writeln!(out, "{:?}", store.chart(&grant(), &id, At::Now, None).unwrap()).unwrap();
    }
    for name in fold.resources.keys() {
        writeln!(out, "{:?}", versions(store, name)).unwrap();
    }
    out
}

/// An access entry that its request tells apart.
pub fn entry(request: &str) -> AccessEntry {
    AccessEntry {
        subject: Some("tester".to_owned()),
        client: None,
        issuer: Some("model".to_owned()),
        address: None,
        purpose: None,
        request: request.to_owned(),
        operation: "read".to_owned(),
        outcome: Outcome::Granted,
        status: 200,
        charts: Vec::new(),
        resource: None,
        query: "GET /".to_owned(),
    }
}

/// The acknowledged entries are there, each once, and the log of entries has no holes.
pub fn compare_accesses(store: &Records, acknowledged: &HashSet<String>) {
    let (found, _) = chartlog::audit::accesses(
        store,
        &grant(),
        None,
        &AccessFilter::default(),
        Position::new(u64::MAX),
        usize::MAX,
    )
    .unwrap();
    let positions: Vec<u64> = found.iter().rev().map(|access| access.position.get()).collect();
    assert_eq!(positions, (0..found.len() as u64).collect::<Vec<_>>(), "holes between entries");
    let requests: Vec<_> = found.iter().map(|access| access.entry.request.clone()).collect();
    let distinct: HashSet<String> = requests.iter().cloned().collect();
    assert_eq!(distinct.len(), requests.len(), "an entry is there twice");
    let lost: Vec<_> = acknowledged.difference(&distinct).collect();
    assert!(lost.is_empty(), "entries are lost: {lost:?}");
}
