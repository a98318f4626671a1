//! Names of the guide, and reading extensions.

use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Kind, Node};

/// Where the guide has its profiles and extensions.
pub(super) const GUIDE: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
/// The profile of a Subscription to a topic.
pub const PROFILE_SUBSCRIPTION: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription";
/// The profile of a notification.
pub const PROFILE_NOTIFICATION: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4";
/// The profile of the status of a subscription.
pub const PROFILE_STATUS: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
/// The extension of a CapabilityStatement that names a topic.
pub const TOPIC_CANONICAL: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical";
/// The system and the code by which a Basic is a topic.
pub const TOPIC_SYSTEM: &str = "http://hl7.org/fhir/fhir-types";
/// See [`TOPIC_SYSTEM`].
pub const TOPIC_CODE: &str = "SubscriptionTopic";
/// Where R5 has the elements of its SubscriptionTopic, for use in other versions.
pub(super) const R5_TOPIC: &str =
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.";
/// Where other versions have the elements of their Subscription begins so, with the version in between.
pub(super) const CROSS_VERSION: (&str, &str) =
    ("http://hl7.org/fhir/", "/StructureDefinition/extension-Subscription");

/// What is wrong with a resource, so far.
#[derive(Debug, Default)]
pub(super) struct Wrong(pub(super) Vec<Problem>);

impl Wrong {
    pub(super) fn add(&mut self, code: IssueCode, place: &str, diagnostics: impl Into<String>) {
        let (expression, diagnostics) = (place.to_owned(), diagnostics.into());
        self.0.push(Problem { code, expression, diagnostics });
    }
}

/// The extensions of an element that have a URL.
pub(super) fn extensions<'a>(
    element: Option<Node<'a>>,
    url: &str,
) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let list = element.and_then(|element| element.get("extension"));
    let url = url.to_owned();
    let list = list.into_iter().flat_map(|list| list.items());
    list.filter(move |one| one.get_str("url").as_deref() == Some(&*url))
}

/// The value of an extension, whatever its type, as a text.
pub(super) fn value(extension: Node<'_>) -> Option<String> {
    let mut values = extension.members().filter(|(name, _)| name.starts_with("value"));
    let (_, value) = values.next()?;
    match value.kind() {
        Kind::String => value.as_str().map(std::borrow::Cow::into_owned),
        Kind::Object | Kind::Array => None,
        _ => Some(value.text().to_owned()),
    }
}

/// The values of those parts of an extension that have a name.
pub(super) fn parts(extension: Node<'_>, name: &str) -> Vec<String> {
    extensions(Some(extension), name).filter_map(value).collect()
}

/// The first of them.
pub(super) fn part(extension: Node<'_>, name: &str) -> Option<String> {
    parts(extension, name).into_iter().next()
}
