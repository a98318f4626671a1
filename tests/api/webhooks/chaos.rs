//! A receiver that fails, hangs and answers 500 at random, and a server that is killed.
//!
//! `CHARTLOG_FEED_EVENTS` and `CHARTLOG_FEED_KILLS` say how large: by default it is a matter of seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::json;

use super::receiver::{Happened, Reaction, Receiver, wait_for};
use super::{setup, subscribe, wait_until, wait_until_done, wait_until_written};
use crate::feed::lines;
use crate::harness::{bundle, entry, observation, patient, sized};

const CHARTS: usize = 8;
/// Most events of one commit, if there are to be many.
const COMMIT_MAX: u64 = 40;
/// The receiver does wrong 7 times in so many deliveries; of many events, less often: each costs up to a second.
const CHANCES_MIN: u64 = 20;
const EVENTS_PER_CHANCE: u64 = 200;

/// A random number below a limit (xorshift).
fn random(seed: &Mutex<u64>, limit: u64) -> u64 {
    let mut state = seed.lock().unwrap();
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % limit
}

#[test]
fn every_event_arrives_in_the_order_of_its_chart_whatever_fails() {
    let seed = u64::from(std::process::id()) | 1 << 40;
    println!("seed {seed}");
    let (events, kills) = (sized("CHARTLOG_FEED_EVENTS", 80), sized("CHARTLOG_FEED_KILLS", 5));
    let share = events / kills / CHARTS as u64;
    let commit = (share / 50).clamp(2, COMMIT_MAX);
    let commits = (share / commit).max(1);
    let chances = CHANCES_MIN.max(events / EVENTS_PER_CHANCE);
    let chance = Mutex::new(seed);
    let receiver = Receiver::start(move |_, _| match random(&chance, chances) {
        0..3 => Reaction::Answer(500, ""),
        3 => Reaction::Answer(503, "retry-after: 1\r\n"),
        4 => Reaction::Hang,
        5..7 => Reaction::Break,
        _ => Reaction::Answer(200, ""),
    });
    let mut server = setup().start();
    let chart = |number: usize| format!("c{number}");
    for number in 0..CHARTS {
        server.clinician().put(&patient(&chart(number))).expect(201);
    }
    let (id, _) = subscribe(&server.entitled(), &receiver, json!({ "from": 0 }));
    for round in 0..kills {
        let clinician = server.clinician();
        for (at, number) in (0..commits).flat_map(|at| (0..CHARTS).map(move |it| (at, it))) {
            let owner = chart(number);
            let observation = |part: u64| {
                let id = format!("{part}-{round}-{at}-{number}");
                entry("PUT", &format!("Observation/{id}"), observation(&id, &owner))
            };
            let all: Vec<_> = (0..commit).map(observation).collect();
            clinician.post("/fhir", &bundle("transaction", &all)).expect(200);
        }
        // Killed while deliveries are on the way and behind the last note of its place.
        let enough = receiver.came() + 5 + (share * CHARTS as u64 / 2) as usize;
        wait_for("deliveries do not come", || (receiver.came() >= enough).then_some(()));
        server = server.restart();
    }
    let owner = server.entitled();
    wait_until_done(&owner, &id);

    let events = lines(&server.clinician(), "from=0");
    let events = events.iter().filter(|event| event["position"].is_u64());
    let mut expected: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut charts = BTreeMap::new();
    for event in events {
        let (at, name) =
            (event["position"].as_u64().unwrap(), event["chart"].as_str().unwrap_or(""));
        charts.insert(at, name.to_owned());
        expected.entry(name.to_owned()).or_default().insert(at);
    }
    assert!(expected.len() >= CHARTS);
    let all = charts.len();
    for happened in receiver.happened() {
        match happened {
            Happened::Came(at) => {
                let missing = expected[&charts[&at]].first().filter(|missing| **missing < at);
                assert_eq!(missing, None, "{at} came before one of its chart");
            }
            Happened::Acknowledged(at) => {
                expected.get_mut(&charts[&at]).unwrap().remove(&at);
            }
        }
    }
    assert!(expected.values().all(BTreeSet::is_empty), "never acknowledged: {expected:?}");
    let came = receiver.came();
    assert!(came > all, "nothing failed");
    println!(
        "events {all}, kills of the server {kills}, deliveries {came}; none lost, each chart in order"
    );
}

#[test]
fn nothing_behind_what_is_told_as_position_is_lost_by_a_kill() {
    // Takes nothing of the chart `p`, and everything else.
    let receiver = Receiver::start(|delivery, _| match delivery.body["patient"] == "p" {
        true => Reaction::Break,
        false => Reaction::Answer(200, ""),
    });
    let server = setup().start();
    let (id, _) = subscribe(&server.entitled(), &receiver, json!({ "from": 0 }));
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let stuck = server.log_length() - 2;
    clinician.put(&patient("q")).expect(201);
    for number in 0..20 {
        clinician.put(&observation(&format!("o{number}"), "q")).expect(201);
    }
    let end = server.log_length();
    // The other chart does not wait for it, and the position does.
    let told = wait_until(&server.entitled(), &id, |told| told["waiting"] == 2);
    assert_eq!(told["position"], stuck, "{told}");
    wait_until_written(&server, &id);
    let delivered =
        |at: u64| receiver.deliveries().iter().filter(|one| one.position() == at).count();
    let (before, others) = (delivered(stuck), delivered(end - 1));
    let server = server.restart();
    wait_for("it is tried again", || (delivered(stuck) > before).then_some(()));
    let told = server.entitled().get(&format!("/v1/subscriptions/{id}")).expect(200).json();
    assert_eq!((&told["position"], &told["waiting"]), (&json!(stuck), &json!(2)), "{told}");
    assert_eq!(delivered(end - 1), others, "what was acknowledged is not sent again");
}
