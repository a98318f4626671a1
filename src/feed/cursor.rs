//! Where a follower goes on, on disk.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::chart::fingerprint;
use crate::disk::{self, Disk};

/// Why a cursor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The disk's.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It does not say a place.
    #[error(
        "{path} is not a cursor; remove it, and what is followed begins as for a new target",
        path = .0.display()
    )]
    Unreadable(PathBuf),
}

/// The file with the place up to which a target has everything: replaced as a whole, so that it says one place
/// whenever the machine goes down.
#[derive(Debug)]
pub struct CursorFile<P> {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    target: String,
    place: PhantomData<fn(P) -> P>,
}

/// What is in it. The name of the target is for people.
#[derive(Serialize, Deserialize)]
struct Content<P> {
    target: String,
    place: P,
}

impl<P: Serialize + DeserializeOwned> CursorFile<P> {
    /// The file of a target in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`CursorError::Disk`].
    pub fn new(disk: Arc<dyn Disk>, folder: &Path, target: &str) -> Result<Self, CursorError> {
        let failed = |source| CursorError::Disk { path: folder.to_owned(), source };
        if !disk.exists(folder) {
            disk.create_directory(folder).map_err(failed)?;
            folder.parent().map_or(Ok(()), |parent| disk.sync_directory(parent)).map_err(failed)?;
        }
        let path = folder.join(format!("{}.cursor", fingerprint(&[target.as_bytes()])));
        Ok(Self { disk, path, target: target.to_owned(), place: PhantomData })
    }

    /// The place; `None`: the target is new.
    ///
    /// # Errors
    ///
    /// [`CursorError`].
    pub fn load(&self) -> Result<Option<P>, CursorError> {
        if !self.disk.exists(&self.path) {
            return Ok(None);
        }
        let failed = |source| CursorError::Disk { path: self.path.clone(), source };
        let text = disk::read(&*self.disk, &self.path).map_err(failed)?;
        match serde_json::from_slice::<Content<P>>(&text) {
            Ok(content) => Ok(Some(content.place)),
            Err(_) => Err(CursorError::Unreadable(self.path.clone())),
        }
    }

    /// Makes a place durable.
    ///
    /// # Errors
    ///
    /// [`CursorError::Disk`].
    pub fn save(&self, place: &P) -> Result<(), CursorError> {
        let failed = |source| CursorError::Disk { path: self.path.clone(), source };
        let content = Content { target: self.target.clone(), place };
        let text = serde_json::to_vec(&content).map_err(|error| failed(error.into()))?;
        disk::replace(&*self.disk, &self.path, &text).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn each_target_has_a_place_of_its_own_and_what_is_no_place_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("feed");
        let open = |target| CursorFile::<u64>::new(RealDisk::handle(), &folder, target).unwrap();
        let (one, other) = (open("json+file:///a"), open("json+file:///b"));
        one.save(&7).unwrap();
        one.save(&8).unwrap();
        assert_eq!((one.load().unwrap(), other.load().unwrap()), (Some(8), None));
        let file = folder.read_dir().unwrap().next().unwrap().unwrap().path();
        std::fs::write(&file, "{\"target\":\"x\"").unwrap();
        let refused = open("json+file:///a").load().unwrap_err().to_string();
        assert!(refused.contains(file.to_str().unwrap()), "{refused}");
    }
}
