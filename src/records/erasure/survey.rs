//! What an erasure would take away.

use std::collections::BTreeSet;

use super::{ErasureRequest, Records, RecordsError};
use crate::auth::Grant;
use crate::chart::Erasure;
use crate::fhir::{ResourceKey, ResourceType};
use crate::numbers::ChartVersion;
use crate::view::View;

impl Records {
    /// Looks through a chart for all resources that were ever at home in it.
    pub(super) fn survey(
        &self,
        view: &View,
        grant: &Grant,
        request: &ErasureRequest,
    ) -> Result<Erasure, RecordsError> {
        let patient = &request.patient;
        let chart = view.chart(patient)?;
        let chart = chart.ok_or_else(|| self.absent_chart(view, patient))?;
        let alias = chart.alias();
        grant.saw_chart(alias);
        if chart.held {
            let reason =
                format!("the chart of patient {patient} is under a legal hold; release it first");
            return Err(RecordsError::Conflict { place: String::new(), reason });
        }
        let mut seen = BTreeSet::new();
        for entry in view.stream(alias, ChartVersion::new(1), chart.version)? {
            let entry = entry?;
            if entry.resource_version.get() > 0 {
                let (envelope, _) = self.keys.read_event(view, entry.place)?;
                seen.extend(envelope.key());
            }
        }
        let tombstone = |key: &ResourceKey| self.keys.directory().tombstone(&key.to_string());
        let (mut resources, mut shared) = (0, 0);
        // In the order of their bytes, which says nothing.
        let mut tombstones = BTreeSet::new();
        tombstones.insert(tombstone(&ResourceKey::new(ResourceType::PATIENT, patient.clone())));
        for key in seen {
            let Some(head) = view.head(&key)? else { continue };
            match head.places.first() {
                Some(home) if home.alias() == alias => {
                    resources += 1;
                    tombstones.insert(tombstone(&key));
                }
                _ => shared += u64::from(head.places.iter().any(|place| place.alias() == alias)),
            }
        }
        Ok(Erasure {
            chart: alias,
            events: chart.version,
            reason: request.reason.trim().to_owned(),
            basis: request.basis.trim().to_owned(),
            resources,
            tombstones: tombstones.into_iter().collect(),
            shared,
        })
    }
}
