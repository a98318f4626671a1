//! JSON Patch: tables of what operations do, and an oracle for all others.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::patched;

#[test]
fn operations_change_what_they_name_and_copy_the_rest_as_it_stood() {
    let cases = [
        (r#"{"b":72.50,"a":"\u00e9"}"#, r#"[]"#, r#"{"b":72.50,"a":"\u00e9"}"#),
        // Add.
        (r#"{"b":72.50}"#, r#"[{"op":"add","path":"/a","value":1.0}]"#, r#"{"b":72.50,"a":1.0}"#),
        (r#"{"b":72.50}"#, r#"[{"op":"add","path":"/b","value":2e1}]"#, r#"{"b":2e1}"#),
        (r#"{}"#, r#"[{"op":"add","path":"/a","value":[]}]"#, r#"{"a":[]}"#),
        (r#"{"a":[]}"#, r#"[{"op":"add","path":"/a/-","value":{}}]"#, r#"{"a":[{}]}"#),
        (r#"{"a":[]}"#, r#"[{"op":"add","path":"/a/0","value":null}]"#, r#"{"a":[null]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/0","value":0}]"#, r#"{"a":[0,1,2]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/1","value":0}]"#, r#"{"a":[1,0,2]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/2","value":0}]"#, r#"{"a":[1,2,0]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-","value":0}]"#, r#"{"a":[1,2,0]}"#),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"","value":{"b":2}}]"#, r#"{"b":2}"#),
        // The escapes of RFC 6901, and names that only look like places.
        (
            r#"{"a/b":{"m~n":1}}"#,
            r#"[{"op":"replace","path":"/a~1b/m~0n","value":2}]"#,
            r#"{"a/b":{"m~n":2}}"#,
        ),
        (r#"{"~1":1}"#, r#"[{"op":"remove","path":"/~01"}]"#, r#"{}"#),
        (r#"{"":{"0":1}}"#, r#"[{"op":"replace","path":"//0","value":2}]"#, r#"{"":{"0":2}}"#),
        (
            r#"{"01":1,"-":2}"#,
            r#"[{"op":"remove","path":"/01"},{"op":"remove","path":"/-"}]"#,
            r#"{}"#,
        ),
        (r#"{"\u0061":1}"#, r#"[{"op":"replace","path":"/a","value":2}]"#, r#"{"\u0061":2}"#),
        // Remove.
        (r#"{"a":1,"b":2,"c":3}"#, r#"[{"op":"remove","path":"/a"}]"#, r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, r#"[{"op":"remove","path":"/b"}]"#, r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, r#"[{"op":"remove","path":"/c"}]"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":[{"b":1}]}"#, r#"[{"op":"remove","path":"/a/0/b"}]"#, r#"{"a":[{}]}"#),
        (
            r#"[[1],2,[3]]"#,
            r#"[{"op":"remove","path":"/0"},{"op":"remove","path":"/1"}]"#,
            r#"[2]"#,
        ),
        // Replace.
        (
            r#"{"a":{"b":1},"c":2}"#,
            r#"[{"op":"replace","path":"/a","value":"x"}]"#,
            r#"{"a":"x","c":2}"#,
        ),
        (r#"{"a":1}"#, r#"[{"op":"replace","path":"","value":[ 1 ]}]"#, r#"[ 1 ]"#),
        // Move and copy.
        (r#"{"a":[1,2,3]}"#, r#"[{"op":"move","from":"/a/0","path":"/a/2"}]"#, r#"{"a":[2,3,1]}"#),
        (r#"{"a":[1,2,3]}"#, r#"[{"op":"move","from":"/a/2","path":"/a/0"}]"#, r#"{"a":[3,1,2]}"#),
        (r#"{"a":{"b":1}}"#, r#"[{"op":"move","from":"/a/b","path":"/c"}]"#, r#"{"a":{},"c":1}"#),
        (r#"{"a":{"b":1}}"#, r#"[{"op":"move","from":"/a/b","path":"/a"}]"#, r#"{"a":1}"#),
        (r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":"/a"}]"#, r#"{"a":1}"#),
        (r#"{"a":1.50}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, r#"{"a":1.50,"b":1.50}"#),
        (r#"{"a":1}"#, r#"[{"op":"copy","from":"","path":"/b"}]"#, r#"{"a":1,"b":{"a":1}}"#),
        // Test: numbers by worth, strings by characters, objects in any order.
        (r#"{"a":72.50}"#, r#"[{"op":"test","path":"/a","value":7.25e1}]"#, r#"{"a":72.50}"#),
        (r#"{"a":0.0}"#, r#"[{"op":"test","path":"/a","value":-0}]"#, r#"{"a":0.0}"#),
        (r#"{"a":"\u00e9"}"#, r#"[{"op":"test","path":"/a","value":"é"}]"#, r#"{"a":"\u00e9"}"#),
        (
            r#"{"a":{"b":1,"c":[null]}}"#,
            r#"[{"op":"test","path":"/a","value":{"c":[null],"b":1}}]"#,
            r#"{"a":{"b":1,"c":[null]}}"#,
        ),
        // Members that mean nothing are ignored.
        (r#"{"a":1}"#, r#"[{"op":"remove","path":"/a","value":2,"from":"x","note":1}]"#, r#"{}"#),
    ];
    for (resource, patch, expected) in cases {
        assert_eq!(patched(resource, patch), Ok(expected.to_owned()), "{resource} {patch}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_its_operation_and_path() {
    let cases = [
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/b/c","value":1}]"#,
            "patch[0]: add /b/c: there is nothing at /b",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/a/c","value":1}]"#,
            "patch[0]: add /a/c: the value that is to hold it is neither object nor array",
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"add","path":"/a/2","value":1}]"#,
            r#"patch[0]: add /a/2: "2" is not a place in that array"#,
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"add","path":"/a/01","value":1}]"#,
            r#"patch[0]: add /a/01: "01" is not a place in that array"#,
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"add","path":"/a/x","value":1}]"#,
            r#"patch[0]: add /a/x: "x" is not a place in that array"#,
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"add","path":"/a/","value":1}]"#,
            r#"patch[0]: add /a/: "" is not a place in that array"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":1},{"op":"remove","path":"/b"}]"#,
            "patch[1]: remove /b: there is nothing at /b",
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"remove","path":"/a/-"}]"#,
            "patch[0]: remove /a/-: there is nothing at /a/-",
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"remove","path":""}]"#,
            "patch[0]: remove the whole resource: a patch does not remove a resource: delete it",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"replace","path":"/b","value":1}]"#,
            "patch[0]: replace /b: there is nothing at /b",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"copy","from":"/b","path":"/c"}]"#,
            "patch[0]: copy /b to /c: there is nothing at /b",
        ),
        (
            r#"{"a":{}}"#,
            r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
            "patch[0]: move /a to /a/b: a value cannot be moved into itself",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":"1"}]"#,
            "patch[0]: test /a: the value there is another",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":1.0000000001}]"#,
            "patch[0]: test /a: the value there is another",
        ),
        (
            r#"{"a":1e99}"#,
            r#"[{"op":"test","path":"/a","value":1e-99}]"#,
            "patch[0]: test /a: the value there is another",
        ),
    ];
    for (resource, patch, expected) in cases {
        assert_eq!(patched(resource, patch), Err(vec![expected.to_owned()]), "{resource} {patch}");
    }
}

#[test]
fn all_that_is_wrong_with_a_patch_is_said_at_once() {
    let problems = |patch: &str| patched("{}", patch).unwrap_err();
    assert!(problems("7")[0].starts_with("patch: a patch is an array of operations"));
    let several = r#"[1, {}, {"op":"add"}, {"op":"add","path":"/a"}, {"op":"add","path":"a","value":1},
        {"op":"merge","path":"/a"}, {"op":"move","path":"/a"}, {"op":"test","path":7,"value":1},
        {"op":"remove","path":"/a~2"}]"#;
    assert_eq!(
        problems(several),
        [
            "patch[0]: an operation is a JSON object",
            r#"patch[1]: "op" is missing"#,
            r#"patch[2]: "path" is missing"#,
            r#"patch[3]: "value" is missing"#,
            r#"patch[4]: path: "a" is not a JSON Pointer: it must be empty or begin with /"#,
            r#"patch[5]: "merge" is not add, remove, replace, move, copy or test"#,
            r#"patch[6]: "from" is missing"#,
            r#"patch[7]: "path" must be a string"#,
            r#"patch[8]: path: "/a~2" is not a JSON Pointer: write ~ as ~0"#,
        ]
    );
    let many = vec![json!({ "op": "remove", "path": "/a" }); OPERATIONS_MAX + 1];
    assert!(problems(&Value::from(many).to_string())[0].contains("2000 operations"));
}

#[test]
fn copies_of_copies_are_bounded() {
    let deeper = json!({ "op": "copy", "from": "", "path": "/a" });
    let depth = patched("{}", &Value::from(vec![deeper; 200]).to_string()).unwrap_err();
    assert!(depth[0].contains("nested deeper"), "{depth:?}");
    let wider = json!({ "op": "copy", "from": "/a", "path": "/a/-" });
    let doubled = json!([{ "op": "copy", "from": "/a", "path": "/b" },
        { "op": "copy", "from": "/b", "path": "/a/-" }]);
    let start = format!(r#"{{"a":["{}"]}}"#, "x".repeat(1 << 20));
    let operations: Vec<Value> =
        (0..30).flat_map(|_| doubled.as_array().unwrap().clone()).collect();
    for patch in [operations, vec![wider; 30]] {
        let refused = patched(&start, &Value::from(patch).to_string()).unwrap_err();
        assert!(refused[0].contains("64 MiB"), "{refused:?}");
    }
}

/// A document, and pointers that often lead somewhere in it.
fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[a-c~/]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c~/]{0,1}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_pointer() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["", "a", "b", "c", "~0", "~1", "0", "1", "2", "-", "01"]);
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn any_operation() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]);
    (name, any_pointer(), any_pointer(), any_document()).prop_map(
        |(op, path, from, value)| json!({ "op": op, "path": path, "from": from, "value": value }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn json_patches_do_what_another_implementation_does(
        document in any_document(), operations in prop::collection::vec(any_operation(), 0..5),
    ) {
        // It removes whole documents, which here is deleting, and moves none onto itself.
        let differs = |one: &Value| match one["op"].as_str() {
            Some("remove") => one["path"] == "",
            Some("move") => one["from"] == "",
            _ => false,
        };
        prop_assume!(!operations.iter().any(differs));
        let text = Value::from(operations).to_string();
        let mut expected = document.clone();
        let theirs: json_patch::Patch = serde_json::from_str(&text).unwrap();
        let is_done = json_patch::patch_unsafe(&mut expected, &theirs).is_ok();
        let ours = patched(&document.to_string(), &text);
        prop_assert_eq!(is_done, ours.is_ok(), "{:?}", ours);
        if let Ok(ours) = ours {
            prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), expected);
        }
    }

    #[test]
    fn arbitrary_patches_never_panic(
        document in any_document(), patch in any_document(), bytes in ".{0,60}",
    ) {
        for text in [patch.to_string(), format!("[{patch}]"), bytes] {
            if let Ok(read) = Document::parse(text.as_str())
                && let Ok(patch) = Patch::read(read.root())
            {
                let _ = patch.apply(document.to_string().into_bytes());
            }
        }
    }
}
