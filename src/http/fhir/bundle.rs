//! Writing Bundles around stored bytes.

use crate::auth::Grant;
use crate::http::writing::Part;
use crate::json::quote;
use crate::records::Resource;

/// A Bundle that is being written (FHIR R4 §2.36).
#[derive(Debug)]
pub struct BundleWriter {
    part: Part,
    entries: usize,
}

impl BundleWriter {
    /// Begins a Bundle of a type, with links by relation.
    #[must_use]
    pub fn new(bundle_type: &str, total: Option<usize>, links: &[(&str, String)]) -> Self {
        let mut out = Self { part: Part::default(), entries: 0 };
        out.raw(r#"{"resourceType":"Bundle","type":"#);
        out.raw(&quote(bundle_type));
        if let Some(total) = total {
            out.raw(&format!(r#","total":{total}"#));
        }
        for (at, (relation, url)) in links.iter().enumerate() {
            out.raw(if at == 0 { r#","link":["# } else { "," });
            out.raw(&format!(r#"{{"relation":{},"url":{}}}"#, quote(relation), quote(url)));
        }
        if !links.is_empty() {
            out.raw("]");
        }
        out
    }

    /// Adds an entry: its full URL, its resource as served, and further members as JSON text.
    pub fn entry(
        &mut self,
        full_url: Option<&str>,
        resource: Option<&[u8]>,
        members: &[(&str, String)],
    ) {
        self.raw(if self.entries == 0 { r#","entry":[{"# } else { ",{" });
        self.entries += 1;
        let mut separator = "";
        if let Some(full_url) = full_url {
            self.raw(&format!(r#""fullUrl":{}"#, quote(full_url)));
            separator = ",";
        }
        if let Some(resource) = resource {
            self.raw(separator);
            self.raw(r#""resource":"#);
            let start = self.part.bytes.len();
            self.part.bytes.extend_from_slice(resource);
            self.part.resources.push(start..self.part.bytes.len());
            separator = ",";
        }
        for (name, value) in members {
            self.raw(&format!("{separator}{}:{value}", quote(name)));
            separator = ",";
        }
        self.raw("}");
    }

    /// Adds a resource that a search found.
    pub fn matched(&mut self, base: &str, grant: &Grant, resource: &Resource) {
        self.found(base, grant, resource, "match");
    }

    /// Adds a resource for a reason: `match`, or `include` for one that goes with a match.
    pub fn found(&mut self, base: &str, grant: &Grant, resource: &Resource, mode: &str) {
        let full_url = format!("{base}/{}", resource.key);
        let mode = format!(r#"{{"mode":"{mode}"}}"#);
        self.entry(Some(&full_url), Some(&resource.bytes(grant)), &[("search", mode)]);
    }

    /// What was written since the last part; the Bundle goes on.
    pub fn take_part(&mut self) -> Part {
        std::mem::take(&mut self.part)
    }

    /// The rest of the finished Bundle.
    #[must_use]
    pub fn finish(mut self) -> Part {
        self.raw(if self.entries == 0 { "}" } else { "]}" });
        self.part
    }

    fn raw(&mut self, text: &str) {
        self.part.bytes.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::BundleWriter;

    #[test]
    fn writes_valid_json_with_and_without_entries() {
        let empty = BundleWriter::new("searchset", Some(0), &[("self", "http://x".into())]);
        let empty = empty.finish().bytes;
        assert_eq!(
            String::from_utf8(empty).unwrap(),
            r#"{"resourceType":"Bundle","type":"searchset","total":0,"link":[{"relation":"self","url":"http://x"}]}"#
        );
        let mut bundle = BundleWriter::new("history", None, &[]);
        bundle.entry(Some("http://x/A/1"), Some(b"{}"), &[("response", "{}".into())]);
        bundle.entry(None, None, &[("response", r#"{"status":"204"}"#.into())]);
        let text = String::from_utf8(bundle.finish().bytes).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }
}
