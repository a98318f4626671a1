//! What the server itself says about a position or a moment: its charts then, and the versions of what is in no chart.

use std::collections::BTreeMap;

use chartlog::clock::Instant;
use chartlog::feed::projection::Event;

use crate::harness::{Actor, Server};

/// Asks a server.
pub struct Told<'a> {
    server: &'a Server,
    actor: Actor,
    without: Option<&'a str>,
}

impl<'a> Told<'a> {
    pub fn by(server: &'a Server) -> Self {
        Self { server, actor: server.clinician(), without: None }
    }

    /// Without the chart of a patient.
    pub fn without(self, patient: &'a str) -> Self {
        Self { without: Some(patient), ..self }
    }

    /// What all resources say behind some events, which begin with the log. With a moment the charts are asked for as of then;
    /// otherwise, by their versions.
    pub fn at<T>(
        &self,
        events: &[Event],
        moment: Option<Instant>,
        read: impl Fn(&str, Option<&str>) -> Vec<T>,
    ) -> Vec<T> {
        let mut charts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut directory: BTreeMap<&str, &Event> = BTreeMap::new();
        for event in events {
            match (&event.patient, event.version, &event.resource) {
                (Some(patient), Some(version), _) => {
                    charts.insert(patient, version);
                }
                (None, _, Some(resource)) if event.chart.is_none() => {
                    directory.insert(resource, event);
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        for (patient, version) in charts {
            if self.without == Some(patient) {
                continue;
            }
            let query = match moment {
                Some(moment) => format!("?asOf={moment}"),
                None => format!("?version={version}"),
            };
            let chart = self.actor.chart(patient, &query);
            for resource in chart["resources"].as_array().unwrap() {
                found.extend(read(&resource.to_string(), Some(patient)));
            }
        }
        for (resource, event) in directory {
            if !event.event_type.ends_with(".removed") {
                let version = event.version_id.as_ref().unwrap();
                let target = format!("/fhir/{resource}/_history/{version}");
                let answer = self.server.clinician().get(&target).expect(200);
                found.extend(read(answer.text(), None));
            }
        }
        found
    }
}
