//! The seam of the engine: a second engine that is given nothing but the bytes of the first one's groups
//! has the same views, at every position.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use chartlog::engine::{Engine, EngineOptions};
use chartlog::log::SEGMENT_HEADER;
use chartlog::numbers::Position;
use chartlog::view::Comparison;

use crate::clinic::{open, options, send, write_of};
use crate::fold::Fold;
use crate::history::{history, runner, seed};

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Appends the groups from position `from` on to the event log in another data directory.
fn deliver(engine: &Engine, from: Position, to: &Path) -> usize {
    let reader = engine.keys().reader();
    let mut groups = 0;
    for group in engine.events().follow(from, engine.applied_position()) {
        let at = group.unwrap().location;
        let bytes = |from: u64, length: u64| {
            reader.stretch(at.segment, from, from + length).unwrap().expect("bytes of the log")
        };
        let path = to.join(format!("log/events/{:08}.seg", at.segment));
        let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
        file.write_all_at(&bytes(0, SEGMENT_HEADER as u64), 0).unwrap();
        let group = bytes(at.offset.into(), at.length.into());
        file.write_all_at(&group, at.offset.into()).unwrap();
        groups += 1;
    }
    groups
}

/// Opens the second engine, which projects what was delivered, and compares the views.
fn compare(engine: &Engine, second: &Path, options: &EngineOptions) -> u64 {
    let follower = open(second, options).unwrap();
    assert_eq!(follower.engine().applied_position(), engine.applied_position());
    let views = engine.views().serving();
    match views.compare(&follower.engine().views().serving()).unwrap() {
        Comparison::Same { records } => records,
        differs => panic!("at {}: {differs:?}", engine.applied_position()),
    }
}

#[test]
fn group_bytes_alone_lead_to_the_same_views_at_every_position() {
    let options = options(3, 20_000);
    let groups = Cell::new(0);
    let run = runner(seed(), 4).run(&history(6..14), |rounds| {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // The two share the vault from the start, and nothing but groups later.
        drop(open(first.path(), &options).unwrap());
        copy(first.path(), second.path());
        let store = open(first.path(), &options).unwrap();
        let mut fold = Fold::default();
        for transaction in rounds.iter().flatten() {
            let from = store.engine().applied_position();
            let write = write_of(transaction, |key| fold.live_version(key));
            for written in send(&store, vec![write]).into_iter().flatten() {
                fold.take(transaction, &written);
            }
            groups.set(groups.get() + deliver(store.engine(), from, second.path()));
            compare(store.engine(), second.path(), &options);
        }
        // And from nothing at all, in one go.
        fs::remove_dir_all(second.path().join("views")).unwrap();
        assert!(compare(store.engine(), second.path(), &options) > 10);
        Ok(())
    });
    run.unwrap();
    assert!(groups.get() > 20, "{groups:?} groups were delivered");
}
