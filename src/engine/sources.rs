//! Which sources of access entries are written down once, to be quoted by the frames that follow.
//!
//! A source (who asks, from where, why) takes most of an entry, and most come again and again. The latest that
//! came again are written into a frame of their own when repeating them has cost as much as that frame does. So
//! all this costs at most about twice of what the best choice of moments would. Frames quote only what stands in their own
//! segment, which can then be disposed of without a thought of others.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{self, Source};
use crate::numbers::Position;
use crate::seal::Quotes;

/// What a frame takes besides its sources, in bytes of these before they are compressed.
const FRAME_COST: usize = 4 << 10;
/// Bytes of the sources in one frame.
const LIST_BYTES_MAX: usize = 256 << 10;
/// Bytes of the sources that are kept in mind.
const SEEN_BYTES_MAX: usize = 1 << 20;

/// The sources that came lately.
#[derive(Debug, Default)]
pub struct Sources {
    seen: HashMap<Arc<Source>, Seen>,
    /// Bytes of those.
    bytes: usize,
    /// Position of the frame that is quoted.
    list: Option<Position>,
    /// Bytes of those that have come again since then.
    returned: usize,
    /// Bytes that were written since then for sources that had been written before.
    repeated: usize,
}

#[derive(Debug)]
struct Seen {
    text: Vec<u8>,
    /// The line at which it stands.
    line: Option<u16>,
    /// How often it has come again since the list was written.
    returns: u32,
}

impl Sources {
    /// Takes note of the sources of a frame.
    pub fn note(&mut self, sources: &[Arc<Source>]) {
        for source in sources {
            match self.seen.get_mut(source) {
                Some(seen) => {
                    let bytes = seen.text.len();
                    self.returned += if seen.returns == 0 { bytes } else { 0 };
                    self.repeated += if seen.line.is_none() { bytes } else { 0 };
                    seen.returns = seen.returns.saturating_add(1);
                }
                None => {
                    let text = access::source_text(source);
                    self.bytes += text.len();
                    self.seen.insert(Arc::clone(source), Seen { text, line: None, returns: 0 });
                }
            }
        }
        if self.bytes > SEEN_BYTES_MAX {
            self.keep(|seen| seen.line.is_some() || seen.returns > 0);
        }
        if self.bytes > SEEN_BYTES_MAX / 2 + LIST_BYTES_MAX {
            *self = Self::default();
        }
    }

    /// Whether a list would have been worth its bytes by now.
    pub fn is_list_due(&self) -> bool {
        self.repeated >= self.returned + FRAME_COST
    }

    /// The payload of the frame at a position, which is quoted from then on: the sources that came again since the one
    /// before, the most frequent first. All others are forgotten.
    pub fn write_list(&mut self, position: Position) -> Vec<u8> {
        self.keep(|seen| seen.returns > 0);
        let mut seen: Vec<_> = self.seen.values_mut().collect();
        seen.sort_unstable_by_key(|seen| std::cmp::Reverse(seen.returns));
        let mut payload = Vec::with_capacity(self.returned.min(LIST_BYTES_MAX));
        let mut number = Some(0_u16);
        for seen in seen {
            seen.returns = 0;
            seen.line = number.filter(|_| payload.len() + seen.text.len() < LIST_BYTES_MAX);
            if let Some(line) = seen.line {
                if line > 0 {
                    payload.push(b'\n');
                }
                payload.extend_from_slice(&seen.text);
                number = line.checked_add(1);
            }
        }
        (self.list, self.returned, self.repeated) = (Some(position), 0, 0);
        payload
    }

    /// The list is not to be quoted any more: another segment begins.
    pub fn forget_list(&mut self) {
        (self.list, self.repeated) = (None, 0);
        self.seen.values_mut().for_each(|seen| seen.line = None);
    }

    /// What a payload with these sources quotes, if anything.
    pub fn quotes(&self, payload: &[u8], sources: &[Arc<Source>]) -> Option<Quotes> {
        let from = self.list?;
        let seen: Option<Vec<_>> = sources.iter().map(|source| self.seen.get(source)).collect();
        let seen = seen?;
        let places = access::source_places(payload, seen.iter().map(|seen| &*seen.text));
        let places = places.zip(&seen).filter_map(|(place, seen)| Some((place, seen.line?)));
        let places: Vec<_> = places.collect();
        (!places.is_empty()).then_some(Quotes { from, places })
    }

    fn keep(&mut self, is_kept: impl Fn(&Seen) -> bool) {
        self.seen.retain(|_, seen| is_kept(seen));
        self.bytes = self.seen.values().map(|seen| seen.text.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessEntry, Identity, KnownSources, RequestId, pack, unpack};

    fn source(user: usize) -> Arc<Source> {
        let identity = Identity { subject: format!("user-{user}"), ..Identity::default() };
        let user_agent = Some("x".repeat(300));
        Source { identity: Some(identity.into()), user_agent, ..Source::default() }.into()
    }

    /// Notes sources one by one, and writes a list whenever one is due; the lines of the last one.
    fn note(sources: &mut Sources, users: impl Iterator<Item = usize>) -> Vec<String> {
        let mut lines = Vec::new();
        for user in users {
            sources.note(&[source(user)]);
            if sources.is_list_due() {
                let payload = String::from_utf8(sources.write_list(Position::new(7))).unwrap();
                lines = payload.split('\n').map(str::to_owned).collect();
            }
        }
        lines
    }

    fn text(user: usize) -> String {
        String::from_utf8(access::source_text(&source(user))).unwrap()
    }

    #[test]
    fn what_came_again_is_listed_when_that_cost_as_much() {
        let mut sources = Sources::default();
        assert!(note(&mut sources, 0..1_000).is_empty(), "nobody came again");
        let mut sources = Sources::default();
        let mut lines = note(&mut sources, (0..10).chain([90, 91]).chain((0..10).cycle().take(30)));
        lines.sort();
        assert_eq!(lines, (0..10).map(text).collect::<Vec<_>>());
        // All of them are quoted now, so that nothing is repeated any more.
        assert!(note(&mut sources, (0..10).cycle().take(10_000)).is_empty());
        let lines = note(&mut sources, [50; 60].into_iter());
        assert!(lines.contains(&text(50)));
        let lines = note(&mut sources, [60; 400].into_iter());
        assert!(!lines.contains(&text(0)), "who does not come any more is left out");
    }

    #[test]
    fn only_lines_of_the_list_are_quoted_and_none_of_a_forgotten_one() {
        let mut sources = Sources::default();
        note(&mut sources, [1; 100].into_iter());
        let all = [source(3), source(1), source(2)];
        let entry = |source: &Arc<Source>| {
            let mut entry = AccessEntry::of(Source::default(), RequestId::new(1, 1), "o", 0);
            entry.source = Arc::clone(source);
            Arc::new(entry)
        };
        let packed = pack(&all.iter().map(entry).collect::<Vec<_>>(), 0);
        assert_eq!(unpack(&packed.payload, 0, &KnownSources::default()).unwrap().len(), 3);
        sources.note(&packed.sources);
        let quotes = sources.quotes(&packed.payload, &packed.sources).unwrap();
        let [(place, 0)] = &quotes.places[..] else { panic!("{quotes:?}") };
        assert_eq!(packed.payload[place.clone()], *text(1).as_bytes());
        assert_eq!(quotes.from, Position::new(7));
        sources.forget_list();
        assert_eq!(sources.quotes(&packed.payload, &packed.sources), None);
    }

    #[test]
    fn what_is_kept_in_mind_and_what_is_listed_have_limits() {
        let mut sources = Sources::default();
        for round in 0..5 {
            // Each comes three times, in turn with a few others.
            let users = (0..9_000).map(|at| round * 3_000 + at / 30 * 10 + at % 10);
            for user in users {
                sources.note(&[source(user)]);
                assert!(sources.bytes <= SEEN_BYTES_MAX);
                if sources.is_list_due() {
                    assert!(sources.write_list(Position::new(1)).len() <= LIST_BYTES_MAX);
                }
            }
            (0..2_000).for_each(|user| sources.note(&[source(user), source(user)]));
            assert!(sources.write_list(Position::new(1)).len() <= LIST_BYTES_MAX);
        }
    }
}
