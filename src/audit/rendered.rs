//! What many entries have in common, as JSON that is written once: sources, and versions that left.

use super::members::{list, name, number, shown, some_text, text, value};
use crate::access::Source;
use crate::fhir::{ResourceId, ResourceKey};
use crate::numbers::{Position, ResourceVersion};

/// Room for a version that left, about.
const VERSION_BYTES: usize = 256;

/// Who asked, from where and why, as members behind others of an object: [`super::SourceJson`].
pub(super) fn source_members(source: &Source) -> String {
    let mut out = String::new();
    if let Some(who) = source.identity.as_deref() {
        text(&mut out, "subject", &who.subject);
        some_text(&mut out, "name", who.name.as_deref());
        some_text(&mut out, "role", who.role.as_deref());
        some_text(&mut out, "organization", who.organization.as_deref());
        some_text(&mut out, "fhirUser", who.fhir_user.as_deref());
        some_text(&mut out, "acting", who.acting.as_deref());
        some_text(&mut out, "client", who.client.as_deref());
        text(&mut out, "issuer", &who.issuer);
        some_text(&mut out, "tokenId", who.token_id.as_deref());
        some_text(&mut out, "scopes", who.scopes.as_deref());
    }
    some_text(&mut out, "address", source.address.as_deref());
    some_text(&mut out, "proxy", source.proxy.as_deref());
    some_text(&mut out, "userAgent", source.user_agent.as_deref());
    some_text(&mut out, "purpose", source.purpose.as_deref());
    name(&mut out, "breakGlass");
    out.push_str(if source.breaks_glass() { "true" } else { "false" });
    out
}

/// A version that left: [`super::ResourceJson`].
pub(super) fn version(
    position: Position,
    resource: Option<&(ResourceKey, ResourceVersion)>,
    patients: &[ResourceId],
) -> Box<str> {
    let mut out = String::with_capacity(VERSION_BYTES);
    out.push('{');
    number(&mut out, "position", position.get());
    if let Some((key, version)) = resource {
        shown(&mut out, "resource", key);
        shown(&mut out, "version", version);
    }
    list(&mut out, "patients", patients, |out, patient| {
        value(out, |out| out.push_str(patient.as_str()));
    });
    out.push('}');
    // Very many are kept: copied, each takes no more room than it needs.
    out.as_str().into()
}
