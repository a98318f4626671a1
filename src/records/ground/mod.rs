//! What the rules rest on: what a caller is to charts, and what the Consents of charts deny.
//!
//! Both are facts of the charts, in the state that is looked at, whatever moment is asked about: who treated a patient once
//! is not thereby somebody who treats them. What was found out is remembered with the version of the chart, and holds until
//! a resource comes that it rests on.

mod relations;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::RecordsError;
use super::error::unreadable;
use crate::clock::Instant;
use crate::engine::Keys;
use crate::fhir::consent::{Affected, Deed, references_in};
use crate::fhir::{Denial, ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::log::StreamAlias;
use crate::numbers::ChartVersion;
use crate::policies::{Act, Asking, Inquiry, Known, Outlook, Relations, Standing};
use crate::view::{Head, TermNumbers, View};

/// Events behind a known version that are looked through for what would change it.
const STEPS_MAX: u64 = 256;

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
