//! The data directory: its layout, its lock, its format version, its development key.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::disk::Disk;

/// Version of the layout; a newer one is refused.
pub const FORMAT: &str = "3";
/// The format before: frames of the access log held one entry each. A store of that format is opened, and is of the
/// current one from then on.
const FORMAT_BEFORE: &str = "2";
const KEY_BYTES: usize = 32;
/// What stands in a data directory.
const NAMES: [&str; 12] = [
    "FORMAT",
    "LOCK",
    "ORIGIN",
    "NOTICES",
    "NOTICES.taken",
    "keys",
    "log",
    "proof",
    "certificates",
    "vault",
    "views",
    "feed",
];

/// A data directory that this process alone writes.
///
/// `FORMAT` version, `LOCK`, `ORIGIN`, `log/events`, `log/access`, `proof`, `vault`, `views`, `feed` (cursors of those
/// whom the server tells), `keys/local-issuer.key`.
#[derive(Debug)]
pub struct DataDirectory {
    root: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error("{path} is in use by another chartlog process", path = .0.display())]
    InUse(PathBuf),
    /// A later program wrote it.
    #[error("{path} has data format {found}; this program reads format {FORMAT}", path = .path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// What its `FORMAT` file says.
        found: String,
    },
    /// There is no store there.
    #[error("{path} holds no chartlog data; start the server there once, or check --data", path = .0.display())]
    Missing(PathBuf),
    /// The logs were signed under another name before.
    #[error(
        "the logs are signed as {found:?}, as {path} says, but proof.origin is {wanted:?}: a log \
         keeps its name",
        path = .path.display()
    )]
    Origin {
        /// The file with the name.
        path: PathBuf,
        /// The name in it.
        found: String,
        /// The name wanted.
        wanted: String,
    },
    /// The disk's.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl DataDirectory {
    /// Opens or creates a data directory and locks it until dropped. What others than its owner
    /// could read in it is closed to them, with a warning.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`], all variants but `Missing`.
    pub fn open(root: &Path) -> Result<Self, DirectoryError> {
        create_root(root).map_err(disk(root))?;
        let path = root.join("LOCK");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(disk(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(DirectoryError::InUse(root.to_owned()));
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(disk(&path)(source)),
        }
        check_format(root)?;
        close_to_others(root).map_err(disk(root))?;
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the cursors of those are whom the server tells what comes.
    #[must_use]
    pub fn feed(&self) -> PathBuf {
        self.root.join("feed")
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(name)
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    pub(super) fn vault(&self) -> PathBuf {
        self.root.join("vault")
    }

    pub(super) fn proof(&self) -> PathBuf {
        self.root.join("proof")
    }

    /// Writes the name that the logs are signed under; `None`: a new one, at random.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Disk`].
    pub fn write_origin(
        &self,
        on: &dyn Disk,
        origin: Option<&str>,
    ) -> Result<String, DirectoryError> {
        let path = self.root.join("ORIGIN");
        let origin = origin.map_or_else(random_origin, |origin| Ok(origin.to_owned()));
        let origin = origin.map_err(disk(&path))?;
        let text = format!("{origin}\n");
        crate::disk::replace(on, &path, text.as_bytes()).map_err(disk(&path))?;
        Ok(origin)
    }

    /// The name that the logs are signed under: the one wanted, or else a random one; decided at
    /// the first start, and kept.
    pub(super) fn origin(
        &self,
        on: &dyn Disk,
        wanted: Option<&str>,
    ) -> Result<String, DirectoryError> {
        let path = self.root.join("ORIGIN");
        if !on.exists(&path) {
            return self.write_origin(on, wanted);
        }
        let found = crate::disk::read(on, &path).map_err(disk(&path))?;
        let found = String::from_utf8_lossy(&found).trim_end().to_owned();
        match wanted {
            Some(wanted) if wanted != found => {
                let wanted = wanted.to_owned();
                Err(DirectoryError::Origin { path, found, wanted })
            }
            _ => Ok(found),
        }
    }

    pub(super) fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// The secret with which development tokens are signed; made on first use, readable by the
    /// owner alone.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Disk`].
    pub fn local_issuer_secret(&self) -> Result<[u8; KEY_BYTES], DirectoryError> {
        match read_secret(&self.root) {
            Err(DirectoryError::Missing(_)) => create_secret(&self.root),
            other => other,
        }
    }
}

/// Reads the development secret of a store that may be in use.
///
/// # Errors
///
/// [`DirectoryError::Missing`] when no server has been started there yet.
pub fn read_local_issuer_secret(root: &Path) -> Result<[u8; KEY_BYTES], DirectoryError> {
    read_secret(root)
}

/// The name that the logs of a data directory are signed under, if it has one. The store may be in
/// use.
///
/// # Errors
///
/// [`DirectoryError::Missing`], [`DirectoryError::Newer`], [`DirectoryError::Disk`].
pub fn read_origin(root: &Path) -> Result<Option<String>, DirectoryError> {
    if !root.join("FORMAT").is_file() || !root.join("log").is_dir() {
        return Err(DirectoryError::Missing(root.to_owned()));
    }
    check_format_of(root)?;
    let path = root.join("ORIGIN");
    match std::fs::read_to_string(&path) {
        Ok(found) => Ok(Some(found.trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(disk(&path)(source)),
    }
}

/// Creates the directory if it is not there; its name is then durable.
fn create_root(root: &Path) -> std::io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    crate::disk::create_directory(root)?;
    let above = root.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()
}

fn close_to_others(root: &Path) -> std::io::Result<()> {
    let found = crate::disk::close_to_others(root, &NAMES)?;
    if let Some(first) = found.closed.first() {
        let (count, first) = (found.closed.len(), first.display());
        tracing::warn!(count, %first, "files or directories were open to others than their owner; \
             they are not any more");
    }
    if let Some(first) = found.left.first() {
        let (count, first) = (found.left.len(), first.display());
        tracing::warn!(count, %first, "files or directories are open to others than this process's \
             user, and belong to somebody else: only their owner can close them");
    }
    Ok(())
}

/// Whether this program reads that format.
#[must_use]
pub fn is_readable(format: &str) -> bool {
    [FORMAT, FORMAT_BEFORE].contains(&format)
}

/// Checks that there is a store that this program can read, and leaves it alone.
pub fn check_format_of(root: &Path) -> Result<(), DirectoryError> {
    match std::fs::read_to_string(root.join("FORMAT")) {
        Ok(found) if is_readable(found.trim()) => Ok(()),
        Ok(found) => {
            Err(DirectoryError::Newer { path: root.to_owned(), found: found.trim().to_owned() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(DirectoryError::Missing(root.to_owned()))
        }
        Err(source) => Err(disk(&root.join("FORMAT"))(source)),
    }
}

/// Checks the same, and writes down that the store is of the current format from now on.
fn check_format(root: &Path) -> Result<(), DirectoryError> {
    let path = root.join("FORMAT");
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() == FORMAT => Ok(()),
        Ok(found) if found.trim() == FORMAT_BEFORE => {
            write_durably(&path, format!("{FORMAT}\n").as_bytes())
        }
        Ok(found) => {
            Err(DirectoryError::Newer { path: root.to_owned(), found: found.trim().to_owned() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_durably(&path, format!("{FORMAT}\n").as_bytes())
        }
        Err(source) => Err(disk(&path)(source)),
    }
}

fn random_origin() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| std::io::Error::other("no randomness from the system"))?;
    Ok(format!("chartlog.local/{:016x}", u64::from_be_bytes(bytes)))
}

fn secret_path(root: &Path) -> PathBuf {
    root.join("keys").join("local-issuer.key")
}

fn read_secret(root: &Path) -> Result<[u8; KEY_BYTES], DirectoryError> {
    let path = secret_path(root);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DirectoryError::Missing(root.to_owned()));
        }
        Err(source) => return Err(disk(&path)(source)),
    };
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap_or_default();
    bytes.try_into().map_err(|_| {
        disk(&path)(std::io::Error::new(std::io::ErrorKind::InvalidData, "not a 32-byte key"))
    })
}

fn create_secret(root: &Path) -> Result<[u8; KEY_BYTES], DirectoryError> {
    use base64::Engine as _;
    let path = secret_path(root);
    let mut secret = [0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut secret)
        .map_err(|_| disk(&path)(std::io::Error::other("no randomness from the system")))?;
    crate::disk::create_directory(&root.join("keys")).map_err(disk(&path))?;
    let text = base64::engine::general_purpose::STANDARD.encode(secret);
    write_durably(&path, format!("{text}\n").as_bytes())?;
    Ok(secret)
}

/// Writes a small file so that it is there whole or not at all.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), DirectoryError> {
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let write = || {
        let mut file = options.open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(disk(path))
}

fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> DirectoryError + use<> {
    let path = path.to_owned();
    move |source| DirectoryError::Disk { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_locked_against_a_second_opening_and_refuses_newer_formats() {
        let root = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(root.path()).unwrap();
        assert!(matches!(DataDirectory::open(root.path()), Err(DirectoryError::InUse(_))));
        drop(first);
        std::fs::write(root.path().join("FORMAT"), "4\n").unwrap();
        let error = DataDirectory::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("data format 4"), "{error}");
    }

    #[test]
    fn the_secret_is_made_once_and_only_the_owner_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let missing = read_local_issuer_secret(root.path());
        assert!(matches!(missing, Err(DirectoryError::Missing(_))));
        let directory = DataDirectory::open(root.path()).unwrap();
        let secret = directory.local_issuer_secret().unwrap();
        assert_eq!(directory.local_issuer_secret().unwrap(), secret);
        assert_eq!(read_local_issuer_secret(root.path()).unwrap(), secret);
        let mode = std::fs::metadata(secret_path(root.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
