//! Trains the compression dictionaries in `src/seal/dictionaries/` from what a data directory holds.
//!
//! `cargo run --release --example train_dictionaries -- DATA… OUT`, with the servers stopped. A
//! dictionary that was ever released stays as it is forever; a better one gets a new name and a new
//! line in `src/seal/dictionary.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use chartlog::chart::Payload;
use chartlog::disk::RealDisk;
use chartlog::log::{self, LogKind, StreamAlias};
use chartlog::numbers::Position;
use chartlog::seal::sample;
use chartlog::vault::{MasterKey, MasterKeySource, Vault, Wrap};

/// Bytes of the dictionary for one kind of payload, and for all that have none of their own.
const BYTES: usize = 32 << 10;
const GENERAL_BYTES: usize = 64 << 10;
/// Bytes of samples per byte of dictionary: more makes training slow, not better.
const SAMPLES: usize = 60;
/// Kinds with fewer samples share the general dictionary.
const SAMPLES_MIN: usize = 500;

fn main() {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let [directories @ .., out] = arguments.as_slice() else { panic!("DATA and OUT, please") };
    let mut samples: Samples = BTreeMap::new();
    for data in directories {
        collect_directory(data, &mut samples);
    }
    let mut general = Vec::new();
    for (name, mut texts) in samples {
        let is_frequent = texts.len() >= SAMPLES_MIN;
        thin(&mut texts, BYTES * SAMPLES);
        if !is_frequent {
            general.extend(texts);
            continue;
        }
        write(&out.join(format!("{name}-1.zdict")), &texts, BYTES);
        // A little of everything, for kinds that are not known yet.
        thin(&mut texts, GENERAL_BYTES * 4);
        general.extend(texts);
    }
    write(&out.join("general-1.zdict"), &general, GENERAL_BYTES);
}

type Samples = BTreeMap<String, Vec<Vec<u8>>>;

fn collect_directory(data: &Path, samples: &mut Samples) {
    let key = MasterKeySource::File(data.join("vault/master.key"));
    let (master, _) = MasterKey::load(&RealDisk, &key, |_| None, false).unwrap();
    let vault = Vault::open(RealDisk::handle(), &data.join("vault"), master, false, true).unwrap();
    let mut wraps: HashMap<StreamAlias, Wrap> = vault.wraps().unwrap().into_iter().collect();
    for (name, kind) in [("events", LogKind::Events), ("access", LogKind::Access)] {
        collect(&data.join("log").join(name), kind, &vault, &mut wraps, samples);
    }
}

fn collect(
    directory: &Path,
    kind: LogKind,
    vault: &Vault,
    wraps: &mut HashMap<StreamAlias, Wrap>,
    samples: &mut Samples,
) {
    let log = log::open(RealDisk::handle(), directory, kind, 1 << 28, 0).unwrap();
    for group in log.reader.scan(Position::new(0), log.writer.next_position()) {
        for (frame, _) in group.unwrap().frames {
            if let Some(wrap) = frame.content.wrap() {
                wraps.insert(frame.alias, Wrap::from_bytes(*wrap));
            }
            let owner = if kind == LogKind::Access { StreamAlias::ACCESS } else { frame.alias };
            let key = vault.key(owner, &wraps[&owner]).unwrap();
            let payload = key.open(frame.kind, frame.alias, frame.content).unwrap();
            let name = if kind == LogKind::Access {
                "access".to_owned()
            } else {
                Payload::decode(&payload).envelope().unwrap().event_type.subject
            };
            samples.entry(name).or_default().push(sample(&payload, key.owner()));
        }
    }
}

/// Leaves evenly spread samples of about that many bytes in all.
fn thin(texts: &mut Vec<Vec<u8>>, bytes: usize) {
    texts.retain(|text| text.len() < 40_000);
    let total: usize = texts.iter().map(Vec::len).sum();
    let step = (total / bytes).max(1);
    *texts = std::mem::take(texts).into_iter().step_by(step).collect();
}

fn write(path: &Path, samples: &[Vec<u8>], bytes: usize) {
    let dictionary = zstd::dict::from_samples(samples, bytes).expect("enough samples");
    println!("{}: {} samples, {} bytes", path.display(), samples.len(), dictionary.len());
    std::fs::write(path, dictionary).unwrap();
}
