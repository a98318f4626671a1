//! Trains the compression dictionary of the access log from the entries of hospitals that do not exist.
//!
//! `cargo run --release --example train_access_dictionary -- OUT`, which is the same each time. Each hospital has
//! an identity provider, names and clients of its own kind, so that what the dictionary learns is the form, and what
//! hospitals have in common. The rule about released dictionaries is that of `train_dictionaries`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use chartlog::access::{self, AccessEntry, Identity, Outcome, RequestId, Runs, Source, Words};
use chartlog::log::StreamAlias;
use chartlog::numbers::Position;
use chartlog::seal::sample;

const BYTES: usize = 16 << 10;
const HOSPITALS: u64 = 400;
const FRAMES: u64 = 12;

const ROLES: &[&str] =
    &["physician", "nurse", "pharmacist", "clerk", "http://snomed.info/sct|309343006"];
const SCOPES: &[&str] = &[
    "user/*.rs",
    "user/*.cruds",
    "system/*.rs",
    "openid fhirUser launch user/*.rs",
    "openid profile fhirUser user/Patient.rs user/Observation.rs user/Condition.rs",
    "user/Patient.rs user/Observation.rs user/Encounter.rs user/MedicationRequest.rs",
    "patient/*.rs",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/604.1",
    "HAPI-FHIR/7.2.0 (FHIR Client; FHIR 4.0.1/R4; apache)",
    "Java-http-client/21.0.3",
    "okhttp/4.12.0",
    "python-requests/2.32.3",
    "curl/8.5.0",
];
const PURPOSES: &[&str] = &["TREAT", "TREAT", "TREAT", "HPAYMT", "HOPERAT", "BTG"];
const OPERATIONS: &[(&str, &str)] = &[
    ("readResource", "GET /fhir/{type}/{id}"),
    ("readResource", "GET /fhir/{type}/{id}"),
    ("readResource", "GET /fhir/{type}/{id}"),
    ("searchResources", "GET /fhir/{type}"),
    ("searchResources", "GET /fhir/{type}"),
    ("searchResourcesByPost", "POST /fhir/{type}/_search"),
    ("readResourceVersion", "GET /fhir/{type}/{id}/_history/{version}"),
    ("readResourceHistory", "GET /fhir/{type}/{id}/_history"),
    ("patientEverything", "GET /fhir/Patient/{id}/$everything"),
    ("searchCompartment", "GET /fhir/{compartment}/{id}/{type}"),
    ("readChart", "GET /v1/patients/{id}/chart"),
    ("listEvents", "GET /v1/patients/{id}/events"),
    ("listChartAccesses", "GET /v1/patients/{id}/accesses"),
    ("listAccesses", "GET /v1/accesses"),
];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn uuid(&mut self) -> String {
        uuid::Uuid::from_u64_pair(self.next(), self.next()).to_string()
    }

    fn word(&mut self) -> String {
        let syllables = 2 + self.below(2);
        (0..syllables)
            .flat_map(|_| [self.of(b"bcdfghklmnprstvw"), self.of(b"aeiou")])
            .map(char::from)
            .collect()
    }
}

fn main() {
    let out = std::env::args().nth(1).expect("OUT, please");
    let mut numbers = Numbers(1);
    let frames: Vec<_> = (0..HOSPITALS).flat_map(|_| hospital(&mut numbers)).collect();
    let dictionary = zstd::dict::from_samples(&frames, BYTES).expect("enough samples");
    println!("{out}: {} samples, {} bytes", frames.len(), dictionary.len());
    std::fs::write(out, dictionary).unwrap();
}

fn hospital(n: &mut Numbers) -> Vec<Vec<u8>> {
    let (name, top) = (n.word(), n.of(&["example.org", "org", "com", "de", "health"]));
    let issuer = match n.below(4) {
        0 => "chartlog-local".to_owned(),
        1 => format!("https://login.{name}.{top}"),
        2 => format!("https://auth.{name}.{top}/realms/{}", n.word()),
        _ => format!("https://idp.{name}.{top}/oauth2/default"),
    };
    let (style, has_name, has_token, has_user) = (n.below(5), n.is(70), n.is(70), n.is(40));
    let (agents, purposes, traces) = (n.is(80), n.is(70), n.is(20));
    let net = n.of(&["10.0", "10.20", "192.168", "172.16", "127.0"]);
    let scopes = [n.of(SCOPES), n.of(SCOPES)];
    let clients: Vec<_> = (0..4)
        .map(|_| match n.below(3) {
            0 => n.uuid(),
            1 => format!("{}-app", n.word()),
            _ => n.of(&["ehr-web", "patient-portal", "lab-interface", "smart-app"]).to_owned(),
        })
        .collect();
    let places: Vec<_> = (0..4)
        .map(|_| match style % 2 {
            0 => format!("Organization/{}", n.below(1_000)),
            _ => format!("{}-{}", n.of(&["ward", "department", "clinic", "practice"]), n.word()),
        })
        .collect();
    let users: Vec<_> = (0..40)
        .map(|_| {
            let (first, last) = (n.word(), n.word());
            let subject = match style {
                0 => n.uuid(),
                1 => format!("dr-{last}"),
                2 => format!("{first}.{last}"),
                3 => format!("u{}", 10_000 + n.below(90_000)),
                _ => format!("{last}-{}", n.below(100)),
            };
            let is_doctor = n.is(50);
            let identity = Identity {
                subject,
                issuer: issuer.clone(),
                name: has_name
                    .then(|| format!("{}{first} {last}", if is_doctor { "Dr. " } else { "" })),
                role: has_name.then(|| n.of(ROLES).to_owned()),
                organization: has_name.then(|| places[n.below(4) as usize].clone()),
                fhir_user: has_user.then(|| format!("Practitioner/{}", n.uuid())),
                client: Some(clients[n.below(4) as usize].clone()),
                token_id: has_token.then(|| n.uuid()),
                scopes: Some(n.of(&scopes).to_owned()),
                ..Identity::default()
            };
            Arc::new(Source {
                identity: Some(identity.into()),
                address: Some(format!("{net}.{}.{}", n.below(4), n.below(256))),
                user_agent: agents.then(|| n.of(AGENTS).to_owned()),
                purpose: purposes.then(|| n.of(PURPOSES).to_owned()),
                ..Source::default()
            })
        })
        .collect();
    let charts: Vec<_> = (0..50).map(|_| (StreamAlias(n.next()), n.below(5_000_000))).collect();
    let run = n.next();
    let mut number = n.below(1_000_000);
    (0..FRAMES)
        .map(|_| {
            let size = n.of(&[1, 1, 2, 4, 8, 12, 16, 24, 32, 64]);
            let now = 1_800_000_000_000_000;
            let entries: Vec<_> = (0..size)
                .map(|_| {
                    number += n.below(3);
                    let user = &users[n.below(40) as usize];
                    let begun_at = now - 300 - n.below(9_000) as i64;
                    let chart = charts[n.below(50) as usize];
                    Arc::new(entry(n, user, RequestId::new(run, number), begun_at, chart, traces))
                })
                .collect();
            sample(&access::pack(&entries, now).payload, "")
        })
        .collect()
}

fn entry(
    n: &mut Numbers,
    user: &Arc<Source>,
    request: RequestId,
    begun_at: i64,
    (chart, first): (StreamAlias, u64),
    traces: bool,
) -> AccessEntry {
    let (operation, route) = n.of(OPERATIONS);
    let mut entry = AccessEntry::of(Source::default(), request, operation, begun_at);
    entry.source = Arc::clone(user);
    entry.bytes = n.below(3_000);
    entry.trace =
        traces.then(|| format!("00-{:016x}{:016x}-{:016x}-01", n.next(), n.next(), n.next()));
    entry.client_request = (traces && n.is(50)).then(|| n.uuid());
    let look = &mut entry.look;
    (look.route, look.status) = (route.into(), 200);
    match n.below(100) {
        0..3 => {
            (look.outcome, look.status) = (Outcome::Refused, 403);
            look.reason = Some("forbidden: the token does not grant 's' on Observation".into());
        }
        3..6 => {
            (look.outcome, look.status) = (Outcome::Failed, 404);
            look.reason = Some("not-found".into());
        }
        _ => {
            look.charts = vec![chart];
            let left = if operation == "readResource" { 1 } else { 1 + n.below(40) };
            let left = (0..left).map(|_| Position::new(first + n.below(60)));
            look.shown = Runs::from(&left.collect::<BTreeSet<_>>());
        }
    }
    if operation != "readResource" {
        look.words = Some(match look.charts.is_empty() {
            true => Words::Plain(format!("/fhir/Observation?code={}&_count=50", n.below(90_000))),
            false => {
                let length = 60 + n.below(80);
                Words::Sealed((0..length).map(|_| n.next() as u8).collect())
            }
        });
    }
    entry
}
