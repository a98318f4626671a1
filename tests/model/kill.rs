//! The real program, ended with SIGKILL at random moments under a mixed load: what was answered is
//! there, what was not is there wholly or not at all.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;

use crate::history::seed;
use crate::server::{Client, Server, located, observation};

const WRITERS: u64 = 6;
const PATIENTS: u64 = 3;
/// Rounds after which everything is checked, and not only what is new.
const ROUNDS_BETWEEN_CHECKS: u64 = 250;
const SETTINGS: [&str; 3] = [
    "store.segment_bytes_max=1048576",
    "store.group_bytes_max=65536",
    "store.snapshot_events_min=8",
];

/// A small random sequence (SplitMix64), so that a seed tells the whole load.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Something that was answered, and so must be there forever.
#[derive(Debug)]
enum Acknowledged {
    /// A version of a resource with its content.
    Version { id: String, version: u64, body: String },
    /// Resources of one transaction, and the value that all of them have.
    Together { ids: Vec<String>, value: u64 },
    /// The access entry of a read.
    Read { request: String },
}

/// Something that was sent and not answered.
#[derive(Debug)]
enum Unknown {
    Update { version: u64, value: u64 },
    Together { ids: Vec<String>, value: u64 },
    Append { key: String, patient: String, body: String, tag: String },
    Create { tag: String },
    Read,
}

/// One writer's own resource and everything it knows.
struct Writer {
    number: u64,
    random: Random,
    sent: u64,
    /// Version of its own resource.
    version: u64,
    acknowledged: Vec<Acknowledged>,
    unknown: Option<Unknown>,
    /// Tags of resources that must exist exactly once.
    tags: Vec<String>,
}

fn tagged(patient: &str, tag: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","identifier":[{{"system":"urn:k","value":"{tag}"}}],"status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
}

impl Writer {
    fn id(&self) -> String {
        format!("w{}", self.number)
    }

    fn patient(&self) -> String {
        format!("k{}", self.number % PATIENTS)
    }

    /// Sends until no answer comes.
    fn work(&mut self, client: &Client, answered: &Sender<()>) {
        while self.step(client) {
            // The main thread may have seen enough.
            let _ = answered.send(());
        }
    }

    fn step(&mut self, client: &Client) -> bool {
        self.sent += 1;
        match self.random.below(10) {
            0..=3 => self.update(client),
            4..=5 => self.transaction(client),
            6..=7 => self.append(client),
            8 => self.create(client),
            _ => self.read(client),
        }
        .is_some()
    }

    fn update(&mut self, client: &Client) -> Option<()> {
        let (id, value) = (self.id(), self.sent);
        let patient = format!("k{}", self.random.below(PATIENTS));
        let (version, tag) = (self.version + 1, format!("W/\"{}\"", self.version));
        self.unknown = Some(Unknown::Update { version, value });
        let condition =
            if self.version == 0 { ("if-none-match", "*") } else { ("if-match", &*tag) };
        let path = format!("/fhir/Observation/{id}");
        let answer = client.put(&path, &[condition], &observation(&id, &patient, value))?;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_eq!(located(answer.location.as_ref().unwrap()), (id.clone(), version));
        self.version = version;
        self.acknowledge(Acknowledged::Version { id, version, body: answer.body })
    }

    fn transaction(&mut self, client: &Client) -> Option<()> {
        let value = self.sent;
        let ids: Vec<String> =
            (0..3).map(|part| format!("t{}-{value}-{part}", self.number)).collect();
        let entry = |(part, id): (u64, &String)| {
            let resource = observation(id, &format!("k{}", part % PATIENTS), value);
            format!(
                r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Observation/{id}"}}}}"#
            )
        };
        let entries: Vec<_> = (0..).zip(&ids).map(entry).collect();
        let entries = entries.join(",");
        let bundle =
            format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
        self.unknown = Some(Unknown::Together { ids: ids.clone(), value });
        let answer = client.post("/fhir", &[], &bundle)?;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.acknowledge(Acknowledged::Together { ids, value })
    }

    fn append(&mut self, client: &Client) -> Option<()> {
        let (patient, tag) = (self.patient(), format!("a{}-{}", self.number, self.sent));
        let key = format!("key {tag}");
        let resource = tagged(&patient, &tag);
        let body =
            format!(r#"{{"events":[{{"type":"Observation.recorded","resource":{resource}}}]}}"#);
        let (append, own) = (body.clone(), patient.clone());
        self.unknown = Some(Unknown::Append {
            key: key.clone(),
            patient: own,
            body: append,
            tag: tag.clone(),
        });
        let path = format!("/v1/patients/{patient}/events");
        let answer = client.post(&path, &[("idempotency-key", &key)], &body)?;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.tags.push(tag);
        self.settle()
    }

    fn create(&mut self, client: &Client) -> Option<()> {
        let tag = format!("c{}-{}", self.number, self.sent);
        self.unknown = Some(Unknown::Create { tag: tag.clone() });
        let answer = client.post("/fhir/Observation", &[], &tagged(&self.patient(), &tag))?;
        assert_eq!(answer.status, 201, "{answer:?}");
        let (id, version) = located(answer.location.as_ref().unwrap());
        self.tags.push(tag);
        self.acknowledge(Acknowledged::Version { id, version, body: answer.body })
    }

    fn read(&mut self, client: &Client) -> Option<()> {
        let request = format!("read {}-{}", self.number, self.sent);
        self.unknown = Some(Unknown::Read);
        let path = format!("/fhir/Observation/{}", self.id());
        let answer = client.send("GET", &path, &[("x-request-id", &request)], None)?;
        assert_eq!(answer.status, if self.version == 0 { 404 } else { 200 }, "{answer:?}");
        self.acknowledge(Acknowledged::Read { request })
    }

    fn acknowledge(&mut self, acknowledged: Acknowledged) -> Option<()> {
        self.acknowledged.push(acknowledged);
        self.settle()
    }

    fn settle(&mut self) -> Option<()> {
        self.unknown = None;
        Some(())
    }

    /// Finds out what became of the request that was not answered: all of it, or nothing.
    fn resolve(&mut self, client: &Client) {
        match self.unknown.take() {
            None | Some(Unknown::Read) => {}
            Some(Unknown::Update { version, value }) => {
                let id = self.id();
                let answer = client.get(&format!("/fhir/Observation/{id}"));
                if answer.status == 404 {
                    assert_eq!(self.version, 0, "{id} is gone");
                    return;
                }
                let resource = answer.json();
                let found: u64 = resource["meta"]["versionId"].as_str().unwrap().parse().unwrap();
                if found == version {
                    assert_eq!(resource["valueInteger"], value);
                    self.version = version;
                } else {
                    assert_eq!(found, self.version, "{id} has neither version");
                }
            }
            Some(Unknown::Together { ids, value }) => {
                let stored =
                    |id: &&String| client.get(&format!("/fhir/Observation/{id}")).status == 200;
                match ids.iter().filter(stored).count() {
                    0 => {}
                    3 => self.acknowledged.push(Acknowledged::Together { ids, value }),
                    other => panic!("{other} of the three resources of a transaction are there"),
                }
            }
            Some(Unknown::Append { key, patient, body, tag }) => {
                // Repeating is harmless, whatever became of it.
                let path = format!("/v1/patients/{patient}/events");
                let answer = client.post(&path, &[("idempotency-key", &key)], &body).unwrap();
                assert_eq!(answer.status, 201, "{answer:?}");
                self.tags.push(tag);
            }
            Some(Unknown::Create { tag }) => {
                let found = count(client, &tag);
                assert!(found <= 1, "{tag} was stored {found} times");
                if found == 1 {
                    self.tags.push(tag);
                }
            }
        }
    }

    /// Everything that was answered from that number on is there.
    fn check(&self, client: &Client, from: usize, requests: &BTreeSet<String>) {
        for acknowledged in &self.acknowledged[from..] {
            match acknowledged {
                Acknowledged::Version { id, version, body } => {
                    let path = format!("/fhir/Observation/{id}/_history/{version}");
                    assert_eq!(&client.get(&path).body, body, "{path}");
                }
                Acknowledged::Together { ids, value } => {
                    for id in ids {
                        let resource = client.get(&format!("/fhir/Observation/{id}")).json();
                        assert_eq!(resource["valueInteger"], *value, "{id}");
                    }
                }
                Acknowledged::Read { request } => {
                    assert!(requests.contains(request), "no access entry of {request}");
                }
            }
        }
    }
}

fn count(client: &Client, tag: &str) -> usize {
    let found = client.get(&format!("/fhir/Observation?identifier=urn:k|{tag}")).json();
    found["entry"].as_array().map_or(0, Vec::len)
}

/// Calls `take` for each element of a list of the native API, page by page, until it says that it
/// has enough.
fn each(client: &Client, path: &str, list: &str, mut take: impl FnMut(&Value) -> bool) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}{separator}count=1000{cursor}")).json();
        let elements = page[list].as_array().unwrap_or_else(|| panic!("{page}"));
        if !elements.iter().all(&mut take) {
            return;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return,
        }
    }
}

/// The requests whose access entries are there, newest first, as far back as `wanted` reaches.
fn requests(client: &Client, mut wanted: BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(client, "/v1/accesses", "accesses", |access| {
        let request = access["clientRequest"].as_str().unwrap_or_default();
        wanted.remove(request);
        found.insert(request.to_owned());
        !wanted.is_empty()
    });
    found
}

/// What is known of the order of events.
#[derive(Default)]
struct Order {
    /// Version and time of each chart's last event.
    charts: [(u64, String); PATIENTS as usize],
    positions: BTreeSet<u64>,
}

impl Order {
    /// Charts have no holes, positions are unique, and time does not run backwards. Goes on from
    /// the events that it has seen.
    fn check(&mut self, client: &Client) {
        for (patient, (last, before)) in self.charts.iter_mut().enumerate() {
            let since = if before.is_empty() { String::new() } else { format!("?since={before}") };
            let path = format!("/v1/patients/k{patient}/events{since}");
            each(client, &path, "events", |event| {
                let version = event["version"].as_u64().unwrap();
                if version > *last {
                    assert_eq!(version, *last + 1, "a hole in chart k{patient}");
                    let recorded_at = event["recordedAt"].as_str().unwrap();
                    assert!(recorded_at >= before.as_str(), "time runs backwards at {event}");
                    assert!(self.positions.insert(event["position"].as_u64().unwrap()), "{event}");
                    (*last, *before) = (version, recorded_at.to_owned());
                }
                true
            });
        }
        // Every resource here lies in one of these charts, so their positions leave no hole.
        let last = self.positions.last().copied().unwrap_or_default();
        assert_eq!(self.positions.len() as u64, last + 1, "positions have holes");
    }
}

/// Checks what was acknowledged from those numbers on, and the order of what is new.
fn check_new(client: &Client, writers: &[Writer], from: &[usize], order: &mut Order) {
    let new = writers.iter().zip(from).flat_map(|(writer, from)| &writer.acknowledged[*from..]);
    let wanted = new.filter_map(|acknowledged| match acknowledged {
        Acknowledged::Read { request } => Some(request.as_str()),
        _ => None,
    });
    let requests = requests(client, wanted.collect());
    // Together, because each read waits for its own access entry.
    std::thread::scope(|scope| {
        for (writer, from) in writers.iter().zip(from) {
            let requests = &requests;
            scope.spawn(move || writer.check(client, *from, requests));
        }
    });
    order.check(client);
}

/// Checks everything that was ever acknowledged, and that nothing else is there.
fn check_all(client: &Client, writers: &[Writer]) {
    check_new(client, writers, &vec![0; writers.len()], &mut Order::default());
    let mut tags: Vec<String> = Vec::new();
    for patient in 0..PATIENTS {
        let chart = client.get(&format!("/v1/patients/k{patient}/chart")).json();
        for resource in chart["resources"].as_array().unwrap() {
            tags.extend(resource["identifier"][0]["value"].as_str().map(str::to_owned));
        }
    }
    tags.sort();
    let mut expected: Vec<String> =
        writers.iter().flat_map(|writer| writer.tags.iter().cloned()).collect();
    expected.sort();
    assert_eq!(tags, expected, "resources that were created or appended");
}

/// Lets the writers work until there were so many answers, then kills the server.
fn live(server: Server, writers: &mut [Writer], answers: u64) {
    let clients: Vec<Client> = writers.iter().map(|_| server.client()).collect();
    let (answered, answer): (Sender<()>, Receiver<()>) = channel();
    std::thread::scope(|scope| {
        for (writer, client) in writers.iter_mut().zip(&clients) {
            let answered = answered.clone();
            scope.spawn(move || writer.work(client, &answered));
        }
        drop(answered);
        for _ in 0..answers {
            answer.recv().expect("all writers stopped before the server was killed");
        }
        server.kill();
    });
}

#[test]
fn what_was_answered_survives_being_killed() {
    let seed = seed();
    let rounds: u64 =
        std::env::var("CHARTLOG_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut random = Random(seed);
    let writer = |number| Writer {
        number,
        random: Random(seed ^ (number + 1)),
        sent: 0,
        version: 0,
        acknowledged: Vec::new(),
        unknown: None,
        tags: Vec::new(),
    };
    let mut writers: Vec<Writer> = (0..WRITERS).map(writer).collect();
    let mut checked = vec![0; writers.len()];
    let (mut order, mut unknown) = (Order::default(), 0);
    // Each server is looked at after the death of the one before, and then killed itself.
    let mut server = Server::start(&data, &SETTINGS);
    for round in 1..=rounds {
        live(server, &mut writers, 20 + random.below(120));
        server = Server::start(&data, &SETTINGS);
        let client = server.client();
        unknown += writers.iter().filter(|writer| writer.unknown.is_some()).count();
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let client = &client;
                scope.spawn(move || writer.resolve(client));
            }
        });
        check_new(&client, &writers, &checked, &mut order);
        checked = writers.iter().map(|writer| writer.acknowledged.len()).collect();
        if round == rounds || round.is_multiple_of(ROUNDS_BETWEEN_CHECKS) {
            check_all(&client, &writers);
            println!("round {round}: everything is there");
        }
    }
    let sent: u64 = writers.iter().map(|writer| writer.sent).sum();
    println!(
        "kills: {rounds}, requests {sent}, of which not answered {unknown}, events {}, violations 0",
        order.positions.len()
    );
}
