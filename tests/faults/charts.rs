//! A store held against what was acknowledged.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use chartlog::access::{AccessEntry, Identity, RequestId, Source};
use chartlog::audit::{AccessFilter, AccessId, Sort};
use chartlog::fhir::ResourceId;
use chartlog::numbers::ChartVersion;
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
            let served = event.resource.as_ref().map(|one| text(one.bytes(&grant())));
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
            let held =
                now.resources.iter().map(|one| (one.key.to_string(), text(one.bytes(&grant()))));
            assert_eq!(held.collect::<Vec<_>>(), fold.chart_at(patient, expected.len()));
        }
    }
    for (name, expected) in &fold.resources {
        let found = versions(store, name);
        assert!(found.len() >= expected.len(), "versions of {name} are lost");
        assert!(!exactly || found.len() == expected.len(), "{name} has unknown versions");
        for ((number, expected), found) in (1..).zip(expected).zip(&found) {
            let served = found.resource.as_ref().map(|one| text(one.bytes(&grant())));
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
    let identity = Identity {
        subject: "tester".to_owned(),
        issuer: "model".to_owned(),
        ..Identity::default()
    };
    let source = Source { identity: Some(identity.into()), ..Source::default() };
    let mut entry = AccessEntry::of(source, RequestId::new(1, 1), "read", 0);
    entry.client_request = Some(request.to_owned());
    entry
}

/// The acknowledged entries are there, each once, and the log of entries has no holes.
pub fn compare_accesses(store: &Records, acknowledged: &HashSet<String>) {
    let (grant, filter) = (grant(), AccessFilter::default());
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let (sort, all) = (Sort::Oldest, usize::MAX);
        let page = chartlog::audit::accesses(store, &grant, &filter, sort, from, all).unwrap();
        found.extend(page.0);
        from = page.1;
        if from.is_none() {
            break;
        }
    }
    // Commits, which are their own traces, are among them.
    found.retain(|access| matches!(access.id, AccessId::Entry { .. }));
    let mut next = (0, 0);
    for access in &found {
        let AccessId::Entry { position, index } = access.id else { continue };
        let is_next = (position.get(), index) == next || (position.get(), index) == (next.0 + 1, 0);
        assert!(is_next, "a hole between {next:?} and {position}-{index}");
        next = (position.get(), index + 1);
    }
    let requests = found.iter().filter_map(|access| access.entry.client_request.clone());
    let requests: Vec<_> = requests.collect();
    let distinct: HashSet<String> = requests.iter().cloned().collect();
    assert_eq!(distinct.len(), requests.len(), "an entry is there twice");
    let lost: Vec<_> = acknowledged.difference(&distinct).collect();
    assert!(lost.is_empty(), "entries are lost: {lost:?}");
}
