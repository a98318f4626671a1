//! What many entries have in common, as JSON that is written once: sources, and versions that left.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::access::{Identity, Source};
use crate::fhir::{ResourceId, ResourceKey};
use crate::numbers::{Position, ResourceVersion};

/// Who asked, from where and why.
// The texts are written as JSON already: a source is that of many entries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessSource)]
pub struct SourceJson {
    /// Who; absent when no acceptable token came with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    subject: Option<Box<RawValue>>,
    /// Name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    name: Option<Box<RawValue>>,
    /// Role of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    role: Option<Box<RawValue>>,
    /// Organisation of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    organization: Option<Box<RawValue>>,
    /// The resource that stands for the subject, such as Practitioner/x: claim fhirUser of SMART.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    fhir_user: Option<Box<RawValue>>,
    /// Who acted on behalf of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    acting: Option<Box<RawValue>>,
    /// Client application.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    client: Option<Box<RawValue>>,
    /// Issuer of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    issuer: Option<Box<RawValue>>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    token_id: Option<Box<RawValue>>,
    /// What the token granted: the decision rested on this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    scopes: Option<Box<RawValue>>,
    /// From where: network address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<Box<RawValue>>,
    /// The trusted proxy that named this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    proxy: Option<Box<RawValue>>,
    /// User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user_agent: Option<Box<RawValue>>,
    /// Why: purpose of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    purpose: Option<Box<RawValue>>,
    /// Whether the glass was broken.
    break_glass: bool,
}

/// A version of a resource that left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessedResource)]
pub struct ResourceJson {
    /// Position of the event that brought it.
    position: u64,
    /// Type/id; absent when it was erased since.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// meta.versionId.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Patients in whose charts it lies.
    #[schema(value_type = Vec<String>)]
    patients: Vec<ResourceId>,
}

impl ResourceJson {
    /// A version that left, as JSON.
    pub(super) fn render(
        position: Position,
        resource: Option<&(ResourceKey, ResourceVersion)>,
        patients: &[ResourceId],
    ) -> Arc<RawValue> {
        let shown = Self {
            position: position.get(),
            resource: resource.map(|(key, _)| key.to_string()),
            version: resource.map(|(_, version)| version.to_string()),
            patients: patients.to_vec(),
        };
        raw(&shown).into()
    }
}

impl SourceJson {
    pub(super) fn of(source: &Source) -> Self {
        let who = source.identity.as_deref();
        let text = |text: &Option<String>| text.as_ref().map(raw);
        let of = |text: fn(&Identity) -> &Option<String>| {
            who.and_then(|who| text(who).as_ref()).map(raw)
        };
        Self {
            subject: who.map(|who| raw(&who.subject)),
            name: of(|who| &who.name),
            role: of(|who| &who.role),
            organization: of(|who| &who.organization),
            fhir_user: of(|who| &who.fhir_user),
            acting: of(|who| &who.acting),
            client: of(|who| &who.client),
            issuer: who.map(|who| raw(&who.issuer)),
            token_id: of(|who| &who.token_id),
            scopes: of(|who| &who.scopes),
            address: text(&source.address),
            proxy: text(&source.proxy),
            user_agent: text(&source.user_agent),
            purpose: text(&source.purpose),
            break_glass: source.breaks_glass(),
        }
    }
}

/// A value as JSON.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    // Texts, numbers, lists: they always have a form in JSON.
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
