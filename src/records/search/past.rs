//! Searching a chart as it was: which chart a search is about, and what that held.

use super::{Candidates, SearchRequest};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::definitions::compartment;
use crate::fhir::search::Criterion;
use crate::fhir::{ResourceId, ResourceType};
use crate::records::RecordsError;
use crate::view::{ChartRecord, View};

/// The parameter that leads to patients only, and, where there is a compartment, to the patient whose
/// compartment it is: by the same element as one of the parameters of the CompartmentDefinition.
pub(super) const PATIENT: &str = "patient";

/// The patient in whose chart all matches of a search lie: named by the address, by a criterion on a
/// parameter of the patient compartment, or by the token.
///
/// # Errors
///
/// [`RecordsError::Invalid`]: there is none.
pub(super) fn patient_of(
    grant: &Grant,
    request: &SearchRequest,
) -> Result<ResourceId, RecordsError> {
    if let Some(patient) = &request.within {
        return Ok(patient.clone());
    }
    let mut patients = request.queries.iter().map(|(kind, query)| {
        let own = grant.rights(*kind, Permission::Search).ok();
        let own = own.and_then(|rights| rights.own_chart());
        let named = || query.criteria.iter().find_map(|criterion| named_by(*kind, criterion));
        own.cloned().or_else(named)
    });
    let first = patients.next().flatten();
    let first = first.filter(|first| patients.all(|patient| patient.as_ref() == Some(first)));
    first.ok_or_else(|| {
        RecordsError::Invalid(vec![Problem {
            code: IssueCode::NotSupported,
            expression: "_asOf".to_owned(),
            diagnostics:
                "a search as of a moment is within one chart: ask for Patient/[id]/[type], or name \
                          the patient, as in patient=[id]"
                    .to_owned(),
        }])
    })
}

fn named_by(kind: ResourceType, criterion: &Criterion) -> Option<ResourceId> {
    match criterion {
        Criterion::Ids(ids) if kind == ResourceType::PATIENT => match ids.as_slice() {
            [id] => Some(id.clone()),
            _ => None,
        },
        Criterion::Condition(condition) => {
            let parameter = condition.parameter();
            let names = compartment(ResourceType::PATIENT, kind)?;
            let is_patient = parameter.name == PATIENT && !names.is_empty();
            if !is_patient && !names.iter().any(|known| *known == parameter.name) {
                return None;
            }
            let mut targets = condition.targets();
            if is_patient {
                // Where it leads to anything else, it finds nothing.
                targets.retain(|target| target.kind == ResourceType::PATIENT);
            }
            match targets.as_slice() {
                [target] if target.kind == ResourceType::PATIENT => Some(target.id.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The numbers of the resources that a chart held at a moment, by type.
pub(super) fn candidates(
    view: &View,
    chart: &ChartRecord,
    moment: Instant,
) -> Result<Candidates, RecordsError> {
    let version = view.version_at(chart, moment)?;
    let manifest = view.manifest(chart.alias(), version)?;
    let mut candidates = Candidates::new();
    for entry in view.stream_of(chart.alias(), manifest.steps()) {
        let entry = entry?;
        if let Some((kind, number)) = entry.subject {
            candidates.entry(kind).or_default().insert(number);
        }
    }
    Ok(candidates)
}
