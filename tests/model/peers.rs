//! Followers of whom one reads for the others: each is given what it would read alone at that moment, whatever others may
//! see or want, however far they are, and whatever is erased meanwhile.

use std::sync::Arc;

use chartlog::auth::{Grant, Shown};
use chartlog::feed::{Form, Framing, Pen};
use chartlog::numbers::{EventId, Position};
use chartlog::records::{
    BatchLimits, Change, ErasureRequest, LogEvent, LogFilter, Next, Peers, Records, SharedBatch,
    Sight, Target, Turn, Write,
};
use futures_util::FutureExt;

use crate::clinic::{block_on, criteria, grant, grant_of, key, open, options, put};

const LIMITS: BatchLimits = BatchLimits { events: 3, bytes: 1 << 20 };
const ALL: BatchLimits = BatchLimits { events: usize::MAX, bytes: usize::MAX };
const PATIENTS: u64 = 4;
const STEPS: u64 = 1_200;

fn form() -> Form {
    Form { framing: Framing::Lines, cloud_source: None }
}

fn written(grant: &Grant, events: &[LogEvent]) -> Vec<u8> {
    let form = form();
    let mut pen = Pen::new(&form);
    events.iter().for_each(|event| pen.event(grant, event));
    pen.finish()
}

struct Reader {
    grant: Arc<Grant>,
    peers: Arc<Peers>,
    next: Position,
    /// Taken, and not used yet.
    turn: Option<Turn>,
}

impl Reader {
    fn new(store: &Records, scopes: &str, patient: Option<&str>, filter: LogFilter) -> Self {
        let grant = grant_of(scopes, patient);
        let sight = store.sight(&grant, filter).unwrap();
        let peers = store.peers(Arc::new(sight), form().name());
        Self { grant, peers, next: Position::default(), turn: None }
    }

    fn head(store: &Records) -> Position {
        *store.visible().borrow()
    }

    /// Looks for its next batch; `None`: a peer reads it.
    fn look(&mut self) -> Option<Option<Arc<SharedBatch>>> {
        match self.peers.next(self.next).now_or_never()? {
            Next::Batch(batch) => Some(Some(batch)),
            Next::Turn(turn) => {
                self.turn = Some(turn);
                Some(None)
            }
        }
    }

    fn read(&mut self, store: &Records) -> Option<Arc<SharedBatch>> {
        let turn = self.turn.take()?;
        Some(turn.read(store, &self.grant, LIMITS, written).unwrap())
    }

    /// Holds a batch against what it would read alone, and goes on behind it.
    fn take(&mut self, store: &Records, batch: &SharedBatch) {
        let (alone, shown) = alone(store, &self.grant, self.peers.sight(), self.next, batch.next);
        assert_eq!(
            String::from_utf8_lossy(&batch.bytes),
            String::from_utf8_lossy(&alone),
            "{:?} from {} to {}",
            self.grant.caller().scopes.to_string(),
            self.next,
            batch.next
        );
        assert_eq!(*batch.shown, shown);
        assert!(batch.next > self.next, "it gets on");
        self.next = batch.next;
    }
}

/// What somebody reads alone between two positions, and what is noted of it.
fn alone(
    store: &Records,
    grant: &Grant,
    sight: &Sight,
    from: Position,
    to: Position,
) -> (Vec<u8>, Shown) {
    let notes = grant.for_part();
    let mut events = store.follow(&notes, sight, from, ALL).unwrap().events;
    events.retain(|event| event.position < to);
    let notes = grant.for_part();
    for event in &events {
        // What was erased tells of nobody.
        if event.patient.is_some() || event.chart.is_none() {
            notes.showed(EventId::of(event.position, event.part));
            event.chart.iter().for_each(|chart| notes.saw_chart(*chart));
        }
    }
    let text = written(&notes, &events);
    (text, notes.take_seen().together())
}

fn write(store: &Arc<Records>, changes: Vec<Change>) {
    let write = Arc::new(Write { changes, ..Write::default() });
    block_on(store.write(&grant(), write)).unwrap();
}

fn patient(number: u64) -> Change {
    let text = format!(r#"{{"resourceType":"Patient","id":"p{number}"}}"#);
    put(&text, Target::Key(key(&format!("Patient/p{number}"))))
}

fn rate(number: u64, patient: u64, value: u64) -> Change {
    let text = format!(
        r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"rate"}},"subject":{{"reference":"Patient/p{patient}"}},"valueQuantity":{{"value":{value}}}}}"#
    );
    put(&text, Target::Key(key(&format!("Observation/o{number}"))))
}

fn ward() -> Change {
    let text = r#"{"resourceType":"Location","id":"l","name":"ward"}"#;
    put(text, Target::Key(key("Location/l")))
}

fn erase(store: &Arc<Records>, patient: u64) {
    let officer = grant_of("system/*.cruds system/ChartErasure.c", None);
    let request = ErasureRequest {
        patient: format!("p{patient}").parse().unwrap(),
        reason: "asked for".to_owned(),
        basis: "GDPR Art. 17(1)(b)".to_owned(),
        dry_run: false,
    };
    block_on(store.erase(&officer, request)).unwrap();
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn whoever_reads_each_is_given_what_it_would_read_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = open(folder.path(), &options(4, 1 << 20)).unwrap();
    write(&store, (0..PATIENTS).map(patient).collect());
    let bodies = LogFilter { with_bodies: true, ..LogFilter::default() };
    let matching = |query: &str| LogFilter {
        criteria: vec![criteria("Observation", query)],
        ..bodies.clone()
    };
    let kinds = [
        ("user/*.rs", None, bodies.clone()),
        ("user/Observation.rs", None, bodies.clone()),
        ("user/Observation.rs user/Location.rs", None, bodies.clone()),
        ("patient/*.rs", Some("p0"), bodies.clone()),
        ("patient/*.rs", Some("p1"), bodies.clone()),
        ("patient/*.rs user/Location.rs", Some("p1"), bodies.clone()),
        ("user/*.rs", None, LogFilter::default()),
        ("user/*.rs", None, matching("status=final")),
        ("user/*.rs", None, matching("value-quantity=gt5&status=final")),
    ];
    // Three of each.
    let mut readers: Vec<Reader> = kinds
        .iter()
        .cycle()
        .take(3 * kinds.len())
        .map(|(scopes, patient, filter)| Reader::new(&store, scopes, *patient, filter.clone()))
        .collect();
    let (mut random, mut taken, mut read, mut waited) = (Random(0x5eed), 0, 0, 0);
    let mut left: Vec<u64> = (0..PATIENTS).collect();
    for step in 0..STEPS {
        match random.below(12) {
            0 => {
                // A few of one commit, each in the one chart that has it for ever.
                let first = random.below(5);
                let several = (first..=first + random.below(3)).map(|number| {
                    let patient = left[number as usize % left.len()];
                    rate(10 * patient + number, patient, random.below(10))
                });
                write(&store, several.collect());
            }
            1 if step % 5 == 0 => write(&store, vec![ward()]),
            // p0 and p1 are those of the patients who follow.
            2 if step % (STEPS / 4) > STEPS / 4 - 20 && left.len() > 1 => {
                erase(&store, left.pop().unwrap())
            }
            _ => {
                let at = random.below(readers.len() as u64) as usize;
                let reader = &mut readers[at];
                if reader.next >= Reader::head(&store) {
                    continue;
                }
                if reader.turn.is_none() {
                    match reader.look() {
                        Some(Some(batch)) => {
                            taken += 1;
                            reader.take(&store, &batch);
                        }
                        Some(None) => {}
                        None => waited += 1,
                    }
                }
                // Now and then it takes its time, or goes away.
                match random.below(8) {
                    0 => {}
                    1 => reader.turn = None,
                    _ => {
                        if let Some(batch) = reader.read(&store) {
                            read += 1;
                            reader.take(&store, &batch);
                        }
                    }
                }
            }
        }
    }
    assert!(left.len() < 3, "{left:?} were not erased");
    assert!(taken > 100 && read > 100 && waited > 5, "{taken} {read} {waited}");
}

#[test]
fn only_those_share_who_may_see_and_want_the_same_in_the_same_form() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = open(folder.path(), &options(4, 1 << 20)).unwrap();
    write(&store, vec![patient(0), patient(1)]);
    let of = |scopes: &str, patient: Option<&str>, filter: LogFilter| {
        Reader::new(&store, scopes, patient, filter).peers
    };
    let plain = LogFilter::default;
    let first = of("user/*.rs", None, plain());
    for (scopes, patient) in [("user/*.cruds", None), ("system/*.rs launch", Some("p0"))] {
        assert!(Arc::ptr_eq(&first, &of(scopes, patient, plain())), "{scopes}");
    }
    let bodies = LogFilter { with_bodies: true, ..plain() };
    let in_chart = LogFilter { patient: Some("p0".parse().unwrap()), ..plain() };
    let matching = |query: &str| LogFilter {
        criteria: vec![criteria("Observation", query)],
        ..LogFilter::default()
    };
    let mut others = vec![
        first,
        of("user/*.rs", None, bodies),
        of("user/*.rs", None, in_chart),
        of("user/*.rs", None, matching("status=final")),
        of("user/*.rs", None, matching("status=amended")),
        of("user/Patient.rs", None, plain()),
        of("user/Patient.rs user/Observation.r", None, LogFilter::default()),
        of("patient/*.rs", Some("p0"), plain()),
        of("patient/*.rs", Some("p1"), plain()),
    ];
    let sight = Arc::clone(others[0].sight());
    let sse = Form { framing: Framing::Sse, cloud_source: None };
    let cloud = Form { framing: Framing::Lines, cloud_source: Some("here".to_owned()) };
    others.extend([&sse, &cloud].map(|form| store.peers(Arc::clone(&sight), form.name())));
    let same = |one: &Arc<Peers>| others.iter().filter(|other| Arc::ptr_eq(one, other)).count();
    let counts: Vec<usize> = others.iter().map(same).collect();
    // That something may be read but not searched leads nowhere.
    assert_eq!(counts, [1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1]);
}

#[test]
fn the_furthest_reads_for_all_and_nothing_of_before_an_erasure_is_kept() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = open(folder.path(), &options(4, 1 << 20)).unwrap();
    write(&store, (0..2).map(patient).collect());
    let reader = || Reader::new(&store, "user/*.rs", None, LogFilter::default());
    let (mut one, mut other, mut late) = (reader(), reader(), reader());
    assert!(matches!(one.look(), Some(None)), "it is its turn");
    assert!(other.look().is_none(), "somebody reads");
    one.turn = None;
    assert!(matches!(other.look(), Some(None)), "who has gone holds nobody up");
    let batch = other.read(&store).unwrap();
    other.take(&store, &batch);
    let given = one.look().flatten().unwrap();
    assert!(Arc::ptr_eq(&batch, &given));
    one.take(&store, &given);
    // Who is elsewhere reads up to where the others are, whether they read or not.
    write(&store, vec![rate(0, 0, 1)]);
    assert!(matches!(one.look(), Some(None)));
    late.next = Position::new(2);
    assert!(matches!(late.look(), Some(None)));
    let own = late.read(&store).unwrap();
    assert_eq!(own.next, batch.next);
    late.take(&store, &own);
    assert!(late.look().is_none());
    let batch = one.read(&store).unwrap();
    one.take(&store, &batch);
    assert!(late.look().flatten().is_some_and(|given| Arc::ptr_eq(&given, &batch)));
    // Erased: what is kept is gone, and what is being read is not kept.
    erase(&store, 0);
    assert!(matches!(late.look(), Some(None)));
    let own = late.read(&store).unwrap();
    late.take(&store, &own);
    write(&store, vec![rate(5, 1, 1)]);
    assert!(matches!(one.look(), Some(None)));
    erase(&store, 1);
    let batch = one.read(&store).unwrap();
    one.take(&store, &batch);
    assert!(matches!(late.look(), Some(None)), "it may be from before");
}
