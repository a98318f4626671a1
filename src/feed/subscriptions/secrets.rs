//! The secrets of a subscription: one that is in use, and those before it for as long as they overlap.

use serde::{Deserialize, Serialize};

use super::sealed;
use crate::feed::webhook::{NoKey, SigningKey};
use crate::seal::CursorKey;

/// Secrets that may be in use at the same time.
const SECRETS_MAX: usize = 4;
/// What they are sealed as.
const WHAT: &str = "secret";

/// A secret as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Base64 of what only this server can open.
    sealed: String,
    /// Until when it signs, in seconds since 1970; `None`: until it is replaced.
    ends_at: Option<i64>,
}

/// The secrets of a subscription, the newest first.
#[derive(Debug)]
pub struct Secrets(Vec<(SealedSecret, SigningKey)>);

impl Secrets {
    /// A first secret.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub fn first(key: &CursorKey, id: &str) -> Result<Self, NoKey> {
        Ok(Self(vec![new(key, id)?]))
    }

    /// Opens those of a file.
    ///
    /// # Errors
    ///
    /// [`NoKey`]: they were sealed by another server, or for another subscription.
    pub fn open(key: &CursorKey, id: &str, all: Vec<SealedSecret>) -> Result<Self, NoKey> {
        let open = |secret: SealedSecret| {
            let key = SigningKey::from_bytes(sealed::open(key, WHAT, id, &secret.sealed)?)?;
            Ok((secret, key))
        };
        all.into_iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// As they lie on disk.
    pub fn sealed(&self) -> Vec<SealedSecret> {
        self.0.iter().map(|(sealed, _)| sealed.clone()).collect()
    }

    /// The newest, as its receiver is told it.
    pub fn text(&self) -> String {
        self.0.first().map(|(_, key)| key.text()).unwrap_or_default()
    }

    /// How many are in use.
    pub fn count(&self, now: i64) -> usize {
        self.in_use(now).count()
    }

    /// Puts a new one before the others, which sign along for so many seconds.
    ///
    /// # Errors
    ///
    /// `None`: as many as there may be are in use. [`NoKey`].
    pub fn rotate(
        &mut self,
        key: &CursorKey,
        id: &str,
        overlap_seconds: u64,
        now: i64,
    ) -> Result<Option<()>, NoKey> {
        self.0.retain(|(secret, _)| secret.ends_at.is_none_or(|end| end > now));
        if self.0.len() >= SECRETS_MAX {
            return Ok(None);
        }
        let secret = new(key, id)?;
        let end = now.saturating_add(i64::try_from(overlap_seconds).unwrap_or(i64::MAX));
        for (secret, _) in &mut self.0 {
            secret.ends_at = Some(secret.ends_at.unwrap_or(end).min(end));
        }
        self.0.retain(|(secret, _)| secret.ends_at.is_none_or(|end| end > now));
        self.0.insert(0, secret);
        Ok(Some(()))
    }

    /// The signatures of a message by all that are in use, with spaces between them.
    pub fn sign(&self, message: &str, now: i64, body: &[u8]) -> String {
        let each = self.in_use(now).map(|key| key.sign(message, now, body));
        each.collect::<Vec<_>>().join(" ")
    }

    fn in_use(&self, now: i64) -> impl Iterator<Item = &SigningKey> {
        let is_in_use = move |secret: &SealedSecret| secret.ends_at.is_none_or(|end| end > now);
        self.0.iter().filter(move |(secret, _)| is_in_use(secret)).map(|(_, key)| key)
    }
}

fn new(key: &CursorKey, id: &str) -> Result<(SealedSecret, SigningKey), NoKey> {
    let secret = SigningKey::random()?;
    let sealed = sealed::seal(key, WHAT, id, secret.bytes())?;
    Ok((SealedSecret { sealed, ends_at: None }, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{KEY_BYTES, SealingKey};

    fn key(byte: u8) -> CursorKey {
        SealingKey::new(&[byte; KEY_BYTES], "").unwrap().cursor_key().unwrap()
    }

    #[test]
    fn secrets_overlap_for_a_while_and_open_only_for_their_subscription() {
        let mut secrets = Secrets::first(&key(1), "s1").unwrap();
        let first = secrets.sign("m", 100, b"{}");
        assert_eq!(secrets.rotate(&key(1), "s1", 50, 100).unwrap(), Some(()));
        let both = secrets.sign("m", 100, b"{}");
        assert!(
            both.ends_with(&format!(" {first}")) && both.len() == 2 * first.len() + 1,
            "{both}"
        );
        assert_eq!((secrets.count(149), secrets.count(150)), (2, 1));
        assert!(!secrets.sign("m", 150, b"{}").contains(&secrets.text()));

        let sealed = secrets.sealed();
        let text = serde_json::to_string(&sealed).unwrap();
        let told = secrets.text();
        assert!(!text.contains(told.trim_start_matches("whsec_")), "{text}");
        let opened = Secrets::open(&key(1), "s1", sealed.clone()).unwrap();
        assert_eq!(opened.sign("m", 100, b"{}"), both);
        assert!(Secrets::open(&key(1), "s2", sealed.clone()).is_err());
        assert!(Secrets::open(&key(2), "s1", sealed).is_err());
    }

    #[test]
    fn there_is_an_end_to_secrets_and_no_overlap_leaves_one() {
        let mut secrets = Secrets::first(&key(1), "s1").unwrap();
        for _ in 1..SECRETS_MAX {
            assert!(secrets.rotate(&key(1), "s1", 1_000, 100).unwrap().is_some());
        }
        assert!(secrets.rotate(&key(1), "s1", 0, 100).unwrap().is_none());
        assert_eq!(secrets.count(100), SECRETS_MAX);
        // When those before have ended, there is room again.
        assert!(secrets.rotate(&key(1), "s1", 0, 1_100).unwrap().is_some());
        assert_eq!(secrets.count(1_100), 1);
    }
}
