//! What of the scopes that a client asks for it is given: never more than it may have, and never more than it asks for.

use std::collections::BTreeSet;

use super::super::{Level, Permission, Scopes};
use crate::fhir::ResourceType;

/// Types on which a scope that names them may grant what one for all types does not: they must be named in what
/// is allowed. Of subjects that are no types of resources, such as `Backup`, that holds anyway.
const BY_NAME: [&str; 2] = ["AuditEvent", "SearchParameter"];
const ANY_TYPE: &str = "*";

/// A scope of one level, taken apart.
struct Scope<'a> {
    kind: &'a str,
    permissions: Vec<Permission>,
    /// The parameters that restrict it.
    parameters: Option<&'a str>,
}

/// Whether a scope of that level grants anything.
#[must_use]
pub fn is_understood(level: Level, scope: &str) -> bool {
    Scope::parse(level, scope).is_some()
}

/// Of the scopes of that level in `asked`, what `allowed` has too, in the words of a `scope` claim.
#[must_use]
pub fn narrowed(level: Level, asked: &str, allowed: &[String]) -> String {
    let allowed: Vec<Scope<'_>> =
        allowed.iter().filter_map(|scope| Scope::parse(level, scope)).collect();
    let mut granted = BTreeSet::new();
    for asked in asked.split(' ').filter_map(|scope| Scope::parse(level, scope)) {
        let common = allowed.iter().filter_map(|allowed| asked.common(allowed, level));
        // One that is not understood as a whole would be passed over by who reads it: not given.
        granted.extend(common.filter(|scope| is_understood(level, scope)));
    }
    granted.into_iter().collect::<Vec<_>>().join(" ")
}

impl<'a> Scope<'a> {
    fn parse(level: Level, scope: &'a str) -> Option<Self> {
        // What is restricted must be understood with its restriction, all else by itself.
        if Scopes::parse(scope).is_empty() {
            return None;
        }
        let (plain, parameters) = match scope.split_once('?') {
            Some((plain, parameters)) => (plain, Some(parameters)),
            None => (scope, None),
        };
        let (_, target) = plain.split_once('/')?;
        let (kind, _) = target.split_once('.')?;
        let rights = Scopes::parse(plain);
        let is_granted = |permission: &Permission| match kind {
            ANY_TYPE => rights.allows(level, ANY_TYPE, *permission),
            kind => rights.names(level, kind, *permission),
        };
        let permissions: Vec<_> = Permission::ALL.into_iter().filter(is_granted).collect();
        (!permissions.is_empty()).then_some(Self { kind, permissions, parameters })
    }

    /// What this scope and one that is allowed have in common.
    fn common(&self, allowed: &Self, level: Level) -> Option<String> {
        let kind = match (self.kind, allowed.kind) {
            (asked, allowed) if asked == allowed => asked,
            (ANY_TYPE, allowed) => allowed,
            (asked, ANY_TYPE) if is_covered(asked) => asked,
            _ => return None,
        };
        let both = self.permissions.iter().filter(|one| allowed.permissions.contains(one));
        let letters: String = both.map(|permission| permission.letter()).collect();
        if letters.is_empty() {
            return None;
        }
        // Of restrictions, all must hold.
        let restrictions: BTreeSet<&str> =
            [self.parameters, allowed.parameters].into_iter().flatten().collect();
        let restrictions = restrictions.into_iter().collect::<Vec<_>>().join("&");
        let mark = if restrictions.is_empty() { "" } else { "?" };
        Some(format!("{}/{kind}.{letters}{mark}{restrictions}", level.name()))
    }
}

/// Whether a scope for all types grants as much on this one as one that names it.
fn is_covered(kind: &str) -> bool {
    kind.parse::<ResourceType>().is_ok() && !BY_NAME.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_what_is_asked_for_and_allowed() {
        let category = "category=laboratory";
        for (asked, allowed, expected) in [
            ("system/Patient.rs", "system/Patient.rs", "system/Patient.rs"),
            ("system/Patient.cruds", "system/Patient.rs", "system/Patient.rs"),
            ("system/Patient.r", "system/Patient.rs", "system/Patient.r"),
            ("system/Patient.c", "system/Patient.rs", ""),
            ("system/Patient.read", "system/*.read", "system/Patient.rs"),
            ("system/*.*", "system/*.read", "system/*.rs"),
            (
                "system/*.rs",
                "system/Patient.rs system/Observation.r",
                "system/Observation.r system/Patient.rs",
            ),
            ("system/Observation.rs", "system/Patient.rs", ""),
            ("user/*.rs patient/*.rs openid launch", "system/*.rs", ""),
            ("system/*.rs", "user/*.rs", ""),
            ("system/Patient.rs system/Patient.rs", "system/*.rs", "system/Patient.rs"),
            // What only a name opens is opened by no star.
            ("system/Backup.r", "system/*.cruds", ""),
            ("system/SearchParameter.cud", "system/*.cruds", ""),
            ("system/AuditEvent.rs", "system/*.cruds", ""),
            (
                "system/Backup.r system/AuditEvent.rs",
                "system/Backup.r system/AuditEvent.r",
                "system/AuditEvent.r system/Backup.r",
            ),
            ("system/*.r", "system/Backup.r", "system/Backup.r"),
            ("", "system/*.cruds", ""),
            ("system/Patient.sr system/patient.r system/Patient. x", "system/*.cruds", ""),
        ] {
            let allowed: Vec<String> = allowed.split(' ').map(str::to_owned).collect();
            assert_eq!(narrowed(Level::System, asked, &allowed), expected, "{asked}");
        }
        let restricted = format!("system/Observation.rs?{category}");
        for (asked, allowed, expected) in [
            ("system/Observation.rs", restricted.as_str(), restricted.clone()),
            ("system/*.rs", &restricted, restricted.clone()),
            (&restricted, "system/Observation.cruds", restricted.clone()),
            (&restricted, &restricted, restricted.clone()),
            ("system/Observation.rs?code=x", &restricted, format!("{restricted}&code=x")),
            // A restriction that is not understood is no scope without it.
            ("system/Observation.rs?nonsense=1", "system/*.cruds", String::new()),
            ("system/Observation.rs?", "system/*.cruds", String::new()),
        ] {
            let granted = narrowed(Level::System, asked, &[allowed.to_owned()]);
            assert_eq!(granted, expected, "{asked} of {allowed}");
        }
    }
}
