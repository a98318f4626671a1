//! What of an access entry or commit is an AuditEvent of its own.

use std::collections::HashSet;

use crate::access::{AccessEntry, Action, Look, Outcome};
use crate::audit::AccessId;
use crate::audit::commits::Commit;
use crate::audit::reader::{EntryReader, Found};
use crate::numbers::Position;
use crate::records::RecordsError;

/// The looks that are AuditEvents of their own, each with its number as a part; `None`: the request as a whole.
pub(super) fn units(
    reader: &EntryReader<'_>,
    found: &Found,
) -> Result<Vec<(Option<u32>, Look)>, RecordsError> {
    let Found { id, entry, .. } = found;
    if entry.parts.is_empty() && (entry.look.written.is_empty() || is_commit(*id)) {
        return Ok(vec![(None, entry.look.clone())]);
    }
    // In a transaction the whole says which events were written, and these say which entry wrote.
    let is_told_by_events = |look: &Look| {
        let writes = matches!(look.action(), Action::Create | Action::Update | Action::Delete);
        let tells = look.written.is_empty() && look.outcome == Outcome::Granted;
        writes && tells && !entry.look.written.is_empty()
    };
    let looks = entry.parts.iter().map(|part| &part.look);
    let mut looks: Vec<Look> = looks.filter(|look| !is_told_by_events(look)).cloned().collect();
    if !is_commit(*id) {
        for look in &mut looks {
            complete(reader, look)?;
        }
        looks.extend(rest(reader, entry)?);
    }
    let mut units: Vec<_> = (0..).zip(looks).map(|(number, look)| (Some(number), look)).collect();
    if entry.parts.is_empty() {
        // It saw something besides what it wrote.
        units.insert(0, (None, entry.look.clone()));
    }
    Ok(units)
}

fn is_commit(id: AccessId) -> bool {
    matches!(id, AccessId::Commit(_))
}

/// Adds what the events tell of an entry of a Bundle that wrote: which version, in whose charts.
fn complete(reader: &EntryReader<'_>, look: &mut Look) -> Result<(), RecordsError> {
    let Some(first) = look.written.positions().next() else { return Ok(()) };
    let commit = Commit::of(reader.records, reader.view, first)?;
    if let Some(told) = commit.and_then(|commit| commit.entry).map(|entry| entry.look) {
        // Events do not tell a patch from an update.
        if told.action() != look.action() {
            look.operation = told.operation;
        }
        look.shown = told.shown;
        look.charts.extend(told.charts);
        look.charts.sort_unstable();
        look.charts.dedup();
    }
    Ok(())
}

/// What a request wrote, besides what its parts tell.
fn rest(reader: &EntryReader<'_>, entry: &AccessEntry) -> Result<Vec<Look>, RecordsError> {
    let told = entry.parts.iter().flat_map(|part| part.look.written.positions());
    let told: HashSet<Position> = told.collect();
    let mut looks = Vec::new();
    let mut passed = Position::default();
    for position in entry.look.written.positions() {
        if position < passed || told.contains(&position) {
            continue;
        }
        let Some(commit) = Commit::of(reader.records, reader.view, position)? else { break };
        passed = commit.events.end;
        match commit.entry {
            Some(entry) if entry.parts.is_empty() => looks.push(entry.look),
            Some(entry) => looks.extend(entry.parts.into_iter().map(|part| part.look)),
            None => {}
        }
    }
    Ok(looks)
}
