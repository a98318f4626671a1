//! Deciding: from the current state and a change to the events that record it.

use super::event::EventKind;
use crate::fhir::ResourceId;

/// The state of a resource to which a change applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// False after a deletion.
    pub live: bool,
    /// True when the current body says `entered-in-error`.
    pub retracted: bool,
    /// The charts it lies in, home first; none: the directory.
    pub patients: Vec<ResourceId>,
}

/// What a request wants of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// That it has this content.
    Put {
        /// The charts it then lies in, home first; none: the directory.
        patients: Vec<ResourceId>,
        /// Whether the content says `entered-in-error`.
        retracted: bool,
        /// Whether the content equals the current one.
        unchanged: bool,
    },
    /// That it is deleted.
    Remove,
}

/// One event to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// The chart, or `None` for the directory.
    pub patient: Option<ResourceId>,
    /// What happened there.
    pub event_kind: EventKind,
    /// True for the one event of the resource that carries its body and its new version.
    pub home: bool,
}

/// The events a change leads to, the home event first; none when nothing changes.
#[must_use]
pub fn decide(current: Option<&Current>, wish: &Wish) -> Vec<Drafted> {
    match (wish, current) {
        (Wish::Remove, Some(current)) if current.live => {
            in_each(&current.patients, |_| EventKind::Removed)
        }
        (Wish::Remove, _) => Vec::new(),
        (Wish::Put { patients, .. }, None) => in_each(patients, |_| EventKind::Recorded),
        (Wish::Put { patients, .. }, Some(current)) if !current.live => {
            in_each(patients, |_| EventKind::Restored)
        }
        (Wish::Put { unchanged: true, .. }, Some(_)) => Vec::new(),
        (Wish::Put { patients, retracted, .. }, Some(current)) => {
            let same = if *retracted && !current.retracted {
                EventKind::Retracted
            } else {
                EventKind::Amended
            };
            replace(current, patients, same)
        }
    }
}

/// A live resource gets new content: charts it stays in, enters, and leaves.
fn replace(current: &Current, patients: &[ResourceId], same: EventKind) -> Vec<Drafted> {
    let was_directory = current.patients.is_empty();
    let mut events = in_each(patients, |patient| match patient {
        Some(patient) if current.patients.contains(patient) => same,
        None if was_directory => same,
        _ => EventKind::MovedIn,
    });
    let left = |patient: &Option<ResourceId>| Drafted {
        patient: patient.clone(),
        event_kind: EventKind::MovedOut,
        home: false,
    };
    let charts = current.patients.iter().filter(|patient| !patients.contains(patient));
    events.extend(charts.cloned().map(Some).map(|patient| left(&patient)));
    if was_directory && !patients.is_empty() {
        events.push(left(&None));
    }
    events
}

fn in_each(
    patients: &[ResourceId],
    event_kind: impl Fn(Option<&ResourceId>) -> EventKind,
) -> Vec<Drafted> {
    if patients.is_empty() {
        return vec![Drafted { patient: None, event_kind: event_kind(None), home: true }];
    }
    let draft = |(at, patient): (usize, &ResourceId)| Drafted {
        patient: Some(patient.clone()),
        event_kind: event_kind(Some(patient)),
        home: at == 0,
    };
    patients.iter().enumerate().map(draft).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<ResourceId> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn put(patients: &str) -> Wish {
        Wish::Put { patients: ids(patients), retracted: false, unchanged: false }
    }

    fn current(patients: &str) -> Current {
        Current { live: true, retracted: false, patients: ids(patients) }
    }

    fn told(current: Option<&Current>, wish: &Wish) -> String {
        let words = decide(current, wish).into_iter().map(|event| {
            let place = event.patient.map_or("directory".to_owned(), |id| id.to_string());
            format!("{place}:{}{}", event.event_kind.word(), if event.home { "*" } else { "" })
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_change_leads_to_the_events_that_say_so() {
        let removed = Current { live: false, ..current("a") };
        let unchanged = Wish::Put { patients: ids("a"), retracted: false, unchanged: true };
        let in_error = Wish::Put { patients: ids("a"), retracted: true, unchanged: false };
        let in_error_before = Current { retracted: true, ..current("a") };
        let cases = [
            (None, put("a"), "a:recorded*"),
            (None, put("a b"), "a:recorded* b:recorded"),
            (None, put(""), "directory:recorded*"),
            (Some(current("a")), put("a"), "a:amended*"),
            (Some(current("a")), put("b"), "b:moved-in* a:moved-out"),
            (Some(current("a b")), put("b c"), "b:amended* c:moved-in a:moved-out"),
            (Some(current("")), put("a"), "a:moved-in* directory:moved-out"),
            (Some(current("a")), put(""), "directory:moved-in* a:moved-out"),
            (Some(current("a")), unchanged.clone(), ""),
            (Some(current("a")), in_error.clone(), "a:retracted*"),
            (Some(in_error_before), in_error, "a:amended*"),
            (Some(removed.clone()), put("b"), "b:restored*"),
            (Some(removed.clone()), unchanged, "a:restored*"),
            (Some(removed), Wish::Remove, ""),
            (Some(current("a b")), Wish::Remove, "a:removed* b:removed"),
            (None, Wish::Remove, ""),
        ];
        for (current, wish, expected) in cases {
            assert_eq!(told(current.as_ref(), &wish), expected, "{current:?} {wish:?}");
        }
    }
}
