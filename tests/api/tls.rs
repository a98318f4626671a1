//! TLS: who the server shows itself as, whose certificates it believes, and files that are replaced while it runs.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};

use crate::harness::{Response, Setup, raw_exchange, run};
use crate::siem::receiver::Authority;

const HOST: &str = "127.0.0.1";
/// Longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a certificate of an authority.
pub fn server(authority: &Authority) -> Setup {
    let (certificate, key) = authority.certify(HOST);
    Setup::default()
        .file("server.pem", certificate)
        .file("server.key", key)
        .set("server.tls_certificate_file=server.pem")
        .set("server.tls_key_file=server.key")
}

/// A client that believes these authorities, and shows a certificate if it has one.
pub fn client(authorities: &[&Authority], identity: Option<(String, String)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    // A session that is resumed shows no certificate.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What came by one connection.
pub struct Came {
    pub answer: Response,
    /// The certificate that the server showed.
    certificate: Vec<u8>,
    version: ProtocolVersion,
    protocol: Vec<u8>,
}

/// Asks once by a connection of its own.
pub fn ask(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    token: &str,
    path: &str,
) -> std::io::Result<Came> {
    let name = ServerName::try_from(HOST).unwrap();
    let connection = ClientConnection::new(Arc::clone(client), name).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, socket);
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Who is refused is told why, and then no more: not even that this is the end.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        read => drop(read?),
    }
    let answer = Response::parse(&answer, "GET").expect("a whole answer");
    Ok(Came {
        answer,
        certificate: stream.conn.peer_certificates().unwrap()[0].to_vec(),
        version: stream.conn.protocol_version().unwrap(),
        protocol: stream.conn.alpn_protocol().unwrap_or_default().to_vec(),
    })
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[test]
fn a_certificate_that_is_replaced_is_shown_from_then_on_and_no_request_fails() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = server(&old).start();
    assert!(server.base.starts_with("https://127.0.0.1:"), "{}", server.base);
    let token = server.token("x", "user/*.rs", None);
    let client = client(&[&old, &new], None);
    let first = ask(server.address, &client, &token, "/fhir/Patient").unwrap();
    assert_eq!((first.version, &first.protocol[..]), (ProtocolVersion::TLSv1_3, &b"http/1.1"[..]));
    assert_eq!(
        first.answer.expect(200).header("strict-transport-security"),
        Some("max-age=31536000")
    );
    let (certificate, key) = new.certify(HOST);
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let came = ask(server.address, &client, &token, "/fhir/Patient");
                    came.expect("no handshake fails").answer.expect(200);
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let end = Ended(&is_over);
        wait_until("requests", || asked.load(Ordering::SeqCst) > 20);
        // The key first: a pair that does not belong together changes nothing.
        std::fs::write(server.home().join("server.key"), key).unwrap();
        wait_until("a warning", || server.log().contains("what was read before stays in force"));
        std::fs::write(server.home().join("server.pem"), &certificate).unwrap();
        let shown = || ask(server.address, &client, &token, "/health/live").unwrap().certificate;
        wait_until("the new certificate", || shown() == der(&certificate));
        let before = asked.load(Ordering::SeqCst);
        wait_until("requests after it", || asked.load(Ordering::SeqCst) > before + 20);
        drop(end);
    });
    std::fs::write(server.home().join("server.pem"), "no certificate").unwrap();
    wait_until("another warning", || server.log().contains("server.pem holds no certificate"));
    let came = ask(server.address, &client, &token, "/fhir/Patient").unwrap();
    assert_eq!(came.certificate, der(&certificate), "what was read before stays in force");
    came.answer.expect(200);
}

/// Ends the load, also when an assertion fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn clients_show_a_certificate_if_they_must_and_one_that_is_shown_must_be_good() {
    let (ours, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    for (mode, without_is_served) in [("optional", true), ("required", false)] {
        let server = server(&ours)
            .file("clients.pem", clients.pem.clone())
            .set(&format!("server.tls_client_certificates={mode}"))
            .set("server.tls_client_ca_file=clients.pem")
            .start();
        let token = server.token("x", "user/*.rs", None);
        let (good, foreign) = (clients.certify("client"), others.certify("client"));
        let ask = |identity: Option<&(String, String)>| {
            let client = client(&[&ours], identity.cloned());
            let came = ask(server.address, &client, &token, "/fhir/Patient");
            came.map(|came| came.answer.expect(200)).is_ok()
        };
        assert!(ask(Some(&good)), "{mode}");
        assert_eq!(ask(None), without_is_served, "{mode}");
        assert!(!ask(Some(&foreign)), "{mode}");
        std::fs::write(server.home().join("clients.pem"), &others.pem).unwrap();
        wait_until("the other authority", || ask(Some(&foreign)));
        assert!(!ask(Some(&good)), "{mode}");
        // A certificate is no token.
        let client = client(&[&ours], Some(foreign));
        let came = super::tls::ask(server.address, &client, "none", "/fhir/Patient").unwrap();
        came.answer.refused(401, &[]);
    }
}

/// The type of the first record that comes back, and its first two bytes, to a greeting of a client whose highest version
/// is TLS 1.`minor`.
fn greeted(address: SocketAddr, minor: u8) -> Vec<u8> {
    let mut extensions: Vec<u8> = vec![0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0];
    // ecdsa_secp256r1_sha256, ecdsa_sha1; extended_master_secret.
    extensions.extend([0, 13, 0, 6, 0, 4, 4, 3, 2, 3, 0, 23, 0, 0]);
    let mut hello = vec![3, minor + 1];
    hello.extend([7; 32]);
    // No session; ECDHE_ECDSA with AES-128-GCM-SHA256, AES-256-GCM-SHA384 and AES-128-CBC-SHA; no compression.
    hello.extend([0, 0, 6, 0xC0, 0x2B, 0xC0, 0x2C, 0xC0, 0x09, 1, 0]);
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    vec![answer[0], answer[5], answer[6]]
}

#[test]
fn older_versions_and_http_in_the_clear_are_not_spoken() {
    let server = server(&Authority::new()).start();
    // What begins a handshake and a ServerHello; a fatal alert, and what it says.
    let (hello, alert, protocol_version) = ([22, 2], [21, 2], 70);
    assert_eq!(greeted(server.address, 2)[..2], hello, "TLS 1.2");
    for minor in [0, 1] {
        let told = greeted(server.address, minor);
        assert_eq!((&told[..2], told[2]), (&alert[..], protocol_version), "TLS 1.{minor}");
    }
    let answer = raw_exchange(server.address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn lines_end_in_the_same_way_over_tls() {
    let authority = Authority::new();
    let (server, client) = (server(&authority).start(), client(&[&authority], None));
    for (path, status) in [("/health/live", 200), ("/health/live HTTP/1.1\nx:", 400)] {
        ask(server.address, &client, "none", path).unwrap().answer.expect(status);
    }
}

#[test]
fn handshakes_that_do_not_go_on_keep_nobody_out() {
    let authority = Authority::new();
    let server = server(&authority)
        .set("server.workers=1")
        .set("limits.client_request_timeout_ms=3600000")
        .start();
    let token = server.token("x", "user/*.rs", None);
    let silent: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let client = client(&[&authority], None);
    for _ in 0..10 {
        ask(server.address, &client, &token, "/fhir/Patient").unwrap().answer.expect(200);
    }
    for mut stream in silent {
        stream.set_nonblocking(true).unwrap();
        let error = stream.read(&mut [0; 1]).expect_err("it is still open");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn files_that_cannot_be_used_are_all_told_at_the_start() {
    let (one, other) = (Authority::new().certify(HOST), Authority::new().certify(HOST));
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    write("none.pem", "nothing");
    write("one.pem", &one.0);
    write("other.key", &other.1);
    let start = |certificate: &str, key: &str| {
        let files = [
            format!("server.tls_certificate_file={}", path(certificate)),
            format!("server.tls_key_file={}", path(key)),
            format!("server.tls_client_ca_file={}", path("none.pem")),
        ];
        let [certificate, key, authorities] = &files;
        let listen = ["serve", "--listen", "127.0.0.1:0", "--set", certificate, "--set", key];
        let clients = ["--set", authorities, "--set", "server.tls_client_certificates=required"];
        let output = run(&[&listen[..], &clients[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = start("absent.pem", "none.pem");
    for words in [
        "server.tls_certificate_file: ",
        "absent.pem: ",
        "server.tls_key_file: ",
        "none.pem holds no private key",
        "server.tls_client_ca_file: ",
        "none.pem holds no certificate",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = start("one.pem", "other.key");
    assert!(told.contains("one.pem with ") && told.contains("KeyMismatch"), "{told}");
}

#[test]
fn the_demo_and_commands_that_ask_a_server_come_by_tls() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let (certificate, key) = clients.certify("operator");
    let server = server(&ours)
        .file("clients.pem", clients.pem.clone())
        .file("ours.pem", ours.pem.clone())
        .file("me.pem", certificate)
        .file("me.key", key)
        .set("server.tls_client_certificates=optional")
        .set("server.tls_client_ca_file=clients.pem")
        .set("demo.patients=1")
        .argument("--demo")
        .start();
    let token = server.token("operator", "user/*.rs system/Backup.r user/AuditEvent.rs", None);
    let file = |name: &str| server.home().join(name).to_str().unwrap().to_owned();
    let (authorities, certificate, key) = (file("ours.pem"), file("me.pem"), file("me.key"));
    let (copy, report) = (file("copy"), file("report.ndjson"));
    let patient = file("patient.json");
    std::fs::write(&patient, r#"{"resourceType":"Patient","id":"imported"}"#).unwrap();
    let writer = server.token("importer", "user/*.cruds", None);
    let commands: [(&str, &[&str]); 4] = [
        (&token, &["log", "--json"]),
        (&token, &["backup", &copy]),
        (&token, &["audit", "export"]),
        (&writer, &["import", &patient, "--report", &report]),
    ];
    for (token, command) in commands {
        let asked = ["--server", &server.base, "--token", token];
        let trust =
            ["--ca-file", &authorities, "--certificate-file", &certificate, "--key-file", &key];
        let output = run(&[command, &asked[..], &trust[..]].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {told}");
    }
    // Whom nobody certified is not believed.
    let output = run(&["log", "--server", &server.base, "--token", &token]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.to_lowercase().contains("certificate"), "{told}");
    let output = run(&["log", "--server", &server.base, "--token", &token, "--ca-file", &key]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("me.key holds no certificate"), "{told}");
}
