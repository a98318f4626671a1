//! The layers in their order: defaults, file, environment, flags.

use std::io;
use std::path::{Path, PathBuf};

use super::environment::{FILE_VARIABLE, strangers};
use super::file::{self, Stranger, line_at};
use super::setting::{Refusal, Setting};
use super::settings::settings;
use super::{Config, ConfigError, Problem, Source, Sources, check};

/// The configuration file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "config/chartlog.toml";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The configuration file it names.
    pub file: Option<PathBuf>,
    /// The settings it gives; the last one with the same key counts.
    pub settings: Vec<Override>,
}

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The option that gave it, with its dashes.
    pub flag: String,
    /// The key of the setting.
    pub key: String,
    /// The value as written.
    pub text: String,
}

/// A configuration, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// Where each value came from.
    pub sources: Sources,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

/// Puts the layers on top of each other and checks the result.
///
/// `environment` gives the value of a variable, an empty one counts as unset, and `names` are those of all variables.
/// `read_file` gives the text of a file.
///
/// # Errors
///
/// All problems at once: a named file that cannot be read, keys that do not exist, values that make
/// no sense, settings that contradict each other.
pub fn load(
    overrides: &Overrides,
    environment: impl Fn(&str) -> Option<String>,
    names: &[String],
    read_file: impl Fn(&Path) -> io::Result<String>,
) -> Result<Loaded, ConfigError> {
    let environment = |name: &str| environment(name).filter(|text| !text.is_empty());
    let mut loading = Loading::default();
    let file = loading.file(overrides.file.as_deref(), environment, read_file);
    loading.environment(environment);
    loading.flags(&overrides.settings);
    let Loading { config, sources, mut problems } = loading;
    let set = names.iter().filter(|name| environment(name).is_some());
    problems.extend(strangers(set, config.vault.master_key.as_deref()));
    // A setting that is wrong by itself is not also blamed for what its default contradicts.
    let settled = |problem: &Problem| !problems.iter().any(|known| shares_key(known, problem));
    let contradictions: Vec<_> =
        check::check(&config, &sources).into_iter().filter(settled).collect();
    problems.extend(contradictions);
    if problems.is_empty() {
        Ok(Loaded { config, sources, file })
    } else {
        Err(ConfigError { problems })
    }
}

fn shares_key(one: &Problem, other: &Problem) -> bool {
    one.keys.iter().any(|key| other.keys.contains(key))
}

#[derive(Default)]
struct Loading {
    config: Config,
    sources: Sources,
    problems: Vec<Problem>,
}

impl Loading {
    fn file(
        &mut self,
        named: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&Path) -> io::Result<String>,
    ) -> Option<PathBuf> {
        let (path, named_by) = match (named, environment(FILE_VARIABLE)) {
            (Some(path), _) => (path.to_owned(), Some(Source::Flag("--config".to_owned()))),
            (None, Some(path)) => {
                (path.into(), Some(Source::Environment(FILE_VARIABLE.to_owned())))
            }
            (None, None) => (DEFAULT_FILE.into(), None),
        };
        match read_file(&path) {
            Ok(text) => self.file_text(&path, &text),
            Err(error) if named_by.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return None;
            }
            Err(error) => {
                let message =
                    format!("cannot read the configuration file {}: {error}", path.display());
                let source = named_by.unwrap_or(Source::File { path: path.clone(), line: None });
                self.problems.push(Problem { source, keys: Vec::new(), message });
            }
        }
        Some(path)
    }

    fn file_text(&mut self, path: &Path, text: &str) {
        let at = |line| Source::File { path: path.to_owned(), line: Some(line) };
        let contents = file::read(text);
        for Stranger { line, key, message } in contents.strange {
            let keys = key.into_iter().collect();
            self.problems.push(Problem { source: at(line), keys, message });
        }
        for (setting, given, line) in contents.given {
            let outcome = setting.set(&mut self.config, given);
            let exact = outcome.as_ref().err().and_then(|refusal| refusal.offset);
            let line = exact.map_or(line, |offset| line_at(text, offset));
            self.outcome(setting, at(line), outcome);
        }
    }

    fn environment(&mut self, environment: impl Fn(&str) -> Option<String>) {
        for setting in settings() {
            let variable = setting.variable();
            if let Some(text) = environment(&variable) {
                let outcome = setting.set_text(&mut self.config, &text);
                self.outcome(setting, Source::Environment(variable), outcome);
            }
        }
    }

    fn flags(&mut self, given: &[Override]) {
        for Override { flag, key, text } in given {
            let source = Source::Flag(flag.clone());
            if let Some(setting) = settings().find(|setting| setting.key == key) {
                let outcome = setting.set_text(&mut self.config, text);
                self.outcome(setting, source, outcome);
            } else {
                let message = format!("unknown key {key}; `chartlog config` lists them all");
                self.problems.push(Problem { source, keys: vec![key.clone()], message });
            }
        }
    }

    fn outcome(&mut self, setting: &Setting, source: Source, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => self.sources.note(setting.key, source),
            Err(Refusal { message, .. }) => {
                self.problems.push(Problem { source, keys: vec![setting.key.to_owned()], message });
            }
        }
    }
}
