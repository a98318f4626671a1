//! New generations of the views: built while others read and write, killed at any moment, and begun
//! from any leftovers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use chartlog::access::{AccessEntry, RequestId, Source};
use chartlog::engine::EngineOptions;
use chartlog::numbers::EventId;
use chartlog::records::{At, Records, Target, Write};

use crate::clinic::{block_on, grant, key, open, options, put, search};
use crate::fold::Fold;
use crate::histories::{Record, compare, play, records, same_records};
use crate::history::{one, seed};
use crate::server::observation;

const WRITERS: u64 = 3;
const REBUILDS: u64 = 5;
/// How many commits a writer makes until the next rebuild begins, at most: or none would catch up on a slow machine.
const COMMITS_PER_REBUILD: u64 = 250;

/// Stores a value in both resources of a writer, in one commit.
fn write_pair(store: &Arc<Records>, writer: u64, value: u64) {
    let change = |half: &str| {
        let id = format!("{half}{writer}");
        put(&observation(&id, "p", value), Target::Key(key(&format!("Observation/{id}"))))
    };
    let write = Write { changes: vec![change("a"), change("b")], ..Write::default() };
    block_on(store.write(&grant(), Arc::new(write))).unwrap();
}

fn value_of(bytes: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["valueInteger"].as_u64().unwrap()
}

/// Values of one half of the writers' resources, as the chart has them.
fn values(store: &Records) -> Vec<u64> {
    let chart = store.chart(&grant(), &"p".parse().unwrap(), At::Now, None).unwrap();
    let mut values: Vec<(String, u64)> = chart
        .resources
        .iter()
        .map(|one| (one.key.id.to_string(), value_of(&one.bytes(&grant()))))
        .collect();
    values.sort();
    assert_eq!(values.len(), 2 * WRITERS as usize, "something is missing");
    let (first, second) = values.split_at(WRITERS as usize);
    let only = |half: &[(String, u64)]| half.iter().map(|(_, value)| *value).collect::<Vec<_>>();
    assert_eq!(only(first), only(second), "half of a commit");
    only(first)
}

fn entry(store: &Records) -> AccessEntry {
    let mut entry = AccessEntry::of(Source::default(), RequestId::new(1, 1), "o", 0);
    entry.look.about = Some(EventId::of(store.engine().applied_position(), 0));
    entry
}

#[test]
fn readers_and_writers_go_on_while_new_generations_take_over() {
    let root = tempfile::tempdir().unwrap();
    let sizes = options(8, 100_000);
    let store = open(root.path(), &sizes).unwrap();
    (0..WRITERS).for_each(|writer| write_pair(&store, writer, 0));
    let done = AtomicBool::new(false);
    let (begun, begins) = (Mutex::new(0), Condvar::new());
    let looks = AtomicU64::new(0);
    let written: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    let going = || !done.load(Ordering::Acquire);
    std::thread::scope(|scope| {
        for (writer, written) in (0..WRITERS).zip(&written) {
            let (store, going, begun, begins) = (&store, &going, &begun, &begins);
            scope.spawn(move || {
                for value in 1.. {
                    let full = |begun: &mut u64| going() && value > *begun * COMMITS_PER_REBUILD;
                    drop(begins.wait_while(begun.lock().unwrap(), full).unwrap());
                    if !going() {
                        return;
                    }
                    write_pair(store, writer, value);
                    written.store(value, Ordering::Release);
                    // Read your writes, whatever generation is served.
                    let id = key(&format!("Observation/b{writer}"));
                    let read = store.read(&grant(), &id).unwrap();
                    assert_eq!(
                        (value_of(&read.bytes(&grant())), read.version.get()),
                        (value, value + 1)
                    );
                }
            });
        }
        scope.spawn(|| {
            let mut last = vec![0; WRITERS as usize];
            while going() {
                let now = values(&store);
                assert!(last.iter().zip(&now).all(|(last, now)| last <= now), "went back");
                last = now;
                let found = store.search(&grant(), &search("Observation", "", 9)).unwrap();
                assert_eq!(found.matches.len(), 2 * WRITERS as usize);
            }
        });
        scope.spawn(|| {
            while going() {
                block_on(store.engine().record_access(entry(&store))).unwrap();
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 1..=REBUILDS {
            *begun.lock().unwrap() = round;
            begins.notify_all();
            let before: Vec<u64> = written.iter().map(|one| one.load(Ordering::Acquire)).collect();
            store.engine().rebuild(|done, all| assert!(done <= all)).unwrap();
            let now = values(&store);
            assert!(before.iter().zip(&now).all(|(before, now)| before <= now), "lost");
        }
        let ending = begun.lock().unwrap();
        done.store(true, Ordering::Release);
        drop(ending);
        begins.notify_all();
    });
    let last: Vec<u64> = written.iter().map(|one| one.load(Ordering::Acquire)).collect();
    assert_eq!(values(&store), last);
    assert!(last.iter().all(|count| *count > 0) && looks.into_inner() > 0);
    drop(store);
    let kept = records(root.path());
    std::fs::remove_dir_all(root.path().join("views")).unwrap();
    drop(open(root.path(), &sizes).unwrap());
    same_records(&kept, &records(root.path()));
}

/// A store with a history in it, what it must say, and the records of its views.
fn recorded(root: &Path, sizes: &EngineOptions) -> (Fold, Vec<Record>) {
    let mut fold = Fold::default();
    let store = open(root, sizes).unwrap();
    play(&store, &mut fold, &one(seed(), 30));
    drop(store);
    let kept = records(root);
    (fold, kept)
}

#[test]
fn a_rebuild_that_is_killed_leaves_a_whole_generation() {
    let root = tempfile::tempdir().unwrap();
    let sizes = options(128, 256 << 20);
    let (fold, kept) = recorded(root.path(), &sizes);
    for round in 0..20 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chartlog"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHARTLOG_") {
                command.env_remove(name);
            }
        }
        command.current_dir(root.path()).args(["rebuild", "--data"]).arg(root.path());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        let store = open(root.path(), &sizes).unwrap();
        if round % 5 == 0 {
            compare(&store, &fold);
        }
        drop(store);
        same_records(&kept, &records(root.path()));
    }
}

#[test]
fn leftovers_of_other_generations_are_removed_and_a_lost_name_is_no_loss() {
    let root = tempfile::tempdir().unwrap();
    let sizes = options(3, 100_000);
    let (_, kept) = recorded(root.path(), &sizes);
    let views = root.path().join("views");
    for leave in [
        |views: &Path| std::fs::create_dir_all(views.join("9/keyspaces")).unwrap(),
        |views: &Path| std::fs::write(views.join("CURRENT"), "what?").unwrap(),
        |views: &Path| std::fs::remove_file(views.join("CURRENT")).unwrap(),
        |views: &Path| std::fs::write(views.join("CURRENT"), "77\n").unwrap(),
    ] {
        leave(&views);
        drop(open(root.path(), &sizes).unwrap());
        same_records(&kept, &records(root.path()));
    }
}

#[test]
fn writes_and_looks_go_on_while_a_rebuild_catches_up() {
    /// Longest wait for one of them.
    const PATIENCE: Duration = Duration::from_secs(20);
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &options(128, 256 << 20)).unwrap();
    (0..WRITERS).for_each(|writer| write_pair(&store, writer, 0));
    for number in 1..200 {
        write_pair(&store, 0, number);
    }
    let rounds = AtomicU64::new(0);
    // In the middle of each part of the rebuild that is told of, somebody writes and looks.
    store
        .engine()
        .rebuild(|_, _| {
            let round = rounds.fetch_add(1, Ordering::Relaxed);
            if round >= 3 {
                return;
            }
            let (store, (tell, done)) = (Arc::clone(&store), mpsc::channel());
            std::thread::spawn(move || {
                // Less in each round, or the rebuild would not catch up.
                for number in 0..200 - 40 * round {
                    write_pair(&store, 0, 1_000 * (round + 1) + number);
                }
                block_on(store.engine().record_access(entry(&store))).unwrap();
                tell.send(()).unwrap();
            });
            done.recv_timeout(PATIENCE).expect("a write or an access entry waits for the rebuild");
        })
        .unwrap();
    assert!(rounds.into_inner() > 3, "the rebuild has caught up several times");
    assert_eq!(values(&store)[0], 3_119);
}
