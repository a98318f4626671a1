//! Topics: which changes there are to subscribe to, carried as `Basic` with the elements of R5's SubscriptionTopic.

use super::reading::{R5_TOPIC, TOPIC_CODE, TOPIC_SYSTEM, Wrong, extensions, part, parts, value};
use crate::feed::filter::criteria;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::search::Criteria;
use crate::fhir::{Parameters, ResourceType};
use crate::json::Node;
use crate::records::Trigger;

/// Where resource types have their definitions: `…/Encounter` is the type Encounter.
const TYPE_DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";
/// Prefixes of values: comparators.
const COMPARATORS: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// A topic, as far as its text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its canonical URL.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    triggers: Vec<TopicTrigger>,
    filters: Vec<TopicFilter>,
    /// Why it cannot be subscribed to.
    unsupported: Vec<String>,
}

/// A change of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicTrigger {
    kind: ResourceType,
    interactions: Vec<String>,
    previous: Option<String>,
    current: Option<String>,
    is_met_by_create: bool,
    is_met_by_delete: bool,
    requires_both: bool,
}

/// What its subscribers may filter by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicFilter {
    kind: Option<ResourceType>,
    parameter: String,
    comparators: Vec<String>,
    modifiers: Vec<String>,
}

impl Topic {
    /// The topic that a `Basic` is; `None`: it is something else, or retired.
    #[must_use]
    pub fn read(basic: Node<'_>) -> Option<Self> {
        let codings = basic.get("code")?.get("coding")?;
        let is_topic = |coding: Node<'_>| {
            coding.get_str("code").as_deref() == Some(TOPIC_CODE)
                && coding.get_str("system").is_none_or(|system| system == TOPIC_SYSTEM)
        };
        if !codings.items().any(is_topic) {
            return None;
        }
        let modifiers = basic.get("modifierExtension");
        let status = format!("{R5_TOPIC}status");
        let is_status = |one: &Node<'_>| one.get_str("url").as_deref() == Some(&*status);
        let mut statuses = modifiers.into_iter().flat_map(|list| list.items()).filter(is_status);
        if statuses.next().and_then(value).as_deref() == Some("retired") {
            return None;
        }
        let element = |name: &str| extensions(Some(basic), &format!("{R5_TOPIC}{name}"));
        let url = element("url").find_map(value)?;
        let version = element("version").find_map(value);
        let mut topic = Self {
            url,
            version,
            triggers: Vec::new(),
            filters: Vec::new(),
            unsupported: Vec::new(),
        };
        for (at, trigger) in element("resourceTrigger").enumerate() {
            topic.trigger(at, trigger);
        }
        if element("eventTrigger").next().is_some() {
            topic
                .unsupported
                .push("it has an eventTrigger, of which this server knows none".into());
        }
        if topic.triggers.is_empty() && topic.unsupported.is_empty() {
            topic.unsupported.push("it has no resourceTrigger".into());
        }
        for filter in element("canFilterBy") {
            let Some(parameter) = part(filter, "filterParameter") else { continue };
            topic.filters.push(TopicFilter {
                kind: part(filter, "resource").as_deref().and_then(kind),
                parameter,
                comparators: parts(filter, "comparator"),
                modifiers: parts(filter, "modifier"),
            });
        }
        Some(topic)
    }

    fn trigger(&mut self, at: usize, trigger: Node<'_>) {
        let named = part(trigger, "resource").unwrap_or_default();
        let Some(kind) = kind(&named) else {
            let reason =
                format!("resourceTrigger[{at}] is about {named:?}, which is no type of R4");
            return self.unsupported.push(reason);
        };
        let query = extensions(Some(trigger), "queryCriteria").next();
        // Where both are given they say the same, for servers that know only one of them.
        if query.is_none() && part(trigger, "fhirPathCriteria").is_some() {
            let reason = format!(
                "resourceTrigger[{at}] has criteria in FHIRPath alone, which this server does not evaluate on \
                 changes: it needs queryCriteria"
            );
            return self.unsupported.push(reason);
        }
        let of_query = |name: &str| query.and_then(|query| part(query, name));
        let passes = |name: &str| of_query(name).as_deref() == Some("test-passes");
        self.triggers.push(TopicTrigger {
            kind,
            interactions: parts(trigger, "supportedInteraction"),
            previous: of_query("previous"),
            current: of_query("current"),
            is_met_by_create: passes("resultForCreate"),
            is_met_by_delete: passes("resultForDelete"),
            requires_both: of_query("requireBoth").as_deref() == Some("true"),
        });
    }

    /// Whether a canonical, with a version behind a bar or without, means this topic.
    #[must_use]
    pub fn is_named(&self, canonical: &str) -> bool {
        match canonical.split_once('|') {
            Some((url, version)) => {
                url == self.url && self.version.as_deref().is_none_or(|own| own == version)
            }
            None => canonical == self.url,
        }
    }

    /// Whether it can be subscribed to.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.unsupported.is_empty()
    }

    /// What a subscription to it, with those filters, is told of.
    ///
    /// # Errors
    ///
    /// What this server cannot carry out of the topic, and everything that is wrong with the filters.
    pub(super) fn triggers(
        &self,
        filters: &[String],
        parameters: &Parameters,
        base_url: Option<&str>,
    ) -> Result<Vec<Trigger>, Vec<Problem>> {
        let mut wrong = Wrong::default();
        for reason in &self.unsupported {
            let diagnostics = format!("the topic {} cannot be subscribed to: {reason}", self.url);
            wrong.add(IssueCode::NotSupported, "Subscription.criteria", diagnostics);
        }
        let mut triggers = Vec::new();
        for one in &self.triggers {
            let mut query = |text: &Option<String>| {
                let text = text.as_ref()?;
                let read = of_kind(one.kind, text).and_then(|text| {
                    criteria(parameters, &text, base_url)
                        .map_err(|wrong| wrong.into_iter().map(|(_, told)| told).collect())
                });
                read.inspect_err(|told: &Vec<String>| {
                    let told = told.join("; ");
                    let diagnostics = format!("the topic {} asks for {text}: {told}", self.url);
                    wrong.add(IssueCode::NotSupported, "Subscription.criteria", diagnostics);
                })
                .ok()
            };
            let (previous, current) = (query(&one.previous), query(&one.current));
            let is_told = |name: &str| {
                one.interactions.is_empty() || one.interactions.iter().any(|known| known == name)
            };
            triggers.push(Trigger {
                creates: is_told("create"),
                updates: is_told("update"),
                deletes: is_told("delete"),
                previous,
                is_met_by_create: one.is_met_by_create,
                current,
                is_met_by_delete: one.is_met_by_delete,
                requires_both: one.requires_both,
                ..Trigger::on(one.kind)
            });
        }
        for (at, text) in filters.iter().enumerate() {
            let place = format!("Subscription.criteria.extension[{at}]");
            match self.filter(text, parameters, base_url) {
                Ok(found) => {
                    for trigger in &mut triggers {
                        let own = found.iter().filter(|filter| filter.kind == trigger.kind);
                        trigger.filters.extend(own.cloned());
                    }
                }
                Err(told) => {
                    told.into_iter()
                        .for_each(|told| wrong.add(IssueCode::NotSupported, &place, told));
                }
            }
        }
        if wrong.0.is_empty() { Ok(triggers) } else { Err(wrong.0) }
    }

    /// A filter as criteria, of each type that it is about.
    fn filter(
        &self,
        text: &str,
        parameters: &Parameters,
        base_url: Option<&str>,
    ) -> Result<Vec<Criteria>, Vec<String>> {
        let named = text.split_once('?').map(|(kind, _)| kind);
        let is_wanted = |kind: ResourceType| named.is_none_or(|named| named == kind.name());
        let mut kinds: Vec<ResourceType> = self.triggers.iter().map(|one| one.kind).collect();
        kinds.retain(|kind| is_wanted(*kind));
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            return Err(vec![format!("{text}: the topic {} is not about that type", self.url)]);
        }
        let (mut found, mut told) = (Vec::new(), Vec::new());
        for kind in kinds {
            let query = text.split_once('?').map_or(text, |(_, query)| query);
            for pair in query.split('&') {
                told.extend(self.refuse_filter(kind, pair));
            }
            match criteria(parameters, &format!("{kind}?{query}"), base_url) {
                Ok(criteria) => found.push(criteria),
                Err(wrong) => told.extend(wrong.into_iter().map(|(_, told)| told)),
            }
        }
        if told.is_empty() { Ok(found) } else { Err(told) }
    }

    /// Why one parameter of a filter is not for this topic, if it is not.
    fn refuse_filter(&self, kind: ResourceType, pair: &str) -> Option<String> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (parameter, modifier) =
            name.split_once(':').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
        let of_kind: Vec<&TopicFilter> =
            self.filters.iter().filter(|one| one.kind.is_none_or(|own| own == kind)).collect();
        let Some(filter) = of_kind.iter().find(|one| one.parameter == parameter) else {
            let known: Vec<&str> = of_kind.iter().map(|one| one.parameter.as_str()).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            return Some(format!(
                "{parameter}: the topic {} can be filtered by {known} on {kind}",
                self.url
            ));
        };
        if let Some(modifier) = modifier.filter(|_| !filter.modifiers.is_empty())
            && !filter.modifiers.iter().any(|known| known == modifier)
        {
            return Some(format!("{name}: the topic allows {}", filter.modifiers.join(", ")));
        }
        let comparator = COMPARATORS.iter().find(|comparator| {
            let rest = value.strip_prefix(**comparator);
            rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
        });
        let is_known = |comparator: &str| {
            comparator == "eq" || filter.comparators.iter().any(|known| known == comparator)
        };
        let comparator = comparator.filter(|_| !filter.comparators.is_empty());
        comparator.filter(|comparator| !is_known(comparator)).map(|comparator| {
            let allowed = filter.comparators.join(", ");
            format!("{pair}: {comparator} is not one of the comparators of the topic: {allowed}")
        })
    }
}

/// A type, by its name or its definition.
fn kind(text: &str) -> Option<ResourceType> {
    ResourceType::from_name(text.strip_prefix(TYPE_DEFINITION).unwrap_or(text))
}

/// A query with its type before it.
fn of_kind(kind: ResourceType, text: &str) -> Result<String, Vec<String>> {
    match text.split_once('?') {
        None => Ok(format!("{kind}?{text}")),
        Some((named, _)) if named == kind.name() => Ok(text.to_owned()),
        Some((named, _)) => Err(vec![format!("{named} is not {kind}, which the trigger is about")]),
    }
}
