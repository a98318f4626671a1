//! One simulated file: what reads show, what is on the platter, and what lies between.

use std::collections::BTreeMap;

use crate::random::Random;

/// What the system's cache writes at once.
pub const PAGE: usize = 4_096;
/// What a disk writes at once.
pub const SECTOR: usize = 512;

/// What becomes of pages whose sync failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailedSync {
    /// They stay dirty, and a later sync writes them.
    Dirty,
    /// They are taken for clean though they are not on disk, and reads still show them.
    Forgotten,
    /// They are taken for clean, and reads show what is on disk.
    Dropped,
}

/// A file's bytes, in the cache and on the platter.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// What reads show.
    seen: Vec<u8>,
    /// What is on the platter for certain.
    durable: Vec<u8>,
    /// Each state that an unsynced page was in since; any of them may be on the platter.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Each length that the file had since the last sync.
    lengths: Vec<usize>,
}

impl Content {
    pub fn length(&self) -> usize {
        self.seen.len()
    }

    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> bool {
        let Some(bytes) = self.seen.get(offset..offset + buffer.len()) else { return false };
        buffer.copy_from_slice(bytes);
        true
    }

    pub fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.seen.resize(end, 0);
            self.lengths.push(end);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        for page in offset / PAGE..=(end - 1) / PAGE {
            self.touch(page);
        }
    }

    pub fn set_length(&mut self, length: usize) {
        let shrinks = length < self.seen.len();
        self.seen.resize(length, 0);
        self.lengths.push(length);
        if shrinks {
            self.dirty.retain(|page, _| page * PAGE < length);
            for (page, states) in &mut self.dirty {
                let kept = (length - page * PAGE).min(PAGE);
                states.iter_mut().for_each(|state| state.truncate(kept));
            }
        }
    }

    /// Notes the state of a page as one that may reach the platter.
    fn touch(&mut self, page: usize) {
        let end = self.seen.len().min((page + 1) * PAGE);
        let state = self.seen[page * PAGE..end].to_vec();
        self.dirty.entry(page).or_default().push(state);
    }

    pub fn sync(&mut self) {
        if let Some(shortest) = self.lengths.iter().min() {
            self.durable.truncate(*shortest);
        }
        self.durable.resize(self.seen.len(), 0);
        for (page, states) in std::mem::take(&mut self.dirty) {
            if let Some(state) = states.last() {
                put(&mut self.durable, page, state);
            }
        }
        self.lengths.clear();
    }

    /// A sync that reports an error: some of the pages have been written.
    pub fn fail_sync(&mut self, after: AfterFailedSync, random: &mut Random) {
        let written = self.image(random);
        if after == AfterFailedSync::Dirty {
            return;
        }
        // The length is the file system's own knowledge, and it does not forget that.
        let length = self.seen.len();
        self.durable = written;
        self.durable.resize(length, 0);
        self.dirty.clear();
        self.lengths.clear();
        if after == AfterFailedSync::Dropped {
            self.seen.clone_from(&self.durable);
        }
    }

    /// What a power cut now might leave.
    pub fn image(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let kept = random.below(self.lengths.len() as u64 + 1) as usize;
        for length in &self.lengths[..kept] {
            bytes.resize(*length, 0);
        }
        // Crashes where everything or nothing arrived are as likely as all others together.
        let fate = random.below(4);
        for (page, states) in &self.dirty {
            let arrives = match fate {
                0 => false,
                1 => true,
                _ => random.one_in(2),
            };
            if !arrives {
                continue;
            }
            let state = random.pick(states);
            if random.one_in(2) {
                put(&mut bytes, *page, state);
            } else {
                tear(&mut bytes, *page, state, random);
            }
        }
        bytes
    }

    /// The file after a power cut that left those bytes.
    pub fn after_crash(bytes: Vec<u8>) -> Self {
        Self { seen: bytes.clone(), durable: bytes, ..Self::default() }
    }
}

/// Writes a page as far as the file reaches.
fn put(bytes: &mut [u8], page: usize, state: &[u8]) {
    put_at(bytes, page * PAGE, state);
}

fn put_at(bytes: &mut [u8], start: usize, state: &[u8]) {
    let end = bytes.len().min(start + state.len());
    if start < end {
        bytes[start..end].copy_from_slice(&state[..end - start]);
    }
}

/// Writes some sectors of a page.
fn tear(bytes: &mut [u8], page: usize, state: &[u8], random: &mut Random) {
    for (number, sector) in state.chunks(SECTOR).enumerate() {
        if random.one_in(2) {
            put_at(bytes, page * PAGE + number * SECTOR, sector);
        }
    }
}
