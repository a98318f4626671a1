//! Reports about accesses, for officers and for patients.
//!
//! In: which report, of whom, of what period ([`ReportRequest`]). Out: a table ([`Report`]), whatever is written of
//! it. They read through [`super::accesses`], page by page, up to a bound: what would be more is
//! refused, and the period is to be narrowed. Rights: as for the entries themselves, so a patient's own
//! token reads the two reports about that patient's chart.

mod activity;
mod disclosures;
mod facts;
mod kinds;
mod lists;
mod request;
mod table;
mod unusual;
mod walk;
mod words;

pub use request::{ReportKind, ReportRequest};
pub use table::{Cell, Column, Report};

use super::accesses::Access;
use super::filter::{allow_all, audited_chart};
use crate::auth::Grant;
use crate::fhir::ResourceId;
use crate::fhir::check::{IssueCode, Problem};
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};
use kinds::Kinds;

/// The report that is asked for.
///
/// # Errors
///
/// As [`super::accesses`]; [`RecordsError::Invalid`] if a patient has to be named, or if it would look at more
/// entries than one report may.
pub fn report(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<Report, RecordsError> {
    let kind = request.kind;
    let mut notes = Vec::new();
    let (columns, rows) = match kind {
        ReportKind::Disclosures => {
            let chart = chart(records, grant, request)?;
            let (rows, left_out) = disclosures::rows(records, grant, request, chart)?;
            notes.push(
                "What left this server of this chart, by recipient and purpose: the first and the last \
                 time, and how often (45 CFR 164.528(b)(3)). What left by other ways is not known here."
                    .to_owned(),
            );
            if left_out > 0 {
                notes.push(format!(
                    "Left out are {left_out} accesses for treatment, payment and health care operations, \
                     and those of the patient, which need not be accounted for (164.528(a)(1))."
                ));
            }
            (disclosures::COLUMNS, rows)
        }
        ReportKind::PatientAccess => {
            let chart = chart(records, grant, request)?;
            notes.push(
                "Everybody who saw something of your health data in this system, or tried to, with the time, \
                 the reason that was given, and the kinds of data."
                    .to_owned(),
            );
            (lists::OF_PATIENT, lists::of_patient(records, grant, request, chart)?)
        }
        ReportKind::UserActivity => {
            allow_all(grant)?;
            (activity::COLUMNS, activity::rows(records, grant, request)?)
        }
        ReportKind::BreakGlass => {
            allow_all(grant)?;
            (lists::BREAK_GLASS, lists::break_glass(records, grant, request)?)
        }
        ReportKind::Refusals => {
            allow_all(grant)?;
            (lists::REFUSALS, lists::refusals(records, grant, request)?)
        }
        ReportKind::Unusual => {
            allow_all(grant)?;
            notes.push(
                "Accesses of people, not of programs or of patients to their own chart, that a rule of the \
                 configuration calls unusual, held against the charts as they are now. What is unusual is not \
                 therefore wrong."
                    .to_owned(),
            );
            (unusual::COLUMNS, unusual::rows(records, grant, request)?)
        }
    };
    let (since, until) = request.period();
    let patient = request.patient.as_ref().map(ToString::to_string);
    let (name, title) = (kind.name(), kind.title());
    Ok(Report { name, title, notes, patient, since, until, columns, rows })
}

/// What entries about a patient's chart say in plain words, one sentence each.
///
/// # Errors
///
/// The view store's; the budget's.
pub fn summaries(
    records: &Records,
    grant: &Grant,
    patient: &ResourceId,
    accesses: &[Access],
) -> Result<Vec<String>, RecordsError> {
    let mut kinds = Kinds::new(records, grant);
    let chart = kinds.view().chart(patient)?.map_or(StreamAlias::NONE, |chart| chart.alias());
    let mut sentences = Vec::with_capacity(accesses.len());
    for access in accesses {
        let touch = kinds.touch(&access.entry, chart)?;
        sentences.push(words::summary(&access.entry, &touch));
    }
    Ok(sentences)
}

/// The chart that a report is about. Whether it may be read is decided when its entries are.
fn chart(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<StreamAlias, RecordsError> {
    let Some(patient) = &request.patient else {
        // Who may read no entries is not told what is missing.
        allow_all(grant)?;
        let diagnostics = "name the patient whose chart the report is about".to_owned();
        let (code, expression) = (IssueCode::Required, "patient".to_owned());
        return Err(RecordsError::Invalid(vec![Problem { code, expression, diagnostics }]));
    };
    Ok(audited_chart(records, &records.view(), grant, patient)?.alias())
}
