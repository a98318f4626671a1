//! With the master key: every frame opens, and says what its header committed to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Finding, VerifyOptions};
use crate::disk::Disk;
use crate::engine::{AccessFrames, EngineError};
use crate::log::{
    FrameKind, FrameSeen, InspectError, Inspection, LogKind, Seen, StreamAlias, WRAP_BYTES,
};
use crate::proof::ProofError;
use crate::seal::SealingKey;
use crate::vault::{Vault, VaultError, Wrap};

/// The wrapped keys that a log carries.
#[derive(Default)]
pub struct Wraps(HashMap<StreamAlias, [u8; WRAP_BYTES]>);

impl Wraps {
    /// Adds the wrap in a frame.
    pub fn add(&mut self, alias: StreamAlias, wrap: [u8; WRAP_BYTES]) {
        self.0.insert(alias, wrap);
    }

    /// The keys of all streams; `None` where they were destroyed.
    fn open(&self, vault: &Vault) -> Result<Keys, EngineError> {
        // Those that the vault holds are of the current epoch.
        let in_vault = vault.wraps()?;
        let in_log = self.0.iter().map(|(alias, wrap)| (*alias, Wrap::from_bytes(*wrap)));
        let mut keys = Keys::new();
        for (alias, wrap) in in_log.chain(in_vault) {
            match vault.key(alias, &wrap) {
                Ok(key) => {
                    keys.insert(alias, Some(key));
                }
                Err(VaultError::Destroyed(_)) => {
                    keys.entry(alias).or_insert(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(keys)
    }
}

type Keys = HashMap<StreamAlias, Option<Arc<SealingKey>>>;

enum Opened {
    Readable,
    Erased,
    Disposed,
    Wrong(String),
}

/// Opens every frame of a log that is sound.
#[expect(clippy::too_many_arguments, reason = "each is a thing of its own")]
pub fn open(
    disk: &dyn Disk,
    folder: &Path,
    kind: LogKind,
    name: &str,
    options: &VerifyOptions<'_>,
    vault: &Vault,
    wraps: &Wraps,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), EngineError> {
    let part = format!("{name} frames");
    let keys = wraps.open(vault)?;
    let failed = |error: InspectError| match error {
        InspectError::Flaw(flaw) => EngineError::Unreadable(flaw.to_string()),
        InspectError::Disk { path, source } => ProofError::Disk { path, source }.into(),
    };
    let mut inspection = Inspection::begin(disk, folder, kind).map_err(failed)?;
    let access = match (kind, keys.get(&StreamAlias::ACCESS)) {
        (LogKind::Access, Some(Some(key))) => {
            Some(AccessFrames::new(Arc::clone(key), inspection.reader(), None))
        }
        _ => None,
    };
    let (mut readable, mut erased, mut disposed) = (0_u64, 0_u64, 0_u64);
    let each = |seen: Seen<'_>| match seen {
        Seen::Frame(frame) => (open_one(&keys, access.as_ref(), frame), frame.offset),
        Seen::Disposed(left) => (Opened::Disposed, left.offset),
    };
    while let Some(batch) = inspection.next(options.threads, each).map_err(failed)? {
        for (position, (opened, offset)) in (batch.first_position..).zip(batch.items) {
            match opened {
                Opened::Readable => readable += 1,
                Opened::Erased => erased += 1,
                Opened::Disposed => disposed += 1,
                Opened::Wrong(problem) => {
                    let path = batch.path.display();
                    let detail = format!("position {position}: {path} at byte {offset}: {problem}");
                    tell(Finding::altered(part, detail));
                    return Ok(());
                }
            }
        }
    }
    let mut detail = format!(
        "{readable} open and say what they committed to; {erased} are of charts that were erased"
    );
    if disposed > 0 {
        detail.push_str(&format!("; {disposed} were disposed of"));
    }
    tell(Finding::holds(part, detail));
    Ok(())
}

fn open_one(keys: &Keys, access: Option<&AccessFrames>, seen: FrameSeen<'_>) -> Opened {
    let frame = seen.parts.to_frame();
    if !frame.content.is_sealed() {
        return Opened::Readable;
    }
    let opened = match (frame.kind, access, keys.get(&frame.alias)) {
        (FrameKind::Access | FrameKind::Sources, Some(access), _) => {
            access.disclose(frame).map(drop)
        }
        (FrameKind::Chart | FrameKind::Directory, _, Some(Some(key))) => {
            let shown = key.disclose(frame.kind, frame.alias, frame.content);
            shown.map(drop).map_err(EngineError::from)
        }
        (FrameKind::Chart | FrameKind::Directory, _, Some(None)) => return Opened::Erased,
        _ => return Opened::Wrong("there is no key for this frame".to_owned()),
    };
    match opened {
        Ok(()) => Opened::Readable,
        Err(error) => Opened::Wrong(error.to_string()),
    }
}
