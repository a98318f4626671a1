//! A receiver that can break down: TLS with certificates of its own, or TCP.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a read waits before it is looked whether the receiver is to break down.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// No limit.
const NEVER: usize = usize::MAX;

/// Somebody who certifies, and the certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a name, and its key.
    pub fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server with a certificate for a name, which wants to see a certificate too.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let (certificate, key) = self.certify(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key);
        Arc::new(config.unwrap())
    }
}

/// What came by one connection, and whether it was broken off.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    pub is_cut: bool,
}

#[derive(Debug, Default)]
struct Shared {
    streams: Mutex<Vec<Stream>>,
    /// Bytes until it breaks down.
    left: AtomicUsize,
    is_down: AtomicBool,
    is_over: AtomicBool,
    breakdowns: AtomicUsize,
    refused: AtomicUsize,
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    pub fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { left: AtomicUsize::new(NEVER), ..Shared::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_over.load(Ordering::SeqCst) {
                    break;
                }
                if !accepting.is_down.load(Ordering::SeqCst) {
                    let (shared, tls) = (Arc::clone(&accepting), tls.clone());
                    std::thread::spawn(move || serve(&shared, stream.unwrap(), tls));
                }
            }
        });
        Self { port, shared }
    }

    /// Breaks down after so many bytes more, in the middle of whatever that is, and is back at once.
    pub fn break_after(&self, bytes: usize) {
        self.shared.left.store(bytes, Ordering::SeqCst);
    }

    /// Breaks down, and stays so or comes back.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
    }

    pub fn breakdowns(&self) -> usize {
        self.shared.breakdowns.load(Ordering::SeqCst)
    }

    /// Connections that came to nothing.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    pub fn streams(&self) -> Vec<Stream> {
        self.shared.streams.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serve(shared: &Shared, socket: TcpStream, tls: Option<Arc<ServerConfig>>) {
    let mut stream: Box<dyn Read> = match tls {
        None => {
            socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
            Box::new(socket)
        }
        Some(config) => {
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
            while stream.conn.is_handshaking() {
                if stream.conn.complete_io(&mut stream.sock).is_err() {
                    shared.refused.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            stream.sock.set_read_timeout(Some(LOOK_EVERY)).unwrap();
            Box::new(stream)
        }
    };
    let number = {
        let mut streams = shared.streams.lock().unwrap();
        streams.push(Stream::default());
        streams.len() - 1
    };
    let mut block = [0; 700];
    loop {
        let left = shared.left.load(Ordering::SeqCst);
        let is_broken = left == 0 || shared.is_down.load(Ordering::SeqCst);
        let read = match is_broken {
            true => Err(ErrorKind::ConnectionReset.into()),
            false => stream.read(&mut block[..left.min(700)]),
        };
        let mut streams = shared.streams.lock().unwrap();
        match read {
            Ok(0) => return,
            Ok(count) => {
                streams[number].bytes.extend(&block[..count]);
                if left != NEVER {
                    shared.left.fetch_sub(count, Ordering::SeqCst);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Broken off by either side: what is unread is lost.
            Err(_) => {
                streams[number].is_cut = true;
                if is_broken {
                    shared.breakdowns.fetch_add(1, Ordering::SeqCst);
                    let _ =
                        shared.left.compare_exchange(0, NEVER, Ordering::SeqCst, Ordering::SeqCst);
                }
                return;
            }
        }
    }
}
