//! The synthetic clinic as work: Bundles to be imported, and single resources.

use chartlog::demo::{self, DemoOptions};
use chartlog::fhir::ResourceType;
use serde_json::Value;

const SEED: u64 = 1;

/// A resource by itself, as JSON.
pub struct Sample {
    pub kind: ResourceType,
    /// Under which the clinic knows it.
    pub id: String,
    pub json: Vec<u8>,
}

/// The Bundles of a clinic with that many patients, in their order.
pub fn bundles(patients: usize) -> impl Iterator<Item = Value> {
    demo::clinic(&DemoOptions { seed: SEED, patients, today: demo::TODAY })
}

/// What the clinic puts, in the order in which it does.
pub fn samples(patients: usize) -> Vec<Sample> {
    let mut samples = Vec::new();
    for mut bundle in bundles(patients) {
        let Some(entries) = bundle["entry"].as_array_mut() else { continue };
        for entry in entries {
            let resource = entry["resource"].take();
            let Some(kind) = resource["resourceType"].as_str() else { continue };
            let kind = kind.parse().expect("the clinic holds R4 resources");
            let id = resource["id"].as_str().unwrap_or_default().to_owned();
            samples.push(Sample { kind, id, json: resource.to_string().into_bytes() });
        }
    }
    samples
}
