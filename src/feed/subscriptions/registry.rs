//! All subscriptions of a server: made, changed, and run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Context;
use super::entry::{Entry, Sealed, State, What};
use super::kept::{Kept, keep};
use super::owner::Owner;
use super::progress::Progress;
use super::secrets::Secrets;
use super::snapshot::{Figures, ParkedEvent, Snapshot};
use super::thread::Thread;
use super::wish::{Definition, From, Wish};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::config::FeedConfig;
use crate::disk::{Disk, RealDisk};
use crate::feed::webhook::NoKey;
use crate::fhir::check::{IssueCode, Problem};
use crate::numbers::Position;
use crate::records::{Records, RecordsError};

/// What a scope calls subscriptions to the feed.
pub const SUBSCRIPTION: &str = "Feed";
/// Longest reason for a pause, in characters.
const REASON_LENGTH_MAX: usize = 500;
/// Longest overlap of secrets.
const OVERLAP_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// All subscriptions of a server.
#[derive(Debug)]
pub struct Subscriptions {
    context: Arc<Context>,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
    thread: Arc<Thread>,
    /// Those that are resources.
    kept: Arc<Kept>,
}

impl Subscriptions {
    /// Reads those that have a file. `public_url`: where the API is reached. Nothing is sent before
    /// [`Subscriptions::start`].
    ///
    /// # Errors
    ///
    /// The disk's; a file does not read back.
    pub fn open(
        records: &Arc<Records>,
        config: &FeedConfig,
        public_url: &str,
    ) -> std::io::Result<Arc<Self>> {
        let disk = RealDisk::handle();
        let feed = records.engine().directory().feed();
        let folder = feed.join("subscriptions");
        disk.create_directory(&folder)?;
        feed.parent().map_or(Ok(()), |root| disk.sync_directory(root))?;
        disk.sync_directory(&feed)?;
        let (thread, stopping) = Thread::new();
        let context = Arc::new(Context::new(records, config, public_url, stopping));
        let mut entries = BTreeMap::new();
        for entry in Entry::load_all(&disk, &folder, records.engine().cursors())? {
            if entry.with(|state| state.progress.end_at(head(records))) {
                // A backup was restored under it. What comes is new, though its positions were given before.
                tracing::warn!(
                    subscription = entry.id,
                    "the log ends before its place: it was restored; it goes on at the end"
                );
            }
            let entry = Arc::new(entry);
            thread.run(Arc::clone(&entry));
            entries.insert(entry.id.clone(), entry);
        }
        let entries = Mutex::new(entries);
        let thread = Arc::new(thread);
        let kept = Kept::open(records, &context, &thread, &disk, &feed.join("fhir"))?;
        Ok(Arc::new(Self { context, disk, folder, entries, thread, kept }))
    }

    /// Begins to send, where each was.
    ///
    /// # Errors
    ///
    /// There are no threads left.
    pub fn start(&self) -> std::io::Result<()> {
        self.thread.start(Arc::clone(&self.context), keep(Arc::clone(&self.kept)))
    }

    /// Those that are resources.
    #[must_use]
    pub fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// Ends all: what is on the way gets a few seconds. What was not delivered is at the next start.
    pub fn stop(&self) {
        self.thread.stop();
    }

    /// Where targets may lie, and how much there may be.
    #[must_use]
    pub fn config(&self) -> &FeedConfig {
        &self.context.config
    }

    /// Makes one. Its owner is who asks. The answer has its secret.
    ///
    /// # Errors
    ///
    /// Not allowed; as many as there may be are there; what is wrong with the wish; the store's.
    pub fn create(
        &self,
        records: &Records,
        grant: &Grant,
        wish: Wish,
    ) -> Result<Snapshot, RecordsError> {
        grant.may(SUBSCRIPTION, Permission::Create)?;
        let Wish { definition, from } = wish;
        check_sight(records, grant, &definition)?;
        let from = place(records, from.unwrap_or(From::Head))?;
        let id = uuid::Uuid::now_v7().to_string();
        let key = records.engine().cursors();
        let secrets = Secrets::first(key, &id).map_err(failed)?;
        let definition = Sealed::new(key, &id, definition).map_err(failed)?;
        let owner = Owner::of(grant.caller());
        let now = Instant::now().micros();
        let what = What::Webhook { definition, secrets };
        let state = State::new(owner, what, now, Progress::from(from));
        let entry = Arc::new(Entry::new(Arc::clone(&self.disk), &self.folder, id.clone(), state));
        {
            let mut entries = self.entries();
            let most = self.context.config.subscriptions_max;
            if entries.len() >= most {
                let reason = format!(
                    "there are {most} subscriptions, as many as feed.subscriptions_max allows"
                );
                return Err(conflict(reason));
            }
            entry.save()?;
            entries.insert(id, Arc::clone(&entry));
        }
        let snapshot = self.told_with_secret(records, &entry);
        self.thread.run(entry);
        Ok(snapshot)
    }

    /// All of them, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// Not allowed.
    pub fn list(&self, records: &Records, grant: &Grant) -> Result<Vec<Snapshot>, RecordsError> {
        grant.may(SUBSCRIPTION, Permission::Read)?;
        let head = head(records);
        Ok(self.entries().values().map(|entry| Snapshot::of(entry, head)).collect())
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none.
    pub fn read(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.entry(grant, id, Permission::Read)?;
        Ok(Snapshot::of(&entry, head(records)))
    }

    /// Defines one anew; it goes on where it is, unless the wish says from where. It sees by the scopes of the token that
    /// asks now.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; it is another's; what is wrong with the wish; the store's.
    pub fn replace(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
        wish: Wish,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.owned(grant, id)?;
        let Wish { definition, from } = wish;
        check_sight(records, grant, &definition)?;
        let from = from.map(|from| place(records, from)).transpose()?;
        let owner = Owner::of(grant.caller());
        let definition = Sealed::new(records.engine().cursors(), id, definition).map_err(failed)?;
        entry.change(|state| {
            state.owner = owner;
            if let What::Webhook { definition: old, .. } = &mut state.what {
                *old = definition;
            }
            state.run += 1;
            // What was found by the old filter is looked for by the new one.
            let from = from.unwrap_or_else(|| state.progress.arrived());
            state.progress.replay(from);
            Ok::<_, RecordsError>(())
        })?;
        Ok(Snapshot::of(&entry, head(records)))
    }

    /// Ends one.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; the disk's.
    pub fn delete(&self, grant: &Grant, id: &str) -> Result<(), RecordsError> {
        let entry = self.entry(grant, id, Permission::Delete)?;
        let mut entries = self.entries();
        entry.delete()?;
        entries.remove(id);
        Ok(())
    }

    /// Pauses one: nothing more is begun.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; the reason is too long; the disk's.
    pub fn pause(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
        reason: Option<String>,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.entry(grant, id, Permission::Update)?;
        let reason =
            reason.unwrap_or_else(|| format!("paused by {}", grant.caller().identity.subject));
        if reason.chars().count() > REASON_LENGTH_MAX {
            let most = format!("longer than {REASON_LENGTH_MAX} characters");
            return Err(wrong(IssueCode::TooLong, "reason", most));
        }
        entry.change(|state| {
            state.paused = Some(reason);
            Ok::<_, RecordsError>(())
        })?;
        Ok(Snapshot::of(&entry, head(records)))
    }

    /// Lets one go on. What failed is tried at once.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; the disk's.
    pub fn resume(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.entry(grant, id, Permission::Update)?;
        entry.change(|state| {
            state.paused = None;
            state.progress.try_again();
            Ok::<_, RecordsError>(())
        })?;
        Ok(Snapshot::of(&entry, head(records)))
    }

    /// Lets one begin anew at a place of the log: what lies before it counts as delivered.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; it is another's; no such place; the disk's.
    pub fn replay(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
        from: From,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.owned(grant, id)?;
        let from = place(records, from)?;
        entry.change(|state| {
            state.run += 1;
            state.progress.replay(from);
            Ok::<_, RecordsError>(())
        })?;
        Ok(Snapshot::of(&entry, head(records)))
    }

    /// Gives one a new secret, which the answer has. Those before sign along for so many seconds.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; it is another's; too many secrets overlap; the disk's.
    pub fn rotate(
        &self,
        records: &Records,
        grant: &Grant,
        id: &str,
        overlap_seconds: u64,
    ) -> Result<Snapshot, RecordsError> {
        let entry = self.owned(grant, id)?;
        if overlap_seconds > OVERLAP_SECONDS_MAX {
            let right = format!("must be a whole number from 0 to {OVERLAP_SECONDS_MAX}");
            return Err(wrong(IssueCode::Value, "overlapSeconds", right));
        }
        let (key, now) = (records.engine().cursors(), Instant::now().seconds());
        entry.change(|state| {
            let secrets = state.secrets().ok_or_else(|| failed(NoKey))?;
            let rotated = secrets.rotate(key, id, overlap_seconds, now).map_err(failed)?;
            rotated.ok_or_else(|| {
                conflict("too many secrets overlap: wait until one of them has ended".to_owned())
            })
        })?;
        Ok(self.told_with_secret(records, &entry))
    }

    /// What one has parked.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none.
    pub fn parked(&self, grant: &Grant, id: &str) -> Result<Vec<ParkedEvent>, RecordsError> {
        Ok(ParkedEvent::of(&*self.entry(grant, id, Permission::Read)?))
    }

    /// Sends a parked event again.
    ///
    /// # Errors
    ///
    /// Not allowed; there is none; it is another's; the disk's.
    pub fn replay_parked(
        &self,
        grant: &Grant,
        id: &str,
        position: Position,
    ) -> Result<(), RecordsError> {
        let entry = self.owned(grant, id)?;
        entry.change(|state| {
            state.progress.unpark(position).then_some(()).ok_or_else(|| no_parked(position))
        })
    }

    /// Drops a parked event.
    ///
    /// # Errors
    ///
    /// As [`Subscriptions::replay_parked`].
    pub fn drop_parked(
        &self,
        grant: &Grant,
        id: &str,
        position: Position,
    ) -> Result<(), RecordsError> {
        let entry = self.owned(grant, id)?;
        entry.change(|state| {
            state.progress.drop_parked(position).then_some(()).ok_or_else(|| no_parked(position))
        })
    }

    /// Sets the figures of all.
    pub fn measure(&self, head: Position) {
        let webhooks: Vec<Arc<Entry>> = self.entries().values().cloned().collect();
        let all = webhooks.into_iter().chain(self.kept.entries());
        all.for_each(|entry| Figures::of(&entry, head).set(&entry.id));
    }

    fn told_with_secret(&self, records: &Records, entry: &Entry) -> Snapshot {
        let secret =
            entry.with(|state| state.secrets().map(|secrets| secrets.text()).unwrap_or_default());
        Snapshot { secret: Some(secret), ..Snapshot::of(entry, head(records)) }
    }

    fn entry(
        &self,
        grant: &Grant,
        id: &str,
        permission: Permission,
    ) -> Result<Arc<Entry>, RecordsError> {
        grant.may(SUBSCRIPTION, permission)?;
        let entry = self.entries().get(id).cloned();
        entry.ok_or_else(|| RecordsError::NotFound(format!("the subscription {id}")))
    }

    /// One that the caller owns: by it, others would get what its owner may see.
    fn owned(&self, grant: &Grant, id: &str) -> Result<Arc<Entry>, RecordsError> {
        let entry = self.entry(grant, id, Permission::Update)?;
        if entry.with(|state| state.owner.is(grant.caller())) {
            return Ok(entry);
        }
        Err(grant.denied(Permission::Update, "a subscription of somebody else").into())
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses what its owner could not see anything of.
fn check_sight(
    records: &Records,
    grant: &Grant,
    definition: &Definition,
) -> Result<(), RecordsError> {
    let filter = definition.log_filter(&records.parameters(), records.base_url());
    records.sight(grant, filter.map_err(RecordsError::Invalid)?).map(drop)
}

/// A place in the log that there is.
fn place(records: &Records, from: From) -> Result<Position, RecordsError> {
    let head = head(records);
    match from {
        From::Head => Ok(head),
        From::Position(position) if position <= head => Ok(position),
        From::Position(_) => {
            Err(wrong(IssueCode::Value, "from", format!("the log has {head} events so far")))
        }
    }
}

fn head(records: &Records) -> Position {
    *records.visible().borrow()
}

fn wrong(code: IssueCode, place: &str, diagnostics: String) -> RecordsError {
    RecordsError::Invalid(vec![Problem { code, expression: place.to_owned(), diagnostics }])
}

fn conflict(reason: String) -> RecordsError {
    RecordsError::Conflict { place: String::new(), reason }
}

fn failed(error: NoKey) -> RecordsError {
    std::io::Error::other(error).into()
}

fn no_parked(position: Position) -> RecordsError {
    RecordsError::NotFound(format!("the parked event {position}"))
}
