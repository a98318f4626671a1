//! The charts that a request names, and what it says about them in words.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fhir::{ResourceId, parse_query};
use crate::log::StreamAlias;
use crate::records::Records;
use crate::seal::{CursorKey, SealingKey};
use crate::view::View;

/// Bound to the words that are sealed: nothing else passes for them.
const LABEL: &[u8] = b"chartlog words v1";
/// The ids of patients that are looked up for one request.
const NAMED_MAX: usize = 1_000;

/// The charts of patients whom a request names by id, in its path or in a parameter that refers to a
/// patient, whether it was understood and allowed or not.
#[must_use]
pub fn charts_named(records: &Records, words: &str) -> BTreeSet<StreamAlias> {
    let ids = patients_named(words);
    if ids.is_empty() {
        return BTreeSet::new();
    }
    let view = records.view();
    let chart = |id: &ResourceId| view.chart(id).ok().flatten().map(|chart| chart.alias());
    ids.iter().take(NAMED_MAX).filter_map(chart).collect()
}

/// The ids of patients in path and query.
fn patients_named(words: &str) -> BTreeSet<ResourceId> {
    let (path, query) = words.split_once('?').unwrap_or((words, ""));
    let segments: Vec<&str> = path.split('/').collect();
    let mut ids = BTreeSet::new();
    let mut add = |text: &str| ids.extend(text.parse::<ResourceId>());
    for pair in segments.windows(2) {
        if let ["Patient" | "patients", id] = pair {
            add(id);
        }
    }
    let is_of_patients = segments.contains(&"Patient");
    for (name, value) in parse_query(query).unwrap_or_default() {
        // A chain is about what its last parameter is of.
        let (before, last) =
            name.rsplit_once(['.', ':']).map_or(("", name.as_str()), |parts| parts);
        let is_patient = |name: &str| matches!(name, "patient" | "Patient");
        let is_id = match last {
            "_id" if before.is_empty() => is_of_patients,
            "_id" => {
                is_patient(before.rsplit(['.', ':']).next().unwrap_or_default())
                    || before.rsplit(['.', ':']).next() == Some("subject")
            }
            _ => is_patient(last) || (last == "not" && is_patient(before)),
        };
        for one in value.split([',', '$']) {
            match one.rsplit_once("Patient/") {
                Some((_, id)) => add(id.split('/').next().unwrap_or_default()),
                None if is_id => add(one),
                None => {}
            }
        }
    }
    ids
}

/// Seals words of a request under the keys of all charts that it was about: they can be read as long as none of
/// these is erased. `None`: one is already, or a library refused.
#[must_use]
pub fn seal_words(records: &Records, charts: &[StreamAlias], words: &str) -> Option<Vec<u8>> {
    joint_key(records, &records.view(), charts)?.seal(LABEL, words.as_bytes()).ok()
}

/// The words that were sealed so.
pub(super) fn open_words(key: &CursorKey, sealed: &[u8]) -> Option<String> {
    String::from_utf8(key.open(LABEL, sealed)?).ok()
}

/// The key of the words of requests about all of some charts; `None`: one of these was erased since.
pub(super) fn joint_key(
    records: &Records,
    view: &View,
    charts: &[StreamAlias],
) -> Option<CursorKey> {
    let keys = charts.iter().map(|alias| records.engine().keys().of(view, *alias).ok());
    let keys: Vec<Arc<SealingKey>> = keys.collect::<Option<_>>()?;
    SealingKey::joint(keys.iter().map(|key| &**key)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_named_in_paths_references_and_chains() {
        let named = |words: &str| -> Vec<String> {
            patients_named(words).iter().map(ToString::to_string).collect()
        };
        for (words, expected) in [
            ("/fhir/Patient/p1", &["p1"] as &[&str]),
            ("/fhir/Patient/p1/_history/3", &["p1"]),
            ("/v1/patients/p1/chart?asOf=x", &["p1"]),
            ("/fhir/Patient?_id=p1,p2&gender=male&_summary=count", &["p1", "p2"]),
            ("/fhir/Observation?_id=o1", &[]),
            ("/fhir/Observation?patient=p1&_count=5", &["p1"]),
            ("/fhir/Observation?subject=Patient/p1", &["p1"]),
            ("/fhir/Observation?subject=Patient/p1/_history/2", &["p1"]),
            ("/fhir/Observation?subject=http://x/fhir/Patient/p1&code=a$b", &["p1"]),
            ("/fhir/Observation?subject:Patient=p1", &["p1"]),
            ("/fhir/Encounter?subject:Patient._id=p1", &["p1"]),
            ("/fhir/Encounter?patient._id=p1", &["p1"]),
            ("/fhir/Encounter?patient.name=p1", &[]),
            ("/fhir/Observation?value-quantity=5", &[]),
        ] {
            assert_eq!(named(words), expected, "{words}");
        }
    }
}
