//! Running the program, and asking a server for what it holds.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chartlog");

/// The program, without variables of the tests: they are none of its own.
pub fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHARTLOG_") {
            command.env_remove(name);
        }
    }
    command
}

/// A folder with a store and files beside it.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn packed(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(content.as_ref()).unwrap();
        self.file(name, out.finish().unwrap())
    }

    /// Runs an import into the store `data`.
    pub fn import(&self, what: &str) -> Output {
        let data = self.path("data");
        let arguments = ["--data".as_ref(), data.as_os_str()];
        self.command(what).args(arguments).output().unwrap()
    }

    pub fn command(&self, what: &str) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path()).arg("import").args(what.split_whitespace());
        command
    }

    pub fn report(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the store `data` holds, asked of a server on it.
    pub fn held(&self) -> Held {
        Server::start(&self.path("data")).held()
    }
}

/// What a store holds: how many events, and the resources by `Type/id`, without their times.
#[derive(Debug, PartialEq)]
pub struct Held {
    pub position: u64,
    pub resources: Vec<Value>,
}

pub struct Server {
    child: Child,
    pub base: String,
    pub token: String,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = |line: String| line.strip_prefix("listening on ").map(str::to_owned);
        let base = lines.map_while(Result::ok).find_map(said).expect("the server listens");
        let scope = ["--sub", "chartlog-import", "--scope", "system/*.cruds", "--data"];
        let printed = program().arg("token").args(scope).arg(data).output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let token = printed.lines().last().unwrap().to_owned();
        Self { child, base, token }
    }

    pub fn get(&self, path: &str) -> String {
        let get = ureq::get(format!("{}{path}", self.base));
        let get = get.header("authorization", format!("Bearer {}", self.token));
        let mut answer = get.call().unwrap();
        answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap()
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    pub fn position(&self) -> u64 {
        let metrics = self.get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with("chartlog_applied_position "));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
    }

    /// All current resources of a type, in the order of their first recording.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let mut path = format!("/fhir/{kind}?_count=1000");
        let mut resources = Vec::new();
        loop {
            let mut page = self.json(&path);
            let entries = page["entry"].take();
            let entries = entries.as_array().cloned().unwrap_or_default();
            resources.extend(entries.into_iter().map(|mut entry| entry["resource"].take()));
            let links = page["link"].as_array().cloned().unwrap_or_default();
            match links.iter().find(|link| link["relation"] == "next") {
                Some(next) => {
                    let url = next["url"].as_str().unwrap();
                    path = url.strip_prefix(&self.base).unwrap().to_owned();
                }
                None => return resources,
            }
        }
    }

    pub fn held(&self) -> Held {
        let kinds = "Patient Observation Condition Encounter Practitioner Organization Basic \
                     Bundle MedicationRequest Procedure Immunization DiagnosticReport Location";
        let mut resources: Vec<Value> =
            kinds.split_whitespace().flat_map(|kind| self.all(kind)).collect();
        for resource in &mut resources {
            resource["meta"].as_object_mut().unwrap().remove("lastUpdated");
        }
        resources.sort_by_key(|one| format!("{}/{}", one["resourceType"], one["id"]));
        Held { position: self.position(), resources }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The numbers of a line of the summary: stored, already there, deleted, refused.
pub fn counts(output: &Output, name: &str) -> Vec<u64> {
    let text = stdout(output);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not in {text}{}", stderr(output)));
    line.split_whitespace().skip(1).map(|word| word.replace(',', "").parse().unwrap()).collect()
}
