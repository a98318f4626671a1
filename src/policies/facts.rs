//! What a policy may ask about.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use crate::access::Identity;
use crate::fhir::{Reference, ResourceKey, ResourceType};

/// With a key of this process, as tokens say what is hashed.
static HASHING: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Who asks, as the token says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    identity: Arc<Identity>,
    purpose: Option<Arc<str>>,
    /// Of both: what is remembered is found by it, and compared by them.
    digest: u64,
}

impl Hash for Asker {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

impl Asker {
    /// Somebody, for a purpose of use.
    #[must_use]
    pub fn new(identity: Arc<Identity>, purpose: Option<Arc<str>>) -> Self {
        let digest = HASHING.hash_one((&identity, &purpose));
        Self { identity, purpose, digest }
    }

    /// Who they are.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Claim `purpose_of_use`.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The person, and their organisation, as resources of this server. An address of another server says nothing of these.
    #[must_use]
    pub fn parties(&self, base_url: Option<&str>) -> Arc<[ResourceKey]> {
        let local = |text: &String| match Reference::parse(text, base_url) {
            Reference::Local { key, .. } => Some(key),
            _ => None,
        };
        let Identity { fhir_user, organization, .. } = &*self.identity;
        let organization = organization.as_ref().and_then(local);
        let organization = organization.filter(|key| key.kind == ResourceType::ORGANIZATION);
        fhir_user.as_ref().and_then(local).into_iter().chain(organization).collect()
    }
}

/// What somebody does with a resource: an action of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema says what they are")]
pub enum Act {
    Read,
    Search,
    Create,
    Update,
    Delete,
    OverrideConsent,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Search, Self::Create, Self::Update, Self::Delete, Self::OverrideConsent];

    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Search => "search",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::OverrideConsent => "overrideConsent",
        }
    }
}

/// What a caller may be to a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the schema says what they are")]
pub enum Relation {
    CareTeam,
    GeneralPractitioner,
    Encounter,
    CurrentEncounter,
    ManagingOrganization,
    RelatedPerson,
    Own,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CareTeam,
        Self::GeneralPractitioner,
        Self::Encounter,
        Self::CurrentEncounter,
        Self::ManagingOrganization,
        Self::RelatedPerson,
        Self::Own,
    ];

    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CareTeam => "careTeam",
            Self::GeneralPractitioner => "generalPractitioner",
            Self::Encounter => "encounter",
            Self::CurrentEncounter => "currentEncounter",
            Self::ManagingOrganization => "managingOrganization",
            Self::RelatedPerson => "relatedPerson",
            Self::Own => "self",
        }
    }
}

/// A set of relations.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Relations(u8);

impl Relations {
    /// With one more.
    #[must_use]
    pub fn with(self, relation: Relation) -> Self {
        Self(self.0 | 1 << relation as u8)
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(self, relation: Relation) -> bool {
        self.0 & 1 << relation as u8 != 0
    }

    /// Those of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Relation> for Relations {
    fn from_iter<T: IntoIterator<Item = Relation>>(relations: T) -> Self {
        relations.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Debug for Relations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Relation::ALL.into_iter().filter(|one| self.has(*one)).map(Relation::name);
        formatter.debug_set().entries(names).finish()
    }
}

/// What a caller is to the charts that something lies in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// It lies in no chart.
    pub directory: bool,
    /// Their relations to any of the charts.
    pub relations: Relations,
    /// They have broken the glass of one of them.
    pub glass_broken: bool,
}

/// What somebody asks to do, and with which resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Who.
    pub asker: Asker,
    /// What.
    pub act: Act,
    /// Type of the resource.
    pub kind: ResourceType,
    /// Where it lies.
    pub standing: Standing,
    /// Its security labels, as `system|code`, ascending.
    pub labels: Vec<String>,
    /// Unix time, in minutes.
    pub minute: i64,
}

/// The same of all resources of which the rest is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prospect {
    /// Who.
    pub asker: Asker,
    /// What.
    pub act: Act,
    /// Type of the resources, if it is known.
    pub kind: Option<ResourceType>,
    /// Where they lie, if it is known.
    pub standing: Option<Standing>,
    /// Unix time, in minutes.
    pub minute: i64,
}

/// What the policies say of all resources that something is known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It is permitted, whatever they say.
    Always,
    /// It depends on more.
    Depends,
    /// It is denied, whatever they say.
    Never,
}
