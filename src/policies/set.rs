//! A set of policies, and the one decision that it takes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Diagnostics, Entities, Entity, EntityId, EntityTypeName,
    EntityUid, Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode,
    Validator,
};
use quick_cache::sync::Cache;

use super::facts::{Asker, Outlook, Prospect, Question, Relation, Relations, Standing};
use crate::clock::Instant;
use crate::fhir::ResourceType;

/// What policies are checked against.
pub const SCHEMA: &str = include_str!("chartlog.cedarschema");
/// Decisions that are remembered.
const DECISIONS_MAX: usize = 65_536;
/// The same of what is known of resources of a type.
const OUTLOOKS_MAX: usize = 16_384;

/// Policies that are in force together, and what they decided. Who asks takes no lock but that of a shard of the memory.
pub struct Policies {
    set: PolicySet,
    actions: Entities,
    mentions: Mentions,
    decisions: Cache<Question, bool>,
    outlooks: Cache<Prospect, Outlook>,
}

/// What any of the policies asks about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The security labels of a resource.
    pub labels: bool,
    /// What the caller is to the charts.
    pub relations: Relations,
}

/// A decision and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is permitted.
    pub permitted: bool,
    /// The policies that decided: those that forbid, or else those that permit. None: it is denied as nothing permits it.
    pub policies: BTreeSet<String>,
    /// Policies that could not be evaluated: then it is denied.
    pub errors: Vec<String>,
}

/// Policies as text, with the name of the file that they stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The name.
    pub file: String,
    /// The policies.
    pub content: String,
}

impl Policies {
    /// Policies of some files together.
    ///
    /// # Errors
    ///
    /// All that is wrong with them, each with file and place.
    pub fn parse(texts: &[Text]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut set = PolicySet::new();
        for Text { file, content } in texts {
            match PolicySet::from_str(content) {
                Ok(parsed) => add(&mut set, file, &parsed, &mut problems),
                Err(errors) => {
                    problems.extend(errors.iter().map(|error| placed(file, content, error)));
                }
            }
        }
        if texts.is_empty() {
            problems.push("there are no policies, and nothing would be permitted".to_owned());
        }
        let schema = schema().map_err(|why| vec![why])?;
        let actions = schema.action_entities().map_err(|error| vec![error.to_string()])?;
        let checked = Validator::new(schema).validate(&set, ValidationMode::Strict);
        problems.extend(checked.validation_errors().map(|error| error.to_string()));
        problems.extend(checked.validation_warnings().map(|warning| warning.to_string()));
        if !problems.is_empty() {
            return Err(problems);
        }
        let mentions = Mentions::of(&set);
        let (decisions, outlooks) = (Cache::new(DECISIONS_MAX), Cache::new(OUTLOOKS_MAX));
        Ok(Self { set, actions, mentions, decisions, outlooks })
    }

    /// The decision on one resource.
    #[must_use]
    pub fn permits(&self, question: &Question) -> bool {
        if let Some(decided) = self.decisions.get(question) {
            return decided;
        }
        let permitted = self.explain(question).permitted;
        self.decisions.insert(question.clone(), permitted);
        permitted
    }

    /// The same decision, and which policies took it.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Explanation {
        let Question { asker, act, kind, standing, labels, minute } = question;
        let resource = described(Some(*kind), Some(*standing), Some(labels));
        let asked = asked(asker, act.name(), *minute, resource, Some(standing.glass_broken));
        let Some((request, entities)) = asked.and_then(|asked| self.with_actions(asked)) else {
            return Explanation::unanswerable();
        };
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        Explanation::of(response.decision(), response.diagnostics())
    }

    /// What is decided on all resources of which only that is known.
    #[must_use]
    pub fn outlook(&self, prospect: &Prospect) -> Outlook {
        if let Some(known) = self.outlooks.get(prospect) {
            return known;
        }
        let outlook = self.look_out(prospect).unwrap_or(Outlook::Depends);
        self.outlooks.insert(prospect.clone(), outlook);
        outlook
    }

    fn look_out(&self, prospect: &Prospect) -> Option<Outlook> {
        let Prospect { asker, act, kind, standing, minute } = prospect;
        let resource = described(*kind, *standing, None);
        let glass_broken = standing.map(|standing| standing.glass_broken);
        let asked = asked(asker, act.name(), *minute, resource, glass_broken)?;
        let (request, entities) = self.with_actions(asked)?;
        let response = Authorizer::new().is_authorized_partial(&request, &self.set, &entities);
        Some(match response.decision() {
            Some(Decision::Allow) => Outlook::Always,
            Some(Decision::Deny) => Outlook::Never,
            None => Outlook::Depends,
        })
    }

    /// What any of them asks about.
    #[must_use]
    pub fn mentions(&self) -> Mentions {
        self.mentions
    }

    fn with_actions(&self, asked: (Request, Vec<Entity>)) -> Option<(Request, Entities)> {
        let (request, entities) = asked;
        Some((request, self.actions.clone().add_entities(entities, None).ok()?))
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.set.policies().map(|policy| policy.id().to_string()).collect();
        formatter.debug_tuple("Policies").field(&names).finish()
    }
}

impl Mentions {
    /// By what the policies name, and perhaps more. Nothing is asked for under another name.
    fn of(set: &PolicySet) -> Self {
        let text: String = set.policies().map(|policy| policy.to_string()).collect();
        let has_name = |one: &Relation| text.contains(one.name());
        Self {
            labels: text.contains("labels"),
            relations: Relation::ALL.into_iter().filter(has_name).collect(),
        }
    }
}

impl Explanation {
    fn of(decision: Decision, diagnostics: &Diagnostics) -> Self {
        let errors: Vec<_> = diagnostics.errors().map(|error| error.to_string()).collect();
        Self {
            // Cedar passes over a policy that fails, also one that forbids.
            permitted: decision == Decision::Allow && errors.is_empty(),
            policies: diagnostics.reason().map(ToString::to_string).collect(),
            errors,
        }
    }

    fn unanswerable() -> Self {
        let errors = vec!["the facts do not fit the schema".to_owned()];
        Self { permitted: false, policies: BTreeSet::new(), errors }
    }
}

fn schema() -> Result<Schema, String> {
    Schema::from_cedarschema_str(SCHEMA)
        .map(|(schema, _)| schema)
        .map_err(|error| error.to_string())
}

/// Adds the policies of a file, under the names that they give themselves.
fn add(set: &mut PolicySet, file: &str, parsed: &PolicySet, problems: &mut Vec<String>) {
    if parsed.templates().next().is_some() {
        problems
            .push(format!("{file}: policies with slots (?principal) are not linked to anything"));
    }
    for (at, policy) in parsed.policies().enumerate() {
        let id = policy.annotation("id").map(str::to_owned);
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            let at = at + 1;
            problems
                .push(format!("{file}: policy {at} has no name; write @id(\"…\") in front of it"));
            continue;
        };
        let named: Policy = policy.new_id(PolicyId::new(&id));
        if set.add(named).is_err() {
            problems.push(format!("{file}: there are two policies with the name {id}"));
        }
    }
}

fn placed(file: &str, content: &str, error: &dyn miette::Diagnostic) -> String {
    let labels = error.labels().into_iter().flatten();
    let offset = labels.map(|label| label.offset()).min();
    let before = offset.and_then(|offset| content.get(..offset));
    let line = before.map(|before| before.matches('\n').count() + 1);
    match line {
        Some(line) => format!("{file}, line {line}: {error}"),
        None => format!("{file}: {error}"),
    }
}

/// A question as Cedar takes it.
fn asked(
    asker: &Asker,
    act: &str,
    minute: i64,
    resource: Option<HashMap<String, RestrictedExpression>>,
    glass_broken: Option<bool>,
) -> Option<(Request, Vec<Entity>)> {
    let identity = asker.identity();
    let groups = [
        ("Role", identity.role.as_deref()),
        ("Organization", identity.organization.as_deref()),
        ("Client", identity.client.as_deref()),
        ("Issuer", Some(identity.issuer.as_str())),
    ];
    let mut parents = HashSet::new();
    for (kind, name) in groups {
        if let Some(name) = name {
            parents.insert(uid(kind, name)?);
        }
    }
    let mut said = HashMap::new();
    let texts = [("fhirUser", identity.fhir_user.as_deref()), ("purpose", asker.purpose())];
    for (name, text) in texts {
        if let Some(text) = text {
            said.insert(name.to_owned(), RestrictedExpression::new_string(text.to_owned()));
        }
    }
    let (principal, action) = (uid("Caller", &identity.subject)?, uid("Action", act)?);
    let resource_uid = uid("Resource", "it")?;
    let now = Instant::from_micros(minute.checked_mul(60_000_000)?).to_string();
    let glass_broken = known(glass_broken, "glassBroken", RestrictedExpression::new_bool);
    let context = Context::from_pairs([
        ("now".to_owned(), RestrictedExpression::new_datetime(format!("{}Z", now.get(..19)?))),
        ("glassBroken".to_owned(), glass_broken),
    ]);
    let caller = Entity::new(principal.clone(), said, parents).ok()?;
    let resource = Entity::new(resource_uid.clone(), resource?, HashSet::new()).ok()?;
    let request = Request::new(principal, action, resource_uid, context.ok()?, None).ok()?;
    Some((request, vec![caller, resource]))
}

/// The attributes of a resource; what is not known is an unknown of its own.
fn described(
    kind: Option<ResourceType>,
    standing: Option<Standing>,
    labels: Option<&[String]>,
) -> Option<HashMap<String, RestrictedExpression>> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let truth = RestrictedExpression::new_bool;
    let relation = |one: Relation| {
        let has = standing.map(|standing| standing.relations.has(one));
        (one.name().to_owned(), known(has, one.name(), truth))
    };
    let relation =
        RestrictedExpression::new_record(Relation::ALL.into_iter().map(relation)).ok()?;
    let labels = known(labels, "labels", |labels| {
        RestrictedExpression::new_set(labels.iter().map(|label| text(label)))
    });
    let directory = standing.map(|standing| standing.directory);
    Some(HashMap::from([
        ("type".to_owned(), known(kind, "type", |kind| text(kind.name()))),
        ("labels".to_owned(), labels),
        ("directory".to_owned(), known(directory, "directory", truth)),
        ("relation".to_owned(), relation),
    ]))
}

fn known<T>(
    value: Option<T>,
    name: &str,
    expression: impl FnOnce(T) -> RestrictedExpression,
) -> RestrictedExpression {
    value.map_or_else(|| RestrictedExpression::new_unknown(name), expression)
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind = EntityTypeName::from_str(&format!("Chartlog::{kind}")).ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
