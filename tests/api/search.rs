//! Search within one type.

use serde_json::{Value, json};

use crate::harness::{Actor, Setup, bundle, entry, observation, patient, shared, unique};

/// The ids found, in order.
#[track_caller]
pub fn found(actor: &Actor, target: &str) -> Vec<String> {
    let bundle = actor.get(&format!("/fhir/{target}")).expect(200).json();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
    ids(&bundle)
}

pub fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let id = |entry: &Value| {
        assert_eq!(entry["search"]["mode"], "match");
        let resource = &entry["resource"];
        let (kind, id) =
            (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        assert!(entry["fullUrl"].as_str().unwrap().ends_with(&format!("/fhir/{kind}/{id}")));
        id.to_owned()
    };
    entries.iter().map(id).collect()
}

pub fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let link = links.iter().find(|link| link["relation"] == relation)?;
    Some(link["url"].as_str().unwrap().to_owned())
}

pub fn identified(id: &str, identifiers: &[(&str, &str)]) -> Value {
    let mut resource = patient(id);
    let identifier = |(system, value): &(&str, &str)| match *system {
        "" => json!({ "value": value }),
        system => json!({ "system": system, "value": value }),
    };
    resource["identifier"] = identifiers.iter().map(identifier).collect();
    resource
}

#[test]
fn by_id_finds_the_named_ones_and_no_others() {
    let clinician = shared().clinician();
    let (one, two) = (unique("one"), unique("two"));
    for id in [&one, &two] {
        clinician.put(&patient(id)).expect(201);
    }
    assert_eq!(found(&clinician, &format!("Patient?_id={one}")), [one.clone()]);
    let both = format!("Patient?_id={two},{},{one}", unique("never"));
    assert_eq!(found(&clinician, &both), [one.clone(), two.clone()]);
    let intersection = format!("Patient?_id={one},{two}&_id={two}");
    assert_eq!(found(&clinician, &intersection), [two.clone()]);
    assert_eq!(found(&clinician, &format!("Observation?_id={one}")), Vec::<String>::new());
    clinician.delete(&format!("/fhir/Patient/{one}")).expect(204);
    assert_eq!(found(&clinician, &format!("Patient?_id={one},{two}")), [two]);
}

#[test]
fn an_identifier_is_found_with_its_system_without_one_and_by_value_alone() {
    let clinician = shared().clinician();
    let value = unique("mrn");
    let (in_a, in_b, bare) = (unique("a"), unique("b"), unique("bare"));
    clinician.put(&identified(&in_a, &[("urn:a", &value), ("urn:x", "second")])).expect(201);
    clinician.put(&identified(&in_b, &[("urn:b", &value)])).expect(201);
    clinician.put(&identified(&bare, &[("", &value)])).expect(201);
    let search = |text: &str| found(&clinician, &format!("Patient?identifier={text}"));
    assert_eq!(search(&value), [in_a.clone(), in_b.clone(), bare.clone()]);
    assert_eq!(search(&format!("urn:a|{value}")), [in_a.clone()]);
    assert_eq!(search(&format!("urn:a%7C{value}")), [in_a.clone()]);
    assert_eq!(search(&format!("|{value}")), [bare]);
    assert_eq!(search(&format!("urn:c|{value}")), Vec::<String>::new());
    assert_eq!(search(&format!("urn:a|{value},urn:b|{value}")), [in_a, in_b]);
    // Names are not cut short.
    assert_eq!(search(&value[..value.len() - 1]), Vec::<String>::new());
}

#[test]
fn what_changed_is_found_by_what_it_is_now() {
    let clinician = shared().clinician();
    let (old, new, id) = (unique("old"), unique("new"), unique("p"));
    clinician.put(&identified(&id, &[("urn:a", &old)])).expect(201);
    clinician.put(&identified(&id, &[("urn:a", &new)])).expect(200);
    assert_eq!(found(&clinician, &format!("Patient?identifier={old}")), Vec::<String>::new());
    assert_eq!(found(&clinician, &format!("Patient?identifier={new}")), [id]);
}

#[test]
fn separators_inside_of_a_value_are_escaped() {
    let clinician = shared().clinician();
    let (id, mark) = (unique("odd"), unique("m"));
    clinician.put(&identified(&id, &[("urn:a|b", &format!("{mark},$|\\ ü+&="))])).expect(201);
    let value = format!(r"{mark}%5C,%5C$%5C%7C%5C%5C%20%C3%BC%2B%26%3D");
    assert_eq!(found(&clinician, &format!("Patient?identifier={value}")), [id.clone()]);
    assert_eq!(found(&clinician, &format!("Patient?identifier=urn:a%5C%7Cb|{value}")), [id]);
    clinician.get(r"/fhir/Patient?identifier=a%5Cb").refused(400, &["identifier", "backslash"]);
    clinician.get("/fhir/Patient?identifier=a|b|c").refused(400, &["identifier", "|"]);
    for empty in ["a,", ",a", "a,,b", ","] {
        clinician
            .get(&format!("/fhir/Patient?identifier={empty}"))
            .refused(400, &["identifier", "empty"]);
    }
}

#[test]
fn a_patients_resources_are_found_by_every_form_of_reference() {
    let clinician = shared().clinician();
    let (owner, other) = (unique("p"), unique("q"));
    let (own, foreign) = (unique("o"), unique("f"));
    clinician.put(&observation(&own, &owner)).expect(201);
    clinician.put(&observation(&foreign, &other)).expect(201);
    let base = &shared().base;
    for criterion in [
        format!("patient={owner}"),
        format!("patient=Patient/{owner}"),
        format!("patient={base}/fhir/Patient/{owner}"),
        format!("patient:Patient={owner}"),
        format!("subject={owner}"),
        format!("subject=Patient/{owner}"),
        format!("subject:Patient={owner}"),
        format!("patient={owner}&subject=Patient/{owner}&_id={own}"),
    ] {
        assert_eq!(
            found(&clinician, &format!("Observation?{criterion}")),
            [own.clone()],
            "{criterion}"
        );
    }
    for nothing in [
        format!("patient={}", unique("never")),
        format!("subject=Group/{owner}"),
        format!("subject:Device={owner}"),
        format!("patient={owner}&patient={other}"),
        format!("subject=http://elsewhere.example/fhir/Patient/{owner}"),
    ] {
        assert_eq!(
            found(&clinician, &format!("Observation?{nothing}")),
            Vec::<String>::new(),
            "{nothing}"
        );
    }
    let both = found(&clinician, &format!("Observation?patient={owner},{other}"));
    assert_eq!(both, [own, foreign]);
    for (wrong, word) in [
        ("patient=Practitioner/x", "Practitioner"),
        ("subject:Observacion=x", "Observacion"),
        ("subject:missing=perhaps", "missing"),
        ("patient=a/b/c", "a/b/c"),
        ("patient=%23x", "#x"),
    ] {
        clinician.get(&format!("/fhir/Observation?{wrong}")).refused(400, &[word]);
    }
}

#[test]
fn last_updated_understands_prefixes_and_ranges() {
    let clinician = shared().clinician();
    let id = unique("when");
    let stored = clinician.put(&patient(&id)).expect(201).json();
    let exact = stored["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let day = &exact[..10];
    let search =
        |criteria: &str| !found(&clinician, &format!("Patient?_id={id}&{criteria}")).is_empty();
    for holds in [
        format!("_lastUpdated={exact}"),
        format!("_lastUpdated=eq{day}"),
        format!("_lastUpdated={}", &exact[..4]),
        format!("_lastUpdated=ge{exact}"),
        format!("_lastUpdated=le{exact}"),
        "_lastUpdated=gt2020-01-01".to_owned(),
        "_lastUpdated=lt2999-01-01T00:00:00%2B02:00".to_owned(),
        "_lastUpdated=ne2020".to_owned(),
        format!("_lastUpdated=ge{day}&_lastUpdated=lt2999"),
        format!("_lastUpdated=1999,{day}"),
    ] {
        assert!(search(&holds), "{holds}");
    }
    for not in [
        format!("_lastUpdated=gt{exact}"),
        format!("_lastUpdated=lt{exact}"),
        format!("_lastUpdated=ne{day}"),
        format!("_lastUpdated=sa{day}"),
        format!("_lastUpdated=eb{day}"),
        "_lastUpdated=2020".to_owned(),
        format!("_lastUpdated=ge{day}&_lastUpdated=lt2020"),
    ] {
        assert!(!search(&not), "{not}");
    }
    for wrong in ["yesterday", "about2020", "2020-13", "ge", "2020-01-01T00:00:00+02:00"] {
        clinician
            .get(&format!("/fhir/Patient?_lastUpdated={wrong}"))
            .refused(400, &["_lastUpdated"]);
    }
}

#[test]
fn pages_hold_every_match_once_even_while_more_is_stored() {
    let clinician = shared().clinician();
    let owner = unique("pages");
    let stored: Vec<String> = (0..7).map(|_| unique("o")).collect();
    for id in &stored {
        clinician.put(&observation(id, &owner)).expect(201);
    }
    let mut next =
        Some(format!("{}/fhir/Observation?subject=Patient/{owner}&_count=3", shared().base));
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    while let Some(url) = next {
        let bundle = clinician.get(url.strip_prefix(&shared().base).unwrap()).expect(200).json();
        let page = ids(&bundle);
        // The same page again, by its own address.
        sizes.push(page.len());
        all.extend(page);
        next = link(&bundle, "next");
        if sizes.len() == 1 {
            assert!(bundle.get("total").is_none(), "a page does not know how many there are");
            // What changes or comes meanwhile neither repeats nor hides anything.
            let mut changed = observation(&stored[0], &owner);
            changed["status"] = json!("amended");
            clinician.put(&changed).expect(200);
            let late = unique("late");
            clinician.put(&observation(&late, &owner)).expect(201);
            // All pages are of the moment of the first.
            let removed = stored.last().unwrap();
            clinician.delete(&format!("/fhir/Observation/{removed}")).expect(204);
        }
    }
    assert_eq!(all, stored);
    assert_eq!(sizes, [3, 3, 1]);
}

#[test]
fn a_whole_result_says_its_total_and_its_self_link_finds_the_same() {
    let clinician = shared().clinician();
    let mark = unique("self,&= ü|+");
    let id = unique("p");
    clinician.put(&identified(&id, &[("urn:a", &mark)])).expect(201);
    let value: String = mark
        .replace(',', "\\,")
        .replace('|', "\\|")
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let bundle =
        clinician.get(&format!("/fhir/Patient?identifier=urn:a|{value}")).expect(200).json();
    assert_eq!(bundle["total"], 1);
    let own = link(&bundle, "self").unwrap();
    let target =
        own.strip_prefix(&shared().base).expect("the link begins with the server's address");
    assert!(
        target.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&byte)),
        "{target}"
    );
    assert_eq!(ids(&clinician.get(target).expect(200).json()), [id]);
    let nothing =
        clinician.get(&format!("/fhir/Patient?identifier={}", unique("never"))).expect(200).json();
    assert_eq!(nothing["total"], 0);
    assert!(nothing.get("entry").is_none(), "an empty array is not FHIR: {nothing}");
}

#[test]
fn the_page_size_has_a_default_and_a_limit() {
    let server =
        Setup::default().set("limits.page_size_default=2").set("limits.page_size_max=3").start();
    let clinician = server.clinician();
    for number in 0..5 {
        clinician.put(&patient(&format!("p{number}"))).expect(201);
    }
    assert_eq!(found(&clinician, "Patient").len(), 2);
    assert_eq!(found(&clinician, "Patient?_count=1").len(), 1);
    assert_eq!(found(&clinician, "Patient?_count=100").len(), 3);
    for wrong in ["-1", "x", "1.5", "99999999999999999999999"] {
        clinician.get(&format!("/fhir/Patient?_count={wrong}")).refused(400, &["_count"]);
    }
    clinician.get("/fhir/Patient?_count=1&_count=2").refused(400, &["_count", "once"]);
}

#[test]
fn a_count_of_zero_asks_for_the_total_only() {
    // FHIR R4 §3.1.1.4.9: "_count=0 … the server returns only the total".
    let clinician = shared().clinician();
    let id = unique("p");
    clinician.put(&patient(&id)).expect(201);
    let bundle = clinician.get(&format!("/fhir/Patient?_id={id}&_count=0")).expect(200).json();
    assert_eq!(bundle["total"], 1, "{bundle}");
    assert_eq!(ids(&bundle), Vec::<String>::new());
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    let clinician = shared().clinician();
    for (query, words) in [
        ("Patient?colour=red", vec!["colour", "identifier"]),
        ("Patient?_id=x&colour=red&shape=round", vec!["colour", "shape"]),
        ("Patient?identifier:exact=x", vec!["identifier", "exact"]),
        ("Patient?_id:exact=x", vec!["_id", "exact"]),
        ("Patient?_lastUpdated:missing=true", vec!["_lastUpdated", "missing"]),
        ("Patient?_id=a_b", vec!["_id", "a_b"]),
        ("Patient?_sort=colour", vec!["_sort", "colour"]),
        ("Patient?_include=Patient:gender", vec!["_include", "gender"]),
        ("Patient?organization.colour=red", vec!["colour"]),
        ("Patient?_has:Observation:device:code=x", vec!["device"]),
        ("Location?near=1|2", vec!["near", "not supported"]),
        ("Patient?subject=x", vec!["subject"]),
        ("Patient?Identifier=x", vec!["Identifier"]),
        ("Patient?=x", vec!["no search parameter"]),
    ] {
        clinician.get(&format!("/fhir/{query}")).refused(400, &words);
    }
    clinician.get("/fhir/Patients?_id=x").refused(404, &["Patients"]);
    clinician.get("/fhir/patient").refused(404, &["patient"]);
}

#[test]
fn a_patient_token_finds_only_its_own_chart() {
    let clinician = shared().clinician();
    let (owner, other) = (unique("p"), unique("q"));
    let (own, foreign) = (unique("o"), unique("f"));
    for id in [&owner, &other] {
        clinician.put(&patient(id)).expect(201);
    }
    clinician.put(&observation(&own, &owner)).expect(201);
    clinician.put(&observation(&foreign, &other)).expect(201);
    let app = shared().patient_app(&owner);
    assert_eq!(found(&app, "Observation"), [own.clone()]);
    assert_eq!(found(&app, "Patient"), [owner.clone()]);
    assert_eq!(found(&app, &format!("Observation?_id={own},{foreign}")), [own.clone()]);
    assert_eq!(found(&app, &format!("Observation?subject={other}")), Vec::<String>::new());
    assert_eq!(found(&app, "Practitioner"), Vec::<String>::new());
    let nobody = shared().patient_app(&unique("nobody"));
    assert_eq!(found(&nobody, "Observation"), Vec::<String>::new());
}

#[test]
fn an_include_that_would_explode_is_refused_with_a_reason() {
    let clinician = shared().clinician();
    let owner = unique("crowded");
    clinician.put(&patient(&owner)).expect(201);
    let entries: Vec<Value> = (0..5_001)
        .map(|number| {
            let id = format!("{owner}-{number}");
            entry("PUT", &format!("Observation/{id}"), observation(&id, &owner))
        })
        .collect();
    clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    clinician
        .get(&format!("/fhir/Patient?_id={owner}&_revinclude=Observation:patient"))
        .refused(400, &["would look at more than one request may"]);
    // The same, page by page, is what it says to do instead.
    let page = clinician.get(&format!("/fhir/Observation?patient={owner}&_count=3")).expect(200);
    assert_eq!(ids(&page.json()).len(), 3);
}
