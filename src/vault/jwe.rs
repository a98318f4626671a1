//! JSON Web Encryption (RFC 7516) in its compact serialization, with one pair of algorithms:
//! RSA-OAEP-256 for the key (RFC 7518 §4.3) and A256GCM for the content (§5.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::VaultError;
use super::keyfile::fill_random;
use crate::seal::KEY_BYTES;

const ALGORITHM: &str = "RSA-OAEP-256";
const ENCRYPTION: &str = "A256GCM";
/// Smallest RSA key (RFC 7518 §4.3).
const RSA_BITS_MIN: usize = 2048;
const TAG_BYTES: usize = 16;

/// The public key of whoever keeps an escrow.
#[derive(Debug)]
pub struct Recipient {
    key: OaepPublicEncryptingKey,
    name: String,
}

/// The private key that belongs to it.
#[derive(Debug)]
pub struct RecipientKey {
    key: OaepPrivateDecryptingKey,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    enc: String,
    /// SHA-256 of the recipient's public key (SubjectPublicKeyInfo), base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cty: Option<String>,
    #[serde(default, skip_serializing)]
    crit: Option<serde_json::Value>,
    #[serde(default, skip_serializing)]
    zip: Option<serde_json::Value>,
}

impl Recipient {
    /// Reads an RSA public key, PEM.
    ///
    /// # Errors
    ///
    /// [`VaultError::Escrow`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, VaultError> {
        let der = contents(pem, "PUBLIC KEY")?;
        let key = PublicEncryptingKey::from_der(&der).map_err(|_| not_rsa())?;
        if key.key_size_bits() < RSA_BITS_MIN {
            return Err(not_rsa());
        }
        let name = name(&key)?;
        Ok(Self { key: OaepPublicEncryptingKey::new(key).map_err(|_| not_rsa())?, name })
    }

    /// Encrypts a text.
    pub fn encrypt(&self, text: &[u8], content_type: &str) -> Result<String, VaultError> {
        let header = Header {
            alg: ALGORITHM.to_owned(),
            enc: ENCRYPTION.to_owned(),
            kid: Some(self.name.clone()),
            cty: Some(content_type.to_owned()),
            crit: None,
            zip: None,
        };
        let header = serde_json::to_vec(&header).map_err(|_| VaultError::Cryptography)?;
        let header = URL_SAFE_NO_PAD.encode(header);
        let mut content_key = Zeroizing::new([0; KEY_BYTES]);
        fill_random(&mut *content_key)?;
        let mut wrapped = vec![0; self.key.ciphertext_size()];
        let wrapped = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, &*content_key, &mut wrapped, None)
            .map_err(|_| VaultError::Cryptography)?;
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce)?;
        let mut body = Zeroizing::new(text.to_vec());
        // The additional data are the letters of the header (RFC 7516 §5.1, step 14).
        let tag = cipher(&content_key)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header.as_bytes()),
                &mut body,
            )
            .map_err(|_| VaultError::Cryptography)?;
        let parts =
            [&*wrapped, &nonce, &body, tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
        Ok(format!("{header}.{}", parts.join(".")))
    }
}

impl RecipientKey {
    /// Reads an RSA private key, PKCS#8, PEM.
    ///
    /// # Errors
    ///
    /// [`VaultError::Escrow`], without any of the key in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, VaultError> {
        let der = contents(pem, "PRIVATE KEY")?;
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| not_rsa())?;
        let name = name(&key.public_key())?;
        Ok(Self { key: OaepPrivateDecryptingKey::new(key).map_err(|_| not_rsa())?, name })
    }

    /// Decrypts a text.
    pub fn decrypt(&self, compact: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let not_one = || escrow("this is not a file of chartlog vault export (a JWE)");
        let parts: Vec<&str> = compact.trim().split('.').collect();
        let [header, wrapped, nonce, body, tag] = parts.as_slice() else { return Err(not_one()) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| not_one());
        let named: Header = serde_json::from_slice(&decode(header)?).map_err(|_| not_one())?;
        if named.alg != ALGORITHM || named.enc != ENCRYPTION {
            return Err(escrow(format!(
                "it is encrypted with {} and {}, not with {ALGORITHM} and {ENCRYPTION}",
                named.alg, named.enc
            )));
        }
        if named.crit.is_some() || named.zip.is_some() {
            return Err(not_one());
        }
        if named.kid.is_some_and(|kid| kid != self.name) {
            return Err(escrow(
                "it was exported for another key: this private key does not belong to the public \
                 key that was given as --recipient",
            ));
        }
        let wrong = || escrow("it does not open with this private key, or was changed");
        let mut content_key = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let length = self
            .key
            .decrypt(&OAEP_SHA256_MGF1SHA256, &decode(wrapped)?, &mut content_key, None)
            .map_err(|_| wrong())?
            .len();
        content_key.truncate(length);
        let content_key = content_key.as_slice().try_into().map(Zeroizing::new);
        let content_key = content_key.map_err(|_| wrong())?;
        let nonce: [u8; NONCE_LEN] = decode(nonce)?.try_into().map_err(|_| wrong())?;
        let tag = decode(tag)?;
        if tag.len() != TAG_BYTES {
            return Err(wrong());
        }
        let mut text = Zeroizing::new(decode(body)?);
        text.extend_from_slice(&tag);
        let aad = Aad::from(header.as_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = cipher(&content_key)?.open_in_place(nonce, aad, &mut text);
        let length = opened.map_err(|_| wrong())?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| VaultError::Cryptography)?;
    Ok(LessSafeKey::new(key))
}

fn name(key: &PublicEncryptingKey) -> Result<String, VaultError> {
    let der = key.as_der().map_err(|_| VaultError::Cryptography)?;
    Ok(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, der.as_ref())))
}

/// The bytes of a PEM block (RFC 7468) with that label.
fn contents(pem: &[u8], label: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let text = std::str::from_utf8(pem).unwrap_or_default();
    let block = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"));
    let Some((found, rest)) = block else {
        return Err(escrow(format!("a PEM file begins with -----BEGIN {label}-----")));
    };
    if found != label {
        return Err(escrow(format!(
            "it holds a {found:?}, but a {label:?} is wanted: {}",
            hint(label)
        )));
    }
    let body = rest.split("-----END").next().unwrap_or_default();
    let letters: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|letter| !letter.is_ascii_whitespace()).collect());
    let der = STANDARD.decode(letters.as_bytes()).map(Zeroizing::new);
    der.map_err(|_| escrow("the PEM block is not base64"))
}

fn hint(label: &str) -> &'static str {
    if label == "PUBLIC KEY" {
        "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem"
    } else {
        "PKCS#8, not encrypted, as openssl pkey -in KEY.pem -out PLAIN.pem writes it"
    }
}

fn not_rsa() -> VaultError {
    escrow(format!("this is not an RSA key of {RSA_BITS_MIN} to 8192 bits"))
}

pub fn escrow(problem: impl Into<String>) -> VaultError {
    VaultError::Escrow(problem.into())
}
