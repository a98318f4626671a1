//! Both sides are killed at random points, while several write: in the end the stream has every event once, in order.
//!
//! `CHARTLOG_FEED_KILLS` says how often.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::setup;
use crate::harness::{Actor, Line, Stream, observation, patient, sized};
use crate::webhooks::wait_for;

const WRITERS: u64 = 4;
/// Longest time between two kills.
const LIFE_MS_MAX: u64 = 1_500;

/// Ends the writers, also when the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_stream_holds_every_event_once_and_in_order_whoever_is_killed() {
    let Some(mut broker) = Broker::start() else { return };
    let mut server = setup(&broker).set("nats.filter=include=resource").start();
    server.clinician().put(&patient("p0")).expect(201);
    server.clinician().put(&patient("p1")).expect(201);
    let token = server.token("dr-weiss", "user/*.cruds", None);
    let mut seed = u64::from(std::process::id()) | 1 << 40;
    println!("seed {seed}");
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let number = AtomicU64::new(0);
    let (mut kills, mut broker_kills, mut both) = (0, 0, 0);
    for _ in 0..sized("CHARTLOG_FEED_KILLS", 12) {
        let (is_over, is_killed) = (AtomicBool::new(false), AtomicBool::new(true));
        let address = server.address;
        std::thread::scope(|scope| {
            let _end = End(&is_over);
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    let actor = Actor::new(address, Some(token.clone()));
                    while !is_over.load(Ordering::Relaxed) {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        let (id, owner) = (format!("k{number}"), format!("p{}", number % 2));
                        let target = format!("/fhir/Observation/{id}");
                        let resource = observation(&id, &owner);
                        let request = actor.request("PUT", &target).json(&resource);
                        let Some(mut answer) = Stream::open(request) else { break };
                        while matches!(answer.line(), Line::Text(_)) {}
                    }
                });
            }
            // A random point: of the writes, or of the stream, which is behind.
            let (written, published) = (random(60), random(60));
            let deadline = Instant::now() + Duration::from_millis(random(LIFE_MS_MAX));
            let writes = number.load(Ordering::Relaxed) + written;
            let sequence = broker.sequence("chartlog").unwrap_or_default() + published;
            wait_for("nothing is written", || {
                let is_due = number.load(Ordering::Relaxed) >= writes
                    && broker.sequence("chartlog").unwrap_or_default() >= sequence;
                (is_due || Instant::now() > deadline).then_some(())
            });
            match random(3) {
                0 => {
                    server.signal("-KILL");
                    kills += 1;
                }
                1 => {
                    broker.kill();
                    broker_kills += 1;
                    is_killed.store(false, Ordering::Relaxed);
                    // What is written meanwhile waits.
                    let more = number.load(Ordering::Relaxed) + random(40);
                    wait_for("nothing is written without a broker", || {
                        (number.load(Ordering::Relaxed) >= more).then_some(())
                    });
                    broker.restart();
                }
                _ => {
                    broker.kill();
                    server.signal("-KILL");
                    broker.restart();
                    both += 1;
                }
            }
        });
        if is_killed.into_inner() {
            server = server.restart();
        }
    }
    let length = server.log_length();
    let messages = broker.wait_for("chartlog", length);
    let positions: Vec<u64> = messages.iter().map(super::Message::position).collect();
    assert_eq!(positions, (0..length).collect::<Vec<_>>());
    for message in &messages {
        assert_eq!(message.body["position"], message.position());
    }
    println!(
        "kills of the server {kills}, of the broker {broker_kills}, of both {both}; events {length}, each once"
    );
}
