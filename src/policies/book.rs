//! The policies of a folder, read again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::rules::Rules;
use super::set::{Policies, Text};

/// How the files of policies end.
const ENDING: &str = "cedar";
/// Longest file of policies, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most files of policies.
const FILES_MAX: usize = 1_000;

/// The rules that are in force, and where they are read.
#[derive(Debug, Default)]
pub struct RuleBook {
    current: ArcSwap<Rules>,
    folder: Option<PathBuf>,
    settings: Option<Text>,
    read: Mutex<Read>,
}

/// What was read of the folder.
#[derive(Debug)]
struct Read {
    /// What is in force.
    in_force: Vec<Text>,
    /// What was found last.
    seen: Result<Vec<Text>, Vec<String>>,
}

impl Default for Read {
    fn default() -> Self {
        Self { in_force: Vec::new(), seen: Ok(Vec::new()) }
    }
}

impl RuleBook {
    /// The policies of a folder, if one is given, and the Consents of patients, if they count.
    ///
    /// # Errors
    ///
    /// All that is wrong with the policies.
    pub fn open(
        folder: Option<PathBuf>,
        consent: bool,
        base_url: Option<Arc<str>>,
    ) -> Result<Self, Vec<String>> {
        let texts = folder.as_deref().map(read).transpose()?.unwrap_or_default();
        let policies = folder.is_some().then(|| Policies::parse(&texts)).transpose()?;
        let policies = policies.map(Arc::new);
        let rules = Rules { policies, consent, base_url, ..Rules::default() };
        let read = Mutex::new(Read { in_force: texts.clone(), seen: Ok(texts) });
        let current = ArcSwap::from_pointee(rules);
        Ok(Self { current, folder, settings: None, read })
    }

    /// With what settings say besides, to be kept with the policies.
    #[must_use]
    pub fn beside(self, settings: Option<Text>) -> Self {
        Self { settings, ..self }
    }

    /// The rules that are in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Rules> {
        self.current.load_full()
    }

    /// What is in force: the files that the policies were read from, and what settings say besides.
    #[must_use]
    pub fn texts(&self) -> Vec<Text> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.in_force.iter().chain(&self.settings).cloned().collect()
    }

    /// Reads the folder again. What was in force stays in force if something is wrong with it.
    ///
    /// # Errors
    ///
    /// What is wrong with it; told once for each state of the folder.
    pub fn renew(&self) -> Result<bool, Vec<String>> {
        let Some(folder) = &self.folder else { return Ok(false) };
        let found = read(folder);
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if known.seen == found {
            return Ok(false);
        }
        known.seen.clone_from(&found);
        let found = found?;
        let policies = Arc::new(Policies::parse(&found)?);
        known.in_force = found;
        let now = self.current.load_full();
        self.current.store(Arc::new(Rules { policies: Some(policies), ..Rules::clone(&now) }));
        Ok(true)
    }
}

/// The policies of a folder, by the names of their files.
///
/// # Errors
///
/// All files that cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Text>, Vec<String>> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).map_err(|error| vec![format!("{shown}: {error}")])?;
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    if paths.len() > FILES_MAX {
        return Err(vec![format!("{shown}: there are more than {FILES_MAX} files of policies")]);
    }
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_long = fs::metadata(&path).is_ok_and(|found| found.len() > FILE_BYTES_MAX);
        if is_long {
            problems.push(format!("{file}: is longer than {FILE_BYTES_MAX} bytes"));
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(content) => texts.push(Text { file, content }),
            Err(error) => problems.push(format!("{file}: {error}")),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}
