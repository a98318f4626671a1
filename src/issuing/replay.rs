//! What was used once, for as long as it could be used again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Most ids that are kept of one client: more than thirty each second, at five minutes.
const IDS_MAX: usize = 10_000;

/// Whether an id was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was not, and is now.
    First,
    /// It was.
    Again,
    /// There is no room to remember it.
    NoRoom,
}

/// The ids of one client, until they expire.
#[derive(Debug, Default)]
pub struct Memory {
    hashers: [RandomState; 2],
    /// By two hashes that nobody can foresee: an id may be long.
    ids: Mutex<HashMap<[u64; 2], i64>>,
}

impl Memory {
    /// Whether an id that is good until `expires_at` was used before `now`. It is from now on.
    pub fn see(&self, id: &str, expires_at: i64, now: i64) -> Seen {
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(id));
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.contains_key(&key) {
            return Seen::Again;
        }
        if ids.len() >= IDS_MAX {
            ids.retain(|_, expires_at| *expires_at >= now);
        }
        if ids.len() >= IDS_MAX {
            return Seen::NoRoom;
        }
        ids.insert(key, expires_at);
        Seen::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_good_once_and_memory_is_bounded() {
        let memory = Memory::default();
        assert_eq!(memory.see("a", 100, 0), Seen::First);
        assert_eq!(memory.see("a", 100, 99), Seen::Again);
        assert_eq!(memory.see("b", 100, 99), Seen::First);
        for number in 2..IDS_MAX {
            assert_eq!(memory.see(&number.to_string(), 200, 100), Seen::First);
        }
        // At 100, what expires then may still be used.
        assert_eq!(memory.see("c", 200, 100), Seen::NoRoom);
        assert_eq!(memory.see("a", 200, 100), Seen::Again);
        assert_eq!(memory.see("c", 200, 101), Seen::First);
        assert_eq!(memory.see("c", 200, 101), Seen::Again);
        assert_eq!(memory.see("d", 200, 101), Seen::First, "room for two");
        assert_eq!(memory.see("e", 200, 101), Seen::NoRoom);
    }
}
