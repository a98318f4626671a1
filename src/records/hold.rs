//! Legal holds: a chart under one cannot be erased.

use std::sync::Arc;

use super::erasure::check_words;
use super::write::Unsealed;
use super::{Records, RecordsError};
use crate::auth::{Grant, Permission};
use crate::chart::{Envelope, EventKind, EventType};
use crate::clock::Instant;
use crate::engine::{Command, CommitError, Committed, EngineError, Expectation};
use crate::fhir::ResourceId;
use crate::numbers::{ChartVersion, Position};
use crate::view::ChartRecord;

/// The scope that holding (`c`) and releasing (`d`) take, by name.
pub const HOLD: &str = "ChartHold";

/// How often a hold is prepared again when the chart changes meanwhile.
const ATTEMPTS_MAX: usize = 100;

/// A chart after it was held or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Whether it is held.
    pub held: bool,
    /// Version of the chart.
    pub version: ChartVersion,
    /// When that was recorded.
    pub recorded_at: Instant,
    /// Position of the event; `None`: nothing was to be done.
    pub position: Option<Position>,
}

impl Records {
    /// Puts a chart under a legal hold, or lifts it. Doing so twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`], [`RecordsError::NotFound`], [`EngineError::Erased`],
    /// [`RecordsError::Invalid`] without a reason.
    pub async fn hold(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        patient: &ResourceId,
        held: bool,
        reason: &str,
    ) -> Result<Hold, RecordsError> {
        let permission = if held { Permission::Create } else { Permission::Delete };
        grant.may(HOLD, permission)?;
        check_words(&[("reason", reason)])?;
        let event_kind = if held { EventKind::Held } else { EventKind::Released };
        let happened = self.happen(grant, patient, |chart| {
            if chart.held == held {
                return None;
            }
            let event_type = EventType { subject: "chart".to_owned(), event_kind };
            let mut envelope = Envelope::new(event_type, grant.actor().clone());
            envelope.patient = Some(patient.to_string());
            envelope.reason = Some(reason.trim().to_owned());
            Some(Unsealed::without_body(chart.alias(), Some(patient.clone()), envelope))
        });
        let (chart, committed) = happened.await?;
        Ok(match committed {
            Some(committed) => Hold {
                held,
                version: chart.version.next(),
                recorded_at: committed.recorded_at,
                position: Some(committed.first_position),
            },
            None => {
                let (version, recorded_at) = (chart.version, chart.recorded_at);
                Hold { held, version, recorded_at, position: None }
            }
        })
    }

    /// Commits one event about a chart, if there is one to commit.
    async fn happen(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        draft: impl Fn(&ChartRecord) -> Option<Unsealed>,
    ) -> Result<(ChartRecord, Option<Committed>), RecordsError> {
        for _ in 0..ATTEMPTS_MAX {
            let (chart, event, generation) = {
                let view = self.views.view();
                let chart = view.chart(patient)?;
                let chart = chart.ok_or_else(|| self.absent_chart(&view, patient))?;
                grant.saw_chart(chart.alias());
                let Some(event) = draft(&chart) else {
                    grant.owes_entry();
                    return Ok((chart, None));
                };
                let event = event.seal(&*self.keys.of(&view, chart.alias())?)?;
                (chart, event, view.generation())
            };
            let unchanged = Expectation::ChartVersion(patient.clone(), chart.version);
            let (events, expectations) = (vec![event], vec![unchanged]);
            match self.engine.commit(Command { events, expectations, generation }).await {
                Ok(committed) => {
                    grant.committed();
                    return Ok((chart, Some(committed)));
                }
                Err(CommitError::Stale) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Busy.into())
    }
}
