//! What can be read of a vault without the master key.

use std::collections::HashSet;
use std::path::Path;

use super::epoch::{numbers, parse_wraps, read_wraps_file, wraps_path};
use super::{VaultError, Wrap, damaged};
use crate::disk::Disk;
use crate::log::StreamAlias;

/// Which keys there are.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// The epochs whose keys exist, ascending.
    pub epochs: Vec<u32>,
    /// The streams whose data keys were wrapped again when the epoch began.
    wrapped: HashSet<StreamAlias>,
}

impl Catalogue {
    /// That of the vault in a folder; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// [`VaultError`]: a file is damaged; the disk's.
    pub fn read(disk: &dyn Disk, directory: &Path) -> Result<Self, VaultError> {
        if !disk.exists(directory) {
            return Ok(Self::default());
        }
        let epochs = numbers(disk, directory)?;
        for number in epochs.iter().rev() {
            if let Some(bytes) = read_wraps_file(disk, directory, *number)? {
                let wraps = parse_wraps(&bytes, *number).ok_or_else(|| {
                    let path = wraps_path(directory, *number);
                    damaged(&path, "the wrapped keys do not match their digest")
                })?;
                let wrapped = wraps.into_iter().map(|(alias, _)| alias).collect();
                return Ok(Self { epochs, wrapped });
            }
        }
        Ok(Self { epochs, wrapped: HashSet::new() })
    }

    /// Whether there is a key for the data key of a chart, whose wrap in the log this is.
    #[must_use]
    pub fn opens(&self, alias: StreamAlias, wrap: &Wrap) -> bool {
        self.epochs.contains(&wrap.epoch()) || self.wrapped.contains(&alias)
    }
}
