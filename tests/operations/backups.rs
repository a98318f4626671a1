//! Taking backups.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Place, Server, fill, observation, patient};

/// Lets the writers end, also when the test fails.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn backups_of_a_server_that_writes_are_whole_and_copy_only_what_is_new() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    let token = server.token("system/Backup.r");
    let lines = [
        "backup copied --data data".to_owned(),
        format!("backup fetched --server {} --token {token}", server.base),
    ];
    server.put(&patient("p", "Quist"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    server.put(&observation(&format!("o{writer}-{number}"), "p", 20_000));
                }
            });
        }
        let _stopping = Stopping(&stop);
        let mut positions = BTreeMap::new();
        for round in 0..3 {
            for (name, line) in ["copied", "fetched"].iter().zip(&lines) {
                let written = server.position();
                place.run(line);
                let manifest = place.manifest(name);
                let position = manifest["events"]["position"].as_u64().unwrap();
                assert!(position >= written, "{written} events were answered before");
                let before = positions.insert(name, position).unwrap_or(0);
                assert!(position > before, "{position} after {before}");
                place.run(&format!("restore {name} --data {name}-{round}"));
            }
        }
    });
    fill(&server, "q", 100);
    place.run(&lines[0]);
    let files = |name: &str| -> BTreeMap<_, _> {
        let facts = |(path, _): (std::path::PathBuf, _)| {
            let facts = path.metadata().unwrap();
            (path, (facts.ino(), facts.mtime_nsec(), facts.len()))
        };
        place.files(name).into_iter().map(facts).collect()
    };
    let before = files("copied/log/events");
    assert!(before.len() > 2, "{before:?}");
    server.put(&patient("late", "Quist"));
    let said = place.run(&lines[0]);
    let after = files("copied/log/events");
    let changed = after.iter().filter(|(path, facts)| before.get(*path) != Some(facts)).count();
    assert_eq!(changed, 1, "only the last segment grew");
    assert!(said.contains(" bytes copied") || said.contains(" kB copied"), "{said}");
    assert!(place.run(&lines[0]).contains(": 0 bytes copied, "));
    // What came from the server and what came from its files is the same.
    place.run(&lines[1]);
    let events = |name| place.files(&format!("{name}/log/events")).into_iter().map(|file| file.1);
    assert!(events("copied").eq(events("fetched")));
}

#[test]
fn an_interrupted_backup_leaves_the_one_before_it() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    fill(&server, "p", 30);
    let kill = |destination: &str, after: u64| {
        let mut child =
            place.command(&format!("backup {destination} --data data")).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        child.wait().unwrap().success()
    };
    place.run("backup kept --data data");
    let mut interrupted = 0;
    for round in 0..12 {
        fill(&server, &format!("p{round}"), 40);
        let before = place.manifest("kept")["events"]["position"].as_u64().unwrap();
        interrupted += u32::from(!kill("kept", 3 + round * 4));
        place.run(&format!("restore kept --data restored-{round}"));
        let after = place.manifest("kept")["events"]["position"].as_u64().unwrap();
        assert!(after >= before);
        std::fs::remove_dir_all(place.path(&format!("restored-{round}"))).unwrap();
    }
    assert!(interrupted > 0, "no backup was interrupted");
    place.run("backup kept --data data");
    place.run("restore kept --data restored");
    // A first backup that was interrupted is none, and the same command makes one of it.
    for round in 0..6 {
        let name = format!("new-{round}");
        if !kill(&name, 2 + round * 3) && place.path(&name).join("BACKUP").exists() {
            let said = place.fail(&format!("restore {name} --data none"), 1);
            assert!(said.contains("no finished backup"), "{said}");
        }
        place.run(&format!("backup {name} --data data"));
        let events =
            |name: &str| place.files(&format!("{name}/log/events")).into_iter().map(|file| file.1);
        assert!(events("kept").eq(events(&name)));
    }
}

#[test]
fn damage_in_the_store_is_not_backed_up() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    fill(&server, "p", 120);
    server.stop();
    place.run("backup good --data data");
    let path = place.path("data/log/events/00000000.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[500_000] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let said = place.fail("backup new --data data", 1);
    assert!(said.contains("data/log/events/00000000.seg at byte "), "{said}");
    assert!(said.contains("the checksum of a group"), "{said}");
    // Those that are there are left alone: the last group of the log is as it was.
    place.run("backup good --data data");
    place.run("restore good --data restored");
}

#[test]
fn a_backup_that_was_changed_is_not_extended() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    fill(&server, "p", 3);
    place.run("backup kept --data data");
    fill(&server, "q", 3);
    let path = place.path("kept/log/events/00000000.seg");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let said = place.fail("backup kept --data data", 1);
    let place_named = format!("kept/log/events/00000000.seg at byte {}", whole.len() - 1);
    assert!(said.contains(&place_named) && said.contains("was cut off"), "{said}");
    std::fs::write(&path, &whole).unwrap();
    std::fs::rename(&path, place.path("elsewhere")).unwrap();
    let said = place.fail("backup kept --data data", 1);
    assert!(said.contains("is missing"), "{said}");
    std::fs::rename(place.path("elsewhere"), &path).unwrap();
    place.run("backup kept --data data");
    place.run("restore kept --data restored");
}

#[test]
fn a_backup_has_a_directory_and_a_store_of_its_own() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    let other = Server::start(&place, "other");
    other.put(&patient("p", "Quist"));
    place.run("backup kept --data data");
    for (line, code, word) in [
        ("backup kept --data other", 1, "another history"),
        ("backup other --data data", 1, "needs a directory of its own"),
        ("backup data/kept --data data", 2, "lies within the data directory"),
        ("backup data --data data", 2, "lies within the data directory"),
        ("backup kept --data nothing", 1, "holds no chartlog data"),
        ("backup kept", 2, "either --data DIR or --server URL"),
        ("backup kept --data data --server http://127.0.0.1:9", 2, "either"),
        ("backup kept --server http://127.0.0.1:9", 2, "CHARTLOG_TOKEN"),
    ] {
        let said = place.fail(line, code);
        assert!(said.contains(word), "{line}: {said}");
    }
    std::fs::write(place.path("data/FORMAT"), "4\n").unwrap();
    let said = place.fail("backup kept --data data", 1);
    assert!(said.contains("data format 4; this program reads format 3"), "{said}");
}

#[test]
fn a_server_gives_its_logs_only_to_who_is_named_for_it_and_records_it() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    let line = |scope: &str| {
        format!("backup kept --server {} --token {}", server.base, server.token(scope))
    };
    let said = place.fail(&line("system/*.cruds user/*.cruds"), 1);
    assert!(said.contains("status 403") && said.contains("system/Backup.r"), "{said}");
    place.run(&line("system/Backup.r"));
    let entries = server.json("/v1/accesses?actor=operator");
    let entries = entries["accesses"].as_array().unwrap();
    let made = |operation: &str, outcome: &str| {
        let is_that = |entry: &&serde_json::Value| {
            entry["operation"] == operation && entry["outcome"] == outcome
        };
        entries.iter().filter(is_that).count()
    };
    assert_eq!(made("listBackup", "refused"), 1, "{entries:?}");
    assert_eq!(made("listBackup", "granted"), 1);
    assert!(made("readBackup", "granted") >= 2);
    let backup = format!("Bearer {}", server.token("system/Backup.r"));
    let status = |path: &str| {
        let get = ureq::get(format!("{}{path}", server.base)).header("authorization", &backup);
        match get.call() {
            Ok(answer) => answer.status().as_u16(),
            Err(ureq::Error::StatusCode(status)) => status,
            Err(error) => panic!("{error}"),
        }
    };
    for (path, expected) in [
        ("/v1/backup/events/0?to=32", 200),
        ("/v1/backup/events/0?from=32&to=32", 200),
        ("/v1/backup/events/0", 400),
        ("/v1/backup/events/0?from=33&to=32", 400),
        ("/v1/backup/events/0?to=8388609", 400),
        ("/v1/backup/events/0?to=8388608", 404),
        ("/v1/backup/events/1?to=0", 404),
        ("/v1/backup/secrets/0?to=0", 404),
        ("/v1/backup/events/x?to=0", 404),
        ("/v1/backup/events/..%2f..?to=0", 404),
    ] {
        assert_eq!(status(path), expected, "{path}");
    }
}

#[test]
fn a_backup_holds_nothing_in_the_clear_and_no_keys() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("patient-verborgen", "Verschwiegen"));
    server.put(&observation("o-verborgen", "patient-verborgen", 200));
    server.get("/fhir/Patient/patient-verborgen");
    place.run("backup kept --data data");
    let token = server.token("system/Backup.r");
    place.run(&format!("backup fetched --server {} --token {token}", server.base));
    let mut secrets: Vec<Vec<u8>> =
        ["Verschwiegen", "patient-verborgen", "o-verborgen", "dr-weiss", "Observation", "resource"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec();
    use base64::Engine as _;
    for name in ["vault/master.key", "keys/local-issuer.key"] {
        let text = std::fs::read_to_string(place.path("data").join(name)).unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap();
        secrets.extend([text.trim().as_bytes().to_vec(), bytes]);
    }
    for (path, bytes) in place.files("data/vault") {
        // Beginning with the epoch's number, then random.
        secrets.push(bytes[bytes.len() - 32..].to_vec());
        assert!(bytes.len() >= 32, "{}", path.display());
    }
    for (path, bytes) in place.files("kept").into_iter().chain(place.files("fetched")) {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            let secret = String::from_utf8_lossy(secret);
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
    let names: Vec<String> = place
        .files("kept")
        .iter()
        .map(|(path, _)| path.strip_prefix(place.path("kept")).unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "BACKUP",
            "FORMAT",
            "ORIGIN",
            "log/access/00000000.seg",
            "log/events/00000000.seg",
            "proof/access/checkpoint",
            "proof/access/vkey",
            "proof/events/checkpoint",
            "proof/events/vkey",
        ]
    );
}
