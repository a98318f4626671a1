//! The walk over the entries and commits that a report is made of, and its end.

use super::super::filter::{AccessFilter, Wanted};
use super::super::reader::{EntryReader, Found};
use super::super::walk::{Step, Walk};
use super::super::{AccessId, Sort};
use super::kinds::Kinds;
use crate::auth::Grant;
use crate::engine::EngineError;
use crate::fhir::check::{IssueCode, Problem};
use crate::records::{Records, RecordsError};
use crate::view::ViewError;

/// Entries that a report looks at: what it says of them is held in memory.
const ENTRIES_MAX: usize = 50_000;

/// Shows every entry and commit that meets a filter, oldest first.
///
/// # Errors
///
/// As [`super::super::accesses`]; [`RecordsError::Invalid`] if there are too many for one report.
pub fn each<'a>(
    records: &'a Records,
    grant: &'a Grant,
    filter: &AccessFilter,
    mut see: impl FnMut(&mut Kinds<'a>, Found) -> Result<(), RecordsError>,
) -> Result<(), RecordsError> {
    let mut kinds = Kinds::new(records, grant);
    let view = records.view();
    let wanted = Wanted::new(records, &view, grant, filter)?;
    let reader = EntryReader::new(records, &view);
    let mut walk = Walk::new(&reader, &wanted, Sort::Oldest, None, None)?;
    let mut count = 0;
    let mut step = || -> Result<bool, RecordsError> {
        grant.budget().read(1)?;
        match walk.next()? {
            Step::End => return Ok(false),
            // A walk is as long as a page may be.
            Step::Stopped(id) => {
                walk = Walk::new(&reader, &wanted, Sort::Oldest, Some(id), None)?;
            }
            Step::Found(_) if count == ENTRIES_MAX => return Err(too_much()),
            Step::Found(mut found) => {
                count += 1;
                if let AccessId::Commit(_) = found.id {
                    // The whole says the same.
                    found.entry.parts.clear();
                }
                see(&mut kinds, *found)?;
            }
        }
        Ok(true)
    };
    loop {
        match step() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(RecordsError::Engine(EngineError::View(ViewError::Costly))) => {
                return Err(too_much());
            }
            Err(error) => return Err(error),
        }
    }
}

fn too_much() -> RecordsError {
    let diagnostics = format!(
        "this report would look at more than {ENTRIES_MAX} access entries, or take longer than one \
         request may: narrow the period with since and until, or name a patient or an actor, and ask \
         for one part after the other"
    );
    let (code, expression) = (IssueCode::TooCostly, "since".to_owned());
    RecordsError::Invalid(vec![Problem { code, expression, diagnostics }])
}
