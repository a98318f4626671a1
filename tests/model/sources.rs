//! Sources of access entries that come again and again are written once in a segment, and quoted: whatever happens to
//! the log, every entry says all of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chartlog::access::{AccessEntry, Identity, RequestId, Source};
use chartlog::audit::{self, AccessFilter, Sort};
use chartlog::clock::Instant;
use chartlog::disk::RealDisk;
use chartlog::engine::ViewsCompared;
use chartlog::inspect::{Verdict, VerifyOptions};
use chartlog::log::{FrameKind, LogKind, survey};
use chartlog::numbers::Position;
use chartlog::proof::{BundleLog, verify_bundle};
use chartlog::records::Records;
use chartlog::vault::MasterKey;
use chartlog::view::Comparison;

use crate::clinic::{block_on, grant, grant_of, open, options};

const SEGMENT_BYTES_MAX: u64 = 40_000;
const USERS: usize = 30;
const ENTRIES: usize = 1_000;

fn source(user: usize) -> Source {
    let identity = Identity {
        subject: format!("user-{user}"),
        issuer: "https://id.example.org".to_owned(),
        name: Some(format!("Dr. Quist {user}")),
        token_id: Some(format!("0a1b2c3d-0000-4000-8000-{user:012}")),
        ..Identity::default()
    };
    let address = Some(format!("198.51.100.{user}"));
    let user_agent = Some("ward/1".to_owned());
    Source { identity: Some(identity.into()), address, user_agent, ..Source::default() }
}

/// Records entries of users in turn, several at a time so that they share frames.
fn fill(store: &Arc<Records>, numbers: std::ops::Range<usize>) {
    let numbers: Vec<_> = numbers.collect();
    for few in numbers.chunks(4) {
        let submit = |number: &usize| {
            let request = RequestId::new(1, *number as u64);
            let entry = AccessEntry::of(source(number * 7 % USERS), request, "readResource", 0);
            store.engine().submit_access(entry).unwrap()
        };
        let answers: Vec<_> = few.iter().map(submit).collect();
        answers.into_iter().for_each(|answer| assert!(block_on(answer).unwrap()));
    }
}

/// The source of each request, as far as entries are there.
fn told(store: &Records) -> BTreeMap<RequestId, Source> {
    let filter = AccessFilter::default();
    let (mut told, mut from) = (BTreeMap::new(), None);
    loop {
        let page = audit::accesses(store, &grant(), &filter, Sort::Newest, from, usize::MAX);
        let (accesses, next) = page.unwrap();
        for one in accesses {
            let source = (*one.entry.source).clone();
            assert_eq!(told.insert(one.entry.request, source), None, "told twice");
        }
        match next {
            Some(_) => from = next,
            None => return told,
        }
    }
}

fn expected(numbers: std::ops::Range<usize>) -> BTreeMap<RequestId, Source> {
    let one = |number: usize| (RequestId::new(1, number as u64), source(number * 7 % USERS));
    numbers.map(one).collect()
}

/// How many frames with sources each segment has.
fn lists(root: &Path) -> BTreeMap<u32, usize> {
    let folder = root.join("log/access");
    let found = survey(&RealDisk, &folder, LogKind::Access).unwrap();
    let mut lists = BTreeMap::new();
    for group in found.reader.scan(Position::default(), Position::new(found.position)) {
        for (frame, at) in group.unwrap().frames {
            *lists.entry(at.segment).or_default() += usize::from(frame.kind == FrameKind::Sources);
        }
    }
    lists
}

fn views_follow_from_the_logs(store: &Records) {
    match store.engine().compare_views(|_, _| {}).unwrap() {
        ViewsCompared::With { comparison: Comparison::Same { .. }, .. } => {}
        other => panic!("{other:?}"),
    }
}

fn master() -> MasterKey {
    MasterKey::new([0; 32])
}

#[test]
fn what_quotes_sources_says_them_in_full_whatever_happens() {
    let root = tempfile::tempdir().unwrap();
    let sizes = options(50, SEGMENT_BYTES_MAX);
    let store = open(root.path(), &sizes).unwrap();
    fill(&store, 0..ENTRIES);
    assert_eq!(told(&store), expected(0..ENTRIES));
    views_follow_from_the_logs(&store);
    // The process ends at once, and the views are lost.
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("data");
    let done = std::process::Command::new("cp").arg("-r").arg(root.path()).arg(&copied).status();
    assert!(done.unwrap().success());
    std::fs::remove_dir_all(copied.join("views")).unwrap();
    let again = open(&copied, &sizes).unwrap();
    assert_eq!(told(&again), expected(0..ENTRIES));
    drop((again, copy));

    // A run that goes on in the same segment has no memory of what stands there.
    drop(store);
    let store = open(root.path(), &sizes).unwrap();
    fill(&store, ENTRIES..2 * ENTRIES);
    assert_eq!(told(&store), expected(0..2 * ENTRIES));
    store.engine().rebuild(|_, _| {}).unwrap();
    assert_eq!(told(&store), expected(0..2 * ENTRIES));

    // Evidence discloses what was committed to, with sources and without.
    let page = audit::evidence(&store, &grant(), None, usize::MAX, true).unwrap();
    for entry in &page.bundle.entries {
        let payload = &entry.disclosed.as_ref().unwrap().payload;
        assert!(payload.contains("Dr. Quist") && !payload.contains('\u{4}'), "{payload}");
    }
    let bundle = serde_json::to_string(&page.bundle).unwrap();
    let key = store.engine().proof(BundleLog::Access).unwrap().verifier().to_string();
    verify_bundle(&bundle, &key).unwrap();
    store.engine().close();
    drop(store);

    let lists_before = lists(root.path());
    let quoting = lists_before.values().filter(|lists| **lists > 0).count();
    assert!(quoting >= 3, "{lists_before:?}");
    let stats =
        chartlog::inspect::stats(&RealDisk::handle(), root.path(), Some(master()), &|_, _| {});
    let stats = stats.unwrap();
    assert_eq!(stats.access_entries, 2 * ENTRIES as u64);
    let frames = stats.payloads.unwrap().access.opened;
    assert!(frames > ENTRIES as u64 / 2, "{frames}");
    let whole = VerifyOptions {
        keys: Vec::new(),
        checkpoints: Vec::new(),
        open: Some((sizes.master_key.clone(), sizes.variable)),
        threads: 2,
        progress: &|_| {},
    };
    chartlog::inspect::verify(root.path(), &whole, &mut |finding| {
        assert_ne!(finding.verdict, Verdict::Altered, "{}", finding.detail);
    })
    .unwrap();

    // Whichever segment goes, the others quote nothing from it.
    let store = open(root.path(), &sizes).unwrap();
    let later = Instant::now().micros() + 7 * 366 * 24 * 3_600 * 1_000_000;
    let retention = grant_of("system/Retention.rd", None);
    let gone = audit::dispose(&store, &retention, 6, Instant::from_micros(later)).unwrap();
    assert_eq!(gone.len(), lists_before.len() - 1);
    let left = told(&store);
    assert!(!left.is_empty() && left.len() < ENTRIES, "{}", left.len());
    let all = expected(0..2 * ENTRIES);
    assert!(left.iter().all(|(request, source)| all[request] == *source));
    views_follow_from_the_logs(&store);
    fill(&store, 2 * ENTRIES..2 * ENTRIES + 100);
    assert_eq!(told(&store).len(), left.len() + 100);
}
