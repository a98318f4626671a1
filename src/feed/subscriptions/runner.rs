//! The run of one subscription: scans the log, sends what waits, and notes what has become of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::context::Context;
use super::entry::{Entry, State, What};
use super::progress::{Fate, Retry};
use super::seeing::{Blind, Desire, Seeing};
use super::sending::{Outcome, Sent, aside, deliver};
use super::tending::tend;
use crate::clock;
use crate::feed::backoff;
use crate::numbers::Position;

/// Events that wait at the same time, about: then nothing is scanned.
const WAITING_MAX: usize = 2_000;
/// Events that one look at the log opens.
const SCAN_EVENTS: usize = 500;
/// The log is not looked at more often, so that a busy one is scanned in stretches.
const PACE: Duration = Duration::from_millis(10);
/// Progress is not written more often: after a crash, what came in between is sent again.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// The same where only places without anything for this subscription were passed.
const SAVE_PLACE_EVERY: Duration = Duration::from_secs(30);
/// Longest wait before an event is sent again, unless its receiver asks for more.
const RETRY_MAX: Duration = Duration::from_secs(10 * 60);
/// Wait after the store could not be read or the access log not be written.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// How long deliveries that are on the way are waited for in the end.
const STOPPING: Duration = Duration::from_secs(3);

/// Runs a subscription until it is deleted, or the server stops.
pub async fn run(context: Arc<Context>, entry: Arc<Entry>) {
    let is_fhir = entry.with(|state| state.standing().is_some());
    let visible = match is_fhir {
        // A change of the Subscription holds for every event that is recorded after it.
        true => Some(context.known.subscribe()),
        false => context.records.upgrade().map(|records| records.visible()),
    };
    let Some(visible) = visible else { return };
    let stop = context.stop.clone();
    let runner = Runner {
        context,
        entry,
        visible,
        stop,
        is_fhir,
        has_new_numbers: false,
        run: 0,
        seeing: None,
        told: BTreeSet::new(),
        sending: JoinSet::new(),
        rests_until: None,
        save_at: None,
    };
    runner.run().await;
}

struct Runner {
    context: Arc<Context>,
    entry: Arc<Entry>,
    /// Up to where events are looked for.
    visible: watch::Receiver<Position>,
    stop: watch::Receiver<bool>,
    /// Whether it is a resource, whose events have numbers.
    is_fhir: bool,
    /// Whether numbers were given that are not on disk yet.
    has_new_numbers: bool,
    /// Of what is being read and sent.
    run: u64,
    seeing: Option<Arc<Seeing>>,
    /// What the access log has told of in this run.
    told: BTreeSet<Position>,
    sending: JoinSet<Sent>,
    /// Nothing is begun before.
    rests_until: Option<Instant>,
    /// When the file is to be written.
    save_at: Option<Instant>,
}

impl Runner {
    async fn run(mut self) {
        while !self.entry.with(|state| state.is_deleted) && !self.is_stopping() {
            let is_active = self.begin().await;
            self.save_if_due().await;
            self.wait(is_active).await;
        }
        let deadline = Instant::now() + STOPPING;
        while let Ok(Some(Ok(sent))) = timeout_at(deadline, self.sending.join_next()).await {
            self.settle(sent);
        }
        self.save().await;
    }

    /// Scans, and begins to send what may be sent. False: it is paused, or rests.
    async fn begin(&mut self) -> bool {
        let (run, is_paused) = self.entry.with(|state| (state.run, state.paused.is_some()));
        if run != self.run {
            // In order also across a change: what is on the way comes first.
            if !self.sending.is_empty() {
                return false;
            }
            (self.run, self.seeing, self.rests_until) = (run, None, None);
            self.told.clear();
        }
        let now = Instant::now();
        self.rests_until = self.rests_until.filter(|until| *until > now);
        if self.is_fhir {
            // What goes on as long as it takes ends with the server.
            let tended = tokio::select! {
                tended = tend(&self.context, &self.entry) => tended,
                _ = self.stop.changed() => false,
            };
            if !tended || self.rests_until.is_some() {
                return false;
            }
        } else if is_paused || self.rests_until.is_some() {
            return false;
        }
        let Some(seeing) = self.look().await else { return false };
        self.scan(&seeing).await;
        if self.has_new_numbers && !self.keep_numbers().await {
            return false;
        }
        let most = self.context.config.webhook_charts_max.saturating_sub(self.sending.len());
        let events = self.entry.with(|state| match state.run == self.run && !state.is_deleted {
            true => state.progress.start(Instant::now(), most),
            false => Vec::new(),
        });
        for event in events {
            let (context, entry) = (Arc::clone(&self.context), Arc::clone(&self.entry));
            let is_told = self.told.contains(&event.position);
            self.sending.spawn(deliver(context, entry, Arc::clone(&seeing), event, is_told));
        }
        true
    }

    /// What its owner sees; `None`: nothing now.
    async fn look(&mut self) -> Option<Arc<Seeing>> {
        if let Some(seeing) = &self.seeing {
            return Some(Arc::clone(seeing));
        }
        let (owner, desire) = self.entry.with(|state| (state.owner.clone(), desire(state)));
        let desire = desire?;
        let (context, id) = (Arc::clone(&self.context), self.entry.id.clone());
        let looked =
            aside(&self.context, move |records| Seeing::of(records, &context, &id, &owner, desire));
        match looked.await? {
            Ok(seeing) => {
                self.seeing = Some(Arc::new(seeing));
                self.seeing.clone()
            }
            Err(Blind::ForGood(reason)) => {
                self.note(true, |state| match &mut state.what {
                    What::Webhook { .. } => state.paused = Some(reason),
                    What::Fhir(standing) => standing.wanted = Err(reason),
                });
                // Of a Subscription, the log is to say so.
                self.entry.changed.notify_one();
                None
            }
            Err(Blind::ForNow(reason)) => {
                self.trouble(reason);
                None
            }
        }
    }

    /// Looks for events up to the end of the log, as far as there is room for them.
    async fn scan(&mut self, seeing: &Arc<Seeing>) {
        loop {
            let (next, waiting) = self.place();
            let head = *self.visible.borrow();
            let room = WAITING_MAX.saturating_sub(waiting).min(SCAN_EVENTS);
            if room == 0 || next >= head || self.is_stopping() {
                return;
            }
            let looking = Arc::clone(seeing);
            let found = aside(&self.context, move |records| looking.scan(records, next, room));
            let batch = match found.await {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return self.trouble(error.to_string()),
                None => return,
            };
            let (run, is_in_one_line) = (self.run, seeing.is_in_one_line());
            self.has_new_numbers |= self.is_fhir && !batch.events.is_empty();
            let is_wanted = self.note(!batch.events.is_empty(), |state| {
                // It may have been sent elsewhere meanwhile, or be another by now.
                if state.run != run {
                    return false;
                }
                for event in &batch.events {
                    let chart = event.chart.filter(|_| !is_in_one_line);
                    state.progress.admit(event.position, chart, event.ends_commit);
                }
                state.progress.next = batch.next;
                true
            });
            if !is_wanted {
                return;
            }
        }
    }

    /// Writes numbers down, before anybody is told of them.
    async fn keep_numbers(&mut self) -> bool {
        self.save().await;
        self.has_new_numbers = self.save_at.is_some();
        !self.has_new_numbers
    }

    fn is_stopping(&self) -> bool {
        // The other end is gone: that means the same.
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    fn place(&self) -> (Position, usize) {
        self.entry.with(|state| (state.progress.next, state.progress.waiting_count()))
    }

    /// Notes what has become of an event.
    fn settle(&mut self, sent: Sent) {
        let Sent { event, is_told, outcome } = sent;
        let position = event.position;
        if is_told {
            self.told.insert(position);
        }
        let now = Instant::now();
        match outcome {
            Outcome::Delivered => {
                self.told.remove(&position);
                let trouble = self.note(true, |state| {
                    state.progress.delivered(position);
                    if let Some(standing) = state.standing() {
                        (standing.sent_at, standing.unheard_since) = (now, None);
                    }
                    state.trouble.take()
                });
                if trouble.is_some() {
                    tracing::info!(subscription = self.entry.id, "events are delivered again");
                }
            }
            Outcome::Nothing => self.note(true, |state| state.progress.delivered(position)),
            Outcome::Held(reason) => {
                self.trouble(reason);
                self.note(false, |state| state.progress.held(position, now + STORE_WAIT));
            }
            Outcome::Gone => {
                let reason = "the receiver answered 410 Gone: it wants no more".to_owned();
                let micros = clock::Instant::now().micros();
                self.note(true, |state| {
                    // Whoever resumes begins with it.
                    state.progress.held(position, now);
                    state.fails(micros, reason.clone());
                    state.paused = Some(reason);
                });
            }
            Outcome::Refused(reason) => self.fail(position, reason, Duration::ZERO, true),
            Outcome::Failed(reason, retry_after) => {
                if let Some(wait) = retry_after {
                    // Who asks for time gets it for all charts.
                    self.rests_until = self.rests_until.max(Some(now + wait));
                }
                self.fail(position, reason, retry_after.unwrap_or_default(), false);
            }
        }
    }

    /// Notes that an event was not delivered; it is parked if it has been tried long enough, or `at_once`.
    fn fail(&mut self, position: Position, reason: String, wait_min: Duration, at_once: bool) {
        let now_seconds = clock::Instant::now().seconds();
        let parked_max = self.context.config.parked_events_max;
        let is_first = self.note(true, |state| {
            let failures = state.progress.failures(position) + 1;
            if state.standing().is_some() && at_once {
                // Its number is missing at the receiver, who can ask for it; nothing is wrong with the others.
                state.progress.delivered(position);
                state.failures += 1;
                return true;
            }
            let seconds = match state.definition() {
                Some(_) if at_once => 0,
                Some(definition) => definition.retry_seconds,
                // How long that goes on is decided for the subscription as a whole.
                None => u64::MAX,
            };
            let wait = backoff::wait(failures, RETRY_MAX).max(wait_min);
            let retry = Retry { now_seconds, seconds, wait, parked_max };
            let fate = state.progress.failed(position, &reason, Instant::now(), retry);
            if fate == Fate::NoRoom {
                let full = format!(
                    "{parked_max} events are parked (feed.parked_events_max): replay or drop some, then resume"
                );
                state.paused = Some(full);
            }
            state.fails(clock::Instant::now().micros(), reason.clone())
        });
        if is_first {
            tracing::warn!(subscription = self.entry.id, reason, "an event was not delivered");
        }
    }

    /// Notes that the store does not do its part; rests for a moment.
    fn trouble(&mut self, reason: String) {
        self.rests_until = Some(Instant::now() + STORE_WAIT);
        let now = clock::Instant::now().micros();
        if self.note(false, |state| state.fails(now, reason.clone())) {
            tracing::warn!(subscription = self.entry.id, reason, "events cannot be delivered");
        }
    }

    /// Notes something in the state, which is written down soon, or sometime.
    fn note<T>(&mut self, is_soon: bool, note: impl FnOnce(&mut State) -> T) -> T {
        let at = Instant::now() + if is_soon { SAVE_EVERY } else { SAVE_PLACE_EVERY };
        self.save_at = Some(self.save_at.map_or(at, |save_at| save_at.min(at)));
        self.entry.with(note)
    }

    async fn save_if_due(&mut self) {
        if self.save_at.is_some_and(|at| at <= Instant::now()) {
            self.save().await;
        }
    }

    async fn save(&mut self) {
        self.save_at = None;
        let entry = Arc::clone(&self.entry);
        let saved = tokio::task::spawn_blocking(move || entry.save()).await;
        if let Ok(Err(error)) = saved {
            // What the file says is true as well: after a crash more is sent again.
            tracing::warn!(subscription = self.entry.id, %error, "progress was not written");
            self.save_at = Some(Instant::now() + SAVE_EVERY);
        }
    }

    /// Waits until something has happened, or is due.
    async fn wait(&mut self, is_active: bool) {
        let (next, waiting) = self.place();
        let has_room = is_active && waiting < WAITING_MAX;
        let retry_at =
            match is_active && self.sending.len() < self.context.config.webhook_charts_max {
                true => self.entry.with(|state| state.progress.due_at()),
                false => None,
            };
        let due_at = self.entry.with(|state| {
            let is_idle = waiting == 0;
            state.standing().and_then(|standing| standing.due_at(is_idle))
        });
        let due = [self.save_at, self.rests_until, retry_at, due_at].into_iter().flatten().min();
        tokio::select! {
            Some(Ok(sent)) = self.sending.join_next() => self.settle(sent),
            () = self.entry.changed.notified() => {}
            _ = self.stop.changed() => {}
            () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {}
            moved = moved(&mut self.visible, next), if has_room => {
                if !moved {
                    // The store is closed: nothing will come any more.
                    let _ = self.stop.changed().await;
                }
            }
        }
    }
}

/// What a subscription is to do; `None`: that is not known.
fn desire(state: &mut State) -> Option<Desire> {
    match &state.what {
        What::Webhook { definition, .. } => Some(Desire::Webhook(definition.definition.clone())),
        What::Fhir(standing) => standing.wanted.clone().ok().map(Desire::Fhir),
    }
}

/// Done a moment after there is something behind a place; false: there never will be.
async fn moved(visible: &mut watch::Receiver<Position>, next: Position) -> bool {
    if visible.wait_for(|head| *head > next).await.is_err() {
        return false;
    }
    sleep_until(Instant::now() + PACE).await;
    true
}
