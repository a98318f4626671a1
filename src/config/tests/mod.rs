//! The configuration as its users meet it.

mod layers;
mod problems;
mod shown;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::*;

/// Everything that surrounds a load, in memory.
#[derive(Default)]
struct World {
    files: BTreeMap<PathBuf, String>,
    environment: BTreeMap<String, String>,
    overrides: Overrides,
}

impl World {
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    fn variable(mut self, name: &str, text: &str) -> Self {
        self.environment.insert(name.to_owned(), text.to_owned());
        self
    }

    fn flag(mut self, flag: &str, key: &str, text: &str) -> Self {
        let (flag, key, text) = (flag.to_owned(), key.to_owned(), text.to_owned());
        self.overrides.settings.push(Override { flag, key, text });
        self
    }

    fn named_file(mut self, path: &str) -> Self {
        self.overrides.file = Some(path.into());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let read_file = |path: &Path| {
            self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let names: Vec<String> = self.environment.keys().cloned().collect();
        load(&self.overrides, |name| self.environment.get(name).cloned(), &names, read_file)
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn with_file(text: &str) -> World {
    World::default().file(DEFAULT_FILE, text)
}
