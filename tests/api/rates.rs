//! Who asks too often is turned away, and nobody else is.

use serde_json::json;

use crate::harness::{Response, Setup, Socket, accesses_of_request, patient};

/// What may come at once; then it is one in a second, the slowest rate that there is.
const BURST: u32 = 20;

#[track_caller]
fn turned_away(answer: Response) {
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.refused(429, &["throttled", "more often than it may"]);
}

#[test]
fn a_token_that_is_used_too_often_is_refused_and_the_others_are_served() {
    let server = Setup::default()
        .set("limits.requests_per_second_per_token=1")
        .set(&format!("limits.burst_per_token={BURST}"))
        .set("limits.stranger_entries_max=3")
        .start();
    let (eager, calm) = (server.clinician(), server.actor("calm", "user/*.cruds"));
    calm.put(&patient("p")).expect(201);
    let asked: Vec<Response> = (0..10 * BURST)
        .map(|number| {
            let request = eager.request("GET", "/fhir/Patient/p");
            request.header("x-request-id", format!("eager-{number}")).send()
        })
        .collect();
    let served = asked.iter().filter(|answer| answer.status == 200).count();
    // The burst, and one for each second that it took.
    assert!(served >= BURST as usize && served < asked.len(), "{served}");
    let first = asked.iter().position(|answer| answer.status == 429).unwrap();
    assert!(first >= BURST as usize, "{first}");
    turned_away(asked[first].clone());
    calm.get("/fhir/Patient/p").expect(200);
    // The first are told of one by one; nobody fills the disk with the others.
    let entries = accesses_of_request(&server, &format!("eager-{first}"));
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["status"], &entries[0]["outcome"]), (&json!(429), &json!("refused")));
    assert_eq!(entries[0]["address"], "127.0.0.1");
    let told = |number: &usize| accesses_of_request(&server, &format!("eager-{number}")).len();
    let refused = (0..asked.len()).filter(|number| asked[*number].status == 429);
    let refused: Vec<usize> = refused.skip(3).take(5).collect();
    // A minute that turned meanwhile begins anew with three.
    let singles: usize = refused.iter().map(told).sum();
    assert!(refused.len() == 5 && singles <= 3, "{singles} of {}", refused.len());
}

#[test]
fn an_address_that_asks_too_often_is_refused_whatever_it_sends_and_others_are_served() {
    let server = Setup::default()
        .set("limits.requests_per_second_per_address=1")
        .set(&format!("limits.burst_per_address={BURST}"))
        .set("server.trusted_proxies=127.0.0.1")
        .start();
    let clinician = server.clinician();
    let ask = |target: &str, from: &str, token: bool| {
        let actor = if token { clinician.clone() } else { server.anonymous() };
        actor.request("GET", target).header("x-forwarded-for", from).send()
    };
    let exhausted = |from: &str, target: &str, token: bool| {
        (0..10 * BURST).map(|_| ask(target, from, token)).find(|answer| answer.status == 429)
    };
    // With a token, without one, for an address that is none, and for what needs no token.
    turned_away(exhausted("192.0.2.1", "/fhir/Patient", true).unwrap());
    turned_away(exhausted("192.0.2.2", "/fhir/Patient", false).unwrap());
    let none = exhausted("192.0.2.3", "/none", true).unwrap();
    none.problem(429, &["more often than it may"]);
    turned_away(exhausted("192.0.2.4", "/fhir/metadata", false).unwrap());
    ask("/fhir/Patient", "192.0.2.9", true).expect(200);
    // What orchestrators ask is not counted.
    let health = (0..10 * BURST).all(|_| ask("/health/live", "192.0.2.1", false).status == 200);
    assert!(health);
    // Nor does a WebSocket get past it.
    let headers = [("x-forwarded-for", "192.0.2.5")];
    let refused = (0..10 * BURST)
        .find_map(|_| Socket::open(&server.anonymous(), "/v1/events", &headers).err());
    refused.unwrap().problem(429, &[]);
}
