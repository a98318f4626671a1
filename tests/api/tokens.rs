//! Tokens: what makes one acceptable, and what its scopes open.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::{
    Request, Response, Server, Setup, observation, only_access_of_request, patient, shared, unique,
};

pub fn base64url(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub fn seconds_from_now(seconds: i64) -> i64 {
    chartlog::clock::Instant::now().seconds() + seconds
}

/// Sends with an id and gives the answer and the one entry that it left.
#[track_caller]
pub fn traced(server: &Server, request: Request) -> (Response, Value) {
    let id = unique("request");
    let response = request.header("x-request-id", &id).send();
    assert_eq!(response.header("x-correlation-id"), Some(id.as_str()));
    (response, only_access_of_request(server, &id))
}

#[test]
fn every_token_that_is_not_right_is_refused_on_both_faces_and_leaves_an_entry() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let good = server.token("dr-weiss", "user/*.cruds", None);
    let mut parts = good.split('.');
    let (header, claims, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let none = base64url(r#"{"alg":"none","typ":"JWT"}"#);
    let mut forged = URL_SAFE_NO_PAD.decode(claims).unwrap();
    let text = String::from_utf8(forged.clone()).unwrap().replace("dr-weiss", "dr-black");
    forged = text.into_bytes();
    let other = Server::start();
    let elsewhere = other.token("dr-weiss", "user/*.cruds", None);
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let with_claims = |change: &dyn Fn(&mut Value)| {
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        change(&mut claims);
        format!("{header}.{}.{signature}", base64url(claims.to_string()))
    };
    let bad = [
        ("missing", None),
        ("empty", Some("Bearer ".to_owned())),
        ("garbage", Some("Bearer garbage".to_owned())),
        ("dots", Some("Bearer a.b.c".to_owned())),
        ("another scheme", Some(format!("Basic {}", STANDARD.encode("dr-weiss:secret")))),
        ("no scheme", Some(good.clone())),
        ("unsigned", Some(format!("Bearer {none}.{claims}."))),
        ("unsigned with signature", Some(format!("Bearer {none}.{claims}.{signature}"))),
        ("without signature", Some(format!("Bearer {header}.{claims}."))),
        ("wrongly signed", Some(format!("Bearer {header}.{claims}.{flipped}{}", &signature[1..]))),
        ("forged", Some(format!("Bearer {header}.{}.{signature}", base64url(forged)))),
        ("another server's", Some(format!("Bearer {elsewhere}"))),
        (
            "expired",
            Some(format!(
                "Bearer {}",
                server.token_with("dr-weiss", "user/*.cruds", None, "chartlog", 60, 3600)
            )),
        ),
        (
            "another audience",
            Some(format!(
                "Bearer {}",
                server.token_with("dr-weiss", "user/*.cruds", None, "elsewhere", 3600, 0)
            )),
        ),
        (
            "another issuer",
            Some(format!(
                "Bearer {}",
                with_claims(&|claims| claims["iss"] = json!("https://evil.example"))
            )),
        ),
        (
            "without issuer",
            Some(format!(
                "Bearer {}",
                with_claims(&|claims| {
                    claims.as_object_mut().unwrap().remove("iss");
                })
            )),
        ),
        ("too long", Some(format!("Bearer {}", "x".repeat(20_000)))),
    ];
    for (name, header) in &bad {
        for target in [format!("/fhir/Patient/{owner}"), format!("/v1/patients/{owner}/chart")] {
            let mut request = server.anonymous().request("GET", &target);
            if let Some(header) = header {
                request = request.header("authorization", header.clone());
            }
            let (response, entry) = traced(server, request);
            let response = if target.starts_with("/fhir") {
                response.refused(401, &["token"])
            } else {
                response.problem(401, &["token"])
            };
            let challenge = response
                .header("www-authenticate")
                .unwrap_or_else(|| panic!("{name}: no challenge"));
            assert!(challenge.starts_with("Bearer realm="), "{name}: {challenge}");
            assert!(!response.text().contains("Quist"), "{name}");
            assert_eq!(
                (&entry["outcome"], &entry["status"]),
                (&json!("refused"), &json!(401)),
                "{name}"
            );
            assert!(entry.get("subject").is_none(), "{name}: nobody is to blame: {entry}");
            assert_eq!(entry["address"], "127.0.0.1");
        }
    }
    // The same token, untouched, opens the door.
    server.with_token(&good).get(&format!("/fhir/Patient/{owner}")).expect(200);
}

#[test]
fn a_token_wears_out_while_the_server_remembers_it() {
    let server = Setup::default().set("auth.leeway_seconds=0").start();
    server.clinician().put(&patient("p")).expect(201);
    let short =
        server.with_token(server.token_with("dr-weiss", "user/*.cruds", None, "chartlog", 2, 0));
    short.get("/fhir/Patient/p").expect(200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let response = short.get("/fhir/Patient/p");
        if response.status == 401 {
            response.refused(401, &["expired"]);
            break;
        }
        response.expect(200);
        assert!(std::time::Instant::now() < deadline, "the token never expires");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_scheme_is_not_case_sensitive() {
    let token = shared().token("dr-weiss", "user/*.cruds", None);
    let request = shared().anonymous().request("GET", "/fhir/Patient?_count=1");
    request.header("authorization", format!("bEARER  {token}")).send().expect(200);
}

#[test]
fn each_letter_of_a_scope_opens_its_own_door_only() {
    let server = shared();
    let clinician = server.clinician();
    let owner = unique("p");
    clinician.put(&patient(&owner)).expect(201);
    let allowed = |scope: &str| -> String {
        let actor = server.actor("someone", scope);
        let value = unique("o");
        let mut open = String::new();
        let mut door = |letter: char, response: Response| match response.status {
            200..=299 => open.push(letter),
            403 => drop(response.refused(403, &[])),
            _ => panic!("{scope} {letter}: {} {}", response.status, response.text()),
        };
        door('c', actor.put(&observation(&value, &owner)));
        clinician.put(&observation(&value, &owner));
        let target = format!("/fhir/Observation/{value}");
        door('r', actor.get(&target));
        door('h', actor.get(&format!("{target}/_history")));
        door('v', actor.get(&format!("{target}/_history/1")));
        let mut changed = observation(&value, &owner);
        changed["status"] = json!("amended");
        door('u', actor.put(&changed));
        door('s', actor.get(&format!("/fhir/Observation?_id={value}")));
        door('d', actor.delete(&target));
        door('p', actor.get(&format!("/fhir/Patient/{owner}")));
        open
    };
    for (scope, expected) in [
        ("", ""),
        ("openid launch", ""),
        ("user/Observation.c", "c"),
        ("user/Observation.r", "rhv"),
        ("user/Observation.u", "u"),
        ("user/Observation.d", "d"),
        ("user/Observation.s", "s"),
        ("user/Observation.cruds", "crhvusd"),
        ("system/*.rs", "rhvsp"),
        ("user/Observation.sr", ""),
        ("user/Observation.read", "rhvs"),
        ("user/Observation.write", "cud"),
        ("user/Observation.*", "crhvusd"),
        ("user/Observation.rs?nonsense=1", ""),
        ("user/observation.cruds", ""),
        ("patient/*.cruds", ""),
        ("user/Patient.rs user/Observation.r", "rhvp"),
    ] {
        assert_eq!(allowed(scope), expected, "{scope:?}");
    }
}
