//! Sinks: their settings, and what they deliver.

use std::fs;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::super::{Checkpoint, SignedCheckpoint, Sink, SinkHandle, Tiles};
use super::witness::{Request, Seen, serve, witness};
use super::{range, signer, tiles};
use crate::disk::RealDisk;

const ORIGIN: &str = "example.org/clinic/events";
const WAIT: Duration = Duration::from_secs(20);

fn signed(tiles: &Tiles) -> Arc<SignedCheckpoint> {
    Arc::new(Checkpoint::sign(&signer(ORIGIN), tiles.size(), tiles.root()).unwrap())
}

fn start(sink: &str, tiles: &Tiles) -> (SinkHandle, mpsc::Receiver<SignedCheckpoint>) {
    let sink: Sink = sink.parse().unwrap();
    let (sender, cosigned) = mpsc::channel();
    let tell = move |signed: &SignedCheckpoint| sender.send(signed.clone()).unwrap();
    (sink.start(RealDisk::handle(), tiles.reader(), tell).unwrap(), cosigned)
}

#[test]
fn settings_are_read_and_shown_without_what_may_be_secret() {
    let key = signer("witness.example/w1").verifier().to_string();
    let shown = |text: &str| text.parse::<Sink>().unwrap().to_string();
    assert_eq!(shown("folder:/mnt/worm"), "folder:/mnt/worm");
    assert_eq!(shown("webhook:https://hooks.example/secret?a=b"), "webhook:https://hooks.example");
    let witness = format!("witness:{key}@https://w.example:8443/secret/");
    assert_eq!(shown(&witness), "witness:witness.example/w1@https://w.example:8443");
    let debug = format!("{:?}", witness.parse::<Sink>().unwrap());
    assert!(!debug.contains("secret"), "{debug}");
    let wrong = [
        String::new(),
        "folder".to_owned(),
        "folder:here".to_owned(),
        "file:/a".to_owned(),
        "webhook:ftp://a".to_owned(),
        "webhook:https://".to_owned(),
        "webhook:https:///a".to_owned(),
        "webhook:https://a b".to_owned(),
        "webhook:https://user:secret@host/".to_owned(),
        "witness:https://w.example".to_owned(),
        format!("witness:{key}"),
        format!("witness:{key}x@https://w.example"),
    ];
    for text in wrong {
        let error = text.parse::<Sink>().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_folder_gets_a_file_for_each_size() {
    let directory = tempfile::tempdir().unwrap();
    let mut tiles = tiles(directory.path(), 5);
    let folder = directory.path().join("worm");
    fs::create_dir(&folder).unwrap();
    for size in [5, 9] {
        tiles.append(&range(tiles.size(), size)).unwrap();
        let (sink, _) = start(&format!("folder:{}", folder.display()), &tiles);
        sink.push(signed(&tiles));
        assert!(sink.finish(WAIT));
        let file = folder.join(format!("example.org_clinic_events-{size}.checkpoint"));
        assert_eq!(fs::read_to_string(file).unwrap(), signed(&tiles).note().to_string());
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[test]
fn a_webhook_gets_the_note_and_a_dead_one_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let tiles = tiles(directory.path(), 5);
    let (sender, requests) = mpsc::channel();
    let address = serve(move |request| {
        sender.send(request.clone()).unwrap();
        (204, String::new())
    });
    let (sink, _) = start(&format!("webhook:{address}/hooks/1"), &tiles);
    sink.push(signed(&tiles));
    let note = signed(&tiles).note().to_string();
    let expected = Request { path: "/hooks/1".to_owned(), body: note };
    assert_eq!(requests.recv_timeout(WAIT).unwrap(), expected);
    assert!(sink.finish(WAIT));

    for address in ["http://127.0.0.1:9/".to_owned(), serve(|_| (500, String::new()))] {
        let (dead, _) = start(&format!("webhook:{address}"), &tiles);
        for _ in 0..1000 {
            dead.push(signed(&tiles));
        }
        assert!(!dead.finish(WAIT), "{address}");
    }
}

#[test]
fn of_what_waits_only_the_newest_is_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let mut tiles = tiles(directory.path(), 1);
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let address = serve(move |request| {
        arrived.send(request.body.split('\n').nth(1).unwrap().to_owned()).unwrap();
        released.recv_timeout(WAIT).unwrap();
        (200, String::new())
    });
    let (sink, _) = start(&format!("webhook:{address}/"), &tiles);
    sink.push(signed(&tiles));
    assert_eq!(arrivals.recv_timeout(WAIT).unwrap(), "1");
    for size in 2..=9 {
        tiles.append(&range(size - 1, size)).unwrap();
        sink.push(signed(&tiles));
    }
    release.send(()).unwrap();
    assert_eq!(arrivals.recv_timeout(WAIT).unwrap(), "9");
    release.send(()).unwrap();
    assert!(sink.finish(WAIT));
    assert!(arrivals.try_recv().is_err());
}

#[test]
fn a_witness_cosigns_and_is_followed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut tiles = tiles(directory.path(), 300);
    let own = signer(ORIGIN);
    let (address, witness, seen) = witness(own.verifier().clone());
    let setting = format!("witness:{witness}@{address}/prefix/");
    let deliver =
        |sink: &SinkHandle, cosigned: &mpsc::Receiver<SignedCheckpoint>, tiles: &Tiles| {
            sink.push(signed(tiles));
            let got = cosigned.recv_timeout(WAIT).unwrap();
            assert_eq!(got.note().text(), signed(tiles).note().text());
            assert_eq!(got.note().signatures().len(), 2);
            got.note().verify(&witness).unwrap();
            got.note().verify(own.verifier()).unwrap();
        };
    let (sink, cosigned) = start(&setting, &tiles);
    deliver(&sink, &cosigned, &tiles);
    tiles.append(&range(300, 700)).unwrap();
    deliver(&sink, &cosigned, &tiles);
    assert_eq!(answers(&seen), [200, 200]);
    drop(sink);
    // A new process does not know what the witness has seen, asks, and is told.
    tiles.append(&range(700, 701)).unwrap();
    let (sink, cosigned) = start(&setting, &tiles);
    deliver(&sink, &cosigned, &tiles);
    assert_eq!(answers(&seen), [409, 200]);
    assert!(sink.finish(WAIT));
    // A log with another past is refused, and no signature comes back.
    let other = tempfile::tempdir().unwrap();
    let (mut rewritten, _) = Tiles::open(RealDisk::handle(), other.path(), 0).unwrap();
    rewritten.append(&range(1, 900)).unwrap();
    let (sink, cosigned) = start(&setting, &rewritten);
    sink.push(signed(&rewritten));
    assert!(!sink.finish(WAIT));
    assert_eq!(answers(&seen), [409, 422]);
    assert!(cosigned.try_recv().is_err());
    // So is one that is shorter than what it has seen.
    let (shorter, _) = start(&setting, &super::tiles(other.path(), 10));
    shorter.push(signed(&super::tiles(other.path(), 10)));
    assert!(!shorter.finish(WAIT));
    assert_eq!(answers(&seen), [409]);
}

fn answers(seen: &std::sync::Mutex<Seen>) -> Vec<u16> {
    seen.lock().unwrap().answers.drain(..).collect()
}
