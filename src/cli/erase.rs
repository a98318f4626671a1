//! `chartlog erase`: a chart erased by an operator, while no server has the store open.

use super::arguments::EraseArguments;
use super::import::counted;
use super::served::{engine_options, store};
use super::{Failure, operator, out};
use crate::config::Config;
use crate::engine::{EngineOptions, PurgeWindow};
use crate::records::ErasureRequest;

/// Erases, and prints the certificate.
///
/// # Errors
///
/// [`Failure`]: no store there, a server has it open, no such chart, a legal hold.
pub fn run(config: &Config, arguments: &EraseArguments) -> Result<(), Failure> {
    let patient = arguments.patient.parse().map_err(Failure::usage)?;
    // Purging is this command's own affair, or the next server's.
    let options = EngineOptions { purge: PurgeWindow::Never, ..engine_options(config)? };
    let store = store(config, &options)?;
    let request = ErasureRequest {
        patient,
        reason: arguments.reason.clone(),
        basis: arguments.basis.clone(),
        dry_run: arguments.dry_run,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::failed)?;
    let erased = runtime
        .block_on(store.erase(&operator::grant("system/ChartErasure.c"), request))
        .map_err(Failure::failed)?;
    let (events, resources) = (erased.events, erased.resources);
    let (events, resources) = (counted(events, "event"), counted(resources, "resource"));
    out::note(format_args!("chart {}: {events}, {resources}", erased.chart));
    if erased.shared > 0 {
        let shared = erased.shared;
        out::note(format_args!("{shared} resources are at home in other charts and stay there"));
    }
    let Some(done) = erased.done else {
        out::note("nothing was erased: this was a dry run");
        return Ok(());
    };
    out::tell(&done.certificate)?;
    if arguments.purge_now {
        store.engine().purge().map_err(Failure::failed)?;
        let (_, purge) = store.engine().certificates(erased.chart).map_err(Failure::failed)?;
        out::tell(format_args!("\n{}", purge.unwrap_or_default()))?;
    }
    Ok(())
}
