//! The handle to the views: which generation is served, and how another takes its place.

use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::generation::{Basis, Generation};
use super::{AccessGroup, View, ViewError, ViewOptions};
use crate::chart::Upcasters;
use crate::disk::{self, RealDisk};
use crate::log::StreamAlias;
use crate::vault::Wrap;

/// The file that names the generation that is served.
const CURRENT: &str = "CURRENT";
/// How long a new generation's builder waits for the last reader of the old one.
const READERS_MAX: Duration = Duration::from_secs(30);

/// The views, open: clones share the generation that is served.
#[derive(Debug, Clone)]
pub struct Views {
    shared: Arc<Shared>,
    /// The state that this handle is pinned to, if any.
    moment: Option<View>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    options: ViewOptions,
    serving: ArcSwap<Generation>,
    /// Held shared while applying, exclusively while swapping.
    applying: RwLock<()>,
}

impl Views {
    /// Opens the generation that is served. If there is none, or it does not open, an empty one
    /// takes its place with those upcasters, which a replay of the logs fills. What unfinished builds left is removed.
    ///
    /// # Errors
    ///
    /// [`ViewError`]: the disk's.
    pub fn open(
        directory: &Path,
        options: ViewOptions,
        upcasters: &Arc<Upcasters>,
    ) -> Result<Self, ViewError> {
        let basis = Basis { definitions: Vec::new(), upcasters: Arc::clone(upcasters) };
        disk::create_directory(directory)?;
        let number = read_current(directory)?;
        if let Some(number) = number {
            remove_others(directory, number)?;
            match Generation::open(path(directory, number), number, options, &basis) {
                Ok(generation) => return Ok(Self::serve(directory, options, generation)),
                Err(error) => {
                    tracing::warn!(%error, "the views do not open; rebuilding them");
                }
            }
        }
        let next = number.map_or(1, |number| number + 1);
        let place = path(directory, next);
        remove(&place)?;
        let generation = Generation::open(place, next, options, &basis)?;
        write_current(directory, next)?;
        remove_others(directory, next)?;
        Ok(Self::serve(directory, options, generation))
    }

    fn serve(directory: &Path, options: ViewOptions, generation: Generation) -> Self {
        let serving = ArcSwap::from_pointee(generation);
        let directory = directory.to_owned();
        let shared = Shared { directory, options, serving, applying: RwLock::default() };
        Self { shared: Arc::new(shared), moment: None }
    }

    /// One consistent state of all views.
    #[must_use]
    pub fn view(&self) -> View {
        self.moment.clone().unwrap_or_else(|| self.serving().view())
    }

    /// A handle that is pinned to the current state.
    #[must_use]
    pub fn at_this_moment(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), moment: Some(self.view()) }
    }

    /// The generation that is served.
    #[must_use]
    pub fn serving(&self) -> Arc<Generation> {
        self.shared.serving.load_full()
    }

    /// Lets one group of events be applied to the generation that is served, which stays the served
    /// one meanwhile.
    ///
    /// # Errors
    ///
    /// Those of `apply`.
    pub fn apply<E>(&self, apply: impl FnOnce(&Arc<Generation>) -> Result<(), E>) -> Result<(), E> {
        let _applying = self.shared.applying.read().unwrap_or_else(PoisonError::into_inner);
        apply(&self.serving())
    }

    /// Indexes one group of access entries.
    ///
    /// # Errors
    ///
    /// As [`Generation::apply_access`].
    pub fn apply_access(&self, group: AccessGroup) -> Result<(), ViewError> {
        let _applying = self.shared.applying.read().unwrap_or_else(PoisonError::into_inner);
        self.serving().apply_access(&[group])
    }

    /// Writes down data keys that were wrapped again when an epoch began.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn rewrap(&self, wraps: &[(StreamAlias, Wrap)], epoch: u32) -> Result<(), ViewError> {
        let _applying = self.shared.applying.read().unwrap_or_else(PoisonError::into_inner);
        self.serving().rewrap(wraps, epoch)
    }

    /// Begins the next generation, empty, next to the one that is served, with what it follows from. Only one at a time.
    ///
    /// # Errors
    ///
    /// [`ViewError`]: the disk's.
    pub fn begin(&self, basis: &Basis) -> Result<Building, ViewError> {
        let number = self.serving().number + 1;
        let place = path(&self.shared.directory, number);
        remove(&place)?;
        let options = self.shared.options;
        let generation = Generation::open(place, number, options, basis)?;
        Ok(Building { views: self.clone(), generation: Arc::new(generation), is_served: false })
    }

    /// Writes what is buffered to disk: makes the next start replay less, nothing more.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn persist(&self) -> Result<(), ViewError> {
        self.serving().persist()
    }
}

/// A generation that is being built. Dropped before it is served, it leaves nothing behind.
#[derive(Debug)]
pub struct Building {
    views: Views,
    generation: Arc<Generation>,
    is_served: bool,
}

impl Building {
    /// The generation, to apply to.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Compacts it and syncs it to disk.
    ///
    /// # Errors
    ///
    /// [`ViewError::Store`].
    pub fn compact(&self) -> Result<(), ViewError> {
        self.generation.compact()?;
        self.generation.persist()
    }

    /// Blocks applying while `catch_up`, given the last state of the served generation, applies the
    /// little that the new one lacks; then serves the new one. Returns when the old one is removed from
    /// disk, or is left to a reader that takes very long.
    ///
    /// # Errors
    ///
    /// Those of `catch_up`, and the disk's; the old generation is served then, as before.
    pub fn serve<E: From<ViewError>>(
        mut self,
        catch_up: impl FnOnce(&Arc<Generation>, &View) -> Result<(), E>,
    ) -> Result<(), E> {
        let shared = Arc::clone(&self.views.shared);
        let served = self.views.serving().number;
        self.generation.persist()?;
        // Before the swap, to keep that short: a start from here on finds the new generation, and
        // applies to it what it lacks.
        write_current(&shared.directory, self.generation.number)?;
        let old = {
            let _alone = shared.applying.write().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = catch_up(&self.generation, &self.views.view()) {
                write_current(&shared.directory, served)?;
                return Err(error);
            }
            self.is_served = true;
            shared.serving.swap(Arc::clone(&self.generation))
        };
        let gone = old.make_obsolete();
        drop(old);
        if gone.recv_timeout(READERS_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("somebody still reads the old generation of the views");
        }
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.is_served {
            self.generation.make_obsolete();
        }
    }
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(number.to_string())
}

fn read_current(directory: &Path) -> Result<Option<u64>, ViewError> {
    match std::fs::read_to_string(directory.join(CURRENT)) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write_current(directory: &Path, number: u64) -> Result<(), ViewError> {
    Ok(disk::replace(&RealDisk, &directory.join(CURRENT), format!("{number}\n").as_bytes())?)
}

/// Removes all generations but one.
fn remove_others(directory: &Path, kept: u64) -> Result<(), ViewError> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if number.is_some_and(|number| number != kept) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(directory: &Path) -> Result<(), ViewError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
