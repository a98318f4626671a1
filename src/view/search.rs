//! Finding resources by their terms.

use fjall::{Iter, Readable};

use super::{View, ViewError, keys};
use crate::fhir::ResourceType;
use crate::fhir::terms::Term;
use crate::log::StreamAlias;

impl View {
    /// Numbers above `after` of the resources of a type that have a term of every clause and lie
    /// in the given chart, ascending. Without clauses: none.
    pub fn matches<'a>(
        &'a self,
        kind: ResourceType,
        clauses: &[Vec<Term>],
        chart: Option<StreamAlias>,
        after: Option<u64>,
    ) -> impl Iterator<Item = Result<u64, ViewError>> + use<'a> {
        let mut wanted: Vec<Vec<Vec<u8>>> = chart
            .map(|alias| vec![keys::compartment(kind, alias)])
            .into_iter()
            .chain(
                clauses.iter().map(|any| any.iter().map(|term| keys::term(kind, term)).collect()),
            )
            .collect();
        let mut driver = match wanted.is_empty() {
            true => Union::default(),
            false => Union::of(self, &wanted.remove(0), after),
        };
        std::iter::from_fn(move || {
            loop {
                match driver.next() {
                    Ok(None) => return None,
                    Ok(Some(number)) => match self.has_all(&wanted, number) {
                        Ok(true) => return Some(Ok(number)),
                        Ok(false) => {}
                        Err(error) => return Some(Err(error)),
                    },
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Whether one resource has a term of every clause and lies in the given chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn is_match(
        &self,
        kind: ResourceType,
        clauses: &[Vec<Term>],
        chart: Option<StreamAlias>,
        number: u64,
    ) -> Result<bool, ViewError> {
        let in_chart = chart.map(|alias| vec![keys::compartment(kind, alias)]);
        let clauses =
            clauses.iter().map(|any| any.iter().map(|term| keys::term(kind, term)).collect());
        let wanted: Vec<Vec<Vec<u8>>> = in_chart.into_iter().chain(clauses).collect();
        self.has_all(&wanted, number)
    }

    fn has_all(&self, wanted: &[Vec<Vec<u8>>], number: u64) -> Result<bool, ViewError> {
        for any in wanted {
            let mut found = false;
            for prefix in any {
                let key = keys::with_number(prefix.clone(), number);
                if self.snapshot.contains_key(&self.spaces.terms, key)? {
                    found = true;
                    break;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The numbers under any of several terms, ascending, each once.
#[derive(Default)]
struct Union {
    branches: Vec<(Iter, Option<u64>)>,
    last: Option<u64>,
}

impl Union {
    fn of(view: &View, prefixes: &[Vec<u8>], after: Option<u64>) -> Self {
        let branch = |prefix: &Vec<u8>| {
            let first = after.map_or(0, |after| after.saturating_add(1));
            let range = keys::with_number(prefix.clone(), first)
                ..=keys::with_number(prefix.clone(), u64::MAX);
            (view.snapshot.range(&view.spaces.terms, range), None)
        };
        Self { branches: prefixes.iter().map(branch).collect(), last: None }
    }

    fn next(&mut self) -> Result<Option<u64>, ViewError> {
        let mut lowest: Option<u64> = None;
        for (iterator, waiting) in &mut self.branches {
            // Step over what another branch has given already.
            while waiting.is_none_or(|number| Some(number) <= self.last && self.last.is_some()) {
                match iterator.next() {
                    Some(entry) => *waiting = Some(keys::last_number(&entry.key()?)),
                    None => {
                        *waiting = None;
                        break;
                    }
                }
            }
            if let Some(number) = *waiting {
                lowest = Some(lowest.map_or(number, |lowest| lowest.min(number)));
            }
        }
        self.last = lowest.or(self.last);
        Ok(lowest)
    }
}
