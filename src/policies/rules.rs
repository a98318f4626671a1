//! What is in force beside the scopes of a token.

use std::sync::Arc;

use super::facts::{Act, Asker, Outlook, Prospect, Question, Standing};
use super::glasses::Glasses;
use super::memory::{Memory, Parties};
use super::set::{Mentions, Policies};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::StreamAlias;

/// What is in force beside the scopes of a token: policies, and the Consents of patients.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The policies; without, whatever a scope grants is permitted.
    pub policies: Option<Arc<Policies>>,
    /// Whether what a patient's Consent denies is denied.
    pub consent: bool,
    /// Base URL of the FHIR API: absolute references under it are local.
    pub base_url: Option<Arc<str>>,
    /// What is known of charts.
    pub memory: Arc<Memory>,
    /// The glasses that are broken.
    pub glasses: Arc<Glasses>,
}

/// The rules, for one caller at one moment.
#[derive(Debug, Clone)]
pub struct Asking {
    rules: Arc<Rules>,
    asker: Asker,
    parties: Parties,
    broken: Vec<StreamAlias>,
    now: Instant,
}

/// What the rules are asked about resources of a type.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    asking: &'a Asking,
    act: Act,
    kind: ResourceType,
}

impl Asking {
    /// `None`: nothing is in force.
    #[must_use]
    pub fn of(rules: &Arc<Rules>, asker: Asker, now: Instant) -> Option<Self> {
        let broken = rules.glasses.of(asker.identity(), now);
        let is_any = rules.policies.is_some() || rules.consent || !broken.is_empty();
        is_any.then(|| {
            let parties = asker.parties(rules.base_url.as_deref());
            Self { rules: Arc::clone(rules), asker, parties, broken, now }
        })
    }

    /// The person who asks, and their organisation, as resources of this server.
    #[must_use]
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Who asks.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// When.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What is known of charts.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.rules.memory
    }

    /// Whether Consents count.
    #[must_use]
    pub fn consent(&self) -> bool {
        self.rules.consent
    }

    /// The charts of which the caller has broken the glass.
    #[must_use]
    pub fn broken(&self) -> &[StreamAlias] {
        &self.broken
    }

    /// Whether there are policies.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        self.rules.policies.is_some()
    }

    /// What any policy asks about.
    #[must_use]
    pub fn mentions(&self) -> Mentions {
        self.rules.policies.as_ref().map(|policies| policies.mentions()).unwrap_or_default()
    }

    /// What the policies say of all resources of which only that is known.
    #[must_use]
    pub fn outlook(
        &self,
        act: Act,
        kind: Option<ResourceType>,
        standing: Option<Standing>,
    ) -> Outlook {
        let Some(policies) = &self.rules.policies else { return Outlook::Always };
        let (asker, minute) = (self.asker.clone(), self.minute());
        policies.outlook(&Prospect { asker, act, kind, standing, minute })
    }

    /// What the rules are asked about resources of a type; `None`: they permit all of it.
    ///
    /// # Errors
    ///
    /// The policies deny all of it.
    pub fn about(&self, act: Act, kind: ResourceType) -> Result<Option<Inquiry<'_>>, Never> {
        let inquiry = Inquiry { asking: self, act, kind };
        match self.outlook(act, Some(kind), None) {
            Outlook::Never => Err(Never),
            Outlook::Always if !inquiry.heeds_any_consent() => Ok(None),
            _ => Ok(Some(inquiry)),
        }
    }

    fn minute(&self) -> i64 {
        self.now.micros().div_euclid(60_000_000)
    }
}

/// The policies deny it, whatever a resource says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Never;

impl<'a> Inquiry<'a> {
    /// Who asks, and when.
    #[must_use]
    pub fn asking(&self) -> &'a Asking {
        self.asking
    }

    /// What is to be done.
    #[must_use]
    pub fn act(&self) -> Act {
        self.act
    }

    /// Whether the policies permit it of a resource.
    #[must_use]
    pub fn permits(&self, standing: Standing, labels: &[String]) -> bool {
        self.decide(self.act, standing, labels)
    }

    /// Whether what Consents deny is denied.
    #[must_use]
    pub fn heeds_consent(&self, standing: Standing, labels: &[String]) -> bool {
        self.asking.rules.consent
            && !(self.asking.rules.policies.is_some()
                && self.decide(Act::OverrideConsent, standing, labels))
    }

    /// What the policies say of all resources of the type that lie there.
    #[must_use]
    pub fn outlook(&self, standing: Standing) -> Outlook {
        self.asking.outlook(self.act, Some(self.kind), Some(standing))
    }

    /// Whether a security label of a resource may matter.
    #[must_use]
    pub fn asks_for_labels(&self) -> bool {
        self.asking.mentions().labels
    }

    fn heeds_any_consent(&self) -> bool {
        let overrides = || {
            self.asking.rules.policies.is_some()
                && self.asking.outlook(Act::OverrideConsent, Some(self.kind), None)
                    == Outlook::Always
        };
        self.asking.rules.consent && !overrides()
    }

    fn decide(&self, act: Act, standing: Standing, labels: &[String]) -> bool {
        let Some(policies) = &self.asking.rules.policies else { return true };
        policies.permits(&Question {
            asker: self.asking.asker.clone(),
            act,
            kind: self.kind,
            standing,
            labels: labels.to_vec(),
            minute: self.asking.minute(),
        })
    }
}
