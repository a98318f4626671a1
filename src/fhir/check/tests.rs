//! Tables of what passes and what is refused.

use proptest::prelude::*;

use super::*;
use crate::json::Document;

fn problems(text: &str, place: &str) -> Vec<(&'static str, String)> {
    let document = Document::parse(text).unwrap();
    let expected = ResourceType::from_name("Patient");
    let problems =
        check(expected, document.root(), place).map_or_else(|problems| problems, |_| vec![]);
    problems.into_iter().map(|problem| (problem.code.as_str(), problem.expression)).collect()
}

#[test]
fn passes_what_is_right() {
    let cases = [
        (r#"{"resourceType":"Patient"}"#, None),
        (r#"{"resourceType":"Patient","id":"a-1.B","meta":{"tag":[{"code":"x"}]}}"#, Some("a-1.B")),
        (
            r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"x"}]}],
            "_birthDate":{"id":"y"},"active":false,"multipleBirthInteger":0,
            "contained":[{"resourceType":"Group","id":"g"}]}"#,
            None,
        ),
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
fn refuses_what_is_wrong_and_says_where() {
    let cases: [(&str, &[(&str, &str)]); 23] = [
        ("[]", &[("structure", "Resource")]),
        ("null", &[("structure", "Resource")]),
        ("\"Patient\"", &[("structure", "Resource")]),
        ("{}", &[("required", "Resource")]),
        (r#"{"id":"1"}"#, &[("required", "Resource")]),
        (r#"{"resourceType":"Foo"}"#, &[("not-supported", "Resource.resourceType")]),
        (r#"{"resourceType":""}"#, &[("structure", "Resource.resourceType")]),
        (r#"{"resourceType":7}"#, &[("structure", "Resource.resourceType")]),
        (r#"{"resourceType":"Group"}"#, &[("value", "Group.resourceType")]),
        (r#"{"resourceType":"Patient","id":7}"#, &[("structure", "Patient.id")]),
        (r#"{"resourceType":"Patient","id":"a_b"}"#, &[("value", "Patient.id")]),
        (r#"{"resourceType":"Patient","id":""}"#, &[("structure", "Patient.id")]),
        (r#"{"resourceType":"Patient","meta":[{"id":"x"}]}"#, &[("structure", "Patient.meta")]),
        (r#"{"resourceType":"Patient","active":null}"#, &[("structure", "Patient.active")]),
        (r#"{"resourceType":"Patient","name":[]}"#, &[("structure", "Patient.name")]),
        (r#"{"resourceType":"Patient","name":[{}]}"#, &[("structure", "Patient.name[0]")]),
        (
            r#"{"resourceType":"Patient","name":[{"id":"x"},{"given":["a",""],"family":""}]}"#,
            &[("structure", "Patient.name[1].given[1]"), ("structure", "Patient.name[1].family")],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null,"b"],"_given":[null,{"id":"x"}]}]}"#,
            &[
                ("structure", "Patient.name[0].given[0]"),
                ("structure", "Patient.name[0]._given[0]"),
            ],
        ),
        (r#"{"resourceType":"Patient","name":[["x"]]}"#, &[("structure", "Patient.name[0]")]),
        (
            r#"{"resourceType":"Patient","contained":[{"resourceType":"Foo"},{"id":"x y"},"z"]}"#,
            &[
                ("required", "Patient.contained[1]"),
                ("value", "Patient.contained[1].id"),
                ("structure", "Patient.contained[2]"),
                ("not-supported", "Patient.contained[0].resourceType"),
            ],
        ),
        (
            r#"{"resourceType":"Patient","contained":[{"resourceType":"Group","contained":[
            {"resourceType":"Group"}]}]}"#,
            &[("invariant", "Patient.contained[0].contained")],
        ),
        (
            r#"{"resourceType":"Patient","contained":{"resourceType":"Group"}}"#,
            &[("structure", "Patient.contained")],
        ),
        (r#"{"resourceType":"Patient","a b`":""}"#, &[("structure", "Patient.`a b\\\\``")]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> =
            expected.iter().map(|(code, place)| (*code, (*place).to_owned())).collect();
        assert_eq!(problems(text, ""), expected, "{text}");
    }
}

#[test]
fn says_what_would_be_right() {
    let document = Document::parse(r#"{"resourceType":"Group","id":"a_b","code":null}"#).unwrap();
    let problems = check(Some(ResourceType::PATIENT), document.root(), "").unwrap_err();
    let messages: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "Group.resourceType: expected a resource of type Patient, found Group",
        "Group.id: \"a_b\" is not an id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'",
        "Group.code: null is not allowed in FHIR: what has no value is left out",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn places_begin_with_the_place_of_the_resource() {
    let found = problems(r#"{"resourceType":"Patient","id":"a b"}"#, "Bundle.entry[3].resource");
    assert_eq!(found, [("value", "Bundle.entry[3].resource.id".to_owned())]);
}

#[test]
fn reports_no_more_than_the_limit() {
    let nulls = vec!["{}"; 1_000].join(",");
    let text = format!(r#"{{"resourceType":"Patient","name":[{nulls}],"contained":[{nulls}]}}"#);
    assert_eq!(problems(&text, "").len(), PROBLEMS_MAX);
}

proptest! {
    #[test]
    fn never_panics(text in r#"\{"resourceType":"Patient"(,"(id|contained|_given|given|é`)":(null|""|\[(null|\{\})?\]|\{\}|"x")){0,1}\}"#) {
        if let Ok(document) = Document::parse(text) {
            let _ = check(None, document.root(), "");
        }
    }
}
