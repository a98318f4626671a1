//! `chartlog vault`: the keys of a store, kept by somebody else, and brought back.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::notices::Notice;
use super::{ExportArguments, Failure, VaultImportArguments, out};
use crate::chart::fingerprint;
use crate::clock::Instant;
use crate::config::Config;
use crate::disk::RealDisk;
use crate::engine::{DataDirectory, read_origin};
use crate::vault::{
    self, Escrowed, MasterKey, MasterKeySource, Recipient, RecipientKey, Vault, VaultError,
};

/// Writes all keys to a file that only the recipient can open, and prints one line about it.
///
/// # Errors
///
/// [`Failure`]: no store there, the master key cannot be had, no RSA key, or there is such a file.
pub fn export(config: &Config, arguments: &ExportArguments) -> Result<(), Failure> {
    let recipient = Recipient::from_pem(&read(&arguments.recipient)?)
        .map_err(|error| at(&arguments.recipient, &error))?;
    let data = &config.store.data;
    read_origin(data).map_err(Failure::failed)?;
    let folder = data.join("vault");
    if !folder.is_dir() {
        return Err(Failure::failed(VaultError::Missing(folder)));
    }
    let (master, _) = master(config, false)?;
    let vault = Vault::open(RealDisk::handle(), &folder, master, false, true);
    let words = format!("recipient={}", fingerprint(&[&read(&arguments.recipient)?]));
    // First: nobody shall have the keys without a trace.
    Notice::now("vaultExport", words).leave(data).map_err(Failure::failed)?;
    let (file, escrowed) = vault
        .and_then(|vault| vault.export(&recipient, &Instant::now().to_string()))
        .map_err(Failure::failed)?;
    write_new(&arguments.output, file.as_bytes())?;
    out::tell(format_args!(
        "{} written to {}. After the next erasure, make a new one and destroy this one\n",
        told(&escrowed),
        arguments.output.display()
    ))
}

/// Makes the vault of a data directory from a file that was exported, and prints one line about it.
///
/// # Errors
///
/// [`Failure`]: another private key, a changed file, or there is a vault already.
pub fn import(config: &Config, arguments: &VaultImportArguments) -> Result<(), Failure> {
    let file = String::from_utf8(read(&arguments.input)?.to_vec()).unwrap_or_default();
    let key = RecipientKey::from_pem(&read(&arguments.private_key)?)
        .map_err(|error| at(&arguments.private_key, &error))?;
    let data = &config.store.data;
    let folder = data.join("vault");
    let _directory = DataDirectory::open(data).map_err(Failure::failed)?;
    vault::refuse_existing(&RealDisk, &folder).map_err(Failure::failed)?;
    let (master, is_made) = master(config, true)?;
    let escrowed = vault::import(&RealDisk, &folder, &master, &file, &key)
        .map_err(|error| at(&arguments.input, &error))?;
    let words = format!("exportedAt={}", escrowed.exported_at);
    Notice::now("vaultImport", words).leave(data).map_err(Failure::failed)?;
    out::tell(format_args!("{} brought into {}\n", told(&escrowed), folder.display()))?;
    if is_made {
        out::tell(
            "A master key was made, as vault.master_key says. Keep a copy away from this machine and \
             its backups\n",
        )?;
    }
    Ok(())
}

fn master(config: &Config, create: bool) -> Result<(MasterKey, bool), Failure> {
    let source = config.vault.master_key(&config.store.data);
    let source: MasterKeySource = source.parse().map_err(Failure::usage)?;
    MasterKey::load(&RealDisk, &source, super::variable, create).map_err(Failure::failed)
}

fn told(escrowed: &Escrowed) -> String {
    let epochs: Vec<String> = escrowed.epochs.iter().map(ToString::to_string).collect();
    format!("The keys of epoch {}, as of {},", epochs.join(" and "), escrowed.exported_at)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

/// Writes a file that was not there, for its owner alone.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = File::options();
    options.create_new(true).write(true).mode(0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => out::is_there(path),
        _ => at(path, &error),
    })
}
