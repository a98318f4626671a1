//! A store of its own, with the sizes that the server uses by default.

use std::path::Path;
use std::sync::Arc;

use chartlog::access::Identity;
use chartlog::auth::{Caller, Grant, Scopes};
use chartlog::budget::Budget;
use chartlog::chart::{Actor, Upcasters};
use chartlog::clock::Clock;
use chartlog::config::Config;
use chartlog::disk::RealDisk;
use chartlog::engine::{DataDirectory, DirectoryError, EngineOptions, ProofOptions, PurgeWindow};
use chartlog::fhir::{ResourceKey, ResourceType};
use chartlog::json::Document;
use chartlog::policies::RuleBook;
use chartlog::records::{Action, Change, Records, RecordsOptions, Target, Write};
use chartlog::vault::MasterKeySource;
use chartlog::view;

/// Opens the store in a directory, or creates it there.
pub fn open(root: &Path) -> Arc<Records> {
    open_as(root, true)
}

/// The same with upcasters.
pub fn open_with(root: &Path, upcasters: Arc<Upcasters>) -> Arc<Records> {
    open_store(root, EngineOptions { upcasters, ..options(root, true) }, Arc::default())
}

/// The same with policies.
pub fn open_under(root: &Path, rules: Arc<RuleBook>) -> Arc<Records> {
    open_store(root, options(root, true), rules)
}

/// The same, sealed and proven or neither.
pub fn open_as(root: &Path, is_ledger: bool) -> Arc<Records> {
    open_store(root, options(root, is_ledger), Arc::default())
}

fn options(root: &Path, is_ledger: bool) -> EngineOptions {
    let config = Config::default().store;
    EngineOptions {
        disk: RealDisk::handle(),
        master_key: MasterKeySource::File(root.join("master.key")),
        variable: |_| None,
        seals: is_ledger,
        purge: PurgeWindow::AtOnce,
        proves: is_ledger,
        proof: ProofOptions::default(),
        segment_bytes_max: config.segment_bytes_max,
        queue_commands_max: config.queue_commands_max,
        group_bytes_max: config.group_bytes_max as usize,
        views: view::ViewOptions {
            cache_bytes: config.cache_bytes,
            snapshot_events_min: config.snapshot_events_min,
        },
        upcasters: Arc::default(),
        clock: Clock::default(),
    }
}

fn open_store(root: &Path, options: EngineOptions, rules: Arc<RuleBook>) -> Arc<Records> {
    let directory = loop {
        match DataDirectory::open(root) {
            // A server that was here before has not let go of it yet.
            Err(DirectoryError::InUse(_)) => std::thread::yield_now(),
            opened => break opened.expect("a data directory"),
        }
    };
    Records::open(directory, &options, RecordsOptions { rules, ..RecordsOptions::default() })
        .expect("a store")
}

/// Somebody who may do everything.
pub fn caller() -> Arc<Caller> {
    let (subject, issuer) = ("dr-bench".to_owned(), "chartlog-local".to_owned());
    Arc::new(Caller {
        identity: Arc::new(Identity { subject, issuer, ..Identity::default() }),
        scopes: Scopes::parse("user/*.cruds user/AuditEvent.rs"),
        expires_at: i64::MAX,
        ..Caller::default()
    })
}

/// The grant of one request of that caller, as the gate makes it.
pub fn grant(caller: &Arc<Caller>) -> Arc<Grant> {
    let actor = Actor {
        address: Some("127.0.0.1".to_owned()),
        ..caller.identity.actor(uuid::Uuid::now_v7().to_string())
    };
    Arc::new(Grant::new(Arc::clone(caller), actor, Budget::default(), &Arc::default()))
}

/// Reads a resource from JSON and asks for it to be stored under a key.
pub fn put(key: &ResourceKey, json: &[u8]) -> Change {
    let document = Arc::new(Document::parse(json).expect("JSON"));
    let root = document.root().index();
    Change::new(Target::Key(key.clone()), Action::Put(document, root))
}

/// Reads a resource from JSON and asks for it to be created.
pub fn creation(kind: ResourceType, json: &[u8]) -> Arc<Write> {
    let document = Arc::new(Document::parse(json).expect("JSON"));
    let root = document.root().index();
    let change = Change::new(Target::New(kind, None), Action::Put(document, root));
    Arc::new(Write { changes: vec![change], size: json.len(), ..Write::default() })
}
