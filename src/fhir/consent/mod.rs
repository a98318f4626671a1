//! What a patient's Consent denies (FHIR R4, Consent).
//!
//! A Consent has a rule with nested rules, each an exception to the one around it. What counts here is which of them deny:
//! a rule of type `deny`, or the policy to opt out, unless a nested rule of type `permit` applies. What a rule does not say does
//! not narrow it. Of a rule that says something that cannot be decided, the wider meaning is taken: it denies.

use super::period::Period;
use super::search::Parameters;
use super::{Care, Reference, ResourceKey, ResourceType};
use crate::clock::Instant;
use crate::json::Node;

/// Code of `Consent.policyRule` for somebody who wants nothing to be shared.
const OPT_OUT: &str = "OPTOUT";
/// Codes of `Consent.provision.action` that are about looking; the others are about recording.
const LOOKING: [&str; 3] = ["access", "use", "disclose"];
/// System of the codes of resource types in `Consent.provision.class`.
const TYPES: &str = "http://hl7.org/fhir/resource-types";
/// Rules inside rules that are followed.
const DEPTH_MAX: usize = 16;

/// A rule that denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    conditions: Conditions,
    /// What nested rules permit all the same.
    exceptions: Vec<Conditions>,
}

/// What must hold for a rule to apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Conditions {
    /// Each of a rule and of those around it.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rule {
    period: Period,
    actors: Option<Vec<ResourceKey>>,
    /// Looking, and recording.
    acts: Option<[bool; 2]>,
    purposes: Vec<String>,
    labels: Vec<Coding>,
    classes: Vec<Coding>,
    codes: Vec<Coding>,
    data_period: Option<[Option<String>; 2]>,
    data: Vec<Data>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Coding {
    system: Option<String>,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Data {
    /// With what refers to it.
    with_dependents: bool,
    /// The resource, and those that belong to it.
    keys: Vec<ResourceKey>,
}

/// Who does what with a resource, as a rule asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// The caller, and those for whom they stand.
    pub actors: &'a [ResourceKey],
    /// Whether they look, rather than record.
    pub is_look: bool,
    /// What for, if they say so.
    pub purpose: Option<&'a str>,
    /// When.
    pub now: Instant,
}

/// A resource, as a rule asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Affected<'a> {
    /// Which.
    pub key: &'a ResourceKey,
    /// What it says.
    pub content: Node<'a>,
    /// Base URL of this server.
    pub base_url: Option<&'a str>,
}

/// What follows references: of a team or group its members, of a resource what it refers to.
pub type Follow<'a> = &'a mut dyn FnMut(&ResourceKey) -> Vec<ResourceKey>;

impl Denial {
    /// What a Consent denies, if it is in force.
    pub fn of(consent: Node<'_>, base_url: Option<&str>, follow: Follow<'_>) -> Vec<Self> {
        let mut denials = Vec::new();
        if consent.get_str("status").as_deref() != Some("active") {
            return denials;
        }
        let policy = consent.get("policyRule").map(codings).unwrap_or_default();
        let opts_out = policy.iter().any(|coding| coding.code == OPT_OUT);
        let mut reader = Reader { base_url, follow };
        match consent.get("provision") {
            Some(provision) => {
                reader.read(provision, opts_out, &Conditions::default(), 0, &mut denials);
            }
            None if opts_out => {
                denials.push(Self { conditions: Conditions::default(), exceptions: Vec::new() })
            }
            None => {}
        }
        denials
    }

    /// Whether it denies what is done with a resource.
    #[must_use]
    pub fn applies(&self, deed: &Deed<'_>, resource: &Affected<'_>) -> bool {
        let about = |conditions: &Conditions| {
            conditions.concern(deed) && conditions.rules.iter().all(|rule| rule.is_about(resource))
        };
        about(&self.conditions) && !self.exceptions.iter().any(about)
    }

    /// Whether it may deny that, with some resource.
    #[must_use]
    pub fn concerns(&self, deed: &Deed<'_>) -> bool {
        self.conditions.concern(deed)
    }

    /// Whether it denies that with all of the chart.
    #[must_use]
    pub fn applies_to_all(&self, deed: &Deed<'_>) -> bool {
        self.conditions.concern(deed)
            && self.conditions.rules.iter().all(Rule::is_about_all)
            && !self.exceptions.iter().any(|exception| exception.concern(deed))
    }

    /// The next moment at which it may begin or cease to apply.
    #[must_use]
    pub fn changes_after(&self, now: Instant) -> Option<Instant> {
        let all = std::iter::once(&self.conditions).chain(&self.exceptions);
        let rules = all.flat_map(|conditions| &conditions.rules);
        rules.filter_map(|rule| rule.period.changes_after(now)).min()
    }
}

impl Conditions {
    fn within(&self, rule: Rule) -> Self {
        let mut rules = self.rules.clone();
        rules.push(rule);
        Self { rules }
    }

    fn concern(&self, deed: &Deed<'_>) -> bool {
        self.rules.iter().all(|rule| rule.concerns(deed))
    }
}

impl Rule {
    fn concerns(&self, deed: &Deed<'_>) -> bool {
        let is_named =
            |actors: &Vec<ResourceKey>| actors.iter().any(|one| deed.actors.contains(one));
        self.period.contains(deed.now)
            && self.actors.as_ref().is_none_or(is_named)
            && self.acts.is_none_or(|[looking, recording]| {
                if deed.is_look { looking } else { recording }
            })
            // Who does not say what for may do it for this.
            && (self.purposes.is_empty()
                || deed.purpose.is_none_or(|purpose| self.purposes.iter().any(|one| one == purpose)))
    }

    fn is_about_all(&self) -> bool {
        self.labels.is_empty()
            && self.classes.is_empty()
            && self.codes.is_empty()
            && self.data_period.is_none()
            && self.data.is_empty()
    }

    fn is_about(&self, resource: &Affected<'_>) -> bool {
        let Affected { key, content, base_url } = *resource;
        let labels = || content.get("meta").and_then(|meta| meta.get("security")).map(codings_in);
        (self.labels.is_empty() || shares(&self.labels, &labels().unwrap_or_default()))
            && (self.classes.is_empty() || self.is_of_class(key.kind, content))
            && (self.codes.is_empty() || shares(&self.codes, &said_of(content)))
            && self.data_period.as_ref().is_none_or(|[start, end]| {
                let parameters = Parameters::standard();
                Care::between(parameters, start.clone(), end.clone()).admits(key.kind, content)
            })
            && (self.data.is_empty()
                || self.data.iter().any(|data| data.is(key, content, base_url)))
    }

    /// By type or profile; a class of another kind cannot be decided.
    fn is_of_class(&self, kind: ResourceType, content: Node<'_>) -> bool {
        let profiles = content.get("meta").and_then(|meta| meta.get("profile"));
        let has = |wanted: &str| {
            let mut profiles = profiles.into_iter().flat_map(|profiles| profiles.items());
            profiles.any(|profile| profile.as_str().is_some_and(|profile| profile == wanted))
        };
        self.classes.iter().any(|class| match class.system.as_deref() {
            Some(TYPES) => class.code == kind.name(),
            _ if ResourceType::from_name(&class.code).is_some() => class.code == kind.name(),
            _ if class.code.contains("://") => has(&class.code),
            _ => true,
        })
    }
}

impl Data {
    fn is(&self, key: &ResourceKey, content: Node<'_>, base_url: Option<&str>) -> bool {
        self.keys.contains(key)
            || self.with_dependents
                && references_in(content, base_url).iter().any(|one| self.keys.contains(one))
    }
}

struct Reader<'a> {
    base_url: Option<&'a str>,
    follow: Follow<'a>,
}

impl Reader<'_> {
    /// The denials of a rule and of those in it. A rule without a type is of that of the policy.
    fn read(
        &mut self,
        provision: Node<'_>,
        denies: bool,
        around: &Conditions,
        depth: usize,
        denials: &mut Vec<Denial>,
    ) {
        let denies = match provision.get_str("type").as_deref() {
            Some("deny") => true,
            Some(_) => false,
            None => denies,
        };
        let conditions = around.within(self.rule(provision));
        let nested = || provision.get("provision").into_iter().flat_map(|nested| nested.items());
        if denies {
            let permits = |one: &Node<'_>| one.get_str("type").as_deref() == Some("permit");
            let exceptions = nested().filter(permits);
            let exceptions = exceptions.map(|one| conditions.within(self.rule(one))).collect();
            denials.push(Denial { conditions: conditions.clone(), exceptions });
        }
        if depth < DEPTH_MAX {
            for one in nested() {
                self.read(one, false, &conditions, depth + 1, denials);
            }
        }
    }

    fn rule(&mut self, provision: Node<'_>) -> Rule {
        let list = |name: &str| provision.get(name).into_iter().flat_map(|list| list.items());
        let concepts = |name: &str| list(name).flat_map(codings).collect::<Vec<_>>();
        let acts = concepts("action");
        let acts = (!acts.is_empty()).then(|| {
            let is_looking = |act: &Coding| LOOKING.contains(&act.code.as_str());
            [acts.iter().any(is_looking), !acts.iter().all(is_looking)]
        });
        let of = |name: &str| provision.get(name).into_iter().flat_map(codings_in).collect();
        Rule {
            period: provision.get("period").map(Period::of).unwrap_or_default(),
            actors: provision.get("actor").map(|actors| self.actors(actors)),
            acts,
            purposes: codings_in_all(list("purpose")),
            labels: of("securityLabel"),
            classes: of("class"),
            codes: concepts("code"),
            data_period: provision.get("dataPeriod").map(|period| {
                ["start", "end"].map(|name| period.get_str(name).map(|text| text.into_owned()))
            }),
            data: list("data").map(|data| self.data(data)).collect(),
        }
    }

    /// Those who are named, and the members of teams that are.
    fn actors(&mut self, actors: Node<'_>) -> Vec<ResourceKey> {
        let mut named = Vec::new();
        for actor in actors.items() {
            let Some(key) = actor.get("reference").and_then(|node| self.key(node)) else {
                continue;
            };
            if stands_for_others(key.kind) {
                named.extend((self.follow)(&key));
            }
            named.push(key);
        }
        named
    }

    fn data(&mut self, data: Node<'_>) -> Data {
        let meaning = data.get_str("meaning");
        let mut keys = Vec::from_iter(data.get("reference").and_then(|node| self.key(node)));
        if meaning.as_deref() == Some("related") {
            let followed: Vec<_> = keys.iter().flat_map(|key| (self.follow)(key)).collect();
            // All of the chart would belong to it.
            keys.extend(followed.into_iter().filter(|one| one.kind != ResourceType::PATIENT));
        }
        Data { with_dependents: meaning.as_deref() != Some("instance"), keys }
    }

    fn key(&self, reference: Node<'_>) -> Option<ResourceKey> {
        let text = reference.get_str("reference")?;
        local(&text, self.base_url)
    }
}

/// Whether an actor of that type means its members.
#[must_use]
pub fn stands_for_others(kind: ResourceType) -> bool {
    ["CareTeam", "Group", "PractitionerRole"].contains(&kind.name())
}

/// The resources of this server that a resource refers to.
#[must_use]
pub fn references_in(content: Node<'_>, base_url: Option<&str>) -> Vec<ResourceKey> {
    let references = content.descend().filter_map(|node| node.get_str("reference"));
    references.filter_map(|text| local(&text, base_url)).collect()
}

fn local(text: &str, base_url: Option<&str>) -> Option<ResourceKey> {
    match Reference::parse(text, base_url) {
        Reference::Local { key, .. } => Some(key),
        _ => None,
    }
}

fn codings(concept: Node<'_>) -> Vec<Coding> {
    concept.get("coding").map(codings_in).unwrap_or_default()
}

fn codings_in(list: Node<'_>) -> Vec<Coding> {
    list.items().filter_map(coding).collect()
}

fn coding(node: Node<'_>) -> Option<Coding> {
    let system = node.get_str("system").map(|text| text.into_owned());
    Some(Coding { system, code: node.get_str("code")?.into_owned() })
}

fn codings_in_all<'a>(list: impl Iterator<Item = Node<'a>>) -> Vec<String> {
    list.filter_map(|node| Some(node.get_str("code")?.into_owned())).collect()
}

/// The codes that say what a resource is about: all of its concepts.
fn said_of(content: Node<'_>) -> Vec<Coding> {
    content
        .members()
        .flat_map(|(_, member)| {
            let of_list = member.items().flat_map(codings).collect::<Vec<_>>();
            codings(member).into_iter().chain(of_list)
        })
        .collect()
}

fn shares(wanted: &[Coding], found: &[Coding]) -> bool {
    wanted.iter().any(|wanted| {
        found.iter().any(|found| {
            let is_system = || found.system.is_none() || found.system == wanted.system;
            wanted.code == found.code && (wanted.system.is_none() || is_system())
        })
    })
}

#[cfg(test)]
mod tests;
