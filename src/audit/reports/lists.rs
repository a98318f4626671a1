//! The reports that list accesses one by one: those of a patient, with broken glass, and refused.

use super::kinds::{Counts, Kinds, counted};
use super::request::ReportRequest;
use super::table::{Cell, Column, column};
use super::{walk, words};
use crate::access::{AccessEntry, Outcome};
use crate::auth::Grant;
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};

/// Of a patient: EHDS article 9.
pub const OF_PATIENT: &[Column] = &[
    column("at", "When"),
    column("who", "Who"),
    column("subject", "User"),
    column("organization", "Organisation"),
    column("purpose", "Purpose"),
    column("what", "What of your chart"),
    column("outcome", "Outcome"),
    column("summary", "In plain words"),
    column("access", "Entry"),
];

pub const BREAK_GLASS: &[Column] = &[
    column("at", "When"),
    column("subject", "User"),
    column("name", "Name"),
    column("role", "Role"),
    column("organization", "Organisation"),
    column("client", "Application"),
    column("address", "From"),
    column("patients", "Patients"),
    column("purpose", "Purpose"),
    column("operation", "Operation"),
    column("outcome", "Outcome"),
    column("what", "What"),
    column("access", "Entry"),
];

pub const REFUSALS: &[Column] = &[
    column("at", "When"),
    column("subject", "User"),
    column("name", "Name"),
    column("organization", "Organisation"),
    column("client", "Application"),
    column("address", "From"),
    column("operation", "Operation"),
    column("patients", "Patients"),
    column("purpose", "Purpose"),
    column("status", "Status"),
    column("reason", "Reason"),
    column("access", "Entry"),
];

/// Who looked into a chart, when, at what, in plain words.
pub fn of_patient(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
    chart: StreamAlias,
) -> Result<Vec<Vec<Cell>>, RecordsError> {
    let mut rows = Vec::new();
    walk::each(records, grant, &request.filter(), |kinds, access| {
        let touch = kinds.touch(&access.entry, chart)?;
        let mut what = touch.shown.clone();
        add(&mut what, &touch.written);
        let entry = &access.entry;
        rows.push(vec![
            access.recorded_at.into(),
            words::who(entry).into(),
            subject(entry),
            organization(entry),
            words::purpose(entry.source.purpose.as_deref()).into(),
            words::categories(&what).into(),
            outcome(entry).into(),
            words::summary(entry, &touch).into(),
            access.id.to_string().into(),
        ]);
        Ok(())
    })?;
    Ok(rows)
}

/// Each time that the glass was broken.
pub fn break_glass(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<Vec<Vec<Cell>>, RecordsError> {
    let mut filter = request.filter();
    filter.break_glass = Some(true);
    let mut rows = Vec::new();
    walk::each(records, grant, &filter, |kinds, access| {
        let what = of_all_charts(kinds, &access.entry)?;
        let entry = &access.entry;
        let identity = entry.source.identity.as_ref();
        rows.push(vec![
            access.recorded_at.into(),
            subject(entry),
            identity.and_then(|who| who.name.clone()).into(),
            identity.and_then(|who| who.role.clone()).into(),
            organization(entry),
            identity.and_then(|who| who.client.clone()).into(),
            entry.source.address.clone().into(),
            patients(kinds, entry)?.into(),
            entry.source.purpose.clone().into(),
            (*entry.look.operation).into(),
            outcome(entry).into(),
            counted(&what).into(),
            access.id.to_string().into(),
        ]);
        Ok(())
    })?;
    Ok(rows)
}

/// Each request that was refused, whole or in part.
pub fn refusals(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<Vec<Vec<Cell>>, RecordsError> {
    let mut filter = request.filter();
    filter.outcome = Some(Outcome::Refused);
    let mut rows = Vec::new();
    walk::each(records, grant, &filter, |kinds, access| {
        let entry = &access.entry;
        let identity = entry.source.identity.as_ref();
        // Of a Bundle that was answered, the part says why.
        let of_refused = entry.looks().filter(|look| look.outcome == Outcome::Refused);
        let said = of_refused.filter(|look| look.reason.is_some()).last();
        let look = said.unwrap_or(&entry.look);
        rows.push(vec![
            access.recorded_at.into(),
            subject(entry),
            identity.and_then(|who| who.name.clone()).into(),
            organization(entry),
            identity.and_then(|who| who.client.clone()).into(),
            entry.source.address.clone().into(),
            (*look.operation).into(),
            patients(kinds, entry)?.into(),
            entry.source.purpose.clone().into(),
            u64::from(look.status).into(),
            look.reason.as_deref().into(),
            access.id.to_string().into(),
        ]);
        Ok(())
    })?;
    Ok(rows)
}

fn subject(entry: &AccessEntry) -> Cell {
    entry.source.identity.as_ref().map(|who| who.subject.clone()).into()
}

fn organization(entry: &AccessEntry) -> Cell {
    entry.source.identity.as_ref().and_then(|who| who.organization.clone()).into()
}

fn outcome(entry: &AccessEntry) -> &'static str {
    match entry.look.outcome {
        Outcome::Granted => "granted",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

/// The patients of an access in all its parts, but for those who were erased.
fn patients(kinds: &Kinds<'_>, entry: &AccessEntry) -> Result<Vec<String>, RecordsError> {
    let mut patients = Vec::new();
    for chart in entry.charts() {
        patients.extend(kinds.view().patient(chart)?.map(|patient| patient.to_string()));
    }
    patients.sort_unstable();
    Ok(patients)
}

/// What left, of whichever charts. What lies in several counts in each.
fn of_all_charts(kinds: &mut Kinds<'_>, entry: &AccessEntry) -> Result<Counts, RecordsError> {
    let mut all = Counts::new();
    for chart in entry.charts() {
        add(&mut all, &kinds.touch(entry, chart)?.shown);
    }
    Ok(all)
}

fn add(to: &mut Counts, more: &Counts) {
    for (kind, count) in more {
        *to.entry(kind).or_default() += count;
    }
}
