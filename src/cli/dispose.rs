//! `chartlog dispose`: access entries that were kept long enough are disposed of, while no server has the store
//! open.

use super::arguments::DisposeArguments;
use super::served::{engine_options, store};
use super::{Failure, operator, out};
use crate::audit::{self, Fate};
use crate::clock::Instant;
use crate::config::Config;

/// Disposes, and prints the statements; what becomes of each segment goes to stderr.
///
/// # Errors
///
/// [`Failure`]: no store there, a server has it open, no time is configured, or a log is damaged.
pub fn run(config: &Config, arguments: &DisposeArguments) -> Result<(), Failure> {
    let years = config.audit.retention_years;
    if years == 0 {
        let message =
            "access entries are kept for ever: set audit.retention_years to dispose of old ones";
        return Err(Failure::usage(message));
    }
    let store = store(config, &engine_options(config)?)?;
    operator::tell_notices(&store)?;
    let grant = operator::grant("system/Retention.rd");
    let now = Instant::now();
    for (segment, fate) in audit::retention(&store, &grant, years, now).map_err(Failure::failed)? {
        let fate = match fate {
            Fate::Kept => "kept".to_owned(),
            Fate::Held(patients) => {
                format!("held: it tells of {} charts under a legal hold", patients.len())
            }
            Fate::Due => "due".to_owned(),
            Fate::Disposed => "disposed of before".to_owned(),
        };
        let (since, until, number) = (segment.since, segment.until, segment.segment.number);
        out::note(format_args!(
            "segment {number:08} of the access log, {since} to {until}: {fate}"
        ));
    }
    if arguments.dry_run {
        out::note("nothing was disposed of: this was a dry run");
        return Ok(());
    }
    let statements = audit::dispose(&store, &grant, years, now).map_err(Failure::failed)?;
    let words = format!("years={years}&segments={}", statements.len());
    operator::record(&store, "dispose", now.micros(), words)?;
    out::tell(statements.join("\n"))
}
