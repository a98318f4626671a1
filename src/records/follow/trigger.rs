//! Which changes of a resource are told of: what it must have been before, and what it must be now.

use crate::fhir::ResourceType;
use crate::fhir::search::Criteria;

/// A change of a resource that is told of, as topics of FHIR Subscriptions say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The type of the resource.
    pub kind: ResourceType,
    /// Whether its coming is told of.
    pub creates: bool,
    /// Whether its change is told of.
    pub updates: bool,
    /// Whether its going is told of.
    pub deletes: bool,
    /// What must have held of it before.
    pub previous: Option<Criteria>,
    /// Whether that counts as met when there was none before.
    pub is_met_by_create: bool,
    /// What must hold of it now.
    pub current: Option<Criteria>,
    /// Whether that counts as met when there is none any more.
    pub is_met_by_delete: bool,
    /// Whether both must hold; otherwise one is enough.
    pub requires_both: bool,
    /// What must hold besides, all of it, of what it is; or, when it is gone, of what it was.
    pub filters: Vec<Criteria>,
}

impl Trigger {
    /// None yet, of a type.
    #[must_use]
    pub fn on(kind: ResourceType) -> Self {
        Self {
            kind,
            creates: false,
            updates: false,
            deletes: false,
            previous: None,
            is_met_by_create: false,
            current: None,
            is_met_by_delete: false,
            requires_both: false,
            filters: Vec::new(),
        }
    }

    /// Whether a change pulls it. `T`: a version of the resource, before and after.
    pub(super) fn is_pulled<T, E>(
        &self,
        before: Option<&T>,
        after: Option<&T>,
        matches: impl Fn(&Criteria, &T) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let (is_told, known) = match (before, after) {
            (None, None) => return Ok(false),
            (None, Some(after)) => (self.creates, after),
            (Some(_), Some(after)) => (self.updates, after),
            (Some(before), None) => (self.deletes, before),
        };
        if !is_told {
            return Ok(false);
        }
        let test = |criteria: &Option<Criteria>, version: Option<&T>, otherwise: bool| match (
            criteria, version,
        ) {
            (None, _) => Ok(None),
            (Some(_), None) => Ok(Some(otherwise)),
            (Some(criteria), Some(version)) => matches(criteria, version).map(Some),
        };
        let previous = test(&self.previous, before, self.is_met_by_create)?;
        let current = test(&self.current, after, self.is_met_by_delete)?;
        let is_met = match (previous, current) {
            (Some(previous), Some(current)) if self.requires_both => previous && current,
            (Some(previous), Some(current)) => previous || current,
            (one, other) => one.or(other).unwrap_or(true),
        };
        if !is_met {
            return Ok(false);
        }
        for filter in self.filters.iter().filter(|filter| filter.kind == self.kind) {
            if !matches(filter, known)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Parameters;

    fn criteria(status: &str) -> Criteria {
        let pairs = [("status".to_owned(), status.to_owned())];
        let kind = ResourceType::from_name("Encounter").unwrap();
        Criteria::parse(&Parameters::standard(), kind, &pairs, None).unwrap()
    }

    /// Versions are the words that their criteria are made of.
    fn pulled(trigger: &Trigger, before: Option<&str>, after: Option<&str>) -> bool {
        let matches = |one: &Criteria, word: &&str| Ok::<_, ()>(*one == criteria(word));
        trigger.is_pulled(before.as_ref(), after.as_ref(), matches).unwrap()
    }

    #[test]
    fn a_trigger_looks_at_what_was_and_what_is() {
        let kind = ResourceType::from_name("Encounter").unwrap();
        let all = Trigger { creates: true, updates: true, deletes: true, ..Trigger::on(kind) };
        assert!(pulled(&all, None, Some("a")) && pulled(&all, Some("a"), None));
        assert!(!pulled(&all, None, None), "nothing came and nothing went");
        let updates = Trigger { updates: true, ..Trigger::on(kind) };
        assert!(pulled(&updates, Some("a"), Some("a")) && !pulled(&updates, None, Some("a")));
        assert!(!pulled(&updates, Some("a"), None));

        let either = Trigger {
            previous: Some(criteria("planned")),
            current: Some(criteria("finished")),
            ..all.clone()
        };
        for (before, after, is_either, is_both) in [
            (Some("planned"), Some("finished"), true, true),
            (Some("planned"), Some("other"), true, false),
            (Some("other"), Some("finished"), true, false),
            (Some("other"), Some("other"), false, false),
            (None, Some("finished"), true, false),
            (Some("planned"), None, true, false),
            (None, Some("other"), false, false),
        ] {
            assert_eq!(pulled(&either, before, after), is_either, "{before:?} {after:?}");
            let both = Trigger { requires_both: true, ..either.clone() };
            assert_eq!(pulled(&both, before, after), is_both, "{before:?} {after:?}");
            let lenient = Trigger { is_met_by_create: true, is_met_by_delete: true, ..both };
            let was = before.is_none_or(|word| word == "planned");
            let is = after.is_none_or(|word| word == "finished");
            assert_eq!(pulled(&lenient, before, after), was && is, "{before:?} {after:?}");
        }
    }

    #[test]
    fn filters_must_all_hold_of_what_is_left_to_look_at() {
        let kind = ResourceType::from_name("Encounter").unwrap();
        let filters = vec![criteria("a")];
        let all = Trigger { creates: true, deletes: true, filters, ..Trigger::on(kind) };
        assert!(pulled(&all, None, Some("a")) && !pulled(&all, None, Some("b")));
        assert!(pulled(&all, Some("a"), None) && !pulled(&all, Some("b"), None));
        let none = Trigger { filters: vec![criteria("a"), criteria("b")], ..all };
        assert!(!pulled(&none, None, Some("a")));
    }
}
