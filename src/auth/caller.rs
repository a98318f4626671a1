//! The caller, as the token describes them, and what they reach.

use std::sync::Arc;

use super::scopes::{Level, Permission, Scopes};
use crate::access::Identity;
use crate::fhir::ResourceType;
use crate::policies::Asker;

/// Who is asking: the content of a verified token.
///
/// Only a [`Verifier`](super::Verifier) should make one from the outside world; the expiry is
/// checked on each verification, not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Who they are, and in whose words. Nothing is decided on that.
    pub identity: Arc<Identity>,
    /// What the issuer granted: claim `scope` (RFC 8693 §4.2).
    pub scopes: Scopes,
    /// The logical id of the patient in whose context the app was launched: claim `patient` (SMART
    /// App Launch 2.2, §scopes and launch context).
    pub patient: Option<String>,
    /// Purpose of use: claim `purpose_of_use`, or that of IUA.
    pub purpose: Option<String>,
    /// From this moment on the token is worthless: claim `exp`, in Unix seconds.
    pub expires_at: i64,
    /// Before this moment the token is not yet good: claim `nbf`, in Unix seconds.
    pub not_before: Option<i64>,
}

/// How far a caller reaches with one permission on one resource type.
///
/// Decided by type alone, before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// No scope grants it.
    Nothing,
    /// Only resources of the chart that the token names ([`Caller::patient`]); never another chart
    /// and never the directory.
    OwnChart,
    /// Every chart, and the directory.
    Everything,
}

impl Caller {
    /// The server itself, where it reads and writes what it keeps for itself.
    #[must_use]
    pub(super) fn server() -> Self {
        let scopes = Scopes::parse("system/CommunicationRequest.cruds system/Library.cruds");
        Self { scopes, expires_at: i64::MAX, ..Self::default() }
    }

    /// Who asks, as policies see them.
    #[must_use]
    pub fn asker(&self) -> Asker {
        Asker {
            identity: Arc::clone(&self.identity),
            purpose: self.purpose.as_deref().map(Arc::from),
        }
    }

    /// How far the caller reaches with `permission` on resources of `resource_type`. Beyond the own chart,
    /// who reads or searches `AuditEvent`s must have a scope that names them: `*` does not count.
    #[must_use]
    pub fn reach(&self, resource_type: &str, permission: Permission) -> Reach {
        // Who looked at everybody's charts is graver than the charts: `*` does not bring it along.
        let looks = matches!(permission, Permission::Read | Permission::Search);
        let is_named = looks && resource_type == ResourceType::AUDIT_EVENT.name();
        let granted_at = |level| match is_named && level != Level::Patient {
            true => self.scopes.names(level, resource_type, permission),
            false => self.scopes.allows(level, resource_type, permission),
        };

        if granted_at(Level::User) || granted_at(Level::System) {
            Reach::Everything
        } else if granted_at(Level::Patient) && self.patient.is_some() {
            Reach::OwnChart
        } else {
            Reach::Nothing
        }
    }

    /// Whether a `system/` scope grants `permission` on `resource_type`.
    ///
    /// For what no person's scopes may open, however wide: the feed and the proofs over the log.
    #[must_use]
    pub fn reach_system(&self, resource_type: &str, permission: Permission) -> bool {
        self.scopes.allows(Level::System, resource_type, permission)
    }

    /// Whether a `user/` or `system/` scope grants `permission` on exactly this subject, by name.
    ///
    /// For what is too grave to come along with `*`: a backup of everything, or what is indexed.
    #[must_use]
    pub fn is_entitled(&self, subject: &str, permission: Permission) -> bool {
        let named = |level| self.scopes.names(level, subject, permission);
        named(Level::User) || named(Level::System)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scope: &str, patient: Option<&str>) -> Caller {
        Caller {
            scopes: Scopes::parse(scope),
            patient: patient.map(str::to_owned),
            ..Caller::default()
        }
    }

    #[test]
    fn reach_follows_the_widest_scope_that_grants_the_permission() {
        use Permission::{Create, Read};
        use Reach::{Everything, Nothing, OwnChart};
        let own = Some("p1");
        #[rustfmt::skip]
        let table = [
            ("",                                           own,  "Observation", Read,   Nothing),
            ("patient/Observation.rs",                     own,  "Observation", Read,   OwnChart),
            ("patient/Observation.rs",                     None, "Observation", Read,   Nothing),
            ("patient/Observation.rs",                     own,  "Observation", Create, Nothing),
            ("patient/Observation.rs",                     own,  "Condition",   Read,   Nothing),
            ("patient/*.cruds",                            own,  "Condition",   Create, OwnChart),
            ("patient/*.cruds",                            own,  "Practitioner", Read,  OwnChart),
            ("user/Observation.r",                         None, "Observation", Read,   Everything),
            ("system/*.r",                                 None, "Observation", Read,   Everything),
            ("patient/*.cruds user/Observation.r",         own,  "Observation", Read,   Everything),
            ("patient/*.cruds user/Observation.r",         own,  "Observation", Create, OwnChart),
            ("user/Observation.r launch/patient openid",   own,  "Patient",     Read,   Nothing),
            ("user/Observation.rs?category=vital-signs",   own,  "Observation", Read,   Nothing),
            ("patient/*.read",                             own,  "Observation", Read,   OwnChart),
            ("patient/*.read",                             own,  "Observation", Create, Nothing),
            ("user/*.cruds system/*.cruds",                None, "AuditEvent",  Read,   Nothing),
            ("user/*.cruds patient/*.rs",                  own,  "AuditEvent",  Read,   OwnChart),
            ("user/*.cruds patient/AuditEvent.rs",         own,  "AuditEvent",  Read,   OwnChart),
            ("user/*.cruds user/AuditEvent.r",             None, "AuditEvent",  Read,   Everything),
            ("system/AuditEvent.rs",                       None, "AuditEvent",  Read,   Everything),
            ("system/AuditEvent.s user/*.r",               None, "AuditEvent",  Read,   Nothing),
        ];
        for (scope, patient, resource_type, permission, expected) in table {
            assert_eq!(
                caller(scope, patient).reach(resource_type, permission),
                expected,
                "{permission:?} {resource_type} with {scope:?} and patient {patient:?}"
            );
        }
    }

    #[test]
    fn only_system_scopes_open_the_store_as_a_whole() {
        let clinician = caller("user/*.cruds patient/*.cruds", Some("p1"));
        assert!(!clinician.reach_system("AuditEvent", Permission::Read));

        let archiver = caller("system/AuditEvent.rs", None);
        assert!(archiver.reach_system("AuditEvent", Permission::Read));
        assert!(!archiver.reach_system("AuditEvent", Permission::Create));
        assert!(!archiver.reach_system("Observation", Permission::Read));
    }

    #[test]
    fn an_entitlement_is_named() {
        use Permission::{Read, Update};
        assert!(caller("system/Backup.r", None).is_entitled("Backup", Read));
        assert!(caller("user/*.rs user/Backup.r", None).is_entitled("Backup", Read));
        assert!(!caller("system/Backup.r", None).is_entitled("Backup", Update));
        for scope in ["system/*.cruds", "user/*.cruds", "patient/Backup.r", "system/Backups.r"] {
            assert!(!caller(scope, Some("p1")).is_entitled("Backup", Read), "{scope}");
        }
    }
}
