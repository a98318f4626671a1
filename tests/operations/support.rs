//! A folder with stores and backups, the program run in it, and a server to ask.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The address that servers say they have, so that a restored one answers with the same bytes.
const PUBLIC_URL: &str = "https://charts.example";

fn program() -> Command {
    without_variables(Command::new(env!("CARGO_BIN_EXE_chartlog")))
}

/// A command that gets no variables of the tests: they are none of the program's.
pub fn without_variables(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHARTLOG_") {
            command.env_remove(name);
        }
    }
    command
}

/// A folder of its own, in which commands run.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments, separated by spaces.
    pub fn command(&self, line: &str) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    /// Runs it; it must succeed. Returns what it printed.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{line}: no progress bar without a terminal");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it; it must fail with this exit code. Returns what it said on stderr.
    #[track_caller]
    pub fn fail(&self, line: &str, code: i32) -> String {
        let output = self.command(line).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.starts_with("chartlog: ") || said.starts_with("error: "), "{line}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// A pair of RSA keys: `NAME.pem` and `NAME-public.pem`, made as `--help` shows.
    pub fn rsa(&self, name: &str, bits: u32) {
        let openssl = |line: String| {
            let mut command = Command::new("openssl");
            command.current_dir(self.folder.path()).args(line.split_whitespace());
            let output = command.output().expect("openssl is installed");
            assert!(output.status.success(), "{line}: {}", stderr(&output));
        };
        openssl(format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {name}.pem"));
        openssl(format!("pkey -in {name}.pem -pubout -out {name}-public.pem"));
    }

    /// All files below a folder, with what is in them.
    pub fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    /// What a backup says that it holds.
    pub fn manifest(&self, name: &str) -> Value {
        let text = std::fs::read(self.path(name).join("BACKUP")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server with small segments; killed when dropped.
pub struct Server {
    child: Child,
    pub base: String,
    data: PathBuf,
    token: String,
}

impl Server {
    pub fn start(place: &Place, data: &str) -> Self {
        Self::launch(place, data, place.command(&Self::line(data)))
    }

    /// The same with further arguments.
    pub fn start_with(place: &Place, data: &str, arguments: &str) -> Self {
        Self::launch(place, data, place.command(&format!("{} {arguments}", Self::line(data))))
    }

    /// The same, by a shell with that umask.
    pub fn start_under(place: &Place, data: &str, umask: &str) -> Self {
        let mut shell = without_variables(Command::new("sh"));
        let line = format!("umask {umask}; exec \"$0\" \"$@\"");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_chartlog")]);
        shell.current_dir(place.folder.path()).args(Self::line(data).split_whitespace());
        Self::launch(place, data, shell)
    }

    fn line(data: &str) -> String {
        format!(
            "serve --listen 127.0.0.1:0 --public-url {PUBLIC_URL} --data {data} \
             --set store.segment_bytes_max=1048576 --set store.group_bytes_max=1048576 \
             --log-filter error"
        )
    }

    fn launch(place: &Place, data: &str, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listens = |line: String| line.starts_with("listening on ").then_some(());
        lines.map_while(Result::ok).find_map(listens).expect("the server listens");
        let data = place.path(data);
        let base = format!("http://{}", listening(child.id()));
        let token = token(&data, "dr-weiss", "user/*.cruds user/AuditEvent.rs");
        Self { child, base, data, token }
    }

    pub fn token(&self, scope: &str) -> String {
        token(&self.data, "operator", scope)
    }

    pub fn get(&self, path: &str) -> String {
        let get = ureq::get(format!("{}{path}", self.base));
        let mut answer = get.header("authorization", format!("Bearer {}", self.token)).call();
        let body = answer.as_mut().map(|answer| answer.body_mut().read_to_string());
        body.unwrap_or_else(|error| panic!("{path}: {error}")).unwrap()
    }

    /// The status and the body of the answer, whatever it is; resources come as FHIR has them.
    pub fn ask(&self, token: &str, path: &str) -> (u16, String) {
        let accept = if path.starts_with("/fhir/") { "application/fhir+json" } else { "*/*" };
        let request = ureq::get(format!("{}{path}", self.base));
        let request = request.config().http_status_as_error(false).build();
        let request = request.header("authorization", format!("Bearer {token}"));
        let mut answer = request.header("accept", accept).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    /// Sends a body; the answer must be of the two hundreds.
    pub fn send(&self, method: &str, path: &str, body: &Value) {
        let url = format!("{}{path}", self.base);
        let request = ureq::http::Request::builder().method(method).uri(url);
        let request = request
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body.to_string())
            .unwrap();
        let answer = ureq::run(request);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    }

    pub fn put(&self, resource: &Value) {
        let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
        self.send("PUT", &format!("/fhir/{}/{}", kind.unwrap(), id.unwrap()), resource);
    }

    /// How many events are in the log.
    pub fn position(&self) -> u64 {
        self.figure("chartlog_applied_position")
    }

    /// One of the figures of the server.
    pub fn figure(&self, name: &str) -> u64 {
        let figures = self.get("/metrics");
        let line = figures.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
    }

    /// Waits until a checkpoint vouches for all events.
    pub fn wait_until_signed(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let position = self.position().to_string();
        while self.get("/v1/log/events/checkpoint").lines().nth(1) != Some(&position) {
            assert!(Instant::now() < deadline, "no checkpoint is signed");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator would.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(data: &Path, subject: &str, scope: &str) -> String {
    let mut command = program();
    command.args(["token", "--sub", subject, "--scope", scope, "--data"]).arg(data);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// The address on which a process listens: it says only its public one.
fn listening(process: u32) -> String {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let port = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_own = fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]);
        let port = fields[1].split(':').nth(1)?;
        is_own.then(|| u16::from_str_radix(port, 16).unwrap())
    });
    format!("127.0.0.1:{}", port.expect("the server listens"))
}

pub fn patient(id: &str, family: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "family": family }] })
}

/// An observation with so many random letters, which no compression makes shorter than half.
pub fn observation(id: &str, patient: &str, letters: usize) -> Value {
    let text: String = std::iter::repeat_with(|| uuid::Uuid::new_v4().simple().to_string())
        .take(letters / 32)
        .collect();
    json!({
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": { "text": "note" },
        "subject": { "reference": format!("Patient/{patient}") },
        "valueString": text,
    })
}

/// Stores so many observations of a new patient, some 16 kB each in the log.
pub fn fill(server: &Server, patient_id: &str, count: usize) {
    server.put(&patient(patient_id, "Voll"));
    for number in 0..count {
        server.put(&observation(&format!("{patient_id}-{number}"), patient_id, 32_000));
    }
}
