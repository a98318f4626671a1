//! An event as the API tells it, and the line about it.

use anstyle::Style;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::page::{CAME, CHANGED, FAINT, NAME, WENT, plain, styled};
use crate::chart::Actor;

/// An event of the log or of a chart.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number in the log.
    pub position: u64,
    /// When it was recorded.
    pub recorded_at: String,
    /// Such as `Observation.amended`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The random name of its chart.
    pub chart: Option<String>,
    /// Whose chart that is.
    pub patient: Option<String>,
    /// Its number in the chart.
    pub version: Option<u64>,
    /// The resource that it is about.
    pub resource: Option<String>,
    /// The version of the resource from then on.
    pub version_id: Option<String>,
    /// Why: in events about a chart itself.
    pub reason: Option<String>,
    /// Who caused it.
    pub actor: Option<Actor>,
    /// The resource from then on.
    pub body: Option<Box<RawValue>>,
    /// What its frame commits to.
    pub payload: Option<String>,
}

impl Event {
    /// The style of what happened.
    pub fn style(&self) -> Style {
        let word = self.event_type.rsplit('.').next().unwrap_or_default();
        match word {
            "opened" | "recorded" | "restored" | "moved-in" => CAME,
            "retracted" | "removed" | "moved-out" | "erased" => WENT,
            _ => CHANGED,
        }
    }

    /// Who caused it, and for what.
    pub fn who(&self) -> String {
        let Some(actor) = &self.actor else { return String::new() };
        let purpose = actor.purpose.iter().map(|purpose| format!(" for {purpose}"));
        plain(&std::iter::once(actor.subject.clone()).chain(purpose).collect::<String>())
    }

    /// The resource and its version.
    pub fn what(&self) -> Option<String> {
        let resource = self.resource.as_deref()?;
        Some(match &self.version_id {
            Some(version) => format!("{resource} v{version}"),
            None => resource.to_owned(),
        })
    }

    /// The chart, and its number there; of an erased one its random name.
    pub fn place(&self) -> Option<String> {
        match (&self.patient, self.version, &self.chart) {
            (Some(patient), Some(version), _) => Some(format!("chart {patient} #{version}")),
            (None, None, Some(chart)) => Some(format!("chart {chart}")),
            _ => None,
        }
    }

    /// The line about it, with its end.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} {} {}",
            styled(FAINT, format!("{:>7}", self.position)),
            styled(FAINT, &self.recorded_at),
            styled(self.style(), format!("{:<28}", self.event_type)),
        );
        let what = self.what().map(|what| styled(NAME, what));
        let who = Some(self.who()).filter(|who| !who.is_empty()).map(|who| format!("by {who}"));
        let reason = self.reason.as_deref().map(|reason| format!("because: {}", plain(reason)));
        for part in
            [what, self.place().map(|place| plain(&place)), who, reason].into_iter().flatten()
        {
            line.push_str("  ");
            line.push_str(&part);
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str) -> String {
        let event: Event = serde_json::from_str(event).unwrap();
        anstream::adapter::strip_str(&event.line()).to_string()
    }

    #[test]
    fn a_line_says_what_is_known() {
        assert_eq!(
            line(
                r#"{"position":12,"recordedAt":"T","type":"Observation.amended","chart":"c","patient":"p1",
                    "version":5,"resource":"Observation/o1","versionId":"2","endsCommit":true,
                    "actor":{"subject":"dr-weiss","issuer":"i","request":"1-1","purpose":"TREAT"}}"#
            ),
            "     12 T Observation.amended           Observation/o1 v2  chart p1 #5  by dr-weiss for TREAT\n"
        );
        assert_eq!(
            line(
                r#"{"position":3,"recordedAt":"T","type":"chart.erased","chart":"c","endsCommit":true}"#
            ),
            "      3 T chart.erased                  chart c\n"
        );
        assert_eq!(
            line(
                r#"{"position":4,"recordedAt":"T","type":"chart.held","patient":"p","version":9,"reason":"a\u001bb",
                    "actor":{"subject":"officer","issuer":"i","request":"1-1"}}"#
            ),
            "      4 T chart.held                    chart p #9  by officer  because: a\\u{1b}b\n"
        );
    }
}
