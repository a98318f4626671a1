//! Views of programs' own, as in `examples/`: kept over a connection that breaks, by a program that is killed and a server that is
//! killed, they are those of one undisturbed run, and what the server's own charts say.

#[path = "../../../examples/account_ledger/account.rs"]
mod account;
#[path = "../../../examples/bed_board/board.rs"]
mod board;
mod expected;
mod proxy;
#[path = "../../../examples/shared/mod.rs"]
mod shared;
#[path = "../../../examples/stock_ledger/stock.rs"]
mod stock;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use chartlog::clock::Instant;
use chartlog::feed::projection::{
    Batch, Event, FeedError, FollowError, HttpFeed, Projection, follow,
};
use chartlog::numbers::Position;
use serde_json::json;

use self::account::Accounts;
use self::board::BedBoard;
use self::expected::Told;
use self::proxy::Proxy;
use self::shared::Fold;
use self::shared::hospital::{Hospital, Request};
use self::shared::ledger::sum;
use self::shared::saved::Saved;
use self::stock::Stock;
use crate::harness::{Actor, Server};

fn send(actor: &Actor, request: &Request) {
    let target = format!("/fhir/{}", request.target);
    let sent = actor.request(request.method, target.trim_end_matches('/'));
    let answer = match &request.body {
        Some(body) => sent.json(body).send(),
        None => sent.send(),
    };
    assert!((200..300).contains(&answer.status), "{}", answer.text());
}

/// All events of some types, of a whole log.
#[derive(Default)]
struct All(Vec<Event>, Position);

impl Projection for All {
    type Error = String;

    fn position(&self) -> Result<Position, String> {
        Ok(self.1)
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), String> {
        assert!(batch.events.last().is_none_or(|event| event.ends_commit));
        self.0.extend(batch.events.iter().cloned());
        self.1 = batch.next;
        Ok(())
    }
}

fn feed(base: &str, token: &str, types: &str) -> HttpFeed<impl FnMut() -> Result<String, String>> {
    let token = token.to_owned();
    let feed = HttpFeed::new(base, move || Ok(token.clone()));
    feed.with("include", "resource").with("type", types)
}

fn all(server: &Server, types: &str) -> Vec<Event> {
    let token = server.token("replay", "user/*.rs", None);
    let mut all = All::default();
    follow(&mut feed(&server.base, &token, types).to_the_end(), &mut all, |_| true).unwrap();
    all.0
}

fn folded<'a, V: Fold>(events: impl IntoIterator<Item = &'a Event>) -> V {
    let mut view = V::default();
    events.into_iter().for_each(|event| view.take(event));
    view
}

/// A view in a file whose program dies with a batch: before it is written, before it is in place, or behind that.
struct Mortal<V> {
    saved: Saved<V>,
    /// The view behind each batch that is in place.
    past: Vec<(Position, V)>,
    batches_left: u64,
    way: u64,
}

impl<V: Fold> Projection for Mortal<V> {
    type Error = String;

    fn position(&self) -> Result<Position, String> {
        self.saved.position().map_err(|error| error.to_string())
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), String> {
        let is_last = self.batches_left == 0;
        self.batches_left = self.batches_left.saturating_sub(1);
        match self.way % 3 {
            0 if is_last => {}
            1 if is_last => drop(self.saved.write().unwrap()),
            _ => {
                self.saved.apply(batch).unwrap();
                self.past.push((batch.next, self.saved.view.clone()));
            }
        }
        if is_last { Err("killed".to_owned()) } else { Ok(()) }
    }
}

/// Keeps a view up to a position that is known later, dying again and again. Returns it as it was behind each batch and whenever it
/// was taken up.
fn kept<V: Fold>(
    file: &Path,
    base: &str,
    token: &str,
    types: &str,
    end: &AtomicU64,
) -> Vec<(Position, V)> {
    let (mut views, mut random) = (Vec::new(), 7u64);
    loop {
        let saved = Saved::<V>::open(file).unwrap();
        let position = saved.position().unwrap();
        views.push((position, saved.view.clone()));
        if position.get() >= end.load(Ordering::Relaxed) {
            return views;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (batches_left, way) = ((random >> 33) % 5, (random >> 40) % 3);
        let mut mortal = Mortal { saved, past: Vec::new(), batches_left, way };
        let is_short = |batch: &Batch| batch.next.get() < end.load(Ordering::Relaxed);
        match follow(&mut feed(base, token, types), &mut mortal, is_short) {
            Ok(()) | Err(FollowError::View(_)) => {}
            Err(error) => panic!("{error}"),
        }
        views.append(&mut mortal.past);
    }
}

/// The places in a log, and what the views were there.
struct Outcome<V> {
    views: Vec<(Position, V)>,
    events: Vec<Event>,
}

/// The last event before a position, and whether the next one was recorded later: then a moment says the same as the position.
fn last_before(events: &[Event], position: Position) -> Option<(&Event, bool)> {
    let behind = events.partition_point(|event| event.position < position);
    let last = events[..behind].last()?;
    Some((last, events.get(behind).is_none_or(|next| next.recorded_at > last.recorded_at)))
}

impl<V: Fold + PartialEq> Outcome<V> {
    /// Asserts that each view is what an undisturbed run makes of the same events, and that what such a run makes at places all over
    /// the log is what the charts of the server make of them.
    fn holds(&self, told: &Told<'_>, is_so: impl Fn(&V, &Told<'_>, &[Event], Option<Instant>)) {
        for (position, view) in &self.views {
            let before = self.events.iter().filter(|event| event.position < *position);
            assert!(*view == folded(before), "another at {position}");
        }
        let (last, view) = self.views.last().unwrap();
        assert!(self.events.iter().all(|event| event.position < *last));
        assert!(*view == folded(&self.events), "another at the end");
        let mut moments = 0;
        for before in self.places(7) {
            let (event, is_alone) = last_before(&self.events, before).unwrap();
            let events = &self.events[..self.events.partition_point(|it| it.position < before)];
            let moment = is_alone.then_some(event.recorded_at);
            is_so(&folded(events), told, events, moment);
            moments += u32::from(is_alone);
        }
        assert!(moments >= 3, "{moments} moments");
    }

    /// Positions behind whole commits, evenly over the log, the last one at its end.
    fn places(&self, count: usize) -> Vec<Position> {
        let ends = self.events.iter().filter(|event| event.ends_commit);
        let ends: Vec<Position> = ends.map(|event| event.position.next()).collect();
        assert!(ends.len() >= count, "{} commits", ends.len());
        (1..=count).map(|number| ends[ends.len() * number / count - 1]).collect()
    }
}

#[test]
fn views_equal_the_charts_at_every_position_through_kills_of_all_sides() {
    let server = Server::start();
    let token = server.token("examples", "user/*.rs", None);
    let proxy = Proxy::start(server.address);
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    let end = AtomicU64::new(u64::MAX);
    let (server, boards, stocks, accounts) = std::thread::scope(|scope| {
        let mut server = server;
        let boards = scope
            .spawn(|| kept::<BedBoard>(&file("board"), &proxy.base, &token, board::TYPES, &end));
        let stocks =
            scope.spawn(|| kept::<Stock>(&file("stock"), &proxy.base, &token, stock::TYPES, &end));
        let accounts = scope.spawn(|| {
            kept::<Accounts>(&file("accounts"), &proxy.base, &token, account::TYPES, &end)
        });
        let mut hospital = Hospital::new(11);
        send(&server.clinician(), &Hospital::opening());
        for _ in 0..3 {
            for _ in 0..60 {
                send(&server.clinician(), &hospital.next());
            }
            server = server.restart();
            proxy.lead_to(server.address);
        }
        // One more of each type, so that each view sees the end.
        let length = server.log_length();
        for number in 0.. {
            send(&server.clinician(), &hospital.next());
            let types = [board::TYPES, stock::TYPES, account::TYPES];
            let newest = |types: &&str| {
                let from = format!("/v1/events?from={length}&limit=1000&type={types}");
                let page = server.clinician().get(&from).expect(200).json();
                page["events"].as_array().unwrap().last().and_then(|it| it["position"].as_u64())
            };
            if let Some(least) = types.iter().map(newest).min().flatten() {
                end.store(least + 1, Ordering::Relaxed);
                break;
            }
            assert!(number < 1_000, "the hospital does not do everything");
        }
        (server, boards.join().unwrap(), stocks.join().unwrap(), accounts.join().unwrap())
    });
    assert!(proxy.cut() > 10, "{} connections were cut", proxy.cut());
    let end = Position::new(end.load(Ordering::Relaxed));
    let all_types = [board::TYPES, stock::TYPES, account::TYPES].join(",");
    let happened = all(&server, &all_types);
    for word in [".amended", ".retracted", ".removed", ".restored", ".moved-out"] {
        let is_so = |event: &Event| event.event_type.ends_with(word);
        assert!(happened.iter().any(is_so), "nothing was {word}");
    }
    let told = Told::by(&server);
    let outcome_of = |types: &str| -> Vec<Event> { all(&server, types) };

    let is_board = |view: &BedBoard, told: &Told<'_>, events: &[Event], moment: Option<Instant>| {
        let stays = told.at(events, moment, board::stays);
        let clock = Hospital::new(0).time();
        let start = Instant::parse(&clock).unwrap().micros();
        for minutes in [0, 60, 600, 1_500, 3_000] {
            let minute = Instant::from_micros(start + minutes * 60_000_000);
            assert_eq!(view.at(minute), board::board(&stays, minute));
        }
    };
    outcome(boards, outcome_of(board::TYPES), end).holds(&told, is_board);
    let is_stock = |view: &Stock, told: &Told<'_>, events: &[Event], moment: Option<Instant>| {
        let amounts = told.at(events, moment, stock::amounts);
        assert_eq!(view.at(events.last().unwrap().recorded_at), sum(&amounts));
    };
    outcome(stocks, outcome_of(stock::TYPES), end).holds(&told, is_stock);
    let is_account = |view: &Accounts, told: &Told<'_>, events: &[Event], at: Option<Instant>| {
        let amounts = told.at(events, at, account::amounts);
        let balances = view.at(events.last().unwrap().recorded_at);
        assert_eq!(balances, sum(&amounts));
        assert_eq!(balances.values().sum::<i128>(), 0);
    };
    let accounts = outcome(accounts, outcome_of(account::TYPES), end);
    accounts.holds(&told, is_account);

    // What is known now about any past moment is what was the balance then.
    let last = &accounts.views.last().unwrap().1;
    let mut moments = 0;
    for before in accounts.places(12) {
        if let Some((event, true)) = last_before(&accounts.events, before) {
            let events = accounts.events.iter().filter(|it| it.position < before);
            let then = folded::<Accounts>(events).at(event.recorded_at);
            assert_eq!(last.at(event.recorded_at), then);
            moments += 1;
        }
    }
    assert!(moments >= 5);
}

/// Without what came behind the end while the views were looked for.
fn outcome<V>(views: Vec<(Position, V)>, mut events: Vec<Event>, end: Position) -> Outcome<V> {
    let last = views.last().unwrap().0;
    assert!(last >= end);
    events.retain(|event| event.position < last);
    Outcome { views, events }
}

#[test]
fn nothing_is_left_of_an_erased_chart() {
    let server = Server::start();
    send(&server.clinician(), &Hospital::opening());
    let mut hospital = Hospital::new(3);
    for _ in 0..120 {
        send(&server.clinician(), &hospital.next());
    }
    let folder = tempfile::TempDir::new().unwrap();
    let token = server.token("examples", "user/*.rs", None);
    let caught_up = |name: &str| {
        let mut saved = Saved::<Accounts>::open(folder.path().join(name)).unwrap();
        let feed = feed(&server.base, &token, account::TYPES);
        follow(&mut feed.to_the_end(), &mut saved, |_| true).unwrap();
        saved.view
    };
    let before = caught_up("kept");
    let reasons = json!({ "reason": "asked for by the patient", "basis": "GDPR Art. 17(1)(b)" });
    server.entitled().post("/v1/patients/ward-2/erasure", &reasons).expect(200);
    let after = caught_up("kept");
    assert!(before != after, "the chart had nothing in it");
    assert_eq!(after, caught_up("fresh"));
    let past = Instant::now();
    let told = Told::by(&server).without("ward-2");
    assert_eq!(
        after.at(past),
        sum(&told.at(&all(&server, account::TYPES), None, account::amounts))
    );
}

#[test]
fn what_another_try_would_not_change_is_told_at_once() {
    let server = Server::start();
    let refused = |token: &str, from: u64, parameter: (&str, &str)| {
        let token = token.to_owned();
        let feed = HttpFeed::new(&server.base, move || Ok(token.clone()));
        let mut all = All(Vec::new(), Position::new(from));
        let (name, value) = parameter;
        match follow(&mut feed.with(name, value).to_the_end(), &mut all, |_| true) {
            Err(FollowError::Feed(FeedError::Refused { status, detail })) => (status, detail),
            other => panic!("{other:?}"),
        }
    };
    let good = server.token("examples", "user/*.rs", None);
    let types = ("type", "Encounter");
    assert_eq!(refused("nonsense", 0, types).0, 401);
    assert_eq!(refused(&server.token("x", "user/Patient.rs", None), 0, types).0, 403);
    let (status, detail) = refused(&good, 7, types);
    assert!(status == 400 && detail.contains("another log"), "{status} {detail}");
    let (status, detail) = refused(&good, 0, ("type", "Encounters & more"));
    assert!(status == 400 && detail.contains("Encounters & more"), "{status} {detail}");
}
