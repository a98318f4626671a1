//! One event of the log, as those see it who follow it from outside.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::auth::Grant;
use crate::clock::Instant;
use crate::numbers::Position;
use crate::records::LogEvent;

/// One event of the log. `docs/feed.md` says more about what it says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number in the log.
    pub position: Position,
    /// When it was recorded.
    #[serde(deserialize_with = "instant")]
    pub recorded_at: Instant,
    /// Such as `Observation.amended` or `chart.moved-in`. Of what was erased with its chart: `chart.erased`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The random name of its chart, or of the chart that was erased; `None`: it is of no patient.
    pub chart: Option<String>,
    /// Whose chart that is, unless it was erased.
    pub patient: Option<String>,
    /// Its number in the chart.
    pub version: Option<u64>,
    /// The resource that it is about: `Type/id`.
    pub resource: Option<String>,
    /// The version of the resource from this event on.
    pub version_id: Option<String>,
    /// Why: of `chart.held` and `chart.released`.
    pub reason: Option<String>,
    /// The resource matched the criteria before this event, and no longer does.
    #[serde(default)]
    pub leaves: bool,
    /// The last event of a commit that this reader sees.
    pub ends_commit: bool,
    /// The text of the resource from this event on, if `include=resource` was asked for; `None`: the chart does not
    /// hold it any more, or the event is about none.
    pub body: Option<Box<RawValue>>,
}

impl Event {
    /// The resource from this event on, read into a type of the caller's; `None` as for `body`.
    ///
    /// # Errors
    ///
    /// It is not of that type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<Option<T>> {
        self.body.as_deref().map(|body| serde_json::from_str(body.get())).transpose()
    }

    /// Whether all that is known from this chart is to be forgotten.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.event_type == "chart.erased"
    }

    /// As the store tells it. Its body is noted in the grant.
    pub(super) fn of(event: LogEvent, grant: &Grant) -> serde_json::Result<Self> {
        let body = event.body.map(|body| {
            let text = String::from_utf8(body.bytes(grant)).map_err(serde_json::Error::custom)?;
            RawValue::from_string(text)
        });
        Ok(Self {
            position: event.position,
            recorded_at: event.recorded_at,
            event_type: event.event_type.to_string(),
            chart: event.chart.map(|chart| chart.to_string()),
            patient: event.patient.map(|patient| patient.to_string()),
            version: event.chart_version.map(|version| version.get()),
            version_id: event.resource.is_some().then(|| event.version.to_string()),
            resource: event.resource,
            reason: event.reason,
            leaves: event.leaves,
            ends_commit: event.ends_commit,
            body: body.transpose()?,
        })
    }
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let text = String::deserialize(deserializer)?;
    Instant::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not an instant")))
}
