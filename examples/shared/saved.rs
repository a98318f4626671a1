//! A view in a file, together with the position up to which it was folded. The file is put in place as a whole, so both are as of
//! the same moment however the program ends. A view in a database writes both in one transaction instead.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chartlog::feed::projection::{Batch, Projection};
use chartlog::numbers::Position;
use serde::{Deserialize, Serialize};

use super::Fold;

#[derive(Serialize, Deserialize)]
struct Content<V> {
    position: Position,
    view: V,
}

/// A view in a file. After an error it is to be opened again: what is in memory may be ahead of the file.
pub struct Saved<V> {
    path: PathBuf,
    position: Position,
    pub view: V,
}

impl<V: Fold> Saved<V> {
    /// The view in a file; an empty one if there is no file.
    pub fn open(path: impl AsRef<Path>) -> std::io::Result<Self> {
        let path = path.as_ref().to_owned();
        let content = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Content { position: Position::default(), view: V::default() }
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path, position: content.position, view: content.view })
    }

    /// Writes view and position beside the file, durably.
    pub fn write(&self) -> std::io::Result<PathBuf> {
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside)?;
        let content = Content { position: self.position, view: &self.view };
        file.write_all(&serde_json::to_vec(&content)?)?;
        file.sync_all()?;
        Ok(beside)
    }
}

impl<V: Fold> Projection for Saved<V> {
    type Error = std::io::Error;

    fn position(&self) -> std::io::Result<Position> {
        Ok(self.position)
    }

    fn apply(&mut self, batch: &Batch) -> std::io::Result<()> {
        batch.events.iter().for_each(|event| self.view.take(event));
        self.position = batch.next;
        std::fs::rename(self.write()?, &self.path)
    }
}
