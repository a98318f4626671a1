//! How targets are known, and how the server shows who it is; and what PEM files hold, which the HTTP server reads too.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::disk::{self, RealDisk};

/// A setting: its name and its value, the path of a file.
pub type Setting<'a> = (&'a str, Option<&'a str>);

/// The files of the side of a client in TLS, all PEM.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The authorities that targets are certified by; none: the public ones.
    pub authorities: Setting<'a>,
    /// The certificate chain that the server shows.
    pub certificate: Setting<'a>,
    /// Its private key.
    pub key: Setting<'a>,
}

/// The side of a client in TLS. The name in a certificate is always checked.
///
/// # Errors
///
/// Every setting that cannot be used, and why.
pub fn configure(files: Files<'_>) -> Result<ClientConfig, Vec<String>> {
    let mut problems = Vec::new();
    let mut keep = |setting: &str, problem: String| problems.push(format!("{setting}: {problem}"));
    let roots = match files.authorities {
        (_, None) => Some(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
        (setting, Some(path)) => authorities(path).map_err(|why| keep(setting, why)).ok(),
    };
    let mut identity = None;
    if let ((chain_setting, Some(chain)), (key_setting, Some(key))) = (files.certificate, files.key)
    {
        let chain = certificates(chain).map_err(|why| keep(chain_setting, why));
        let key = private_key(key).map_err(|why| keep(key_setting, why));
        identity = chain.ok().zip(key.ok());
    }
    let (Some(roots), true) = (roots, problems.is_empty()) else { return Err(problems) };
    let failed = |error: rustls::Error| vec![format!("{}: {error}", files.authorities.0)];
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| vec![format!("{}: {error}", files.certificate.0)]),
    }
}

/// What is in a file that a setting names.
///
/// # Errors
///
/// The file, and what the operating system said.
pub fn read(path: &str) -> Result<Vec<u8>, String> {
    disk::read(&RealDisk, Path::new(path)).map_err(|error| format!("{path}: {error}"))
}

/// A chain of certificates.
///
/// # Errors
///
/// The file, and why it holds none.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{path} holds no certificate; it must be PEM")),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// Certificates that others are certified by.
///
/// # Errors
///
/// As [`certificates`].
pub fn authorities(path: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(roots)
}

/// A private key.
///
/// # Errors
///
/// The file, and why it holds none.
pub fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    // What is wrong with it is said without what is in it.
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| {
        format!("{path} holds no private key; it must be PEM (PKCS #8, PKCS #1 or SEC 1)")
    })
}
