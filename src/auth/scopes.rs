//! The scopes of SMART App Launch 2 (§scopes for requesting FHIR resources), as a set of rights
//! that is cheap to ask.

use std::collections::BTreeMap;
use std::fmt;

use super::restriction::Restriction;
use crate::fhir::ResourceType;
use crate::fhir::search::Criterion;

/// The rights a token grants, as far as this server understands them.
///
/// Understood is `patient/`, `user/` or `system/`, then a resource type or `*`, then a dot and at
/// least one letter of `cruds` in that order, or `read`, `write` or `*` as in version 1 (which stand
/// for `rs`, `cud` and `cruds`). Behind the letters, `?category=...` restricts the right to
/// resources that a search with these parameters finds: see `restriction.rs`. Everything else grants
/// nothing, and is not an error: launch scopes and `openid` are for the issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// What `*` grants.
    any_type: Rights,
    /// What is granted for a type by name, beyond `any_type`.
    by_type: BTreeMap<Box<str>, Rights>,
    /// What is granted on some resources only.
    restricted: Vec<Restricted>,
}

/// A scope that is restricted to some resources.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Restricted {
    rights: Rights,
    restriction: Restriction,
    /// The scope itself.
    text: Box<str>,
}

/// Restricted scopes of one token that count: each may have to be evaluated on each resource.
const RESTRICTED_MAX: usize = 100;

/// Whose data a scope covers: the part of a scope before the slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `patient/`: the one chart of the token's launch context.
    Patient,
    /// `user/`: what the signed-in person may see.
    User,
    /// `system/`: a program acting on its own behalf.
    System,
}

/// What may be done: one letter of `cruds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `c`: create, on the type.
    Create,
    /// `r`: read, vread and history of one resource.
    Read,
    /// `u`: update and patch.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search, and history of a type or of the whole system.
    Search,
}

impl Scopes {
    /// The rights granted by a `scope` claim: scopes with spaces between them (RFC 6749 §3.3).
    #[must_use]
    pub fn parse(scope: &str) -> Self {
        let mut scopes = Self::default();
        scopes.extend(scope);
        scopes
    }

    /// Adds the rights granted by further scopes with spaces between them.
    pub fn extend(&mut self, scope: &str) {
        for scope in scope.split(' ') {
            // What is behind a question mark is never dropped: it would widen the right.
            if scope.contains('?') {
                if self.restricted.len() < RESTRICTED_MAX {
                    self.restricted.extend(parse_restricted(scope));
                }
            } else if let Some((name, _, rights)) = parse_scope(scope) {
                match name {
                    ANY_TYPE => self.any_type.add(rights),
                    name => self.by_type.entry(name.into()).or_default().add(rights),
                }
            }
        }
    }

    /// Whether some are restricted.
    #[must_use]
    pub fn are_restricted(&self) -> bool {
        !self.restricted.is_empty()
    }

    /// What must hold of the resources of a type on which alone scopes of this level grant `permission`: for each of these
    /// scopes all of its criteria.
    pub fn restrictions(
        &self,
        level: Level,
        kind: ResourceType,
        permission: Permission,
    ) -> impl Iterator<Item = &[Criterion]> {
        let wanted = Rights::one(level, permission);
        let restricted = self.restricted.iter().filter(move |one| one.rights.include(wanted));
        restricted.filter_map(move |one| one.restriction.of(kind))
    }

    /// Whether a scope of exactly this level grants `permission` on `resource_type`.
    #[must_use]
    pub fn allows(&self, level: Level, resource_type: &str, permission: Permission) -> bool {
        let wanted = Rights::one(level, permission);
        self.any_type.include(wanted)
            || self.by_type.get(resource_type).is_some_and(|rights| rights.include(wanted))
    }

    /// Whether a scope of exactly this level grants `permission` on `subject` by its name: `*` does
    /// not count.
    #[must_use]
    pub fn names(&self, level: Level, subject: &str, permission: Permission) -> bool {
        let wanted = Rights::one(level, permission);
        self.by_type.get(subject).is_some_and(|rights| rights.include(wanted))
    }

    /// Whether nothing at all is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.any_type == Rights::default() && self.by_type.is_empty() && self.restricted.is_empty()
    }
}

/// As a `scope` claim that grants the same.
impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_type = self.by_type.iter().map(|(name, rights)| (&**name, rights));
        let mut separator = "";
        for (name, rights) in std::iter::once((ANY_TYPE, &self.any_type)).chain(by_type) {
            for level in Level::ALL {
                let is_granted =
                    |permission: &Permission| rights.include(Rights::one(level, *permission));
                let granted = Permission::ALL.into_iter().filter(is_granted);
                let letters: String = granted.map(Permission::letter).collect();
                if !letters.is_empty() {
                    write!(formatter, "{separator}{}/{name}.{letters}", level.name())?;
                    separator = " ";
                }
            }
        }
        for Restricted { text, .. } in &self.restricted {
            write!(formatter, "{separator}{text}")?;
            separator = " ";
        }
        Ok(())
    }
}

const ANY_TYPE: &str = "*";

impl Level {
    const ALL: [Self; 3] = [Self::Patient, Self::User, Self::System];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl Permission {
    /// All permissions, in the order in which their letters must stand.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// The letter of this permission in a scope.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }
}

/// Levels times permissions, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rights(u16);

impl Rights {
    const fn one(level: Level, permission: Permission) -> Self {
        Self(1 << (level as usize * Permission::ALL.len() + permission as usize))
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    const fn include(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// One scope without a restriction as its type (or `*`), its letters, and the rights it grants; none when it is not
/// understood.
fn parse_scope(scope: &str) -> Option<(&str, &str, Rights)> {
    let (level, target) = scope.split_once('/')?;
    let (resource_type, letters) = target.split_once('.')?;
    let level = Level::named(level)?;
    if resource_type != ANY_TYPE && !is_type_name(resource_type) {
        return None;
    }

    let mut rights = Rights::default();
    // One pass over the alphabet for all letters: this is what makes order and uniqueness count.
    let mut alphabet = Permission::ALL.into_iter();
    let spelled = VERSION_1.iter().find(|(name, _)| *name == letters);
    for letter in spelled.map_or(letters, |(_, letters)| letters).chars() {
        let permission = alphabet.find(|permission| permission.letter() == letter)?;
        rights.add(Rights::one(level, permission));
    }
    (rights != Rights::default()).then_some((resource_type, letters, rights))
}

/// Permissions in the words of version 1, and the same in letters (SMART App Launch 2.2, §scopes: "SMARTv1 scopes").
const VERSION_1: [(&str, &str); 3] = [("read", "rs"), ("write", "cud"), ("*", "cruds")];

/// One scope with a restriction; none when it is not understood.
fn parse_restricted(scope: &str) -> Option<Restricted> {
    let (plain, parameters) = scope.split_once('?')?;
    let (name, letters, rights) = parse_scope(plain)?;
    // The forms of version 1 know no restriction.
    if VERSION_1.iter().any(|(spelled, _)| *spelled == letters) {
        return None;
    }
    let kind = match name {
        ANY_TYPE => None,
        name => Some(name.parse::<ResourceType>().ok()?),
    };
    let restriction = Restriction::parse(kind, parameters)?;
    Some(Restricted { rights, restriction, text: scope.into() })
}

/// Whether `name` has the form of a FHIR type name. A name of no existing type does no harm:
/// nothing of that type is ever asked for.
fn is_type_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|letter| letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters granted on `resource_type` at `level`.
    fn granted(scopes: &Scopes, level: Level, resource_type: &str) -> String {
        Permission::ALL
            .into_iter()
            .filter(|permission| scopes.allows(level, resource_type, *permission))
            .map(Permission::letter)
            .collect()
    }

    #[test]
    fn a_scope_grants_exactly_its_letters_on_its_type_at_its_level() {
        let scopes = Scopes::parse("user/Observation.rs");
        assert_eq!(granted(&scopes, Level::User, "Observation"), "rs");
        assert_eq!(granted(&scopes, Level::User, "Condition"), "");
        assert_eq!(granted(&scopes, Level::Patient, "Observation"), "");
        assert_eq!(granted(&scopes, Level::System, "Observation"), "");
    }

    #[test]
    fn every_level_and_every_permission_stands_alone() {
        for (name, level) in
            [("patient", Level::Patient), ("user", Level::User), ("system", Level::System)]
        {
            for permission in Permission::ALL {
                let letter = permission.letter();
                let scopes = Scopes::parse(&format!("{name}/Patient.{letter}"));
                for other in [Level::Patient, Level::User, Level::System] {
                    let expected = if other == level { letter.to_string() } else { String::new() };
                    assert_eq!(granted(&scopes, other, "Patient"), expected);
                }
            }
        }
    }

    #[test]
    fn the_grammar_is_exact() {
        for (scope, letters) in [
            ("user/Observation.c", "c"),
            ("user/Observation.cruds", "cruds"),
            ("user/Observation.cud", "cud"),
            ("user/*.rs", "rs"),
            ("user/Observation.read", "rs"),
            ("user/*.write", "cud"),
            ("user/Observation.*", "cruds"),
            ("user/*.*", "cruds"),
        ] {
            assert_eq!(
                granted(&Scopes::parse(scope), Level::User, "Observation"),
                letters,
                "{scope}"
            );
        }

        for scope in [
            "",
            " ",
            "openid",
            "fhirUser",
            "launch",
            "launch/patient",
            "offline_access",
            "user/Observation",
            "user/Observation.",
            "user/Observation.reads",
            "user/Observation.READ",
            "user/Observation.**",
            "user/Observation.sr",
            "user/Observation.rr",
            "user/Observation.rsx",
            "user/Observation.RS",
            "user/Observation.rs?",
            "user/Observation.read?category=vital-signs",
            "user/Observation.rs?nonsense=1",
            "user/Nothing.rs?category=vital-signs",
            "user/Observation.r.s",
            "user/observation.rs",
            "user/Obs*.rs",
            "user/Observation Condition.rs?code=x",
            "user/**.rs",
            "user/.rs",
            "/Observation.rs",
            "User/Observation.rs",
            "admin/Observation.rs",
            "user//Observation.rs",
            "user/Observation.rs\t",
            "user/Observation.rs,user/Condition.rs",
        ] {
            assert!(Scopes::parse(scope).is_empty(), "{scope:?} must grant nothing");
        }
    }

    #[test]
    fn what_is_not_understood_does_not_hide_what_is() {
        let scopes = Scopes::parse(
            "launch/patient  patient/Observation.rs?category=x patient/Observation.s user/*.q",
        );
        assert_eq!(granted(&scopes, Level::Patient, "Observation"), "s");
        assert_eq!(granted(&scopes, Level::User, "Observation"), "");
    }

    #[test]
    fn rights_from_several_scopes_add_up() {
        let scopes = Scopes::parse("user/*.r user/Observation.c user/Observation.s system/*.d");
        assert_eq!(granted(&scopes, Level::User, "Observation"), "crs");
        assert_eq!(granted(&scopes, Level::User, "Condition"), "r");
        assert_eq!(granted(&scopes, Level::System, "Observation"), "d");
    }

    #[test]
    fn scopes_read_back_from_their_text() {
        for text in [
            "",
            "openid",
            "user/*.rs system/Feed.cud patient/Patient.r user/Patient.cruds",
            "user/Observation.rs?category=a|b&code=c,d patient/*.r?_id=x",
        ] {
            let scopes = Scopes::parse(text);
            assert_eq!(Scopes::parse(&scopes.to_string()), scopes, "{text}");
        }
        assert_eq!(
            Scopes::parse("launch user/B.s user/B.r user/*.d").to_string(),
            "user/*.d user/B.rs"
        );
    }

    #[test]
    fn a_star_is_no_type_name_when_asking() {
        let scopes = Scopes::parse("user/Observation.cruds");
        assert_eq!(granted(&scopes, Level::User, "*"), "");
    }
}
