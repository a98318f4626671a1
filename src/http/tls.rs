//! TLS of the server: who it shows itself as, and whose certificates of clients it believes.
//!
//! Files that are replaced are read anew while the server runs: connections that are there go on, and those that come see
//! the new certificate. Files that cannot be used change nothing but the log of the process.

use std::sync::{Arc, Mutex, PoisonError};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::auth::Thumbprint;
use crate::chart::fingerprint;
use crate::config::{self, ClientCertificates};
use crate::feed::tls;

/// Files of TLS that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct TlsError(Vec<String>);

/// The side of a server in TLS.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    current: Arc<Current>,
    /// What the files held when they were last looked at, usable or not.
    seen: Mutex<String>,
}

#[derive(Debug)]
struct Files {
    certificate: String,
    key: String,
    /// Where it is said who certifies clients, if they are asked for a certificate.
    authorities: Option<String>,
    clients: ClientCertificates,
}

/// What is in force.
#[derive(Debug)]
struct Current(ArcSwap<Material>);

#[derive(Debug)]
struct Material {
    identity: Arc<CertifiedKey>,
    /// Who decides on certificates of clients, if they are asked for one.
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// What the configuration wants; `None`: HTTP in the clear.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: every file that cannot be used, and why.
    pub fn open(server: &config::ServerConfig) -> Result<Option<Arc<Self>>, TlsError> {
        let (Some(certificate), Some(key)) = (&server.tls_certificate_file, &server.tls_key_file)
        else {
            return Ok(None);
        };
        let clients = server.tls_client_certificates;
        let authorities = server.tls_client_ca_file.clone();
        let authorities = authorities.filter(|_| clients != ClientCertificates::Off);
        let files =
            Files { certificate: certificate.clone(), key: key.clone(), authorities, clients };
        let seen = Mutex::new(files.fingerprint());
        let material = files.read().map_err(TlsError)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(material)));
        Ok(Some(Arc::new(Self { files, current, seen })))
    }

    /// How connections are negotiated. HTTP/1.1 is all that is offered: the limits on heads, idle connections and
    /// WebSockets are those of that protocol.
    pub(super) fn server_config(&self) -> std::io::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(std::io::Error::other)?;
        let shown = Arc::clone(&self.current);
        if self.files.authorities.is_none() {
            return Ok(builder.with_no_client_auth().with_cert_resolver(shown));
        }
        let decides = Arc::new(Clients {
            current: Arc::clone(&self.current),
            is_mandatory: self.files.clients == ClientCertificates::Required,
        });
        let mut config = builder.with_client_cert_verifier(decides).with_cert_resolver(shown);
        // Who resumes a session is not asked for the certificate again, and its authority may be gone by then.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Whether clients are asked for a certificate.
    pub(super) fn asks_clients(&self) -> bool {
        self.files.authorities.is_some()
    }

    /// Reads the files anew, if they have changed.
    pub(super) fn renew(&self) {
        let found = self.files.fingerprint();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return;
        }
        *seen = found;
        match self.files.read() {
            Ok(material) => {
                self.current.0.store(Arc::new(material));
                tracing::info!("the files of TLS have changed: new connections go by them");
            }
            Err(problems) => {
                let problems = problems.join("; ");
                tracing::warn!(
                    problems,
                    "the files of TLS have changed, and what was read before stays in force"
                );
            }
        }
    }
}

impl Files {
    /// What they hold now, or why they cannot be read.
    fn fingerprint(&self) -> String {
        let paths = [Some(&self.certificate), Some(&self.key), self.authorities.as_ref()];
        let content = |path: &String| tls::read(path).unwrap_or_else(String::into_bytes);
        let held: Vec<_> = paths.into_iter().flatten().map(content).collect();
        let each: Vec<_> = held.iter().map(|content| fingerprint(&[content])).collect();
        each.join(" ")
    }

    fn read(&self) -> Result<Material, Vec<String>> {
        let mut problems = Vec::new();
        let mut keep = |setting: &str, why: String| problems.push(format!("{setting}: {why}"));
        let chain = tls::certificates(&self.certificate);
        let chain = chain.map_err(|why| keep("server.tls_certificate_file", why)).ok();
        let key = tls::private_key(&self.key).map_err(|why| keep("server.tls_key_file", why)).ok();
        let identity = chain.zip(key).and_then(|(chain, key)| {
            let identity = CertifiedKey::from_der(chain, key, &provider());
            let (certificate, key) = (&self.certificate, &self.key);
            identity
                .map_err(|error| {
                    keep(
                        "server.tls_certificate_file",
                        format!("{certificate} with {key}: {error}"),
                    );
                })
                .ok()
        });
        let clients = self.authorities.as_deref().and_then(|path| {
            self.decides(path).map_err(|why| keep("server.tls_client_ca_file", why)).ok()
        });
        match identity {
            Some(identity) if problems.is_empty() => {
                Ok(Material { identity: Arc::new(identity), clients })
            }
            _ => Err(problems),
        }
    }

    fn decides(&self, path: &str) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let roots = Arc::new(tls::authorities(path)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
        verifier.build().map_err(|error| format!("{path}: {error}"))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().identity))
    }
}

/// Decides on certificates of clients, by those authorities that are in force.
#[derive(Debug)]
struct Clients {
    current: Arc<Current>,
    is_mandatory: bool,
}

impl Clients {
    fn decides(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let clients = self.current.0.load().clients.clone();
        clients.ok_or_else(|| rustls::Error::General("clients are not asked".to_owned()))
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    /// None are named, as they may change: a client shows the certificate that it was given for this server.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.decides()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.decides()?.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.decides()?.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Notes with a connection which certificate its client has shown, for the tokens that are bound to one.
pub(super) fn note_client(connection: &TlsStream<TcpStream>, noted: &mut Extensions) {
    let chain = connection.get_ref().1.peer_certificates();
    if let Some(certificate) = chain.and_then(<[_]>::first) {
        noted.insert(Thumbprint::of(certificate));
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
