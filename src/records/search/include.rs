//! The resources that go with the matches: FHIR R4 §3.1.1.5.4 (`_include`, `_revinclude`).
//!
//! Each passes the same decision as a read: what lies outside the caller's reach is left out, as if it
//! did not exist.

use std::collections::HashSet;
use std::sync::Arc;

use super::context::Opened;
use super::{Matches, RecordsError, Resource, Search};
use crate::auth::Permission;
use crate::fhir::search::{
    Condition, Criterion, Include, Scope, SearchParameter, SearchType, Target, targets_of,
};
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::numbers::ResourceVersion;
use crate::records::error::unreadable;
use crate::view::ViewError;

/// Most resources that go with one page.
const INCLUDED_MAX: usize = 5_000;

/// Which version of a resource: the one that counts, or the one that a reference names.
type Wanted = (ResourceKey, Option<ResourceVersion>);

/// What is gathered for one page.
struct Gathered {
    known: HashSet<Wanted>,
    resources: Vec<Resource>,
}

impl Search<'_> {
    /// What goes with the matches of a page, each once.
    pub(super) fn included(&self, matches: &[Resource]) -> Result<Vec<Resource>, RecordsError> {
        let includes = || {
            let queries = self.request.queries.iter();
            queries.flat_map(|(_, query)| &query.includes)
        };
        if includes().next().is_none() {
            return Ok(Vec::new());
        }
        let known = matches.iter().map(|resource| (resource.key.clone(), None)).collect();
        let mut gathered = Gathered { known, resources: Vec::new() };
        for resource in matches {
            self.gather(resource, includes(), &mut gathered)?;
        }
        // What was included leads on, if it was asked to.
        let mut next = 0;
        while let Some(resource) = gathered.resources.get(next).cloned() {
            self.gather(&resource, includes().filter(|include| include.iterate), &mut gathered)?;
            next += 1;
        }
        Ok(gathered.resources)
    }

    /// Adds what goes with one resource.
    fn gather<'i>(
        &self,
        resource: &Resource,
        includes: impl Iterator<Item = &'i Include>,
        gathered: &mut Gathered,
    ) -> Result<(), RecordsError> {
        let document = Document::parse(resource.body.clone()).map_err(|_| unreadable())?;
        let scope = Scope::of(document.root());
        for include in includes {
            if include.reverse {
                self.gather_referring(include, &resource.key, document.root(), gathered)?;
                continue;
            }
            if include.source == resource.key.kind {
                self.gather_targets(include, scope, gathered)?;
            }
            // What stands within the resource is there already, and leads on like what is included.
            for (_, scope) in
                scope.within().filter(|(kind, _)| include.iterate && *kind == include.source)
            {
                self.gather_targets(include, scope, gathered)?;
            }
        }
        Ok(())
    }

    /// Adds what a resource, or one within it, refers to.
    fn gather_targets(
        &self,
        include: &Include,
        scope: Scope<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), RecordsError> {
        let fits = |kind: ResourceType| include.target.is_none_or(|target| target == kind);
        for parameter in self.parameters_of(include) {
            for target in targets_of(parameter, scope, self.context.base_url) {
                match target {
                    Target::Resource(key, version) if fits(key.kind) => {
                        self.gather_target((key, version), gathered)?;
                    }
                    Target::Canonical(canonical) => {
                        for kind in parameter.targets().into_iter().filter(|kind| fits(*kind)) {
                            for key in self.context.with_canonical(kind, &canonical)? {
                                self.gather_target((key, None), gathered)?;
                            }
                        }
                    }
                    Target::Resource(..) | Target::Within(..) => {}
                }
            }
        }
        Ok(())
    }

    /// The parameter that an include names, or all references of its type.
    fn parameters_of<'i>(
        &'i self,
        include: &'i Include,
    ) -> impl Iterator<Item = &'i Arc<SearchParameter>> {
        let all = self.context.parameters.of(include.source);
        all.filter(move |parameter| match &include.parameter {
            Some(named) => named.code == parameter.code,
            None => parameter.search_type == SearchType::Reference,
        })
    }

    fn gather_target(&self, wanted: Wanted, gathered: &mut Gathered) -> Result<(), RecordsError> {
        if gathered.known.contains(&wanted) {
            return Ok(());
        }
        let held = match wanted.1 {
            None => self.context.held_as(&wanted.0)?,
            Some(version) => self.context.held_version(&wanted.0, version)?,
        };
        let Some(held) = held else { return Ok(()) };
        if let Some(found) = self.context.permitted(wanted.0.kind, Permission::Read, held)?
            && let Some(opened) = found.open(self.context)?
        {
            self.add(wanted, &opened, gathered)?;
        }
        Ok(())
    }

    fn gather_referring(
        &self,
        include: &Include,
        key: &ResourceKey,
        resource: Node<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), RecordsError> {
        let canonical = self.context.canonical_of(key.kind, resource);
        if self.context.reach(include.source).is_err() {
            return Ok(());
        }
        let Ok(may_read) = self.context.reach_with(include.source, Permission::Read) else {
            return Ok(());
        };
        for parameter in self.parameters_of(include) {
            if !parameter.may_target(key.kind)
                || include.target.is_some_and(|target| target != key.kind)
            {
                continue;
            }
            let condition = Condition::refers_to(parameter, key, canonical.as_ref());
            let criteria = [Criterion::Condition(condition)];
            for found in Matches::new(self.context, include.source, &criteria, None, None)? {
                let Some(found) = self.context.admitted(include.source, &may_read, found?)? else {
                    continue;
                };
                let Some(opened) = found.open(self.context)? else { continue };
                let wanted = (opened.key.clone(), None);
                if !gathered.known.contains(&wanted) {
                    self.add(wanted, &opened, gathered)?;
                }
            }
        }
        Ok(())
    }

    fn add(
        &self,
        wanted: Wanted,
        opened: &Opened,
        gathered: &mut Gathered,
    ) -> Result<(), RecordsError> {
        if gathered.resources.len() == INCLUDED_MAX {
            return Err(ViewError::Costly.into());
        }
        gathered.resources.push(self.show(opened));
        gathered.known.insert(wanted);
        Ok(())
    }
}
