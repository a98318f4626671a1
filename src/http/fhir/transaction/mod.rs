//! transaction and batch: FHIR R4 §3.1.0.11.
//!
//! In: a Bundle whose entries are requests of their own. Out: a Bundle whose entries are the answers,
//! in the same order. `entry` says what an entry asks for, `look` reads, `answer` writes what became
//! of it. A transaction is one write, in the order of the standard, with its reads behind it.

mod answer;
mod entry;
mod look;
mod operations;
mod part;
mod reader;

use std::collections::HashMap;
use std::sync::Arc;

use super::bundle::BundleWriter;
use super::{Call, Failure, Reply, Return};
use crate::access::Part;
use crate::auth::Seen;
use crate::chart::fingerprint;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::reference::uuid_name;
use crate::http::Fault;
use crate::http::visit::Ending;
use crate::json::{Document, Kind, Node};
use crate::numbers::Position;
use crate::records::{
    Action, Change, ChangeResult, INLINE_BYTES_MAX, IdempotencyKey, ReadBehind, Records, Target,
    Write,
};
use entry::Work;
use look::Look;
use reader::Reader;

/// URL of the extension of `Bundle.entry.request` that gives an entry of a batch an idempotency key
/// of its own (`valueString`).
pub const KEY_EXTENSION: &str = "urn:chartlog:idempotency-key";
/// Entries of a batch that are worked on at the same time.
const BATCH_PARALLEL: usize = 64;

/// Reads in a Bundle that are made as those of small requests are.
const BRIEF_LOOKS_MAX: usize = 16;

/// Carries out the entries of a Bundle: all or none of a transaction, each of a batch by itself.
#[utoipa::path(post, path = "/fhir", operation_id = "transaction", tag = "fhir",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever. An entry of a batch may bring its own: extension urn:chartlog:idempotency-key of its request"),
        ("Prefer" = Option<String>, Header, description = "return=minimal (default here), representation or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "A Bundle of type transaction or batch"),
    responses(
        (status = 200, description = "A Bundle of type transaction-response or batch-response. Where in the log its events stand: for a transaction in the header Chartlog-Position, for an entry of a batch in the extension urn:chartlog:position of its response", content_type = "application/fhir+json"),
        (status = 400, description = "Not valid; the outcome says what and where; nothing was stored"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"),
        (status = 412, description = "A condition of an entry does not hold"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request")))]
pub async fn transaction(mut call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let wanted = Return::of(&call, Return::Minimal);
    let idempotency = super::idempotency(&call, "POST Bundle")?;
    let size = call.body().len();
    let document = call.json().await?;
    let root = document.root();
    if root.get_str("resourceType").as_deref() != Some("Bundle") {
        return Err(Failure::at(IssueCode::Value, "resourceType", "expected a Bundle"));
    }
    let bundle_type = root.get_str("type").unwrap_or_default().into_owned();
    let entries = entries(&call, root)?;
    let sent = Sent { call, document, entries, idempotency, size, wanted };
    match bundle_type.as_str() {
        "transaction" => sent.all_or_none().await,
        "batch" => sent.each_by_itself().await,
        other => {
            let diagnostics = format!("\"{other}\" is not transaction or batch");
            Err(Failure::at(IssueCode::Value, "Bundle.type", diagnostics))
        }
    }
}

/// The indexes of the entries.
fn entries(call: &Call, root: Node<'_>) -> Result<Vec<usize>, Failure> {
    let entries: Vec<usize> = match root.get("entry") {
        Some(list) if list.kind() == Kind::Array => {
            list.items().map(|entry| entry.index()).collect()
        }
        Some(_) => {
            return Err(Failure::at(IssueCode::Structure, "Bundle.entry", "must be an array"));
        }
        None => Vec::new(),
    };
    let limit = call.options().limits.bundle_entries_max;
    if entries.len() > limit {
        let diagnostics = format!("{} entries; {limit} are allowed", entries.len());
        return Err(Failure::at(IssueCode::TooLong, "Bundle.entry", diagnostics));
    }
    Ok(entries)
}

/// A Bundle that is being carried out.
struct Sent {
    call: Call,
    document: Arc<Document>,
    /// Where its entries are in the document.
    entries: Vec<usize>,
    idempotency: Option<IdempotencyKey>,
    /// Bytes of the whole.
    size: usize,
    wanted: Return,
}

/// What became of an entry of a batch.
enum Outcome {
    Written(Box<ChangeResult>, Option<(Position, u64)>),
    Looked(Box<Look>, Result<Reply, Failure>),
    Failed(Failure),
}

impl Sent {
    /// Understands all entries. Those of a large Bundle are checked on the blocking pool, away from the threads that serve
    /// small requests.
    async fn understood(&self) -> Result<Vec<Result<Work, Failure>>, Failure> {
        let document = Arc::clone(&self.document);
        let (entries, base_url) = (self.entries.clone(), self.call.base_url().to_owned());
        let parameters = self.call.records().parameters();
        let upcasters = Arc::clone(self.call.upcasters());
        let read = move || {
            let entries = entries.iter().enumerate();
            let one = |(at, index): (usize, &usize)| {
                let place = format!("Bundle.entry[{at}]");
                let (document, parameters, base_url) = (&document, &parameters, base_url.as_str());
                let upcasters = &upcasters;
                let reader = Reader { document, parameters, upcasters, base_url, place: &place };
                reader.read(document.node(*index))
            };
            entries.map(one).collect()
        };
        if self.size <= INLINE_BYTES_MAX {
            return Ok(read());
        }
        actix_web::web::block(read).await.map_err(|_| Failure::internal())
    }

    async fn all_or_none(self) -> Result<Reply, Failure> {
        let (mut changes, mut looks, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (at, work) in self.understood().await?.into_iter().enumerate() {
            match work {
                Ok(Work::Change(change)) => changes.push((at, *change)),
                Ok(Work::Look(look)) => looks.push((at, look)),
                Err(failure) => failures.push(failure),
            }
        }
        let repeated = repeated_names(&changes);
        if !repeated.is_empty() {
            failures.push(Failure::invalid(repeated));
        }
        if !failures.is_empty() {
            return Err(Failure::together(failures));
        }
        let reads = self.rehearse(&looks).await?;
        // The order of the standard, R4 §3.1.0.11.2; the answers keep that of the request.
        changes.sort_by_key(|(_, change)| phase(change));
        let (places, changes): (Vec<usize>, Vec<Change>) = changes.into_iter().unzip();
        let (idempotency, size) = (self.idempotency.clone(), self.size);
        let write = Write { changes, reads, idempotency, size, ..Write::default() };
        let written = self.call.records().write(&self.call.grant, Arc::new(write)).await?;
        let mut results: Vec<(usize, Outcome)> = Vec::with_capacity(self.entries.len());
        if let Some((first, count)) = written.events.filter(|_| !looks.is_empty()) {
            self.call.grant.wrote(first, count);
        }
        let done = places.into_iter().zip(written.done);
        results.extend(done.map(|(at, done)| (at, Outcome::Written(Box::new(done), None))));
        if !looks.is_empty() {
            // All reads see one state, which holds what was just written.
            let records = self.call.records().at_this_moment().await?;
            for (at, look) in looks {
                let (result, part) = self.look(at, &look, &records).await;
                self.call.grant.had_part(part);
                results.push((at, Outcome::Looked(Box::new(look), result)));
            }
        }
        Ok(self.answer("transaction-response", results).positions(written.events))
    }

    /// Refuses the whole for a read that fails, before anything is stored: R4 §3.1.0.11.2. Whether there will be the
    /// resource that is read may depend on what is stored: that is decided with the changes.
    async fn rehearse(&self, looks: &[(usize, Look)]) -> Result<Vec<ReadBehind>, Failure> {
        let mut reads = Vec::new();
        if looks.is_empty() {
            return Ok(reads);
        }
        self.call.grant.owes_entry();
        self.take_place(looks).await?;
        let records = self.call.records().at_this_moment().await?;
        for (at, look) in looks {
            let (result, part) = self.look(*at, look, &records).await;
            let is_there = !result.as_ref().is_err_and(Failure::is_absence);
            match (result, look.behind(is_there)) {
                (Err(failure), behind) if is_there || behind.is_none() => {
                    self.call.grant.had_part(part);
                    return Err(failure.within(&look.place));
                }
                (_, behind) => reads.extend(behind),
            }
        }
        Ok(reads)
    }

    async fn each_by_itself(self) -> Result<Reply, Failure> {
        let (mut changes, mut looks, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (at, work) in self.understood().await?.into_iter().enumerate() {
            match work {
                Ok(Work::Change(change)) => changes.push((at, *change)),
                Ok(Work::Look(look)) => looks.push((at, look)),
                Err(failure) => results.push((at, Outcome::Failed(failure))),
            }
        }
        self.take_place(&looks).await?;
        // The share of an entry in the whole, roughly: where it is worked on.
        let size = self.size / self.entries.len().max(1);
        let mut changes = changes.into_iter();
        loop {
            let some = changes.by_ref().take(BATCH_PARALLEL);
            let work: Vec<_> = some.map(|(at, change)| self.one(at, change, size)).collect();
            if work.is_empty() {
                break;
            }
            results.extend(futures_util::future::join_all(work).await);
        }
        for (at, look) in looks {
            self.call.grant.owes_entry();
            let (result, part) = self.look(at, &look, self.call.records()).await;
            self.call.grant.had_part(part);
            results.push((at, Outcome::Looked(Box::new(look), result)));
        }
        Ok(self.answer("batch-response", results))
    }

    /// Takes a place among the requests that take much, if there is much to be read.
    async fn take_place(&self, looks: &[(usize, Look)]) -> Result<(), Failure> {
        match looks.len() > BRIEF_LOOKS_MAX {
            true => self.call.take_place().await,
            false => Ok(()),
        }
    }

    /// Reads, and then lets others read. What was seen is told by the part of the access entry.
    async fn look(
        &self,
        at: usize,
        look: &Look,
        records: &Arc<Records>,
    ) -> (Result<Reply, Failure>, Part) {
        let grant = Arc::new(self.call.grant.for_part());
        let result = look.answer(&self.call, &self.document, &grant, records).await;
        let (seen, ending) = (grant.take_seen(), Ending::of(&result));
        let part = part::part(&self.call.state, at, &look.asked(), seen, ending);
        tokio::task::yield_now().await;
        (result, part)
    }

    async fn one(&self, at: usize, change: Change, size: usize) -> (usize, Outcome) {
        let entry = self.entries.get(at).map(|index| self.document.node(*index));
        let by_place = || self.idempotency.as_ref().map(|key| of_entry(key, at));
        let idempotency = entry.and_then(own_key).or_else(by_place);
        let outcome = match super::commit(&self.call, change, idempotency, size).await {
            Ok((done, events)) => Outcome::Written(Box::new(done), events),
            Err(failure) => Outcome::Failed(failure),
        };
        (at, outcome)
    }

    /// The Bundle that answers, in the order of the request.
    fn answer(&self, bundle_type: &str, mut results: Vec<(usize, Outcome)>) -> Reply {
        results.sort_by_key(|(at, _)| *at);
        if results.iter().any(|(_, outcome)| !matches!(outcome, Outcome::Written(..))) {
            self.tell_of_writes(&results);
        }
        let mut bundle = BundleWriter::new(bundle_type, None, &[]);
        for (_, outcome) in &results {
            match outcome {
                Outcome::Written(done, events) => {
                    answer::written(&mut bundle, &self.call, done, self.wanted, *events);
                }
                Outcome::Looked(look, result) => {
                    if let Err(failure) = result {
                        self.note(failure);
                    }
                    answer::looked(&mut bundle, look, result);
                }
                Outcome::Failed(failure) => {
                    self.note(failure);
                    answer::failed(&mut bundle, failure);
                }
            }
        }
        Reply::bundle(bundle.finish())
    }

    /// Adds the writes to what the access entry tells of the parts: it will be written anyway.
    fn tell_of_writes(&self, results: &[(usize, Outcome)]) {
        for (at, outcome) in results {
            let result = match outcome {
                Outcome::Looked(..) => continue,
                Outcome::Written(_, events) => {
                    let written = events.iter().flat_map(|(first, count)| {
                        (first.get()..first.get() + count).map(Position::new)
                    });
                    Ok(Seen { written: written.collect(), ..Seen::default() })
                }
                Outcome::Failed(failure) => Err(failure),
            };
            if let Some(entry) = self.entries.get(*at).map(|index| self.document.node(*index)) {
                self.call.grant.had_part(part::of_write(&self.call.state, *at, entry, result));
            }
        }
    }

    /// Sees to it that the access entry tells of a part that was not done.
    fn note(&self, failure: &Failure) {
        self.call.grant.owes_entry();
        if failure.fault == Fault::Forbidden {
            self.call.grant.was_refused();
        }
    }
}

/// Where the standard puts a change: deletions, creations, updates and patches.
fn phase(change: &Change) -> u8 {
    match (&change.action, &change.target) {
        (Action::Remove, _) => 0,
        (_, Target::New(..)) => 1,
        _ => 2,
    }
}

/// Names that two entries have: what refers to them could mean either.
fn repeated_names(changes: &[(usize, Change)]) -> Vec<Problem> {
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(changes.len());
    let mut problems = Vec::new();
    for (at, change) in changes {
        let Some(full_url) = &change.full_url else { continue };
        if let Some(first) =
            seen.insert(uuid_name(full_url).unwrap_or_else(|| full_url.clone()), *at)
        {
            problems.push(Problem {
                code: IssueCode::Invariant,
                expression: format!("Bundle.entry[{at}].fullUrl"),
                diagnostics: format!("{full_url} is that of Bundle.entry[{first}] (bdl-7)"),
            });
        }
    }
    problems
}

/// The key that an entry of a batch brings itself, as an extension of its request: it holds for
/// this entry wherever it stands and whatever else the batch holds.
fn own_key(entry: Node<'_>) -> Option<IdempotencyKey> {
    let extensions = entry.get("request")?.get("extension")?;
    let is_key = |one: &Node<'_>| one.get_str("url").as_deref() == Some(KEY_EXTENSION);
    let key = extensions.items().find(is_key)?.get_str("valueString")?.into_owned();
    let request = fingerprint(&[entry.text().as_bytes()]);
    Some(IdempotencyKey { key: format!("{key}\nby itself"), request })
}

/// Each entry of a batch commits by itself, so each has a key of its own.
fn of_entry(key: &IdempotencyKey, at: usize) -> IdempotencyKey {
    IdempotencyKey { key: format!("{}\nentry {at}", key.key), request: key.request.clone() }
}
