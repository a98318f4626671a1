//! The payload of a frame of the access log: the entries of all requests that were made durable
//! together.
//!
//! What many entries have in common (who asks, from where; operation, outcome; charts) is said once,
//! and the rest stands in columns: see "Of access entries" in `docs/format.md`.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::{AccessEntry, Look, Outcome, Part, RequestId, Source, Words};
use super::known::KnownSources;
use super::{Runs, legacy};
use crate::log::StreamAlias;
use crate::numbers::EventId;

/// Format of the payload.
const FORMAT: u8 = 2;

/// `S`: a source, or its text; `C`: an alias.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<S, C> {
    format: u8,
    /// Run of the server, 16 hexadecimal digits.
    run: String,
    sources: Vec<S>,
    kinds: Vec<Kind>,
    /// Aliases, 16 hexadecimal digits each.
    charts: Vec<C>,
    /// For each entry, the index of its source.
    source: Vec<usize>,
    kind: Vec<usize>,
    /// For each entry, how much larger its number is than that of the entry before.
    number: Vec<i64>,
    /// Microseconds from its beginning to the time of the group.
    begun: Vec<i64>,
    bytes: Vec<u64>,
    chart: Vec<Vec<usize>>,
    shown: Vec<Runs>,
    /// What few entries have, by the index of the entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    more: BTreeMap<usize, More>,
}

/// What requests that ask alike and end alike have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Kind {
    operation: Arc<str>,
    route: Arc<str>,
    outcome: Outcome,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct More {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(flatten)]
    asked: Asked,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<StoredPart>,
}

/// What few looks have.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<EventId>,
    #[serde(default, skip_serializing_if = "Runs::is_empty")]
    written: Runs,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPart {
    at: u32,
    kind: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chart: Vec<usize>,
    #[serde(default, skip_serializing_if = "Runs::is_empty")]
    shown: Runs,
    #[serde(flatten)]
    asked: Asked,
}

/// Values that are written once and then named by their index.
struct Table<T>(Vec<T>, HashMap<T, usize>);

impl<T: Clone + Eq + Hash> Table<T> {
    fn new() -> Self {
        Self(Vec::new(), HashMap::new())
    }

    fn index(&mut self, value: &T) -> usize {
        if let Some(index) = self.1.get(value) {
            return *index;
        }
        let index = self.0.len();
        self.0.push(value.clone());
        self.1.insert(value.clone(), index);
        index
    }
}

/// Some entries, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The payload that holds them.
    pub payload: Vec<u8>,
    /// Their sources, each once, in the order in which they stand there.
    pub sources: Vec<Arc<Source>>,
}

/// A source as it stands in payloads.
#[must_use]
pub fn source_text(source: &Source) -> Vec<u8> {
    // Strings only: this serialisation cannot fail.
    serde_json::to_vec(source).unwrap_or_default()
}

/// Where the sources stand in a payload, from the first on, given the text of each.
pub fn source_places<'a>(
    payload: &'a [u8],
    texts: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Range<usize>> {
    let list = b"\"sources\":[";
    let mut start = memchr::memmem::find(payload, list).map(|at| at + list.len());
    texts.map_while(move |text| {
        let place = start?..start? + text.len();
        start = Some(place.end + 1);
        (payload.get(place.clone())? == text).then_some(place)
    })
}

/// Packs some entries of one run of the server for a frame that is written at a time in microseconds since 1970.
#[must_use]
pub fn pack(entries: &[Arc<AccessEntry>], recorded_at: i64) -> Packed {
    let (mut sources, mut kinds, mut charts) = (Table::new(), Table::new(), Table::new());
    let run = entries.first().map_or(0, |entry| entry.request.run);
    let mut stored = Stored {
        format: FORMAT,
        run: format!("{run:016x}"),
        sources: Vec::new(),
        kinds: Vec::new(),
        charts: Vec::new(),
        source: Vec::with_capacity(entries.len()),
        kind: Vec::with_capacity(entries.len()),
        number: Vec::with_capacity(entries.len()),
        begun: Vec::with_capacity(entries.len()),
        bytes: Vec::with_capacity(entries.len()),
        chart: Vec::with_capacity(entries.len()),
        shown: Vec::with_capacity(entries.len()),
        more: BTreeMap::new(),
    };
    let mut before = 0;
    for (at, entry) in entries.iter().enumerate() {
        let number = entry.request.number.cast_signed();
        stored.number.push(number.wrapping_sub(before));
        before = number;
        stored.source.push(sources.index(&entry.source));
        stored.kind.push(kinds.index(&kind_of(&entry.look)));
        stored.begun.push(recorded_at.saturating_sub(entry.begun_at));
        stored.bytes.push(entry.bytes);
        stored.chart.push(entry.look.charts.iter().map(|chart| charts.index(chart)).collect());
        stored.shown.push(entry.look.shown.clone());
        let part = |part: &Part| StoredPart {
            at: part.at,
            kind: kinds.index(&kind_of(&part.look)),
            chart: part.look.charts.iter().map(|chart| charts.index(chart)).collect(),
            shown: part.look.shown.clone(),
            asked: asked(&part.look),
        };
        let more = More {
            client_request: entry.client_request.clone(),
            trace: entry.trace.clone(),
            asked: asked(&entry.look),
            parts: entry.parts.iter().map(part).collect(),
        };
        if more != More::default() {
            stored.more.insert(at, more);
        }
    }
    stored.sources = sources.0.iter().map(|source| (**source).clone()).collect();
    stored.kinds = kinds.0;
    stored.charts = charts.0.iter().map(ToString::to_string).collect();
    // Strings and numbers only: this serialisation cannot fail.
    let payload = serde_json::to_vec(&stored).unwrap_or_default();
    Packed { payload, sources: sources.0 }
}

fn kind_of(look: &Look) -> Kind {
    Kind {
        operation: Arc::clone(&look.operation),
        route: Arc::clone(&look.route),
        outcome: look.outcome,
        status: look.status,
        reason: look.reason.clone(),
    }
}

fn asked(look: &Look) -> Asked {
    let (words, sealed) = match &look.words {
        None => (None, None),
        Some(Words::Plain(words)) => (Some(words.clone()), None),
        Some(Words::Sealed(sealed)) => (None, Some(BASE64.encode(sealed))),
    };
    Asked { words, sealed, about: look.about, written: look.written.clone() }
}

/// The entries in a payload of any format, which was written at a time in microseconds since 1970; `None` when
/// it is none.
#[must_use]
pub fn unpack(
    payload: &[u8],
    recorded_at: i64,
    sources: &KnownSources,
) -> Option<Vec<AccessEntry>> {
    if let Ok(stored) = serde_json::from_slice::<Stored<&RawValue, &str>>(payload) {
        return (stored.format == FORMAT).then(|| stored.entries(recorded_at, sources))?;
    }
    // An entry of format 1 does not say so.
    legacy::decode(payload, recorded_at).map(|entry| vec![entry])
}

impl Stored<&RawValue, &str> {
    fn entries(mut self, recorded_at: i64, known: &KnownSources) -> Option<Vec<AccessEntry>> {
        let run = u64::from_str_radix(&self.run, 16).ok()?;
        let sources = self.sources.iter().map(|text| known.read(text.get()));
        let sources: Vec<Arc<Source>> = sources.collect::<Option<_>>()?;
        let charts = self.charts.iter().map(|chart| chart.parse().ok());
        let charts: Vec<StreamAlias> = charts.collect::<Option<_>>()?;
        let mut more = std::mem::take(&mut self.more);
        let mut shown = std::mem::take(&mut self.shown).into_iter();
        let mut entries = Vec::with_capacity(self.source.len());
        let mut number = 0i64;
        for (at, source) in self.source.iter().enumerate() {
            number = number.wrapping_add(*self.number.get(at)?);
            let More { client_request, trace, asked, parts } = more.remove(&at).unwrap_or_default();
            let (kind, chart) = (*self.kind.get(at)?, self.chart.get(at)?);
            let look = self.look(kind, chart, &charts, shown.next()?, asked)?;
            let part = |part: StoredPart| {
                let StoredPart { at, kind, chart, shown, asked } = part;
                Some(Part { at, look: self.look(kind, &chart, &charts, shown, asked)? })
            };
            entries.push(AccessEntry {
                source: Arc::clone(sources.get(*source)?),
                request: RequestId::new(run, number.cast_unsigned()),
                begun_at: recorded_at.saturating_sub(*self.begun.get(at)?),
                client_request,
                trace,
                look,
                parts: parts.into_iter().map(part).collect::<Option<_>>()?,
                bytes: *self.bytes.get(at)?,
            });
        }
        Some(entries)
    }

    fn look(
        &self,
        kind: usize,
        chart: &[usize],
        charts: &[StreamAlias],
        shown: Runs,
        asked: Asked,
    ) -> Option<Look> {
        let Kind { operation, route, outcome, status, reason } = self.kinds.get(kind)?.clone();
        let words = match (asked.words, asked.sealed) {
            (Some(words), _) => Some(Words::Plain(words)),
            (None, Some(sealed)) => Some(Words::Sealed(BASE64.decode(sealed).ok()?)),
            (None, None) => None,
        };
        let charts =
            chart.iter().map(|index| charts.get(*index).copied()).collect::<Option<_>>()?;
        let (about, written) = (asked.about, asked.written);
        Some(Look {
            operation,
            route,
            words,
            outcome,
            status,
            reason,
            charts,
            about,
            shown,
            written,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Identity;
    use super::*;
    use crate::numbers::Position;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of("[a-z\\u{e9}\"|]{1,8}")
    }

    fn source() -> impl Strategy<Value = Source> {
        let identity = ("[a-c]", "[a-b]", text(), text(), text()).prop_map(
            |(subject, issuer, name, acting, scopes)| Identity {
                subject,
                issuer,
                name,
                acting,
                scopes,
                ..Identity::default()
            },
        );
        (prop::option::of(identity), text(), text()).prop_map(|(identity, address, purpose)| {
            let identity = identity.map(Arc::new);
            Source { identity, address, purpose, ..Source::default() }
        })
    }

    fn runs() -> impl Strategy<Value = Runs> {
        let positions = prop::collection::btree_set(0u64..10_000, 0..20);
        positions.prop_map(|positions| {
            let positions: BTreeSet<_> = positions.into_iter().map(Position::new).collect();
            Runs::from(&positions)
        })
    }

    fn look() -> impl Strategy<Value = Look> {
        let words = prop_oneof![
            Just(None),
            "[a-z=]{0,9}".prop_map(|words| Some(Words::Plain(words))),
            prop::collection::vec(any::<u8>(), 0..40)
                .prop_map(|sealed| Some(Words::Sealed(sealed))),
        ];
        let outcome =
            prop::sample::select(vec![Outcome::Granted, Outcome::Refused, Outcome::Failed]);
        let charts = prop::collection::btree_set(2u64..6, 0..3);
        let about = prop::option::of(any::<u64>());
        (("[a-c]", words, outcome, any::<u16>()), (charts, about, runs(), runs(), text())).prop_map(
            |((operation, words, outcome, status), (charts, about, shown, written, reason))| Look {
                operation: operation.as_str().into(),
                route: "GET /".into(),
                words,
                outcome,
                status,
                reason: reason.map(Into::into),
                charts: charts.into_iter().map(StreamAlias).collect(),
                about: about.map(EventId::new),
                shown,
                written,
            },
        )
    }

    fn entry() -> impl Strategy<Value = AccessEntry> {
        let part = (any::<u32>(), look()).prop_map(|(at, look)| Part { at, look });
        let parts = prop::collection::vec(part, 0..3);
        let numbers = (any::<u64>(), any::<i64>(), any::<u64>());
        (source(), look(), parts, text(), text(), numbers).prop_map(
            |(source, look, parts, client_request, trace, (number, begun_at, bytes))| AccessEntry {
                source: Arc::new(source),
                request: RequestId::new(7, number),
                begun_at: begun_at >> 1,
                client_request,
                trace,
                look,
                parts,
                bytes,
            },
        )
    }

    proptest! {
        #[test]
        fn entries_read_back(entries in prop::collection::vec(entry(), 1..6), recorded_at in any::<i64>()) {
            let recorded_at = recorded_at >> 1;
            let packed: Vec<_> = entries.iter().cloned().map(Arc::new).collect();
            let Packed { payload, sources } = pack(&packed, recorded_at);
            let texts: Vec<_> = sources.iter().map(|source| source_text(source)).collect();
            let places: Vec<_> = source_places(&payload, texts.iter().map(Vec::as_slice)).collect();
            prop_assert_eq!(places.len(), sources.len());
            for (place, text) in places.into_iter().zip(texts) {
                prop_assert_eq!(&payload[place], text);
            }
            prop_assert!(payload.iter().all(|byte| *byte >= b' '), "a payload has no control characters");
            prop_assert_eq!(unpack(&payload, recorded_at, &KnownSources::default()), Some(entries));
        }

        #[test]
        fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&payload, 0, &KnownSources::default());
        }
    }

    #[test]
    fn what_names_an_index_beyond_its_table_is_refused() {
        let entry = AccessEntry::of(Source::default(), RequestId::new(1, 1), "readResource", 5);
        let payload = String::from_utf8(pack(&[Arc::new(entry)], 9).payload).unwrap();
        assert!(unpack(payload.as_bytes(), 9, &KnownSources::default()).is_some());
        for (good, bad) in [
            (r#""source":[0]"#, r#""source":[1]"#),
            (r#""kind":[0]"#, r#""kind":[1]"#),
            (r#""chart":[[]]"#, r#""chart":[[0]]"#),
            (r#""bytes":[0]"#, r#""bytes":[]"#),
            (r#""format":2"#, r#""format":3"#),
        ] {
            assert_eq!(
                unpack(payload.replace(good, bad).as_bytes(), 9, &KnownSources::default()),
                None,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_read_among_many_takes_few_bytes() {
        let identity = Identity { subject: "dr-adams".to_owned(), ..Identity::default() };
        let source = Arc::new(Source { identity: Some(identity.into()), ..Source::default() });
        let entry = |number: u64| {
            let shown = BTreeSet::from([Position::new(number * 7_919 % 1_000_000)]);
            let mut entry =
                AccessEntry::of((*source).clone(), RequestId::new(9, number), "readResource", 990);
            entry.look.shown = Runs::from(&shown);
            entry.look.charts = vec![StreamAlias(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 2)];
            Arc::new(entry)
        };
        let entries: Vec<_> = (0..64).map(entry).collect();
        let payload = pack(&entries, 1_000).payload;
        assert!(payload.len() < 64 * 60, "{} bytes", payload.len());
    }
}
