//! The disk, as the log, the proofs and the vault see it.
//!
//! Everything that a crash must not harm is written through [`Disk`], so that tests can put a
//! simulated one in its place, crash it anywhere and let any operation fail. What is derived (the
//! views) is not written through it.
//!
//! Files and directories are for their owner alone, whoever writes them: see [`only_for_owner`].

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bits of a mode that let others than the owner in.
const OTHERS: u32 = 0o077;
/// The mode of directories.
const DIRECTORY: u32 = 0o700;

/// A file system. What was not synced may be lost, in part and in any order, by a crash: contents
/// until [`DiskFile::sync_data`], names until [`Disk::sync_directory`].
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Opens a file that exists, for reading and writing.
    ///
    /// # Errors
    ///
    /// As all functions here: the operating system's.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that exists, for reading only: it may belong to others.
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    /// Creates a file, or empties the one that is there. Only its owner may read it.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Names of the files and directories in a directory, in no order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Creates a directory and those above it. Only its owner may enter it.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Whether there is a file or directory of that name.
    fn exists(&self, path: &Path) -> bool;
}

/// An open file.
pub trait DiskFile: Send + Sync + std::fmt::Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// As all functions here: the operating system's.
    fn length(&self) -> io::Result<u64>;

    /// Fills the buffer from an offset; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of it at an offset.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns when content and length are durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// Reads a whole file.
///
/// # Errors
///
/// The operating system's.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open_to_read(path)?;
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Writes a small file durably, so that it is there whole or not at all.
///
/// # Errors
///
/// The operating system's.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let file = disk.create(&unfinished)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    disk.rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))
}

/// Lets the whole process create files and directories for their owner alone, also where a library
/// creates them.
pub fn only_for_owner() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
}

/// Creates a directory and those above it on the machine's own file system. Only its owner may enter
/// those that were not there.
///
/// # Errors
///
/// The operating system's.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(directory)
}

/// What others than the owner could have read or written.
#[derive(Debug, Default)]
pub struct OpenToOthers {
    /// Files and directories that were, and are not any more.
    pub closed: Vec<PathBuf>,
    /// Those that still are, for they belong to somebody else.
    pub left: Vec<PathBuf>,
}

/// Closes a directory, and what has these names in it with everything below, to all but the owner.
/// Links are not followed, and other names left alone: they are not known to be this program's.
///
/// # Errors
///
/// The operating system's; files that go meanwhile, and directories that this process may not read,
/// are none.
pub fn close_to_others(root: &Path, names: &[&str]) -> io::Result<OpenToOthers> {
    let mut found = OpenToOthers::default();
    let mut paths: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
    paths.push(root.to_owned());
    while let Some(path) = paths.pop() {
        let mode = match std::fs::symlink_metadata(&path) {
            // But the directory itself may be named by a link.
            Ok(metadata) if metadata.is_symlink() && path != root => continue,
            Ok(_) => std::fs::metadata(&path)?.permissions().mode(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if mode & OTHERS != 0 {
            match std::fs::set_permissions(&path, Permissions::from_mode(mode & !OTHERS)) {
                Ok(()) => found.closed.push(path.clone()),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    found.left.push(path.clone());
                }
                Err(error) => return Err(error),
            }
        }
        if path != root && path.is_dir() {
            match std::fs::read_dir(&path) {
                Ok(entries) => {
                    for entry in entries {
                        paths.push(entry?.path());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl RealDisk {
    /// A handle to it.
    #[must_use]
    pub fn handle() -> Arc<dyn Disk> {
        Arc::new(Self)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).read(true).write(true).mode(0o600);
        Ok(Arc::new(options.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(directory)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        create_directory(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// The machine's own file system, read-only: whatever would change something fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOnlyDisk;

impl ReadOnlyDisk {
    /// A handle to it.
    #[must_use]
    pub fn handle() -> Arc<dyn Disk> {
        Arc::new(Self)
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "opened for reading only"))
}

impl Disk for ReadOnlyDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn create(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        refused()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(directory)
    }

    /// One that is there counts as created.
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        if directory.is_dir() { Ok(()) } else { refused() }
    }

    /// There is nothing to make durable.
    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}
