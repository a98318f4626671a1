//! `chartlog token`: a development token, signed with the store's own key; also while the server
//! runs.

use super::{Failure, TokenArguments, out};
use crate::auth::{About, LocalIssuer, Scopes, TokenRequest};
use crate::clock::Instant;
use crate::config::Config;
use crate::engine::read_local_issuer_secret;
use crate::fhir::ResourceType;

/// What scopes name besides types of resources.
const SUBJECTS: [&str; 6] =
    ["Backup", "BreakGlass", "ChartErasure", "ChartHold", "Feed", "Retention"];
/// Scopes that tell an app something and grant nothing (SMART App Launch 2.2, §scopes: "Scopes for requesting identity
/// data", "launch context", "refresh token"); `launch/` begins some more.
const OF_APPS: [&str; 6] =
    ["openid", "fhirUser", "profile", "launch", "online_access", "offline_access"];

/// Prints a token; it is the last line of stdout.
///
/// # Errors
///
/// [`Failure`]: no store there, a subject, patient or lifetime that no token may have, or a scope that can grant
/// nothing.
pub fn run(config: Config, arguments: TokenArguments) -> Result<(), Failure> {
    let secret = read_local_issuer_secret(&config.store.data).map_err(Failure::failed)?;
    let about = About {
        fhir_user: arguments.fhir_user,
        role: arguments.role,
        organization: arguments.organization,
        client: arguments.client,
        purpose: arguments.purpose,
    };
    let request = TokenRequest {
        subject: arguments.sub,
        scope: arguments.scope,
        patient: arguments.patient,
        audience: config.auth.audience.first().cloned().unwrap_or_default(),
        ttl_seconds: arguments.ttl.as_secs(),
        about,
    };
    let token = LocalIssuer::new(secret).sign(&request, Instant::now().seconds());
    let token = token.map_err(Failure::usage)?;
    let idle = idle(&request.scope, request.patient.is_some());
    if !idle.is_empty() {
        return Err(Failure::usage(format!("no token: {}", idle.join("; "))));
    }
    out::hand_over(&format!("{token}\n"))
}

/// Why scopes can grant nothing, for each that cannot.
fn idle(scope: &str, has_patient: bool) -> Vec<String> {
    let (of_apps, granting): (Vec<_>, Vec<_>) = scope
        .split_whitespace()
        .partition(|scope| OF_APPS.contains(scope) || scope.starts_with("launch/"));
    let mut problems: Vec<String> = granting
        .iter()
        .filter_map(|scope| {
            Some(format!("the scope {scope} grants nothing: {}", why(scope, has_patient)?))
        })
        .collect();
    if granting.is_empty() {
        let named = of_apps.join(" ");
        let named = if named.is_empty() { "no scope" } else { &named };
        problems.push(format!("{named} grants nothing: name one such as user/*.rs"));
    }
    problems
}

/// Why a scope can grant nothing, if it cannot.
fn why(scope: &str, has_patient: bool) -> Option<String> {
    let target = scope.split_once('/').map(|(_, target)| target);
    let subject = target.and_then(|target| target.split_once('.')).map(|(subject, _)| subject);
    let is_of_patient = scope.starts_with("patient/");
    match subject {
        _ if scope.contains('?') && Scopes::parse(scope).is_empty() => Some(
            "behind the question mark stand search parameters that the resource alone decides, as in \
             user/Observation.rs?category=vital-signs"
                .to_owned(),
        ),
        _ if Scopes::parse(scope).is_empty() => Some(
            "a scope is user/, system/ or patient/, a type or *, a dot, and letters of cruds in this order, as in \
             user/Observation.rs"
                .to_owned(),
        ),
        Some(name) if name != "*" && name.parse::<ResourceType>().is_err() => {
            match SUBJECTS.contains(&name) {
                true if !is_of_patient => None,
                true => Some(format!("{name} is granted by user/ and system/ scopes")),
                false => Some(format!(
                    "{name} is no type of FHIR R4, and none of {}",
                    SUBJECTS.join(", ")
                )),
            }
        }
        _ if is_of_patient && !has_patient => {
            Some("a patient/ scope opens the chart that --patient ID names".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_can_grant_nothing_is_told_with_the_reason() {
        for (scope, has_patient, reasons) in [
            ("user/*.cruds system/Feed.cud user/Backup.r", false, &[][..]),
            ("openid fhirUser launch/patient patient/*.rs", true, &[]),
            ("user/Observation.read user/Observation.rs?category=vital-signs", false, &[]),
            ("patient/*.rs", false, &["--patient ID"]),
            ("openid fhirUser", true, &["openid fhirUser grants nothing"]),
            (" ", false, &["no scope grants nothing"]),
            ("user/Observaton.rs user/*.r", false, &["Observaton is no type of FHIR R4"]),
            ("user/*.sr x", false, &["user/*.sr grants", "x grants"]),
            ("user/Observation.rs?colour=red", false, &["search parameters"]),
            ("patient/Backup.r", true, &["user/ and system/"]),
        ] {
            let told = idle(scope, has_patient);
            assert_eq!(told.len(), reasons.len(), "{scope}: {told:?}");
            for (told, reason) in told.iter().zip(reasons) {
                assert!(told.contains(reason), "{scope}: {told}");
            }
        }
    }
}
