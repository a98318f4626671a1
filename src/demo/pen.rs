//! What writes a chart: the patient's numbers, chance and ids, and the commit being written.
//!
//! In: bodies of resources. Out: ids that count up per type and patient, such as `p0007-obs-0412`,
//! and finished Bundles. Never: what the bodies say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::element::set;
use super::random::Random;
use super::transaction::Transaction;

pub struct Pen {
    pub random: Random,
    pub commit: Transaction,
    patient: String,
    counts: BTreeMap<&'static str, u32>,
}

impl Pen {
    pub fn new(patient: &str, random: Random) -> Self {
        Self {
            random,
            commit: Transaction::default(),
            patient: patient.to_owned(),
            counts: BTreeMap::new(),
        }
    }

    /// The next id for a resource of this type.
    pub fn next_id(&mut self, kind: &'static str) -> String {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        match kind {
            "Observation" => format!("{}-obs-{count:04}", self.patient),
            _ => format!("{}-{}-{count:02}", self.patient, short_name(kind)),
        }
    }

    /// Puts a new resource into the commit and returns its id.
    pub fn put(&mut self, kind: &'static str, body: Value) -> String {
        let id = self.next_id(kind);
        self.commit.put(kind, &id, body);
        id
    }

    /// Puts a new resource into the commit and returns it whole, to be amended one day.
    pub fn put_and_keep(&mut self, kind: &'static str, mut body: Value) -> Value {
        let id = self.next_id(kind);
        set(&mut body, "resourceType", json!(kind));
        set(&mut body, "id", json!(id));
        self.commit.put_again(body.clone());
        body
    }

    /// Ends the commit and begins the next. `timestamp` is a FHIR instant.
    pub fn finish(&mut self, timestamp: &str) -> Value {
        std::mem::take(&mut self.commit).finish(timestamp)
    }
}

fn short_name(kind: &str) -> &'static str {
    match kind {
        "AllergyIntolerance" => "alg",
        "CarePlan" => "plan",
        "CareTeam" => "team",
        "Condition" => "cond",
        "DiagnosticReport" => "rep",
        "DocumentReference" => "doc",
        "Encounter" => "enc",
        "Goal" => "goal",
        "Immunization" => "imm",
        "MedicationRequest" => "rx",
        "MedicationStatement" => "med",
        "Procedure" => "proc",
        _ => "res",
    }
}
