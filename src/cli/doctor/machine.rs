//! What the system gives: space, a file system, files, a clock that is set.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::cli::progress::megabytes;
use crate::config::Config;

const SPACE: &str = "free space";
const FILE_SYSTEM: &str = "file system";
const FILES: &str = "open files";
const CLOCK: &str = "clock";

/// Below this much free space a server is soon without: both logs and a rebuild need room.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Below this share of the file system, in percent, it is time to think of more.
const FREE_PERCENT_WARN: u64 = 10;
/// Files that a server may need at once: connections, segments, tables of the views.
const FILES_MIN: u64 = 1_024;
const FILES_WARN: u64 = 4_096;

/// Examines the machine.
pub fn examine(config: &Config) -> Vec<Finding> {
    let place = existing(&config.store.data);
    vec![space(&place), file_system(&place), files(), clock()]
}

/// The directory itself, or the nearest above it that exists.
fn existing(path: &Path) -> PathBuf {
    let above = path.ancestors().find(|above| above.is_dir());
    above.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn space(place: &Path) -> Finding {
    let (free, all) = match rustix::fs::statvfs(place) {
        Ok(facts) => (facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize),
        Err(error) => {
            return Finding::warn(SPACE, format!("{}: {error}", place.display()), "look with `df`");
        }
    };
    let detail =
        format!("{} of {} are free at {}", megabytes(free), megabytes(all), place.display());
    let todo =
        "make room or a larger volume: a full disk makes the store read-only until the next start";
    if free < FREE_BYTES_MIN {
        Finding::fail(SPACE, detail, todo)
    } else if free / 100 < all / 10_000 * FREE_PERCENT_WARN {
        Finding::warn(SPACE, detail, todo)
    } else {
        Finding::ok(SPACE, detail)
    }
}

/// How far an fsync on a file system can be relied on.
enum Reliance {
    Safe,
    Elsewhere,
    Lost,
    Unfit,
}

/// File systems by the number that Linux gives them (`linux/magic.h`, and statfs(2)).
const KINDS: [(u64, &str, Reliance); 15] = [
    (0xEF53, "ext4", Reliance::Safe),
    (0x5846_5342, "xfs", Reliance::Safe),
    (0x9123_683E, "btrfs", Reliance::Safe),
    (0x2FC1_2FC1, "zfs", Reliance::Safe),
    (0xF2F5_2010, "f2fs", Reliance::Safe),
    (0xCA45_1A4E, "bcachefs", Reliance::Safe),
    (0x6969, "nfs", Reliance::Elsewhere),
    (0xFF53_4D42, "cifs", Reliance::Elsewhere),
    (0xFE53_4D42, "smb2", Reliance::Elsewhere),
    (0x00C3_6400, "ceph", Reliance::Elsewhere),
    (0x6573_5546, "fuse", Reliance::Elsewhere),
    (0x0102_1997, "9p", Reliance::Elsewhere),
    (0x0102_1994, "tmpfs", Reliance::Lost),
    (0x794C_7630, "overlayfs", Reliance::Lost),
    (0x4D44, "vfat", Reliance::Unfit),
];

fn file_system(place: &Path) -> Finding {
    let shown = place.display();
    let number = match rustix::fs::statfs(place) {
        // Of 32 bits, and on some machines with a sign.
        Ok(facts) => (facts.f_type as u64) & 0xFFFF_FFFF,
        Err(error) => {
            return Finding::warn(FILE_SYSTEM, format!("{shown}: {error}"), "look with `df -T`");
        }
    };
    let Some((_, name, reliance)) = KINDS.iter().find(|(known, ..)| *known == number) else {
        return Finding::warn(
            FILE_SYSTEM,
            format!("{shown} is on one that is not known here ({number:#x})"),
            "see that it keeps fsync and has modes for files; ext4 and xfs are known to",
        );
    };
    let detail = format!("{shown} is on {name}");
    match reliance {
        Reliance::Safe => Finding::ok(FILE_SYSTEM, detail),
        Reliance::Elsewhere => Finding::warn(
            FILE_SYSTEM,
            format!(
                "{detail}, which keeps files elsewhere: an fsync is worth what the other side makes of it, and locks too"
            ),
            "put the data directory on a local ext4 or xfs, or a block device of the network",
        ),
        Reliance::Lost => Finding::warn(
            FILE_SYSTEM,
            format!("{detail}, which goes with the machine or the container"),
            "mount a volume there",
        ),
        Reliance::Unfit => Finding::fail(
            FILE_SYSTEM,
            format!("{detail}, which cannot close files to others"),
            "put the data directory on ext4 or xfs",
        ),
    }
}

fn files() -> Finding {
    let limit = getrlimit(Resource::Nofile).current;
    let todo = "raise it: LimitNOFILE=65536 in a unit, --ulimit nofile=65536 for a container";
    match limit {
        Some(limit) if limit < FILES_MIN => {
            Finding::fail(FILES, format!("at most {limit} at once"), todo)
        }
        Some(limit) if limit < FILES_WARN => {
            Finding::warn(FILES, format!("at most {limit} at once"), todo)
        }
        Some(limit) => Finding::ok(FILES, format!("at most {limit} at once")),
        None => Finding::ok(FILES, "no limit"),
    }
}

/// Whether something keeps the clock right; systemd tells.
fn clock() -> Finding {
    let mut asked = Command::new("timedatectl");
    asked.args(["show", "--property=NTPSynchronized", "--value"]);
    let told = asked.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let told = told.ok().filter(|told| told.status.success());
    match told.as_ref().map(|told| told.stdout.trim_ascii()) {
        Some(b"yes") => Finding::ok(CLOCK, "it is synchronized"),
        Some(b"no") => Finding::warn(
            CLOCK,
            "it is not synchronized",
            "run chrony or systemd-timesyncd: recordedAt is what others will rely on",
        ),
        _ => Finding::ok(CLOCK, "the system does not tell whether it is synchronized"),
    }
}
