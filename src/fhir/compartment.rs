//! Whose chart a resource belongs to: the R4 Patient compartment (FHIR R4 §5.39.2,
//! `CompartmentDefinition/patient`).

use std::sync::{Arc, LazyLock};

use super::definitions;
use super::path::Item;
use super::search::{Parameters, SearchParameter};
use super::{Reference, ResourceId, ResourceType};
use crate::json::Node;

/// The patients in whose compartment a resource lies, each once.
///
/// A Patient lies in its own compartment first. Then come the patients of this server to whom the
/// resource refers through the parameters of the CompartmentDefinition, in their order. A Binary, which
/// no compartment names, lies in that of the patient who is its `securityContext` (FHIR R4 §2.40). None
/// means that the resource belongs to the directory.
#[must_use]
pub fn patients_of(
    kind: ResourceType,
    resource: Node<'_>,
    own_id: &ResourceId,
    base_url: Option<&str>,
) -> Vec<ResourceId> {
    let mut patients = Vec::new();
    if kind == ResourceType::PATIENT {
        patients.push(own_id.clone());
    }
    if kind == ResourceType::BINARY
        && let Some(context) = resource.get("securityContext")
    {
        add_patient(context, base_url, &mut patients);
    }
    for parameter in parameters(kind) {
        for item in parameter.expression.evaluate(resource) {
            if let Item::Node(reference) = item {
                add_patient(reference, base_url, &mut patients);
            }
        }
    }
    patients
}

/// The parameters whose references put a resource of the type into a patient's compartment.
fn parameters(kind: ResourceType) -> &'static [Arc<SearchParameter>] {
    static OF_TYPE: LazyLock<Vec<Vec<Arc<SearchParameter>>>> = LazyLock::new(|| {
        let codes =
            ResourceType::all().map(|kind| kind.code()).max().map_or(0..=0, |last| 0..=last);
        let standard = Parameters::standard();
        let of_type = codes.map(|code| {
            let kind = ResourceType::from_code(code)?;
            let names = definitions::compartment(ResourceType::PATIENT, kind)?;
            let named = names.iter().filter_map(|name| standard.named(kind, name));
            Some(named.map(Arc::clone).collect())
        });
        of_type.map(Option::unwrap_or_default).collect()
    });
    OF_TYPE.get(usize::from(kind.code())).map_or(&[], |parameters| parameters.as_slice())
}

/// Adds the patient of this server to whom a Reference leads, if it leads to one.
fn add_patient(reference: Node<'_>, base_url: Option<&str>, patients: &mut Vec<ResourceId>) {
    let Some(text) = reference.get_str("reference") else { return };
    if let Reference::Local { key, .. } = Reference::parse(&text, base_url)
        && key.kind == ResourceType::PATIENT
        && !patients.contains(&key.id)
    {
        patients.push(key.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn patients(kind: &str, rest: &str) -> Vec<String> {
        let document = Document::parse(format!(r#"{{"resourceType":"{kind}",{rest}}}"#)).unwrap();
        let kind = ResourceType::from_name(kind).unwrap();
        let own_id = ResourceId::parse("own").unwrap();
        let found = patients_of(kind, document.root(), &own_id, Some("http://here/fhir"));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_the_chart_of_each_resource() {
        let cases: [(&str, &str, &[&str]); 17] = [
            ("Patient", r#""active":true"#, &["own"]),
            ("Patient", r#""link":[{"other":{"reference":"Patient/2"}}]"#, &["own", "2"]),
            ("Patient", r#""link":[{"other":{"reference":"Patient/own"}}]"#, &["own"]),
            ("Observation", r#""subject":{"reference":"Patient/1"}"#, &["1"]),
            ("Observation", r#""subject":{"reference":"Patient/1/_history/4"}"#, &["1"]),
            ("Observation", r#""subject":{"reference":"http://here/fhir/Patient/1"}"#, &["1"]),
            ("Observation", r#""subject":{"reference":"http://there/fhir/Patient/1"}"#, &[]),
            ("Observation", r#""subject":{"reference":"Group/1"}"#, &[]),
            ("Observation", r#""subject":{"display":"Somebody"}"#, &[]),
            (
                "Observation",
                r#""performer":[{"reference":"Patient/2"},{"reference":"Practitioner/3"},
                   {"reference":"Patient/1"}],"subject":{"reference":"Patient/1"}"#,
                &["1", "2"],
            ),
            ("Encounter", r#""subject":{"reference":"Patient/1"}"#, &["1"]),
            ("Group", r#""member":[{"entity":{"reference":"Patient/1"}}]"#, &["1"]),
            ("Appointment", r#""participant":[{"actor":{"reference":"Patient/1"}}]"#, &["1"]),
            ("Task", r#""for":{"reference":"Patient/1"}"#, &[]),
            ("Practitioner", r#""active":true"#, &[]),
            ("Binary", r#""securityContext":{"reference":"Patient/1"}"#, &["1"]),
            ("Binary", r#""securityContext":{"reference":"DocumentReference/1"}"#, &[]),
        ];
        for (kind, rest, expected) in cases {
            assert_eq!(patients(kind, rest), expected, "{kind} {rest}");
        }
    }
}
