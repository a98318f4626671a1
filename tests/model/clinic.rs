//! A store in a directory of its own, and requests to it with full rights.

use std::path::Path;
use std::sync::Arc;

use chartlog::access::Identity;
use chartlog::auth::{Caller, Grant, Scopes};
use chartlog::budget::Budget;
use chartlog::clock::Clock;
use chartlog::disk::RealDisk;
use chartlog::engine::{DataDirectory, EngineOptions, ProofOptions, PurgeWindow};
use chartlog::fhir::search::{Criteria, Parameters, Query, parse_query};
use chartlog::fhir::{ResourceKey, ResourceType};
use chartlog::json::Document;
use chartlog::numbers::ResourceVersion;
use chartlog::records::{
    Action, Change, Records, RecordsError, RecordsOptions, SearchRequest, Target, Versions, Write,
    WriteResult,
};
use chartlog::vault::MasterKeySource;
use chartlog::view;

use crate::history::{Condition, Op, Transaction};

/// Sizes small enough that segments roll and snapshots are taken within one short history.
pub fn options(snapshot_events_min: u64, segment_bytes_max: u64) -> EngineOptions {
    EngineOptions {
        disk: RealDisk::handle(),
        master_key: MasterKeySource::Environment("MASTER".to_owned()),
        // The key of all zeros.
        variable: |_| Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
        seals: true,
        purge: PurgeWindow::Never,
        proves: true,
        proof: ProofOptions::default(),
        segment_bytes_max,
        queue_commands_max: 4_096,
        group_bytes_max: 1 << 20,
        views: view::ViewOptions { cache_bytes: 1 << 20, snapshot_events_min },
        upcasters: Arc::default(),
        clock: Clock::default(),
    }
}

pub fn open(root: &Path, options: &EngineOptions) -> Result<Arc<Records>, RecordsError> {
    let directory = DataDirectory::open(root).unwrap();
    Ok(Records::open(directory, options, RecordsOptions::default())?)
}

/// A grant with those scopes; `patient` is the chart that `patient/` scopes open.
pub fn grant_of(scopes: &str, patient: Option<&str>) -> Arc<Grant> {
    let (subject, issuer) = ("tester".to_owned(), "model".to_owned());
    let identity = Identity { subject, issuer, ..Identity::default() };
    let actor = identity.actor("r".to_owned());
    let caller = Caller {
        identity: Arc::new(identity),
        scopes: Scopes::parse(scopes),
        patient: patient.map(str::to_owned),
        expires_at: i64::MAX,
        ..Caller::default()
    };
    Arc::new(Grant::new(Arc::new(caller), actor, Budget::default(), &Arc::default()))
}

pub fn grant() -> Arc<Grant> {
    grant_of("system/*.cruds system/AuditEvent.rs", None)
}

/// Waits for a future on this thread.
pub fn block_on<F: std::future::Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub fn key(text: &str) -> ResourceKey {
    text.parse().unwrap()
}

pub fn criteria(kind: &str, query: &str) -> Criteria {
    let kind: ResourceType = kind.parse().unwrap();
    let pairs = parse_query(query).unwrap();
    Criteria::parse(&Parameters::standard(), kind, &pairs, None).unwrap()
}

/// A search on one type, a page at a time.
pub fn search(kind: &str, query: &str, limit: usize) -> SearchRequest {
    let kind: ResourceType = kind.parse().unwrap();
    let pairs = parse_query(query).unwrap();
    let query = Query::parse(&Parameters::standard(), kind, &pairs, None).unwrap();
    let queries = vec![(kind, query)];
    SearchRequest { queries, within: None, as_of: None, start: None, limit, with_total: false }
}

/// A change that stores a resource under the key it carries.
pub fn put(text: &str, target: Target) -> Change {
    let document = Arc::new(Document::parse(text).unwrap());
    let index = document.root().index();
    Change::new(target, Action::Put(document, index))
}

/// The write that a generated transaction asks for. `version_of` says the live version of a
/// resource, or that there is none.
pub fn write_of(transaction: &Transaction, version_of: impl Fn(&str) -> Option<u64>) -> Write {
    let changes = transaction.iter().map(|op| {
        let (mut change, key, condition) = match op {
            Op::Put { condition, .. } => {
                let name = op.key().unwrap();
                (put(&op.sent(&name), Target::Key(key(&name))), name, *condition)
            }
            Op::Remove { condition, .. } => {
                let name = op.key().unwrap();
                (Change::new(Target::Key(key(&name)), Action::Remove), name, *condition)
            }
            Op::CreateUnlessThere { tag, .. } => {
                let criteria = criteria("Observation", &format!("identifier=urn:t|i{tag}"));
                let target = Target::New("Observation".parse().unwrap(), Some(criteria));
                return put(&op.sent("Observation/ignored"), target);
            }
        };
        let version = version_of(&key);
        let only = |version| Versions::OneOf(vec![ResourceVersion::new(version)]);
        match condition {
            Condition::None => {}
            Condition::Right => change.if_match = version.map(only),
            Condition::Wrong => change.if_match = Some(only(version.unwrap_or(0) + 7)),
            Condition::NotThere => change.if_none_match = Some(Versions::Any),
        }
        change
    });
    Write { changes: changes.collect(), ..Write::default() }
}

/// Sends all transactions before it waits for the first answer.
pub fn send(store: &Arc<Records>, writes: Vec<Write>) -> Vec<Result<WriteResult, RecordsError>> {
    block_on(futures_util::future::join_all(writes.into_iter().map(|write| {
        let store = Arc::clone(store);
        async move { store.write(&grant(), Arc::new(write)).await }
    })))
}
