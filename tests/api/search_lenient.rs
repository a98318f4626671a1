//! Parameters of a search or read that say nothing, or that this server does not have.

use serde_json::{Value, json};

use crate::harness::{bundle, patient, shared, unique};
use crate::search::{found, identified, ids, link};

#[test]
fn empty_parameters_are_ignored() {
    let clinician = shared().clinician();
    let (id, value) = (unique("p"), unique("mrn"));
    clinician.put(&identified(&id, &[("urn:a", &value)])).expect(201);
    for empty in [
        "gender=",
        "gender",
        "foo=",
        "_sort=",
        "_tag=",
        "_count=",
        "_format=",
        "_summary=",
        "_elements=",
        "_total=",
        "_include=",
        "_has:Observation:patient:code=",
        "name:exact=&birthdate=&family=",
    ] {
        let address = format!("Patient?{empty}&identifier={value}");
        assert_eq!(found(&clinician, &address), [id.clone()], "{empty}");
        let form = clinician.request("POST", "/fhir/Patient/_search");
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        let answer = form.bytes(format!("{empty}&identifier={value}")).send().expect(200);
        assert_eq!(ids(&answer.json()), [id.clone()], "{empty}");
    }
    let bundle = clinician.get(&format!("/fhir/Patient?gender=&identifier={value}")).expect(200);
    assert!(!link(&bundle.json(), "self").unwrap().contains("gender"));
    let batch = bundle_of_look(&format!("Patient?gender=&identifier={value}"));
    let answer = clinician.post("/fhir", &batch).expect(200).json();
    assert_eq!(ids(&answer["entry"][0]["resource"]), [id.clone()]);
    // What says which state is asked for is not taken for another.
    let of_patient = format!("/fhir/Patient/{id}");
    clinician.get(&format!("{of_patient}?_asOf=")).refused(400, &["_asOf"]);
    clinician.get(&format!("/fhir/Patient?identifier={value}&_cursor=")).refused(400, &["_cursor"]);
    // Without it, criteria of a write would mean more than they say.
    let criteria = format!("/fhir/Patient?identifier={value}&gender=");
    let resource = identified(&id, &[("urn:a", &value)]);
    clinician.request("PUT", &criteria).json(&resource).send().refused(400, &["gender", "empty"]);
    clinician.delete(&criteria).refused(400, &["gender", "empty"]);
    let create = clinician.request("POST", "/fhir/Patient").json(&patient("x"));
    let create = create.header("if-none-exist", format!("identifier={value}&gender="));
    create.send().refused(400, &["gender", "empty"]);
}

fn bundle_of_look(url: &str) -> Value {
    let look = json!({ "request": { "method": "GET", "url": url } });
    bundle("batch", &[look])
}

#[test]
fn who_is_lenient_gets_an_answer_without_what_is_not_supported() {
    let clinician = shared().clinician();
    let (id, value) = (unique("p"), unique("mrn"));
    clinician.put(&identified(&id, &[("urn:a", &value)])).expect(201);
    let lenient = |target: &str| {
        let request = clinician.request("GET", &format!("/fhir/{target}"));
        request.header("prefer", "handling=lenient").send()
    };
    for parameter in ["_text=x", "_content=x", "_filter=name%20eq%20x", "foo=x", "__t=0"] {
        let target = format!("Patient?{parameter}&identifier={value}");
        clinician
            .get(&format!("/fhir/{target}"))
            .refused(400, &[parameter.split('=').next().unwrap()]);
        let answer = lenient(&target).expect(200).json();
        assert_eq!(ids(&answer), [id.clone()], "{parameter}");
        assert!(!link(&answer, "self").unwrap().contains(parameter.split('=').next().unwrap()));
    }
    clinician.get("/fhir/Location?near=1|2").refused(400, &["near"]);
    lenient("Location?near=1|2&_summary=count").expect(200);
    // What is known and wrong is refused all the same.
    lenient("Patient?birthdate=x").refused(400, &["birthdate"]);
    lenient("Patient?name:foo=x").refused(400, &["name"]);
    for target in [
        format!("Patient/{id}"),
        format!("Patient/{id}/_history/1"),
        format!("Patient/{id}/_history"),
        "Patient/_history".to_owned(),
        "_history".to_owned(),
    ] {
        let target = format!("{target}?__t=0");
        clinician.get(&format!("/fhir/{target}")).refused(400, &["__t"]);
        lenient(&target).expect(200);
    }
    for (preference, status) in [
        ("Handling = \"Lenient\"", 200),
        ("respond-async, handling=lenient", 200),
        ("return=minimal; handling=lenient", 200),
        ("handling=strict, handling=lenient", 400),
        ("handling=gentle", 400),
        ("handling", 400),
        ("unknown=\"x, handling=lenient\"", 400),
    ] {
        let request = clinician.request("GET", "/fhir/Patient?foo=x&_summary=count");
        assert_eq!(request.header("prefer", preference).send().status, status, "{preference}");
    }
    // A write is taken as it was meant or not at all.
    let write = clinician.request("PUT", &format!("/fhir/Patient/{id}?__t=0"));
    write.header("prefer", "handling=lenient").json(&patient(&id)).send().refused(400, &["__t"]);
}
