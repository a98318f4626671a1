//! Cases of policies: what is asked, and what is to be decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::facts::{Act, Asker, Question, Relation, Relations, Standing};
use super::set::{Explanation, Policies};
use crate::access::Identity;
use crate::clock::Instant;
use crate::fhir::ResourceType;

/// A case: a caller, a resource, a moment, and what is to be decided.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// Whether it is to be permitted; `None`: that is only asked.
    pub expected: Option<bool>,
    /// The policies that are to decide, if that is said.
    pub by: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Stated>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Stated {
    name: String,
    caller: StatedCaller,
    action: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default)]
    relation: Vec<String>,
    #[serde(default)]
    directory: bool,
    #[serde(default)]
    glass_broken: bool,
    at: Option<String>,
    expect: Option<String>,
    by: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StatedCaller {
    subject: String,
    #[serde(default)]
    issuer: String,
    role: Option<String>,
    organization: Option<String>,
    client: Option<String>,
    fhir_user: Option<String>,
    purpose: Option<String>,
}

impl Case {
    /// The cases of a file.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn parse(text: &str, now: Instant) -> Result<Vec<Self>, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let (mut cases, mut problems) = (Vec::new(), Vec::new());
        for stated in file.case {
            let name = stated.name.clone();
            match stated.read(now) {
                Ok(case) => cases.push(case),
                Err(wrong) => {
                    problems.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
                }
            }
        }
        if cases.is_empty() && problems.is_empty() {
            problems.push("there is no [[case]] in it".to_owned());
        }
        if problems.is_empty() { Ok(cases) } else { Err(problems) }
    }

    /// What the policies decide, and why.
    #[must_use]
    pub fn decide(&self, policies: &Policies) -> Explanation {
        policies.explain(&self.question)
    }

    /// Whether that is what is to be decided.
    #[must_use]
    pub fn is_met(&self, decided: &Explanation) -> bool {
        self.expected.is_none_or(|expected| expected == decided.permitted)
            && self.by.as_ref().is_none_or(|by| *by == decided.policies)
    }
}

impl Stated {
    fn read(self, now: Instant) -> Result<Case, Vec<String>> {
        let mut problems = Vec::new();
        let act = Act::ALL.into_iter().find(|act| act.name() == self.action);
        if act.is_none() {
            let known = Act::ALL.map(Act::name).join(", ");
            problems.push(format!("action: \"{}\" is none of {known}", self.action));
        }
        let kind = ResourceType::from_name(&self.kind);
        if kind.is_none() {
            problems.push(format!("type: \"{}\" is no resource type", self.kind));
        }
        let mut relations = Relations::default();
        for name in &self.relation {
            match Relation::ALL.into_iter().find(|one| one.name() == name) {
                Some(relation) => relations = relations.with(relation),
                None => {
                    let known = Relation::ALL.map(Relation::name).join(", ");
                    problems.push(format!("relation: \"{name}\" is none of {known}"));
                }
            }
        }
        let at = self.at.as_deref().map_or(Some(now), Instant::parse);
        if at.is_none() {
            problems.push("at: is no moment such as 2026-01-31T08:00:00Z".to_owned());
        }
        let expected = match self.expect.as_deref() {
            Some("permit") => Some(true),
            Some("deny") => Some(false),
            None => None,
            Some(other) => {
                problems.push(format!("expect: \"{other}\" is neither permit nor deny"));
                None
            }
        };
        let (Some(act), Some(kind), Some(at), true) = (act, kind, at, problems.is_empty()) else {
            return Err(problems);
        };
        let StatedCaller { subject, issuer, role, organization, client, fhir_user, purpose } =
            self.caller;
        let identity = Identity {
            subject,
            issuer,
            role,
            organization,
            client,
            fhir_user,
            ..Identity::default()
        };
        let asker = Asker::new(Arc::new(identity), purpose.map(Arc::from));
        let Self { directory, glass_broken, .. } = self;
        let question = Question {
            asker,
            act,
            kind,
            standing: Standing { directory, relations, glass_broken },
            labels: self.labels.into_iter().collect(),
            minute: at.micros().div_euclid(60_000_000),
        };
        Ok(Case { name: self.name, question, expected, by: self.by })
    }
}
