//! The real server as a process of its own, on a free port and a fresh data directory.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use chartlog::auth::{About, LocalIssuer, TokenRequest};
use chartlog::engine::read_local_issuer_secret;
use tempfile::TempDir;

use super::Actor;

/// Longest wait for a server to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartlog"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHARTLOG_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    let elsewhere = TempDir::new().unwrap();
    binary().current_dir(elsewhere.path()).args(arguments).output().unwrap()
}

/// How a server is to be started.
#[derive(Debug, Default)]
pub struct Setup {
    arguments: Vec<String>,
    files: Vec<(String, String)>,
}

impl Setup {
    /// With a further argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With a setting.
    pub fn set(self, setting: &str) -> Self {
        self.argument("--set").argument(setting)
    }

    /// With a file in its working directory.
    pub fn file(mut self, name: &str, content: impl Into<String>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Server {
        let home = TempDir::new().unwrap();
        for (name, content) in &self.files {
            std::fs::write(home.path().join(name), content).unwrap();
        }
        Server::launch(home, self.arguments, "127.0.0.1:0")
    }
}

/// A running server; it is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What it said its address is.
    pub base: String,
    home: Option<TempDir>,
    arguments: Vec<String>,
}

impl Server {
    /// A server with all settings at their defaults.
    #[track_caller]
    pub fn start() -> Self {
        Setup::default().start()
    }

    #[track_caller]
    fn launch(home: TempDir, arguments: Vec<String>, listen: &str) -> Self {
        let log = File::options().create(true).append(true).open(home.path().join("stderr.log"));
        let mut child = binary()
            .current_dir(home.path())
            .args(["serve", "--listen", listen, "--data", "data"])
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads to the end, so that the server can always write.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(base) = line.strip_prefix("listening on ") {
                    let _ = send.send(base.to_owned());
                }
            }
        });
        let base = match receive.recv_timeout(PATIENCE) {
            Ok(base) => base,
            Err(_) => {
                let _ = child.kill();
                let log = std::fs::read_to_string(home.path().join("stderr.log"));
                panic!("the server does not start: {log:?}");
            }
        };
        let address = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
        let address = address.and_then(|rest| rest.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{base} is not a scheme and an address"));
        Self { child, address, base, home: Some(home), arguments }
    }

    pub fn home(&self) -> &Path {
        self.home.as_ref().unwrap().path()
    }

    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// Everything it has written to stderr so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home().join("stderr.log")).unwrap()
    }

    /// A token signed with this store's own key.
    pub fn token(&self, subject: &str, scope: &str, patient: Option<&str>) -> String {
        self.token_with(subject, scope, patient, "chartlog", 3600, 0)
    }

    /// The same, with every claim that may be wrong; `age` is how long ago it was issued.
    pub fn token_with(
        &self,
        subject: &str,
        scope: &str,
        patient: Option<&str>,
        audience: &str,
        ttl_seconds: u64,
        age: i64,
    ) -> String {
        let issuer = LocalIssuer::new(read_local_issuer_secret(&self.data()).unwrap());
        let request = TokenRequest {
            subject: subject.to_owned(),
            scope: scope.to_owned(),
            patient: patient.map(str::to_owned),
            audience: audience.to_owned(),
            ttl_seconds,
            ..TokenRequest::default()
        };
        issuer.sign(&request, now_seconds() - age).unwrap()
    }

    /// A token that says more of whom it speaks for.
    pub fn token_about(
        &self,
        subject: &str,
        scope: &str,
        patient: Option<&str>,
        about: About,
    ) -> String {
        let issuer = LocalIssuer::new(read_local_issuer_secret(&self.data()).unwrap());
        let request = TokenRequest {
            subject: subject.to_owned(),
            scope: scope.to_owned(),
            patient: patient.map(str::to_owned),
            audience: "chartlog".to_owned(),
            ttl_seconds: 3600,
            about,
        };
        issuer.sign(&request, now_seconds()).unwrap()
    }

    pub fn with_token(&self, token: impl Into<String>) -> Actor {
        Actor::new(self.address, Some(token.into()))
    }

    pub fn actor(&self, subject: &str, scope: &str) -> Actor {
        self.with_token(self.token(subject, scope, None))
    }

    pub fn anonymous(&self) -> Actor {
        Actor::new(self.address, None)
    }

    /// May do everything to everything.
    pub fn clinician(&self) -> Actor {
        self.actor("dr-weiss", "user/*.cruds")
    }

    /// May do everything to everything, and what only scopes by name allow.
    pub fn entitled(&self) -> Actor {
        let by_name = "user/AuditEvent.rs user/ChartErasure.cr user/ChartHold.cd system/Backup.r system/Retention.rd system/Feed.crud user/SearchParameter.cud user/BreakGlass.cru";
        self.actor("dr-weiss", &format!("user/*.cruds {by_name}"))
    }

    /// May read access entries and nothing else.
    pub fn auditor(&self) -> Actor {
        self.actor("auditor", "user/AuditEvent.rs")
    }

    /// May read one chart.
    pub fn patient_app(&self, patient: &str) -> Actor {
        self.with_token(self.token("app", "patient/*.rs", Some(patient)))
    }

    /// How many events the log holds.
    #[track_caller]
    pub fn log_length(&self) -> u64 {
        self.metric("chartlog_applied_position")
    }

    /// A figure of `/metrics` that has no labels.
    #[track_caller]
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.anonymous().get("/metrics").expect(200);
        let line = metrics.text().lines().find(|line| line.split(' ').next() == Some(name));
        let number = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {}", metrics.text()))
    }

    /// A figure of `/metrics` about one target that things are delivered to.
    #[track_caller]
    pub fn metric_of(&self, name: &str, target: &str) -> f64 {
        let metrics = self.anonymous().get("/metrics").expect(200);
        let start = format!("{name}{{target=\"{target}\"}} ");
        let number =
            metrics.text().lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
        number.unwrap_or_else(|| panic!("no {start} in {}", metrics.text()))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal, named as for the command `kill`.
    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(killed.unwrap().success());
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it without warning and starts it again on the same data.
    #[track_caller]
    pub fn restart(self) -> Self {
        self.restart_at("127.0.0.1:0")
    }

    /// The same, at the same address.
    #[track_caller]
    pub fn restart_in_place(self) -> Self {
        let address = self.address.to_string();
        self.restart_at(&address)
    }

    #[track_caller]
    fn restart_at(mut self, listen: &str) -> Self {
        let _ = self.child.kill();
        self.child.wait().unwrap();
        let home = self.home.take().unwrap();
        let arguments = std::mem::take(&mut self.arguments);
        Self::launch(home, arguments, listen)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds since 1970.
fn now_seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// An issuer of the shared server.
const SHARED_ISSUER: &str = r#"{ name = "https://login.example.org", jwks_file = "keys.json", authorization_endpoint = "https://login.example.org/authorize", token_endpoint = "https://login.example.org/token", capabilities = ["launch-standalone"] }"#;

/// A program that gets tokens of the shared server, and its key: that of the seed of 32 sevens.
pub const SHARED_CLIENT: &str = r#"{ id = "warehouse", name = "Data warehouse", purpose = "HRESCH", jwks_file = "client.json", scopes = ["system/Patient.rs", "system/Observation.r", "system/Backup.r"] }"#;
pub const SHARED_CLIENT_KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"}]}"#;

/// A user of the shared server, and an app for which they sign in.
const SHARED_USER: &str = r#"{ sub = "walker", name = "Walker", scopes = ["user/*.rs"] }"#;
const SHARED_APP: &str = r#"{ id = "walk", redirect_uris = ["http://localhost/back"] }"#;

/// The server that all tests share which need none of their own. Each test keeps to resources of
/// its own (see `unique`).
pub fn shared() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        // Its tests look for the entries of callers without a token, who are many in a minute.
        // They send events to nobody, which is allowed.
        let server = Setup::default()
            .set("limits.stranger_entries_max=1000000")
            .set("feed.webhook_hosts=127.0.0.1")
            .set("feed.webhook_networks=127.0.0.0/8")
            .set("feed.webhook_insecure=true")
            .set("policies.break_glass_minutes=5")
            // Nobody's tokens, but there is a place where they are to be had.
            .file("keys.json", r#"{"keys":[]}"#)
            .set(&format!("auth.issuers=[{SHARED_ISSUER}]"))
            .file("client.json", SHARED_CLIENT_KEYS)
            .set(&format!("auth.clients=[{SHARED_CLIENT}]"))
            .set(&format!("auth.users=[{SHARED_USER}]"))
            .set(&format!("auth.apps=[{SHARED_APP}]"))
            .start();
        guard(&server);
        server
    });
    &SERVER
}

/// Statics are never dropped: a shell that outlives the tests for a moment ends the server and
/// removes its directory when the pipe to it closes.
#[allow(clippy::zombie_processes)]
pub fn guard(server: &Server) {
    let mut shell = Command::new("sh")
        .args(["-c", r#"read -r _; kill -9 "$1"; rm -rf "$2""#, "guard"])
        .arg(server.child.id().to_string())
        .arg(server.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::mem::forget(shell.stdin.take());
}
