//! Access entries that were kept long enough are disposed of: what stays can be read, verified, backed up and
//! restored, and nobody can dispose of anything unseen.
//!
//! The disposal itself is done in this process, which can say what year it is.

use std::path::Path;
use std::sync::Arc;

use chartlog::audit;
use chartlog::auth::{Caller, Grant, Scopes};
use chartlog::budget::Budget;
use chartlog::chart::Actor;
use chartlog::clock::{Clock, Instant};
use chartlog::disk::RealDisk;
use chartlog::engine::{DataDirectory, EngineOptions, ProofOptions, PurgeWindow};
use chartlog::records::{Records, RecordsOptions};
use chartlog::vault::MasterKeySource;
use chartlog::view::ViewOptions;
use serde_json::Value;

use crate::support::{Place, Server, patient};

/// Segments that are full of entries.
const SEGMENTS: usize = 4;

/// Disposes of what is due in seven years, as entries are kept for six.
fn dispose(data: &Path) -> Vec<String> {
    let options = EngineOptions {
        disk: RealDisk::handle(),
        master_key: MasterKeySource::File(data.join("vault/master.key")),
        variable: |_| None,
        seals: true,
        proves: true,
        proof: ProofOptions::default(),
        purge: PurgeWindow::Never,
        segment_bytes_max: 1 << 20,
        queue_commands_max: 100,
        group_bytes_max: 1 << 20,
        views: ViewOptions { cache_bytes: 1 << 20, snapshot_events_min: 100 },
        upcasters: Arc::default(),
        clock: Clock::default(),
    };
    let directory = DataDirectory::open(data).unwrap();
    let store = Records::open(directory, &options, RecordsOptions::default()).unwrap();
    let scopes = Scopes::parse("system/Retention.rd");
    let caller = Caller { scopes, expires_at: i64::MAX, ..Caller::default() };
    let grant =
        Grant::new(caller.into(), Actor::default(), Budget::default(), &std::sync::Arc::default());
    let later = Instant::from_micros(Instant::now().micros() + 7 * 366 * 24 * 3_600 * 1_000_000);
    let statements = audit::dispose(&store, &grant, 6, later).unwrap();
    store.engine().close();
    statements
}

/// Looks at a chart with many letters that no compression makes shorter, until a segment is full.
fn fill(server: &Server, id: &str, segment: usize) {
    let token = server.token("system/Retention.r");
    let closed = || {
        let (status, body) = server.ask(&token, "/v1/retention");
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["segments"].as_array().unwrap().len()
    };
    while closed() < segment {
        for _ in 0..40 {
            let letters: String =
                std::iter::repeat_with(|| uuid::Uuid::new_v4().simple().to_string())
                    .take(120)
                    .collect();
            server.get(&format!("/fhir/Observation?patient={id}&code={letters}"));
        }
    }
}

/// How often a chart was looked at, as far as is told.
fn looks(server: &Server, id: &str) -> usize {
    let token = server.token("system/AuditEvent.rs");
    let (mut looks, mut next) = (0, format!("/v1/accesses?patient={id}&count=1000"));
    loop {
        let (status, body) = server.ask(&token, &next);
        assert_eq!(status, 200, "{body}");
        let page: Value = serde_json::from_str(&body).unwrap();
        looks += page["accesses"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(cursor) => next = format!("/v1/accesses?patient={id}&count=1000&cursor={cursor}"),
            None => return looks,
        }
    }
}

#[test]
fn what_is_left_after_a_disposal_verifies_and_can_be_backed_up_and_restored() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    for id in ["kept", "gone"] {
        server.put(&patient(id, "Quist"));
    }
    // The looks at the chart under a hold fill the second segment, and reach into the third.
    for (segment, id) in (1..=SEGMENTS).zip(["gone", "kept", "gone", "gone"]) {
        fill(&server, id, segment);
    }
    let hold = server.token("user/ChartHold.c user/Patient.rs");
    let url = format!("{}/v1/patients/kept/hold", server.base);
    let held = ureq::post(url).header("authorization", format!("Bearer {hold}"));
    held.header("content-type", "application/json").send(r#"{"reason":"lawsuit"}"#).unwrap();
    let before = [looks(&server, "gone"), looks(&server, "kept")];
    let key = server.get("/v1/log/access/key");
    server.stop();
    place.run("backup before --data data");

    let statements = dispose(&place.path("data"));
    assert_eq!(statements.len(), SEGMENTS - 2, "the hold keeps two: {statements:?}");
    let printed = place.run("verify --data data");
    assert!(printed.contains("were disposed of at"), "{printed}");
    let pinned = place.run(&format!("verify --data data --open --key {}", key.trim()));
    assert!(
        pinned.contains("were disposed of;") || pinned.contains("were disposed of"),
        "{pinned}"
    );
    place.run("verify --data data --views");
    place.run("stats --data data");

    // A backup that was taken before disposes of the same; one that is new has what is left.
    for backup in ["before", "after"] {
        place.run(&format!("backup {backup} --data data"));
        place.run(&format!("restore {backup} --data {backup}-restored"));
        let restored = place.path(&format!("{backup}-restored"));
        std::fs::create_dir_all(restored.join("vault")).unwrap();
    }
    let sizes = |name: &str| -> Vec<u64> {
        let folder = place.path(name).join("log/access");
        let lengths = (0..=SEGMENTS).map(|at| folder.join(format!("{at:08}.seg")));
        lengths.map(|path| std::fs::metadata(path).unwrap().len()).collect()
    };
    assert_eq!(sizes("before"), sizes("after"));
    assert!(sizes("after")[0] < 1 << 17 && sizes("after")[1] > 1 << 19, "{:?}", sizes("after"));

    // Rebuilt from the logs, the views say the same as those that were told of the disposal.
    for round in 0..2 {
        let server = Server::start(&place, "data");
        let now = [looks(&server, "gone"), looks(&server, "kept")];
        assert!(now[0] < before[0] / 2, "round {round}: {before:?} {now:?}");
        assert!(now[1] >= before[1], "round {round}: {before:?} {now:?}");
        assert_eq!(server.get("/v1/log/access/disposals"), statements.join("\n"));
        let (status, _) = server.ask(&server.token("system/AuditEvent.rs"), "/v1/accesses/0-0");
        assert_eq!(status, 410);
        server.stop();
        place.run("rebuild --data data");
    }
}

#[test]
fn a_segment_that_was_taken_away_is_missed_however_it_looks() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    fill(&server, "p", 1);
    server.stop();
    let path = place.path("data").join("log/access/00000000.seg");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(dispose(&place.path("data")).len(), 1);
    let disposed = std::fs::read(&path).unwrap();
    assert!(disposed.len() < whole.len() / 4);
    place.run("verify --data data");
    // Every byte of what is left counts: of the headers, the statement, the hashes.
    for at in (0..disposed.len()).step_by(disposed.len() / 40) {
        let mut altered = disposed.clone();
        altered[at] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        place.fail("verify --data data", 4);
    }
    std::fs::write(&path, &disposed).unwrap();
    place.run("verify --data data");
    // Nor does the store start with something else in that place.
    std::fs::remove_file(&path).unwrap();
    place.fail("verify --data data", 4);
}

#[test]
fn only_who_may_sees_what_is_due_and_disposes_of_it() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    let (status, _) = server.ask(&server.token("user/*.cruds"), "/v1/retention");
    assert_eq!(status, 403);
    let delete = |scope: &str| {
        let request = ureq::delete(format!("{}/v1/retention/due", server.base));
        let request = request.config().http_status_as_error(false).build();
        let request = request.header("authorization", format!("Bearer {}", server.token(scope)));
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(delete("system/Retention.r").0, 403);
    fill(&server, "nobody", 1);
    let (status, body) = delete("system/Retention.d");
    assert_eq!(status, 200, "{body}");
    assert_eq!(body, r#"{"statements":[]}"#);
    assert_eq!(server.get("/v1/log/access/disposals"), "");
    server.stop();
    let said = place.fail("dispose --data data", 2);
    assert!(said.contains("audit.retention_years"), "{said}");
    let young = "dispose --data data --dry-run --set audit.retention_years=1";
    let output = place.command(young).output().unwrap();
    let said = crate::support::stderr(&output);
    assert!(
        output.status.success() && said.contains("segment 00000000") && said.contains("kept"),
        "{said}"
    );
}
