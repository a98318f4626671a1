//! What holds of every chain and event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::{EXAMPLE, coded, event, read};
use crate::chart::{Envelope, EventKind, Upcast, Upcasters};

/// What one upcaster does to resources of one code; none is that of [`EXAMPLE`].
#[derive(Debug, Clone)]
enum Deed {
    /// Another code.
    Change(String, String),
    /// A part with another code.
    Split(String, String),
    /// Nothing is told of events that are amended.
    Drop(String),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let code = || "[a-c]";
    prop_oneof![
        (code(), code()).prop_map(|(from, to)| Deed::Change(from, to)),
        (code(), code()).prop_map(|(from, to)| Deed::Split(from, to)),
        code().prop_map(Deed::Drop),
    ]
}

fn chain(deeds: &[Deed]) -> Upcasters {
    let change = |to: &String| format!("path = \"Basic.code.text\"\nto = \"{to}\"\n");
    let text = |(from, deed): (usize, &Deed)| {
        let (code, does) = match deed {
            Deed::Change(code, to) => (code, format!("[[mapping]]\n{}", change(to))),
            Deed::Split(code, to) => {
                let split = format!("[[split]]\nid = \"{{id}}-{from}\"\n[[split.mapping]]\n");
                (code, split + &change(to))
            }
            Deed::Drop(code) => (code, "events = [\"amended\"]\ndrop = true\n".to_owned()),
        };
        let condition = format!("where = \"Basic.code.text='{code}'\"\n");
        format!("type = \"Basic\"\nfrom = {from}\n{condition}{does}{EXAMPLE}")
    };
    let texts: Vec<String> = (1..).zip(deeds).map(text).collect();
    read(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    let kinds = [
        EventKind::Recorded,
        EventKind::Amended,
        EventKind::Retracted,
        EventKind::Restored,
        EventKind::MovedIn,
        EventKind::Removed,
    ];
    prop::sample::select(kinds.to_vec())
}

fn upcast(upcasters: &Upcasters, kind: EventKind, code: &str, content: u16) -> Upcast {
    let body = if kind == EventKind::Removed { Value::Null } else { coded(code) };
    let (mut envelope, body) = event(kind, "Basic/1", &body);
    envelope.content = content;
    upcasters.upcast(envelope, body).unwrap()
}

fn keys(upcast: &Upcast) -> BTreeSet<String> {
    upcast.parts.iter().map(|part| part.envelope.resource.clone().unwrap()).collect()
}

/// What is told, without what is dropped.
fn told_of(upcast: Upcast) -> impl Iterator<Item = (Envelope, Vec<u8>)> {
    let all = std::iter::once(upcast.main).chain(upcast.parts);
    all.filter(|told| !told.is_dropped).map(|told| (told.envelope, told.body))
}

proptest! {
    #[test]
    fn upcasting_twice_is_the_same_as_once(
        deeds in prop::collection::vec(any_deed(), 0..5),
        kind in any_kind(),
        code in "[a-d]",
        content in 1u16..7,
    ) {
        let upcasters = chain(&deeds);
        let once = upcast(&upcasters, kind, &code, content);
        let mut twice = once.clone();
        for told in std::iter::once(&mut twice.main).chain(&mut twice.parts) {
            prop_assert!(!upcasters.concern(&told.envelope));
            let again = upcasters.upcast(told.envelope.clone(), told.body.clone()).unwrap();
            prop_assert_eq!(again.parts, Vec::new());
            (told.envelope, told.body) = (again.main.envelope, again.main.body);
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_chain_does_at_once_what_its_steps_do_one_by_one(
        deeds in prop::collection::vec(any_deed(), 0..5),
        kind in any_kind(),
        code in "[a-d]",
    ) {
        // Each time with one more upcaster in force, on all that the time before has told.
        let (mut told, mut next) = (vec![{
            let body = if kind == EventKind::Removed { Value::Null } else { coded(&code) };
            event(kind, "Basic/1", &body)
        }], Vec::new());
        for length in 1..=deeds.len() {
            let upcasters = chain(&deeds[..length]);
            for (envelope, body) in told.drain(..) {
                // A part that is not there has parts that are not there, as a deleted resource has.
                let is_gone = body.is_empty();
                let upcast = upcasters.upcast(envelope, body).unwrap();
                prop_assert!(!is_gone || upcast.parts.iter().all(|part| part.body.is_empty()));
                next.extend(told_of(upcast));
            }
            told.append(&mut next);
        }
        let whole = upcast(&chain(&deeds), kind, &code, 1);
        let mut at_once: Vec<_> = told_of(whole).collect();
        told.sort_by(|(one, _), (other, _)| one.resource.cmp(&other.resource));
        at_once.sort_by(|(one, _), (other, _)| one.resource.cmp(&other.resource));
        prop_assert_eq!(told, at_once);
    }

    #[test]
    fn which_parts_there_are_does_not_depend_on_the_content(
        deeds in prop::collection::vec(any_deed(), 0..5),
        kind in any_kind(),
        (one, other) in ("[a-d]", "[a-d]"),
    ) {
        let deeds: Vec<Deed> = deeds.into_iter().filter(|deed| !matches!(deed, Deed::Drop(_))).collect();
        let upcasters = chain(&deeds);
        let [first, second] = [one, other].map(|code| upcast(&upcasters, kind, &code, 1));
        if kind == EventKind::Recorded {
            prop_assert!(first.parts.iter().all(|part| !part.body.is_empty()));
        } else {
            prop_assert_eq!(keys(&first), keys(&second));
            prop_assert_eq!(keys(&first), keys(&upcast(&upcasters, EventKind::Removed, "a", 1)));
        }
    }
}
