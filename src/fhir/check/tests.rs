//! Tables of what passes and what is refused.

use proptest::prelude::*;

use super::*;
use crate::json::Document;

fn problems(text: &str, place: &str) -> Vec<(&'static str, String)> {
    let document = Document::parse(text).unwrap();
    let problems = check(None, document.root(), place).map_or_else(|problems| problems, |_| vec![]);
    problems.into_iter().map(|problem| (problem.code.as_str(), problem.expression)).collect()
}

/// A Patient with those members.
fn patient(members: &str) -> String {
    format!(r#"{{"resourceType":"Patient",{members}}}"#)
}

/// An Observation with what it must have, and those members.
fn observation(members: &str) -> String {
    format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},{members}}}"#)
}

#[track_caller]
fn passes(text: &str) {
    assert_eq!(problems(text, ""), [], "{text}");
}

#[track_caller]
fn refused(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(code, place)| (*code, (*place).to_owned())).collect();
    assert_eq!(problems(text, ""), expected, "{text}");
}

#[test]
fn says_type_and_id_of_what_is_right() {
    let cases = [
        (r#"{"resourceType":"Patient"}"#, None),
        (r#"{"resourceType":"Patient","id":"a-1.B","meta":{"tag":[{"code":"x"}]}}"#, Some("a-1.B")),
    ];
    for (text, id) in cases {
        let document = Document::parse(text).unwrap();
        let id = id.map(|id| ResourceId::parse(id).unwrap());
        let checked = Checked { kind: ResourceType::PATIENT, id };
        assert_eq!(check(None, document.root(), ""), Ok(checked.clone()));
        assert_eq!(check(Some(ResourceType::PATIENT), document.root(), ""), Ok(checked));
    }
}

#[test]
fn a_resource_is_an_object_that_names_its_type() {
    for text in ["[]", "null", "\"Patient\"", "7"] {
        refused(text, &[("structure", "Resource")]);
    }
    refused("{}", &[("required", "Resource")]);
    refused(r#"{"id":"1"}"#, &[("required", "Resource")]);
    refused(r#"{"resourceType":"Foo"}"#, &[("not-supported", "Resource.resourceType")]);
    refused(r#"{"resourceType":"Resource"}"#, &[("not-supported", "Resource.resourceType")]);
    refused(r#"{"resourceType":""}"#, &[("not-supported", "Resource.resourceType")]);
    refused(r#"{"resourceType":7}"#, &[("structure", "Resource.resourceType")]);
    let document = Document::parse(r#"{"resourceType":"Group"}"#).unwrap();
    let problems = check(Some(ResourceType::PATIENT), document.root(), "").unwrap_err();
    assert_eq!(problems.first().unwrap().expression, "Group.resourceType");
}

#[test]
fn elements_are_those_of_the_type() {
    refused(&patient(r#""foo":1"#), &[("structure", "Patient.foo")]);
    refused(&patient(r#""_foo":{"id":"x"}"#), &[("structure", "Patient._foo")]);
    refused(&patient(r#""name":[{"surname":"x"}]"#), &[("structure", "Patient.name[0].surname")]);
    refused(
        &patient(r#""name":[{"resourceType":"HumanName"}]"#),
        &[("structure", "Patient.name[0].resourceType")],
    );
    refused(&patient(r#""_name":[{"id":"x"}]"#), &[("structure", "Patient._name")]);
    refused(&patient(r#""a b`":"""#), &[("structure", "Patient.`a b\\``")]);
    passes(&patient(
        r#""contact":[{"name":{"family":"x"},"modifierExtension":[{"url":"u","valueCode":"v"}]}]"#,
    ));
    passes(
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[
        {"linkId":"2","type":"group","item":[{"linkId":"3","type":"display"}]}]}]}"#,
    );
}

#[test]
fn json_has_the_form_of_the_type() {
    refused(&patient(r#""id":7"#), &[("structure", "Patient.id")]);
    refused(&patient(r#""active":"true""#), &[("structure", "Patient.active")]);
    refused(&patient(r#""gender":{"code":"male"}"#), &[("structure", "Patient.gender")]);
    refused(&patient(r#""meta":"x""#), &[("structure", "Patient.meta")]);
    refused(&patient(r#""name":["x"]"#), &[("structure", "Patient.name[0]")]);
    refused(&patient(r#""id":"a_b""#), &[("value", "Patient.id")]);
    refused(&patient(r#""birthDate":"2023-02-29""#), &[("value", "Patient.birthDate")]);
    for nothing in ["null", "\"\"", "[]", "{}"] {
        refused(
            &patient(&format!(r#""name":[{{"text":"x"}},{{"family":{nothing}}}]"#)),
            &[("structure", "Patient.name[1].family")],
        );
    }
    refused(&patient(r#""name":[]"#), &[("structure", "Patient.name")]);
    refused(&patient(r#""name":[{}]"#), &[("structure", "Patient.name[0]")]);
    refused(&patient(r#""name":[["x"]]"#), &[("structure", "Patient.name[0]")]);
}

#[test]
fn cardinalities_hold() {
    refused(
        r#"{"resourceType":"Observation"}"#,
        &[("required", "Observation"), ("required", "Observation")],
    );
    refused(&patient(r#""link":[{"type":"refer"}]"#), &[("required", "Patient.link[0]")]);
    refused(&patient(r#""birthDate":["2024"]"#), &[("structure", "Patient.birthDate")]);
    refused(&patient(r#""name":{"family":"x"}"#), &[("structure", "Patient.name")]);
    refused(&patient(r#""name":[{"given":"x"}]"#), &[("structure", "Patient.name[0].given")]);
    // Why there is no value is said in an extension of it.
    passes(
        r#"{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueCode":"unknown"}]},"code":{"text":"x"}}"#,
    );
}

#[test]
fn a_choice_of_type_is_made_once() {
    passes(&patient(r#""deceasedBoolean":false"#));
    passes(&patient(r#""deceasedDateTime":"2024","_deceasedDateTime":{"id":"x"}"#));
    for two in [
        r#""deceasedBoolean":true,"deceasedDateTime":"2024""#,
        r#""deceasedBoolean":true,"_deceasedDateTime":{"extension":[{"url":"u","valueCode":"x"}]}"#,
        r#""_deceasedBoolean":{"extension":[{"url":"u","valueCode":"x"}]},"deceasedDateTime":"2024","_deceasedDateTime":{"id":"x"}"#,
    ] {
        refused(&patient(two), &[("structure", "Patient.deceased")]);
    }
    for wrong in [r#""deceased":true"#, r#""deceasedString":"x""#, r#""deceasedboolean":true"#] {
        assert_eq!(problems(&patient(wrong), "").len(), 1, "{wrong}");
    }
}

#[test]
fn values_and_their_siblings_are_aligned() {
    passes(&patient(
        r#""name":[{"given":["a",null],"_given":[{"id":"w"},{"extension":[{"url":"u","valueCode":"x"}]}]}],"_birthDate":{"id":"y","extension":[{"url":"u","valueCode":"x"}]}"#,
    ));
    refused(
        &patient(r#""name":[{"given":[null,"b"],"_given":[null,{"id":"x"}]}]"#),
        &[("structure", "Patient.name[0].given[0]"), ("structure", "Patient.name[0]._given[0]")],
    );
    refused(
        &patient(r#""name":[{"given":["a",""]}]"#),
        &[("structure", "Patient.name[0].given[1]")],
    );
    refused(
        &patient(r#""name":[{"given":["a"],"_given":{"id":"x"}}]"#),
        &[("structure", "Patient.name[0]._given")],
    );
    refused(&patient(r#""_birthDate":[{"id":"x"}]"#), &[("structure", "Patient._birthDate")]);
    refused(
        &patient(r#""_birthDate":{"value":"x"}"#),
        &[("structure", "Patient._birthDate.value")],
    );
    refused(&patient(r#""_birthDate":{}"#), &[("structure", "Patient._birthDate")]);
    // An id alone says nothing: ele-1.
    refused(&patient(r#""_birthDate":{"id":"x"}"#), &[("invariant", "Patient._birthDate")]);
    refused(
        &patient(r#""name":[{"given":["a",null],"_given":[null,{"id":"x"}]}]"#),
        &[("invariant", "Patient.name[0]._given[1]")],
    );
    refused(&patient(r#""name":[{"id":"x"}]"#), &[("invariant", "Patient.name[0]")]);
    refused(&patient(r#""_birthDate":null"#), &[("structure", "Patient._birthDate")]);
}

#[test]
fn codes_are_from_closed_value_sets() {
    refused(&patient(r#""gender":"Male""#), &[("code-invalid", "Patient.gender")]);
    refused(&patient(r#""name":[{"use":"x"}]"#), &[("code-invalid", "Patient.name[0].use")]);
    // Languages and media types are open.
    passes(&patient(r#""language":"de-AT","photo":[{"contentType":"image/x"}]"#));
    let condition = |concept: &str| {
        format!(
            r#"{{"resourceType":"Condition","subject":{{"display":"x"}},"clinicalStatus":{concept}}}"#
        )
    };
    let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    passes(&condition(&format!(
        r#"{{"coding":[{{"code":"x"}},{{"system":"{system}","code":"active"}}]}}"#
    )));
    passes(&condition(r#"{"text":"active"}"#));
    for coding in
        [r#"{"code":"active"}"#.to_owned(), format!(r#"{{"system":"{system}","code":"x"}}"#)]
    {
        let text = condition(&format!(r#"{{"coding":[{coding}]}}"#));
        refused(&text, &[("code-invalid", "Condition.clinicalStatus.coding")]);
    }
}

#[test]
fn extensions_have_a_url_and_a_value_or_extensions() {
    passes(&patient(
        r#""extension":[{"url":"u","valueString":"x"},{"url":"u","extension":[{"url":"v","_valueCode":{"extension":[{"url":"w","valueCode":"x"}]}}]}]"#,
    ));
    refused(
        &patient(r#""extension":[{"valueString":"x"}]"#),
        &[("required", "Patient.extension[0]")],
    );
    refused(&patient(r#""extension":[{"url":"u"}]"#), &[("invariant", "Patient.extension[0]")]);
    refused(
        &patient(
            r#""extension":[{"url":"u","valueCode":"x","extension":[{"url":"v","valueCode":"y"}]}]"#,
        ),
        &[("invariant", "Patient.extension[0]")],
    );
    refused(
        &patient(r#""extension":[{"url":"u","valueFoo":"x"}]"#),
        &[("structure", "Patient.extension[0].valueFoo")],
    );
}

#[test]
fn references_are_well_formed_and_lead_to_an_allowed_type() {
    for reference in [
        "Patient/1",
        "Patient/1/_history/2",
        "https://x.example/fhir/Patient/1",
        "https://x.example/other",
        "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
        "urn:oid:1.2.3",
        "Patient?identifier=a|b",
        "#",
    ] {
        passes(&observation(&format!(r#""subject":{{"reference":"{reference}"}}"#)));
    }
    passes(&observation(
        r##""contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}"##,
    ));
    passes(&observation(r#""subject":{"type":"Patient","identifier":{"value":"x"}}"#));
    for reference in
        ["Patient", "1", "Patient/a_b", "/Patient/1", "Foo/1", "urn:uuid:x", "urn:", "a b", "http:"]
    {
        let text = observation(&format!(r#""subject":{{"reference":"{reference}"}}"#));
        refused(&text, &[("value", "Observation.subject.reference")]);
    }
    for reference in ["Encounter/1", "https://x.example/fhir/Encounter/1", "Encounter?_id=1"] {
        let text = observation(&format!(r#""subject":{{"reference":"{reference}"}}"#));
        refused(&text, &[("value", "Observation.subject.reference")]);
    }
    refused(
        &observation(r#""subject":{"type":"Encounter","display":"x"}"#),
        &[("value", "Observation.subject.type")],
    );
    refused(
        &observation(r#""subject":{"type":"Group","reference":"Patient/1"}"#),
        &[("value", "Observation.subject")],
    );
}

#[test]
fn fragments_lead_to_contained_resources() {
    let contained = r#""contained":[{"resourceType":"Encounter","id":"e","status":"planned","class":{"code":"x"}}]"#;
    let with = |reference: &str| {
        observation(&format!(r##"{contained},"subject":{{"reference":"{reference}"}}"##))
    };
    let unlinked = ("invariant", "Observation.contained[0]");
    refused(&with("#x"), &[("invariant", "Observation.subject.reference"), unlinked]);
    refused(&with("Patient/e"), &[unlinked]);
    refused(&with("#e"), &[("value", "Observation.subject.reference")]);
    refused(
        &observation(r##""subject":{"reference":"#p"}"##),
        &[("invariant", "Observation.subject.reference")],
    );
    // A contained resource that nothing leads to leads out, or is led to by a URI.
    for linked in [
        r##""contained":[{"resourceType":"Observation","status":"final","code":{"text":"x"},"focus":[{"reference":"#"}]}]"##,
        r##""contained":[{"resourceType":"Patient","id":"p"}],"extension":[{"url":"u","valueUri":"#p"}]"##,
        r##""contained":[{"resourceType":"Patient","id":"p"}],"extension":[{"url":"u","valueCanonical":"#p"}]"##,
        r##""contained":[{"resourceType":"Patient","id":"p","link":[{"type":"refer","other":{"reference":"#p"}}]}]"##,
    ] {
        passes(&observation(linked));
    }
    refused(
        &observation(
            r##""contained":[{"resourceType":"Patient","id":"p"}],"extension":[{"url":"u","valueString":"#p"}]"##,
        ),
        &[unlinked],
    );
    // Each resource of a Bundle has fragments of its own.
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{}}},{{"resource":{}}}]}}"#,
        observation(
            r##""contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}"##
        ),
        observation(r##""subject":{"reference":"#p"}"##),
    );
    refused(&bundle, &[("invariant", "Bundle.entry[1].resource.subject.reference")]);
}

#[test]
fn contained_resources_have_rules_of_their_own() {
    passes(&patient(
        r##""contained":[{"resourceType":"Organization","id":"o","name":"x"}],"managingOrganization":{"reference":"#o"}"##,
    ));
    let linked = |contained: &str| {
        patient(&format!(
            r##""contained":[{{"resourceType":"Organization","id":"o","name":"x",{contained}}}],"managingOrganization":{{"reference":"#o"}}"##
        ))
    };
    refused(
        &patient(
            r#""contained":[{"resourceType":"Foo"},{"id":"x"},"z",{"resourceType":"Organization","foo":1}]"#,
        ),
        &[
            ("not-supported", "Patient.contained[0].resourceType"),
            ("required", "Patient.contained[1]"),
            ("structure", "Patient.contained[2]"),
            ("structure", "Patient.contained[3].foo"),
        ],
    );
    refused(
        &linked(r#""contained":[{"resourceType":"Patient"}]"#),
        &[("invariant", "Patient.contained[0].contained")],
    );
    refused(
        &linked(r#""meta":{"versionId":"1","security":[{"code":"x"}]}"#),
        &[
            ("invariant", "Patient.contained[0].meta.versionId"),
            ("invariant", "Patient.contained[0].meta.security"),
        ],
    );
    refused(
        &patient(
            r##""contained":[{"resourceType":"Organization","id":"a","name":"x"},{"resourceType":"Patient","id":"a"}],"managingOrganization":{"reference":"#a"}"##,
        ),
        &[("invariant", "Patient.contained")],
    );
    refused(
        &patient(r#""contained":{"resourceType":"Group"}"#),
        &[("structure", "Patient.contained")],
    );
}

#[test]
fn narrative_does_nothing() {
    let narrative = |inner: &str| {
        patient(&format!(
            r#""text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>"}}"#
        ))
    };
    passes(&narrative("<p>x</p>"));
    refused(&narrative("<script>x</script>"), &[("value", "Patient.text.div")]);
    refused(&narrative("<p onclick='x'>x</p>"), &[("value", "Patient.text.div")]);
    refused(&patient(r#""text":{"status":"generated"}"#), &[("required", "Patient.text")]);
}

#[test]
fn says_what_would_be_right() {
    let text = r#"{"resourceType":"Patient","id":"a_b","Gender":"x","gender":"m","deceased":true,
        "_name":[],"link":[{"type":"refer"}],"active":null}"#;
    let document = Document::parse(text).unwrap();
    let problems = check(None, document.root(), "").unwrap_err();
    let messages: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "Patient.id: \"a_b\" is not of type id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'",
        "Patient.Gender: \"Gender\" is not an element of Patient: write \"gender\"",
        "Patient.gender: \"m\" is not one of male, female, other, unknown (value set administrative-gender)",
        "Patient.deceased: \"deceased\" is not an element of Patient: deceased is written deceasedBoolean or deceasedDateTime",
        "Patient._name: \"_name\" is not an element of Patient: only primitive values have a sibling whose name begins with '_'",
        "Patient.link[0]: other is missing: Patient.link must have one",
        "Patient.active: null is not allowed in FHIR: what has no value is left out",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn says_what_is_of_r4b() {
    let messages = |text: &str| {
        let document = Document::parse(text).unwrap();
        let problems = check(None, document.root(), "").unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let of_r4b = "it is of R4B (4.3), and this server takes R4 (4.0.1)";
    assert_eq!(
        messages(r#"{"resourceType":"PlanDefinition","status":"draft","subjectCanonical":"http://x","_subjectCanonical":{"id":"a"}}"#),
        ["subjectCanonical", "_subjectCanonical"].map(|name| format!(
            "PlanDefinition.{name}: \"{name}\" is not an element of PlanDefinition: {of_r4b}: say it as R4 does, or in an extension"
        ))
    );
    assert_eq!(
        messages(r#"{"resourceType":"NutritionProduct","status":"active"}"#),
        [format!(
            "Resource.resourceType: \"NutritionProduct\" is not a resource type of FHIR R4: {of_r4b}: say it as a type of R4, or as a Basic"
        )]
    );
}

#[test]
fn places_begin_with_the_place_of_the_resource() {
    let found = problems(r#"{"resourceType":"Patient","id":"a b"}"#, "Bundle.entry[3].resource");
    assert_eq!(found, [("value", "Bundle.entry[3].resource.id".to_owned())]);
}

#[test]
fn reports_no_more_than_the_limit() {
    let nulls = vec!["{}"; 1_000].join(",");
    let text = patient(&format!(r#""name":[{nulls}],"contained":[{nulls}]"#));
    assert_eq!(problems(&text, "").len(), PROBLEMS_MAX);
    let unknown: Vec<_> = (0..1_000).map(|number| format!(r#""x{number}":1"#)).collect();
    assert_eq!(problems(&patient(&unknown.join(",")), "").len(), PROBLEMS_MAX);
}

#[test]
fn the_deepest_document_is_walked() {
    let nested = |depth: usize| {
        let (open, close) = (r#""extension":[{"url":"u","#.repeat(depth), "}]".repeat(depth));
        Document::parse(patient(&format!(
            r#"{open}"extension":[{{"url":"u","valueCode":"x"}}]{close}"#
        )))
    };
    let deepest = nested(48).unwrap();
    assert!(nested(49).is_err());
    assert!(check(None, deepest.root(), "").is_ok());
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[1-9][0-9]{0,12}(\\.[0-9]{1,3})?",
        "\"(Patient|Foo|#a|é|<div>|Patient/1|2024-02-30|urn:uuid:| ){0,2}\"",
    ];
    let name = "(resourceType|id|_?given|name|contained|extension|url|value(String|Foo)?|text|div|\
         reference|type|subject|entry|resource|parameter|meta|coding|_birthDate)";
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(name, inner, 0..6).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(
        kind in "(Patient|Bundle|Parameters|Observation|Questionnaire)",
        members in prop::collection::btree_map(
            "(id|name|contained|extension|text|entry|parameter|subject|valueQuantity|_status|item)",
            any_json(),
            0..5,
        ),
    ) {
        let members = members.iter().map(|(name, value)| format!(",\"{name}\":{value}"));
        let text = format!(r#"{{"resourceType":"{kind}"{}}}"#, members.collect::<String>());
        let document = Document::parse(text).unwrap();
        let problems = check(None, document.root(), "").err().unwrap_or_default();
        prop_assert!(problems.len() <= PROBLEMS_MAX);
    }
}
