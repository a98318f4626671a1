//! WebSockets on which Subscriptions are told: the tokens by which one is bound, and which are.
//!
//! Nothing of it outlasts the process. A token serves once, for a few minutes, and only its hash is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::auth::Caller;
use crate::chart::fingerprint;
use crate::clock::Instant;

/// How long a token serves, in seconds.
const TOKEN_SECONDS: i64 = 300;
/// Tokens that there are at the same time; one more takes the place of the oldest.
const TOKENS_MAX: usize = 10_000;
/// Sockets that one Subscription is told on; one more takes the place of the oldest.
const BOUND_MAX: usize = 16;

/// What is told on a socket: one message.
pub type Message = Arc<Vec<u8>>;

/// The sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By the hash of the token.
    tickets: Mutex<BTreeMap<String, Ticket>>,
    /// By the id of the Subscription.
    bound: Mutex<BTreeMap<String, Vec<mpsc::Sender<Message>>>>,
}

/// What a token is for.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Who asked for it.
    pub caller: Arc<Caller>,
    /// The Subscriptions that it binds.
    pub ids: Vec<String>,
    expires_at: Instant,
}

impl Sockets {
    /// A token for some Subscriptions, and until when it serves.
    ///
    /// # Errors
    ///
    /// There is no randomness.
    pub fn issue(
        &self,
        caller: Caller,
        ids: Vec<String>,
    ) -> Result<(String, Instant), aws_lc_rs::error::Unspecified> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random)?;
        let token = fingerprint(&[random.as_slice()]);
        let now = Instant::now();
        let expires_at = Instant::from_micros(now.micros() + TOKEN_SECONDS * 1_000_000);
        let ticket = Ticket { caller: Arc::new(caller), ids, expires_at };
        let mut tickets = locked(&self.tickets);
        tickets.retain(|_, ticket| ticket.expires_at > now);
        if tickets.len() >= TOKENS_MAX {
            let oldest = tickets.iter().min_by_key(|(_, ticket)| ticket.expires_at);
            let oldest = oldest.map(|(hash, _)| hash.clone());
            oldest.map(|hash| tickets.remove(&hash));
        }
        tickets.insert(fingerprint(&[token.as_bytes()]), ticket);
        Ok((token, expires_at))
    }

    /// What a token is for. It serves once.
    pub fn redeem(&self, token: &str) -> Option<Ticket> {
        let ticket = locked(&self.tickets).remove(&fingerprint(&[token.as_bytes()]))?;
        let now = Instant::now();
        let is_valid = ticket.expires_at > now && ticket.caller.expires_at > now.seconds();
        is_valid.then_some(ticket)
    }

    /// Binds a socket.
    pub fn bind(&self, id: &str, socket: mpsc::Sender<Message>) {
        let mut bound = locked(&self.bound);
        let sockets = bound.entry(id.to_owned()).or_default();
        sockets.retain(|socket| !socket.is_closed());
        if sockets.len() >= BOUND_MAX {
            sockets.remove(0);
        }
        sockets.push(socket);
    }

    /// Whether anybody would be told.
    pub fn is_bound(&self, id: &str) -> bool {
        let mut bound = locked(&self.bound);
        let Some(sockets) = bound.get_mut(id) else { return false };
        sockets.retain(|socket| !socket.is_closed());
        let is_bound = !sockets.is_empty();
        if !is_bound {
            bound.remove(id);
        }
        is_bound
    }

    /// Tells on all sockets that are bound. One that takes nothing for so long is bound no longer, and ends.
    pub async fn tell(&self, id: &str, message: Vec<u8>, patience: Duration) {
        let message = Arc::new(message);
        let sockets = locked(&self.bound).get(id).cloned().unwrap_or_default();
        for socket in sockets {
            let sent = timeout(patience, socket.send(Arc::clone(&message))).await;
            let is_taken = matches!(sent, Ok(Ok(())));
            if !is_taken && let Some(others) = locked(&self.bound).get_mut(id) {
                others.retain(|other| !other.same_channel(&socket));
            }
        }
    }

    /// Lets all sockets of a Subscription go: it is no more.
    pub fn forget(&self, id: &str) {
        locked(&self.bound).remove(id);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
