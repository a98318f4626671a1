//! The simulated disk itself: what it must keep and what it may lose.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chartlog::disk::{self, Disk as _};

use crate::content::PAGE;
use crate::simulated::{Fault, Plan, SimulatedDisk};

fn new() -> (SimulatedDisk, PathBuf) {
    (SimulatedDisk::new(Path::new("/data"), 1), PathBuf::from("/data/file"))
}

/// What images of a disk hold under a name: each once.
fn images(disk: &SimulatedDisk, path: &Path) -> BTreeSet<Option<Vec<u8>>> {
    (0..400).map(|seed| disk::read(&disk.crash(seed), path).ok()).collect()
}

#[test]
fn what_was_synced_is_in_every_image() {
    let (disk, path) = new();
    let file = disk.create(&path).unwrap();
    file.write_all_at(&[7; 3 * PAGE], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_directory(Path::new("/data")).unwrap();
    assert_eq!(images(&disk, &path), [Some(vec![7; 3 * PAGE])].into());
}

#[test]
fn names_contents_and_lengths_that_were_not_synced_are_lost_kept_and_torn() {
    let (disk, path) = new();
    let file = disk.create(&path).unwrap();
    assert_eq!(images(&disk, &path), [None, Some(Vec::new())].into());
    disk.sync_directory(Path::new("/data")).unwrap();
    file.write_all_at(&[7; 3 * PAGE], 0).unwrap();
    let seen = images(&disk, &path);
    assert!(seen.contains(&Some(Vec::new())), "nothing arrived");
    assert!(seen.contains(&Some(vec![7; 3 * PAGE])), "everything arrived");
    assert!(seen.contains(&Some(vec![0; 3 * PAGE])), "the length alone arrived");
    let torn = |bytes: &[u8]| bytes.chunks(PAGE).any(|page| page.contains(&0) && page.contains(&7));
    assert!(seen.iter().flatten().any(|bytes| torn(bytes)), "no page was torn");
    let later = |bytes: &[u8]| bytes.starts_with(&[0; PAGE]) && bytes.ends_with(&[7; PAGE]);
    assert!(seen.iter().flatten().any(|bytes| later(bytes)), "a later page arrived first");
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one() {
    let (disk, path) = new();
    disk::replace(&disk, &path, b"old").unwrap();
    for at in 0..5 {
        let crashing = disk.crash(0);
        crashing.fail(Plan { at, fault: Fault::PowerCut, lasting: true, looks: false });
        let done = disk::replace(&crashing, &path, b"new").is_ok();
        let seen = images(&crashing, &path);
        let allowed: BTreeSet<_> = [Some(b"old".to_vec()), Some(b"new".to_vec())].into();
        assert!(seen.is_subset(&allowed), "power cut at operation {at}: {seen:?}");
        assert!(!done || !seen.contains(&Some(b"old".to_vec())), "it was done");
    }
}

#[test]
fn a_failed_sync_may_leave_bytes_that_reads_show_and_a_power_cut_loses() {
    let mut kinds = BTreeSet::new();
    for seed in 0..60 {
        let disk = SimulatedDisk::new(Path::new("/data"), seed);
        let path = PathBuf::from("/data/file");
        let file = disk.create(&path).unwrap();
        disk.sync_directory(Path::new("/data")).unwrap();
        file.write_all_at(&[7; 10], 0).unwrap();
        disk.fail(Plan { at: 0, fault: Fault::Broken, lasting: false, looks: false });
        file.sync_data().unwrap_err();
        // The second one says that all is well.
        file.sync_data().unwrap();
        let shown = disk::read(&disk, &path).unwrap() == [7; 10];
        let kept = images(&disk, &path) == [Some(vec![7; 10])].into();
        kinds.insert((shown, kept));
    }
    assert_eq!(kinds, [(true, true), (true, false), (false, false)].into());
}
