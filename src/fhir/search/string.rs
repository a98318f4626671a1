//! Texts: FHIR R4 §3.1.1.4.8.
//!
//! Compared folded: without regard to case, accents and the width of white space. A name or address
//! is found by each of its parts.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::problem::{Refusal, invalid};
use super::split::unescaped;
use super::term::{KEPT_BYTES, TEXT_END, cut, short_hash, tag, value};
use super::{Lookup, Verdict};
use crate::fhir::path::Item;

/// Longest folded text whose every three neighbouring characters have a term.
const TRIGRAMS_TEXT_BYTES_MAX: usize = 128;
/// Stands for all trigrams of a longer text.
const TRIGRAM_OF_LONG_TEXT: [u8; 4] = [0; 4];
/// Most trigrams that are looked up for one value.
const TRIGRAM_LOOKUPS_MAX: usize = 8;

/// A predicate over texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StringPredicate {
    comparison: Comparison,
    text: String,
    folded: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    /// Begins so.
    Start,
    /// Is the same, case and accents included.
    Exact,
    /// Has it somewhere.
    Contains,
}

impl StringPredicate {
    pub(super) fn parse(comparison: Comparison, text: &str) -> Result<Self, Refusal> {
        let text = unescaped(text);
        let folded = fold(&text);
        if folded.is_empty() {
            return Err(invalid("the value has no character that could be compared"));
        }
        Ok(Self { comparison, text, folded })
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let beginning = match self.comparison {
            Comparison::Start | Comparison::Exact => cut(&self.folded, KEPT_BYTES),
            Comparison::Contains => &[],
        };
        let from = value(tag::STRING, &[beginning]);
        vec![Lookup::Range { to: from.clone(), from }]
    }

    /// For a term of [`tag::STRING`].
    pub(super) fn accepts(&self, found: &[u8]) -> Verdict {
        let found = found.get(1..).unwrap_or_default();
        let wanted = self.folded.as_bytes();
        let is_cut = found.len() >= KEPT_BYTES;
        match self.comparison {
            Comparison::Start if found.starts_with(wanted) => Verdict::Yes,
            Comparison::Contains if memchr::memmem::find(found, wanted).is_some() => Verdict::Yes,
            Comparison::Start if is_cut && wanted.starts_with(found) => Verdict::Unsure,
            Comparison::Contains if is_cut => Verdict::Unsure,
            Comparison::Exact if found == cut(&self.folded, KEPT_BYTES) => Verdict::Unsure,
            _ => Verdict::No,
        }
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        parts(item).iter().any(|part| self.matches_text(part))
    }

    /// `:text` of a token.
    pub(super) fn token_lookups(&self) -> Vec<Lookup> {
        vec![Lookup::Prefix(value(tag::TOKEN_TEXT, &[cut(&self.folded, KEPT_BYTES)]))]
    }

    /// Of `:contains`, the look-ups for some trigrams of the text, each of which must find something.
    ///
    /// None for texts of less than three characters: these are looked for in all values.
    pub(super) fn trigram_lookups(&self) -> Option<Vec<Lookup>> {
        let mut wanted = match self.comparison {
            Comparison::Contains => trigrams(&self.folded),
            Comparison::Start | Comparison::Exact => Vec::new(),
        };
        wanted.truncate(TRIGRAM_LOOKUPS_MAX);
        (!wanted.is_empty()).then(|| wanted.iter().map(trigram_lookup).collect())
    }

    /// A longer text is looked for by its beginning.
    pub(super) fn is_cut(&self) -> bool {
        self.folded.len() > KEPT_BYTES
    }

    pub(super) fn matches_text(&self, text: &str) -> bool {
        match self.comparison {
            Comparison::Start => fold(text).starts_with(&self.folded),
            Comparison::Exact => text == self.text,
            Comparison::Contains => fold(text).contains(&self.folded),
        }
    }
}

/// The look-up for texts that are too long for trigrams.
pub(super) fn long_text_lookup() -> Lookup {
    trigram_lookup(&TRIGRAM_OF_LONG_TEXT)
}

fn trigram_lookup(trigram: &[u8; 4]) -> Lookup {
    Lookup::Exact(value(tag::STRING_TRIGRAM, &[trigram]))
}

/// The values under which a text is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    for part in parts(item) {
        let folded = fold(&part);
        if folded.is_empty() {
            continue;
        }
        out.push(value(tag::STRING, &[cut(&folded, KEPT_BYTES)]));
        let trigrams = match folded.len() {
            ..=TRIGRAMS_TEXT_BYTES_MAX => trigrams(&folded),
            _ => vec![TRIGRAM_OF_LONG_TEXT],
        };
        out.extend(trigrams.iter().map(|trigram| value(tag::STRING_TRIGRAM, &[trigram])));
    }
}

/// The value under which `:text` finds a token.
pub(super) fn token_text_value(text: &str) -> Vec<u8> {
    value(tag::TOKEN_TEXT, &[cut(&fold(text), KEPT_BYTES), &[TEXT_END]])
}

/// The texts in a string, a HumanName or an Address.
pub(super) fn parts(item: Item<'_>) -> Vec<Cow<'_, str>> {
    const OF_NAME: [&str; 5] = ["text", "family", "given", "prefix", "suffix"];
    const OF_ADDRESS: [&str; 6] = ["line", "city", "district", "state", "postalCode", "country"];
    let Item::Node(node) = item else { return Vec::new() };
    if let Some(text) = node.as_str() {
        return vec![text];
    }
    let mut parts = Vec::new();
    for (name, part) in node.members() {
        if OF_NAME.contains(&&*name) || OF_ADDRESS.contains(&&*name) {
            parts.extend(part.as_str());
            parts.extend(part.items().filter_map(|item| item.as_str()));
        }
    }
    parts
}

/// The text without what a comparison disregards: compatibility forms are decomposed, marks
/// dropped, capitals made small, and white space is one space between words.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        for word in text.split_ascii_whitespace() {
            add_word(&mut folded, word.chars().map(|character| character.to_ascii_lowercase()));
        }
        return folded;
    }
    let plain: String = text.nfkd().filter(|character| !is_combining_mark(*character)).collect();
    for word in plain.split_whitespace() {
        let small = word.chars().flat_map(char::to_lowercase);
        let small = small.filter(|character| !is_combining_mark(*character));
        // The form of sigma at the end of a word.
        add_word(
            &mut folded,
            small.map(|character| if character == 'ς' { 'σ' } else { character }),
        );
    }
    folded
}

fn add_word(folded: &mut String, word: impl Iterator<Item = char>) {
    if !folded.is_empty() {
        folded.push(' ');
    }
    folded.extend(word);
}

/// A hash for each three neighbouring characters, sorted, each once.
fn trigrams(folded: &str) -> Vec<[u8; 4]> {
    let starts = folded.char_indices().map(|(at, _)| at);
    let ends = folded.char_indices().map(|(at, character)| at + character.len_utf8()).skip(2);
    let texts = starts.zip(ends).filter_map(|(start, end)| folded.get(start..end));
    let mut trigrams: Vec<_> = texts.map(short_hash).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    trigrams
}
