//! Writing an entry as JSON: in the answers of the API, in exports, and where entries are forwarded to.

use super::accesses::Access;
use super::known::NamedLook;
use super::members::{list, name, number, plain, shown, some_text, text, value};
use crate::access::Look;
use crate::clock::Instant;
use crate::fhir::ResourceId;

impl Access {
    /// Writes it as [`super::AccessJson`]; with a summary in plain words, if there is one.
    pub fn write_json(&self, summary: Option<&str>, out: &mut String) {
        let Self { id, recorded_at, entry, source, look, parts } = self;
        out.push('{');
        shown(out, "id", id);
        shown(out, "recordedAt", recorded_at);
        shown(out, "begunAt", &Instant::from_micros(entry.begun_at));
        out.push_str(source);
        shown(out, "request", &entry.request);
        some_text(out, "clientRequest", entry.client_request.as_deref());
        some_text(out, "trace", entry.trace.as_deref());
        number(out, "bytes", entry.bytes);
        some_text(out, "summary", summary);
        write_look(&entry.look, look, out);
        if !parts.is_empty() {
            list(out, "parts", entry.parts.iter().zip(parts), |out, (part, named)| {
                out.push('{');
                number(out, "entry", part.at.into());
                write_look(&part.look, named, out);
                out.push('}');
            });
        }
        out.push('}');
    }

    /// The same as a text of its own.
    #[must_use]
    pub fn json(&self, summary: Option<&str>) -> String {
        let mut out = String::new();
        self.write_json(summary, &mut out);
        out
    }
}

/// The members of [`super::LookJson`].
fn write_look(look: &Look, named: &NamedLook, out: &mut String) {
    text(out, "operation", &look.operation);
    text(out, "action", look.action().letter());
    if !named.query_is_empty(look) {
        name(out, "query");
        value(out, |out| named.write_query(look, out));
    }
    text(out, "outcome", look.outcome.name());
    number(out, "status", look.status.into());
    some_text(out, "reason", look.reason.as_deref());
    let id = |out: &mut String, id: &ResourceId| value(out, |out| out.push_str(id.as_str()));
    list(out, "patients", &named.patients, id);
    if named.erased > 0 {
        number(out, "erasedPatients", named.erased as u64);
    }
    if let Some(about) = &named.about {
        shown(out, "resource", about);
    }
    list(out, "resources", &named.shown, |out, shown| out.push_str(&shown.json));
    number(out, "resourceCount", named.shown_count);
    if !look.written.is_empty() {
        list(out, "events", look.written.positions(), |out, position| plain(out, &position));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::rendered::source_members;
    use super::super::{AccessId, AccessJson, ShownVersion};
    use super::*;
    use crate::access::{AccessEntry, Identity, Outcome, Part, RequestId, Runs, Source};
    use crate::numbers::{Position, ResourceVersion};

    fn text(name: &str) -> Option<String> {
        Some(format!("{name} \"\\\n\u{1}\u{e9}"))
    }

    /// An entry that has all that one can have, or as little as possible.
    fn access(is_full: bool) -> Access {
        let identity = Identity {
            subject: "s".to_owned(),
            issuer: "i\"".to_owned(),
            name: text("name"),
            role: text("role"),
            organization: text("organization"),
            fhir_user: text("fhirUser"),
            acting: text("acting"),
            client: text("client"),
            token_id: text("tokenId"),
            scopes: text("scopes"),
        };
        let source = Source {
            identity: Some(identity.into()),
            address: text("address"),
            proxy: text("proxy"),
            user_agent: text("agent"),
            purpose: Some("BTG".to_owned()),
        };
        let source = if is_full { source } else { Source::default() };
        let mut entry = AccessEntry::of(source, RequestId::new(1, 2), "readResource", -1);
        let mut look = NamedLook::default();
        if is_full {
            entry.client_request = text("client");
            entry.trace = text("trace");
            entry.bytes = u64::MAX;
            entry.look.route = "GET /fhir/{type}/{id}/_history/{version}".into();
            entry.look.outcome = Outcome::Refused;
            entry.look.status = 403;
            entry.look.reason = Some("\"why\"".into());
            entry.look.written = Runs::from(&BTreeSet::from([3, 4, 9].map(Position::new)));
            let patients: Vec<ResourceId> = vec!["p1".parse().unwrap(), "p2".parse().unwrap()];
            let version = Some(("Patient/p1".parse().unwrap(), ResourceVersion::new(7)));
            let shown = ShownVersion::new(Position::new(1), version, patients.clone());
            let erased = ShownVersion::new(Position::new(2), None, Vec::new());
            let about = Some("Patient/p2".parse().unwrap());
            let shown = vec![Arc::new(shown), Arc::new(erased)];
            look = NamedLook { patients, erased: 2, words: None, about, shown, shown_count: 5 };
            let mut part = entry.look.clone();
            part.written = Runs::default();
            entry.parts = vec![Part { at: 0, look: part.clone() }, Part { at: 9, look: part }];
        }
        let words = NamedLook { words: text("/fhir?a="), ..NamedLook::default() };
        let parts = if is_full { vec![look.clone(), words] } else { Vec::new() };
        let source = source_members(&entry.source).into();
        let id = AccessId::Entry { position: Position::new(12), index: 3 };
        Access { id, recorded_at: Instant::from_micros(1), entry, source, look, parts }
    }

    #[test]
    fn an_entry_is_written_as_the_document_describes_it() {
        for (is_full, summary) in [(true, Some("\"A\" read it.")), (true, None), (false, None)] {
            let written = access(is_full).json(summary);
            let described: AccessJson = serde_json::from_str(&written).expect(&written);
            assert_eq!(serde_json::to_string(&described).unwrap(), written);
            assert_eq!(written.contains("erasedPatients"), is_full);
        }
    }

    #[test]
    fn what_follows_from_the_rest_stands_in_the_query() {
        let mut access = access(true);
        assert_eq!(
            access.look.query(&access.entry.look),
            "GET /fhir/Patient/p2/_history/{version}"
        );
        access.look.about = None;
        access.look.shown.truncate(1);
        assert_eq!(access.look.query(&access.entry.look), "GET /fhir/Patient/p1/_history/7");
        access.look.shown.clear();
        let query = "GET /fhir/{type}/{id}/_history/{version}";
        assert_eq!(access.look.query(&access.entry.look), query);
        access.look.patients.truncate(1);
        access.entry.look.route = "GET /v1/patients/{id}/chart/{".into();
        assert_eq!(access.look.query(&access.entry.look), "GET /v1/patients/p1/chart/{");
        access.look.words = Some("/v1/x?y".to_owned());
        assert_eq!(access.look.query(&access.entry.look), "GET /v1/x?y");
    }
}
