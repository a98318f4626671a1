//! A view that is kept in the process of its store, while others write, by a follower that dies again and again: it equals the
//! store's own charts at every position where it was taken up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chartlog::access::Outcome;
use chartlog::audit;
use chartlog::auth::{Caller, Grant, Scopes};
use chartlog::budget::Budget;
use chartlog::chart::Actor;
use chartlog::feed::projection::{Batch, FeedError, FollowError, LocalFeed, Projection, follow};
use chartlog::numbers::{ChartVersion, Position};
use chartlog::records::{Action, At, Change, LogFilter, Records, RecordsError, Target, Write};

use crate::clinic::{block_on, grant, grant_of, key, open, options, put};

/// Each chart, by its patient: its version, and the resources in it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Charts {
    position: Position,
    charts: BTreeMap<String, (u64, BTreeMap<String, String>)>,
}

/// A view on a disk, whose program dies with a batch: before it is stored, or behind that.
struct Mortal<'a> {
    disk: &'a Mutex<Charts>,
    batches_left: u64,
    is_stored: bool,
}

impl Projection for Mortal<'_> {
    type Error = &'static str;

    fn position(&self) -> Result<Position, Self::Error> {
        Ok(self.disk.lock().unwrap().position)
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        let mut view = self.disk.lock().unwrap().clone();
        assert!(batch.events.first().is_none_or(|event| event.position >= view.position));
        for event in &batch.events {
            let Some(patient) = &event.patient else { continue };
            let (version, resources) = view.charts.entry(patient.clone()).or_default();
            assert_eq!(*version + 1, event.version.unwrap(), "an event is missing, or comes twice");
            *version += 1;
            if let Some(resource) = &event.resource {
                resources.remove(resource);
                let body = event.body.as_ref().map(|body| body.get().to_owned());
                resources.extend(body.map(|body| (resource.clone(), body)));
            }
        }
        view.position = batch.next;
        let is_last = self.batches_left == 0;
        self.batches_left = self.batches_left.saturating_sub(1);
        if !is_last || self.is_stored {
            *self.disk.lock().unwrap() = view;
        }
        if is_last { Err("killed") } else { Ok(()) }
    }
}

fn write(store: &Arc<Records>, changes: Vec<Change>) {
    let write = Arc::new(Write { changes, ..Write::default() });
    block_on(store.write(&grant(), write)).unwrap();
}

fn patient(id: &str) -> Change {
    let text = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
    put(&text, Target::Key(key(&format!("Patient/{id}"))))
}

/// A heart rate, now in this chart, now in that.
fn rate(number: u64, value: u64) -> Change {
    let text = format!(
        r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"rate"}},"subject":{{"reference":"Patient/p{}"}},"valueInteger":{value}}}"#,
        value % 3
    );
    put(&text, Target::Key(key(&format!("Observation/o{number}"))))
}

fn wanted() -> LogFilter {
    LogFilter { with_bodies: true, ..LogFilter::default() }
}

/// Follows until a position that is known later, and returns what was on the disk whenever it began.
fn kept(store: &Arc<Records>, disk: &Mutex<Charts>, end: &AtomicU64) -> Vec<Charts> {
    let (mut taken_up, mut random) = (Vec::new(), 5u64);
    loop {
        let view = disk.lock().unwrap().clone();
        let is_over = view.position.get() >= end.load(Ordering::Relaxed);
        taken_up.push(view);
        if is_over {
            return taken_up;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (batches_left, is_stored) = ((random >> 33) % 6, (random >> 50) % 2 == 0);
        let mut mortal = Mortal { disk, batches_left, is_stored };
        let mut feed = LocalFeed::new(Arc::clone(store), grant(), wanted()).unwrap();
        let is_short = |batch: &Batch| batch.next.get() < end.load(Ordering::Relaxed);
        match follow(&mut feed, &mut mortal, is_short) {
            Ok(()) | Err(FollowError::View(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_view_kept_in_the_process_equals_the_charts_wherever_it_was_taken_up() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = open(folder.path(), &options(4, 1 << 20)).unwrap();
    let (disk, end) = (Mutex::default(), AtomicU64::new(u64::MAX));
    let taken_up = std::thread::scope(|scope| {
        let follower = scope.spawn(|| kept(&store, &disk, &end));
        write(&store, (0..3).map(|number| patient(&format!("p{number}"))).collect());
        for round in 0..200u64 {
            let several = (0..=round % 3).map(|step| rate((round + step) % 7, round * 31 + step));
            write(&store, several.collect());
            if round % 11 == 10 {
                let one = Target::Key(key(&format!("Observation/o{}", round % 7)));
                write(&store, vec![Change::new(one, Action::Remove)]);
            }
        }
        end.store(store.visible().borrow().get(), Ordering::Relaxed);
        follower.join().unwrap()
    });
    assert!(taken_up.len() > 5, "killed {} times", taken_up.len());
    let grant = grant();
    for view in &taken_up {
        for (patient, (version, resources)) in &view.charts {
            let at = At::Version(ChartVersion::new(*version));
            let chart = store.chart(&grant, &patient.parse().unwrap(), at, None).unwrap();
            let served = chart.resources.iter().map(|resource| {
                let text = String::from_utf8(resource.bytes(&grant)).unwrap();
                (resource.key.to_string(), text)
            });
            assert_eq!(*resources, served.collect(), "{patient} at {}", view.position);
        }
    }
    let entry = audit::last_of(&store, "tester", &["followEvents"]).unwrap().unwrap();
    assert_eq!(entry.look.outcome, Outcome::Granted);
}

#[test]
fn what_leaves_stands_in_the_access_log_and_so_does_a_refusal() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = open(folder.path(), &options(4, 1 << 20)).unwrap();
    write(&store, vec![patient("p0"), rate(1, 0)]);
    let entry = || audit::last_of(&store, "tester", &["followEvents"]).unwrap().unwrap();
    let (disk, end) = (Mutex::default(), store.visible().borrow().get());
    let mut feed = LocalFeed::new(Arc::clone(&store), grant(), wanted()).unwrap().to_the_end();
    assert!(entry().look.shown.is_empty());
    let mut view = Mortal { disk: &disk, batches_left: u64::MAX, is_stored: true };
    follow(&mut feed, &mut view, |_| true).unwrap();
    assert_eq!(disk.lock().unwrap().position.get(), end);
    let shown: Vec<u64> = entry().look.shown.positions().map(Position::get).collect();
    assert_eq!((shown, entry().look.charts.len()), ((0..end).collect(), 1));

    let refused = LocalFeed::new(Arc::clone(&store), grant_of("user/Group.c", None), wanted());
    assert!(matches!(refused, Err(RecordsError::Denied(_))));
    assert_eq!(entry().look.outcome, Outcome::Refused);

    let caller = Caller { scopes: Scopes::parse("user/*.rs"), expires_at: 1, ..Caller::default() };
    let expired = Arc::new(Grant::new(
        Arc::new(caller),
        Actor::default(),
        Budget::default(),
        &Arc::default(),
    ));
    let mut feed = LocalFeed::new(Arc::clone(&store), expired, wanted()).unwrap();
    let ended = follow(&mut feed, &mut view, |_| true);
    assert!(matches!(ended, Err(FollowError::Feed(FeedError::Expired))));
}
