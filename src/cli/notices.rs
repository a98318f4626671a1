//! What is done with a data directory while its logs are closed: written down beside them, and told in
//! the access log by the next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Instant;

/// Where notices wait, a line each.
const WAITING: &str = "NOTICES";
/// Where they are while they are brought into the access log.
const TAKEN: &str = "NOTICES.taken";

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// As in an access entry, such as `restore`.
    pub operation: String,
    /// When, microseconds since 1970.
    pub at: i64,
    /// What else there is to say: names and values, as in a query.
    pub words: String,
}

impl Notice {
    /// Of what is done now.
    #[must_use]
    pub fn now(operation: &str, words: String) -> Self {
        Self { operation: operation.to_owned(), at: Instant::now().micros(), words }
    }

    /// Writes it down, durably.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn leave(&self, root: &Path) -> io::Result<()> {
        // Text and a number: this serialisation cannot fail.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        let mut file = File::options().create(true).append(true).open(root.join(WAITING))?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        File::open(root)?.sync_all()
    }

    /// All that wait in a data directory, in their order. They wait until they are [cleared](Self::clear).
    ///
    /// # Errors
    ///
    /// The disk's; something else stands there.
    pub fn waiting(root: &Path) -> io::Result<Vec<Self>> {
        let (waiting, taken) = (root.join(WAITING), root.join(TAKEN));
        // What comes meanwhile, beside a running server, begins another file.
        if !taken.exists() && waiting.exists() {
            fs::rename(&waiting, &taken)?;
        }
        let text = match fs::read_to_string(&taken) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Removes those that were read: they stand in the access log.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn clear(root: &Path) -> io::Result<()> {
        match fs::remove_file(root.join(TAKEN)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_wait_until_they_are_cleared() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let [one, two, three] =
            ["restore", "vaultImport", "vaultExport"].map(|name| Notice::now(name, String::new()));
        assert_eq!(Notice::waiting(root).unwrap(), []);
        one.leave(root).unwrap();
        two.leave(root).unwrap();
        assert_eq!(Notice::waiting(root).unwrap(), [one.clone(), two.clone()]);
        // One that comes before the others are cleared is not lost, and they are not either.
        three.leave(root).unwrap();
        assert_eq!(Notice::waiting(root).unwrap(), [one, two]);
        Notice::clear(root).unwrap();
        assert_eq!(Notice::waiting(root).unwrap(), [three]);
        Notice::clear(root).unwrap();
        Notice::clear(root).unwrap();
        assert_eq!(Notice::waiting(root).unwrap(), []);
    }
}
