//! Resources compared element by element: what differs, and which of several versions set what.
//!
//! Elements are named as in FHIRPath, such as `name[0].family`; values are told by their own text, to the digit. Of two
//! lists, the items that both begin or end with are the same items; the others are taken in their order. Left out is
//! what the server sets in each version, and what the name of a resource says already.

use std::borrow::Cow;

use crate::json::{Kind, Node};

/// Elements that say nothing of a version's content.
const LEFT_OUT: [&str; 4] = ["resourceType", "id", "meta.versionId", "meta.lastUpdated"];

/// An element that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it stands.
    pub path: String,
    /// Its text before; `None`: it was not there.
    pub before: Option<String>,
    /// Its text after; `None`: it is gone.
    pub after: Option<String>,
}

/// The elements that differ between two versions of a resource.
pub fn differences(before: Option<Node<'_>>, after: Option<Node<'_>>) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found.retain(|difference| !LEFT_OUT.contains(&difference.path.as_str()));
    found
}

fn compare<'a>(
    path: &str,
    before: Option<Node<'a>>,
    after: Option<Node<'a>>,
    found: &mut Vec<Difference>,
) {
    let text = |node: Option<Node<'a>>| node.map(|node| node.text());
    if text(before) == text(after) {
        return;
    }
    let form = |node: Option<Node<'a>>| node.map(|node| Form::of(node));
    match (form(before), form(after)) {
        (Some(one), Some(other)) if one != other => {
            compare(path, before, None, found);
            compare(path, None, after, found);
        }
        (Some(Form::Object), _) | (_, Some(Form::Object)) => {
            let member = |node: Option<Node<'a>>, name: &str| node.and_then(|node| node.get(name));
            for name in names(before, after) {
                let (one, other) = (member(before, &name), member(after, &name));
                compare(&within(path, &name), one, other, found);
            }
        }
        (Some(Form::Array), _) | (_, Some(Form::Array)) => {
            let items = |node: Option<Node<'a>>| -> Vec<Node<'a>> {
                node.map(|node| node.items().collect()).unwrap_or_default()
            };
            let (one, other) = (items(before), items(after));
            let texts = |nodes: &[Node<'a>]| nodes.iter().map(Node::text).collect::<Vec<_>>();
            for (old, new) in pairs(&texts(&one), &texts(&other)) {
                let at = new.or(old).unwrap_or_default();
                let node = |nodes: &[Node<'a>], at: Option<usize>| nodes.get(at?).copied();
                compare(&format!("{path}[{at}]"), node(&one, old), node(&other, new), found);
            }
        }
        _ => {
            let owned = |node| text(node).map(str::to_owned);
            let (before, after) = (owned(before), owned(after));
            found.push(Difference { path: path.to_owned(), before, after });
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Object,
    Array,
    Value,
}

impl Form {
    fn of(node: Node<'_>) -> Self {
        match node.kind() {
            Kind::Object => Self::Object,
            Kind::Array => Self::Array,
            _ => Self::Value,
        }
    }
}

/// The names of the members of both: those of the second in their order, and then those that only the first has.
fn names(before: Option<Node<'_>>, after: Option<Node<'_>>) -> Vec<String> {
    let of = |node: Option<Node<'_>>| -> Vec<String> {
        node.map(|node| node.members().map(|(name, _)| name.into_owned()).collect())
            .unwrap_or_default()
    };
    let mut names = of(after);
    let gone: Vec<String> = of(before).into_iter().filter(|name| !names.contains(name)).collect();
    names.extend(gone);
    names
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Which items of two lists are the same, each told by its text.
fn pairs(before: &[&str], after: &[&str]) -> Vec<(Option<usize>, Option<usize>)> {
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = before.iter().zip(after).take_while(same).count();
    let rest = before.len().min(after.len()) - start;
    let end = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(same).count();
    let (before_end, after_end) = (before.len() - end, after.len() - end);
    let middle = (before_end - start).max(after_end - start);
    let within = |at: usize, end: usize| Some(at).filter(|at| *at < end);
    let first = (0..start).map(|at| (Some(at), Some(at)));
    let middle = (start..start + middle).map(|at| (within(at, before_end), within(at, after_end)));
    let last = (0..end).map(|at| (Some(before_end + at), Some(after_end + at)));
    first.chain(middle).chain(last).collect()
}

/// A resource, or a part of one, of which each element knows the version that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blamed {
    by: usize,
    text: String,
    parts: Vec<(Part, Blamed)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Member(String),
    Item,
}

/// An element, and the version that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Where it stands.
    pub path: String,
    /// Its text.
    pub value: String,
    /// The version that set it to that.
    pub by: usize,
}

impl Blamed {
    /// A version of a resource: what is as in the version before keeps who set it.
    pub fn new(before: Option<&Self>, node: Node<'_>, by: usize) -> Self {
        if let Some(same) = before.filter(|before| before.text == node.text()) {
            return same.clone();
        }
        let parts = match Form::of(node) {
            Form::Value => Vec::new(),
            Form::Object => {
                let member = |name: &str| {
                    let part = Part::Member(name.to_owned());
                    let mut parts = before.into_iter().flat_map(|before| &before.parts);
                    parts.find(|(known, _)| *known == part).map(|(_, value)| value)
                };
                let blamed = |(name, value): (Cow<'_, str>, Node<'_>)| {
                    let value = Self::new(member(&name), value, by);
                    (Part::Member(name.into_owned()), value)
                };
                node.members().map(blamed).collect()
            }
            Form::Array => {
                let old: Vec<&Self> = before
                    .into_iter()
                    .flat_map(|before| &before.parts)
                    .filter(|(part, _)| *part == Part::Item)
                    .map(|(_, item)| item)
                    .collect();
                let new: Vec<Node<'_>> = node.items().collect();
                let old_texts: Vec<&str> = old.iter().map(|item| item.text.as_str()).collect();
                let new_texts: Vec<&str> = new.iter().map(Node::text).collect();
                let blamed = |(one, other): (Option<usize>, Option<usize>)| {
                    let before = one.and_then(|at| old.get(at).copied());
                    Some((Part::Item, Self::new(before, *new.get(other?)?, by)))
                };
                pairs(&old_texts, &new_texts).into_iter().filter_map(blamed).collect()
            }
        };
        Self { by, text: node.text().to_owned(), parts }
    }

    /// All elements that have a value of their own.
    pub fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        self.collect("", &mut settings);
        settings.retain(|setting| !LEFT_OUT.contains(&setting.path.as_str()));
        settings
    }

    fn collect(&self, path: &str, settings: &mut Vec<Setting>) {
        if self.parts.is_empty() {
            let (path, value) = (path.to_owned(), self.text.clone());
            settings.push(Setting { path, value, by: self.by });
        }
        for (at, (part, value)) in self.parts.iter().enumerate() {
            match part {
                Part::Member(name) => value.collect(&within(path, name), settings),
                Part::Item => value.collect(&format!("{path}[{at}]"), settings),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn read(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        let (before, after) = (read(before), read(after));
        let told = |one: Difference| {
            let side = |side: Option<String>| side.unwrap_or_else(|| "nothing".to_owned());
            format!("{}: {} → {}", one.path, side(one.before), side(one.after))
        };
        differences(Some(before.root()), Some(after.root())).into_iter().map(told).collect()
    }

    #[test]
    fn elements_differ_by_their_text_at_their_place() {
        for (before, after, expected) in [
            (r#"{"a":1.0}"#, r#"{"a":1.0}"#, &[] as &[&str]),
            (r#"{"a":1.0}"#, r#"{"a":1.00}"#, &["a: 1.0 → 1.00"]),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &[]),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":1}}"#, &["a.c: 2 → nothing"]),
            (r#"{"a":[1,2,3]}"#, r#"{"a":[1,3]}"#, &["a[1]: 2 → nothing"]),
            (r#"{"a":[1,2,3]}"#, r#"{"a":[0,1,2,3]}"#, &["a[0]: nothing → 0"]),
            (r#"{"a":[{"b":1},{"b":2}]}"#, r#"{"a":[{"b":1},{"b":3}]}"#, &["a[1].b: 2 → 3"]),
            (r#"{"a":[1,1]}"#, r#"{"a":[1]}"#, &["a[1]: 1 → nothing"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":"x"}"#, &["a.b: 1 → nothing", r#"a: nothing → "x""#]),
            (
                r#"{"id":"x","meta":{"versionId":"1","lastUpdated":"T"}}"#,
                r#"{"id":"x","meta":{"versionId":"2","lastUpdated":"U","source":"s"}}"#,
                &[r#"meta.source: nothing → "s""#],
            ),
        ] {
            assert_eq!(told(before, after), expected, "{before} {after}");
        }
        let added = read(r#"{"resourceType":"X","a":[1],"b":{"c":true}}"#);
        let paths: Vec<String> =
            differences(None, Some(added.root())).into_iter().map(|one| one.path).collect();
        assert_eq!(paths, ["a[0]", "b.c"]);
    }

    #[test]
    fn each_element_knows_the_version_that_set_it() {
        let mut blamed = None;
        for (by, version) in [
            r#"{"status":"final","value":{"value":72,"unit":"/min"},"note":["a"]}"#,
            r#"{"status":"final","value":{"value":73,"unit":"/min"},"note":["b","a"]}"#,
            r#"{"value":{"value":73,"unit":"/min"},"status":"amended","note":["b","a","c"]}"#,
            r#"{"value":{"value":72,"unit":"/min"},"status":"amended","note":["b","a","c"]}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let document = read(version);
            blamed = Some(Blamed::new(blamed.as_ref(), document.root(), by));
        }
        let told = |one: Setting| format!("{} {} {}", one.by, one.path, one.value);
        let told: Vec<String> = blamed.unwrap().settings().into_iter().map(told).collect();
        assert_eq!(
            told,
            [
                "3 value.value 72",
                "0 value.unit \"/min\"",
                "2 status \"amended\"",
                "1 note[0] \"b\"",
                "0 note[1] \"a\"",
                "2 note[2] \"c\"",
            ]
        );
    }
}
