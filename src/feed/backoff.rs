//! How long it is waited before something that failed is tried again.

use std::time::Duration;

/// The wait after the first failure.
const WAIT_MIN: Duration = Duration::from_millis(500);

/// The wait after so many failures in a row: doubles each time, up to the longest. Half of it is left to chance, so that
/// those who wait for the same do not come all at once.
pub fn wait(failures: u32, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let wait = WAIT_MIN.saturating_mul(doubled).min(longest);
    let mut random = [0];
    // Without chance it is all of it.
    let part = aws_lc_rs::rand::fill(&mut random).map_or(255, |()| u32::from(random[0]));
    wait / 2 + wait * part / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_half_of_them_is_chance() {
        let longest = Duration::from_secs(60);
        for (failures, whole_ms) in
            [(0, 500), (1, 500), (2, 1_000), (5, 8_000), (9, 60_000), (u32::MAX, 60_000)]
        {
            let whole = Duration::from_millis(whole_ms);
            let waits: Vec<_> = (0..100).map(|_| wait(failures, longest)).collect();
            assert!(
                waits.iter().all(|wait| (whole / 2..=whole).contains(wait)),
                "{failures}: {waits:?}"
            );
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
        }
    }
}
