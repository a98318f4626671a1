//! What is due at a Subscription before events are looked for: that its receiver is greeted, that the log says how it
//! stands, that a silence is broken.
//!
//! ```text
//!  requested ──(the receiver answers the handshake)──► active ◄──► error: what is sent fails for a while
//!       └──────(it does not)──► error ──(then it does)──┘             └─(for days)─► off
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::entry::{Entry, State};
use super::sending::{Outcome, notify};
use crate::clock;
use crate::feed::backoff;
use crate::feed::fhir::{About, Content, Notification, NotificationType, Status, Wanted};
use crate::fhir::{ResourceKey, ResourceType};

/// How long it is tried to send something before the subscription is switched off.
const TRYING_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Longest wait before a receiver is greeted again.
const GREETING_MAX: Duration = Duration::from_secs(10 * 60);
/// Wait after the store did not do its part.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// What is due.
enum Step {
    /// Events are to be looked for.
    GoOn,
    /// Nothing, for now.
    Rest,
    /// The log is to say that it stands so.
    Stand(Status, Option<String>),
    /// A receiver is to be asked whether it is there.
    Greet(Arc<Wanted>),
    /// A silence is to be broken.
    Beat(Arc<Wanted>),
}

/// Does what is due. True: events may be looked for, and sent.
pub async fn tend(context: &Arc<Context>, entry: &Arc<Entry>) -> bool {
    loop {
        let failing_max = Duration::from_secs(context.config.subscription_error_seconds);
        match entry.with(|state| step(state, failing_max)) {
            Step::GoOn => return true,
            Step::Rest => return false,
            Step::Stand(status, reason) => stand(context, entry, status, reason).await,
            Step::Greet(wanted) => greet(context, entry, wanted).await,
            Step::Beat(wanted) => beat(context, entry, wanted).await,
        }
    }
}

fn step(state: &mut State, failing_max: Duration) -> Step {
    let is_idle = state.progress.waiting_count() == 0;
    let (failing, paused) = (failing(state), state.paused.clone());
    let Some(standing) = state.standing() else { return Step::GoOn };
    let now = Instant::now();
    standing.rests_until = standing.rests_until.filter(|until| *until > now);
    if standing.status == Status::Off || standing.rests_until.is_some() {
        return Step::Rest;
    }
    if standing.has_ended() {
        return Step::Stand(Status::Off, None);
    }
    if let Some(reason) = paused {
        return Step::Stand(Status::Off, Some(reason));
    }
    let wanted = match &standing.wanted {
        Ok(wanted) => Arc::clone(wanted),
        Err(_) if standing.status == Status::Error => return Step::Rest,
        Err(reason) => return Step::Stand(Status::Error, Some(reason.clone())),
    };
    if let Some((seconds, reason)) = &failing {
        let failing_for = Duration::from_secs(*seconds);
        if failing_for >= TRYING_MAX {
            return Step::Stand(Status::Off, Some(format!("it failed for days: {reason}")));
        }
        let is_late = failing_for >= failing_max || !standing.is_greeted;
        if is_late && standing.status != Status::Error {
            return Step::Stand(Status::Error, Some(reason.clone()));
        }
    }
    if !standing.is_greeted {
        // R4 has no handshake: what matches is the first that is sent.
        match wanted.about {
            About::Topic { .. } => return Step::Greet(wanted),
            About::Criteria { .. } => standing.is_greeted = true,
        }
    }
    if standing.status == Status::Requested || standing.status == Status::Error && failing.is_none()
    {
        return Step::Stand(Status::Active, None);
    }
    match standing.heartbeat_at() {
        Some(at) if is_idle && at <= now => Step::Beat(wanted),
        _ => Step::GoOn,
    }
}

/// For how many seconds something is not taken, and why. That the store does not do its part is no failure of the
/// subscription.
fn failing(state: &mut State) -> Option<(u64, String)> {
    let unheard_since = state.standing().and_then(|standing| standing.unheard_since);
    let since = unheard_since.into_iter().chain(state.progress.failing_since()).min()?;
    let seconds = u64::try_from(clock::Instant::now().seconds() - since).unwrap_or(0);
    let reason = state.trouble.as_ref().map_or("an event is not taken", |trouble| &*trouble.reason);
    Some((seconds, reason.to_owned()))
}

/// Writes how it stands. If somebody was faster, what they wrote comes by itself.
async fn stand(context: &Context, entry: &Entry, status: Status, reason: Option<String>) {
    let known = entry.with(|state| state.standing().map(|one| (one.version, one.has_error)));
    let (Some((version, has_error)), Some(records), Ok(id)) =
        (known, context.records.upgrade(), entry.id.parse())
    else {
        return rest(entry, STORE_WAIT);
    };
    let key = ResourceKey::new(ResourceType::SUBSCRIPTION, id);
    let told = (status, reason.as_deref());
    let written = context.server.write(&records, key, version, has_error, told).await;
    match written {
        Ok(Some(written)) => {
            tracing::info!(
                subscription = entry.id,
                status = status.as_str(),
                reason,
                "it stands so now"
            );
            entry.with(|state| {
                let standing = state.standing().filter(|standing| standing.version == version);
                if let Some(standing) = standing {
                    (standing.version, standing.status) = (written, status);
                    standing.has_error = reason.is_some();
                }
            });
        }
        Ok(None) => rest(entry, STORE_WAIT),
        Err(error) => {
            tracing::warn!(subscription = entry.id, %error, "how it stands was not written");
            rest(entry, STORE_WAIT);
        }
    }
}

/// Asks a receiver whether it is there.
async fn greet(context: &Arc<Context>, entry: &Arc<Entry>, wanted: Arc<Wanted>) {
    let outcome = send(context, entry, wanted, NotificationType::Handshake).await;
    let is_greeted = entry.with(|state| {
        let failed = note(state, outcome);
        let standing = state.standing()?;
        standing.is_greeted = !failed;
        standing.greetings_failed = if failed { standing.greetings_failed + 1 } else { 0 };
        let wait = backoff::wait(standing.greetings_failed, GREETING_MAX);
        // Nothing waits for what has to be written first: that it stands in error.
        let is_told = standing.status == Status::Error;
        standing.rests_until = (failed && is_told).then(|| Instant::now() + wait);
        Some(!failed)
    });
    if is_greeted == Some(true) {
        let entry = Arc::clone(entry);
        // If it is not written, the receiver is greeted again after a crash.
        let _ = tokio::task::spawn_blocking(move || entry.save()).await;
    }
}

/// Breaks a silence.
async fn beat(context: &Arc<Context>, entry: &Arc<Entry>, wanted: Arc<Wanted>) {
    let outcome = send(context, entry, wanted, NotificationType::Heartbeat).await;
    entry.with(|state| note(state, outcome));
}

async fn send(
    context: &Arc<Context>,
    entry: &Entry,
    wanted: Arc<Wanted>,
    notification_type: NotificationType,
) -> Outcome {
    let Some(records) = context.records.upgrade() else {
        return Outcome::Held("the store is closed".to_owned());
    };
    let (status, count) = entry.with(|state| {
        let count = state.progress.numbers().map_or(0, |numbers| numbers.last());
        (state.standing().map_or(Status::Active, |standing| standing.status), count)
    });
    let topic = match &wanted.about {
        About::Topic { canonical, content } if *content != Content::Empty => Some(&**canonical),
        _ => None,
    };
    let base = records.base_url().unwrap_or_default();
    let id = &entry.id;
    let notification = Notification {
        base,
        id,
        topic,
        status,
        error: None,
        notification_type,
        count,
        events: &[],
    };
    let body = notification.bundle();
    drop(records);
    notify(context, id, wanted, body).await
}

/// Notes what has become of a notification without events. True: it failed.
fn note(state: &mut State, outcome: Outcome) -> bool {
    let now = clock::Instant::now();
    let is_taken = matches!(outcome, Outcome::Delivered | Outcome::Nothing);
    if let Some(standing) = state.standing() {
        standing.sent_at = Instant::now();
        let since = standing.unheard_since.or(Some(now.seconds()));
        standing.unheard_since = since.filter(|_| !is_taken);
    }
    match outcome {
        Outcome::Delivered | Outcome::Nothing => {
            state.trouble = None;
            false
        }
        Outcome::Gone => {
            state.paused = Some("the receiver answered 410 Gone: it wants no more".to_owned());
            true
        }
        Outcome::Held(reason) | Outcome::Refused(reason) | Outcome::Failed(reason, _) => {
            state.fails(now.micros(), reason);
            true
        }
    }
}

fn rest(entry: &Entry, wait: Duration) {
    entry.with(|state| {
        if let Some(standing) = state.standing() {
            standing.rests_until = Some(Instant::now() + wait);
        }
    });
}
