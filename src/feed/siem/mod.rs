//! Forwarding of access entries and commits to tools of the operator, such as a SIEM.

mod connection;
mod file;
mod message;
mod source;
mod stream;
mod syslog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cursor::{CursorError, CursorFile};
use super::delivery::{Delivery, Handle, Outlet};
use super::tls;
use crate::audit;
use crate::config::{AuditConfig, NoTarget, SiemForm, SiemTarget, SiemWay};
use crate::disk::RealDisk;
use crate::records::{Records, RecordsError};
use file::FileOutlet;
use message::Message;
use source::{BothLogs, Place};
use stream::StreamOutlet;
use syslog::Sender;

/// How long the end of all deliveries is waited for.
const STOPPING_MAX: Duration = Duration::from_secs(5);

/// Why forwarding cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SiemError {
    /// Settings that cannot be used: all of them.
    #[error("{}", .0.join("; "))]
    Settings(Vec<String>),
    /// A cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The logs cannot be read.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// There are no threads left.
    #[error("no thread for audit.siem: {0}")]
    Thread(std::io::Error),
}

/// The running deliveries.
#[derive(Debug)]
pub struct Forwarding(Vec<Handle>);

impl Forwarding {
    /// Begins to forward to all targets of the configuration.
    ///
    /// # Errors
    ///
    /// [`SiemError`].
    pub fn start(records: &Arc<Records>, config: &AuditConfig) -> Result<Self, SiemError> {
        let targets = config.siem.iter().map(|text| text.parse());
        let targets: Vec<SiemTarget> = targets
            .collect::<Result<_, NoTarget>>()
            .map_err(|error| SiemError::Settings(vec![format!("audit.siem: {error}")]))?;
        let needs_tls = targets.iter().any(|target| matches!(target.way, SiemWay::Tls(_)));
        let files = tls::Files {
            authorities: ("audit.siem_ca_file", config.siem_ca_file.as_deref()),
            certificate: ("audit.siem_certificate_file", config.siem_certificate_file.as_deref()),
            key: ("audit.siem_key_file", config.siem_key_file.as_deref()),
        };
        let tls = needs_tls.then(|| tls::configure(files)).transpose();
        let tls = tls.map_err(SiemError::Settings)?.map(Arc::new);
        let (access, events) = audit::ends(records)?;
        let end = Place { access, events };
        let sender = Sender::this();
        let mut handles = Vec::new();
        for (number, target) in (1..).zip(targets) {
            let folder = records.engine().directory().feed();
            let name = target.to_string();
            let cursor = CursorFile::new(RealDisk::handle(), &folder, &name)?;
            let place = begin(&cursor, &end, config.siem_from_start, &name)?;
            let source = BothLogs::new(records, config.siem_patients);
            let names = (name, format!("siem-{number}"));
            let started = match target.way {
                SiemWay::File(path) => {
                    let outlet = FileOutlet::new(RealDisk::handle(), path);
                    run(names, source, outlet, cursor, place)
                }
                way => {
                    let sender = (target.form == SiemForm::Syslog).then(|| sender.clone());
                    let outlet = StreamOutlet::new(way, tls.clone(), sender);
                    run(names, source, outlet, cursor, place)
                }
            };
            handles.push(started.map_err(SiemError::Thread)?);
        }
        Ok(Self(handles))
    }

    /// Delivers what there is, and ends. What was not delivered after some seconds is at the next start.
    pub fn stop(self) {
        self.0.iter().for_each(Handle::stop);
        let deadline = Instant::now() + STOPPING_MAX;
        self.0.iter().for_each(|handle| handle.ended(deadline));
    }
}

fn run(
    names: (String, String),
    source: BothLogs,
    outlet: impl Outlet<Item = Message, Place = Place>,
    cursor: CursorFile<Place>,
    place: Place,
) -> std::io::Result<Handle> {
    Delivery::start(names, source, outlet, cursor, place)
}

/// Where a target goes on. That of a new one is written down at once: what comes from now on is for it, whenever it
/// is first reached.
fn begin(
    cursor: &CursorFile<Place>,
    end: &Place,
    from_start: bool,
    target: &str,
) -> Result<Place, CursorError> {
    let Some(place) = cursor.load()? else {
        let place = if from_start { Place::default() } else { end.clone() };
        cursor.save(&place)?;
        return Ok(place);
    };
    let within =
        Place { access: place.access.min(end.access), events: place.events.min(end.events) };
    if within != place {
        // A backup was restored under it. What comes is new, though its positions were given before.
        tracing::warn!(
            outlet = target,
            "the logs end before the cursor: they were restored; it goes on at their end"
        );
    }
    Ok(within)
}
