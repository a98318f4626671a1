//! The form in which a resource is stored, so that serving it is copying bytes.
//!
//! A stored resource is valid compact JSON without `meta.versionId` and `meta.lastUpdated`, which
//! the server assigns when the write is numbered: FHIR R4 §2.26.3.1 (`Resource.meta`). [`serve`]
//! puts them in at an offset that is kept beside the bytes.

use super::ResourceId;
use crate::json::{Compactor, Node, quote};
use crate::numbers::ResourceVersion;

/// A resource as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredForm {
    /// Compact JSON: `resourceType`, `id` and `meta`, then the other members as they were sent.
    pub bytes: Vec<u8>,
    /// Offset of the brace that closes `meta`.
    pub splice: u32,
}

impl StoredForm {
    /// The stored form of a resource under an id.
    ///
    /// `resolve` is called for each text in a place where the rules of transactions (FHIR R4
    /// §3.1.0.11.2) replace links, and returns the replacement.
    #[must_use]
    pub fn of(
        resource: Node<'_>,
        id: &ResourceId,
        resolve: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let replace = |name: &str, text: &str| match name {
            "div" => narrative(text, resolve),
            _ => is_link(name).then(|| resolve(text)).flatten(),
        };
        // What is added to the text as sent: the id, and an empty meta.
        let added = r#","id":"","meta":{}"#.len() + id.as_str().len();
        let mut out = Compactor::new(resource.text().len() + added, &replace);
        out.raw(r#"{"resourceType":"#);
        match resource.get("resourceType") {
            Some(kind) => out.value("resourceType", kind),
            None => out.raw("null"),
        }
        out.raw(r#","id":""#);
        out.raw(id.as_str());
        out.raw(r#"","meta":{"#);
        let meta = resource.get("meta").into_iter().flat_map(|meta| meta.members());
        let meta = meta.filter(|(name, _)| !is_assigned(name));
        for (place, (name, value)) in meta.enumerate() {
            if place > 0 {
                out.raw(",");
            }
            member(&mut out, &name, value);
        }
        // The parser accepts less than 4 GiB of text.
        let splice = u32::try_from(out.len()).unwrap_or(u32::MAX);
        out.raw("}");
        for (name, value) in resource.members() {
            if !matches!(&*name, "resourceType" | "id" | "meta") {
                out.raw(",");
                member(&mut out, &name, value);
            }
        }
        out.raw("}");
        Self { bytes: out.finish(), splice }
    }
}

/// The bytes to send for a stored resource: its version and the instant of its last update
/// (`2026-01-31T12:00:00.000Z`) stand in `meta`, behind what the client had put there.
///
/// `bytes` and `splice` are those of one [`StoredForm`].
#[must_use]
pub fn serve(bytes: &[u8], splice: u32, version: ResourceVersion, last_updated: &str) -> Vec<u8> {
    let (before, behind) = bytes.split_at_checked(splice as usize).unwrap_or((bytes, &[]));
    let comma = if before.ends_with(b"{") { "" } else { "," };
    let version = version.to_string();
    let parts = [
        before,
        comma.as_bytes(),
        br#""versionId":""#,
        version.as_bytes(),
        br#"","lastUpdated":""#,
        last_updated.as_bytes(),
        br#"""#,
        behind,
    ];
    parts.concat()
}

/// Where version and time go into the bytes of a [`StoredForm`]: the brace that closes `meta`.
#[must_use]
pub fn splice_of(bytes: &[u8]) -> Option<u32> {
    // Type and id stand before it, and hold no braces.
    let start = memchr::memchr(b'{', bytes.get(1..)?)? + 1;
    let (mut depth, mut is_text, mut is_escaped) = (0u32, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' if !is_text => depth += 1,
            b'}' if !is_text && depth == 1 => return u32::try_from(at).ok(),
            b'}' if !is_text => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Members of `meta` that the server assigns, and their siblings for extensions.
fn is_assigned(name: &str) -> bool {
    matches!(name, "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated")
}

/// Members whose texts are links: `Reference.reference`, and elements of type uri, url, oid and uuid.
fn is_link(name: &str) -> bool {
    matches!(name, "reference" | "url" | "uri" | "valueUri" | "valueUrl" | "valueOid" | "valueUuid")
}

/// A narrative with the targets of its links and images replaced.
fn narrative(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('=')) {
        at += found + 1;
        let name = text.get(..at - 1).unwrap_or_default().trim_ascii_end();
        let rest = text.get(at..).unwrap_or_default();
        let value = rest.trim_ascii_start();
        let start = at + rest.len() - value.len() + 1;
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let is_target = name.ends_with("href") || name.ends_with("src");
        let Some(quote) = quote.filter(|_| is_target) else { continue };
        let Some((target, _)) = text.get(start..).and_then(|rest| rest.split_once(quote)) else {
            break;
        };
        at = start + target.len();
        if let Some(replacement) = resolve(target) {
            out.extend([text.get(copied..start).unwrap_or_default(), &replacement]);
            copied = at;
        }
    }
    let rest = text.get(copied..).unwrap_or_default();
    (copied > 0).then(|| out + rest)
}

fn member(out: &mut Compactor<'_>, name: &str, value: Node<'_>) {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        out.raw("\"");
        out.raw(name);
        out.raw("\":");
    } else {
        out.raw(&quote(name));
        out.raw(":");
    }
    out.value(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn stored(text: &str) -> StoredForm {
        let document = Document::parse(text).unwrap();
        let resolve = |text: &str| (text == "urn:uuid:1").then(|| "Patient/1".to_owned());
        StoredForm::of(document.root(), &ResourceId::parse("7").unwrap(), &resolve)
    }

    #[test]
    fn stores_and_serves() {
        let cases = [
            (
                r#"{"resourceType":"Basic"}"#,
                r#"{"resourceType":"Basic","id":"7","meta":{}}"#,
                r#"{"resourceType":"Basic","id":"7","meta":{"versionId":"3","lastUpdated":"now"}}"#,
            ),
            (
                r#"{ "language" : "en", "meta": {"versionId": "9", "source": "x", "_lastUpdated": {"id": "a"},
                   "tag": [ ]}, "id": "old", "resourceType": "Basic", "a\n\"b": 1.50 }"#,
                r#"{"resourceType":"Basic","id":"7","meta":{"source":"x","tag":[]},"language":"en","a\n\"b":1.50}"#,
                r#"{"resourceType":"Basic","id":"7","meta":{"source":"x","tag":[],"versionId":"3","lastUpdated":"now"},"language":"en","a\n\"b":1.50}"#,
            ),
        ];
        for (sent, bytes, served) in cases {
            let form = stored(sent);
            assert_eq!(String::from_utf8(form.bytes.clone()).unwrap(), bytes);
            assert_eq!(splice_of(&form.bytes), Some(form.splice));
            let response = serve(&form.bytes, form.splice, ResourceVersion::new(3), "now");
            assert_eq!(String::from_utf8(response.clone()).unwrap(), served);
            assert_eq!(response.capacity(), response.len());
        }
    }

    #[test]
    fn links_are_replaced_where_transactions_replace_them() {
        let form = stored(
            r#"{"resourceType":"Basic","subject":{"reference":"urn:uuid:1"},"text":"urn:uuid:1",
            "extension":[{"url":"http://x","valueUri":"urn:uuid:1"},{"valueString":"urn:uuid:1"}],
            "author":{"reference":"urn:uuid:2"}}"#,
        );
        let value: Value = serde_json::from_slice(&form.bytes).unwrap();
        assert_eq!(value["subject"]["reference"], "Patient/1");
        assert_eq!(value["extension"][0]["valueUri"], "Patient/1");
        assert_eq!(value["extension"][1]["valueString"], "urn:uuid:1");
        assert_eq!(value["text"], "urn:uuid:1");
        assert_eq!(value["author"]["reference"], "urn:uuid:2");
    }

    #[test]
    fn links_in_narratives_are_replaced() {
        let cases = [
            (r#"<div><a href="urn:uuid:1">x</a></div>"#, r#"<div><a href="Patient/1">x</a></div>"#),
            (
                r#"<div><img alt="urn:uuid:1" src = 'urn:uuid:1'/>href="urn:uuid:2"</div>"#,
                r#"<div><img alt="urn:uuid:1" src = 'Patient/1'/>href="urn:uuid:2"</div>"#,
            ),
            (r#"<div>a = b, href= and src="</div>"#, r#"<div>a = b, href= and src="</div>"#),
        ];
        for (sent, expected) in cases {
            let resource = json!({ "resourceType": "Basic", "text": { "div": sent } });
            let form = stored(&resource.to_string());
            let value: Value = serde_json::from_slice(&form.bytes).unwrap();
            assert_eq!(value["text"]["div"], expected);
        }
    }

    fn any_member() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                any_object(inner),
            ]
        })
    }

    fn any_object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        let names = prop_oneof![
            prop::sample::select(vec!["id", "meta", "versionId", "source", "url"])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop::collection::btree_map(names, value, 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn what_is_served_equals_what_was_sent_but_for_id_and_meta(
            rest in any_object(any_member()),
            meta in prop::option::of(any_object(any_member())),
            version in any::<u64>(),
        ) {
            let mut sent = rest;
            sent["resourceType"] = json!("Basic");
            if let Some(meta) = meta {
                sent["meta"] = meta;
            } else {
                sent.as_object_mut().unwrap().remove("meta");
            }
            let form = stored(&serde_json::to_string_pretty(&sent).unwrap());
            prop_assert!(serde_json::from_slice::<Value>(&form.bytes).is_ok());

            let mut expected = sent;
            expected["id"] = json!("7");
            expected["meta"]["versionId"] = json!(version.to_string());
            expected["meta"]["lastUpdated"] = json!("now");
            let meta = expected["meta"].as_object_mut().unwrap();
            meta.retain(|name, _| !matches!(name.as_str(), "_versionId" | "_lastUpdated"));
            let served: Value =
                serde_json::from_slice(&serve(&form.bytes, form.splice, ResourceVersion::new(version), "now")).unwrap();
            prop_assert_eq!(served, expected);
        }
    }
}
