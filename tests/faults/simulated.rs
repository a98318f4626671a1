//! A disk in memory that can lose power, refuse, lie and be slow.
//!
//! Contents are durable when their file was synced, names when their directory was. A power cut
//! leaves any subset of what was not, in any order, and tears pages between sectors. Files that
//! are open go on to see what they wrote, as the system's cache would show it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use chartlog::disk::{Disk, DiskFile};

use crate::content::{AfterFailedSync, Content};
use crate::random::Random;

/// Longest wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk reports an error (EIO).
    Broken,
    /// The disk is full (ENOSPC).
    Full,
    /// Half of the bytes are written, then the disk is full.
    Short,
    /// The operation panics.
    Panic,
    /// The power is cut: nothing works any more, and what was not synced may be lost.
    PowerCut,
}

impl Fault {
    fn error(self) -> io::Error {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        match self {
            Self::Broken | Self::Panic | Self::PowerCut => io::Error::from_raw_os_error(EIO),
            Self::Full | Self::Short => io::Error::from_raw_os_error(ENOSPC),
        }
    }
}

/// Which operation fails.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Number of the change, from 0, or of the look.
    pub at: u64,
    pub fault: Fault,
    /// Whether everything after it fails too, until the disk is healed.
    pub lasting: bool,
    /// Whether a look is meant (reads, lengths, lists) and not a change.
    pub looks: bool,
}

/// A simulated disk; clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Directory,
    /// Number of its content.
    File(usize),
}

/// Names that change together: what stands there from then on.
type Renaming = Vec<(PathBuf, Option<Entry>)>;

#[derive(Debug)]
struct State {
    contents: Vec<Content>,
    /// Names as they are seen.
    names: BTreeMap<PathBuf, Entry>,
    /// Names that are on the platter for certain.
    durable_names: BTreeMap<PathBuf, Entry>,
    /// Changes of names since their directory was synced.
    renamings: Vec<(PathBuf, Renaming)>,
    random: Random,
    changes: u64,
    looks: u64,
    plan: Option<Plan>,
    failing: Option<Fault>,
    /// Syncs report success and do nothing.
    lies: bool,
    /// Syncs wait.
    held: bool,
    waiting: usize,
}

impl SimulatedDisk {
    /// An empty disk on which a directory and those above it exist.
    pub fn new(root: &Path, seed: u64) -> Self {
        let names = root.ancestors().map(|name| (name.to_owned(), Entry::Directory)).collect();
        Self::with(names, Vec::new(), seed)
    }

    fn with(names: BTreeMap<PathBuf, Entry>, contents: Vec<Content>, seed: u64) -> Self {
        let state = State {
            contents,
            durable_names: names.clone(),
            names,
            renamings: Vec::new(),
            random: Random::new(seed),
            changes: 0,
            looks: 0,
            plan: None,
            failing: None,
            lies: false,
            held: false,
            waiting: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub fn handle(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// The same files under another directory. Nothing may be open or unsynced.
    pub fn moved(self, from: &Path, to: &Path) -> Self {
        let mut state = self.state();
        let below = |name: &Path| Some(to.join(name.strip_prefix(from).ok()?));
        let names = state.names.iter().filter_map(|(name, entry)| Some((below(name)?, *entry)));
        let above = to.ancestors().map(|name| (name.to_owned(), Entry::Directory));
        let names = names.chain(above).collect();
        let contents = std::mem::take(&mut state.contents);
        Self::with(names, contents, state.random.next())
    }

    /// Lets an operation from now on fail.
    pub fn fail(&self, plan: Plan) {
        let mut state = self.state();
        let done = if plan.looks { state.looks } else { state.changes };
        state.plan = Some(Plan { at: done + plan.at, ..plan });
    }

    /// Everything works again.
    pub fn heal(&self) {
        let mut state = self.state();
        state.plan = None;
        state.failing = None;
    }

    /// From now on syncs say that they are done, and do nothing.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Changes and looks so far.
    pub fn operations(&self) -> (u64, u64) {
        let state = self.state();
        (state.changes, state.looks)
    }

    /// From now on syncs wait.
    pub fn hold_syncs(&self) {
        self.state().held = true;
    }

    /// Returns when so many syncs wait.
    pub fn await_held(&self, count: usize) {
        let state = self.state();
        let waited = self.0.changed.wait_timeout_while(state, PATIENCE, |now| now.waiting < count);
        assert!(!waited.unwrap().1.timed_out(), "no sync was asked for");
    }

    /// Lets all syncs go on.
    pub fn release_syncs(&self) {
        self.state().held = false;
        self.0.changed.notify_all();
    }

    /// The disk as it might be after a power cut now; the seed chooses.
    pub fn crash(&self, seed: u64) -> Self {
        let state = self.state();
        let mut random = Random::new(seed);
        let mut names = state.durable_names.clone();
        let fate = random.below(3);
        for (_, renaming) in &state.renamings {
            let arrives = match fate {
                0 => false,
                1 => true,
                _ => random.one_in(2),
            };
            if arrives {
                rename(&mut names, renaming);
            }
        }
        // What lies in a directory without a name has none either.
        let known = names.clone();
        names.retain(|name, _| name.ancestors().all(|above| known.contains_key(above)));
        let contents =
            state.contents.iter().map(|one| Content::after_crash(one.image(&mut random)));
        Self::with(names, contents.collect(), random.next())
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Entry>, renaming: &Renaming) {
    for (name, entry) in renaming {
        match entry {
            Some(entry) => names.insert(name.clone(), *entry),
            None => names.remove(name),
        };
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    /// Counts an operation; the fault that it meets.
    fn meet(&mut self, looks: bool) -> Option<Fault> {
        let counter = if looks { &mut self.looks } else { &mut self.changes };
        let number = *counter;
        *counter += 1;
        if let Some(plan) = self.plan.filter(|plan| plan.looks == looks && plan.at == number) {
            self.plan = None;
            if plan.lasting || plan.fault == Fault::PowerCut {
                self.failing = Some(plan.fault);
            }
            return Some(plan.fault);
        }
        match self.failing {
            // A full disk can be read, and a broken one may still answer from its cache.
            Some(fault) if !looks || fault == Fault::PowerCut => Some(fault),
            _ => None,
        }
    }

    fn look(&mut self) -> io::Result<()> {
        self.meet(true).map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// A change of names that fails wholly or not at all.
    fn change(&mut self) -> io::Result<()> {
        self.meet(false).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn rename(&mut self, renaming: Renaming) {
        rename(&mut self.names, &renaming);
        let above = renaming[0].0.parent().unwrap().to_owned();
        self.renamings.push((above, renaming));
    }

    fn content(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(number)) => Ok(*number),
            _ => Err(missing()),
        }
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.look()?;
        let content = state.content(path)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), content }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let fault = state.meet(false);
        // A power cut may come after the name was made.
        if let Some(fault) = fault.filter(|fault| *fault != Fault::PowerCut) {
            return Err(fault.error());
        }
        if state.names.get(path.parent().unwrap()) != Some(&Entry::Directory) {
            return Err(missing());
        }
        let content = match state.content(path) {
            Ok(content) => {
                state.contents[content].set_length(0);
                content
            }
            Err(_) => {
                let content = state.contents.len();
                state.contents.push(Content::default());
                state.rename(vec![(path.to_owned(), Some(Entry::File(content)))]);
                content
            }
        };
        match fault {
            Some(fault) => Err(fault.error()),
            None => Ok(Arc::new(SimulatedFile { disk: self.clone(), content })),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let entry = state.names.get(from).copied().ok_or_else(missing)?;
        state.rename(vec![(to.to_owned(), Some(entry)), (from.to_owned(), None)]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.content(path)?;
        state.rename(vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.look()?;
        if state.names.get(directory) != Some(&Entry::Directory) {
            return Err(missing());
        }
        let inside = state.names.keys().filter(|name| name.parent() == Some(directory));
        Ok(inside.map(|name| name.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let mut above: Vec<_> = directory.ancestors().collect();
        above.reverse();
        for name in above {
            if !state.names.contains_key(name) {
                state.rename(vec![(name.to_owned(), Some(Entry::Directory))]);
            }
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        if state.names.get(directory) != Some(&Entry::Directory) {
            return Err(missing());
        }
        if state.lies {
            return Ok(());
        }
        let (synced, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.renamings).into_iter().partition(|(at, _)| at == directory);
        state.renamings = rest;
        for (_, renaming) in &synced {
            rename(&mut state.durable_names, renaming);
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    content: usize,
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.look()?;
        Ok(state.contents[self.content].length() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.look()?;
        match state.contents[self.content].read(offset as usize, buffer) {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.meet(false);
        let written = match fault {
            // What the power cut leaves of it is decided later.
            None | Some(Fault::PowerCut) => bytes,
            Some(Fault::Short) => &bytes[..bytes.len() / 2],
            Some(Fault::Broken | Fault::Full | Fault::Panic) => &[],
        };
        state.contents[self.content].write(written, offset as usize);
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        state.contents[self.content].set_length(length as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.held {
            state.waiting += 1;
            self.disk.0.changed.notify_all();
            state = self.disk.0.changed.wait_while(state, |state| state.held).unwrap();
            state.waiting -= 1;
        }
        match state.meet(false) {
            None if state.lies => Ok(()),
            None => {
                state.contents[self.content].sync();
                Ok(())
            }
            Some(Fault::PowerCut) => Err(Fault::PowerCut.error()),
            Some(Fault::Panic) => {
                drop(state);
                panic!("as planned");
            }
            Some(fault) => {
                use AfterFailedSync::{Dirty, Dropped, Forgotten};
                let mut random = state.random.clone();
                let after = *random.pick(&[Dirty, Forgotten, Dropped]);
                state.contents[self.content].fail_sync(after, &mut random);
                state.random = random;
                Err(fault.error())
            }
        }
    }
}
