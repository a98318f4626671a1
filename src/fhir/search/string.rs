//! Texts: FHIR R4 §3.1.1.4.8.
//!
//! Compared folded: without regard to case, accents, punctuation and the width of white space. A name or
//! address is found by each of its parts, and a part of a name by each of its words, for many families have
//! a name of several.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::problem::{Refusal, invalid};
use super::split::unescaped;
use super::term::{KEPT_BYTES, TEXT_END, cut, short_hash, tag, value};
use super::{Lookup, SearchParameter, Verdict};
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

    pub(super) fn matches(&self, parameter: &SearchParameter, item: Item<'_>) -> bool {
        let by_words = self.comparison == Comparison::Start && is_name(parameter, item);
        parts(item).iter().any(|part| {
            let begins = |word: &str| word.starts_with(&self.folded);
            self.matches_text(part) || (by_words && later_words(&fold(part)).any(begins))
        })
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
pub(super) fn add_values(parameter: &SearchParameter, item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    let by_words = is_name(parameter, item);
    for part in parts(item) {
        let folded = fold(&part);
        if folded.is_empty() {
            continue;
        }
        let words = later_words(&folded).filter(|_| by_words);
        for text in std::iter::once(&*folded).chain(words) {
            out.push(value(tag::STRING, &[cut(text, KEPT_BYTES)]));
        }
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

const OF_NAME: [&str; 5] = ["text", "family", "given", "prefix", "suffix"];
const OF_ADDRESS: [&str; 6] = ["line", "city", "district", "state", "postalCode", "country"];

/// Whether an element is a HumanName, or a part of one.
fn is_name(parameter: &SearchParameter, item: Item<'_>) -> bool {
    match item {
        Item::Node(node) if node.is_object() => {
            OF_ADDRESS.iter().all(|name| node.get(name).is_none())
        }
        _ => parameter.is_part_of_name,
    }
}

/// What stands behind each space.
fn later_words(folded: &str) -> impl Iterator<Item = &str> {
    folded.match_indices(' ').filter_map(|(at, space)| folded.get(at + space.len()..))
}

/// The texts in a string, a HumanName or an Address.
pub(super) fn parts(item: Item<'_>) -> Vec<Cow<'_, str>> {
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

/// The text without what a comparison disregards: compatibility forms are decomposed, marks dropped and cases
/// folded (Unicode's full case folding). What joins a word in one, such as an apostrophe, is dropped; other
/// punctuation parts words like white space, of which there is one space between words. A text of nothing but
/// punctuation keeps it.
pub fn fold(text: &str) -> String {
    let folded = folded_by(text, |character| match character {
        _ if joins(character) => None,
        _ if parts_words(character) => Some(' '),
        _ => Some(character),
    });
    if folded.is_empty() { folded_by(text, Some) } else { folded }
}

fn folded_by(text: &str, read: impl Fn(char) -> Option<char>) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        let read: String = text.chars().filter_map(read).collect();
        for word in read.split_ascii_whitespace() {
            add_word(&mut folded, word.chars().map(|character| character.to_ascii_lowercase()));
        }
        return folded;
    }
    // Some marks that stand alone decompose to a space and a mark, so what joins is dropped first. The Greek
    // iota below a letter is a mark that folds to a letter, so marks are dropped last.
    let plain: String = text.chars().filter_map(&read).nfkd().filter_map(&read).collect();
    let plain = fold_case(&plain);
    for word in plain.split_whitespace() {
        add_word(&mut folded, word.chars().filter(|character| !is_combining_mark(*character)));
    }
    folded
}

/// The text with its cases folded: what differs in one case only is the same (Unicode's full case folding, in which
/// the sharp s is two, and the sigma at the end of a word one like others).
pub(super) fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let capitals = text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    capitals.flat_map(char::to_lowercase).collect()
}

/// Apostrophes, in all the forms in which keyboards and typesetters write them, and what a text hides.
fn joins(character: char) -> bool {
    matches!(
        character,
        '\'' | '`' | '´' | '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{02B9}'..='\u{02BF}' | '\u{02C8}'
            | '\u{05F3}' | '\u{FF07}' | '\u{00AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}'
    )
}

/// Punctuation: Unicode's general category P, of the scripts in which names are written.
fn parts_words(character: char) -> bool {
    match character {
        // These are symbols, which say something: a blood group is A+.
        '$' | '+' | '<' | '=' | '>' | '^' | '|' | '~' => false,
        _ if character.is_ascii() => character.is_ascii_punctuation(),
        _ => matches!(
            character,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{037E}' | '\u{0387}' | '\u{055A}'..='\u{055F}'
                | '\u{0589}' | '\u{058A}' | '\u{05BE}' | '\u{05C0}' | '\u{05C3}' | '\u{05F4}' | '\u{060C}'
                | '\u{061B}' | '\u{061F}' | '\u{066A}'..='\u{066D}' | '\u{06D4}' | '\u{0964}' | '\u{0965}'
                | '\u{2010}'..='\u{2017}' | '\u{201C}'..='\u{2027}' | '\u{2030}' | '\u{2031}'
                | '\u{2033}'..='\u{2043}' | '\u{2045}'..='\u{2051}' | '\u{2053}'..='\u{205E}'
                | '\u{2E00}'..='\u{2E5D}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}'
                | '\u{3014}'..='\u{301F}' | '\u{3030}' | '\u{30A0}' | '\u{30FB}' | '\u{FE10}'..='\u{FE19}'
                | '\u{FE30}'..='\u{FE61}' | '\u{FF5F}'..='\u{FF65}'
        ),
    }
}

fn add_word(folded: &mut String, word: impl Iterator<Item = char>) {
    let before = folded.len();
    if before > 0 {
        folded.push(' ');
    }
    let start = folded.len();
    folded.extend(word);
    if folded.len() == start {
        folded.truncate(before);
    }
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
