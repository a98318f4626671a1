//! `chartlog rebuild`: the views made anew from the logs, while no server has the store open.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::import::{counted, grouped};
use super::served::{engine_options, store};
use super::{Failure, operator, out};
use crate::clock::Instant;
use crate::config::Config;
use crate::engine::Rebuilt;

/// Rebuilds, and prints one line about it.
///
/// # Errors
///
/// [`Failure`]: no store there, a server has it open, or a log is damaged.
pub fn run(config: &Config) -> Result<(), Failure> {
    let store = store(config, &engine_options(config)?)?;
    operator::tell_notices(&store)?;
    let begun_at = Instant::now().micros();
    let bar = bar();
    let rebuilt = store.engine().rebuild(|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(Failure::failed)?;
    let words = format!("events={}&accesses={}", rebuilt.events, rebuilt.accesses);
    operator::record(&store, "rebuild", begun_at, words)?;
    out::tell(format_args!("{}\n", summary(&rebuilt)))
}

/// A bar that counts events; indicatif hides it unless stderr is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} events  {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn summary(rebuilt: &Rebuilt) -> String {
    let seconds = rebuilt.took.max(Duration::from_millis(1)).as_secs_f64();
    let rate = (rebuilt.events as f64 / seconds) as u64;
    let (events, accesses) =
        (counted(rebuilt.events, "event"), counted(rebuilt.accesses, "access entry"));
    format!("{events} and {accesses} in {seconds:.1} s, {} events/s", grouped(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_one_line() {
        let took = Duration::from_millis(2_500);
        let rebuilt = Rebuilt { events: 125_000, accesses: 7, took };
        let line = "125,000 events and 7 access entries in 2.5 s, 50,000 events/s";
        assert_eq!(summary(&rebuilt), line);
    }
}
