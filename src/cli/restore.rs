//! `chartlog restore`: a data directory from a backup.

use super::import::counted;
use super::notices::Notice;
use super::{Failure, RestoreArguments, out, progress};
use crate::backup::{Restored, restore};
use crate::config::Config;
use crate::disk::RealDisk;

/// Restores, and prints what was done and what is to be done next.
///
/// # Errors
///
/// [`Failure`]: something is there already, or the backup is not whole.
pub fn run(config: &Config, arguments: &RestoreArguments) -> Result<(), Failure> {
    let data = &config.store.data;
    let bar = progress::bytes();
    let restored = restore(&RealDisk, &arguments.source, data, arguments.to, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let restored = restored.map_err(Failure::failed)?;
    let (events, accesses) = (restored.events, restored.accesses);
    let left_out = (restored.events_left_out, restored.accesses_left_out);
    let words = format!(
        "events={events}&accesses={accesses}&eventsLeftOut={}&accessesLeftOut={}",
        left_out.0, left_out.1
    );
    Notice::now("restore", words).leave(data).map_err(Failure::failed)?;
    out::tell(summary(&restored))?;
    if !has_keys(&data.join("vault")) {
        out::tell(format_args!(
            "It cannot be opened without its keys. Next: chartlog vault import FILE --data {} \
             --private-key KEY.pem\n",
            data.display()
        ))?;
    }
    Ok(())
}

fn has_keys(vault: &std::path::Path) -> bool {
    let names = vault.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with("epoch-"))
}

fn summary(restored: &Restored) -> String {
    let (events, accesses) =
        (counted(restored.events, "event"), counted(restored.accesses, "access entry"));
    let mut text = format!("{events} and {accesses} restored\n");
    match (&restored.new_origin, restored.signed) {
        (Some(origin), _) => {
            text.push_str(&format!(
                "{} and {} were left out. This is another history: \
                 its logs are called {origin} from now on, and checkpoints of the one before do not \
                 hold for it\n",
                counted(restored.events_left_out, "later event"),
                counted(restored.accesses_left_out, "later access entry")
            ));
        }
        (None, (0, 0)) => {}
        (None, (events, accesses)) => text.push_str(&format!(
            "The checkpoints hold for the first {} and the first {}\n",
            counted(events, "event"),
            counted(accesses, "access entry")
        )),
    }
    text
}
