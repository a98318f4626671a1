//! What of a chart its reader may be shown: the chart at all, a resource in it, an event of it.

use std::cell::LazyCell;

use super::{Records, RecordsError, Resource};
use crate::auth::{Grant, Permission};
use crate::chart::Envelope;
use crate::fhir::search::Criterion;
use crate::fhir::{ResourceId, ResourceType};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::policies::Act;
use crate::view::{ChartRecord, Head, View};

/// What who looks into a chart does with each resource: they read, and find what they did not name.
pub(super) const LOOKED_INTO: [Permission; 2] = [Permission::Read, Permission::Search];

impl Records {
    /// The chart of a patient whom the caller may know of; notes that it was looked at.
    pub(super) fn open_chart(
        &self,
        grant: &Grant,
        patient: &ResourceId,
    ) -> Result<(View, ChartRecord), RecordsError> {
        for permission in LOOKED_INTO {
            grant.reach_chart(patient, permission)?;
        }
        let view = self.views.view();
        let record = view.chart(patient)?;
        let record = record.ok_or_else(|| self.unseen(&view, grant, patient))?;
        grant.saw_chart(record.alias());
        match self.is_hidden(&view, grant, patient, record.alias())? {
            true => Err(self.unseen(&view, grant, patient)),
            false => Ok((view, record)),
        }
    }

    /// Whether the rules hide that there is a chart.
    fn is_hidden(
        &self,
        view: &View,
        grant: &Grant,
        patient: &ResourceId,
        alias: StreamAlias,
    ) -> Result<bool, RecordsError> {
        let Some(asking) = grant.asking() else { return Ok(false) };
        for (permission, act) in LOOKED_INTO.into_iter().zip([Act::Read, Act::Search]) {
            let consents = grant.reaches_some_in(ResourceType::CONSENT, permission, patient);
            if !self.ground(view).may_look_into(asking, act, alias, consents)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The answer for a chart that is not there, or that the rules hide.
    fn unseen(&self, view: &View, grant: &Grant, patient: &ResourceId) -> RecordsError {
        // Of an erased chart nothing is left to ask the rules about.
        match grant.asking() {
            Some(_) => RecordsError::NotFound(format!("the chart of patient {patient}")),
            None => self.absent_chart(view, patient),
        }
    }

    /// Whether the caller may be told of an event of a chart: of one that brings a resource, if they may be shown that; of a
    /// deletion, if they may be shown all resources of the type.
    pub(super) fn may_tell(
        &self,
        view: &View,
        grant: &Grant,
        envelope: &Envelope,
        resource: &Option<Resource>,
        patient: &ResourceId,
        record: &ChartRecord,
    ) -> Result<bool, RecordsError> {
        let Some(key) = envelope.key() else { return Ok(true) };
        if may_show_all(grant, key.kind, patient) {
            return Ok(true);
        }
        match resource {
            Some(resource) => self.may_show(view, grant, resource, patient, record),
            None => Ok(false),
        }
    }

    /// Whether the caller may be shown a resource that lies in a patient's chart.
    pub(super) fn may_show(
        &self,
        view: &View,
        grant: &Grant,
        resource: &Resource,
        patient: &ResourceId,
        record: &ChartRecord,
    ) -> Result<bool, RecordsError> {
        let Resource { key, recorded_at, body, .. } = resource;
        // Read only if it matters what it says.
        let document = LazyCell::new(|| Document::parse(body.as_slice()).ok());
        let holds = |criterion: &Criterion| {
            document.as_ref().is_some_and(|document| {
                let holds = criterion.holds_of(key, *recorded_at, document.root(), self.base_url());
                holds == Some(true)
            })
        };
        for permission in LOOKED_INTO {
            let Ok(rights) = grant.rights(key.kind, permission) else { return Ok(false) };
            if !rights.granted.admits(|own| own == patient, holds) {
                return Ok(false);
            }
            let Some(inquiry) = rights.rules else { continue };
            // What lies in other charts too is theirs as well.
            let mut charts = vec![record.alias()];
            let head = view.head(key)?;
            charts.extend(head.iter().flat_map(Head::aliases).filter(|one| *one != record.alias()));
            let stand = self.ground(view).stand(inquiry, key.kind, &charts)?;
            let permits =
                || document.as_ref().is_some_and(|document| stand.permits(key, document.root()));
            if !stand.decided().unwrap_or_else(permits) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether all resources of a type in a patient's chart may be shown to the caller, with all that is
/// known of them.
pub(super) fn may_show_all(grant: &Grant, kind: ResourceType, patient: &ResourceId) -> bool {
    LOOKED_INTO.into_iter().all(|permission| grant.reaches_in(kind, permission, patient))
}
