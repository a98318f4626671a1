//! Resources and queries made at random: what the index would find, and what a look at the resources
//! says, must agree; and no text may be more than the reader of queries can take.

use chartlog::fhir::ResourceType;
use chartlog::fhir::search::{Parameters, Query};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::memory::Memory;
use crate::table::Table;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

/// Dates whose periods touch, lie in each other, and are open.
const DATES: &[&str] = &[
    "2020",
    "2020-01",
    "2020-02",
    "2020-01-01",
    "2020-01-31",
    "2020-02-01",
    "2020-02-29",
    "2020-01-31T23:59:59Z",
    "2020-02-01T00:00:00Z",
    "2020-01-31T19:00:00-05:00",
    "2020-02-01T00:00:00.001Z",
    "2019-12-31",
    "2021",
    "0001-01-01",
    "9999-12-31",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "1.0",
    "1.00",
    "-1",
    "0.95",
    "0.999",
    "1.05",
    "9.5",
    "10",
    "1e1",
    "1e3",
    "1000",
    "999.5",
    "123456789.123456789",
    "-0.1",
];
const TEXTS: &[&str] = &[
    "a",
    "ab",
    "abc",
    "ABC",
    "Äbc",
    "abcd",
    "xabc",
    "a b  c",
    "bc",
    "c",
    "Straße",
    "a very long text that does not fit",
    "a very long text that does not fit either",
    "ß",
];
const SYSTEMS: &[&str] = &["", "http://s", "http://t", "http://loinc.org"];
const CODES: &[&str] = &["a", "b", "A", "http://s", "1-2"];
const URIS: &[&str] = &[
    "http://a",
    "http://a/",
    "http://a/b",
    "http://a/b/c",
    "http://ab",
    "urn:x:1",
    "http://a/b/c/this-is-so-long-that-it-is-cut-and-hashed/1",
    "http://a/b/c/this-is-so-long-that-it-is-cut-and-hashed/12",
    "http://a/b|1",
];
const UNITS: &[(&str, &str)] = &[
    ("http://unitsofmeasure.org", "mg"),
    ("http://unitsofmeasure.org", "g"),
    ("http://unitsofmeasure.org", "Cel"),
    ("http://unitsofmeasure.org", "[degF]"),
    ("http://unitsofmeasure.org", "[pH]"),
    ("http://unitsofmeasure.org", "nonsense"),
    ("http://units", "mg"),
    ("", ""),
];
const PREFIXES: &[&str] = &["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

fn codings() -> impl Strategy<Value = Value> {
    let coding =
        (one_of(SYSTEMS), one_of(CODES), one_of(TEXTS)).prop_map(|(system, code, text)| {
            let mut coding = json!({ "code": code, "display": text });
            if !system.is_empty() {
                coding["system"] = json!(system);
            }
            coding
        });
    prop::collection::vec(coding, 1..3).prop_map(|coding| json!({ "coding": coding }))
}

fn quantity() -> impl Strategy<Value = Value> {
    let comparator = prop::option::of(one_of(&["<", ">="]));
    (one_of(NUMBERS), prop::sample::select(UNITS), comparator).prop_map(
        |(number, unit, comparator)| {
            let mut quantity = json!({ "value": serde_json::from_str::<Value>(number).unwrap() });
            if !unit.0.is_empty() {
                quantity["system"] = json!(unit.0);
                quantity["code"] = json!(unit.1);
            }
            if let Some(comparator) = comparator {
                quantity["comparator"] = json!(comparator);
            }
            quantity
        },
    )
}

fn period() -> impl Strategy<Value = Value> {
    (prop::option::of(one_of(DATES)), prop::option::of(one_of(DATES))).prop_map(|(start, end)| {
        let ends = [("start", start), ("end", end)];
        let ends =
            ends.into_iter().filter_map(|(name, date)| Some((name.to_owned(), json!(date?))));
        Value::Object(ends.collect())
    })
}

fn observation() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(json!({})),
        codings().prop_map(|value| json!({ "valueCodeableConcept": value })),
        quantity().prop_map(|value| json!({ "valueQuantity": value })),
        one_of(TEXTS).prop_map(|value| json!({ "valueString": value })),
        one_of(DATES).prop_map(|value| json!({ "valueDateTime": value })),
        period().prop_map(|value| json!({ "valuePeriod": value })),
    ];
    let effective = prop_oneof![
        Just(json!({})),
        one_of(DATES).prop_map(|date| json!({ "effectiveDateTime": date })),
        period().prop_map(|period| json!({ "effectivePeriod": period })),
    ];
    (codings(), value, effective, prop::option::of(codings())).prop_map(
        |(code, value, effective, category)| {
            let mut observation = json!({ "resourceType": "Observation", "code": code });
            observation["status"] = json!("final");
            for members in [value, effective] {
                for (name, member) in members.as_object().unwrap() {
                    observation[name] = member.clone();
                }
            }
            if let Some(category) = category {
                observation["category"] = json!([category]);
            }
            observation
        },
    )
}

fn other() -> impl Strategy<Value = Value> {
    let patient = prop::collection::vec(one_of(TEXTS), 1..4)
        .prop_map(|given| json!({ "resourceType": "Patient", "name": [{ "given": given }] }));
    let version = prop::option::of(one_of(&["1", "2"]));
    let value_set = (one_of(URIS), version).prop_map(|(url, version)| {
        let mut value_set = json!({ "resourceType": "ValueSet", "url": url });
        if let Some(version) = version {
            value_set["version"] = json!(version);
        }
        value_set
    });
    let range = (one_of(NUMBERS), one_of(NUMBERS)).prop_map(|(low, high)| {
        let end = |text: &str| json!({ "value": serde_json::from_str::<Value>(text).unwrap() });
        json!({ "resourceType": "RiskAssessment",
            "prediction": [{ "probabilityRange": { "low": end(low), "high": end(high) } }] })
    });
    let number = one_of(NUMBERS).prop_map(|number| {
        let number: Value = serde_json::from_str(number).unwrap();
        json!({ "resourceType": "RiskAssessment", "prediction": [{ "probabilityDecimal": number }] })
    });
    prop_oneof![patient, value_set, range, number]
}

fn query() -> impl Strategy<Value = String> {
    let prefixed = |values: &'static [&'static str]| {
        (one_of(PREFIXES), one_of(values)).prop_map(|(prefix, value)| format!("{prefix}{value}"))
    };
    let token = || {
        let full =
            (one_of(SYSTEMS), one_of(CODES)).prop_map(|(system, code)| format!("{system}|{code}"));
        prop_oneof![full, one_of(CODES).prop_map(str::to_owned), Just("http://s|".to_owned())]
    };
    let quantity = || {
        (prefixed(NUMBERS), prop::sample::select(UNITS)).prop_map(|(number, (system, code))| {
            if system.is_empty() { number } else { format!("{number}|{system}|{code}") }
        })
    };
    let of_string = one_of(&[
        "Patient?given",
        "Patient?given:exact",
        "Patient?given:contains",
        "Patient?name:contains",
        "Observation?value-string",
        "Observation?value-string:contains",
    ]);
    let of_token = one_of(&[
        "Observation?code",
        "Observation?code:not",
        "Observation?combo-code",
        "Observation?category:not",
        "Observation?value-concept",
    ]);
    let of_url = one_of(&["ValueSet?url:below", "ValueSet?url:above"]);
    let url = one_of(URIS).prop_filter("a URN has no levels", |uri| !uri.starts_with("urn:"));
    let of_date = one_of(&["Observation?date", "Observation?value-date"]);
    let text = || one_of(TEXTS).prop_map(str::to_owned);
    let lists = prop_oneof![
        (of_string, prop::collection::vec(text(), 1..3)),
        (one_of(&["Observation?code:text"]), prop::collection::vec(text(), 1..3)),
        (of_token, prop::collection::vec(token(), 1..3)),
        (
            one_of(&["ValueSet?url"]),
            prop::collection::vec(one_of(URIS).prop_map(str::to_owned), 1..3)
        ),
        (of_url, prop::collection::vec(url.prop_map(str::to_owned), 1..3)),
        (of_date, prop::collection::vec(prefixed(DATES), 1..3)),
        (one_of(&["RiskAssessment?probability"]), prop::collection::vec(prefixed(NUMBERS), 1..3)),
        (one_of(&["Observation?value-quantity"]), prop::collection::vec(quantity(), 1..3)),
        (
            one_of(&["Observation?code-value-quantity"]),
            (token(), quantity()).prop_map(|(code, number)| vec![format!("{code}${number}")])
        ),
    ];
    let missing = one_of(&[
        "Observation?date",
        "Observation?value-quantity",
        "Patient?given",
        "Observation?category",
        "ValueSet?url",
    ]);
    let missing =
        (missing, any::<bool>()).prop_map(|(name, truth)| format!("{name}:missing={truth}"));
    prop_oneof![
        8 => lists.prop_map(|(name, values)| format!("{name}={}", encoded(&values.join(",")))),
        1 => missing,
    ]
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn index_and_truth_agree(
        resources in prop::collection::vec(prop_oneof![2 => observation(), 1 => other()], 1..12),
        queries in prop::collection::vec(query(), 1..12),
    ) {
        let numbered = resources.into_iter().enumerate().map(|(at, mut resource)| {
            resource["id"] = json!(at.to_string());
            resource
        });
        let memory = Memory::of(&Table { resources: numbered.collect(), cases: Vec::new() });
        for text in queries {
            match memory.parse(&text) {
                // The agreement is checked for each resource.
                Ok((kind, query)) => drop(memory.matches(kind, &query)),
                Err(message) => prop_assert!(false, "{text}: {message}"),
            }
        }
    }

    #[test]
    fn any_text_is_understood_or_refused(
        kind in one_of(&["Patient", "Observation", "Basic", "Bundle", "Location", "MolecularSequence"]),
        name in prop::collection::vec(one_of(&[
            "_has", ":", ".", "Observation", "Patient", "subject", "patient", "code", "name", "focus",
            "not", "missing", "exact", "_sort", "_include", "_revinclude", "iterate", "_id", "_list",
            "code-value-quantity", "value-quantity", "date", "-", "", "ä", "near", "in", "target",
        ]), 1..9),
        text in prop_oneof![
            ".{0,60}",
            "[a-z0-9,|$\\\\:./*-]{0,40}",
            "(eq|ne|gt|ap)?[0-9T:.eE+-]{0,30}(\\|[a-z/:]{0,10}\\|[a-zA-Z0-9./\\[\\]{}*^-]{0,30})?",
        ],
    ) {
        let kind: ResourceType = kind.parse().unwrap();
        let pairs = [(name.concat(), text.clone()), ("code".to_owned(), text)];
        if let Err(problems) = Query::parse(&Parameters::standard(), kind, &pairs, None) {
            prop_assert!((1..=2).contains(&problems.len()));
            prop_assert!(problems.iter().all(|problem| problem.diagnostics.len() < 20_000));
        }
    }

    #[test]
    fn values_of_every_type_are_understood_or_refused(text in prop_oneof![".{0,80}", "[0-9a-z|$,\\\\.:/-]{0,60}"]) {
        let parameters = Parameters::standard();
        for name in ["Observation?date", "Observation?code", "Observation?value-quantity",
            "Patient?name", "Patient?name:contains", "Observation?subject", "ValueSet?url:above",
            "RiskAssessment?probability", "Observation?code-value-string", "Patient?_lastUpdated"] {
            let (kind, name) = name.split_once('?').unwrap();
            let pairs = [(name.to_owned(), text.clone())];
            let _ = Query::parse(&parameters, kind.parse().unwrap(), &pairs, None);
        }
    }
}

#[test]
fn what_would_explode_is_refused() {
    let refused = |kind: &str, name: &str, text: &str| {
        let pairs = [(name.to_owned(), text.to_owned())];
        let kind: ResourceType = kind.parse().unwrap();
        let problems = Query::parse(&Parameters::standard(), kind, &pairs, None).unwrap_err();
        problems[0].diagnostics.clone()
    };
    let values = |count: usize| vec!["x"; count].join(",");
    assert!(refused("Patient", "name", &values(1_001)).contains("at most 1000"));
    assert!(refused("Basic", "subject", &values(1_000)).contains("more than 10000 alternatives"));
    let chain = format!("{}code", "focus.".repeat(6));
    assert!(refused("Observation", &chain, "x").contains("name the type"));
    let deep = format!("{}_id", "partof.".repeat(20));
    assert!(refused("Organization", &deep, "x").contains("more than 8 references"));
    let has = format!("{}code", "_has:Observation:has-member:".repeat(20));
    assert!(refused("Observation", &has, "x").contains("more than 8 references"));
    let wide = "_has:Observation:has-member:".repeat(100_000);
    assert!(refused("Observation", &wide, "x").len() < 1_000);
}
