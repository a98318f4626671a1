//! Access entries as a table.

use std::sync::Arc;

use super::super::super::csv::{add_row, list};
use crate::access::{Identity, Look};
use crate::audit::{Access, NamedLook, ShownVersion};
use crate::clock::Instant;

/// The columns of the CSV form: those of the request, then those that entries of a Bundle have too.
const COLUMNS: [&str; 34] = [
    "id",
    "recordedAt",
    "begunAt",
    "subject",
    "name",
    "role",
    "organization",
    "acting",
    "client",
    "issuer",
    "tokenId",
    "scopes",
    "address",
    "proxy",
    "userAgent",
    "purpose",
    "breakGlass",
    "request",
    "clientRequest",
    "trace",
    "bytes",
    "entry",
    "operation",
    "action",
    "query",
    "outcome",
    "status",
    "reason",
    "patients",
    "erasedPatients",
    "resource",
    "resources",
    "resourceCount",
    "events",
];

/// The row of names.
pub fn head() -> String {
    let mut head = String::new();
    add_row(&mut head, COLUMNS);
    head
}

/// A row for the request, and one for each entry of a Bundle.
pub fn add_rows(out: &mut String, access: &Access) {
    let Access { id, recorded_at, entry, look, parts, .. } = access;
    let source = &entry.source;
    let who = source.identity.as_deref();
    let of = |text: fn(&Identity) -> &Option<String>| who.and_then(|who| text(who).as_deref());
    let begun_at = Instant::from_micros(entry.begun_at).to_string();
    let (id, recorded_at, request) =
        (id.to_string(), recorded_at.to_string(), entry.request.to_string());
    let common = [
        Some(id.as_str()),
        Some(&recorded_at),
        Some(&begun_at),
        who.map(|who| who.subject.as_str()),
        of(|who| &who.name),
        of(|who| &who.role),
        of(|who| &who.organization),
        of(|who| &who.acting),
        of(|who| &who.client),
        who.map(|who| who.issuer.as_str()),
        of(|who| &who.token_id),
        of(|who| &who.scopes),
        source.address.as_deref(),
        source.proxy.as_deref(),
        source.user_agent.as_deref(),
        source.purpose.as_deref(),
        Some(if source.breaks_glass() { "true" } else { "false" }),
        Some(&request),
        entry.client_request.as_deref(),
        entry.trace.as_deref(),
    ];
    let mut add = |bytes: String, part: String, look: &Look, named: &NamedLook| {
        let own = [bytes, part].into_iter().chain(cells_of(look, named)).collect::<Vec<_>>();
        let common = common.iter().map(|cell| cell.unwrap_or_default());
        add_row(out, common.chain(own.iter().map(String::as_str)));
    };
    add(entry.bytes.to_string(), String::new(), &entry.look, look);
    // Bytes are those of the whole answer, and so are told once.
    for (part, named) in entry.parts.iter().zip(parts) {
        add(String::new(), part.at.to_string(), &part.look, named);
    }
}

fn cells_of(look: &Look, named: &NamedLook) -> [String; 12] {
    let version = |shown: &Arc<ShownVersion>| match &shown.resource {
        Some((resource, version)) => format!("{resource}/_history/{version}"),
        None => "(erased)".to_owned(),
    };
    [
        look.operation.to_string(),
        look.action().letter().to_owned(),
        named.query(look),
        look.outcome.name().to_owned(),
        look.status.to_string(),
        look.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        list(named.patients.iter().map(ToString::to_string)),
        named.erased.to_string(),
        named.about.as_ref().map(ToString::to_string).unwrap_or_default(),
        list(named.shown.iter().map(version)),
        named.shown_count.to_string(),
        list(look.written.positions().map(|position| position.to_string())),
    ]
}
