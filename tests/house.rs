//! The rules of the house that no lint can check.
//!
//! Each list of exceptions may only shrink: an exception that is no longer needed fails the test
//! too, so that nobody can lean on it again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is in `src/`, in the order in which data passes through it. Each may use only what stands
/// below it.
const ORDER: [&str; 24] = [
    "main",
    "cli",
    "http",
    "demo",
    "feed",
    "backup",
    "inspect",
    "audit",
    "records",
    "issuing",
    "issuers",
    "auth",
    "policies",
    "engine",
    "view",
    "access",
    "chart",
    "fhir",
    "vault",
    "seal",
    "proof",
    "log",
    "json",
    "telemetry",
];

/// Beside the order: used by everybody, and using nobody.
const GROUND: [&str; 5] = ["budget", "clock", "config", "disk", "numbers"];

/// Uses nothing of the project, wherever it stands in the order.
const INDEPENDENT: [&str; 4] = ["demo", "json", "log", "proof"];

/// Arrows that point up the order all the same.
const ARROWS_EXCEPTED: [(&str, &str); 0] = [];

/// Folders whose files use each other in a circle all the same.
const CIRCLES_EXCEPTED: [&str; 0] = [];

/// Longest source file, in lines. Past this it holds two subjects.
const LINES_MAX: usize = 500;

/// Files that are longer all the same.
const LINES_EXCEPTED: [&str; 0] = [];

/// Names that only some places may write, because they stand for knowledge that others must not
/// have.
const SECRETS: [(&[&str], &[&str]); 4] = [
    // Keys, keyspaces and batches.
    (&["fjall::"], &["src/view/"]),
    // Segments. The directory has the lock and the key files, the command line what users name.
    (
        &["OpenOptions", "fs::File", "File::open", "File::create"],
        &["src/disk.rs", "src/engine/directory.rs", "src/cli/"],
    ),
    // What opens clinical data without a grant.
    (
        &[
            "engine().keys(",
            "engine.keys(",
            "engine().views(",
            "engine.views(",
            "engine().events(",
            "engine.events(",
            "access_reader(",
        ],
        &["src/engine/", "src/records/", "src/audit/", "src/backup/log_copy.rs"],
    ),
    // HTTP. The command line starts the server.
    (
        &["actix_web::", "actix_http::", "actix_rt::"],
        &["src/http/", "src/cli/serve.rs", "src/cli/private.rs"],
    ),
];

#[test]
fn arrows_between_folders_point_down() {
    let mut arrows = BTreeSet::new();
    for source in sources("src") {
        let from = source.module().to_owned();
        for to in source.uses() {
            if to != from && from != "lib" {
                arrows.insert((from.clone(), to));
            }
        }
    }
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    for (from, to) in &arrows {
        let excepted = ARROWS_EXCEPTED.contains(&(from.as_str(), to.as_str()));
        let allowed = if GROUND.contains(&to.as_str()) {
            true
        } else if GROUND.contains(&from.as_str()) || INDEPENDENT.contains(&from.as_str()) {
            false
        } else {
            let known = |name| place(name).unwrap_or_else(|| panic!("ORDER lacks src/{name}"));
            known(from) < known(to)
        };
        if !allowed && !excepted {
            wrong.push(format!("src/{from} uses src/{to}"));
        }
        if allowed && excepted {
            wrong.push(format!("{from} → {to} needs no exception: remove it from ARROWS_EXCEPTED"));
        }
    }
    for (from, to) in ARROWS_EXCEPTED {
        if !arrows.contains(&(from.to_owned(), to.to_owned())) {
            wrong.push(format!("{from} → {to} is gone: remove it from ARROWS_EXCEPTED"));
        }
    }
    none(&wrong);
}

#[test]
fn arrows_between_the_files_of_a_folder_make_no_circle() {
    let all = sources("src");
    let exports: BTreeMap<String, String> = all.iter().flat_map(Source::exports).collect();
    let modules: BTreeSet<String> = all.iter().map(|source| source.names().join("::")).collect();
    let mut folders: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for source in &all {
        let own = source.names();
        for path in source.paths() {
            // The file and what it uses have these folders in common; ORDER is about `src/` itself.
            for depth in (1..own.len()).take_while(|depth| path.starts_with(&own[..*depth])) {
                let Some(used) = path.get(depth) else { break };
                let (folder, item) = (own[..depth].join("/"), path[..=depth].join("::"));
                let used = if modules.contains(&item) { Some(used) } else { exports.get(&item) };
                if let Some(used) = used.filter(|used| **used != own[depth]) {
                    folders.entry(folder).or_default().insert((own[depth].clone(), used.clone()));
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for (folder, arrows) in &mut folders {
        // What uses nothing, or is used by nothing, is in no circle.
        while let Some(end) = arrows.iter().find(|(from, to)| {
            !arrows.iter().any(|(other, _)| other == to)
                || !arrows.iter().any(|(_, other)| other == from)
        }) {
            let end = end.clone();
            arrows.remove(&end);
        }
        let excepted = CIRCLES_EXCEPTED.contains(&folder.as_str());
        if !excepted {
            let arrow = |(from, to): &(String, String)| format!("src/{folder}: {from} uses {to}");
            wrong.extend(arrows.iter().map(arrow));
        }
        if excepted && arrows.is_empty() {
            wrong.push(format!("src/{folder} has no circle: remove it from CIRCLES_EXCEPTED"));
        }
    }
    for folder in CIRCLES_EXCEPTED.iter().filter(|folder| !folders.contains_key(**folder)) {
        wrong.push(format!("src/{folder} has no arrows: remove it from CIRCLES_EXCEPTED"));
    }
    none(&wrong);
}

#[test]
fn every_folder_has_its_place_in_the_order() {
    let present: BTreeSet<String> =
        sources("src").iter().map(|source| source.module().to_owned()).collect();
    let mut known: BTreeSet<String> = ORDER.into_iter().chain(GROUND).map(str::to_owned).collect();
    known.insert("lib".to_owned());
    assert_eq!(present, known, "src/ (left) and ORDER with GROUND (right) differ");
}

#[test]
fn what_only_some_may_know_is_named_only_there() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (words, places) in SECRETS {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for (number, line) in source.code() {
                if let Some(word) = words.iter().find(|word| begins(line, word)) {
                    let only = places.join(", ");
                    wrong.push(format!("{}:{number} names {word}; only {only} may", source.path));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn files_have_one_subject() {
    let mut wrong = Vec::new();
    let mut long = BTreeSet::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            long.insert(source.path.clone());
            if !LINES_EXCEPTED.contains(&source.path.as_str()) {
                wrong.push(format!("{} has {lines} lines; {LINES_MAX} are allowed", source.path));
            }
        }
    }
    for path in LINES_EXCEPTED.iter().filter(|path| !long.contains(**path)) {
        wrong.push(format!("{path} is short enough: remove it from LINES_EXCEPTED"));
    }
    none(&wrong);
}

#[test]
fn every_file_opens_with_what_it_is() {
    let opens = |source: &Source| source.text.starts_with("//! ");
    let wrong: Vec<String> = sources("src")
        .iter()
        .filter(|source| !opens(source))
        .map(|source| format!("{} does not open with a //! line", source.path))
        .collect();
    none(&wrong);
}

#[test]
fn every_folder_opens_with_a_page() {
    /// Fewer lines than this do not say what comes in, what goes out and what never happens.
    const PAGE_LINES_MIN: usize = 3;
    let mut wrong = Vec::new();
    for source in sources("src") {
        let is_folder = source.path.matches('/').count() == 2 && source.path.ends_with("/mod.rs");
        let lines = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        if is_folder && lines < PAGE_LINES_MIN {
            wrong.push(format!("{} opens with {lines} lines of //!", source.path));
        }
    }
    none(&wrong);
}

#[test]
fn nothing_is_left_for_later_or_left_over() {
    // In two parts, so that this file passes its own test.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut wrong = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (number, line) in (1..).zip(source.text.lines()) {
            if line.ends_with([' ', '\t']) {
                wrong.push(format!("{}:{number} ends with a space", source.path));
            }
            if line.contains('\t') {
                wrong.push(format!("{}:{number} holds a tab", source.path));
            }
            if let Some(mark) = marks.iter().find(|mark| names(line, mark)) {
                wrong.push(format!("{}:{number} has a {mark}", source.path));
            }
        }
        if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
            wrong.push(format!("{} does not end with one line end", source.path));
        }
    }
    none(&wrong);
}

#[test]
fn every_file_is_part_of_the_program() {
    let all = sources("src");
    let declared: BTreeSet<String> = all.iter().flat_map(Source::declares).collect();
    let roots = ["src/lib.rs", "src/main.rs"];
    let wrong: Vec<String> = all
        .iter()
        .filter(|source| !roots.contains(&source.path.as_str()))
        .filter(|source| !declared.contains(&source.path.replace("/mod.rs", ".rs")))
        .map(|source| format!("{} is a module of nobody", source.path))
        .collect();
    none(&wrong);
}

/// One file of Rust.
struct Source {
    /// From the root of the project, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The folder, or the file, of `src/` that it belongs to.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap();
        inner.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Lines that are not comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The folders and files of `src/` that its code names.
    fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        // main.rs sees the library from outside.
        let root = if self.path == "src/main.rs" { "chartlog::" } else { "crate::" };
        for (number, line) in self.code() {
            for after in line.split(root).skip(1) {
                let place = format!("{}:{number}", self.path);
                assert!(!after.starts_with('{'), "{place}: one `use {root}…` line per folder");
                used.insert(after.chars().take_while(|letter| is_part(*letter)).collect());
            }
        }
        used
    }

    /// Its name in Rust: `a`, `b` for `src/a/b.rs` and for `src/a/b/mod.rs`.
    fn names(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap().trim_end_matches(".rs");
        let names = inner.split('/').filter(|name| !["mod", "lib", "main"].contains(name));
        names.map(str::to_owned).collect()
    }

    /// Its code without comments and without tests.
    fn program(&self) -> String {
        let lines: Vec<&str> = self.code().map(|(_, line)| line).collect();
        let text = lines.join("\n");
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        text[..tests].to_owned()
    }

    /// What its code names by a path within the project, each from the root.
    fn paths(&self) -> Vec<Vec<String>> {
        let text = self.program();
        let starts = ["crate::", "super::", "self::"].into_iter().flat_map(|word| {
            let starts = text.match_indices(word).map(|(at, _)| at);
            starts.filter(|at| !text[..*at].ends_with(is_part) && !text[..*at].ends_with("::"))
        });
        let absolute = |path: Vec<String>| {
            let mut names = self.names();
            for name in path {
                match name.as_str() {
                    "crate" => names.clear(),
                    "super" => drop(names.pop()),
                    "self" => {}
                    _ => names.push(name),
                }
            }
            names
        };
        starts.flat_map(|at| paths(&text[at..])).map(absolute).collect()
    }

    /// Items of the files of a folder that go by a name in the folder too, each with its file.
    fn exports(&self) -> Vec<(String, String)> {
        let text = self.program();
        let names = self.names().join("::");
        let uses = text.match_indices("use ").map(|(at, word)| &text[at + word.len()..]);
        let export =
            |path: Vec<String>| (format!("{names}::{}", path[path.len() - 1]), path[0].clone());
        uses.flat_map(paths).map(export).collect()
    }

    /// Files that its `mod` lines name, each as `folder/name.rs` even if it is a `mod.rs`.
    fn declares(&self) -> Vec<String> {
        let here = self.path.trim_end_matches(".rs");
        let folder = match here.rsplit_once('/').unwrap() {
            (folder, "mod" | "lib" | "main") => folder,
            _ => here,
        };
        let module = |line: &str| {
            let words = line.trim().strip_suffix(';')?;
            let (_, name) = words.split_once("mod ")?;
            Some(format!("{folder}/{name}.rs"))
        };
        self.code().filter_map(|(_, line)| module(line)).collect()
    }
}

/// The paths at the beginning of a text: `a::{b, c::d as e}` is `a`, `b` and `a`, `c`, `d`, `e`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    let (name, rest) = text.split_at(text.find(|letter| !is_part(letter)).unwrap_or(text.len()));
    let rest =
        if rest.starts_with(" as ") { rest.replacen(" as ", "::", 1) } else { rest.to_owned() };
    let tails = match (rest.strip_prefix("::{"), rest.strip_prefix("::")) {
        (Some(list), _) => members(list).into_iter().flat_map(paths).collect(),
        (None, Some(rest)) => paths(rest),
        (None, None) => vec![Vec::new()],
    };
    tails.into_iter().map(|tail| [vec![name.to_owned()], tail].concat()).collect()
}

/// The members of a list up to its closing brace.
fn members(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                members.push(&list[start..at]);
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    members
}

/// Whether a line holds a word, and not only as part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let ends = |at: usize| !line[at + word.len()..].starts_with(is_part);
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_part) && ends(at))
}

/// Whether a line holds a word or a longer one that begins with it.
fn begins(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_part))
}

/// Whether a letter is part of a name in Rust.
fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// All Rust files below a folder of the project, in a stable order.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found.into_iter().map(|(path, text)| Source { path, text }).collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
