//! A real server of NATS as a process of its own, and what its stream holds.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use async_nats::jetstream::stream::{Config, Info, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::webhooks::wait_for;

/// Names the program.
const VARIABLE: &str = "CHARTLOG_NATS_SERVER";
/// The subjects of a stream with all settings at their defaults.
pub const SUBJECTS: &str = "chartlog.default.>";

/// The program; `None`, and a word about it: this machine has none. Whoever names one has it.
pub fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "{VARIABLE} is {}, which is no file", named.display());
        return Some(named);
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|path| path.join("nats-server"));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no nats-server in PATH, and {VARIABLE} is not set");
    }
    found
}

/// A running server; it is killed when dropped.
pub struct Broker {
    program: PathBuf,
    home: TempDir,
    port: u16,
    child: Child,
    runtime: Runtime,
    /// For who looks into the stream, where the server wants to know.
    options: ConnectOptions,
}

/// A message of a stream.
#[derive(Debug)]
pub struct Message {
    pub sequence: u64,
    pub subject: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Message {
    pub fn position(&self) -> u64 {
        self.headers["Nats-Msg-Id"].parse().unwrap()
    }
}

impl Broker {
    /// Starts one that syncs each message; `None`: there is none here.
    pub fn start() -> Option<Self> {
        Self::with("", ConnectOptions::new())
    }

    /// The same with lines of its configuration, in which `HOME` is its directory, and who is let in.
    pub fn with(lines: &str, options: ConnectOptions) -> Option<Self> {
        let home = TempDir::new().unwrap();
        Self::at(home, lines, options)
    }

    pub fn at(home: TempDir, lines: &str, options: ConnectOptions) -> Option<Self> {
        let program = program()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = home.path().display().to_string();
        let text = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{path}\", sync_interval: always }}\n{}\n",
            lines.replace("HOME", &path)
        );
        std::fs::write(home.path().join("nats.conf"), text).unwrap();
        let child = launch(&program, home.path());
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let broker = Self { program, home, port, child, runtime, options };
        broker.wait();
        Some(broker)
    }

    /// The setting with its address.
    pub fn setting(&self) -> String {
        format!("nats.servers=nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn wait(&self) {
        wait_for("nats-server does not listen", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its data.
    pub fn restart(&mut self) {
        self.child = launch(&self.program, self.home.path());
        self.wait();
    }

    fn connect(&self) -> (Client, Context) {
        let _inside = self.runtime.enter();
        let address = format!("nats://127.0.0.1:{}", self.port);
        let client = wait_for("nats-server does not take the test", || {
            self.runtime.block_on(self.options.clone().connect(&address)).ok()
        });
        (client.clone(), jetstream::new(client))
    }

    /// A stream, if it is there: JetStream itself takes a moment to begin.
    fn stream(&self, name: &str) -> Option<Stream<Info>> {
        self.runtime.block_on(self.connect().1.get_stream(name)).ok()
    }

    /// Makes a stream.
    pub fn make(&self, config: &Config) {
        let context = self.connect().1;
        wait_for("the stream is not made", || {
            self.runtime.block_on(context.create_stream(config.clone())).ok()
        });
    }

    pub fn delete(&self, name: &str) {
        self.runtime.block_on(self.connect().1.delete_stream(name)).unwrap();
    }

    pub fn purge(&self, name: &str) {
        let stream = self.stream(name).unwrap();
        self.runtime.block_on(async { stream.purge().await }).unwrap();
    }

    pub fn config(&self, name: &str) -> Config {
        self.stream(name).unwrap().cached_info().config.clone()
    }

    /// Publishes something by hand.
    pub fn publish(&self, subject: &str) {
        let context = self.connect().1;
        let published = async { context.publish(subject.to_owned(), "{}".into()).await?.await };
        self.runtime.block_on(published).unwrap();
    }

    /// Sequence of the last message that a stream ever had.
    pub fn sequence(&self, name: &str) -> Option<u64> {
        Some(self.stream(name)?.cached_info().state.last_sequence)
    }

    /// All messages of a stream.
    pub fn messages(&self, name: &str) -> Vec<Message> {
        let Some(stream) = self.stream(name) else { return Vec::new() };
        let state = stream.cached_info().state.clone();
        let read = async {
            let mut messages = Vec::new();
            for sequence in state.first_sequence.max(1)..=state.last_sequence {
                let Ok(raw) = stream.get_raw_message(sequence).await else { continue };
                let headers = raw.headers.iter().map(|(name, values)| {
                    let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
                    (name.to_string(), values.join(","))
                });
                messages.push(Message {
                    sequence,
                    subject: raw.subject.to_string(),
                    headers: headers.collect(),
                    body: serde_json::from_slice(&raw.payload).unwrap(),
                });
            }
            messages
        };
        self.runtime.block_on(read)
    }

    /// Waits until a stream has so many messages.
    #[track_caller]
    pub fn wait_for(&self, name: &str, sequence: u64) -> Vec<Message> {
        wait_for(&format!("stream {name} does not come to {sequence}"), || {
            self.sequence(name).filter(|last| *last >= sequence)
        });
        self.messages(name)
    }
}

fn launch(program: &Path, home: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(home.join("nats.log"));
    let mut command = Command::new(program);
    command.arg("--config").arg(home.join("nats.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap()).spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
