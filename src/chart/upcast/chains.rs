//! The upcasters of each type, in the order of the versions.

use std::collections::BTreeMap;

use super::PARTS_MAX;
use super::UpcastError;
use super::step::{Split, Step};
use crate::fhir::ResourceType;

/// Most changes of all upcasters of a type.
const CHANGES_MAX: usize = 1_000;

/// The chain of each type, at the place of the type's code.
#[derive(Debug, Default)]
pub(super) struct Chains(Vec<Vec<Step>>);

impl Chains {
    /// Puts steps in order.
    ///
    /// # Errors
    ///
    /// All that is wrong with what comes about.
    pub(super) fn of(steps: Vec<Step>) -> Result<Self, Vec<UpcastError>> {
        let mut errors = Vec::new();
        let mut by_type: BTreeMap<u16, Vec<Step>> = BTreeMap::new();
        for step in steps {
            by_type.entry(step.kind.code()).or_default().push(step);
        }
        let mut chains = Self::default();
        for (code, mut steps) in by_type {
            steps.sort_by_key(|step| step.from);
            without_gaps(&steps, &mut errors);
            too_many(&steps, &mut errors);
            let place = usize::from(code);
            chains.0.resize_with(place + 1, Vec::new);
            if let Some(chain) = chains.0.get_mut(place) {
                *chain = steps;
            }
        }
        if errors.is_empty() {
            chains.check_parts(&mut errors);
        }
        if errors.is_empty() { Ok(chains) } else { Err(errors) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version to which the chain of a type leads.
    pub(super) fn content_of(&self, kind: ResourceType) -> u16 {
        let steps = self.0.get(usize::from(kind.code())).map_or(0, Vec::len);
        u16::try_from(steps + 1).unwrap_or(u16::MAX)
    }

    /// The steps from a version on.
    pub(super) fn from(&self, kind: ResourceType, content: u16) -> &[Step] {
        let steps = self.0.get(usize::from(kind.code())).map_or(&[][..], Vec::as_slice);
        steps.get(usize::from(content.saturating_sub(1))..).unwrap_or_default()
    }

    /// The version in which a split of a step makes its part.
    pub(super) fn content_of_part(&self, step: &Step, split: &Split) -> u16 {
        if split.kind == step.kind {
            return step.from + 1;
        }
        split.content.unwrap_or_else(|| self.content_of(split.kind))
    }

    /// That the splits lead to few parts, each other than all others.
    fn check_parts(&self, errors: &mut Vec<UpcastError>) {
        for code in 0..self.0.len() {
            let kind = u16::try_from(code).ok().and_then(ResourceType::from_code);
            if let Some(error) = kind.and_then(|kind| self.check_parts_of(kind))
                && !errors.contains(&error)
            {
                errors.push(error);
            }
        }
    }

    /// What is wrong with the parts of a type. The id of its resource is the text `{id}`.
    fn check_parts_of(&self, kind: ResourceType) -> Option<UpcastError> {
        let mut known = vec![(kind, "{id}".to_owned())];
        let mut todo = vec![(kind, 1, "{id}".to_owned())];
        while let Some((kind, content, id)) = todo.pop() {
            let steps = self.from(kind, content).iter();
            for (step, split) in
                steps.flat_map(|step| step.splits.iter().map(move |split| (step, split)))
            {
                let part = (split.kind, split.id.of(&id));
                if known.contains(&part) {
                    let problem = format!("{}/{} would come about twice", part.0, part.1);
                    return Some(error(step, split.line, problem));
                }
                if known.len() > PARTS_MAX {
                    let problem = format!(
                        "an event would have more than {PARTS_MAX} parts: is it part of a circle of splits?"
                    );
                    return Some(error(step, split.line, problem));
                }
                todo.push((part.0, self.content_of_part(step, split), part.1.clone()));
                known.push(part);
            }
        }
        None
    }
}

fn error(step: &Step, line: usize, problem: String) -> UpcastError {
    UpcastError { file: step.file.to_string(), line, event: format!("{}.*", step.kind), problem }
}

fn without_gaps(steps: &[Step], errors: &mut Vec<UpcastError>) {
    let mut next = 1;
    let mut before: Option<&Step> = None;
    for step in steps {
        let (kind, from) = (step.kind, step.from);
        match before.filter(|before| before.from == from) {
            Some(before) => {
                let file = &before.file;
                let problem = format!("{file} leads from version {from} of {kind} too");
                errors.push(error(step, step.line, problem));
            }
            None if from != next => {
                let problem = format!(
                    "it leads on from version {from} of {kind}, but nothing leads to it: write from = {next}"
                );
                errors.push(error(step, step.line, problem));
            }
            None => {}
        }
        next = from.saturating_add(1);
        before = Some(step);
    }
}

fn too_many(steps: &[Step], errors: &mut Vec<UpcastError>) {
    let mut count = 0;
    for step in steps {
        let of_splits = step.splits.iter().map(|split| split.changes.len());
        count += step.changes.len() + of_splits.sum::<usize>();
        if count > CHANGES_MAX {
            let problem = format!("the upcasters of a type may make {CHANGES_MAX} changes in all");
            errors.push(error(step, step.line, problem));
            return;
        }
    }
}
