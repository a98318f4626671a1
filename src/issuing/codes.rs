//! Codes: each stands for what a user allowed an app, for a minute, and is exchanged once (RFC 6749 §4.1.2).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a code may be exchanged, in seconds.
const CODE_SECONDS: i64 = 60;
/// Most codes that wait to be exchanged.
const CODES_MAX: usize = 1_000;
/// Bytes of a code before they are written as text.
const CODE_BYTES: usize = 32;

/// Codes of the last minute, and what they stand for.
#[derive(Debug)]
pub struct Codes<T> {
    /// By their SHA-256: how long a look-up takes tells nothing of a code.
    waiting: Mutex<HashMap<Vec<u8>, Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    what: T,
    expires_at: i64,
}

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<T> Codes<T> {
    /// A new code at `now` (Unix seconds); `None`: there is no room for one.
    pub fn give(&self, what: T, now: i64) -> Option<String> {
        let mut bytes = [0; CODE_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        let code = URL_SAFE_NO_PAD.encode(bytes);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= CODES_MAX {
            waiting.retain(|_, one| now < one.expires_at);
        }
        if waiting.len() >= CODES_MAX {
            return None;
        }
        waiting.insert(hash(&code), Waiting { what, expires_at: now.saturating_add(CODE_SECONDS) });
        Some(code)
    }

    /// What a code stands for at `now`. It is worth nothing from then on.
    pub fn take(&self, code: &str, now: i64) -> Option<T> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let one = waiting.remove(&hash(code))?;
        (now < one.expires_at).then_some(one.what)
    }
}

fn hash(code: &str) -> Vec<u8> {
    digest(&SHA256, code.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_for_a_minute_and_memory_is_bounded() {
        let codes = Codes::default();
        let code = codes.give("a", 100).unwrap();
        assert_eq!(codes.take("another", 100), None);
        assert_eq!(codes.take(&code, 159), Some("a"));
        assert_eq!(codes.take(&code, 159), None);
        let late = codes.give("b", 100).unwrap();
        assert_eq!(codes.take(&late, 160), None);
        let given: Vec<String> = (0..CODES_MAX).map(|_| codes.give("c", 100).unwrap()).collect();
        assert_eq!(codes.give("d", 159), None);
        assert_eq!(codes.take(given.first().unwrap(), 159), Some("c"), "nobody is pushed out");
        assert!(codes.give("d", 159).is_some(), "room for one");
        assert_eq!(codes.give("e", 159), None);
        assert!(codes.give("e", 160).is_some(), "the others are too old");
        assert_eq!(codes.waiting.lock().unwrap().len(), 2);
    }
}
