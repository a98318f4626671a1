//! How far a command is: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts bytes; indicatif hides it unless stderr is a terminal.
pub fn bytes() -> ProgressBar {
    bar("{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
}

/// A bar that counts events and access entries.
pub fn entries() -> ProgressBar {
    bar("{bar:30} {human_pos}/{human_len} entries  {eta} left")
}

/// A bar that counts frames of a log.
pub fn frames() -> ProgressBar {
    bar("{bar:30} {human_pos}/{human_len} frames  {eta} left")
}

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A size for people: `3.2 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
        }
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [999, 1_000, 2_345_678, 12_000_000_000].map(megabytes);
        assert_eq!(sizes, ["999 bytes", "1.0 kB", "2.3 MB", "12.0 GB"]);
    }
}
