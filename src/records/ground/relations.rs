//! What a caller is to a chart, and to which charts they are anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Ground, RESTED_ON};
use crate::clock::Instant;
use crate::fhir::search::{Parameters, reference_value};
use crate::fhir::{Period, Reference, ResourceKey, ResourceType};
use crate::json::Node;
use crate::log::StreamAlias;
use crate::numbers::{Position, ResourceNumber};
use crate::policies::{Asking, Known, Related, Relation, Relations};
use crate::records::RecordsError;
use crate::view::{Head, Neighbours, Order, TermNumbers};

/// Events behind a known list of charts that are looked through for what would change it.
const CHANGES_MAX: u64 = 4_096;
/// Resources that relate somebody to charts, beyond which the charts are not listed.
const RELATING_MAX: usize = 8_192;

impl<'a> Ground<'a> {
    /// What the caller is to a chart.
    pub(super) fn relations(
        self,
        asking: &Asking,
        alias: StreamAlias,
    ) -> Result<Relations, RecordsError> {
        let key = (Arc::clone(asking.parties()), alias);
        let memory = &asking.memory().relations;
        let Some(version) = self.version(alias)? else { return Ok(Relations::default()) };
        if let Some(known) = memory.get(&key) {
            match self.still_holds(alias, &known, version, asking.now())? {
                Some(true) => return Ok(known.what),
                Some(false) => {
                    memory.insert(key, Known { version, ..known.clone() });
                    return Ok(known.what);
                }
                None => {}
            }
        }
        let mut found = Found { relations: Relations::default(), until: None };
        self.relate(asking, alias, &mut found)?;
        let Found { relations, until } = found;
        memory.insert(key, Known { version, until, what: relations });
        Ok(relations)
    }

    fn relate(
        self,
        asking: &Asking,
        alias: StreamAlias,
        found: &mut Found,
    ) -> Result<(), RecordsError> {
        let (wanted, now) = (asking.mentions().relations, asking.now());
        let wants = |any_of: &[Relation]| any_of.iter().any(|one| wanted.has(*one));
        let parties = asking.parties();
        let Some(patient) = self.view.patient(alias)? else { return Ok(()) };
        let patient = ResourceKey::new(ResourceType::PATIENT, patient);
        if parties.contains(&patient) {
            found.add(Relation::Own);
        }
        if wants(&[Relation::GeneralPractitioner, Relation::ManagingOrganization])
            && let Some(document) = self.content(&patient)?
        {
            let root = document.root();
            let named = |node: Node<'_>| self.names(node, parties);
            let practitioners = root.get("generalPractitioner");
            if practitioners.is_some_and(|list| list.items().any(named)) {
                found.add(Relation::GeneralPractitioner);
            }
            if root.get("managingOrganization").is_some_and(named) {
                found.add(Relation::ManagingOrganization);
            }
        }
        if wants(&[Relation::CareTeam]) {
            self.each(asking, ResourceType::CARE_TEAM, alias, &mut |team| {
                let times = active(team, &["active"]).then(|| self.times(team, parties, "member"));
                found.add_at(Relation::CareTeam, times.unwrap_or_default(), now);
                Ok(())
            })?;
        }
        if wants(&[Relation::Encounter, Relation::CurrentEncounter]) {
            self.each(asking, ResourceType::ENCOUNTER, alias, &mut |encounter| {
                if !active(encounter, &["cancelled", "entered-in-error"]) {
                    found.add(Relation::Encounter);
                }
                let is_current =
                    active(encounter, &["arrived", "triaged", "in-progress", "onleave"]);
                let times = is_current.then(|| self.times(encounter, parties, "individual"));
                found.add_at(Relation::CurrentEncounter, times.unwrap_or_default(), now);
                Ok(())
            })?;
        }
        if wants(&[Relation::RelatedPerson]) {
            for key in parties.iter().filter(|key| key.kind == ResourceType::RELATED_PERSON) {
                let head = self.view.head(key)?;
                let is_here = head.is_some_and(|head| head.aliases().any(|one| one == alias));
                let Some(document) = self.content(key)?.filter(|_| is_here) else { continue };
                let root = document.root();
                let is_active = root.get("active").is_none_or(|active| active.text() != "false");
                let period = root.get("period").map(Period::of).unwrap_or_default();
                let times = if is_active { vec![[period, Period::default()]] } else { Vec::new() };
                found.add_at(Relation::RelatedPerson, times, now);
            }
        }
        Ok(())
    }

    /// The periods in which a team or an encounter has any of the parties as a participant: its own, and theirs in it.
    fn times(self, resource: Node<'_>, parties: &[ResourceKey], who: &str) -> Vec<[Period; 2]> {
        let own = resource.get("period").map(Period::of).unwrap_or_default();
        // The period of an encounter is when it took place; that it goes on is said by its status.
        let own = if who == "member" { own } else { Period::default() };
        let participants = resource.get("participant").into_iter().flat_map(|list| list.items());
        let theirs = participants.filter(|one| {
            let all = [one.get(who), one.get("onBehalfOf")];
            all.into_iter().flatten().any(|node| self.names(node, parties))
        });
        theirs.map(|one| [own, one.get("period").map(Period::of).unwrap_or_default()]).collect()
    }

    /// Whether a reference is to one of the parties.
    fn names(self, reference: Node<'_>, parties: &[ResourceKey]) -> bool {
        let Some(text) = reference.get_str("reference") else { return false };
        match Reference::parse(&text, self.base_url) {
            Reference::Local { key, .. } => parties.contains(&key),
            _ => false,
        }
    }

    /// The resources of a type that name the parties as participants: in a chart.
    fn each(
        self,
        asking: &Asking,
        kind: ResourceType,
        alias: StreamAlias,
        look: &mut dyn FnMut(Node<'_>) -> Result<(), RecordsError>,
    ) -> Result<(), RecordsError> {
        let mut naming = self.naming(asking, kind, "participant");
        let mut here = TermNumbers::in_chart(self.view, kind, alias);
        let mut from = 0;
        while let Some(chunk) = here.seek(from)? {
            from = chunk + 1;
            let both = here.members(chunk)?.intersection(naming.members(chunk)?);
            for number in both.numbers(chunk) {
                let Some(head) = self.view.head_of(number)? else { continue };
                if let Some(document) = self.content_of(&head)? {
                    look(document.root())?;
                }
            }
        }
        Ok(())
    }

    fn naming(self, asking: &Asking, kind: ResourceType, parameter: &str) -> TermNumbers<'a> {
        let values: Vec<_> = asking.parties().iter().map(reference_value).collect();
        let standard = Parameters::standard();
        let code = standard.named(kind, parameter).map(|parameter| parameter.code);
        match code {
            Some(code) => TermNumbers::of(self.view, kind, code, &values),
            None => TermNumbers::of(self.view, kind, 0, &[]),
        }
    }

    /// The charts that a caller has to do with, and perhaps more; `None`: too many.
    pub fn related(self, asking: &Asking) -> Result<Option<Vec<StreamAlias>>, RecordsError> {
        let memory = &asking.memory().charts;
        let end = self.view.applied_events()?;
        let known = memory.get(asking.parties());
        let related = match known {
            Some(known) if self.still_lists(&known, end)? => known,
            _ => {
                let charts = self.list(asking)?;
                let related = Arc::new(Related { end, charts });
                memory.insert(Arc::clone(asking.parties()), Arc::clone(&related));
                related
            }
        };
        let Some(charts) = &related.charts else { return Ok(None) };
        let mut charts = charts.clone();
        charts.extend(asking.broken());
        Ok(Some(charts))
    }

    /// Whether a list of charts holds for the events up to an end.
    fn still_lists(self, known: &Related, end: Position) -> Result<bool, RecordsError> {
        if known.end == end {
            return Ok(true);
        }
        if known.end > end || end - known.end > CHANGES_MAX {
            return Ok(false);
        }
        for record in self.view.changes(known.end..end, Order::Ascending)? {
            let (_, changes) = record?;
            if changes.iter().any(|change| RESTED_ON.contains(&change.kind)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn list(self, asking: &Asking) -> Result<Option<Vec<StreamAlias>>, RecordsError> {
        let wanted = asking.mentions().relations;
        let wants = |any_of: &[Relation]| any_of.iter().any(|one| wanted.has(*one));
        let mut charts = BTreeSet::new();
        for key in asking.parties().iter() {
            if [ResourceType::RELATED_PERSON, ResourceType::PATIENT].contains(&key.kind)
                && let Some(head) = self.view.head(key)?
            {
                charts.extend(head.aliases());
            }
        }
        let by_parameter = [
            (wants(&[Relation::CareTeam]), ResourceType::CARE_TEAM, "participant"),
            (
                wants(&[Relation::Encounter, Relation::CurrentEncounter]),
                ResourceType::ENCOUNTER,
                "participant",
            ),
            (
                wants(&[Relation::GeneralPractitioner]),
                ResourceType::PATIENT,
                "general-practitioner",
            ),
            (wants(&[Relation::ManagingOrganization]), ResourceType::PATIENT, "organization"),
        ];
        let (mut near, mut count) = (Neighbours::default(), 0);
        for (_, kind, parameter) in by_parameter.into_iter().filter(|(is_wanted, ..)| *is_wanted) {
            let mut naming = self.naming(asking, kind, parameter);
            let mut from = 0;
            while let Some(chunk) = naming.seek(from)? {
                from = chunk + 1;
                let numbers: Vec<ResourceNumber> = naming.members(chunk)?.numbers(chunk).collect();
                count += numbers.len();
                if count > RELATING_MAX {
                    return Ok(None);
                }
                for number in numbers {
                    let head = self.view.head_near(number, &mut near)?;
                    charts.extend(head.iter().flat_map(Head::aliases));
                }
            }
        }
        Ok(Some(charts.into_iter().collect()))
    }
}

fn active(resource: Node<'_>, statuses: &[&str]) -> bool {
    let status = resource.get_str("status");
    status.is_some_and(|status| statuses.contains(&&*status))
}

/// Relations while they are gathered.
struct Found {
    relations: Relations,
    until: Option<Instant>,
}

impl Found {
    fn add(&mut self, relation: Relation) {
        self.relations = self.relations.with(relation);
    }

    /// One that holds when both of any two periods do.
    fn add_at(&mut self, relation: Relation, times: Vec<[Period; 2]>, now: Instant) {
        for both in times {
            if both.iter().all(|period| period.contains(now)) {
                self.add(relation);
            }
            let changes = both.iter().filter_map(|period| period.changes_after(now)).min();
            self.until = [self.until, changes].into_iter().flatten().min();
        }
    }
}
