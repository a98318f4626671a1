//! A follower that is killed and goes on, of a server that is killed, while several write.
//!
//! `CHARTLOG_FEED_EVENTS` and `CHARTLOG_FEED_KILLS` say how large: by default it is a matter of seconds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::feed::lines;
use crate::harness::{
    Actor, Line, Server, Sse, Stream, bundle, entry, observation, patient, sized,
};

const WRITERS: u64 = 3;
const CHARTS: u64 = 20;
/// Most events of one commit, if there are to be many.
const COMMIT_MAX: u64 = 40;

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Ends the writers, also when the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes commits of random sizes until it is over or nobody answers; about so many events.
fn write(
    actor: &Actor,
    number: &AtomicU64,
    (commit_max, until): (u64, u64),
    seed: u64,
    is_over: &AtomicBool,
) {
    let mut random = Random(seed);
    while !is_over.load(Ordering::Relaxed) {
        if number.load(Ordering::Relaxed) >= until {
            // The rest of its share is for the follower.
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let entries: Vec<Value> = (0..=random.below(commit_max))
            .map(|_| {
                let number = number.fetch_add(1, Ordering::Relaxed);
                let (id, owner) = (format!("k{number}"), format!("p{}", number % CHARTS));
                entry("PUT", &format!("Observation/{id}"), observation(&id, &owner))
            })
            .collect();
        let request = actor.request("POST", "/fhir").json(&bundle("transaction", &entries));
        let Some(mut answer) = Stream::open(request) else { break };
        assert_eq!(answer.status, 200);
        while matches!(answer.line(), Line::Text(_)) {}
    }
}

#[test]
fn a_follower_sees_every_position_once_and_in_order_through_kills() {
    let (events, kills) = (sized("CHARTLOG_FEED_EVENTS", 900), sized("CHARTLOG_FEED_KILLS", 6));
    let share = events / kills;
    let commit_max = (share / 100).clamp(1, COMMIT_MAX);
    let seed = u64::from(std::process::id()) | 1 << 40;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut server = Server::start();
    for chart in 0..CHARTS {
        server.clinician().put(&patient(&format!("p{chart}"))).expect(201);
    }
    // For as long as it takes.
    let token = server.token_with("dr-weiss", "user/*.cruds", None, "chartlog", 24 * 3600, 0);
    let number = AtomicU64::new(0);
    let (mut seen, mut last_id, mut resumed) = (Vec::<u64>::new(), String::new(), 0);
    for round in 1..=kills {
        let is_over = AtomicBool::new(false);
        let until = number.load(Ordering::Relaxed) + share;
        let actor = Actor::new(server.address, Some(token.clone()));
        std::thread::scope(|scope| {
            let _end = End(&is_over);
            for writer in 0..WRITERS {
                let seed = seed ^ (round * WRITERS + writer + 1);
                let (actor, number, is_over) = (&actor, &number, &is_over);
                scope.spawn(move || write(actor, number, (commit_max, until), seed, is_over));
            }
            // Killed at a random point of the last half of its share.
            let enough = seen.len() + (share - random.below(share / 2)) as usize;
            let mut is_alive = true;
            // What is still on the way when the server is killed counts as well.
            while is_alive {
                let request = actor.request("GET", "/v1/events?include=resource");
                let request = match last_id.as_str() {
                    "" => request,
                    id => request.header("last-event-id", id),
                };
                let mut sse = Sse::open(request).unwrap();
                sse.resume(&last_id);
                let until = seen.len() + random.below(share / 4) as usize;
                while is_alive && seen.len() <= until {
                    if seen.len() >= enough {
                        server.signal("-KILL");
                        is_alive = false;
                        while let Ok(event) = sse.event() {
                            seen.push(event.id.parse().unwrap());
                        }
                        break;
                    }
                    let event = sse.event().unwrap();
                    let told: Value = serde_json::from_str(&event.data).unwrap();
                    assert_eq!(told["position"].to_string(), event.id);
                    seen.push(event.id.parse().unwrap());
                }
                last_id.clone_from(&sse.last_id);
                resumed += 1;
            }
        });
        server = server.restart();
    }
    let rest = lines(&server.clinician(), &format!("after={last_id}"));
    seen.extend(rest.iter().filter_map(|event| event["position"].as_u64()));
    let length = server.log_length();
    assert!(seen.iter().copied().eq(0..length), "{} positions of {length}", seen.len());
    println!(
        "events {length}, kills of the server {kills}, of the follower {}; every position once, in order",
        resumed - kills
    );
}
