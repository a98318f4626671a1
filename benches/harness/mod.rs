//! What the benchmarks share: a clinic as work, a store and a server to do it, and rounds in which
//! the thing measured and its reference take turns.
//!
//! Every figure is a ratio. Both sides run in the same process, on the same disk, one after the
//! other and again, so that what else the machine does falls on both; the median of the rounds
//! counts. Absolute figures are printed beside it, and hold for the machine of that run only.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod clinic;
pub mod load;
pub mod readers;
pub mod server;
pub mod store;

use std::path::Path;
use std::time::Duration;

/// The middle one of an odd number of figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A setting of the benchmarks: a number in the environment, or its default.
pub fn setting(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")),
        Err(_) => default,
    }
}

/// How many times each side takes its turn: odd, so that there is a middle one.
pub fn rounds() -> usize {
    setting("CHARTLOG_BENCH_ROUNDS", 5) | 1
}

/// How long one turn takes.
pub fn turn() -> Duration {
    Duration::from_millis(setting("CHARTLOG_BENCH_TURN_MS", 2_000) as u64)
}

/// Time for which the threads that are running now have been on a processor. Differences of it are
/// the work that was done for something, whoever else was using the processors meanwhile; threads
/// that have ended, such as the load generator's, are not in it. Linux only.
pub fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Bytes of memory that this process takes. Linux only.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4_096
}

/// Bytes of the access log, of the proofs and of the views of a store that nobody has open. The views are made anew
/// for it: what is written once and merged later would count twice.
pub fn bytes(root: &Path) -> [(&'static str, u64); 3] {
    store::open(root).engine().rebuild(|_, _| {}).expect("new views");
    ["log/access", "proof/access", "views"].map(|part| (part, size(&root.join(part))))
}

/// Prints how many bytes a store grew by for each of some access entries.
pub fn print_growth(before: [(&str, u64); 3], after: [(&str, u64); 3], entries: u64) {
    let mut sum = 0.0;
    for ((part, before), (_, after)) in before.into_iter().zip(after) {
        let each = (after as f64 - before as f64) / entries as f64;
        println!("  {part:<13} {each:>6.1} bytes for each entry");
        sum += each;
    }
    println!("  {:<13} {sum:>6.1}", "together");
}

/// Bytes of all files below a directory. The journals of the views, which have 64 MiB at most whatever is in the
/// store, do not count.
fn size(path: &Path) -> u64 {
    if path.extension().is_some_and(|extension| extension == "jnl") {
        return 0;
    }
    let Ok(entries) = path.read_dir() else { return path.metadata().map_or(0, |file| file.len()) };
    entries.map(|entry| size(&entry.expect("an entry").path())).sum()
}

/// Things per second.
pub fn per_second(things: u64, took: Duration) -> f64 {
    things as f64 / took.as_secs_f64()
}

/// A rate for people: `12,345`.
pub fn shown(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
