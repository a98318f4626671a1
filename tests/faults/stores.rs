//! Whole stores whose logs lie on a disk that loses power, with views that are newer, older or gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chartlog::engine::{EngineError, EngineOptions};
use chartlog::records::{Records, RecordsError, WriteResult};
use tempfile::TempDir;

use crate::charts::{compare, compare_accesses, entry, portrait};
use crate::clinic::{block_on, grant, options, write_of};
use crate::fold::Fold;
use crate::history::{Round, one};
use crate::random::Random;
use crate::simulated::{Fault, Plan, SimulatedDisk};

const SEGMENT_BYTES_MAX: u64 = 6_000;
/// Images of each power cut; one of them is where the next life begins.
const IMAGES_PER_CUT: u64 = 3;
/// Access entries that are recorded at the same time as the writes of a round.
const ENTRIES_PER_ROUND: u64 = 3;
/// Lives of one store.
const LIVES: u64 = 3;

pub fn sizes(disk: &SimulatedDisk) -> EngineOptions {
    EngineOptions { disk: disk.handle(), ..options(3, SEGMENT_BYTES_MAX) }
}

pub fn open(root: &Path, disk: &SimulatedDisk) -> Result<Arc<Records>, RecordsError> {
    crate::clinic::open(root, &sizes(disk))
}

/// What somebody knows about a store.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    pub fold: Fold,
    /// Requests whose access entries were acknowledged.
    pub accesses: HashSet<String>,
    /// Writes whose outcome is unknown.
    pub unknown: usize,
}

impl Truth {
    /// Sends the writes and access entries of a round at the same time. False: something was
    /// refused because of the disk.
    pub fn play(&mut self, store: &Arc<Records>, round: &Round, name: &str) -> bool {
        let version_of = |key: &str| self.fold.live_version(key);
        let writes = round.iter().map(|transaction| Arc::new(write_of(transaction, version_of)));
        let writes = writes.map(|write| {
            let store = Arc::clone(store);
            async move { store.write(&grant(), write).await }
        });
        let requests: Vec<String> =
            (0..ENTRIES_PER_ROUND).map(|at| format!("{name}-{at}")).collect();
        let entries: Vec<_> = requests.iter().map(|request| entry(request)).collect();
        let records = entries.into_iter().map(|entry| store.engine().record_access(entry));
        let both = async {
            let (writes, records) =
                (futures_util::future::join_all(writes), futures_util::future::join_all(records));
            futures_util::future::join(writes, records).await
        };
        let (answers, recorded) = block_on(both);
        let mut went_well = true;
        let mut committed: Vec<(u64, usize, WriteResult)> = Vec::new();
        for (at, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(written) => {
                    committed.extend(
                        written.events.map(|(first, _)| (first.get(), at, written.clone())),
                    );
                }
                Err(RecordsError::Precondition { .. }) => {}
                Err(error) => {
                    assert!(is_of_the_disk(&error), "{error}");
                    self.unknown +=
                        usize::from(matches!(error, RecordsError::Engine(EngineError::Unknown)));
                    went_well = false;
                }
            }
        }
        committed.sort_by_key(|(first, ..)| *first);
        for (_, at, written) in committed {
            self.fold.take(&round[at], &written);
        }
        for (request, recorded) in requests.into_iter().zip(recorded) {
            match recorded {
                Ok(()) => {
                    self.accesses.insert(request);
                }
                Err(error) => {
                    let error = RecordsError::from(error);
                    assert!(is_of_the_disk(&error), "{error}");
                    went_well = false;
                }
            }
        }
        went_well
    }

    /// Holds a store that was opened after a crash against what is known. True: it holds exactly
    /// what was acknowledged.
    pub fn check(&self, store: &Records) -> bool {
        let position = store.engine().applied_position().get();
        assert!(position >= self.fold.position, "events are lost");
        let exactly = position == self.fold.position;
        assert!(exactly || self.unknown > 0, "events that nobody wrote");
        compare(store, &self.fold, exactly);
        compare_accesses(store, &self.accesses);
        exactly
    }
}

fn is_of_the_disk(error: &RecordsError) -> bool {
    matches!(
        error,
        RecordsError::Engine(EngineError::Unknown)
            | RecordsError::Engine(EngineError::ReadOnly)
            | RecordsError::Engine(EngineError::Log(_))
    )
}

/// What becomes of the views at a power cut.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Deleted,
    /// They are as they were one life before.
    Older,
    Kept,
}

struct Life {
    root: TempDir,
    /// A copy of the views as they were when this life began.
    older: TempDir,
}

impl Life {
    fn views(&self) -> PathBuf {
        self.root.path().join("views")
    }

    /// A data directory for an image.
    fn copied(&self, fate: Fate) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let views = root.path().join("views");
        match fate {
            Fate::Deleted => {}
            Fate::Older => copy(self.older.path(), &views),
            Fate::Kept => copy(&self.views(), &views),
        }
        root
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    if !from.is_dir() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The lives of one store; how many images were tried.
fn chain(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut images = 0;
    let mut truth = Truth::default();
    let mut life = Life { root: tempfile::tempdir().unwrap(), older: tempfile::tempdir().unwrap() };
    let mut disk = SimulatedDisk::new(life.root.path(), random.next());
    for number in 0..LIVES {
        let at = if random.one_in(4) { random.below(30) } else { random.below(150) };
        disk.fail(Plan { at, fault: Fault::PowerCut, lasting: true, looks: false });
        if let Ok(store) = open(life.root.path(), &disk) {
            for (at, round) in one(random.next(), 25).iter().enumerate() {
                if !truth.play(&store, round, &format!("{number}-{at}")) {
                    break;
                }
            }
        }
        let mut next = None;
        for _ in 0..IMAGES_PER_CUT {
            images += 1;
            let fate = match random.below(4) {
                0 | 1 => Fate::Deleted,
                2 => Fate::Older,
                _ => Fate::Kept,
            };
            let copied = life.copied(fate);
            let image = disk.crash(random.next()).moved(life.root.path(), copied.path());
            let store = open(copied.path(), &image).unwrap();
            let exactly = truth.check(&store);
            if random.one_in(3) {
                let before = portrait(&store, &truth.fold);
                drop(store);
                std::fs::remove_dir_all(copied.path().join("views")).unwrap();
                let store = open(copied.path(), &image).unwrap();
                assert!(portrait(&store, &truth.fold) == before, "rebuilt views say otherwise");
            } else {
                drop(store);
            }
            if exactly {
                next = Some((copied, image));
            }
        }
        let Some((root, image)) = next else { return images };
        let older = tempfile::tempdir().unwrap();
        copy(&root.path().join("views"), older.path());
        truth.unknown = 0;
        (life, disk) = (Life { root, older }, image);
    }
    images
}

#[test]
fn whatever_a_power_cut_leaves_of_a_store_shows_what_was_acknowledged() {
    let seed = crate::random::seed();
    let (wanted, mut images, mut stores) = (crate::random::store_images(), 0, 0);
    while images < wanted {
        let one = seed.wrapping_add(stores);
        let tried = std::panic::catch_unwind(|| chain(one));
        images += tried.unwrap_or_else(|_| panic!("to repeat: CHARTLOG_FAULTS_SEED={one}"));
        stores += 1;
    }
    println!("stores: images tried {images}, violations 0 (stores {stores})");
}
