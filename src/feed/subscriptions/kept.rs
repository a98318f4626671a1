//! The Subscriptions that are resources: each that the log holds is carried out, as its latest version says.
//!
//! The log is the truth about them: what they ask for, how they stand, and under whose rights, which is sealed in the
//! event that brought the version. It is followed as others follow it. What is kept beside it is a file for each, with its
//! place and the numbers of its events. So a Subscription and its right can only be there together; and one whose place is
//! not there says so, instead of beginning anew where nobody expects it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::context::Context;
use super::entry::{Entry, KeptFile, State, What};
use super::lookup::{self, Told};
use super::owner::Owner;
use super::progress::Progress;
use super::sending::aside;
use super::standing::Standing;
use super::thread::Thread;
use crate::auth::Grant;
use crate::clock::Instant;
use crate::disk::Disk;
use crate::feed::fhir::{Status, Surroundings, Topic, Wanted};
use crate::fhir::check::Problem;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::Document;
use crate::records::{BatchLimits, Keeper, LogEvent, LogFilter, Records, RecordsError};

/// What one look at the log takes.
const LIMITS: BatchLimits = BatchLimits { events: 500, bytes: 4 << 20 };
/// The log is not looked at more often.
const PACE: Duration = Duration::from_millis(10);
/// Wait after the log could not be read.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// The Subscriptions that are resources.
#[derive(Debug)]
pub struct Kept {
    pub(super) context: Arc<Context>,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    thread: Arc<Thread>,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
    topics: Mutex<Vec<Topic>>,
}

impl Kept {
    /// Reads which there are, and what was kept of them.
    ///
    /// # Errors
    ///
    /// The disk's; the store's; a file does not read back.
    pub fn open(
        records: &Arc<Records>,
        context: &Arc<Context>,
        thread: &Arc<Thread>,
        disk: &Arc<dyn Disk>,
        folder: &Path,
    ) -> std::io::Result<Arc<Self>> {
        disk.create_directory(folder)?;
        folder.parent().map_or(Ok(()), |feed| disk.sync_directory(feed))?;
        let head = *records.visible().borrow();
        context.known.send_replace(head);
        let kept = Arc::new(Self {
            context: Arc::clone(context),
            disk: Arc::clone(disk),
            folder: folder.to_owned(),
            thread: Arc::clone(thread),
            entries: Mutex::default(),
            topics: Mutex::default(),
        });
        let mut files = Entry::load_kept(&**disk, folder)?;
        let failed = |error: RecordsError| std::io::Error::other(error);
        *kept.topics() = lookup::topics(&context.server, records).map_err(failed)?;
        for told in lookup::subscriptions(&context.server, records).map_err(failed)? {
            let mut file = files.remove(&told.id);
            if let Some(file) = &mut file
                && file.progress.end_at(head)
            {
                // A backup was restored under it. What comes is new, though its positions were given before.
                tracing::warn!(
                    subscription = told.id,
                    "the log ends before its place: it was restored; it goes on at the end"
                );
            }
            kept.begin(records, told, file)?;
        }
        for id in files.into_keys() {
            // Its resource is gone: the process ended before this was.
            disk.remove(&folder.join(format!("{id}.json")))?;
        }
        let keeper: Arc<dyn Keeper> = kept.clone();
        records.kept_by(Arc::downgrade(&keeper));
        Ok(kept)
    }

    /// The topics that can be subscribed to, by their canonical URLs.
    #[must_use]
    pub fn topic_urls(&self) -> Vec<String> {
        let topics = self.topics();
        topics.iter().filter(|topic| topic.is_supported()).map(|topic| topic.url.clone()).collect()
    }

    /// All of them.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.all().values().cloned().collect()
    }

    /// One of them.
    pub(super) fn entry(&self, id: &str) -> Option<Arc<Entry>> {
        self.all().get(id).cloned()
    }

    /// Reads what the log says behind what is known.
    fn read_on(&self, records: &Records) -> Result<(), RecordsError> {
        let grant = self.context.server.grant(records.engine());
        let types = vec![ResourceType::SUBSCRIPTION, ResourceType::BASIC];
        let filter = LogFilter { types, with_bodies: true, ..LogFilter::default() };
        let sight = records.sight(&grant, filter)?;
        loop {
            let next = *self.context.known.borrow();
            if next >= *records.visible().borrow() {
                return Ok(());
            }
            let batch = records.follow(&grant, &sight, next, LIMITS)?;
            let keys = batch.events.iter();
            let keys = keys.map(|event| event.resource.as_ref()?.parse::<ResourceKey>().ok());
            let keys: Vec<Option<ResourceKey>> = keys.collect();
            let is_topic = |(key, event): (&Option<ResourceKey>, &LogEvent)| {
                // What is about a patient is no topic.
                key.as_ref().is_some_and(|key| key.kind == ResourceType::BASIC)
                    && event.chart.is_none()
            };
            // First, for a Subscription may come together with its topic.
            if keys.iter().zip(&batch.events).any(is_topic) {
                self.renew(records)?;
            }
            for (key, event) in keys.into_iter().zip(batch.events) {
                let key = key.filter(|key| key.kind == ResourceType::SUBSCRIPTION);
                key.map_or(Ok(()), |key| self.follow(records, &grant, &key, event))?;
            }
            self.context.known.send_replace(batch.next);
        }
    }

    fn follow(
        &self,
        records: &Records,
        grant: &Grant,
        key: &ResourceKey,
        event: LogEvent,
    ) -> Result<(), RecordsError> {
        let id = key.id.to_string();
        let Some(body) = &event.body else {
            let entry = self.all().remove(&id);
            self.context.sockets.forget(&id);
            return Ok(entry.map_or(Ok(()), |entry| entry.delete())?);
        };
        let resource = lookup::parse(body, grant)?;
        let (version, position) = (event.version, event.position);
        let told = Told { id, version, position, rights: event.rights, resource };
        match self.entry(&told.id) {
            Some(entry) => self.change(records, &entry, told, false)?,
            None => self.begin(records, told, None)?,
        }
        Ok(())
    }

    /// Takes up one that is not known yet, with what was kept of it.
    fn begin(&self, records: &Records, told: Told, file: Option<KeptFile>) -> std::io::Result<()> {
        let status = Status::of(told.resource.root()).unwrap_or(Status::Off);
        if file.is_none() && status == Status::Off {
            return Ok(());
        }
        let is_new = file.is_none();
        let is_lost = is_new && status != Status::Requested;
        let mut file = file.unwrap_or_else(|| KeptFile {
            created_at: Instant::now().micros(),
            is_greeted: false,
            is_off: false,
            progress: Progress::numbered_from(told.position.next()),
        });
        let is_requested = status == Status::Requested;
        if is_requested && file.is_off {
            // The process ended before it was taken up; until then, nothing was counted.
            file.progress.pass_to(told.position.next());
        }
        let (owner, wanted) = self.read(records, &told);
        let wanted = match is_lost {
            true => Err("its place in the log is not here: it was restored, or moved to this server; write it with \
                         status requested, and it begins anew"
                .to_owned()),
            false => wanted,
        };
        let has_error = told.resource.root().get("error").is_some();
        let mut standing = Standing::new(told.version, status, has_error, wanted);
        standing.is_greeted = file.is_greeted && !is_requested;
        standing.is_lost = is_lost;
        let state = State::new(owner, What::Fhir(standing), file.created_at, file.progress);
        let entry = Entry::new(Arc::clone(&self.disk), &self.folder, told.id.clone(), state);
        let entry = Arc::new(entry);
        if is_new {
            entry.save()?;
        }
        self.all().insert(told.id, Arc::clone(&entry));
        self.thread.run(entry);
        Ok(())
    }

    /// Takes over what a newer version says; or `anew` what the current one means.
    fn change(
        &self,
        records: &Records,
        entry: &Entry,
        told: Told,
        anew: bool,
    ) -> std::io::Result<()> {
        let (owner, wanted) = self.read(records, &told);
        let status = Status::of(told.resource.root()).unwrap_or(Status::Off);
        let has_error = told.resource.root().get("error").is_some();
        entry.change(|state| {
            let Some(standing) = state.standing() else { return Ok(()) };
            let is_newer = told.version > standing.version;
            let is_same = told.version == standing.version;
            if !(is_newer || anew && is_same) {
                return Ok(());
            }
            let is_requested = is_newer && status == Status::Requested;
            let was_idle = standing.status == Status::Off || standing.is_lost;
            if !standing.is_lost || is_requested {
                standing.wanted = wanted;
            }
            (standing.version, standing.status) = (told.version, status);
            standing.has_error = has_error;
            if is_requested {
                (standing.is_greeted, standing.is_lost) = (false, false);
                (standing.greetings_failed, standing.rests_until) = (0, None);
                standing.unheard_since = None;
            }
            if is_requested {
                state.trouble = None;
                state.progress.try_again();
                if was_idle {
                    // Until then, nothing was counted.
                    state.progress.pass_to(told.position.next());
                }
            }
            state.owner = owner;
            state.paused = None;
            state.run += 1;
            Ok::<_, std::io::Error>(())
        })
    }

    /// Reads the topics; if they have changed, what subscriptions mean is read anew.
    fn renew(&self, records: &Records) -> Result<(), RecordsError> {
        let topics = lookup::topics(&self.context.server, records)?;
        if std::mem::replace(&mut *self.topics(), topics.clone()) == topics {
            return Ok(());
        }
        let grant = self.context.server.grant(records.engine());
        for entry in self.entries() {
            let Ok(id) = entry.id.parse() else { continue };
            let key = ResourceKey::new(ResourceType::SUBSCRIPTION, id);
            let Ok(resource) = records.read(&grant, &key) else { continue };
            if let Some(told) = lookup::told_of(&self.context.server, records, &resource)? {
                self.change(records, &entry, told, true)?;
            }
        }
        Ok(())
    }

    /// Whose it is, and what it asks for.
    pub(super) fn read(
        &self,
        records: &Records,
        told: &Told,
    ) -> (Owner, Result<Arc<Wanted>, String>) {
        let owner = told.rights.as_ref().and_then(|rights| serde_json::from_str(rights).ok());
        let Some(owner) = owner else {
            let reason =
                "nothing says under whose rights it is carried out: write it with status requested";
            return (Owner::default(), Err(reason.to_owned()));
        };
        let topics = self.topics().clone();
        let wanted = self.wanted(records, &told.resource, &topics).map_err(|problems| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        });
        (owner, wanted.map(Arc::new))
    }

    pub(super) fn wanted(
        &self,
        records: &Records,
        resource: &Document,
        topics: &[Topic],
    ) -> Result<Wanted, Vec<Problem>> {
        let (config, parameters) = (&self.context.config, &records.parameters());
        let surroundings =
            Surroundings { config, parameters, base_url: records.base_url(), topics };
        Wanted::read(resource.root(), &surroundings)
    }

    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> MutexGuard<'_, Vec<Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the log, until the server stops.
pub async fn keep(kept: Arc<Kept>) {
    let visible = kept.context.records.upgrade().map(|records| records.visible());
    let Some(mut visible) = visible else { return };
    let mut stop = kept.context.stop.clone();
    loop {
        let next = *kept.context.known.borrow();
        tokio::select! {
            biased;
            _ = stop.wait_for(|is_stopping| *is_stopping) => return,
            moved = visible.wait_for(|head| *head > next) => if moved.is_err() { return },
        }
        let reading = Arc::clone(&kept);
        let read = aside(&kept.context, move |records| reading.read_on(records)).await;
        let wait = match read {
            Some(Ok(())) => PACE,
            Some(Err(error)) => {
                tracing::warn!(%error, "changes of Subscriptions cannot be read");
                STORE_WAIT
            }
            None => return,
        };
        sleep(wait).await;
    }
}
