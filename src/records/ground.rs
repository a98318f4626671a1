//! What the rules rest on: what a caller is to charts, and what the Consents of charts deny.
//!
//! Both are facts of the charts, in the state that is looked at, whatever moment is asked about: who treated a patient once
//! is not thereby somebody who treats them. What was found out is remembered with the version of the chart, and holds until
//! a resource comes that it rests on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::RecordsError;
use super::error::unreadable;
use crate::clock::Instant;
use crate::engine::Keys;
use crate::fhir::consent::{Affected, Deed, references_in};
use crate::fhir::search::{Parameters, reference_value};
use crate::fhir::{Denial, Period, Reference, ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, Position, ResourceNumber};
use crate::policies::{
    Act, Asking, Inquiry, Known, Outlook, Related, Relation, Relations, Standing,
};
use crate::view::{Head, Neighbours, Order, TermNumbers, View};

/// Events behind a known version that are looked through for what would change it.
const STEPS_MAX: u64 = 256;
/// The same behind a known list of charts.
const CHANGES_MAX: u64 = 4_096;
/// Resources that relate somebody to charts, beyond which the charts are not listed.
const RELATING_MAX: usize = 8_192;

/// The types of the resources that relations and Consents rest on.
const RESTED_ON: [ResourceType; 5] = [
    ResourceType::PATIENT,
    ResourceType::CARE_TEAM,
    ResourceType::CONSENT,
    ResourceType::ENCOUNTER,
    ResourceType::RELATED_PERSON,
];

/// Where it is found out.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub keys: &'a Keys,
    pub view: &'a View,
    pub base_url: Option<&'a str>,
}

/// What is known of the charts that a resource lies in, for one decision.
pub(super) struct Stand<'a> {
    inquiry: Inquiry<'a>,
    standing: Standing,
    denials: Vec<Arc<[Denial]>>,
    base_url: Option<&'a str>,
}

impl<'a> Ground<'a> {
    /// What is known of a resource of a type by the charts that it lies in; none: the directory.
    pub fn stand(
        self,
        inquiry: Inquiry<'a>,
        kind: ResourceType,
        charts: &[StreamAlias],
    ) -> Result<Stand<'a>, RecordsError> {
        let asking = inquiry.asking();
        let mut standing = Standing { directory: charts.is_empty(), ..Standing::default() };
        let mut denials = Vec::new();
        for alias in charts {
            standing = self.standing(asking, *alias, standing)?;
            // Who maintains Consents has to see them.
            if asking.consent() && kind != ResourceType::CONSENT {
                denials.extend(self.denials_for(asking, *alias)?);
            }
        }
        Ok(Stand { inquiry, standing, denials, base_url: self.base_url })
    }

    /// The same of a chart that does not exist yet.
    pub fn stand_in_no_chart_yet(self, inquiry: Inquiry<'a>) -> Stand<'a> {
        let (standing, denials) = (Standing::default(), Vec::new());
        Stand { inquiry, standing, denials, base_url: self.base_url }
    }

    /// Whether something in a chart may be within reach of who may do that with some type; with Consents among these, as
    /// no Consent hides those.
    pub fn may_look_into(
        self,
        asking: &Asking,
        act: Act,
        alias: StreamAlias,
        consents: bool,
    ) -> Result<bool, RecordsError> {
        let standing = self.standing(asking, alias, Standing::default())?;
        let may = |act, kind| asking.outlook(act, kind, Some(standing)) != Outlook::Never;
        if !may(act, None) {
            return Ok(false);
        }
        let overrides = asking.has_policies() && may(Act::OverrideConsent, None);
        if !asking.consent() || overrides || consents && may(act, Some(ResourceType::CONSENT)) {
            return Ok(true);
        }
        let denials = self.denials_for(asking, alias)?;
        let deed = deed(asking, act);
        Ok(!denials.iter().flat_map(|all| all.iter()).any(|one| one.applies_to_all(&deed)))
    }

    /// With what the caller is to one more chart.
    fn standing(
        self,
        asking: &Asking,
        alias: StreamAlias,
        mut standing: Standing,
    ) -> Result<Standing, RecordsError> {
        if asking.mentions().relations != Relations::default() {
            let relations = self.relations(asking, alias)?;
            standing.relations = standing.relations.union(relations);
        }
        standing.glass_broken |= asking.broken().contains(&alias);
        Ok(standing)
    }

    fn relations(self, asking: &Asking, alias: StreamAlias) -> Result<Relations, RecordsError> {
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

    /// Whether what is known of a chart holds at a version: `Some(true)`, it is of that version; `Some(false)`, nothing has
    /// happened since that matters.
    fn still_holds<T>(
        self,
        alias: StreamAlias,
        known: &Known<T>,
        version: ChartVersion,
        now: Instant,
    ) -> Result<Option<bool>, RecordsError> {
        if known.until.is_some_and(|until| until <= now) {
            return Ok(None);
        }
        if known.version == version {
            return Ok(Some(true));
        }
        let steps = version.get().checked_sub(known.version.get());
        if steps.is_none_or(|steps| steps > STEPS_MAX) {
            return Ok(None);
        }
        for entry in self.view.stream(alias, known.version.next(), version)? {
            if entry?.subject.is_some_and(|(kind, _)| RESTED_ON.contains(&kind)) {
                return Ok(None);
            }
        }
        Ok(Some(false))
    }

    fn version(self, alias: StreamAlias) -> Result<Option<ChartVersion>, RecordsError> {
        let Some(patient) = self.view.patient(alias)? else { return Ok(None) };
        Ok(self.view.chart(&patient)?.map(|chart| chart.version))
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

    fn content(self, key: &ResourceKey) -> Result<Option<Document>, RecordsError> {
        match self.view.head(key)? {
            Some(head) => self.content_of(&head),
            None => Ok(None),
        }
    }

    fn content_of(self, head: &Head) -> Result<Option<Document>, RecordsError> {
        if !head.live {
            return Ok(None);
        }
        let (_, body) = self.keys.read_event(self.view, head.place)?;
        Document::parse(body).map(Some).map_err(|_| unreadable())
    }

    /// What the Consents of a chart deny, unless the caller is the patient.
    fn denials_for(
        self,
        asking: &Asking,
        alias: StreamAlias,
    ) -> Result<Option<Arc<[Denial]>>, RecordsError> {
        let Some(patient) = self.view.patient(alias)? else { return Ok(None) };
        let patient = ResourceKey::new(ResourceType::PATIENT, patient);
        if asking.parties().contains(&patient) {
            return Ok(None);
        }
        let denials = self.denials(asking, alias)?;
        Ok(Some(denials).filter(|denials| !denials.is_empty()))
    }

    fn denials(self, asking: &Asking, alias: StreamAlias) -> Result<Arc<[Denial]>, RecordsError> {
        let memory = &asking.memory().denials;
        let Some(version) = self.version(alias)? else { return Ok(Arc::new([])) };
        if let Some(known) = memory.get(&alias) {
            match self.still_holds(alias, &known, version, asking.now())? {
                Some(true) => return Ok(known.what),
                Some(false) => {
                    memory.insert(alias, Known { version, ..known.clone() });
                    return Ok(known.what);
                }
                None => {}
            }
        }
        let (mut denials, mut followed) = (Vec::new(), Ok(()));
        let mut has_followed = false;
        let mut here = TermNumbers::in_chart(self.view, ResourceType::CONSENT, alias);
        let mut from = 0;
        while let Some(chunk) = here.seek(from)? {
            from = chunk + 1;
            for number in here.members(chunk)?.numbers(chunk) {
                let Some(head) = self.view.head_of(number)? else { continue };
                let Some(document) = self.content_of(&head)? else { continue };
                let follow = &mut |key: &ResourceKey| {
                    has_followed = true;
                    match self.content(key) {
                        Ok(document) => document
                            .map(|document| references_in(document.root(), self.base_url))
                            .unwrap_or_default(),
                        Err(error) => {
                            followed = Err(error);
                            Vec::new()
                        }
                    }
                };
                denials.extend(Denial::of(document.root(), self.base_url, follow));
            }
        }
        followed?;
        let denials: Arc<[Denial]> = denials.into();
        if !has_followed {
            let until = denials.iter().filter_map(|one| one.changes_after(asking.now())).min();
            let what = Arc::clone(&denials);
            memory.insert(alias, Known { version, until, what });
        }
        Ok(denials)
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

fn deed(asking: &Asking, act: Act) -> Deed<'_> {
    Deed {
        actors: asking.parties(),
        is_look: matches!(act, Act::Read | Act::Search),
        purpose: asking.asker().purpose.as_deref(),
        now: asking.now(),
    }
}

impl Stand<'_> {
    /// The decision, if what the resource says does not matter.
    pub fn decided(&self) -> Option<bool> {
        let permitted = if self.inquiry.asks_for_labels() {
            match self.inquiry.outlook(self.standing) {
                Outlook::Always => Some(true),
                Outlook::Never => Some(false),
                Outlook::Depends => None,
            }
        } else {
            Some(self.inquiry.permits(self.standing, &[]))
        };
        let deed = deed(self.inquiry.asking(), self.inquiry.act());
        let concerns = |denial: &Denial| denial.concerns(&deed);
        match permitted {
            Some(true) if self.denials.iter().flat_map(|all| all.iter()).any(concerns) => None,
            decided => decided,
        }
    }

    /// The decision on a resource that says that.
    pub fn permits(&self, key: &ResourceKey, content: Node<'_>) -> bool {
        let labels = labels_of(content);
        if !self.inquiry.permits(self.standing, &labels) {
            return false;
        }
        if self.denials.is_empty() || !self.inquiry.heeds_consent(self.standing, &labels) {
            return true;
        }
        let deed = deed(self.inquiry.asking(), self.inquiry.act());
        let affected = Affected { key, content, base_url: self.base_url };
        !self.denials.iter().flat_map(|all| all.iter()).any(|one| one.applies(&deed, &affected))
    }
}

/// The security labels of a resource, as policies see them.
fn labels_of(content: Node<'_>) -> Vec<String> {
    let labels = content.get("meta").and_then(|meta| meta.get("security"));
    let labels = labels.into_iter().flat_map(|labels| labels.items());
    let said = |label: Node<'_>| {
        let part =
            |name: &str| label.get_str(name).map(|text| text.into_owned()).unwrap_or_default();
        format!("{}|{}", part("system"), part("code"))
    };
    let labels: BTreeSet<_> = labels.map(said).collect();
    labels.into_iter().collect()
}
