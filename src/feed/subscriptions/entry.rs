//! One subscription: its state in memory, and its file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::owner::Owner;
use super::progress::Progress;
use super::sealed;
use super::secrets::{SealedSecret, Secrets};
use super::standing::Standing;
use super::wish::Definition;
use crate::disk::{self, Disk};
use crate::feed::fhir::Status;
use crate::feed::webhook::NoKey;
use crate::seal::CursorKey;

/// What definitions are sealed as.
const WHAT: &str = "definition";
/// What the names of the files end with.
const EXTENSION: &str = "json";

/// A subscription. Changed by its runner and by requests.
#[derive(Debug)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Wakes its runner.
    pub changed: Notify,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the file is written, so that no older state replaces a newer one.
    writing: Mutex<()>,
}

/// What is known about a subscription.
#[derive(Debug)]
pub struct State {
    /// Under whose rights it sees.
    pub owner: Owner,
    /// What it is.
    pub what: What,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// How far it is.
    pub progress: Progress,
    /// Counts up when what was read or is being sent is not what is wanted any more.
    pub run: u64,
    /// It ends.
    pub is_deleted: bool,
    /// Deliveries that failed since the start of the server.
    pub failures: u64,
    /// What failed last, unless something was delivered since.
    pub trouble: Option<Trouble>,
}

/// What a subscription is.
#[derive(Debug)]
pub enum What {
    /// Made and looked after in the native API.
    Webhook {
        /// What it is to do.
        definition: Sealed,
        /// What it signs with.
        secrets: Secrets,
    },
    /// A resource.
    Fhir(Standing),
}

/// A definition, and how it lies on disk: sealed, for it may name a patient, and its address may be a secret.
#[derive(Debug)]
pub struct Sealed {
    /// What it says.
    pub definition: Definition,
    sealed: String,
}

impl Sealed {
    /// Seals the definition of a subscription.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub fn new(key: &CursorKey, id: &str, definition: Definition) -> Result<Self, NoKey> {
        let text = serde_json::to_vec(&definition).map_err(|_| NoKey)?;
        Ok(Self { sealed: sealed::seal(key, WHAT, id, &text)?, definition })
    }

    fn open(key: &CursorKey, id: &str, sealed: String) -> Result<Self, NoKey> {
        let text = sealed::open(key, WHAT, id, &sealed)?;
        let definition = serde_json::from_slice(&text).map_err(|_| NoKey)?;
        Ok(Self { definition, sealed })
    }
}

/// What failed.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Since when, in microseconds since 1970.
    pub since: i64,
    /// What happened last.
    pub reason: String,
}

/// What is in its file.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<StoredWebhook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<String>,
    created_at: i64,
    /// Of a resource: whether its receiver has said that it is there.
    #[serde(default)]
    is_greeted: bool,
    /// Of a resource: whether it was off.
    #[serde(default)]
    is_off: bool,
    progress: Progress,
}

/// What is in the file of a webhook alone: of a Subscription, the log says it.
#[derive(Serialize, Deserialize)]
struct StoredWebhook {
    owner: Owner,
    definition: String,
    secrets: Vec<SealedSecret>,
}

/// What is in the file of a Subscription.
#[derive(Debug)]
pub struct KeptFile {
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// Whether its receiver has said that it is there.
    pub is_greeted: bool,
    /// Whether it was off.
    pub is_off: bool,
    /// How far it is.
    pub progress: Progress,
}

impl State {
    /// A new one.
    pub fn new(owner: Owner, what: What, created_at: i64, progress: Progress) -> Self {
        Self {
            owner,
            what,
            paused: None,
            created_at,
            progress,
            run: 0,
            is_deleted: false,
            failures: 0,
            trouble: None,
        }
    }

    /// How it stands, if it is a resource.
    pub fn standing(&mut self) -> Option<&mut Standing> {
        match &mut self.what {
            What::Fhir(standing) => Some(standing),
            What::Webhook { .. } => None,
        }
    }

    /// What it is to do, if it is a webhook.
    pub fn definition(&self) -> Option<&Definition> {
        match &self.what {
            What::Webhook { definition, .. } => Some(&definition.definition),
            What::Fhir(_) => None,
        }
    }

    /// What it signs with, if it is a webhook.
    pub fn secrets(&mut self) -> Option<&mut Secrets> {
        match &mut self.what {
            What::Webhook { secrets, .. } => Some(secrets),
            What::Fhir(_) => None,
        }
    }

    /// Notes a failure. True: it is the first.
    pub fn fails(&mut self, now: i64, reason: String) -> bool {
        self.failures += 1;
        let is_first = self.trouble.is_none();
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, reason });
        is_first
    }
}

impl Entry {
    /// One that has no file yet.
    pub fn new(disk: Arc<dyn Disk>, folder: &Path, id: String, state: State) -> Self {
        let path = folder.join(format!("{id}.{EXTENSION}"));
        let (state, writing) = (Mutex::new(state), Mutex::default());
        Self { id, changed: Notify::new(), disk, path, state, writing }
    }

    /// All webhooks that have a file in a folder.
    ///
    /// # Errors
    ///
    /// The operating system's; a file that does not read back.
    pub fn load_all(
        disk: &Arc<dyn Disk>,
        folder: &Path,
        key: &CursorKey,
    ) -> std::io::Result<Vec<Self>> {
        let load = |(path, Stored { id, webhook, paused, created_at, progress, .. }): (
            PathBuf,
            Stored,
        )| {
            let open = || {
                let StoredWebhook { owner, definition, secrets } = webhook.ok_or(NoKey)?;
                let secrets = Secrets::open(key, &id, secrets)?;
                let definition = Sealed::open(key, &id, definition)?;
                Ok((owner, What::Webhook { definition, secrets }))
            };
            let (owner, what) = open().map_err(|error: NoKey| damaged(&path, &error))?;
            let state = State { paused, ..State::new(owner, what, created_at, progress) };
            Ok(Self::new(Arc::clone(disk), folder, id, state))
        };
        files(&**disk, folder)?.into_iter().map(load).collect()
    }

    /// What is kept of each Subscription that has a file in a folder, by its id.
    ///
    /// # Errors
    ///
    /// As [`Entry::load_all`].
    pub fn load_kept(
        disk: &dyn Disk,
        folder: &Path,
    ) -> std::io::Result<BTreeMap<String, KeptFile>> {
        let kept = |(_, stored): (PathBuf, Stored)| {
            let Stored { id, created_at, is_greeted, is_off, progress, .. } = stored;
            (id, KeptFile { created_at, is_greeted, is_off, progress })
        };
        Ok(files(disk, folder)?.into_iter().map(kept).collect())
    }

    /// Looks at its state, or notes something in it that need not last at once.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.lock())
    }

    /// Changes its state, and returns when that is durable.
    ///
    /// # Errors
    ///
    /// That of the change, which must then have changed nothing; the disk's.
    pub fn change<T, E: From<std::io::Error>>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let changed = change(&mut self.lock())?;
        let saved = self.save();
        self.changed.notify_one();
        saved?;
        Ok(changed)
    }

    /// Writes its file, as it is now.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn save(&self) -> std::io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = {
            let state = self.lock();
            if state.is_deleted {
                return Ok(());
            }
            let (webhook, is_greeted, is_off) = match &state.what {
                What::Webhook { definition, secrets } => {
                    let (owner, definition) = (state.owner.clone(), definition.sealed.clone());
                    let secrets = secrets.sealed();
                    (Some(StoredWebhook { owner, definition, secrets }), false, false)
                }
                What::Fhir(standing) if standing.is_lost => return Ok(()),
                What::Fhir(standing) => (None, standing.is_greeted, standing.status == Status::Off),
            };
            let stored = Stored {
                id: self.id.clone(),
                webhook,
                // Of a resource, its status says that.
                paused: state.paused.clone().filter(|_| state.definition().is_some()),
                created_at: state.created_at,
                is_greeted,
                is_off,
                progress: state.progress.clone(),
            };
            drop(state);
            serde_json::to_vec(&stored)?
        };
        disk::replace(&*self.disk, &self.path, &text)
    }

    /// Removes its file: it ends.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn delete(&self) -> std::io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.disk.remove(&self.path)?;
        self.path.parent().map_or(Ok(()), |folder| self.disk.sync_directory(folder))?;
        self.lock().is_deleted = true;
        self.changed.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of a folder, each with what it says.
fn files(disk: &dyn Disk, folder: &Path) -> std::io::Result<Vec<(PathBuf, Stored)>> {
    let paths = disk.list(folder)?.into_iter().map(|name| folder.join(name));
    // What was being written when the process ended has another ending.
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == EXTENSION));
    let read = |path: PathBuf| {
        let text = disk::read(disk, &path)?;
        let stored = serde_json::from_slice(&text).map_err(|error| damaged(&path, &error))?;
        Ok((path, stored))
    };
    paths.map(read).collect()
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> std::io::Error {
    let told = format!(
        "{}: {why}; remove it, and the subscription is gone: its receiver has to be told",
        path.display()
    );
    std::io::Error::other(told)
}
