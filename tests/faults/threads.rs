//! Threads that end before their time.

use chartlog::engine::EngineError;
use chartlog::records::RecordsError;

use crate::clinic::{block_on, grant, key, open, put};
use crate::server::observation;
use crate::serving::Serving;
use crate::simulated::{Fault, Plan, SimulatedDisk};
use crate::stores::sizes;

use std::sync::Arc;

use chartlog::records::{Records, Target, Write};

fn write(store: &Arc<Records>, id: &str) -> Result<(), RecordsError> {
    let change = put(&observation(id, "p", 1), Target::Key(key(&format!("Observation/{id}"))));
    let write = Write { changes: vec![change], ..Write::default() };
    block_on(store.write(&grant(), Arc::new(write))).map(drop)
}

#[test]
fn a_log_thread_that_panics_makes_the_store_read_only_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), 1);
    let store = open(root.path(), &sizes(&disk)).unwrap();
    write(&store, "before").unwrap();
    assert_eq!(store.engine().failure(), None);
    // A group is written with one change and synced with the next.
    disk.fail(Plan { at: 1, fault: Fault::Panic, lasting: false, looks: false });
    let lost = write(&store, "lost");
    assert!(matches!(lost, Err(RecordsError::Engine(EngineError::Unknown))), "{lost:?}");
    // The thread has dropped its commands first, and tells of its end then.
    while store.engine().failure().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(store.engine().failure(), Some("the thread events-order has ended"));
    let refused = write(&store, "later");
    assert!(matches!(refused, Err(RecordsError::Engine(EngineError::ReadOnly))), "{refused:?}");
    store.read(&grant(), &key("Observation/before")).unwrap();
    let serving = Serving::start(store);
    let ready = serving.client().get("/health/ready");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.body.contains("the thread events-order has ended"), "{ready:?}");
}
