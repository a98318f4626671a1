//! FHIRPath Patch: tables of what operations do, and patches that nobody would write.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::patched;

fn part(name: &str, member: &str, value: impl Into<Value>) -> Value {
    json!({ "name": name, member: value.into() })
}

fn operation(kind: &str, path: &str, parts: &[Value]) -> Value {
    let mut all = vec![part("type", "valueCode", kind), part("path", "valueString", path)];
    all.extend_from_slice(parts);
    json!({ "name": "operation", "part": all })
}

fn parameters(operations: &[Value]) -> String {
    json!({ "resourceType": "Parameters", "parameter": operations }).to_string()
}

fn add(path: &str, name: &str, value: Value) -> Value {
    operation("add", path, &[part("name", "valueString", name), value])
}

fn typed(member: &str, value: impl Into<Value>) -> Value {
    part("value", member, value)
}

fn insert(path: &str, index: i64, value: Value) -> Value {
    operation("insert", path, &[part("index", "valueInteger", index), value])
}

fn delete(path: &str) -> Value {
    operation("delete", path, &[])
}

fn replace(path: &str, value: Value) -> Value {
    operation("replace", path, &[value])
}

fn move_item(path: &str, source: i64, destination: i64) -> Value {
    let parts =
        [part("source", "valueInteger", source), part("destination", "valueInteger", destination)];
    operation("move", path, &parts)
}

/// The members of a patient, patched; without its type.
#[track_caller]
fn patient(members: &str, operations: &[Value]) -> Result<String, Vec<String>> {
    resource("Patient", members, operations)
}

fn resource(kind: &str, members: &str, operations: &[Value]) -> Result<String, Vec<String>> {
    let head = format!(r#"{{"resourceType":"{kind}","#);
    let before = format!("{head}{members}}}").replace(",}", "}");
    let after = patched(&before, &parameters(operations))?;
    let rest = after.strip_prefix(&head[..head.len() - 1]).expect("the type comes first");
    Ok(rest.trim_start_matches(',').trim_end_matches('}').to_owned() + &"}".repeat(closing(rest)))
}

/// Braces at the end, without the one of the resource.
fn closing(text: &str) -> usize {
    text.len() - text.trim_end_matches('}').len() - 1
}

#[test]
fn single_elements_are_added_replaced_and_deleted() {
    let married = || typed("valueCodeableConcept", json!({ "text": "married" }));
    let cases = [
        (r#""active":true"#, vec![], r#""active":true"#),
        (
            r#""birthDate":"1920""#,
            vec![replace("Patient.birthDate", typed("valueDate", "1930"))],
            r#""birthDate":"1930""#,
        ),
        (
            r#""active":true,"birthDate":"1920""#,
            vec![delete("Patient.birthDate")],
            r#""active":true"#,
        ),
        (r#""active":true"#, vec![delete("Patient.birthDate")], r#""active":true"#),
        (
            r#""active":true"#,
            vec![add("Patient", "birthDate", typed("valueDate", "1930"))],
            r#""active":true,"birthDate":"1930""#,
        ),
        (
            r#""active":true"#,
            vec![add("Patient", "maritalStatus", married())],
            r#""active":true,"maritalStatus":{"text":"married"}"#,
        ),
        (
            r#""maritalStatus":{"id":"1","text":"x"}"#,
            vec![replace("Patient.maritalStatus", married())],
            r#""maritalStatus":{"text":"married"}"#,
        ),
        // What nothing is left of goes, up to the resource.
        (
            r#""contact":[{"name":{"text":"a"},"gender":"male"}]"#,
            vec![delete("Patient.contact[0].name.text")],
            r#""contact":[{"gender":"male"}]"#,
        ),
        (
            r#""active":true,"contact":[{"name":{"text":"a"}}]"#,
            vec![delete("Patient.contact[0].name.text")],
            r#""active":true"#,
        ),
        (
            r#""contact":[{"name":{"text":"a"}}]"#,
            vec![
                replace("Patient.contact[0].name.text", typed("valueString", "b")),
                add("Patient.contact[0]", "gender", typed("valueCode", "male")),
            ],
            r#""contact":[{"name":{"text":"b"},"gender":"male"}]"#,
        ),
        (
            r#""text":{"status":"additional","div":"<div>a</div>"}"#,
            vec![replace("Patient.text.div", typed("valueString", "<div>b</div>"))],
            r#""text":{"status":"additional","div":"<div>b</div>"}"#,
        ),
        // Contained resources have types of their own.
        (
            r#""contained":[{"resourceType":"Organization","id":"o"}]"#,
            vec![add("Patient.contained[0]", "name", typed("valueString", "N"))],
            r#""contained":[{"resourceType":"Organization","id":"o","name":"N"}]"#,
        ),
    ];
    for (members, operations, expected) in cases {
        assert_eq!(patient(members, &operations), Ok(expected.to_owned()), "{operations:?}");
    }
}

#[test]
fn choices_stand_under_the_name_of_their_type() {
    let quantity = || typed("valueQuantity", json!({ "value": 1 }));
    let cases = [
        (
            r#""status":"final""#,
            vec![add("Observation", "value", quantity())],
            r#""status":"final","valueQuantity":{"value":1}"#,
        ),
        (
            r#""valueQuantity":{"value":2}"#,
            vec![replace("Observation.value", quantity())],
            r#""valueQuantity":{"value":1}"#,
        ),
        (
            r#""valueQuantity":{"value":2},"status":"final""#,
            vec![replace("Observation.value", typed("valueString", "x"))],
            r#""status":"final","valueString":"x""#,
        ),
        (
            r#""valueQuantity":{"value":2},"status":"final""#,
            vec![delete("Observation.value")],
            r#""status":"final""#,
        ),
        (
            r#""valueQuantity":{"value":2.50,"unit":"kg"}"#,
            vec![replace("(Observation.value as Quantity).unit", typed("valueString", "g"))],
            r#""valueQuantity":{"value":2.50,"unit":"g"}"#,
        ),
    ];
    for (members, operations, expected) in cases {
        let found = resource("Observation", members, &operations);
        assert_eq!(found, Ok(expected.to_owned()), "{operations:?}");
    }
}

#[test]
fn lists_are_inserted_into_moved_and_shortened() {
    let list = |names: &str| {
        let items: Vec<String> =
            names.chars().map(|name| format!(r#"{{"value":"{name}"}}"#)).collect();
        format!(r#""identifier":[{}]"#, items.join(","))
    };
    let named = |name: &str| typed("valueIdentifier", json!({ "value": name }));
    let path = "Patient.identifier";
    let cases = [
        ("ab", vec![add("Patient", "identifier", named("c"))], "abc"),
        ("ab", vec![insert(path, 2, named("c"))], "abc"),
        ("ab", vec![insert(path, 1, named("c"))], "acb"),
        ("ab", vec![insert(path, 0, named("c"))], "cab"),
        ("abc", vec![delete("Patient.identifier[0]")], "bc"),
        ("abc", vec![delete("Patient.identifier[1]")], "ac"),
        ("abc", vec![delete("Patient.identifier[2]")], "ab"),
        ("abc", vec![delete("Patient.identifier.where(value='b')")], "ac"),
        ("abc", vec![delete("Patient.identifier.first()")], "bc"),
        ("abc", vec![delete("Patient.identifier.last()")], "ab"),
        ("abc", vec![delete("Patient.identifier.skip(1).first()")], "ac"),
        ("abc", vec![delete("Patient.identifier.where(value > 'b')")], "ab"),
        ("abc", vec![replace("Patient.identifier.where($index = 2)", named("x"))], "abx"),
        ("abc", vec![replace("identifier.where(value.endsWith('b')).single()", named("x"))], "axc"),
        ("abc", vec![replace("Patient.identifier[1]", named("x"))], "axc"),
        ("abcd", vec![move_item(path, 3, 1)], "adbc"),
        ("abcd", vec![move_item(path, 3, 0)], "dabc"),
        ("abcd", vec![move_item(path, 3, 2)], "abdc"),
        ("abcd", vec![move_item(path, 0, 3)], "bcda"),
        ("abcd", vec![move_item(path, 2, 2)], "abcd"),
        ("abcd", vec![move_item(path, 1, 0), move_item(path, 2, 1), move_item(path, 3, 1)], "bdca"),
        (
            "ab",
            vec![
                replace("Patient.identifier[0].value", typed("valueString", "b")),
                replace("Patient.identifier[1].value", typed("valueString", "a")),
            ],
            "ba",
        ),
    ];
    for (before, operations, expected) in cases {
        assert_eq!(patient(&list(before), &operations), Ok(list(expected)), "{operations:?}");
    }
    let first = [insert("Patient.identifier", 0, named("a"))];
    assert_eq!(patient("", &first), Ok(list("a")));
}

#[test]
fn values_without_a_type_of_their_own_are_built_from_parts() {
    let value = json!({ "name": "value", "part": [
        { "name": "name", "valueHumanName": { "text": "a" } },
        { "name": "relationship", "valueCodeableConcept": { "text": "r" } },
        { "name": "relationship", "valueCodeableConcept": { "text": "s" } },
        { "name": "gender", "valueCode": "male", "_valueCode": { "id": "g" } },
    ] });
    assert_eq!(
        patient("", &[add("Patient", "contact", value)]),
        Ok(concat!(
            r#""contact":[{"name":{"text":"a"},"relationship":[{"text":"r"},{"text":"s"}],"#,
            r#""gender":"male","_gender":{"id":"g"}}]"#
        )
        .to_owned())
    );
    let extension = json!({ "name": "value", "part": [
        { "name": "url", "valueUri": "urn:x" }, { "name": "value", "valueDecimal": 1 },
    ] });
    assert_eq!(
        patient("", &[add("Patient", "extension", extension)]),
        Ok(r#""extension":[{"url":"urn:x","valueDecimal":1}]"#.to_owned())
    );
}

#[test]
fn what_stands_beside_primitive_values_stays_beside_them() {
    let names =
        |given: &str, beside: &str| format!(r#""name":[{{"given":{given},"_given":{beside}}}]"#);
    let named = || typed("valueString", "x");
    let path = "Patient.name[0].given";
    let cases = [
        (delete("Patient.name[0].given[0]"), names(r#"["b","c"]"#, r#"[{"id":"b"}]"#)),
        (
            delete("Patient.name[0].given[1]"),
            r#""name":[{"given":["a","c"],"_given":[null]}]"#.to_owned(),
        ),
        (insert(path, 0, named()), names(r#"["x","a","b","c"]"#, r#"[null,null,{"id":"b"}]"#)),
        (insert(path, 3, named()), names(r#"["a","b","c","x"]"#, r#"[null,{"id":"b"},null]"#)),
        (move_item(path, 1, 0), names(r#"["b","a","c"]"#, r#"[{"id":"b"},null]"#)),
        (replace("Patient.name[0].given[1]", named()), names(r#"["a","x","c"]"#, r#"[null,null]"#)),
    ];
    let before = names(r#"["a","b","c"]"#, r#"[null,{"id":"b"}]"#);
    for (operation, expected) in cases {
        let found = patient(&before, std::slice::from_ref(&operation)).unwrap();
        let (found, expected) = (format!("{{{found}}}"), format!("{{{expected}}}"));
        assert_eq!(trimmed(&found), trimmed(&expected), "{operation}");
    }
    let date = r#""birthDate":"1920","_birthDate":{"id":"b"},"active":true"#;
    assert_eq!(patient(date, &[delete("Patient.birthDate")]), Ok(r#""active":true"#.to_owned()));
    assert_eq!(
        patient(date, &[replace("Patient.birthDate", typed("valueDate", "1930"))]),
        Ok(r#""active":true,"birthDate":"1930""#.to_owned())
    );
}

/// Without the nulls that only fill a list up.
fn trimmed(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let beside = value["name"][0]["_given"].as_array().cloned().unwrap_or_default();
    let end = beside.iter().rposition(|item| !item.is_null()).map_or(0, |last| last + 1);
    value["name"][0]["_given"] = beside[..end].to_vec().into();
    value
}

#[test]
fn what_cannot_be_done_is_refused_with_its_operation_and_path() {
    let text = || typed("valueString", "x");
    let cases = [
        (
            vec![delete("Patient.name[0]"), delete("Patient.name")],
            "Parameters.parameter[1]: delete Patient.name: the path leads to 2 elements; it must lead to one",
        ),
        (
            vec![add("Patient.contact", "gender", typed("valueCode", "male"))],
            "Parameters.parameter[0]: add Patient.contact: the path leads to nothing",
        ),
        (
            vec![replace("Patient.gender", typed("valueCode", "male"))],
            "Parameters.parameter[0]: replace Patient.gender: the path leads to nothing",
        ),
        (
            vec![add("Patient", "nonsense", text())],
            r#"Parameters.parameter[0]: add Patient: Patient has no element "nonsense""#,
        ),
        (
            vec![add("Patient", "birthDate", text())],
            "Parameters.parameter[0]: add Patient: the value of birthDate is valueDate",
        ),
        (
            vec![add("Patient", "contact", text())],
            "Parameters.parameter[0]: add Patient: the value of contact is parts",
        ),
        (
            vec![add("Patient", "deceased", text())],
            "Parameters.parameter[0]: add Patient: the value of deceased is valueBoolean or valueDateTime",
        ),
        (
            vec![add("Patient", "active", typed("valueBoolean", false))],
            "Parameters.parameter[0]: add Patient: active is there already: replace it",
        ),
        (
            vec![add("Patient.active", "extension", text())],
            "Parameters.parameter[0]: add Patient.active: the path leads to a primitive value, to which nothing can be added here",
        ),
        (
            vec![delete("Patient")],
            "Parameters.parameter[0]: delete Patient: the path leads to the resource, not to an element of it",
        ),
        (
            vec![delete("Patient.name.exists()")],
            "Parameters.parameter[0]: delete Patient.name.exists(): the path leads to a condition, not to an element",
        ),
        (
            vec![insert("Patient.name", 4, typed("valueHumanName", json!({ "text": "x" })))],
            "Parameters.parameter[0]: insert Patient.name: the index 4 lies behind the end of a list of 3",
        ),
        (
            vec![insert("Patient.name[1]", 0, text())],
            "Parameters.parameter[0]: insert Patient.name[1]: the path must lead to one whole list",
        ),
        (
            vec![insert("Patient.active", 0, text())],
            "Parameters.parameter[0]: insert Patient.active: the path must lead to one whole list",
        ),
        (
            vec![insert("Patient.name.given", 0, text())],
            "Parameters.parameter[0]: insert Patient.name.given: the path must lead to one whole list",
        ),
        (
            vec![insert("Patient.photo", 1, typed("valueAttachment", json!({ "title": "x" })))],
            "Parameters.parameter[0]: insert Patient.photo: the index 1 lies behind the end of a list of 0",
        ),
        (
            vec![move_item("Patient.name", 3, 0)],
            "Parameters.parameter[0]: move Patient.name: the place 3 lies behind the end of a list of 3",
        ),
        (
            vec![move_item("Patient.photo", 0, 1)],
            "Parameters.parameter[0]: move Patient.photo: the path leads to nothing",
        ),
        (
            vec![delete("Patient.name[2].given[0]")],
            "Parameters.parameter[0]: delete Patient.name[2].given[0]: the path leads to an element without a value, which cannot be patched",
        ),
    ];
    let members = r#""active":true,"name":[{"given":["a"]},{"given":["b"]},{"given":[null,"c"],"_given":[{"id":"x"}]}]"#;
    for (operations, expected) in cases {
        assert_eq!(patient(members, &operations), Err(vec![expected.to_owned()]), "{operations:?}");
    }
}

#[test]
fn all_that_is_wrong_with_a_patch_is_said_at_once() {
    let operations = [
        json!({ "name": "x" }),
        json!({ "name": "operation" }),
        operation("merge", "Patient", &[]),
        delete("Patient.name("),
        add("Patient", "name", json!({ "name": "value" })),
        operation("insert", "Patient.name", &[typed("valueString", "x")]),
        operation("delete", "Patient.name", &[part("colour", "valueString", "x")]),
        move_item("Patient.name", -1, 0),
        add("Patient", "name", json!({ "name": "value", "valueString": "x", "valueCode": "y" })),
    ];
    let problems = patient("", &operations).unwrap_err();
    let expected = [
        "Parameters.parameter[0]: the parameters of a patch are named operation",
        "Parameters.parameter[1]: the part path is missing",
        r#"Parameters.parameter[2]: "merge" is not add, insert, delete, replace or move"#,
        r#"Parameters.parameter[3]: path "Patient.name(": "#,
        "Parameters.parameter[4]: the part value has none",
        "Parameters.parameter[5]: the part index is missing",
        r#"Parameters.parameter[6]: "colour" is not a part of an operation"#,
        "Parameters.parameter[7]: the part source has a valueInteger from 0",
        "Parameters.parameter[8]: a value is given twice",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}

const RESOURCE: &str = r#"{"resourceType":"Patient","id":"p","active":true,"_birthDate":{"id":"b"},
    "name":[{"family":"F","given":["a",null,"b"],"_given":[null,{"id":"g"}]},{"text":"t"}],
    "contact":[{"name":{"text":"c"},"telecom":[{"value":"1"}]}],"deceasedBoolean":false,
    "contained":[{"resourceType":"Organization","id":"o","alias":["x","y"]}]}"#;

fn any_path() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "Patient",
        "Patient.name",
        "Patient.contact",
        "Patient.contained",
        "Observation",
    ]);
    let step = prop::sample::select(vec![
        "",
        "[0]",
        "[1]",
        ".given",
        ".family",
        ".name",
        ".telecom",
        ".alias",
        ".active",
        ".deceased",
        ".birthDate",
        ".where(value='1')",
        ".id",
        ".text",
    ]);
    (start, prop::collection::vec(step, 0..3))
        .prop_map(|(start, steps)| format!("{start}{}", steps.concat()))
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(typed("valueString", "x")),
        Just(typed("valueBoolean", true)),
        Just(typed("valueDate", "2020")),
        Just(typed("valueHumanName", json!({ "given": ["x"] }))),
        Just(
            json!({ "name": "value", "part": [{ "name": "name", "valueHumanName": { "text": "x" } }] })
        ),
        Just(json!({ "name": "value", "_valueString": { "id": "x" } })),
        Just(json!({ "name": "value", "resource": { "resourceType": "Basic" } })),
    ]
}

fn any_operation() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["add", "insert", "delete", "replace", "move"]);
    let name = prop::sample::select(vec![
        "given",
        "name",
        "active",
        "deceased",
        "birthDate",
        "contact",
        "contained",
        "alias",
    ]);
    (kind, any_path(), name, any_value(), 0..4i64, 0..4i64).prop_map(
        |(kind, path, name, value, one, other)| {
            let parts = [
                part("name", "valueString", name),
                value,
                part("index", "valueInteger", one),
                part("source", "valueInteger", one),
                part("destination", "valueInteger", other),
            ];
            operation(kind, &path, &parts)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nearly_right_patches_give_json_that_reads_or_a_refusal(
        operations in prop::collection::vec(any_operation(), 1..5),
    ) {
        match patched(RESOURCE, &parameters(&operations)) {
            Ok(text) => prop_assert!(serde_json::from_str::<Value>(&text).is_ok()),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn moving_there_and_back_changes_nothing(source in 0..2i64, destination in 0..2i64) {
        let operations = [
            move_item("Patient.name", source, destination),
            move_item("Patient.name", destination, source),
        ];
        let moved = patched(RESOURCE, &parameters(&operations)).unwrap();
        prop_assert_eq!(
            serde_json::from_str::<Value>(&moved).unwrap(),
            serde_json::from_str::<Value>(RESOURCE).unwrap()
        );
    }
}
