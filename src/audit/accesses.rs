//! Who looked at a chart or changed it, and who did so at all.

use std::sync::Arc;

use super::filter::{AccessFilter, Wanted, reach};
use super::known::NamedLook;
use super::reader::{EntryReader, Found};
use super::stretch::Stretch;
use super::walk::{Step, Walk};
use super::{AccessId, Sort};
use crate::access::AccessEntry;
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::records::{Records, RecordsError};

/// Resources of one entry that a page names; the entry by itself names all.
pub(super) const RESOURCES_MAX: usize = 20;

/// How much a page holds at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageMax<'a> {
    /// Entries.
    pub entries: usize,
    /// Resources of one entry that it names.
    pub resources: usize,
    /// Resources of all entries, but for those of the last.
    pub resources_in_all: usize,
    /// Only what lies in it.
    pub stretch: Option<&'a Stretch>,
}

impl PageMax<'_> {
    /// A page of a list.
    pub(super) fn of(entries: usize) -> Self {
        Self { entries, resources: RESOURCES_MAX, resources_in_all: usize::MAX, stretch: None }
    }
}

/// An access entry with its place in the log and the names behind its numbers; or a commit, as if it had left one.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it stands.
    pub id: AccessId,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What it says.
    pub entry: AccessEntry,
    /// Who asked, from where and why, as members of a JSON object.
    pub(super) source: Arc<str>,
    /// What it says about the request.
    pub look: NamedLook,
    /// What it says about the entries of a Bundle, in their order.
    pub parts: Vec<NamedLook>,
}

/// Entries that meet a filter, from where a page begins; and where the next page begins, if there may be one. A
/// commit is its own trace, and one of them.
///
/// # Errors
///
/// [`RecordsError::Denied`] without `AuditEvent.rs`; [`RecordsError::NotFound`] for no such chart or resource.
pub fn accesses(
    records: &Records,
    grant: &Grant,
    filter: &AccessFilter,
    sort: Sort,
    from: Option<AccessId>,
    limit: usize,
) -> Result<(Vec<Access>, Option<AccessId>), RecordsError> {
    let view = records.view();
    let reader = EntryReader::new(records, &view);
    let mut accesses = Vec::new();
    let take = |access| accesses.push(access);
    let next = page(&reader, grant, filter, sort, from, PageMax::of(limit), take)?;
    Ok((accesses, next))
}

/// As [`accesses`], with as much as a page of its own size holds, one by one.
pub(super) fn page(
    reader: &EntryReader<'_>,
    grant: &Grant,
    filter: &AccessFilter,
    sort: Sort,
    from: Option<AccessId>,
    most: PageMax<'_>,
    mut take: impl FnMut(Access),
) -> Result<Option<AccessId>, RecordsError> {
    let own = reach(grant, Permission::Read)?.cloned();
    let wanted = Wanted::new(reader.records, reader.view, grant, filter)?;
    let mut walk = Walk::new(reader, &wanted, sort, from, most.stretch)?;
    let (mut entries, mut resources) = (0, 0);
    loop {
        match walk.next()? {
            Step::End => return Ok(None),
            Step::Stopped(id) => return Ok(Some(id)),
            Step::Found(found) if entries == most.entries || resources > most.resources_in_all => {
                return Ok(Some(found.id));
            }
            Step::Found(found) => {
                let access = access_of(reader, *found, own.as_ref(), most.resources)?;
                entries += 1;
                resources += access.resources();
                take(access);
            }
        }
    }
}

/// One entry, with all that it names.
///
/// # Errors
///
/// As [`accesses`].
pub fn access(records: &Records, grant: &Grant, id: AccessId) -> Result<Access, RecordsError> {
    let own = reach(grant, Permission::Read)?.cloned();
    let view = records.view();
    let mut reader = EntryReader::new(records, &view);
    let found = find(&mut reader, grant, own.as_ref(), id)?;
    access_of(&reader, found, own.as_ref(), usize::MAX)
}

/// The entry with that id, as far as it is for a patient to know of if it is for one; notes that it was looked at.
pub(super) fn find(
    reader: &mut EntryReader<'_>,
    grant: &Grant,
    own: Option<&ResourceId>,
    id: AccessId,
) -> Result<Found, RecordsError> {
    let missing = || RecordsError::NotFound(format!("access entry {id}"));
    let found = reader.found(id)?.ok_or_else(missing)?;
    let charts = found.entry.charts();
    if let Some(own) = own {
        let chart = reader.view.chart(own)?.map(|chart| chart.alias());
        if !chart.is_some_and(|alias| charts.contains(&alias)) {
            return Err(missing());
        }
    }
    charts.into_iter().for_each(|alias| grant.saw_chart(alias));
    Ok(found)
}

fn access_of(
    reader: &EntryReader<'_>,
    found: Found,
    own: Option<&ResourceId>,
    resources_max: usize,
) -> Result<Access, RecordsError> {
    let Found { id, recorded_at, mut entry } = found;
    if let AccessId::Commit(_) = id {
        // Its resources say the same.
        entry.parts.clear();
    }
    let named = |look| reader.named_for(look, own, resources_max);
    let look = named(&entry.look)?;
    let parts = entry.parts.iter().map(|part| named(&part.look)).collect::<Result<_, _>>()?;
    if own.is_some() {
        hide_token(&mut entry);
    }
    let source = reader.source(&entry.source);
    Ok(Access { id, recorded_at, source, entry, look, parts })
}

/// Takes out what is not for the patient: which token others had, and what it could do.
pub(super) fn hide_token(entry: &mut AccessEntry) {
    let mut source = (*entry.source).clone();
    if let Some(identity) = &mut source.identity {
        let identity = Arc::make_mut(identity);
        (identity.scopes, identity.token_id) = (None, None);
    }
    entry.source = source.into();
}

impl Access {
    /// How many resources it names.
    fn resources(&self) -> usize {
        std::iter::once(&self.look).chain(&self.parts).map(|look| look.shown.len()).sum()
    }
}
